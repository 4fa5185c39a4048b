package ledger

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/store"
	postgresstore "github.com/tanggap/tanggap/internal/ledger/store/postgres"
)

// TestALedgerWhoseClockIsWrongLeavesTheOthersAlone has one of two ledgers on a real database go an hour ahead of it.
func TestALedgerWhoseClockIsWrongLeavesTheOthersAlone(t *testing.T) {
	t.Parallel()
	server := startPostgres(t)
	began := time.Now().UTC().Truncate(time.Microsecond)
	moved, right := makeFixture(t, t.TempDir(), 1), makeFixture(t, t.TempDir(), 1)
	name := onPostgres(moved, server)
	for _, f := range []*fixture{moved, right} {
		f.clock.set(began)
		f.connect = func() (store.Store, error) {
			return postgresstore.Open(t.Context(), postgresstore.Options{URL: server.URLAs(name, name), Now: f.clock.now})
		}
		f.open()
		t.Cleanup(f.close)
	}
	var log bytes.Buffer
	moved.ask(0) // nothing of it runs but what is asked
	moved.ledger.log = slog.New(slog.NewTextHandler(&log, nil))
	moved.policy(samplePolicy())
	moved.append("dsw", received("C1", began))
	right.ask(0)

	moved.clock.move(time.Hour)
	for range 2 {
		_, err := moved.ledger.Append(t.Context(), "dsw", ledgerapi.AppendRequest{Events: []complaint.Event{received("C2", began)}})
		wantRefusal(t, "Where the clock is wrong", err, Unavailable)
		if err := moved.ledger.Advance(t.Context()); !errors.Is(err, store.ErrClock) {
			t.Errorf("A tick gives %v; want that the clock is wrong", err)
		}
	}
	if err := moved.ledger.Healthy(); !errors.Is(err, store.ErrClock) {
		t.Errorf("Of its storage the ledger says: %v; want that the clock is wrong", err)
	}
	moved.clock.move(2 * staleAfter)
	if moved.ledger.Current() == nil {
		t.Error("The ledger goes on to tell what it knows")
	}
	right.clock.move(time.Second)
	right.append("dsw", received("C3", began))
	right.advance()
	right.wantClock("Beside a ledger whose clock is wrong", "dsw", "FirstAnswer", ledgerapi.ClockSeries{})

	moved.clock.set(began.Add(2 * time.Second))
	eventually(t, "the ledger knows what is stored", func() bool { return moved.ledger.Current() == nil })
	moved.append("dsw", received("C2", began))
	moved.advance()
	if err := moved.ledger.Healthy(); err != nil {
		t.Errorf("Once the clock was put right the ledger says: %v", err)
	}
	moved.stop()
	moved.stop = func() {}
	said := log.String()
	for line, want := range map[string]int{`msg="Could not store"`: 1, " ahead of the ": strings.Count(said, "level=ERROR"), `msg="Stored again`: 1} {
		if got := strings.Count(said, line); got != want {
			t.Errorf("%q stands %d times in the log; want %d:\n%s", line, got, want, said)
		}
	}
	if at := headAt(right); at.After(began.Add(time.Minute)) {
		t.Errorf("The storage was judged at %v, and the test began at %v", at, began)
	}
	right.verify()
}

// headAt is the instant that a storage holds.
func headAt(f *fixture) (at time.Time) {
	f.t.Helper()
	err := f.store.View(context.Background(), func(r store.Reader) error {
		head, err := r.Head(context.Background())
		at = head.At
		return err
	})
	if err != nil {
		f.t.Fatalf("Reading the head: %v", err)
	}
	return at
}
