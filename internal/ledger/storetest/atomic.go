// Package storetest says by tests what a store.Store must do; every implementation runs it.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

func updatesAreAtomic(h harness) {
	t, open := h.t, h.open
	s := opened(t, open)
	put(t, s, openCase("dsw", "C1"))
	refused := errors.New("refused")
	fail := func(tx store.Tx) error {
		if _, err := tx.InsertEvents(t.Context(), []store.Event{event("dsw", "C1", "E9", 0), event("new", "C1", "E1", 0)}); err != nil {
			return err
		}
		changed := openCase("dsw", "C1")
		changed.Status = "Resolved"
		if err := tx.PutCases(t.Context(), []store.Case{changed, openCase("new", "C1")}); err != nil {
			return err
		}
		if err := tx.AddFigures(t.Context(), []store.Figures{{Key: "k", Values: [store.FigureColumns]int64{1}}}); err != nil {
			return err
		}
		if err := tx.PutChannels(t.Context(), []store.Channel{{Name: "new", Generation: 3}}); err != nil {
			return err
		}
		if err := tx.PutSetting(t.Context(), "s", []byte("v")); err != nil {
			return err
		}
		tx.Stamp(instant(0))
		return refused
	}
	if err := s.Update(t.Context(), fail); !errors.Is(err, refused) {
		t.Fatalf("The update's error is %v; want the one of its function", err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("A panic within an update was swallowed")
			}
		}()
		_ = s.Update(t.Context(), func(tx store.Tx) error {
			if err := fail(tx); !errors.Is(err, refused) {
				return err
			}
			panic("a mistake")
		})
	}()
	if got := eventsOf(t, s, key("dsw", "C1"), key("new", "C1")); len(got[0]) != 1 || len(got[1]) != 0 {
		t.Errorf("The cases have %d and %d events; want 1 and 0", len(got[0]), len(got[1]))
	}
	view(t, s, func(r store.Reader) error {
		cases, err := r.Cases(t.Context(), []complaint.CaseKey{key("dsw", "C1"), key("new", "C1")})
		if err != nil {
			return err
		}
		if cases[0].Status != "Open" || cases[1] != nil {
			t.Errorf("The cases are %v and %v; want the first unchanged and no second", cases[0], cases[1])
		}
		if value, err := r.Setting(t.Context(), "s"); err != nil || value != nil {
			t.Errorf("The setting is %q, error %v; want none", value, err)
		}
		if head, err := r.Head(t.Context()); err != nil || head != (store.Head{Revision: 1}) {
			t.Errorf("The head is %+v, error %v; want the first revision", head, err)
		}
		return r.Figures(t.Context(), 0, func(f store.Figures) error { return fmt.Errorf("there is a figure %q", f.Key) })
	})
	// What was undone can be done.
	put(t, s, openCase("new", "C1"))
	if got := eventsOf(t, s, key("new", "C1")); len(got[0]) != 1 {
		t.Errorf("After the failed update the case has %d events; want 1", len(got[0]))
	}
}

func everythingSurvives(h harness) {
	t, open := h.t, h.open
	s := open()
	c := openCase("dsw", "C1")
	put(t, s, c)
	update(t, s, func(tx store.Tx) error {
		if err := tx.PutSetting(t.Context(), "policy", []byte("{}")); err != nil {
			return err
		}
		return tx.AddFigures(t.Context(), []store.Figures{{Key: "k", Values: [store.FigureColumns]int64{7}}})
	})
	if err := s.Close(); err != nil {
		t.Fatalf("Closing: %v", err)
	}
	if err := s.Update(t.Context(), func(store.Tx) error { return nil }); err == nil {
		t.Error("A closed store took an update")
	}
	if err := s.View(t.Context(), func(store.Reader) error { return nil }); err == nil {
		t.Error("A closed store gave a view")
	}
	s = opened(t, open)
	put(t, s, openCase("dsw", "C2"))
	if got := eventsOf(t, s, key("dsw", "C1"), key("dsw", "C2")); len(got[0]) != 1 || len(got[1]) != 1 {
		t.Errorf("The cases have %d and %d events; want one each", len(got[0]), len(got[1]))
	}
	view(t, s, func(r store.Reader) error {
		value, err := r.Setting(t.Context(), "policy")
		if err != nil || string(value) != "{}" {
			t.Errorf("The setting is %q, error %v", value, err)
		}
		if head, err := r.Head(t.Context()); err != nil || head.Revision != 3 {
			t.Errorf("The head is %+v, error %v; want the third revision", head, err)
		}
		n := 0
		err = r.Figures(t.Context(), 0, func(f store.Figures) error { n += int(f.Values[0]); return nil })
		if n != 7 {
			t.Errorf("The figure is %d; want 7", n)
		}
		return err
	})
}

func viewsAreSnapshots(h harness) {
	t, open := h.t, h.open
	s := opened(t, open)
	put(t, s, openCase("dsw", "C1"))
	view(t, s, func(r store.Reader) error {
		count := func() int {
			cases, err := r.Cases(t.Context(), []complaint.CaseKey{key("dsw", "C1"), key("dsw", "C2")})
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for _, c := range cases {
				if c != nil {
					n++
				}
			}
			return n
		}
		before := count()
		put(t, s, openCase("dsw", "C2"))
		if after := count(); before != 1 || after != 1 {
			t.Errorf("A view saw %d cases and then %d; want 1 both times", before, after)
		}
		return nil
	})
}

func updatesAreSerial(h harness) {
	t, open := h.t, h.open
	s := opened(t, open)
	const goroutines, rounds = 8, 20
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for n := range rounds {
				err := s.Update(context.Background(), func(tx store.Tx) error {
					value, err := tx.Setting(context.Background(), "n")
					if err != nil {
						return err
					}
					id := fmt.Sprintf("%d-%d", g, n)
					if _, err := tx.InsertEvents(context.Background(), []store.Event{event("dsw", id, id, 0)}); err != nil {
						return err
					}
					if err := tx.PutCases(context.Background(), []store.Case{openCase("dsw", id)}); err != nil {
						return err
					}
					return tx.PutSetting(context.Background(), "n", append(value, 'x'))
				})
				if err != nil {
					t.Errorf("Updating: %v", err)
				}
			}
		})
	}
	wg.Wait()
	view(t, s, func(r store.Reader) error {
		value, err := r.Setting(t.Context(), "n")
		if len(value) != goroutines*rounds {
			t.Errorf("%d of %d updates are seen", len(value), goroutines*rounds)
		}
		return err
	})
}

func contextsAreHeeded(h harness) {
	t, open := h.t, h.open
	s := opened(t, open)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Update(ended, func(store.Tx) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("An update with an ended context gives %v", err)
	}
	if err := s.View(ended, func(store.Reader) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("A view with an ended context gives %v", err)
	}
	during, cancel := context.WithCancel(t.Context())
	err := s.Update(during, func(tx store.Tx) error {
		if err := tx.PutSetting(during, "s", []byte("v")); err != nil {
			return err
		}
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("An update whose context ends before its commit gives %v", err)
	}
	put(t, s, openCase("dsw", "C1"))
	view(t, s, func(r store.Reader) error {
		value, err := r.Setting(t.Context(), "s")
		if value != nil {
			t.Error("An update whose context ended was committed")
		}
		return err
	})
}

func largeOnesAreTaken(h harness) {
	t, open := h.t, h.open
	s := opened(t, open)
	text := make([]byte, complaint.MaxTextBytes)
	for i := range text {
		text[i] = 'a' + byte(i%26)
	}
	events := make([]store.Event, 2000)
	for i := range events {
		events[i] = event("dsw", "C1", fmt.Sprint(i), i)
	}
	events[0].Text = string(text)
	update(t, s, func(tx store.Tx) error {
		if _, err := tx.InsertEvents(t.Context(), events); err != nil {
			return err
		}
		return tx.PutCases(t.Context(), []store.Case{openCase("dsw", "C1")})
	})
	got := eventsOf(t, s, key("dsw", "C1"))[0]
	if len(got) != len(events) {
		t.Fatalf("The case has %d events; want %d", len(got), len(events))
	}
	for i := range got {
		if got[i].ID == "0" && got[i].Text != string(text) {
			t.Error("The large text did not come back")
		}
	}
}
