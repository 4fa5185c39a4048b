package storetest

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

// model is a ledger in maps.
type model struct {
	events map[[2]string]store.Event
	cases  map[complaint.CaseKey]store.Case
}

// equalsModel runs a random history on one store, which is far cheaper than one for each history:
// every history has channels of its own.
func equalsModel(h harness) {
	t, open := h.t, h.open
	s := opened(t, open)
	history := 0
	rapid.Check(t, func(rt *rapid.T) {
		history++
		m := &model{events: map[[2]string]store.Event{}, cases: map[complaint.CaseKey]store.Case{}}
		channels := []string{fmt.Sprintf("a%d", history), fmt.Sprintf("b%d", history)}
		for range rapid.IntRange(1, 12).Draw(rt, "transactions") {
			m.step(rt, s, channels)
		}
		m.compare(rt, s, channels)
	})
}

func (m *model) step(rt *rapid.T, s store.Store, channels []string) {
	var events []store.Event
	for range rapid.IntRange(0, 6).Draw(rt, "events") {
		channel := rapid.SampledFrom(channels).Draw(rt, "channel")
		caseID := rapid.SampledFrom([]string{"x", "y", "z"}).Draw(rt, "case")
		id := rapid.StringMatching(`[a-f][a-c]`).Draw(rt, "id")
		e := event(channel, caseID, id, rapid.IntRange(0, 1000).Draw(rt, "at"))
		// No store need take NUL characters: the ledger removes them.
		e.Text = strings.ReplaceAll(rapid.String().Draw(rt, "text"), "\x00", "")
		events = append(events, e)
	}
	draw := func(name string) time.Time {
		if minute := rapid.IntRange(-3, 8).Draw(rt, name); minute >= 0 {
			return instant(minute)
		}
		return time.Time{}
	}
	ctx := context.Background()
	err := s.Update(ctx, func(tx store.Tx) error {
		if err := m.expect(rt, tx, channels, events); err != nil {
			return err
		}
		inserted, err := tx.InsertEvents(ctx, events)
		if err != nil {
			return err
		}
		touched := map[complaint.CaseKey]bool{}
		for i, e := range events {
			k := [2]string{e.Channel, e.ID}
			_, known := m.events[k]
			if known == inserted[i] {
				rt.Fatalf("Event %d: inserted is %v, known before %v", i, inserted[i], known)
			}
			if inserted[i] {
				m.events[k] = e
				touched[e.Key()] = true
			}
		}
		for k := range m.cases {
			if rapid.IntRange(0, 3).Draw(rt, "touch") == 0 {
				touched[k] = true
			}
		}
		var cases []store.Case
		for _, k := range sortedKeys(touched) {
			c := openCase(k.Channel, k.CaseID)
			c.NextAt, c.UnfinalAt, c.UnansweredSince, c.ReceivedAt = draw("next"), draw("unfinal"), draw("unanswered"), draw("received")
			if rapid.Bool().Draw(rt, "reporter") {
				c.Pseudonym = []byte(channels[0] + "p")
			}
			cases = append(cases, c)
			m.cases[k] = c
		}
		half := rapid.IntRange(0, len(cases)).Draw(rt, "half")
		if err := tx.PutCases(ctx, cases[:half]); err != nil {
			return err
		}
		if err := tx.PutCases(ctx, cases[half:]); err != nil {
			return err
		}
		return m.compareReporters(rt, tx, channels)
	})
	if err != nil {
		rt.Fatalf("Updating: %v", err)
	}
}

// expect lets a store that wants to know what it will be asked read some of it ahead, which must change nothing.
func (m *model) expect(rt *rapid.T, tx store.Tx, channels []string, events []store.Event) error {
	expecter, is := tx.(store.Expecter)
	if !is || !rapid.Bool().Draw(rt, "expect") {
		return nil
	}
	expected := store.Expected{Reporters: reporterQueries(channels)}
	for i := range events {
		if rapid.Bool().Draw(rt, "expect the case") {
			expected.Cases = append(expected.Cases, events[i].Key())
		}
		if rapid.Bool().Draw(rt, "expect the event") {
			expected.Events = append(expected.Events, store.EventKey{Channel: events[i].Channel, ID: events[i].ID})
		}
	}
	return expecter.Expect(context.Background(), expected)
}

// reporterQueries ask for the reporter of a history in several windows, and for one of them twice.
func reporterQueries(channels []string) []store.ReporterQuery {
	var queries []store.ReporterQuery
	for _, window := range [][2]int{{0, 5}, {0, 5}, {5, 9}, {2, 3}} {
		queries = append(queries, store.ReporterQuery{
			Pseudonym: []byte(channels[0] + "p"), From: instant(window[0]), To: instant(window[1]), Limit: 100,
		})
	}
	return append(queries, store.ReporterQuery{Pseudonym: []byte(channels[0] + "p"), Unreceived: true, Limit: 100})
}

func (m *model) compareReporters(rt *rapid.T, r store.Reader, channels []string) error {
	queries := reporterQueries(channels)
	found, err := r.ByReporter(context.Background(), queries)
	if err != nil {
		return err
	}
	for i, q := range queries {
		m.wantSet(rt, fmt.Sprintf("by reporter, query %d", i), found[i], func(c *store.Case) bool {
			switch {
			case !bytes.Equal(c.Pseudonym, q.Pseudonym):
				return false
			case q.Unreceived:
				return c.ReceivedAt.IsZero()
			}
			return !c.ReceivedAt.IsZero() && !c.ReceivedAt.Before(q.From) && c.ReceivedAt.Before(q.To)
		})
	}
	return nil
}

func (m *model) compare(rt *rapid.T, s store.Store, channels []string) {
	ctx := context.Background()
	err := s.View(ctx, func(r store.Reader) error {
		for k, want := range m.cases {
			got, err := r.Cases(ctx, []complaint.CaseKey{k})
			if err != nil {
				return err
			}
			want.Events = 0
			for _, e := range m.events {
				if e.Key() == k {
					want.Events++
				}
			}
			if diff := gocmp.Diff(&want, got[0], cmpopts.EquateEmpty()); diff != "" {
				rt.Errorf("Case (-want +got):\n%s", diff)
			}
			var wantEvents []store.Event
			for _, e := range m.events {
				if e.Key() == k {
					wantEvents = append(wantEvents, e)
				}
			}
			events, err := r.Events(ctx, []complaint.CaseKey{k})
			if err != nil {
				return err
			}
			if diff := gocmp.Diff(wantEvents, events[0], cmpopts.EquateEmpty(), cmpopts.SortSlices(byID)); diff != "" {
				rt.Errorf("Events (-want +got):\n%s", diff)
			}
		}
		for _, channel := range channels {
			unfinal, err := r.Unfinal(ctx, []store.Observed{{Channel: channel, Through: instant(4)}}, 100)
			if err != nil {
				return err
			}
			m.wantSet(rt, "unfinal", unfinal, func(c *store.Case) bool {
				return c.Channel == channel && !c.UnfinalAt.IsZero() && !c.UnfinalAt.After(instant(4))
			})
			oldest, err := r.OldestUnanswered(ctx, []string{channel})
			if err != nil {
				return err
			}
			if want := m.oldest(channel); !want.Equal(oldest[0]) {
				rt.Errorf("The oldest unanswered of a channel is %v; want %v", oldest[0], want)
			}
		}
		return m.compareReporters(rt, r, channels)
	})
	if err != nil {
		rt.Fatalf("Viewing: %v", err)
	}
	if err := s.Update(ctx, func(tx store.Tx) error { return m.compareReporters(rt, tx, channels) }); err != nil {
		rt.Fatalf("Reading in an update: %v", err)
	}
}

func (m *model) oldest(channel string) (oldest time.Time) {
	for _, c := range m.cases {
		if c.Channel == channel && c.Unanswered() && (oldest.IsZero() || c.UnansweredSince.Before(oldest)) {
			oldest = c.UnansweredSince
		}
	}
	return oldest
}

func (m *model) wantSet(rt *rapid.T, what string, got []store.Case, take func(*store.Case) bool) {
	want := map[complaint.CaseKey]bool{}
	for k, c := range m.cases {
		if take(&c) {
			want[k] = true
		}
	}
	set := map[complaint.CaseKey]bool{}
	for i := range got {
		if set[got[i].CaseKey] {
			rt.Errorf("%s: a case is there twice", what)
		}
		set[got[i].CaseKey] = true
	}
	if diff := gocmp.Diff(want, set); diff != "" {
		rt.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func sortedKeys(set map[complaint.CaseKey]bool) []complaint.CaseKey {
	keys := make([]complaint.CaseKey, 0, len(set))
	for k := range set {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b complaint.CaseKey) int {
		return cmp.Or(cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.CaseID, b.CaseID))
	})
	return keys
}
