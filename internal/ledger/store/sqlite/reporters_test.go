package sqlite

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/internal/ledger/storetest"
)

// TestConformanceWhileSweeping has a sweep of the reporters go on all the time, case by case.
func TestConformanceWhileSweeping(t *testing.T) {
	storetest.Run(t, func(t *testing.T) func() store.Store {
		t.Helper()
		dir := t.TempDir()
		return func() store.Store {
			s, err := Open(dir, Options{sweepAt: 2, sweepStep: 1})
			if err != nil {
				t.Fatalf("Opening: %v", err)
			}
			return s
		}
	})
}

// TestReportersAreFoundWhereverTheSweepIs changes the reporters and the instants of cases at random, undoes
// some of it, opens the ledger again between, and compares with a map after every step.
func TestReportersAreFoundWhereverTheSweepIs(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := &reporterHistory{rt: rt, options: Options{sweepAt: rapid.IntRange(1, 12).Draw(rt, "sweepAt"), sweepStep: rapid.IntRange(1, 4).Draw(rt, "sweepStep")}}
		dir := t.TempDir()
		h.cases = map[string]store.Case{}
		h.open(dir)
		defer func() { h.check(h.s.Close()) }()
		for range rapid.IntRange(1, 15).Draw(rt, "steps") {
			h.step()
			if rapid.IntRange(0, 5).Draw(rt, "reopen") == 0 {
				h.check(h.s.Close())
				h.open(dir)
			}
			h.compare()
		}
	})
}

type reporterHistory struct {
	rt      *rapid.T
	options Options
	s       *Store
	cases   map[string]store.Case
}

func (h *reporterHistory) check(err error) {
	h.rt.Helper()
	if err != nil {
		h.rt.Fatal(err)
	}
}

func (h *reporterHistory) open(dir string) {
	s, err := Open(dir, h.options)
	h.check(err)
	h.s = s
}

var (
	reporterNames = []string{"", "\x00", "a", "a\x00", "0123456789abcdef", "01234567", "\xff\xff\xff\xff\xff\xff\xff\xffz"}
	errUndo       = errors.New("undo it")
)

func minute(n int) time.Time { return time.Date(2026, 11, 2, 3, n, 0, 0, time.UTC) }

// step puts some cases, perhaps in vain.
func (h *reporterHistory) step() {
	rt := h.rt
	var cases []store.Case
	for range rapid.IntRange(0, 6).Draw(rt, "cases") {
		c := store.Case{CaseKey: complaint.CaseKey{Channel: "dsw", CaseID: fmt.Sprintf("C%02d", rapid.IntRange(0, 30).Draw(rt, "case"))}}
		if p := rapid.SampledFrom(reporterNames).Draw(rt, "reporter"); p != "" {
			c.Pseudonym = []byte(p)
		}
		if n := rapid.IntRange(-1, 3).Draw(rt, "received"); n >= 0 {
			c.ReceivedAt = minute(n)
		}
		cases = append(cases, c)
	}
	var failure error
	if rapid.IntRange(0, 3).Draw(rt, "undo") == 0 {
		failure = errUndo
	}
	err := h.s.Update(rt.Context(), func(t store.Tx) error {
		if err := t.PutCases(rt.Context(), cases); err != nil {
			return err
		}
		if failure != nil {
			// What is undone includes a step of the sweep.
			return errors.Join(failure, t.(*tx).end())
		}
		return nil
	})
	if !errors.Is(err, failure) {
		rt.Fatalf("The update gave %v; want %v", err, failure)
	}
	if failure == nil {
		for _, c := range cases {
			h.cases[c.CaseID] = c
		}
	}
}

// compare asks for every reporter, in an update and outside of one.
func (h *reporterHistory) compare() {
	var queries []store.ReporterQuery
	var want [][]string
	for _, p := range reporterNames[1:] {
		queries = append(queries,
			store.ReporterQuery{Pseudonym: []byte(p), From: minute(1), To: minute(3), Limit: 100},
			store.ReporterQuery{Pseudonym: []byte(p), Unreceived: true, Limit: 100})
		want = append(want,
			h.ids(func(c store.Case) bool {
				return string(c.Pseudonym) == p && !c.ReceivedAt.Before(minute(1)) && c.ReceivedAt.Before(minute(3))
			}),
			h.ids(func(c store.Case) bool { return string(c.Pseudonym) == p && c.ReceivedAt.IsZero() }))
	}
	find := func(r store.Reader) error {
		found, err := r.ByReporter(h.rt.Context(), queries)
		if err != nil {
			return err
		}
		for i, cases := range found {
			if !slices.IsSortedFunc(cases, func(a, b store.Case) int { return b.ReceivedAt.Compare(a.ReceivedAt) }) {
				h.rt.Errorf("The cases %v are not in the order of their instants", cases)
			}
			var ids []string
			for _, c := range cases {
				ids = append(ids, c.CaseID)
			}
			slices.Sort(ids)
			if diff := cmp.Diff(want[i], ids); diff != "" {
				h.rt.Errorf("The cases of %+v (-want +got):\n%s", queries[i], diff)
			}
		}
		return nil
	}
	h.check(h.s.View(h.rt.Context(), find))
	h.check(h.s.Update(h.rt.Context(), func(tx store.Tx) error { return find(tx) }))
	h.once()
}

func (h *reporterHistory) ids(take func(store.Case) bool) (ids []string) {
	for id, c := range h.cases {
		if take(c) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// once checks that each case with a reporter is in the table or in memory, once, and that no reporter is in
// either who is none any more: nothing may lead to the cases of one who was erased.
func (h *reporterHistory) once() {
	c := <-h.s.write
	defer func() { h.s.write <- c }()
	var want, got []entry
	collect := func(into *[]entry) func(*row) error {
		return func(r *row) error {
			*into = append(*into, entry{reporterOf(r.blob()), r.int(), r.int()})
			return nil
		}
	}
	h.check(c.query("SELECT pseudonym, coalesce(received_at, ?), ref FROM cases WHERE pseudonym IS NOT NULL", func(b *binder) { b.int(neverReceived) }, collect(&want)))
	h.check(c.query("SELECT reporter, received, ref FROM reporters", nil, collect(&got)))
	got = append(got, h.s.pending.entries.Items()...)
	slices.SortFunc(want, entry.compare)
	slices.SortFunc(got, entry.compare)
	if !slices.Equal(want, got) {
		h.rt.Errorf("Table and memory have %v; want %v", got, want)
	}
	if n := h.s.pending.entries.Len(); n > 2*h.options.sweepAt+12 {
		h.rt.Errorf("There are %d cases in memory, though %d begin a sweep", n, h.options.sweepAt)
	}
}
