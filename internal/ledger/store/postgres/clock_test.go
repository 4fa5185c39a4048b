package postgres

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

// movedClock is the clock of a machine that shows another time than the others by so much.
type movedClock struct{ by atomic.Int64 }

func (c *movedClock) now() time.Time { return time.Now().Add(time.Duration(c.by.Load())) }

// TestAWrongClockIsRefusedUntilItIsPutRight has the clock of one of two stores become wrong after the store has written,
// so that it begins with a guess.
func TestAWrongClockIsRefusedUntilItIsPutRight(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		by    time.Duration
		words string
	}{
		"an hour ahead": {time.Hour, "ahead of"},
		"a day behind":  {-24 * time.Hour, "behind"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			database := database(t, server)
			var clock movedClock
			moved := open(t, Options{URL: server.URLAs(database, database), Now: clock.now})
			right := open(t, Options{URL: server.URLAs(database, database), Now: time.Now})
			add := func(s *Store, id string, now time.Time) error {
				return s.Update(t.Context(), func(tx store.Tx) error {
					tx.Stamp(now)
					return count(t.Context(), tx, id)
				})
			}
			if err := add(moved, "before", clock.now()); err != nil {
				t.Fatalf("With a clock that is right: %v", err)
			}
			_, _, before := counted(t, right)
			clock.by.Store(int64(test.by))
			for what, do := range map[string]func() error{
				"An update": func() error { return add(moved, "wrong", clock.now()) },
				"An update that writes nothing": func() error {
					return moved.Update(t.Context(), func(tx store.Tx) error { _, err := tx.Head(t.Context()); return err })
				},
				"An update whose function does not mind": func() error {
					return moved.Update(t.Context(), func(tx store.Tx) error {
						_, _ = tx.Setting(t.Context(), "s")
						return tx.PutSetting(t.Context(), "s", []byte("v"))
					})
				},
				"A view": func() error {
					return moved.View(t.Context(), func(r store.Reader) error { _, err := r.Head(t.Context()); return err })
				},
			} {
				if err := do(); !errors.Is(err, store.ErrClock) || !strings.Contains(err.Error(), test.words) {
					t.Errorf("%s gives %v; want that the clock is %s the database's", what, err, test.words)
				}
			}
			if _, _, after := counted(t, right); after != before {
				t.Errorf("The head went from %+v to %+v", before, after)
			}
			if err := add(right, "right", time.Now()); err != nil {
				t.Errorf("A store whose clock is right: %v", err)
			}
			clock.by.Store(0)
			if err := add(moved, "after", clock.now()); err != nil {
				t.Errorf("With a clock that was put right: %v", err)
			}
			if figure, cases, _ := counted(t, moved); figure != 3 || cases["wrong"] != 0 {
				t.Errorf("The figure is %d and the cases are %v; want what was done by a clock that was right", figure, cases)
			}
		})
	}
}

func TestClocksThatDifferALittleAreTaken(t *testing.T) {
	at := time.Date(2026, 11, 2, 3, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		own time.Time
		is  error
	}{
		"the same":               {at, nil},
		"as far ahead as may be": {at.Add(complaint.MaxClockDifference), nil},
		"further ahead":          {at.Add(complaint.MaxClockDifference + 1), store.ErrClock},
		"as far behind":          {at.Add(-complaint.MaxClockDifference), nil},
		"further behind":         {at.Add(-complaint.MaxClockDifference - 1), store.ErrClock},
	} {
		if err := compareClocks(test.own, at); !errors.Is(err, test.is) {
			t.Errorf("%s: %v; want %v", name, err, test.is)
		}
	}
}
