package postgres

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

// BenchmarkNewCases stores batches of new cases of one event each, as a flood night brings them, in the calls
// that a ledger makes, and reports the time of one case.
func BenchmarkNewCases(b *testing.B) {
	for _, batch := range []int{1, 256} {
		b.Run(fmt.Sprint(batch), func(b *testing.B) {
			name := database(b, server)
			s := open(b, Options{URL: server.URLAs(name, name)})
			n := 0
			process := backend(b, s)
			before, size := cpuOf(b, process), sizeOf(b, name)
			for b.Loop() {
				if err := s.Update(b.Context(), func(tx store.Tx) error { return newCases(b, tx, n, batch) }); err != nil {
					b.Fatal(err)
				}
				n += batch
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(n), "µs/case")
			b.ReportMetric(float64(sizeOf(b, name)-size)/float64(n), "bytes/case")
			// Of the process that serves the writer: what is left on a machine that does other things too.
			b.ReportMetric(float64((cpuOf(b, process)-before).Microseconds())/float64(n), "server-µs/case")
		})
	}
}

// backend is the process of the server that serves the writer.
func backend(b *testing.B, s *Store) (pid int32) {
	b.Helper()
	err := s.Update(b.Context(), func(transaction store.Tx) error {
		return transaction.(*tx).query("SELECT pg_backend_pid()", nil, func(r *row) error { pid = r.int4(); return nil })
	})
	if err != nil {
		b.Fatal(err)
	}
	return pid
}

// cpuOf is the CPU time that a process has used, as the scheduler of Linux counts it.
func cpuOf(b *testing.B, pid int32) time.Duration {
	b.Helper()
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
	if err != nil {
		b.Fatal(err)
	}
	var used int64
	if _, err := fmt.Sscan(string(content), &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used)
}

// sizeOf is what a database takes on the disk, in bytes.
func sizeOf(b *testing.B, name string) (size int64) {
	b.Helper()
	c, err := server.Connect(b.Context(), name)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close(b.Context())
	if err := c.QueryRow(b.Context(), "SELECT pg_database_size($1)", name).Scan(&size); err != nil {
		b.Fatal(err)
	}
	return size
}

func newCases(b *testing.B, tx store.Tx, n, batch int) error {
	b.Helper()
	ctx := b.Context()
	at := time.Date(2026, 11, 2, 3, 0, 0, 0, time.UTC)
	text := fmt.Sprintf("%0500d", 0)
	events := make([]store.Event, batch)
	cases := make([]store.Case, batch)
	keys := make([]complaint.CaseKey, batch)
	ids := make([]store.EventKey, batch)
	queries := make([]store.ReporterQuery, batch)
	for i := range events {
		id := fmt.Sprintf("C-%09d", n+i)
		events[i] = store.Event{ReceivedAt: at, Pseudonym: []byte(fmt.Sprintf("%016d", n+i)), Event: complaint.Event{
			Channel: "dsw", CaseID: id, ID: id, Kind: complaint.KindReceived, Actor: complaint.ActorCitizen, OccurredAt: at, Text: text,
			Attributes: map[string]string{"source": "app", "photo": "1"}, Location: &complaint.Location{Latitude: -6.4, Longitude: 106.8},
		}}
		cases[i] = store.Case{
			CaseKey: events[i].Key(), Status: "Open", ReceivedAt: at, WaitingSince: at, UnansweredSince: at, DueAt: at, NextAt: at.Add(time.Duration(n+i) * time.Second),
			Open: true, Live: true, Pseudonym: events[i].Pseudonym, Holds: store.ContentText, State: make([]byte, 150),
			Dimensions: complaint.Dimensions{Category: "flood", Department: "dpupr", Priority: "high"},
		}
		keys[i], ids[i] = cases[i].CaseKey, store.EventKey{Channel: "dsw", ID: id}
		queries[i] = store.ReporterQuery{Pseudonym: cases[i].Pseudonym, From: at.Add(-time.Hour), To: at, Limit: 50}
	}
	if _, err := tx.Head(ctx); err != nil {
		return err
	}
	if err := tx.(store.Expecter).Expect(ctx, store.Expected{Cases: keys, Events: ids, Reporters: queries}); err != nil {
		return err
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
	if _, err := tx.ByReporter(ctx, queries); err != nil {
		return err
	}
	if err := tx.AddFigures(ctx, []store.Figures{{Key: "a", Values: [store.FigureColumns]int64{1}}, {Key: "b"}, {Key: "c"}}); err != nil {
		return err
	}
	if err := tx.PutChannels(ctx, []store.Channel{{Name: "dsw"}}); err != nil {
		return err
	}
	return tx.PutSetting(ctx, "watch", []byte("{}"))
}
