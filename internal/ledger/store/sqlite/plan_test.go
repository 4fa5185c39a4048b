package sqlite

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

// TestAPageReadsNoFurtherThanItGoes has a page end long before what it may look at.
func TestAPageReadsNoFurtherThanItGoes(t *testing.T) {
	s, err := Open(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	fill := func(tx store.Tx) error {
		var rows []store.Case
		for _, channel := range []string{"dsw", "wa"} {
			for i := range 100 {
				rows = append(rows, store.Case{CaseKey: key{Channel: channel, CaseID: fmt.Sprintf("C%03d", i)}})
			}
		}
		return tx.PutCases(t.Context(), rows)
	}
	if err := s.Update(t.Context(), fill); err != nil {
		t.Fatal(err)
	}
	c := <-s.write
	defer func() { s.write <- c }()
	read := 0
	if err := c.db.Trace(sqlite3.TRACE_ROW, func(sqlite3.TraceEvent, any, any) error { read++; return nil }); err != nil {
		t.Fatal(err)
	}
	cases, next, err := reader{c}.Page(t.Context(), store.PageQuery{Limit: 10, Scan: 1000})
	if err != nil || len(cases) != 10 || next == nil || *next != cases[9].CaseKey {
		t.Errorf("The page has %d cases and goes on after %v, error %v; want 10, and after the last", len(cases), next, err)
	}
	if read > 20 {
		t.Errorf("%d rows were read for a page of 10 cases", read)
	}
}

// TestEveryReadUsesItsIndex asks SQLite how it would run each statement that reads cases or events:
// none may go through a whole table, or sort what an index has in order.
func TestEveryReadUsesItsIndex(t *testing.T) {
	s, err := Open(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	at := time.Date(2026, 11, 2, 3, 0, 0, 0, time.UTC)
	err = s.Update(t.Context(), func(tx store.Tx) error {
		return tx.PutChannels(t.Context(), []store.Channel{{Name: "dsw"}})
	})
	if err != nil {
		t.Fatal(err)
	}
	open := true
	for name, test := range map[string]struct {
		read  func(r store.Reader) error
		index string
	}{
		"a case": {func(r store.Reader) error {
			_, err := r.Cases(t.Context(), []complaint.CaseKey{{Channel: "dsw", CaseID: "C1"}})
			return err
		}, "cases_key"},
		"what is due": {func(r store.Reader) error { _, err := r.Due(t.Context(), at, 10); return err }, "cases_next"},
		"what is unfinal": {func(r store.Reader) error {
			_, err := r.Unfinal(t.Context(), []store.Observed{{Channel: "dsw", Through: at}}, 10)
			return err
		}, "cases_unfinal"},
		"expired texts": {func(r store.Reader) error {
			_, err := r.Expired(t.Context(), store.ContentText, at, 10)
			return err
		}, "cases_text"},
		"expired handles": {func(r store.Reader) error {
			_, err := r.Expired(t.Context(), store.ContentHandles, at, 10)
			return err
		}, "cases_handles"},
		"a reporter's cases": {func(r store.Reader) error {
			_, err := r.ByReporter(t.Context(), []store.ReporterQuery{{Pseudonym: []byte("p"), From: at, To: at, Limit: 10}})
			return err
		}, "PRIMARY KEY"},
		"a reporter's cases that were never received": {func(r store.Reader) error {
			_, err := r.ByReporter(t.Context(), []store.ReporterQuery{{Pseudonym: []byte("p"), Unreceived: true, Limit: 10}})
			return err
		}, "PRIMARY KEY"},
		"the oldest unanswered": {func(r store.Reader) error {
			_, err := r.OldestUnanswered(t.Context(), []string{"dsw"})
			return err
		}, "cases_unanswered"},
		"replies of a channel": {func(r store.Reader) error {
			_, err := r.OpenReplies(t.Context(), "dsw", at, 10)
			return err
		}, "replies_next_of"},
		"replies in their order": {func(r store.Reader) error {
			_, err := r.RepliesAfter(t.Context(), "dsw", "", 10)
			return err
		}, "PRIMARY KEY"},
		"replies that end": {func(r store.Reader) error {
			_, err := r.EndingReplies(t.Context(), at, 10)
			return err
		}, "replies_ends"},
		"replies of cases": {func(r store.Reader) error {
			_, err := r.OpenRepliesOf(t.Context(), []complaint.CaseKey{{Channel: "dsw", CaseID: "C1"}})
			return err
		}, "replies_case"},
		"replies of answers": {func(r store.Reader) error {
			_, err := r.RepliesOfEvents(t.Context(), "dsw", []string{"E1"})
			return err
		}, "replies_event"},
		"a page": {func(r store.Reader) error {
			_, _, err := r.Page(t.Context(), store.PageQuery{Channel: "dsw", Limit: 10, Scan: 10})
			return err
		}, "cases_key"},
		"a page of live cases": {func(r store.Reader) error {
			_, _, err := r.Page(t.Context(), store.PageQuery{Channel: "dsw", Limit: 10, Scan: 10, Live: true})
			return err
		}, "cases_live"},
		"a page of overdue cases": {func(r store.Reader) error {
			_, _, err := r.Page(t.Context(), store.PageQuery{Channel: "dsw", Limit: 10, Scan: 10, Live: true, Overdue: &open})
			return err
		}, "cases_overdue"},
		"a page of open cases": {func(r store.Reader) error {
			_, _, err := r.Page(t.Context(), store.PageQuery{Channel: "dsw", Limit: 10, Scan: 10, Open: &open})
			return err
		}, "cases_live"},
	} {
		t.Run(name, func(t *testing.T) {
			c := <-s.write
			defer func() { s.write <- c }()
			var plans []string
			var explain []string
			err := c.db.Trace(sqlite3.TRACE_STMT, func(_ sqlite3.TraceEvent, _, sql any) error {
				if text, ok := sql.(string); ok && (strings.Contains(text, "FROM cases") || strings.Contains(text, "JOIN cases") || strings.Contains(text, "FROM reporters") || strings.Contains(text, "FROM replies")) {
					explain = append(explain, text)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			err = errors.Join(test.read(&tx{reader: reader{c}, store: s, known: map[key]*known{}}), c.db.Trace(0, nil))
			if err != nil {
				t.Fatal(err)
			}
			for _, sql := range explain {
				err := c.query("EXPLAIN QUERY PLAN "+sql, nil, func(r *row) error {
					r.column = 3
					// What is asked for is gone through, of course.
					if detail := r.text(); detail != "SCAN k" && !strings.HasSuffix(detail, "CONSTANT ROW") && !strings.HasSuffix(detail, "CONSTANT ROWS") {
						plans = append(plans, detail)
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			plan := strings.Join(plans, "; ")
			if !strings.Contains(plan, "USING INDEX "+test.index+" ") && !strings.Contains(plan, "USING COVERING INDEX "+test.index+" ") &&
				!strings.Contains(plan, "USING "+test.index+" ") ||
				strings.Contains(plan, "SCAN") || strings.Contains(plan, "TEMP B-TREE") {
				t.Errorf("The plan is %q; want the index %s and neither a scan nor a sort", plan, test.index)
			}
		})
	}
}
