package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tanggap/tanggap/internal/ledger/store"
)

// The columns of a case in the order of the table, so that the server need not put them into it.
const (
	instantColumns = "received_at, answered_at, waiting_since, unanswered_since, closed_at, due_at, next_at, unfinal_at"
	instantTypes   = "bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint"
	flagColumns    = "events, holds, open, overdue, live"
	flagTypes      = "integer, smallint, boolean, boolean, boolean"
	otherColumns   = "status, category, department, priority, pseudonym, state"
	otherTypes     = "text, text, text, text, bytea, bytea"
)

var (
	insertCases = "INSERT INTO cases (ref, " + instantColumns + ", channel, " + flagColumns + ", case_id, " + otherColumns + ") SELECT " +
		columns("", "bigint, "+instantTypes+", integer, "+flagTypes+", text, "+otherTypes)

	// PostgreSQL itself sees which columns have changed, and leaves the indexes alone when none of theirs has.
	updateCases = `UPDATE cases c SET events = u.events, status = u.status, category = u.category, department = u.department,
	priority = u.priority, open = u.open, overdue = u.overdue, live = u.live, received_at = u.received_at,
	answered_at = u.answered_at, waiting_since = u.waiting_since, unanswered_since = u.unanswered_since, closed_at = u.closed_at,
	due_at = u.due_at, next_at = u.next_at, unfinal_at = u.unfinal_at, pseudonym = u.pseudonym, holds = u.holds, state = u.state
	FROM (SELECT ` + columns("ref, "+instantColumns+", "+flagColumns+", "+otherColumns, "bigint, "+instantTypes+", "+flagTypes+", "+otherTypes) + `) u
	WHERE c.ref BETWEEN u.ref AND u.ref`
)

// putCase is a case on its way into its row.
type putCase struct {
	*store.Case
	*known
}

// PutCases implements store.Tx.
func (t *tx) PutCases(_ context.Context, cases []store.Case) error {
	if len(cases) == 0 {
		return nil
	}
	t.wrote = true
	cases = lastOf(cases, func(c *store.Case) key { return c.CaseKey })
	if err := t.putCases(cases); err != nil {
		return fmt.Errorf("writing cases: %w", err)
	}
	return nil
}

func (t *tx) putCases(cases []store.Case) error {
	keys := make([]key, len(cases))
	names := make([]string, 0, 1)
	for i := range cases {
		keys[i] = cases[i].CaseKey
		if i == 0 || cases[i].Channel != cases[i-1].Channel {
			names = append(names, cases[i].Channel)
		}
	}
	if err := t.lookup(keys); err != nil {
		return err
	}
	if err := t.channelsForInsert(names); err != nil {
		return err
	}
	var added, changed []putCase
	for i := range cases {
		c := putCase{&cases[i], t.known[keys[i]]}
		if c.stored == nil {
			added = append(added, c)
		} else {
			changed = append(changed, c)
		}
	}
	if len(added) > 0 {
		err := t.queue(insertCases, func(a *args) {
			bindInstants(a, added)
			int4s(a, added, func(c *putCase) int32 { return t.ids[c.Channel] })
			bindFlags(a, added)
			texts(a, added, func(c *putCase) string { return c.CaseID })
			bindOthers(a, added)
		}, nil)
		if err != nil {
			return err
		}
	}
	if len(changed) > 0 {
		err := t.queue(updateCases, func(a *args) {
			bindInstants(a, changed)
			bindFlags(a, changed)
			bindOthers(a, changed)
		}, nil)
		if err != nil {
			return err
		}
	}
	stored := slices.Clone(cases)
	for i := range stored {
		k := t.known[keys[i]]
		if k.stored != nil {
			t.reported(k.stored)
		}
		t.reported(&stored[i])
		stored[i].Events = k.events
		k.stored = &stored[i]
	}
	return nil
}

// bindInstants binds the number of the case and the instants.
func bindInstants(a *args, cases []putCase) {
	int8s(a, cases, func(c *putCase) int64 { return c.ref })
	times(a, cases, func(c *putCase) time.Time { return c.ReceivedAt })
	times(a, cases, func(c *putCase) time.Time { return c.AnsweredAt })
	times(a, cases, func(c *putCase) time.Time { return c.WaitingSince })
	times(a, cases, func(c *putCase) time.Time { return c.UnansweredSince })
	times(a, cases, func(c *putCase) time.Time { return c.ClosedAt })
	times(a, cases, func(c *putCase) time.Time { return c.DueAt })
	times(a, cases, func(c *putCase) time.Time { return c.NextAt })
	times(a, cases, func(c *putCase) time.Time { return c.UnfinalAt })
}

func bindFlags(a *args, cases []putCase) {
	int4s(a, cases, func(c *putCase) int32 { return int32(c.events) }) //nolint:gosec // G115: at most MaxCaseEvents
	int2s(a, cases, func(c *putCase) int16 { return int16(c.Holds) })  //nolint:gosec // G115: a set of two bits
	bools(a, cases, func(c *putCase) bool { return c.Open })
	bools(a, cases, func(c *putCase) bool { return c.Overdue })
	bools(a, cases, func(c *putCase) bool { return c.Live })
}

func bindOthers(a *args, cases []putCase) {
	texts(a, cases, func(c *putCase) string { return c.Status })
	texts(a, cases, func(c *putCase) string { return c.Category })
	texts(a, cases, func(c *putCase) string { return c.Department })
	texts(a, cases, func(c *putCase) string { return c.Priority })
	byteas(a, cases, func(c *putCase) []byte { return c.Pseudonym })
	byteas(a, cases, func(c *putCase) []byte { return c.State })
}
