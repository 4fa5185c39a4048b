package storetest

import (
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
