// Package storetest says by tests what a store.Store must do; every implementation runs it.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

// Factory makes a storage of its own for a test and returns what opens it; it is opened again after
// it was closed.
type Factory func(t *testing.T) (open func() store.Store)

// harness is what a test of the suite has.
type harness struct {
	t *testing.T
	// open opens the test's storage; it is closed before it is opened again.
	open func() store.Store
}

// Run runs the suite.
func Run(t *testing.T, factory Factory) {
	t.Helper()
	for name, test := range map[string]func(harness){
		"an event comes back as it was given":                      eventsComeBack,
		"an event is kept once":                                    eventsAreKeptOnce,
		"a case comes back as it was put, whatever was changed":    casesComeBack,
		"a failed update leaves everything as it was":              updatesAreAtomic,
		"replacing events leaves nothing of their content":         eventsAreReplaced,
		"scans take what they should, in order, up to the limit":   scansAreOrdered,
		"the cases of events are found by the events":              casesOfEvents,
		"a reporter's cases are found by pseudonym":                reportersAreFound,
		"the oldest unanswered case follows every change":          oldestFollows,
		"figures only change by addition":                          figuresAdd,
		"channels and settings are replaced":                       channelsAreReplaced,
		"pages go through all cases in order":                      pagesGoThrough,
		"everything is there after opening again":                  everythingSurvives,
		"a view sees one snapshot and hinders no update":           viewsAreSnapshots,
		"updates of many goroutines run one after the other":       updatesAreSerial,
		"an ended context is reported and leaves the store usable": contextsAreHeeded,
		"a large event and a large batch are taken":                largeOnesAreTaken,
		"a random history equals a model":                          equalsModel,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(harness{t, factory(t)})
		})
	}
}

// Instant is the time from which the suite's times count.
func instant(minutes int) time.Time {
	return time.Date(2026, 11, 2, 3, 0, 0, 123000, time.UTC).Add(time.Duration(minutes) * time.Minute)
}

// opened opens a store that is closed with the test.
func opened(t *testing.T, open func() store.Store) store.Store {
	t.Helper()
	s := open()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Closing the store: %v", err)
		}
	})
	return s
}

func update(t *testing.T, s store.Store, f func(tx store.Tx) error) {
	t.Helper()
	if err := s.Update(t.Context(), f); err != nil {
		t.Fatalf("Updating: %v", err)
	}
}

func view(t *testing.T, s store.Store, f func(r store.Reader) error) {
	t.Helper()
	if err := s.View(t.Context(), f); err != nil {
		t.Fatalf("Viewing: %v", err)
	}
}

func key(channel, id string) complaint.CaseKey {
	return complaint.CaseKey{Channel: channel, CaseID: id}
}

// event is a small valid event.
func event(channel, caseID, id string, minute int) store.Event {
	return store.Event{
		Event: complaint.Event{
			Channel: channel, CaseID: caseID, ID: id, Kind: complaint.KindReceived, Actor: complaint.ActorCitizen, OccurredAt: instant(minute),
		},
		ReceivedAt: instant(minute + 1),
	}
}

// openCase is a small case.
func openCase(channel, id string) store.Case {
	return store.Case{
		CaseKey: key(channel, id), Dimensions: complaint.Dimensions{Category: "flood", Department: "dpupr", Priority: "high"},
		Status: "Open", ReceivedAt: instant(0), WaitingSince: instant(0), UnansweredSince: instant(0), Open: true, Live: true, State: []byte("{}"),
	}
}

// put inserts one event for each of the cases that has none yet and puts them.
func put(t *testing.T, s store.Store, cases ...store.Case) {
	t.Helper()
	update(t, s, func(tx store.Tx) error {
		var events []store.Event
		for i := range cases {
			events = append(events, event(cases[i].Channel, cases[i].CaseID, "first of "+cases[i].CaseID, 0))
		}
		if _, err := tx.InsertEvents(t.Context(), events); err != nil {
			return err
		}
		return tx.PutCases(t.Context(), cases)
	})
}

func keysOf(cases []store.Case) (keys []string) {
	for i := range cases {
		keys = append(keys, cases[i].Channel+"/"+cases[i].CaseID)
	}
	return keys
}

func wantKeys(t *testing.T, what string, want []string, got []store.Case) {
	t.Helper()
	if diff := cmp.Diff(want, keysOf(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func byID(a, b store.Event) bool { return a.ID < b.ID }

func eventsOf(t *testing.T, s store.Store, keys ...complaint.CaseKey) (events [][]store.Event) {
	t.Helper()
	view(t, s, func(r store.Reader) (err error) {
		events, err = r.Events(t.Context(), keys)
		return err
	})
	return events
}

func eventsComeBack(h harness) {
	t, open := h.t, h.open
	s := opened(t, open)
	full := event("dsw", "C1", "E1", 0)
	full.Text = "Banjir di depan SDN 3 — \"tolong\" \x01 🙏"
	full.Reporter = &complaint.Reporter{Phone: "0812-3456-789", Handle: "@warga"}
	full.Location = &complaint.Location{Latitude: -6.4025, Longitude: 106.7942}
	full.Attributes = map[string]string{"category": "Banjir", "": "", "urgent": "ya"}
	full.Clamped = true
	full.Pseudonym = []byte{0, 1, 2, 255}
	status := event("dsw", "C1", "E2", 1)
	status.Kind, status.Actor, status.To = complaint.KindStatusChanged, complaint.ActorSystem, complaint.StatusResolved
	merged := event("dsw", "C1", "E3", 2)
	merged.Kind, merged.Into, merged.Cleared = complaint.KindMerged, "C0", true
	origin := event("dsw", "C1", "E4", 3)
	origin.Location = &complaint.Location{}
	update(t, s, func(tx store.Tx) error {
		if _, err := tx.InsertEvents(t.Context(), []store.Event{full, status, merged, origin}); err != nil {
			return err
		}
		within, err := tx.Events(t.Context(), []complaint.CaseKey{key("dsw", "C1")})
		if err != nil || len(within[0]) != 4 {
			t.Errorf("Within the transaction there are %d events, error %v; want 4", len(within[0]), err)
		}
		return tx.PutCases(t.Context(), []store.Case{openCase("dsw", "C1")})
	})
	want := [][]store.Event{{full, status, merged, origin}, nil}
	got := eventsOf(t, s, key("dsw", "C1"), key("dsw", "C2"))
	if diff := cmp.Diff(want, got, cmpopts.SortSlices(byID)); diff != "" {
		t.Errorf("Events (-want +got):\n%s", diff)
	}
}

func eventsAreKeptOnce(h harness) {
	t, open := h.t, h.open
	s := opened(t, open)
	insert := func(want []bool, events ...store.Event) {
		t.Helper()
		update(t, s, func(tx store.Tx) error {
			got, err := tx.InsertEvents(t.Context(), events)
			if err != nil {
				return err
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Inserted (-want +got):\n%s", diff)
			}
			var cases []store.Case
			for i, e := range events {
				if got[i] {
					cases = append(cases, openCase(e.Channel, e.CaseID))
				}
			}
			return tx.PutCases(t.Context(), cases)
		})
	}
	insert([]bool{true, true, false}, event("dsw", "C1", "E1", 0), event("dsw", "C1", "E2", 0), event("dsw", "C1", "E1", 5))
	insert([]bool{false, true}, event("dsw", "C1", "E2", 0), event("sigap", "C1", "E1", 0))
	// The key is the channel and the event: another case does not make it new, and gets no row.
	insert([]bool{false}, event("dsw", "C2", "E1", 0))
	if got := eventsOf(t, s, key("dsw", "C1"), key("sigap", "C1"), key("dsw", "C2")); len(got[0]) != 2 || len(got[1]) != 1 || len(got[2]) != 0 {
		t.Errorf("The cases have %d, %d and %d events; want 2, 1 and 0", len(got[0]), len(got[1]), len(got[2]))
	}
	view(t, s, func(r store.Reader) error {
		cases, err := r.Cases(t.Context(), []complaint.CaseKey{key("dsw", "C2"), key("none", "C1"), key("dsw", "C1")})
		if err == nil && (cases[0] != nil || cases[1] != nil || cases[2] == nil) {
			t.Errorf("Cases are %v; want only the last", cases)
		}
		return err
	})
}

func casesComeBack(h harness) {
	t, open := h.t, h.open
	s := opened(t, open)
	want := openCase("dsw", "C1")
	put(t, s, want)
	for name, change := range map[string]func(*store.Case){
		"nothing": func(*store.Case) {},
		"status":  func(c *store.Case) { c.Status = "Resolved" },
		"dimensions": func(c *store.Case) {
			c.Dimensions = complaint.Dimensions{Category: "a", Department: "b", Priority: "c"}
		},
		"received":   func(c *store.Case) { c.ReceivedAt = instant(-7) },
		"answered":   func(c *store.Case) { c.AnsweredAt = instant(4) },
		"waiting":    func(c *store.Case) { c.WaitingSince = time.Time{} },
		"unanswered": func(c *store.Case) { c.UnansweredSince = time.Time{} },
		"closed":     func(c *store.Case) { c.ClosedAt = instant(9) },
		"due":        func(c *store.Case) { c.DueAt = instant(10) },
		"next":       func(c *store.Case) { c.NextAt = instant(11) },
		"next again": func(c *store.Case) { c.NextAt = instant(12) },
		"no next":    func(c *store.Case) { c.NextAt = time.Time{} },
		"unfinal":    func(c *store.Case) { c.UnfinalAt = instant(13) },
		"open":       func(c *store.Case) { c.Open = false },
		"live":       func(c *store.Case) { c.Live = false },
		"overdue":    func(c *store.Case) { c.Overdue = true },
		"pseudonym":  func(c *store.Case) { c.Pseudonym = []byte{1, 0} },
		"holds":      func(c *store.Case) { c.Holds = store.ContentText | store.ContentHandles },
		"state":      func(c *store.Case) { c.State = []byte{0, 255} },
		"no state":   func(c *store.Case) { c.State = nil },
	} {
		change(&want)
		update(t, s, func(tx store.Tx) error { return tx.PutCases(t.Context(), []store.Case{want}) })
		view(t, s, func(r store.Reader) error {
			got, err := r.Cases(t.Context(), []complaint.CaseKey{want.CaseKey})
			if err != nil {
				return err
			}
			if got[0].Events != 1 {
				t.Errorf("The case says that it has %d events; want 1", got[0].Events)
			}
			if diff := cmp.Diff(&want, got[0], cmpopts.EquateEmpty(), cmpopts.IgnoreFields(store.Case{}, "Events")); diff != "" {
				t.Errorf("After changing %s (-want +got):\n%s", name, diff)
			}
			return nil
		})
	}
}

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
		return r.Figures(t.Context(), func(f store.Figures) error { return fmt.Errorf("there is a figure %q", f.Key) })
	})
	// What was undone can be done.
	put(t, s, openCase("new", "C1"))
	if got := eventsOf(t, s, key("new", "C1")); len(got[0]) != 1 {
		t.Errorf("After the failed update the case has %d events; want 1", len(got[0]))
	}
}

func eventsAreReplaced(h harness) {
	t, open := h.t, h.open
	s := opened(t, open)
	e := event("dsw", "C1", "E1", 0)
	e.Text, e.Reporter, e.Pseudonym = "secret", &complaint.Reporter{Email: "a@example.org"}, []byte{1}
	e.Location, e.Attributes = &complaint.Location{Latitude: 1}, map[string]string{"k": "v"}
	other := event("dsw", "C1", "E2", 0)
	other.Text = "stays"
	cleared := event("dsw", "C1", "E1", 0)
	cleared.Kind, cleared.Cleared = complaint.KindAcknowledged, true
	update(t, s, func(tx store.Tx) error {
		if _, err := tx.InsertEvents(t.Context(), []store.Event{e, other}); err != nil {
			return err
		}
		return tx.PutCases(t.Context(), []store.Case{openCase("dsw", "C1")})
	})
	update(t, s, func(tx store.Tx) error { return tx.ReplaceEvents(t.Context(), []store.Event{cleared}) })
	if diff := cmp.Diff([]store.Event{cleared, other}, eventsOf(t, s, key("dsw", "C1"))[0], cmpopts.SortSlices(byID)); diff != "" {
		t.Errorf("Events (-want +got):\n%s", diff)
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
		n := 0
		err = r.Figures(t.Context(), func(f store.Figures) error { n += int(f.Values[0]); return nil })
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
