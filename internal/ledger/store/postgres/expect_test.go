package postgres

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/test/postgres"
)

// TestAnOrdinaryTransactionHasTwoRoundTrips counts how often the store waits for its database: once for all
// that is read, and once for the commit with all that is written.
func TestAnOrdinaryTransactionHasTwoRoundTrips(t *testing.T) {
	t.Parallel()
	proxy, s, _ := proxied(t)
	at := time.Date(2026, 11, 2, 3, 0, 0, 0, time.UTC)
	run := func(id string) error {
		e := store.Event{Pseudonym: []byte("warga"), ReceivedAt: at, Event: complaint.Event{
			Channel: "dsw", CaseID: id, ID: id, Kind: complaint.KindReceived, Actor: complaint.ActorCitizen, OccurredAt: at,
		}}
		earlier := []store.ReporterQuery{{Pseudonym: e.Pseudonym, From: at.Add(-time.Hour), To: at, Limit: 50}}
		return s.Update(t.Context(), func(tx store.Tx) error {
			if _, err := tx.Head(t.Context()); err != nil {
				return err
			}
			err := tx.(store.Expecter).Expect(t.Context(), store.Expected{
				Cases: []complaint.CaseKey{e.Key()}, Events: []store.EventKey{{Channel: "dsw", ID: id}}, Reporters: earlier,
			})
			if err != nil {
				return err
			}
			if _, err := tx.Cases(t.Context(), []complaint.CaseKey{e.Key()}); err != nil {
				return err
			}
			if _, err := tx.InsertEvents(t.Context(), []store.Event{e}); err != nil {
				return err
			}
			c := store.Case{CaseKey: e.Key(), Status: "Open", ReceivedAt: at, Open: true, Live: true, Pseudonym: e.Pseudonym}
			if err := tx.PutCases(t.Context(), []store.Case{c}); err != nil {
				return err
			}
			if _, err := tx.ByReporter(t.Context(), earlier); err != nil {
				return err
			}
			if err := tx.PutChannels(t.Context(), []store.Channel{{Name: "dsw"}}); err != nil {
				return err
			}
			return tx.AddFigures(t.Context(), []store.Figures{{Key: "n", Values: [store.FigureColumns]int64{1}}})
		})
	}
	// The first ones prepare the statements and find the channel.
	for _, id := range []string{"C1", "C2"} {
		if err := run(id); err != nil {
			t.Fatal(err)
		}
	}
	var answered atomic.Bool
	var trips atomic.Int32
	answered.Store(true)
	proxy.Inspect(func(d postgres.Direction, _ []byte) postgres.Verdict {
		if d == postgres.ToClient {
			answered.Store(true)
		} else if answered.Swap(false) {
			trips.Add(1)
		}
		return postgres.Pass
	})
	if err := run("C3"); err != nil {
		t.Fatal(err)
	}
	if n := trips.Load(); n != 2 {
		t.Errorf("The transaction had %d round trips; want 2", n)
	}
}
