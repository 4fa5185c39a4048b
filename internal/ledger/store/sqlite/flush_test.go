package sqlite

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

// A reader on an old snapshot, such as a verification of many cases, keeps the log from being emptied of
// what was cleared. Nobody waits for it, and once it is gone, so is the text.
func TestAReaderNeitherDelaysAClearingNorUndoesIt(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{flushEvery: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	at := time.Date(2026, 11, 2, 3, 0, 0, 0, time.UTC)
	e := store.Event{
		Event: complaint.Event{
			Channel: "wa", CaseID: "C", ID: "E", Kind: complaint.KindReceived, Actor: complaint.ActorCitizen, OccurredAt: at, Text: "RAHASIA di sini",
		},
		ReceivedAt: at,
	}
	kept := func() bool {
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			content, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(content, []byte("RAHASIA")) {
				return true
			}
		}
		return false
	}
	update := func(f func(tx store.Tx) error) {
		t.Helper()
		if err := s.Update(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	update(func(tx store.Tx) error {
		if _, err := tx.InsertEvents(t.Context(), []store.Event{e}); err != nil {
			return err
		}
		return tx.PutCases(t.Context(), []store.Case{{CaseKey: e.Key()}})
	})
	err = s.View(t.Context(), func(r store.Reader) error {
		if _, err := r.Cases(t.Context(), []complaint.CaseKey{e.Key()}); err != nil {
			return err
		}
		before := e
		e.Text, e.Cleared = "", true
		update(func(tx store.Tx) error { return tx.ReplaceEvents(t.Context(), []store.Event{e}) })
		if !kept() || !s.stale {
			t.Error("The text is gone under the reader's feet; the test shows nothing")
		}
		events, err := r.Events(t.Context(), []complaint.CaseKey{e.Key()})
		if err == nil && (len(events[0]) != 1 || events[0][0].Text != before.Text) {
			t.Errorf("The reader sees %v; want its snapshot", events)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	update(func(store.Tx) error { return nil })
	if kept() || s.stale {
		t.Error("The text is still in the files after the reader has gone and the ledger has ticked")
	}
}
