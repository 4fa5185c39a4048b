package sqlite

import (
	"fmt"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

// BenchmarkNewCases stores batches of new cases of one event each, as a flood night brings them, and
// reports the time of one case.
func BenchmarkNewCases(b *testing.B) {
	const batch = 256
	s, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	at := time.Date(2026, 11, 2, 3, 0, 0, 0, time.UTC)
	text := fmt.Sprintf("%0500d", 0)
	n := 0
	for b.Loop() {
		events := make([]store.Event, batch)
		cases := make([]store.Case, batch)
		for i := range events {
			n++
			id := fmt.Sprintf("C-%09d", n)
			events[i] = store.Event{ReceivedAt: at, Pseudonym: []byte("0123456789abcdef"), Event: complaint.Event{
				Channel: "dsw", CaseID: id, ID: id, Kind: complaint.KindReceived, Actor: complaint.ActorCitizen, OccurredAt: at, Text: text,
			}}
			cases[i] = store.Case{
				CaseKey: events[i].Key(), Status: "Open", ReceivedAt: at, WaitingSince: at, UnansweredSince: at, DueAt: at, NextAt: at.Add(time.Duration(n) * time.Second),
				Open: true, Live: true, Pseudonym: events[i].Pseudonym, Holds: store.ContentText, State: make([]byte, 150),
				Dimensions: complaint.Dimensions{Category: "flood", Department: "dpupr", Priority: "high"},
			}
		}
		err := s.Update(b.Context(), func(tx store.Tx) error {
			if _, err := tx.InsertEvents(b.Context(), events); err != nil {
				return err
			}
			return tx.PutCases(b.Context(), cases)
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(n), "µs/case")
}

// BenchmarkFigures adds to 64 of 100,000 rows in each transaction, and then reads what has changed since
// the one before, which goes through all rows: nobody but a ledger that was not told the outcome of a
// commit ever does. An index for it would make adding take half as long again.
func BenchmarkFigures(b *testing.B) {
	const rows, batch = 100_000, 64
	s, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	row := func(n int) store.Figures {
		return store.Figures{Key: fmt.Sprintf("clock\x1fchannel-%d\x1fcategory-%d\x1fdepartment\x1fnormal\x1fcity\x1fanswer", n%100, n/100), Values: [store.FigureColumns]int64{1}}
	}
	add := func(from, to int) {
		b.Helper()
		var figures []store.Figures
		for n := from; n < to; n++ {
			figures = append(figures, row(n*7919%rows))
		}
		if err := s.Update(b.Context(), func(tx store.Tx) error { return tx.AddFigures(b.Context(), figures) }); err != nil {
			b.Fatal(err)
		}
	}
	add(0, rows)
	n := rows
	b.Run("add", func(b *testing.B) {
		for b.Loop() {
			add(n, n+batch)
			n += batch
		}
	})
	b.Run("catch up", func(b *testing.B) {
		for b.Loop() {
			err := s.View(b.Context(), func(r store.Reader) error {
				head, err := r.Head(b.Context())
				if err != nil {
					return err
				}
				return r.Figures(b.Context(), head.Revision-1, func(store.Figures) error { return nil })
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}
