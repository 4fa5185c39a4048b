package sqlite

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

// BenchmarkDeliveries does in each transaction what the ledger does with a batch of complaints that nobody
// knew before, as a flood night brings them: look for the cases, insert the events and the cases, look what
// else the reporters have, add figures and move the channel. It reports the CPU time of one complaint.
func BenchmarkDeliveries(b *testing.B) {
	const batch = 128
	s, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	n := 0
	before := cpuTime(b)
	for b.Loop() {
		events, cases := complaints(n, batch)
		n += batch
		if err := s.Update(b.Context(), func(tx store.Tx) error { return deliver(b.Context(), tx, events, cases) }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((cpuTime(b)-before).Nanoseconds())/1e3/float64(n), "cpu-µs/case")
	b.ReportMetric(0, "ns/op")
}

// cpuTime is what the process has used.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// complaints are n new cases of one event each, after the first ones.
func complaints(first, n int) ([]store.Event, []store.Case) {
	text := strings.Repeat("Banjir ", 64)
	events, cases := make([]store.Event, n), make([]store.Case, n)
	for i := range events {
		serial := first + i
		at := time.Date(2026, 11, 2, 3, 0, 0, serial*100_000, time.UTC)
		id := fmt.Sprintf("flood-1795658268000000000-%09d", serial)
		pseudonym := sha256.Sum256([]byte(id))
		events[i] = store.Event{ReceivedAt: at, Pseudonym: pseudonym[:16], Event: complaint.Event{
			Channel: "dsw", CaseID: id, ID: id, Kind: complaint.KindReceived, Actor: complaint.ActorCitizen, OccurredAt: at, Text: text,
			Attributes: map[string]string{"address": "Jalan Margonda Raya No. 7, Depok", "source": "android"},
			Location:   &complaint.Location{Latitude: -6.3, Longitude: 106.8},
		}}
		cases[i] = store.Case{
			CaseKey: events[i].Key(), Status: "Open", ReceivedAt: at, WaitingSince: at, UnansweredSince: at, DueAt: at.Add(time.Hour),
			NextAt: at.Add(time.Duration(serial%2+1) * time.Hour), Open: true, Live: true, Pseudonym: events[i].Pseudonym, Holds: store.ContentText,
			State: make([]byte, 150), Dimensions: complaint.Dimensions{Category: "flood", Department: "dpupr", Priority: "high"},
		}
	}
	return events, cases
}

func deliver(ctx context.Context, tx store.Tx, events []store.Event, cases []store.Case) error {
	keys := make([]complaint.CaseKey, len(cases))
	reporters := make([]store.ReporterQuery, len(cases))
	for i := range cases {
		keys[i] = cases[i].CaseKey
		reporters[i] = store.ReporterQuery{Pseudonym: cases[i].Pseudonym, From: cases[i].ReceivedAt.AddDate(0, 0, -14), To: cases[i].ReceivedAt, Limit: 50}
	}
	if _, err := tx.Cases(ctx, keys); err != nil {
		return err
	}
	if _, err := tx.InsertEvents(ctx, events); err != nil {
		return err
	}
	if err := tx.PutCases(ctx, cases); err != nil {
		return err
	}
	if _, err := tx.ByReporter(ctx, reporters); err != nil {
		return err
	}
	var figures []store.Figures
	for i := range 8 {
		figures = append(figures, store.Figures{Key: fmt.Sprintf("received-%d", i), Values: [store.FigureColumns]int64{1}})
	}
	if err := tx.AddFigures(ctx, figures); err != nil {
		return err
	}
	return tx.PutChannels(ctx, []store.Channel{{Name: "dsw", LastEventAt: events[0].OccurredAt}})
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
