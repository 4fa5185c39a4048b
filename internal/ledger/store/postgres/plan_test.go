package postgres

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/test/postgres"
)

// TestEveryStatementUsesItsIndex has PostgreSQL log the plan of each statement that finds rows of a table
// that grows: none may go through a whole table, or sort what an index has in order. The plans are those of
// a connection that has prepared its statements when everything was empty; the statistics are as old.
func TestEveryStatementUsesItsIndex(t *testing.T) {
	explaining, err := postgres.Start(t.Context(), postgres.Options{Settings: map[string]string{
		"session_preload_libraries": "auto_explain", "auto_explain.log_min_duration": "0", "autovacuum": "off",
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer explaining.Close()
	name := database(t, explaining)
	s := open(t, Options{URL: explaining.URLAs(name, name)})
	for _, state := range []struct {
		name string
		fill func()
	}{
		{"empty", func() { fill(t, explaining, name, 1, "ANALYZE") }},
		{"grown, with statistics of when it was empty", func() { fill(t, explaining, name, 20_000) }},
		{"grown, with new statistics", func() { fill(t, explaining, name, 1, "ANALYZE") }},
	} {
		state.fill()
		for what, statement := range planned(t.Context()) {
			before := len(serverLog(t, explaining))
			// On one connection throughout, with the plans that it has made before.
			if err := s.Update(t.Context(), statement.run); err != nil {
				t.Fatalf("%s, %s: %v", state.name, what, err)
			}
			plan := planOf(serverLog(t, explaining)[before:], statement.mark)
			// The rows are found by a condition: not by going through the index.
			good := regexp.MustCompile(`(?:using ` + statement.index + `.*\n\s*Index Cond|Arbiter Indexes: ` + statement.index + `)`).MatchString(plan)
			for _, bad := range []string{"Seq Scan", "Sort", "Hash Join", "Merge Join", "Bitmap", "Materialize"} {
				good = good && !strings.Contains(plan, bad)
			}
			if !good {
				t.Errorf("%s, %s: the plan is\n%s\nwant the index %s and neither a scan nor a sort", state.name, what, plan, statement.index)
			}
		}
	}
}

// statement is one that is run, told by a mark in its text, and the index by which it finds rows.
type planStatement struct {
	run         func(store.Tx) error
	mark, index string
}

func planned(ctx context.Context) map[string]planStatement {
	at := time.Date(2026, 11, 2, 3, 0, 0, 0, time.UTC)
	yes := true
	keys := []complaint.CaseKey{{Channel: "dsw", CaseID: "C1"}, {Channel: "dsw", CaseID: "none"}}
	event := store.Event{Event: complaint.Event{Channel: "dsw", CaseID: "C1", ID: "E1", Kind: complaint.KindReceived, Actor: complaint.ActorCitizen, OccurredAt: at}, ReceivedAt: at}
	reads := map[string]struct {
		read        func(r store.Reader) error
		mark, index string
	}{
		"cases":       {func(r store.Reader) error { _, err := r.Cases(ctx, keys); return err }, "AND c.case_id = u.case_id", "cases_key"},
		"events":      {func(r store.Reader) error { _, err := r.Events(ctx, keys); return err }, "e.case_ref = u.ref", "events_case"},
		"what is due": {func(r store.Reader) error { _, err := r.Due(ctx, at, 10); return err }, "c.next_at <= $1", "cases_next"},
		"what is unfinal": {func(r store.Reader) error {
			_, err := r.Unfinal(ctx, []store.Observed{{Channel: "dsw", Through: at}}, 10)
			return err
		}, "unfinal_at <= u.through", "cases_unfinal"},
		"expired texts":   {func(r store.Reader) error { _, err := r.Expired(ctx, store.ContentText, at, 10); return err }, "(c.holds & 1)", "cases_text"},
		"expired handles": {func(r store.Reader) error { _, err := r.Expired(ctx, store.ContentHandles, at, 10); return err }, "(c.holds & 2)", "cases_handles"},
		"a reporter's cases": {func(r store.Reader) error {
			_, err := r.ByReporter(ctx, []store.ReporterQuery{{Pseudonym: []byte("p"), From: at, To: at, Limit: 10}})
			return err
		}, "c.received_at >= u.since", "cases_reporter"},
		"a reporter's cases that were never received": {func(r store.Reader) error {
			_, err := r.ByReporter(ctx, []store.ReporterQuery{{Pseudonym: []byte("p"), Unreceived: true, Limit: 10}})
			return err
		}, "c.received_at IS NULL", "cases_reporter"},
		"the oldest unanswered":     {func(r store.Reader) error { _, err := r.OldestUnanswered(ctx, []string{"dsw"}); return err }, "ORDER BY unanswered_since", "cases_unanswered"},
		"the cases of events":       {func(r store.Reader) error { _, err := r.CasesOfEvents(ctx, "dsw", []string{"E1"}); return err }, "e.channel = $2 AND e.id = u.id", "events_pkey"},
		"replies":                   {func(r store.Reader) error { _, err := r.Replies(ctx, "dsw", []string{"R1"}); return err }, "FROM replies p WHERE p.channel = $2", "replies_pkey"},
		"replies of answers":        {func(r store.Reader) error { _, err := r.RepliesOfEvents(ctx, "dsw", []string{"E1"}); return err }, "p.event = u.event", "replies_event"},
		"replies that end":          {func(r store.Reader) error { _, err := r.EndingReplies(ctx, at, 10); return err }, "p.ends_at <= $1", "replies_ends"},
		"open replies of cases":     {func(r store.Reader) error { _, err := r.OpenRepliesOf(ctx, keys); return err }, "p.case_id = u.case_id", "replies_case"},
		"open replies of a channel": {func(r store.Reader) error { _, err := r.OpenReplies(ctx, "dsw", at, 10); return err }, "(p.channel, p.next_at)", "replies_next_of"},
		"figures since a revision":  {func(r store.Reader) error { return r.Figures(ctx, 5, func(store.Figures) error { return nil }) }, "FROM figures WHERE", "figures_revision"},
		"a page": {func(r store.Reader) error {
			_, _, err := r.Page(ctx, store.PageQuery{Channel: "dsw", Limit: 10, Scan: 10})
			return err
		}, "c.case_id > $2 ORDER", "cases_key"},
		"a page of open cases": {func(r store.Reader) error {
			_, _, err := r.Page(ctx, store.PageQuery{Channel: "dsw", Limit: 10, Scan: 10, Open: &yes})
			return err
		}, "c.case_id > $2 AND c.live", "cases_live"},
		"a page of overdue cases": {func(r store.Reader) error {
			_, _, err := r.Page(ctx, store.PageQuery{Channel: "dsw", Limit: 10, Scan: 10, Live: true, Overdue: &yes})
			return err
		}, "c.case_id > $2 AND c.overdue", "cases_overdue"},
		"replies in their order": {func(r store.Reader) error { _, err := r.RepliesAfter(ctx, "dsw", "", 10); return err }, "p.channel = $1 AND p.id > $2", "replies_pkey"},
	}
	all := map[string]planStatement{
		"changing a case": {func(t store.Tx) error {
			found, err := t.Cases(ctx, keys[:1])
			if err != nil {
				return err
			}
			return t.PutCases(ctx, []store.Case{*found[0]})
		}, "UPDATE cases", "cases_pkey"},
		"inserting events":  {func(t store.Tx) error { _, err := t.InsertEvents(ctx, []store.Event{event}); return err }, "(SELECT FROM events e", "events_pkey"},
		"replacing events":  {func(t store.Tx) error { return t.ReplaceEvents(ctx, []store.Event{event}) }, "DO UPDATE SET kind", "events_pkey"},
		"adding figures":    {func(t store.Tx) error { return t.AddFigures(ctx, []store.Figures{{Key: "k1"}}) }, "INSERT INTO figures", "figures_pkey"},
		"changing channels": {func(t store.Tx) error { return t.PutChannels(ctx, []store.Channel{{Name: "dsw"}}) }, "UPDATE channels", "channels_pkey"},
		"dropping replies":  {func(t store.Tx) error { _, err := t.DropReplies(ctx, at, 10); return err }, "p.done_at < $1", "replies_done"},
	}
	for name, r := range reads {
		all[name] = planStatement{func(t store.Tx) error { return r.read(t) }, r.mark, r.index}
	}
	return all
}

// fill adds n rows to each table that grows, by the server itself.
func fill(t *testing.T, server *postgres.Server, name string, n int, more ...string) {
	t.Helper()
	statements := append([]string{
		"INSERT INTO channels (id, name, revision) VALUES (1, 'dsw', 1) ON CONFLICT DO NOTHING",
		"UPDATE ledger SET last_ref = 1000000, last_channel = 1, revision = revision + 1",
		fmt.Sprintf(`INSERT INTO cases SELECT n, n, n, n, n, n, n, n, n, 1, 1, 3, true, false, true, 'C' || n, 'Open', 'a', 'b', 'c', sha256(n::text::bytea), ''
			FROM generate_series(1, %d) n ON CONFLICT DO NOTHING`, n),
		fmt.Sprintf(`INSERT INTO events (case_ref, at, received_at, channel, marks, id, kind, actor)
			SELECT n, n, n, 1, 0, 'E' || n, 'Received', 'citizen' FROM generate_series(1, %d) n ON CONFLICT DO NOTHING`, n),
		fmt.Sprintf(`INSERT INTO figures SELECT n, 0, 0, 0, 0, 0, 'k' || n FROM generate_series(1, %d) n ON CONFLICT DO NOTHING`, n),
		fmt.Sprintf(`INSERT INTO replies SELECT n, n, 1, 'R' || n, '', n, 'C' || n, 'E' || n FROM generate_series(1, %d) n ON CONFLICT DO NOTHING`, n),
	}, more...)
	if err := server.Execute(t.Context(), name, statements...); err != nil {
		t.Fatal(err)
	}
}

func serverLog(t *testing.T, server *postgres.Server) string {
	t.Helper()
	log, err := server.Log()
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// planOf is the last plan in the log of a statement with the mark in its text.
func planOf(log, mark string) (plan string) {
	for _, entry := range strings.Split(log, "LOG:  duration")[1:] {
		if strings.Contains(entry, mark) {
			_, plan, _ = strings.Cut(entry, "Query Text:")
		}
	}
	return plan
}
