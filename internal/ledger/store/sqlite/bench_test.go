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
