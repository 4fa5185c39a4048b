// Package storetest says by tests what a store.Store must do; every implementation runs it.
package storetest

import (
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
		"what was written has the revision of its update":          revisionsCount,
		"what changed since a revision is found":                   changesAreFound,
		"replies are found until they are done, and then dropped":  repliesAreKept,
		"replies are found by their answers":                       repliesAreFoundByTheirAnswers,
		"replies are found by their ends and by their cases":       repliesAreFoundByTheirEndsAndCases,
		"pages go through all cases in order":                      pagesGoThrough,
		"everything is there after opening again":                  everythingSurvives,
		"a view sees one snapshot and hinders no update":           viewsAreSnapshots,
		"updates of many goroutines run one after the other":       updatesAreSerial,
		"an ended context is reported and leaves the store usable": contextsAreHeeded,
		"a large event and a large batch are taken":                largeOnesAreTaken,
		"a random history equals a model":                          equalsModel,
		"of several rows with one key the last counts":             repeatsCount,
		"of many repeated events the first of each counts":         manyRepeatsCount,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(harness{t, factory(t)})
		})
	}
}

// instant is the time from which the suite's times count.
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
