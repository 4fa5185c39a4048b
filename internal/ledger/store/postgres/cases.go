package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

// caseColumns are read by scanCase.
const caseColumns = `c.ref, c.channel, c.case_id, c.status, c.category, c.department, c.priority, c.open, c.overdue, c.live,
	c.received_at, c.answered_at, c.waiting_since, c.unanswered_since, c.closed_at, c.due_at, c.next_at, c.unfinal_at,
	c.pseudonym, c.holds, c.state, c.events`

// scanned is a case as it stands in its row; its channel has its name once nameChannels was called.
type scanned struct {
	store.Case
	ref     int64
	channel int32
	// of is the place of the query, in statements that have several.
	of int
}

func scanCase(r *row) scanned {
	var s scanned
	s.ref, s.channel, s.CaseID = r.int8(), r.int4(), r.text()
	s.Status = r.text()
	s.Category, s.Department, s.Priority = r.text(), r.text(), r.text()
	s.Open, s.Overdue, s.Live = r.bool(), r.bool(), r.bool()
	s.ReceivedAt, s.AnsweredAt = r.time(), r.time()
	s.WaitingSince, s.UnansweredSince = r.time(), r.time()
	s.ClosedAt, s.DueAt, s.NextAt, s.UnfinalAt = r.time(), r.time(), r.time(), r.time()
	s.Pseudonym = r.bytea()
	s.Holds = store.Content(r.int2())
	s.State = r.bytea()
	s.Events = int(r.int4())
	return s
}

// ask queues a statement that reads cases; numbered says that a first column has the place of the query, from
// 1. The channels of the cases have no names yet.
func (x *exchange) ask(sql string, numbered bool, bind func(*args), cases *[]scanned) error {
	return x.queue(sql, bind, func(row *row) error {
		of := 0
		if numbered {
			of = int(row.int4()) - 1
		}
		c := scanCase(row)
		c.of = of
		*cases = append(*cases, c)
		return nil
	})
}

// read reads cases as ask does.
func (r *reader) read(sql string, numbered bool, bind func(*args)) (cases []scanned, err error) {
	err = r.ask(sql, numbered, bind, &cases)
	if err == nil {
		err = r.flush()
	}
	if err == nil {
		err = r.nameChannels(cases)
	}
	return cases, err
}

// list reads the cases that a condition takes.
func (r *reader) list(condition string, bind func(*args)) ([]scanned, error) {
	return r.read("SELECT "+caseColumns+" FROM cases c WHERE "+condition, false, bind)
}

var casesByKey = "SELECT u.n, " + caseColumns + " FROM (SELECT " + numbered("channel, case_id", "integer, text") + `) u
	CROSS JOIN LATERAL (SELECT * FROM cases c WHERE c.channel = u.channel AND c.case_id = u.case_id LIMIT 1) c`

// askCases queues the reading of the cases of keys, whose channels were looked for; of is the place of the key.
func (x *exchange) askCases(keys []complaint.CaseKey, cases *[]scanned) error {
	if len(keys) == 0 {
		return nil
	}
	return x.ask(casesByKey, true, func(a *args) {
		int4s(a, keys, func(k *key) int32 { return x.ids[k.Channel] })
		texts(a, keys, func(k *key) string { return k.CaseID })
	}, cases)
}

// Cases implements store.Reader.
func (r *reader) Cases(_ context.Context, keys []complaint.CaseKey) ([]*store.Case, error) {
	cases := make([]*store.Case, len(keys))
	if len(keys) == 0 {
		return cases, nil
	}
	var found []scanned
	err := r.findChannels(channelsOf(keys, nil))
	if err == nil {
		err = r.askCases(keys, &found)
	}
	if err == nil {
		err = r.flush()
	}
	if err != nil {
		return nil, fmt.Errorf("reading cases: %w", err)
	}
	for i := range found {
		found[i].CaseKey = keys[found[i].of]
		cases[found[i].of] = &found[i].Case
	}
	return cases, nil
}

// Cases implements store.Reader; what is read is remembered for PutCases.
func (t *tx) Cases(_ context.Context, keys []complaint.CaseKey) ([]*store.Case, error) {
	if err := t.lookup(keys); err != nil {
		return nil, fmt.Errorf("reading cases: %w", err)
	}
	cases := make([]*store.Case, len(keys))
	for i, k := range keys {
		if stored := t.known[k].stored; stored != nil {
			c := *stored
			cases[i] = &c
		}
	}
	return cases, nil
}

// lookup makes the cases of the keys known.
func (t *tx) lookup(keys []complaint.CaseKey) error { return t.expect(store.Expected{Cases: keys}) }

// remember keeps cases that were read, unless they are known.
func (t *tx) remember(cases []scanned) {
	for i := range cases {
		c := &cases[i]
		if t.known[c.CaseKey] == nil {
			stored := c.Case
			t.known[c.CaseKey] = &known{ref: c.ref, events: c.Events, stored: &stored}
		}
	}
}

// casesOf are the cases alone; nil for none.
func casesOf(rows []scanned) []store.Case {
	if len(rows) == 0 {
		return nil
	}
	cases := make([]store.Case, len(rows))
	for i := range rows {
		cases[i] = rows[i].Case
	}
	return cases
}

func (r *reader) due(until time.Time, limit int) ([]scanned, error) {
	rows, err := r.list("c.next_at IS NOT NULL AND c.next_at <= $1 ORDER BY c.next_at LIMIT $2",
		func(a *args) { a.int8(until.UnixMicro()); a.int8(int64(limit)) })
	if err != nil {
		return nil, fmt.Errorf("scanning for cases that are due: %w", err)
	}
	return rows, nil
}

// Due implements store.Reader.
func (r *reader) Due(_ context.Context, until time.Time, limit int) ([]store.Case, error) {
	rows, err := r.due(until, limit)
	return casesOf(rows), err
}

// Due implements store.Reader; what is read is remembered, as it is about to be judged.
func (t *tx) Due(_ context.Context, until time.Time, limit int) ([]store.Case, error) {
	rows, err := t.due(until, limit)
	t.remember(rows)
	return casesOf(rows), err
}

var unfinalCases = "SELECT " + caseColumns + " FROM (SELECT " + columns("channel, through", "integer, bigint") + `) u
	CROSS JOIN LATERAL (SELECT * FROM cases c WHERE c.channel = u.channel AND c.unfinal_at IS NOT NULL AND c.unfinal_at <= u.through
	ORDER BY c.unfinal_at LIMIT $3) c LIMIT $3`

func (r *reader) unfinal(channels []store.Observed, limit int) ([]scanned, error) {
	names := make([]string, len(channels))
	for i := range channels {
		names[i] = channels[i].Channel
	}
	err := r.findChannels(names)
	var rows []scanned
	if err == nil && len(channels) > 0 {
		rows, err = r.read(unfinalCases, false, func(a *args) {
			int4s(a, channels, func(o *store.Observed) int32 { return r.ids[o.Channel] })
			int8s(a, channels, func(o *store.Observed) int64 { return o.Through.UnixMicro() })
			a.int8(int64(limit))
		})
	}
	if err != nil {
		return nil, fmt.Errorf("scanning for cases without a final verdict: %w", err)
	}
	return rows, nil
}

// Unfinal implements store.Reader.
func (r *reader) Unfinal(_ context.Context, channels []store.Observed, limit int) ([]store.Case, error) {
	rows, err := r.unfinal(channels, limit)
	return casesOf(rows), err
}

// Unfinal implements store.Reader; what is read is remembered, as it is about to be judged.
func (t *tx) Unfinal(_ context.Context, channels []store.Observed, limit int) ([]store.Case, error) {
	rows, err := t.unfinal(channels, limit)
	t.remember(rows)
	return casesOf(rows), err
}

// Expired implements store.Reader.
func (r *reader) Expired(_ context.Context, holds store.Content, closedBefore time.Time, limit int) ([]store.Case, error) {
	// The conditions are those of the partial indexes.
	var condition []string
	for bit := store.ContentText; bit <= store.ContentHandles; bit <<= 1 {
		if holds.Has(bit) {
			condition = append(condition, fmt.Sprintf("(c.holds & %d) <> 0", bit))
		}
	}
	if len(condition) == 0 {
		return nil, errors.New("scanning for expired content: no content is named")
	}
	rows, err := r.list("c.closed_at IS NOT NULL AND "+strings.Join(condition, " AND ")+" AND c.closed_at <= $1 ORDER BY c.closed_at LIMIT $2",
		func(a *args) { a.int8(closedBefore.UnixMicro()); a.int8(int64(limit)) })
	if err != nil {
		return nil, fmt.Errorf("scanning for expired content: %w", err)
	}
	return casesOf(rows), nil
}

// byReporter and byReporterUnreceived answer many queries at once.
var (
	byReporter = "SELECT u.n, " + caseColumns + " FROM (SELECT " + numbered("pseudonym, since, until, most", "bytea, bigint, bigint, bigint") + `) u
		CROSS JOIN LATERAL (SELECT * FROM cases c WHERE c.pseudonym IS NOT NULL AND c.pseudonym = u.pseudonym
		AND c.received_at >= u.since AND c.received_at < u.until ORDER BY c.received_at DESC LIMIT u.most) c`
	byReporterUnreceived = "SELECT u.n, " + caseColumns + " FROM (SELECT " + numbered("pseudonym, most", "bytea, bigint") + `) u
		CROSS JOIN LATERAL (SELECT * FROM cases c WHERE c.pseudonym IS NOT NULL AND c.pseudonym = u.pseudonym
		AND c.received_at IS NULL LIMIT u.most) c`
)

// bindReporters binds queries of which all are Unreceived, or none.
func bindReporters(a *args, queries []store.ReporterQuery) {
	byteas(a, queries, func(q *store.ReporterQuery) []byte { return q.Pseudonym })
	if !queries[0].Unreceived {
		int8s(a, queries, func(q *store.ReporterQuery) int64 { return q.From.UnixMicro() })
		int8s(a, queries, func(q *store.ReporterQuery) int64 { return q.To.UnixMicro() })
	}
	int8s(a, queries, func(q *store.ReporterQuery) int64 { return int64(q.Limit) })
}

// ByReporter implements store.Reader.
func (r *reader) ByReporter(_ context.Context, queries []store.ReporterQuery) ([][]store.Case, error) {
	found := make([][]store.Case, len(queries))
	for _, unreceived := range []bool{false, true} {
		var some []store.ReporterQuery
		var places []int
		for i := range queries {
			if queries[i].Unreceived == unreceived {
				some, places = append(some, queries[i]), append(places, i)
			}
		}
		if len(some) == 0 {
			continue
		}
		sql := byReporter
		if unreceived {
			sql = byReporterUnreceived
		}
		rows, err := r.read(sql, true, func(a *args) { bindReporters(a, some) })
		if err != nil {
			return nil, fmt.Errorf("looking for a reporter's cases: %w", err)
		}
		for i := range rows {
			place := places[rows[i].of]
			found[place] = append(found[place], rows[i].Case)
		}
	}
	return found, nil
}

var oldestUnanswered = "SELECT u.n, c.unanswered_since FROM (SELECT " + numbered("channel", "integer") + `) u
	CROSS JOIN LATERAL (SELECT unanswered_since FROM cases WHERE channel = u.channel AND unanswered_since IS NOT NULL
	ORDER BY unanswered_since LIMIT 1) c`

// OldestUnanswered implements store.Reader.
func (r *reader) OldestUnanswered(_ context.Context, channels []string) ([]time.Time, error) {
	oldest := make([]time.Time, len(channels))
	err := r.findChannels(channels)
	if err == nil && len(channels) > 0 {
		err = r.query(oldestUnanswered,
			func(a *args) { int4s(a, channels, func(name *string) int32 { return r.ids[*name] }) },
			func(row *row) error {
				place := row.int4() - 1
				oldest[place] = row.time()
				return nil
			})
	}
	if err != nil {
		return nil, fmt.Errorf("looking for the oldest unanswered case: %w", err)
	}
	return oldest, nil
}
