package ledger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

// testReplicas are several ledgers with the sample policy on one store, which end with the test.
func testReplicas(t *testing.T, n int) *fixture {
	t.Helper()
	f := newReplicas(t, t.TempDir(), n)
	t.Cleanup(f.close)
	f.policy(samplePolicy())
	return f
}

// eventually waits for what other goroutines do.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for !is() {
		select {
		case <-deadline:
			t.Fatalf("In half a minute not: %s", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func TestAReplicaWithNothingToDoFollowsTheOthers(t *testing.T) {
	f := testReplicas(t, 2)
	other := f.replicas[1]
	eventually(t, "the other has the policy", func() bool { return other.PolicyStatus().Revision == samplePolicy().Seal().Revision })
	before, err := other.Summary(t.Context(), ledgerapi.Position{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	changed := make(chan *ledgerapi.Summary, 1)
	go func() {
		s, err := other.Summary(context.WithoutCancel(t.Context()), before.Position, time.Minute)
		if err != nil {
			t.Errorf("Waiting: %v", err)
		}
		changed <- s
	}()
	f.append("dsw", received("C1", monday))
	if s := <-changed; s == nil || s.Since != before.Sequence || s.Channels["dsw"].Unanswered != 1 {
		t.Errorf("The other replica tells of %+v; want one unanswered", s)
	}
}

func TestWhoAsksOneReplicaAndThenAnotherIsNotTakenBack(t *testing.T) {
	f := testReplicas(t, 3)
	var view ledgerapi.View
	for n := range f.replicas {
		f.ask(n) // which now has the policy
	}
	for i := range 30 {
		f.ledger = f.replicas[i%3].Ledger
		f.append("dsw", received("C"+string(rune('A'+i)), monday))
		for n := range f.replicas {
			s, err := f.replicas[(i+n)%3].Summary(t.Context(), view.Position(), 0)
			if err != nil {
				t.Fatal(err)
			}
			if err := view.Apply(s); err != nil {
				t.Fatal(err)
			}
			if got := view.Latest().Channels["dsw"].Received; got != int64(i+1) {
				t.Fatalf("After %d complaints a replica says that %d were received", i+1, got)
			}
		}
	}
}

func TestTwoWorkersOnTwoReplicasCannotBothMoveTheCursor(t *testing.T) {
	f := testReplicas(t, 2)
	cursor := func(n int, generation int64, cursor string) error {
		_, err := f.replicas[n].Append(t.Context(), "dsw", ledgerapi.AppendRequest{Cursor: []byte(cursor), PreviousGeneration: generation})
		return err
	}
	f.ask(1) // which now has the policy
	if err := cursor(0, 0, "1"); err != nil {
		t.Fatal(err)
	}
	var refusal *RefusalError
	if err := cursor(1, 0, "2"); !errors.As(err, &refusal) || refusal.Reason != Conflict {
		t.Errorf("The second worker's cursor gives %v; want a conflict", err)
	}
	for n := range f.replicas {
		if s, err := f.replicas[n].State(t.Context(), "dsw"); err != nil || s.CursorGeneration != 1 || string(s.Cursor) != "1" {
			t.Errorf("A worker would start from %+v, error %v", s, err)
		}
	}
	if err := cursor(1, 1, "2"); err != nil {
		t.Errorf("With the generation that it read: %v", err)
	}
}

func TestOneReplicaWatchesAndAnotherTakesOver(t *testing.T) {
	f := testReplicas(t, 3)
	leads := func() (leading []int) {
		for n, r := range f.replicas {
			f.ask(n)
			r.mu.RLock()
			if r.leads() {
				leading = append(leading, n)
			}
			r.mu.RUnlock()
		}
		return leading
	}
	want := func(what string, want ...int) {
		t.Helper()
		got := leads()
		if len(got) != len(want) || len(got) > 0 && got[0] != want[0] {
			t.Errorf("%s, %v watch; want %v", what, got, want)
		}
	}
	want("At first", 0, 1, 2)
	step := func(n int) {
		t.Helper()
		if err := f.replicas[n].advance(t.Context(), f.replicas[n].leads); err != nil {
			t.Fatal(err)
		}
	}
	step(1)
	step(0) // which finds that another was quicker
	want("After the first tick", 1)
	for range 10 {
		f.clock.move(time.Second)
		step(1)
		step(2)
		want("While it watches", 1)
	}
	watermark := func(n int) time.Time {
		f.ask(n)
		return f.summary().Watermark
	}
	for n := range f.replicas {
		if at := watermark(n); !at.Equal(f.clock.now()) {
			t.Errorf("Replica %d says that all was looked at through %v; want %v", n, at, f.clock.now())
		}
	}
	f.append("dsw", received("C1", f.clock.now()))
	f.clock.move(20 * time.Minute)
	step(0)
	want("When it was silent", 0)
	f.ask(2)
	f.wantClock("Taken over", "dsw", "FirstAnswer", ledgerapi.ClockSeries{Overdue: 1})
	step(1)
	want("When it comes back", 0)
	f.replicas[0].resign(t.Context())
	want("When that one stops", 0, 1, 2)
	f.verify()
}

// TestTheWatchPassesOnByItself lets the replicas maintain the ledger as processes do.
func TestTheWatchPassesOnByItself(t *testing.T) {
	f := newReplicas(t, t.TempDir(), 3)
	defer f.close()
	type process struct {
		*Ledger
		kill, end func()
	}
	processes := map[string]process{}
	for range 3 {
		l, err := Open(t.Context(), Options{Store: f.store, Pseudonyms: f.names})
		if err != nil {
			t.Fatal(err)
		}
		maintaining, endMaintaining := context.WithCancel(t.Context())
		running, endRunning := context.WithCancel(t.Context())
		done := make(chan struct{}, 2)
		go func() { l.Maintain(maintaining); done <- struct{}{} }()
		go func() { l.Run(running); done <- struct{}{} }()
		f.ledger = l
		processes[l.life] = process{l, func() { endRunning(); endMaintaining(); <-done; <-done }, func() {
			endMaintaining()
			<-done
			endRunning()
			<-done
		}}
	}
	f.policy(samplePolicy())
	f.append("dsw", received("C1", time.Now().Add(-14*time.Minute-59*time.Second)))
	watching := func() string {
		var holder string
		view := func(r store.Reader) error {
			c, err := readChanges(t.Context(), r, 0)
			if err == nil && c.watch != nil {
				holder = c.watch.Holder
			}
			return err
		}
		if err := f.store.View(t.Context(), view); err != nil {
			t.Fatal(err)
		}
		return holder
	}
	first := ""
	eventually(t, "one watches", func() bool { first = watching(); return first != "" })
	for _, p := range processes {
		f.ledger = p.Ledger
		eventually(t, "every replica shows what became overdue", func() bool { return f.figures("dsw", "FirstAnswer").Overdue == 1 })
	}
	if now := watching(); now != first {
		t.Errorf("The watch went from %s to %s without a reason", first, now)
	}
	// One that is killed says nothing, and one that stops lets go.
	processes[first].kill()
	delete(processes, first)
	second := ""
	eventually(t, "another watches", func() bool { second = watching(); return second != "" && second != first })
	processes[second].end()
	if now := watching(); now == second {
		t.Error("A replica that has stopped still watches")
	}
	delete(processes, second)
	eventually(t, "the last one watches", func() bool { return processes[watching()].Ledger != nil })
	for _, p := range processes {
		p.end()
	}
	f.verify()
}

func TestAReplicaThatHasLostTheStorageDoesNotSayWhatItKnew(t *testing.T) {
	f := testReplicas(t, 2)
	f.append("dsw", received("C1", monday))
	for _, r := range f.replicas {
		r.store.cut.Store(true)
	}
	f.clock.move(staleAfter)
	if _, err := f.ledger.Summary(t.Context(), ledgerapi.Position{}, 0); err != nil {
		t.Errorf("For a moment: %v", err)
	}
	f.clock.move(time.Second)
	var refusal *RefusalError
	if _, err := f.ledger.Summary(t.Context(), ledgerapi.Position{}, 0); !errors.As(err, &refusal) || refusal.Reason != Unavailable || refusal.RetryAfter == 0 {
		t.Errorf("After %v the summary gives %v; want that it is unavailable", staleAfter, err)
	}
	if err := f.ledger.Current(); err == nil {
		t.Error("The ledger says that it is current")
	}
	if _, err := f.ledger.State(t.Context(), "dsw"); !errors.As(err, &refusal) {
		t.Errorf("The state of a channel gives %v", err)
	}
	eventually(t, "the ledger says that it is not well", func() bool { return f.ledger.Healthy() != nil })
	for _, r := range f.replicas {
		r.store.cut.Store(false)
	}
	eventually(t, "the ledger is current again", func() bool { return f.ledger.Current() == nil && f.replicas[1].Healthy() == nil })
	f.ask(0)
	if got := f.summary().Channels["dsw"].Unanswered; got != 1 {
		t.Errorf("%d are unanswered; want 1", got)
	}
}

func TestACommitWhoseAnswerWasLostIsNotForgotten(t *testing.T) {
	f := testFixture(t)
	f.store.silent.Store(true)
	in := ledgerapi.AppendRequest{Events: []complaint.Event{received("C1", monday), received("C2", monday)}, Cursor: []byte("7")}
	var refusal *RefusalError
	if _, err := f.ledger.Append(t.Context(), "dsw", in); !errors.As(err, &refusal) || refusal.Reason != Unavailable {
		t.Errorf("The append gives %v; want that it may be tried again", err)
	}
	f.store.silent.Store(false)
	if _, err := f.ledger.Append(t.Context(), "dsw", in); !errors.As(err, &refusal) || refusal.Reason != Conflict {
		t.Errorf("Sent again with the old generation it gives %v; want a conflict, as the cursor has moved", err)
	}
	in.PreviousGeneration = 1
	if out, err := f.ledger.Append(t.Context(), "dsw", in); err != nil || out.Duplicate != 2 || out.CursorGeneration != 2 {
		t.Errorf("Sent again it gives %+v, error %v; want two duplicates", out, err)
	}
	if c := f.summary().Channels["dsw"]; c.Accepted != 2 || c.Unanswered != 2 || c.Duplicate != 2 {
		t.Errorf("The channel is %+v; want each event once", c)
	}
	f.verify()
}

// TestAStorageThatWasPutBackIsToldFromTheOneBefore restores a backup: a position of the lost time must
// not be taken for one of the new, though the sequence goes on from there.
func TestAStorageThatWasPutBackIsToldFromTheOneBefore(t *testing.T) {
	f := newFixture(t, t.TempDir())
	f.policy(samplePolicy())
	f.append("dsw", received("C1", monday))
	kept := f.summary().Position
	f.close()
	backup := t.TempDir()
	copyFile(t, filepath.Join(f.dir, "ledger.db"), filepath.Join(backup, "ledger.db"))

	f.open()
	if s, err := f.ledger.Summary(t.Context(), kept, 0); err != nil || s.Since != kept.Sequence {
		t.Errorf("After a restart the changes are from %+v, error %v; want from %+v", s, err, kept)
	}
	f.append("sigap", received("L1", monday), received("L2", monday))
	f.append("dsw", received("L3", monday))
	lost := f.summary().Position
	f.close()

	f.dir = backup
	f.open()
	defer f.close()
	asked := func(when string) {
		t.Helper()
		s, err := f.ledger.Summary(t.Context(), lost, 0)
		if err != nil || s.Since != 0 {
			t.Errorf("%s, the summary for a position that is lost has changes from %d, error %v; want all", when, s.Since, err)
		}
	}
	asked("Before anything was written")
	for _, id := range []string{"N1", "N2", "N3", "N4", "N5"} {
		f.append("dsw", received(id, monday))
		asked("With later events")
	}
	if now := f.summary().Sequence; now <= lost.Sequence {
		t.Fatalf("The sequence is %d, not yet past the lost %d", now, lost.Sequence)
	}
	s, err := f.ledger.Summary(t.Context(), kept, 0)
	if err != nil || s.Since != kept.Sequence || s.Channels["dsw"].Received != 6 {
		t.Errorf("For a position before the backup the summary is %+v, error %v; want what has changed", s, err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = io.Copy(out, in); err == nil {
		err = out.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheMemoryOfReplicasIsBounded(t *testing.T) {
	var l lives
	for n := range 3 * maxLives {
		l = l.with(string(rune('a'+n%26))+string(rune('0'+n/26)), int64(10*n+1), 0)
	}
	if len(l) != maxLives {
		t.Errorf("%d lives are remembered; want %d", len(l), maxLives)
	}
	last := l[len(l)-1]
	if l.epoch() != last.ID || !l.hold(last.ID, last.Since) || l.hold(last.ID, last.Since-1) || !l.hold(l[0].ID, l[1].Since-1) || l.hold(l[0].ID, l[1].Since) {
		t.Errorf("Of %v the wrong revisions are held", l)
	}
}

// TestManyWorkersOnManyReplicas has workers send to any replica at once, each batch twice, while operators
// follow whichever replica answers: what they see never goes back, and ends with everything counted once.
func TestManyWorkersOnManyReplicas(t *testing.T) {
	const replicas, workers, batches = 3, 4, 25
	f := testReplicas(t, replicas)
	for n := range f.replicas {
		f.ask(n) // which now has the policy
	}
	ctx, end := context.WithCancel(t.Context())
	var background, work sync.WaitGroup
	for _, r := range f.replicas {
		background.Go(func() { r.Maintain(ctx) })
	}
	views := make([]ledgerapi.View, 2)
	finished := make(chan struct{})
	for i := range views {
		background.Go(func() {
			for n, received := i, int64(0); received < workers*batches; n++ {
				s, err := f.replicas[n%replicas].Summary(ctx, views[i].Position(), 50*time.Millisecond)
				if err == nil {
					err = views[i].Apply(s)
				}
				if err != nil {
					t.Errorf("Following: %v", err)
					return
				}
				now := views[i].Summary().Channels["dsw"].Received
				if now < received {
					t.Errorf("The number of complaints went from %d to %d", received, now)
				}
				received = now
			}
			finished <- struct{}{}
		})
	}
	for w := range workers {
		work.Go(func() {
			for n := range batches {
				in := ledgerapi.AppendRequest{Events: []complaint.Event{received(fmt.Sprintf("%d-%d", w, n), monday)}}
				var accepted int
				for again := range 2 {
					out, err := f.replicas[(w+n+again)%replicas].Append(ctx, "dsw", in)
					if err != nil {
						t.Errorf("Appending: %v", err)
						return
					}
					accepted += out.Accepted
				}
				if accepted != 1 {
					t.Errorf("An event that was sent twice was accepted %d times", accepted)
				}
			}
		})
	}
	work.Wait()
	for range views {
		select {
		case <-finished:
		case <-time.After(time.Minute):
			t.Error("An operator has not heard of everything")
		}
	}
	end()
	background.Wait()
	f.ask(0)
	if c := f.summary().Channels["dsw"]; c.Accepted != workers*batches || c.Duplicate != workers*batches || c.Unanswered != workers*batches {
		t.Errorf("The channel is %+v; want %d events once", c, workers*batches)
	}
	f.verify()
}
