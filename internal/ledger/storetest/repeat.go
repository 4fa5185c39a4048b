package storetest

import (
	"fmt"
	"slices"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

// repeatsCount gives several rows with one key in one slice, and one row several times in a transaction.
func repeatsCount(h harness) {
	t := h.t
	s := opened(t, h.open)
	first, last, other := openCase("dsw", "C1"), openCase("dsw", "C1"), openCase("sigap", "C1")
	last.Status = "Resolved"
	text := func(word string) store.Event {
		e := event("dsw", "C1", "E1", 0)
		e.Text = word
		return e
	}
	update(t, s, func(tx store.Tx) error {
		events := []store.Event{text("as it came"), event("sigap", "C1", "E1", 0), event("dsw", "C1", "E2", 1)}
		if _, err := tx.InsertEvents(t.Context(), events); err != nil {
			return err
		}
		if err := tx.PutCases(t.Context(), []store.Case{first, other, last}); err != nil {
			return err
		}
		if err := tx.ReplaceEvents(t.Context(), []store.Event{text("one"), text("two")}); err != nil {
			return err
		}
		if err := tx.PutChannels(t.Context(), []store.Channel{{Name: "dsw", Generation: 1}, {Name: "dsw", Generation: 2}}); err != nil {
			return err
		}
		return tx.PutReplies(t.Context(), []store.Reply{{Channel: "dsw", ID: "R", State: []byte("one")}, {Channel: "dsw", ID: "R", State: []byte("two")}})
	})
	want := func(status, word string, events int) {
		t.Helper()
		view(t, s, func(r store.Reader) error {
			cases, err := r.Cases(t.Context(), []complaint.CaseKey{key("dsw", "C1"), key("dsw", "C1"), key("sigap", "C1")})
			if err != nil {
				return err
			}
			if cases[0].Status != status || cases[1].Status != status || cases[0].Events != events || cases[2].Status != "Open" || cases[2].Events != 1 {
				t.Errorf("The cases are %+v, %+v and %+v; want the first twice %s with %d events, and the other open with one", cases[0], cases[1], cases[2], status, events)
			}
			replies, err := r.Replies(t.Context(), "dsw", []string{"R", "R"})
			if err == nil && (string(replies[0].State) != "two" || replies[1] == nil) {
				t.Errorf("The reply is %+v and %+v; want the last both times", replies[0], replies[1])
			}
			return err
		})
		for _, e := range eventsOf(t, s, key("dsw", "C1"))[0] {
			if e.ID == "E1" && e.Text != word {
				t.Errorf("The text is %q; want %q", e.Text, word)
			}
		}
	}
	want("Resolved", "two", 2)
	update(t, s, func(tx store.Tx) error {
		for _, status := range []string{"Open", "AwaitingCitizen", "Reopened"} {
			found, err := tx.Cases(t.Context(), []complaint.CaseKey{key("dsw", "C1")})
			if err != nil {
				return err
			}
			found[0].Status = status
			if _, err := tx.InsertEvents(t.Context(), []store.Event{event("dsw", "C1", "E"+status, 2)}); err != nil {
				return err
			}
			if err := tx.PutCases(t.Context(), []store.Case{*found[0]}); err != nil {
				return err
			}
		}
		events, err := tx.Events(t.Context(), []complaint.CaseKey{key("dsw", "C1"), key("dsw", "C1")})
		if err == nil && (len(events[0]) != 5 || len(events[1]) != 5) {
			t.Errorf("Within the transaction there are %d and %d events; want 5 both times", len(events[0]), len(events[1]))
		}
		return err
	})
	want("Reopened", "two", 5)
	view(t, s, func(r store.Reader) error {
		channels, err := r.Channels(t.Context(), 0)
		generations := map[string]int64{}
		for i := range channels {
			generations[channels[i].Name] = channels[i].Generation
		}
		if diff := cmp.Diff(map[string]int64{"dsw": 2, "sigap": 0}, generations); diff != "" {
			t.Errorf("Generations (-want +got):\n%s", diff)
		}
		return err
	})
}

// manyRepeatsCount mixes, in more events than one statement takes, what is new with what is there and with
// what the slice has twice, under its case or another one.
func manyRepeatsCount(h harness) {
	t := h.t
	s := opened(t, h.open)
	made := func(n int) store.Event { return event("dsw", fmt.Sprintf("C%03d", n/3), fmt.Sprintf("E%03d", n), n%60) }
	insert := func(events []store.Event) (inserted []bool) {
		update(t, s, func(tx store.Tx) (err error) {
			if inserted, err = tx.InsertEvents(t.Context(), events); err != nil {
				return err
			}
			var cases []store.Case
			for i := range events {
				cases = append(cases, openCase("dsw", events[i].CaseID))
			}
			return tx.PutCases(t.Context(), cases)
		})
		return inserted
	}
	var before, events []store.Event
	for n := 0; n < 300; n += 4 {
		before = append(before, made(n))
	}
	var want []bool
	for n := range 300 {
		elsewhere := made(n)
		elsewhere.CaseID = made((n + 7) % 300).CaseID
		events = append(events, made(n), elsewhere)
		want = append(want, n%4 != 0, false)
	}
	insert(before)
	if diff := cmp.Diff(want, insert(events)); diff != "" {
		t.Errorf("What was new (-want +got):\n%s", diff)
	}
	var keys []complaint.CaseKey
	for n := 0; n < 300; n += 3 {
		e := made(n)
		keys = append(keys, e.Key())
	}
	for i, events := range eventsOf(t, s, keys...) {
		var ids []string
		for j := range events {
			ids = append(ids, events[j].ID)
		}
		slices.Sort(ids)
		if diff := cmp.Diff([]string{made(3 * i).ID, made(3*i + 1).ID, made(3*i + 2).ID}, ids); diff != "" {
			t.Errorf("The events of case %d (-want +got):\n%s", i, diff)
		}
	}
	view(t, s, func(r store.Reader) error {
		cases, err := r.Cases(t.Context(), keys)
		for i, c := range cases {
			if c == nil || c.Events != 3 {
				t.Errorf("Case %d is %+v; want it with 3 events", i, c)
			}
		}
		return err
	})
	// The places of a case are without gaps: what comes next has one that is free.
	for n := range 300 {
		events[n] = event("dsw", made(n).CaseID, fmt.Sprintf("F%03d", n), 0)
	}
	if inserted := insert(events[:300]); slices.Contains(inserted, false) {
		t.Error("An event that came later was not taken")
	}
}
