package storetest

import (
	"fmt"
	"maps"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

// RunShared runs what a storage must do that several Stores are open on at once: the function that
// factory returns may be called again before what it opened is closed.
func RunShared(t *testing.T, factory Factory) {
	t.Helper()
	for name, test := range map[string]func(harness){
		"what one store commits the other sees at once":           othersSee,
		"updates of several stores run one after the other":       othersWait,
		"every store counts the same revisions":                   othersCount,
		"an update that writes nothing knows what others wrote":   othersAreKnown,
		"an event that another store has taken is not new":        othersDeduplicate,
		"a view of one store is not changed by another's updates": othersDoNotDisturb,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(harness{t, factory(t)})
		})
	}
}

func othersSee(h harness) {
	t := h.t
	a, b := opened(t, h.open), opened(t, h.open)
	put(t, a, openCase("dsw", "C1"))
	put(t, b, openCase("new", "C1"))
	for _, s := range []store.Store{a, b} {
		if got := eventsOf(t, s, key("dsw", "C1"), key("new", "C1")); len(got[0]) != 1 || len(got[1]) != 1 {
			t.Errorf("A store sees %d and %d events; want one each", len(got[0]), len(got[1]))
		}
	}
	for _, s := range []store.Store{a, b} {
		update(t, s, func(tx store.Tx) error {
			found, err := tx.Cases(t.Context(), []complaint.CaseKey{key("dsw", "C1"), key("new", "C1")})
			if err == nil && (found[0] == nil || found[1] == nil) {
				t.Errorf("An update sees %v; want both cases", found)
			}
			return err
		})
	}
	// A case that one store has read is changed by the other, and then by the first.
	for n, s := range []store.Store{a, b, a, b} {
		update(t, s, func(tx store.Tx) error {
			if _, err := tx.InsertEvents(t.Context(), []store.Event{event("dsw", "C1", fmt.Sprint("more", n), n)}); err != nil {
				return err
			}
			return tx.PutCases(t.Context(), []store.Case{openCase("dsw", "C1")})
		})
	}
	if got := eventsOf(t, a, key("dsw", "C1")); len(got[0]) != 5 {
		t.Errorf("The case has %d events; want 5", len(got[0]))
	}
}

func othersWait(h harness) {
	t := h.t
	const stores, rounds = 3, 20
	var wg sync.WaitGroup
	for n := range stores {
		s := opened(t, h.open)
		for g := range 2 {
			wg.Go(func() {
				for round := range rounds {
					err := s.Update(t.Context(), func(tx store.Tx) error {
						value, err := tx.Setting(t.Context(), "n")
						if err != nil {
							return err
						}
						id := fmt.Sprintf("%d-%d-%d", n, g, round)
						if _, err := tx.InsertEvents(t.Context(), []store.Event{event("dsw", id, id, 0)}); err != nil {
							return err
						}
						if err := tx.PutCases(t.Context(), []store.Case{openCase("dsw", id)}); err != nil {
							return err
						}
						return tx.PutSetting(t.Context(), "n", append(value, 'x'))
					})
					if err != nil {
						t.Errorf("Updating: %v", err)
					}
				}
			})
		}
	}
	wg.Wait()
	s := opened(t, h.open)
	view(t, s, func(r store.Reader) error {
		value, err := r.Setting(t.Context(), "n")
		if want := stores * 2 * rounds; len(value) != want {
			t.Errorf("%d of %d updates are seen", len(value), want)
		}
		return err
	})
	if head := headOf(t, s); head.Revision != stores*2*rounds {
		t.Errorf("The revision is %d; want %d", head.Revision, stores*2*rounds)
	}
}

// othersCount has several stores write one row each time while others follow by what has changed since:
// each follower must see every revision's rows, and end with what there is.
func othersCount(h harness) {
	t := h.t
	const stores, rounds = 3, 30
	writers := make([]store.Store, stores)
	for n := range writers {
		writers[n] = opened(t, h.open)
	}
	follower := opened(t, h.open)
	var wg sync.WaitGroup
	for n, s := range writers {
		wg.Go(func() {
			for round := range rounds {
				err := s.Update(t.Context(), func(tx store.Tx) error {
					head, err := tx.Head(t.Context())
					if err != nil {
						return err
					}
					tx.Stamp(instant(int(head.Revision) + 1))
					k := fmt.Sprintf("%d", (n+round)%5)
					return tx.AddFigures(t.Context(), []store.Figures{{Key: k, Values: [store.FigureColumns]int64{1, head.Revision}}})
				})
				if err != nil {
					t.Errorf("Updating: %v", err)
				}
			}
		})
	}
	mirror := map[string]string{}
	for at := int64(0); at < stores*rounds && !t.Failed(); {
		view(t, follower, func(r store.Reader) error {
			head, err := r.Head(t.Context())
			if err != nil {
				return err
			}
			if head.Revision < at || head.Revision > 0 && !head.At.Equal(instant(int(head.Revision))) {
				t.Errorf("After revision %d the head is %+v", at, head)
			}
			found, err := changes(t.Context(), r, at)
			if err != nil {
				return err
			}
			if head.Revision > at && len(found) == 0 {
				t.Errorf("From revision %d to %d nothing has changed", at, head.Revision)
			}
			maps.Copy(mirror, found)
			at = head.Revision
			return nil
		})
	}
	wg.Wait()
	view(t, writers[0], func(r store.Reader) error {
		all, err := changes(t.Context(), r, 0)
		if diff := cmp.Diff(all, mirror); err == nil && diff != "" {
			t.Errorf("What was followed (-there +followed):\n%s", diff)
		}
		return err
	})
}

func othersDeduplicate(h harness) {
	t := h.t
	a, b := opened(t, h.open), opened(t, h.open)
	put(t, a, openCase("dsw", "C1"))
	update(t, b, func(tx store.Tx) error {
		inserted, err := tx.InsertEvents(t.Context(), []store.Event{event("dsw", "C1", "first of C1", 0), event("dsw", "C1", "E2", 0)})
		if diff := cmp.Diff([]bool{false, true}, inserted); err == nil && diff != "" {
			t.Errorf("Inserted (-want +got):\n%s", diff)
		}
		if err != nil {
			return err
		}
		return tx.PutCases(t.Context(), []store.Case{openCase("dsw", "C1")})
	})
}

func othersDoNotDisturb(h harness) {
	t := h.t
	a, b := opened(t, h.open), opened(t, h.open)
	put(t, a, openCase("dsw", "C1"))
	view(t, a, func(r store.Reader) error {
		before, err := r.Head(t.Context())
		if err != nil {
			return err
		}
		put(t, b, openCase("dsw", "C2"))
		cases, err := r.Cases(t.Context(), []complaint.CaseKey{key("dsw", "C2")})
		if err != nil {
			return err
		}
		after, err := r.Head(t.Context())
		if cases[0] != nil || before != after {
			t.Errorf("A view saw %v, and the head go from %+v to %+v", cases[0], before, after)
		}
		return err
	})
}

// othersAreKnown has one store write alone for long, and then another one once: an implementation that takes
// the head for what it has left itself must notice although nothing is committed.
func othersAreKnown(h harness) {
	t := h.t
	a, b := opened(t, h.open), opened(t, h.open)
	write := func(s store.Store, n int) {
		t.Helper()
		update(t, s, func(tx store.Tx) error {
			if _, err := tx.Head(t.Context()); err != nil {
				return err
			}
			return tx.PutSetting(t.Context(), "n", fmt.Append(nil, n))
		})
	}
	for n := range 100 {
		write(b, n)
	}
	write(a, 100)
	update(t, b, func(tx store.Tx) error {
		head, err := tx.Head(t.Context())
		if err == nil && head.Revision != 101 {
			err = fmt.Errorf("the head is %d, and 101 were written", head.Revision)
		}
		return err
	})
	write(a, 101)
	seen := int64(0)
	update(t, b, func(tx store.Tx) error {
		head, err := tx.Head(t.Context())
		seen = head.Revision
		return err
	})
	if seen != 102 {
		t.Errorf("The last run of an update that wrote nothing saw the head %d; 102 were written", seen)
	}
}
