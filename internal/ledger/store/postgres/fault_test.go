package postgres

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/test/postgres"
)

// count adds one to a figure with a case and an event of the id, so that what was done twice is seen.
func count(ctx context.Context, tx store.Tx, id string) error {
	at := time.Date(2026, 11, 2, 3, 0, 0, 0, time.UTC)
	e := store.Event{Event: complaint.Event{Channel: "dsw", CaseID: id, ID: id, Kind: complaint.KindReceived, Actor: complaint.ActorCitizen, OccurredAt: at}, ReceivedAt: at}
	inserted, err := tx.InsertEvents(ctx, []store.Event{e})
	if err != nil || !inserted[0] {
		return err
	}
	if err := tx.PutCases(ctx, []store.Case{{CaseKey: e.Key(), Status: "Open", ReceivedAt: at, Open: true, Live: true}}); err != nil {
		return err
	}
	return tx.AddFigures(ctx, []store.Figures{{Key: "n", Values: [store.FigureColumns]int64{1}}})
}

// counted is the figure, and how many cases there are.
func counted(t *testing.T, s *Store) (figure int64, cases map[string]int, head store.Head) {
	t.Helper()
	cases = map[string]int{}
	err := s.View(t.Context(), func(r store.Reader) (err error) {
		if head, err = r.Head(t.Context()); err != nil {
			return err
		}
		if err := r.Figures(t.Context(), 0, func(f store.Figures) error { figure += f.Values[0]; return nil }); err != nil {
			return err
		}
		query := store.PageQuery{Limit: 1000, Scan: 1000}
		for {
			page, next, err := r.Page(t.Context(), query)
			for i := range page {
				cases[page[i].CaseID] += page[i].Events
			}
			if query.After = next; err != nil || next == nil {
				return err
			}
		}
	})
	if err != nil {
		t.Fatalf("Counting: %v", err)
	}
	return figure, cases, head
}

// TestACutConnectionDoesNothingTwice cuts the connection at each stage of a transaction: it is done once
// in the end, whether the server had committed it or not.
func TestACutConnectionDoesNothingTwice(t *testing.T) {
	commits := func(piece []byte) bool { return bytes.Contains(piece, []byte("COMMIT\x00")) }
	for name, test := range map[string]struct {
		// inspect judges the pieces until it has cut.
		inspect func(cut *atomic.Bool) func(postgres.Direction, []byte) postgres.Verdict
		runs    int
	}{
		"before its first statement": {func(cut *atomic.Bool) func(postgres.Direction, []byte) postgres.Verdict {
			return func(d postgres.Direction, piece []byte) postgres.Verdict {
				if d == postgres.ToServer && bytes.Contains(piece, []byte("FOR UPDATE")) && !cut.Swap(true) {
					return postgres.Cut
				}
				return postgres.Pass
			}
		}, 2},
		"before its commit": {func(cut *atomic.Bool) func(postgres.Direction, []byte) postgres.Verdict {
			return func(d postgres.Direction, piece []byte) postgres.Verdict {
				if d == postgres.ToServer && commits(piece) && !cut.Swap(true) {
					return postgres.Cut
				}
				return postgres.Pass
			}
		}, 2},
		"after its commit": {func(cut *atomic.Bool) func(postgres.Direction, []byte) postgres.Verdict {
			var committing atomic.Bool
			return func(d postgres.Direction, piece []byte) postgres.Verdict {
				if d == postgres.ToServer && commits(piece) && !cut.Load() {
					committing.Store(true)
				}
				if d == postgres.ToClient && committing.Load() && !cut.Swap(true) {
					return postgres.Cut
				}
				return postgres.Pass
			}
		}, 1},
		"in its commit": {func(cut *atomic.Bool) func(postgres.Direction, []byte) postgres.Verdict {
			return func(d postgres.Direction, piece []byte) postgres.Verdict {
				if d == postgres.ToServer && commits(piece) && !cut.Swap(true) {
					return postgres.PassAndCut
				}
				return postgres.Pass
			}
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy, s, _ := proxied(t)
			var cut atomic.Bool
			proxy.Inspect(test.inspect(&cut))
			runs := 0
			err := s.Update(t.Context(), func(tx store.Tx) error { runs++; return count(t.Context(), tx, "C1") })
			if err != nil {
				t.Fatalf("The update failed: %v", err)
			}
			if !cut.Load() || test.runs != 0 && runs != test.runs {
				t.Errorf("The transaction ran %d times (cut: %v); want %d", runs, cut.Load(), test.runs)
			}
			if figure, cases, head := counted(t, s); figure != 1 || cases["C1"] != 1 || head.Revision != 1 {
				t.Errorf("The figure is %d, the case has %d events, the revision is %d; want 1 of each", figure, cases["C1"], head.Revision)
			}
		})
	}
}

// proxied is a store that speaks to its database through a proxy.
func proxied(t *testing.T) (proxy *postgres.Proxy, s *Store, name string) {
	t.Helper()
	proxy, err := postgres.NewProxy(t.Context(), server)
	if err != nil {
		t.Fatal(err)
	}
	name = database(t, server)
	s = open(t, Options{URL: proxy.URLAs(name, name)})
	t.Cleanup(func() {
		if err := proxy.Close(); err != nil {
			t.Error(err)
		}
	})
	return proxy, s, name
}

// TestAnUnknownOutcomeIsSaid: the connection is cut after the commit and the database stays away, so that
// nobody can know. What was asked is asked again later, and is done once.
func TestAnUnknownOutcomeIsSaid(t *testing.T) {
	t.Parallel()
	proxy, s, name := proxied(t)
	s.outcomeLimit = 200 * time.Millisecond
	var committing atomic.Bool
	proxy.Inspect(func(d postgres.Direction, piece []byte) postgres.Verdict {
		if d == postgres.ToServer && bytes.Contains(piece, []byte("COMMIT\x00")) {
			committing.Store(true)
		}
		if d == postgres.ToClient && committing.Load() {
			proxy.Refuse(true)
			return postgres.Cut
		}
		return postgres.Pass
	})
	update := func() error {
		return s.Update(t.Context(), func(tx store.Tx) error { return count(t.Context(), tx, "C1") })
	}
	if err := update(); !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("The error is %v; want %v", err, store.ErrUnavailable)
	}
	if err := update(); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("While the database is away the error is %v; want %v", err, store.ErrUnavailable)
	}
	proxy.Inspect(nil)
	proxy.Refuse(false)
	if err := update(); err != nil {
		t.Errorf("Once it is back: %v", err)
	}
	if figure, cases, _ := counted(t, open(t, Options{URL: server.URLAs(name, name)})); figure != 1 || cases["C1"] != 1 {
		t.Errorf("The figure is %d, the case has %d events; want 1", figure, cases["C1"])
	}
}

// TestTheOutcomeIsTheOwnOne: between the cut and the question another process commits: the revision that
// this one would have had, or the next one.
func TestTheOutcomeIsTheOwnOne(t *testing.T) {
	for name, test := range map[string]struct {
		verdict postgres.Verdict
		runs    int
	}{
		"the commit did not arrive": {postgres.Cut, 2},
		"the commit arrived":        {postgres.PassAndCut, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy, s, name := proxied(t)
			other := open(t, Options{URL: server.URLAs(name, name)})
			var cut atomic.Bool
			proxy.Inspect(func(d postgres.Direction, piece []byte) postgres.Verdict {
				if d == postgres.ToServer && bytes.Contains(piece, []byte("COMMIT\x00")) && !cut.Swap(true) {
					// The lock is given free when the server notices the cut; the proxy takes no connection until then.
					proxy.Refuse(true)
					return test.verdict
				}
				return postgres.Pass
			})
			done := make(chan error, 1)
			runs := 0
			go func() {
				done <- s.Update(t.Context(), func(tx store.Tx) error { runs++; return count(t.Context(), tx, "C1") })
			}()
			eventually(t, "the connection was not cut", cut.Load)
			if test.runs == 1 {
				eventually(t, "the commit did not happen", func() bool { _, _, head := counted(t, other); return head.Revision == 1 })
			}
			if err := other.Update(t.Context(), func(tx store.Tx) error { return count(t.Context(), tx, "C2") }); err != nil {
				t.Fatal(err)
			}
			proxy.Refuse(false)
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if figure, cases, head := counted(t, s); figure != 2 || cases["C1"] != 1 || cases["C2"] != 1 || head.Revision != 2 || runs != test.runs {
				t.Errorf("The figure is %d, the cases are %v, the revision is %d after %d runs; want two of each and %d runs",
					figure, cases, head.Revision, runs, test.runs)
			}
		})
	}
}

func eventually(t *testing.T, complaint string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for !is() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal(complaint)
		}
	}
}

// TestADatabaseThatWasAwayIsUsedAgain stops the server under an open store.
func TestADatabaseThatWasAwayIsUsedAgain(t *testing.T) {
	t.Parallel()
	own, err := postgres.Start(t.Context(), postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	name := database(t, own)
	s := open(t, Options{URL: own.URLAs(name, name)})
	update := func(id string) error {
		return s.Update(t.Context(), func(tx store.Tx) error { return count(t.Context(), tx, id) })
	}
	if err := update("C1"); err != nil {
		t.Fatal(err)
	}
	if _, cases, _ := counted(t, s); len(cases) != 1 {
		t.Fatalf("There are %d cases", len(cases))
	}
	for _, stop := range []func() error{own.Shutdown, own.Crash} {
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if err := update("C2"); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("An update of a database that is away gives %v; want %v", err, store.ErrUnavailable)
		}
		if err := s.View(t.Context(), func(r store.Reader) error { _, err := r.Head(t.Context()); return err }); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("A view of a database that is away gives %v; want %v", err, store.ErrUnavailable)
		}
		if err := own.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := update("C3"); err != nil {
			t.Errorf("An update once it is back gives %v", err)
		}
	}
	if figure, cases, _ := counted(t, s); figure != 2 || cases["C1"] != 1 || cases["C3"] != 1 || len(cases) != 2 {
		t.Errorf("The figure is %d, the cases are %v; want C1 and C3", figure, cases)
	}
}
