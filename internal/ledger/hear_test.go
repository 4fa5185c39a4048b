package ledger

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/internal/ledger/store/sqlite"
)

// readingStore notes the most events that a transaction or a view reads at once.
type readingStore struct {
	store.Store
	most int
}

func (s *readingStore) Update(ctx context.Context, f func(store.Tx) error) error {
	return s.Store.Update(ctx, func(tx store.Tx) error { return f(&readingTx{tx, s}) })
}

func (s *readingStore) View(ctx context.Context, f func(store.Reader) error) error {
	return s.Store.View(ctx, func(r store.Reader) error { return f(&readingReader{r, s}) })
}

type readingTx struct {
	store.Tx
	of *readingStore
}

func (t *readingTx) Events(ctx context.Context, keys []complaint.CaseKey) ([][]store.Event, error) {
	return t.of.note(t.Tx.Events(ctx, keys))
}

type readingReader struct {
	store.Reader
	of *readingStore
}

func (r *readingReader) Events(ctx context.Context, keys []complaint.CaseKey) ([][]store.Event, error) {
	return r.of.note(r.Reader.Events(ctx, keys))
}

func (s *readingStore) note(events [][]store.Event, err error) ([][]store.Event, error) {
	n := 0
	for _, of := range events {
		n += len(of)
	}
	s.most = max(s.most, n)
	return events, err
}

// TestTheEventsOfManyFullCasesAreNeverHeldTogether has cases that somebody filled come into one transaction, or view: what
// each holds is bounded, and all of them together would be gigabytes.
func TestTheEventsOfManyFullCasesAreNeverHeldTogether(t *testing.T) {
	const cases, events = 5, 990
	reading := &readingStore{}
	f := makeFixture(t, t.TempDir(), 1)
	f.connect = func() (store.Store, error) {
		opened, err := sqlite.Open(f.dir, sqlite.Options{})
		reading.Store = opened
		return reading, err
	}
	f.open()
	t.Cleanup(f.close)
	f.policy(samplePolicy())
	for c := range cases {
		complained := received(fmt.Sprint(c), monday)
		complained.Reporter = &complaint.Reporter{Phone: ani}
		batch := []complaint.Event{complained}
		for i := range events {
			batch = append(batch, event(fmt.Sprint(c), fmt.Sprintf("%d/%d", c, i), complaint.KindCitizenMessage, complaint.ActorCitizen, monday))
		}
		f.append("dsw", batch...)
	}
	within := func(when string) {
		t.Helper()
		if reading.most == 0 || reading.most > store.PortionEvents {
			t.Errorf("%s the events are read %d at once, want 1 to %d", when, reading.most, store.PortionEvents)
		}
		reading.most = 0
	}
	f.clock.move(time.Minute)
	answers := make([]complaint.Event, cases)
	for c := range answers {
		answers[c] = answered(fmt.Sprint(c), monday.Add(time.Minute))
	}
	f.append("dsw", answers...)
	within("Appending to them")
	f.wantClock("Once all are answered", "dsw", "FirstAnswer", ledgerapi.ClockSeries{Met: cases})
	f.append("dsw", said(ani, "more", 1))
	within("Finding the conversation")
	d := samplePolicy()
	d.SLAs["city"].Rules[0].Clocks[0].Target.Within = "20m"
	f.policy(d)
	f.advance()
	within("Judging them again")
	d.Retention.Content, d.Retention.Idle = "1h", "24h"
	f.policy(d)
	f.pass(30 * time.Hour)
	reading.most = 0
	if err := f.ledger.Expire(t.Context()); err != nil {
		t.Fatalf("Expiring: %v", err)
	}
	within("Clearing their content")
	if _, err := f.ledger.Erase(t.Context(), ledgerapi.ErasureRequest{Reporters: []ledgerapi.ErasureReporter{{Phone: ani}}}); err != nil {
		t.Fatalf("Erasing: %v", err)
	}
	within("Erasing the reporter")
	f.verify()
	within("Verifying")
}
