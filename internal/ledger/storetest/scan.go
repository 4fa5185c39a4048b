package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

func scansAreOrdered(h harness) {
	t, open := h.t, h.open
	s := opened(t, open)
	const text, handles = store.ContentText, store.ContentHandles
	var cases []store.Case
	add := func(channel, id string, next, unfinal, closed int, holds store.Content) {
		c := openCase(channel, id)
		for _, at := range []struct {
			minute int
			field  *time.Time
		}{{next, &c.NextAt}, {unfinal, &c.UnfinalAt}, {closed, &c.ClosedAt}} {
			if at.minute >= 0 {
				*at.field = instant(at.minute)
			}
		}
		c.Holds = holds
		cases = append(cases, c)
	}
	add("dsw", "C3", 30, -1, -1, text)
	add("dsw", "C1", 10, 12, -1, text)
	add("sigap", "C2", 20, 11, 5, text|handles)
	add("dsw", "C4", -1, 10, 4, text)
	add("dsw", "C5", -1, 13, 3, handles)
	add("dsw", "C6", -1, -1, 2, 0)
	put(t, s, cases...)
	check := func() {
		t.Helper()
		view(t, s, func(r store.Reader) error {
			for _, scan := range []struct {
				name string
				want []string
				scan func() ([]store.Case, error)
			}{
				{"due up to the instant itself", []string{"dsw/C1", "sigap/C2"}, func() ([]store.Case, error) { return r.Due(t.Context(), instant(20), 10) }},
				{"due up to the limit", []string{"dsw/C1"}, func() ([]store.Case, error) { return r.Due(t.Context(), instant(99), 1) }},
				{"due before all", nil, func() ([]store.Case, error) { return r.Due(t.Context(), instant(9), 10) }},
				{"unfinal of one channel", []string{"dsw/C1", "dsw/C4"}, unfinal(r, 10, observed("dsw", 12))},
				{"unfinal of several, each through its own", []string{"dsw/C4", "sigap/C2"}, unfinal(r, 10, observed("none", 99), observed("dsw", 11), observed("sigap", 11))},
				{"unfinal of several but one", []string{"dsw/C4"}, unfinal(r, 10, observed("dsw", 11), observed("sigap", 10))},
				{"unfinal of no channel", nil, unfinal(r, 1, observed("none", 99))},
				{"unfinal of none at all", nil, unfinal(r, 1)},
				{"texts", []string{"dsw/C4", "sigap/C2"}, func() ([]store.Case, error) { return r.Expired(t.Context(), text, instant(5), 10) }},
				{"handles", []string{"dsw/C5"}, func() ([]store.Case, error) { return r.Expired(t.Context(), handles, instant(4), 10) }},
				{"both", []string{"sigap/C2"}, func() ([]store.Case, error) { return r.Expired(t.Context(), text|handles, instant(5), 10) }},
			} {
				got, err := scan.scan()
				if err != nil {
					return fmt.Errorf("%s: %w", scan.name, err)
				}
				wantKeys(t, scan.name, scan.want, got)
			}
			return wantUnfinal(t, r)
		})
	}
	check()
	// The scans follow what is changed, and come back with it.
	moved := slices.Clone(cases)
	for i := range moved {
		moved[i].NextAt, moved[i].UnfinalAt, moved[i].ClosedAt, moved[i].Holds = time.Time{}, time.Time{}, time.Time{}, 0
	}
	update(t, s, func(tx store.Tx) error { return tx.PutCases(t.Context(), moved) })
	view(t, s, func(r store.Reader) error {
		due, err := r.Due(t.Context(), instant(99), 10)
		wantKeys(t, "due after all were cleared", nil, due)
		return err
	})
	update(t, s, func(tx store.Tx) error { return tx.PutCases(t.Context(), cases) })
	check()
	update(t, s, func(tx store.Tx) error {
		first := cases[1]
		first.NextAt = instant(25)
		if err := tx.PutCases(t.Context(), []store.Case{first}); err != nil {
			return err
		}
		due, err := tx.Due(t.Context(), instant(99), 10)
		wantKeys(t, "due within the transaction", []string{"sigap/C2", "dsw/C1", "dsw/C3"}, due)
		return err
	})
}

// wantUnfinal asks for fewer unfinal cases than there are.
func wantUnfinal(t *testing.T, r store.Reader) error {
	t.Helper()
	for limit, channels := range map[int][]store.Observed{1: {observed("dsw", 99)}, 2: {observed("dsw", 99)}, 3: {observed("sigap", 99), observed("dsw", 99)}} {
		got, err := r.Unfinal(t.Context(), channels, limit)
		if err != nil {
			return err
		}
		if len(got) != limit {
			t.Errorf("Of 3 or more unfinal cases %d were asked for and %d came", limit, len(got))
		}
	}
	return nil
}

func observed(channel string, minute int) store.Observed {
	return store.Observed{Channel: channel, Through: instant(minute)}
}

// unfinal is a scan whose result is in the order of the keys.
func unfinal(r store.Reader, limit int, channels ...store.Observed) func() ([]store.Case, error) {
	return func() ([]store.Case, error) {
		cases, err := r.Unfinal(context.Background(), channels, limit)
		slices.SortFunc(cases, func(a, b store.Case) int {
			return strings.Compare(a.Channel+"/"+a.CaseID, b.Channel+"/"+b.CaseID)
		})
		return cases, err
	}
}

func reportersAreFound(h harness) {
	t, open := h.t, h.open
	s := opened(t, open)
	var cases []store.Case
	for i, p := range []string{"a", "a", "a", "b", "", "b", "a"} {
		c := openCase("dsw", fmt.Sprintf("C%d", i))
		if c.ReceivedAt = instant(i); i >= 5 {
			c.ReceivedAt = time.Time{}
		}
		if p != "" {
			c.Pseudonym = []byte(p)
		}
		cases = append(cases, c)
	}
	put(t, s, cases...)
	find := func(r store.Reader) error {
		got, err := r.ByReporter(t.Context(), []store.ReporterQuery{
			{Pseudonym: []byte("a"), From: instant(0), To: instant(2), Limit: 10},
			{Pseudonym: []byte("a"), From: instant(1), To: instant(9), Limit: 1},
			{Pseudonym: []byte("c"), From: instant(0), To: instant(9), Limit: 10},
			{Pseudonym: []byte("b"), From: instant(0), To: instant(9), Limit: 10},
			{Pseudonym: []byte("b"), Unreceived: true, Limit: 10},
			{Pseudonym: []byte("c"), Unreceived: true, Limit: 10},
		})
		if err != nil {
			return err
		}
		wantKeys(t, "latest first, the end excluded", []string{"dsw/C1", "dsw/C0"}, got[0])
		wantKeys(t, "up to the limit", []string{"dsw/C2"}, got[1])
		wantKeys(t, "an unknown reporter", nil, got[2])
		wantKeys(t, "another reporter", []string{"dsw/C3"}, got[3])
		wantKeys(t, "cases that were never received", []string{"dsw/C5"}, got[4])
		wantKeys(t, "none that were never received", nil, got[5])
		return nil
	}
	view(t, s, find)
	update(t, s, func(tx store.Tx) error { return find(tx) })
}

func casesOfEvents(h harness) {
	t, open := h.t, h.open
	s := opened(t, open)
	want := func(r store.Reader, channel string, want []string, ids ...string) error {
		got, err := r.CasesOfEvents(t.Context(), channel, ids)
		if diff := cmp.Diff(want, got); err == nil && diff != "" {
			t.Errorf("cases of events of %s (-want +got):\n%s", channel, diff)
		}
		return err
	}
	view(t, s, func(r store.Reader) error { return want(r, "dsw", []string{""}, "E1") })
	update(t, s, func(tx store.Tx) error {
		events := []store.Event{event("dsw", "C1", "E1", 0), event("dsw", "C2", "E2", 1), event("sigap", "C3", "E1", 2)}
		if _, err := tx.InsertEvents(t.Context(), events); err != nil {
			return err
		}
		if err := want(tx, "dsw", []string{"C2", "C1"}, "E2", "E1"); err != nil {
			return err
		}
		return tx.PutCases(t.Context(), []store.Case{openCase("dsw", "C1"), openCase("dsw", "C2"), openCase("sigap", "C3")})
	})
	view(t, s, func(r store.Reader) error {
		if err := want(r, "dsw", []string{"C2", "", "C1", "C2"}, "E2", "E3", "E1", "E2"); err != nil {
			return err
		}
		return want(r, "sigap", []string{"C3", ""}, "E1", "E2")
	})
	update(t, s, func(tx store.Tx) error { return want(tx, "dsw", []string{"C1"}, "E1") })
}

func oldestFollows(h harness) {
	t, open := h.t, h.open
	s := opened(t, open)
	want := func(what string, oldest ...time.Time) {
		t.Helper()
		view(t, s, func(r store.Reader) error {
			got, err := r.OldestUnanswered(t.Context(), []string{"dsw", "sigap", "none"})
			if diff := cmp.Diff(oldest, got); err == nil && diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
			return err
		})
	}
	none := time.Time{}
	want("An empty ledger", none, none, none)
	a, b, c := openCase("dsw", "A"), openCase("dsw", "B"), openCase("sigap", "A")
	a.UnansweredSince, b.UnansweredSince, c.UnansweredSince = instant(1), instant(2), instant(3)
	put(t, s, a, b, c)
	want("Three cases", instant(1), instant(3), none)
	a.UnansweredSince = none
	update(t, s, func(tx store.Tx) error { return tx.PutCases(t.Context(), []store.Case{a}) })
	want("After an answer", instant(2), instant(3), none)
	b.UnansweredSince = none
	update(t, s, func(tx store.Tx) error { return tx.PutCases(t.Context(), []store.Case{b}) })
	want("After all answers", none, instant(3), none)
}

func figuresAdd(h harness) {
	t, open := h.t, h.open
	s := opened(t, open)
	add := func(figures ...store.Figures) {
		t.Helper()
		update(t, s, func(tx store.Tx) error { return tx.AddFigures(t.Context(), figures) })
	}
	type values = [store.FigureColumns]int64
	odd := "k\x1f/ümlaut'\"%"
	add(store.Figures{Key: "a", Values: values{1, 2, 3, 4, 5}}, store.Figures{Key: odd, Values: values{1 << 60}})
	add(store.Figures{Key: "a", Values: values{-1, 0, 10, 0, -7}}, store.Figures{Key: "b", Values: values{-3}})
	add()
	got := map[string]values{}
	view(t, s, func(r store.Reader) error {
		return r.Figures(t.Context(), 0, func(f store.Figures) error {
			got[f.Key] = f.Values
			return nil
		})
	})
	want := map[string]values{"a": {0, 2, 13, 4, -2}, odd: {1 << 60}, "b": {-3}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Figures (-want +got):\n%s", diff)
	}
}

func channelsAreReplaced(h harness) {
	t, open := h.t, h.open
	s := opened(t, open)
	sigap := store.Channel{
		Name: "sigap", Cursor: []byte(`{"page":2}`), Generation: 7, ObservedThrough: instant(1), LastEventAt: instant(2),
		OldestUnansweredAt: instant(3), Report: []byte("{}"), Revision: 99,
	}
	dsw := store.Channel{Name: "dsw", Generation: 1}
	update(t, s, func(tx store.Tx) error { return tx.PutChannels(t.Context(), []store.Channel{sigap, dsw}) })
	sigap.Revision, dsw.Revision = 1, 1
	update(t, s, func(tx store.Tx) error {
		got, err := tx.Channels(t.Context(), 0)
		if diff := cmp.Diff([]store.Channel{dsw, sigap}, got); diff != "" {
			t.Errorf("Channels (-want +got):\n%s", diff)
		}
		if err != nil {
			return err
		}
		if err := tx.PutChannels(t.Context(), []store.Channel{{Name: "sigap", Generation: 8}}); err != nil {
			return err
		}
		if err := tx.PutSetting(t.Context(), "s", []byte("one")); err != nil {
			return err
		}
		return tx.PutSetting(t.Context(), "s", []byte("two"))
	})
	view(t, s, func(r store.Reader) error {
		got, err := r.Channels(t.Context(), 0)
		if diff := cmp.Diff([]store.Channel{dsw, {Name: "sigap", Generation: 8, Revision: 2}}, got); diff != "" {
			t.Errorf("Channels (-want +got):\n%s", diff)
		}
		if err != nil {
			return err
		}
		value, err := r.Setting(t.Context(), "s")
		if string(value) != "two" {
			t.Errorf("The setting is %q; want the last", value)
		}
		return err
	})
}

func pagesGoThrough(h harness) {
	t, open := h.t, h.open
	s := opened(t, open)
	var cases []store.Case
	var all []string
	// The channels are made in another order than that of their names.
	for _, channel := range []string{"sigap", "112", "dsw"} {
		for i := range 7 {
			c := openCase(channel, fmt.Sprintf("C%d", i))
			c.Open = i%2 == 0
			c.Live = c.Open || i == 3
			c.Overdue = i == 4
			c.DueAt = instant(i)
			if i == 6 {
				c.DueAt = time.Time{}
			}
			if i == 2 || i == 5 {
				c.WaitingSince = time.Time{}
			}
			if !c.Open {
				c.UnansweredSince, c.Category = time.Time{}, "garbage"
			}
			cases = append(cases, c)
			all = append(all, channel+"/"+c.CaseID)
		}
	}
	slices.Sort(all)
	put(t, s, cases...)
	yes, no := true, false
	some := func(take func(c *store.Case) bool) (keys []string) {
		for i := range cases {
			if take(&cases[i]) {
				keys = append(keys, cases[i].Channel+"/"+cases[i].CaseID)
			}
		}
		slices.Sort(keys)
		return keys
	}
	for name, test := range map[string]struct {
		query store.PageQuery
		want  []string
	}{
		"everything on one page":  {store.PageQuery{Limit: 100, Scan: 100}, all},
		"everything two by two":   {store.PageQuery{Limit: 2, Scan: 100}, all},
		"looking at three a page": {store.PageQuery{Limit: 100, Scan: 3}, all},
		"looking at one a page":   {store.PageQuery{Limit: 1, Scan: 1}, all},
		"one channel":             {store.PageQuery{Limit: 3, Scan: 100, Channel: "dsw"}, some(func(c *store.Case) bool { return c.Channel == "dsw" })},
		"no such channel":         {store.PageQuery{Limit: 3, Scan: 100, Channel: "none"}, nil},
		"open":                    {store.PageQuery{Limit: 3, Scan: 4, Open: &yes}, some(func(c *store.Case) bool { return c.Open })},
		"live":                    {store.PageQuery{Limit: 3, Scan: 4, Live: true}, some(func(c *store.Case) bool { return c.Live })},
		"closed":                  {store.PageQuery{Limit: 3, Scan: 2, Open: &no}, some(func(c *store.Case) bool { return !c.Open })},
		"unanswered":              {store.PageQuery{Limit: 3, Scan: 2, Unanswered: &yes}, some((*store.Case).Unanswered)},
		"waiting":                 {store.PageQuery{Limit: 3, Scan: 2, Waiting: &yes}, some(func(c *store.Case) bool { return !c.WaitingSince.IsZero() })},
		"overdue and live":        {store.PageQuery{Limit: 2, Scan: 1, Live: true, Overdue: &yes}, some(func(c *store.Case) bool { return c.Overdue })},
		"overdue":                 {store.PageQuery{Limit: 3, Scan: 2, Overdue: &yes}, some(func(c *store.Case) bool { return c.Overdue })},
		"a category": {store.PageQuery{Limit: 3, Scan: 2, Dimensions: complaint.Dimensions{Category: "garbage"}},
			some(func(c *store.Case) bool { return c.Category == "garbage" })},
		"a department": {store.PageQuery{Limit: 3, Scan: 2, Dimensions: complaint.Dimensions{Department: "none"}}, nil},
		"due before":   {store.PageQuery{Limit: 3, Scan: 2, DueBefore: instant(3)}, some(func(c *store.Case) bool { return !c.DueAt.IsZero() && c.DueAt.Before(instant(3)) })},
	} {
		view(t, s, func(r store.Reader) error {
			var got []store.Case
			for q := test.query; ; {
				page, next, err := r.Page(t.Context(), q)
				if err != nil {
					return err
				}
				if len(page) > q.Limit {
					t.Errorf("%s: a page has %d cases; at most %d were asked for", name, len(page), q.Limit)
				}
				got = append(got, page...)
				if next == nil {
					break
				}
				if q.After = next; len(got) > len(all) {
					t.Fatalf("%s: the pages do not end", name)
				}
			}
			wantKeys(t, name, test.want, got)
			return nil
		})
	}
}
