package sqlite

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

// caseColumns are read by scanCase.
const caseColumns = `channel, case_id, status, category, department, priority, open, overdue, live, received_at, answered_at,
	waiting_since, unanswered_since, closed_at, due_at, next_at, unfinal_at, pseudonym, holds, state, events`

func (c *conn) scanCase(r *row) (store.Case, error) {
	var s store.Case
	name, err := c.channelName(r.int())
	if err != nil {
		return s, err
	}
	s.Channel = name
	s.CaseID = r.text()
	s.Status = r.text()
	s.Category, s.Department, s.Priority = r.text(), r.text(), r.text()
	s.Open, s.Overdue, s.Live = r.bool(), r.bool(), r.bool()
	s.ReceivedAt, s.AnsweredAt = r.time(), r.time()
	s.WaitingSince, s.UnansweredSince = r.time(), r.time()
	s.ClosedAt, s.DueAt, s.NextAt, s.UnfinalAt = r.time(), r.time(), r.time(), r.time()
	s.Pseudonym = r.blob()
	s.Holds = store.Content(r.int())
	s.State = r.blob()
	s.Events = int(r.int())
	return s, nil
}

// readCases has a placeholder each for a number, a channel and a case of every row.
var readCases = newRows("WITH k (n, of_channel, of_case) AS (VALUES ", 3,
	") SELECT n, ref, "+caseColumns+" FROM k CROSS JOIN cases ON channel = of_channel AND case_id = of_case")

// readCases calls found with every case that there is of the keys, with its place among them.
func (c *conn) readCases(keys []key, found func(i int, ref int64, s store.Case)) error {
	channels := make([]int64, len(keys))
	for i := range keys {
		var err error
		if channels[i], err = c.channel(keys[i].Channel); err != nil {
			return err
		}
	}
	return readCases.each(len(keys), func(sql string, from, to int) error {
		bind := func(b *binder) {
			for i := from; i < to; i++ {
				b.int(int64(i))
				b.int(channels[i])
				b.text(keys[i].CaseID)
			}
		}
		return c.query(sql, bind, func(r *row) error {
			i, ref := int(r.int()), r.int()
			s, err := c.scanCase(r)
			found(i, ref, s)
			return err
		})
	})
}

// Cases implements store.Reader.
func (r reader) Cases(_ context.Context, keys []complaint.CaseKey) ([]*store.Case, error) {
	cases := make([]*store.Case, len(keys))
	if err := r.readCases(keys, func(i int, _ int64, s store.Case) { cases[i] = &s }); err != nil {
		return nil, fmt.Errorf("reading cases: %w", err)
	}
	return cases, nil
}

// list reads the cases that a condition takes.
func (r reader) list(condition string, bind func(*binder)) (cases []store.Case, err error) {
	err = r.query("SELECT "+caseColumns+" FROM cases WHERE "+condition, bind, func(row *row) error {
		c, err := r.scanCase(row)
		cases = append(cases, c)
		return err
	})
	return cases, err
}

// Due implements store.Reader.
func (r reader) Due(_ context.Context, until time.Time, limit int) ([]store.Case, error) {
	cases, err := r.list("next_at IS NOT NULL AND next_at <= ? ORDER BY next_at LIMIT ?",
		func(b *binder) { b.int(until.UnixMicro()); b.int(int64(limit)) })
	if err != nil {
		return nil, fmt.Errorf("scanning for cases that are due: %w", err)
	}
	return cases, nil
}

// Unfinal implements store.Reader.
func (r reader) Unfinal(_ context.Context, channels []store.Observed, limit int) (cases []store.Case, err error) {
	for _, observed := range channels {
		id, err := r.channel(observed.Channel)
		if err == nil && id != 0 && len(cases) < limit {
			var found []store.Case
			found, err = r.list("channel = ? AND unfinal_at IS NOT NULL AND unfinal_at <= ? ORDER BY unfinal_at LIMIT ?",
				func(b *binder) { b.int(id); b.int(observed.Through.UnixMicro()); b.int(int64(limit - len(cases))) })
			cases = append(cases, found...)
		}
		if err != nil {
			return nil, fmt.Errorf("scanning for cases without a final verdict: %w", err)
		}
	}
	return cases, nil
}

// Expired implements store.Reader.
func (r reader) Expired(_ context.Context, holds store.Content, closedBefore time.Time, limit int) ([]store.Case, error) {
	// The conditions are those of the partial indexes, word for word.
	var condition []string
	for bit := store.ContentText; bit <= store.ContentHandles; bit <<= 1 {
		if holds.Has(bit) {
			condition = append(condition, fmt.Sprintf("holds & %d <> 0", bit))
		}
	}
	if len(condition) == 0 {
		return nil, errors.New("scanning for expired content: no content is named")
	}
	cases, err := r.list("closed_at IS NOT NULL AND "+strings.Join(condition, " AND ")+" AND closed_at <= ? ORDER BY closed_at LIMIT ?",
		func(b *binder) { b.int(closedBefore.UnixMicro()); b.int(int64(limit)) })
	if err != nil {
		return nil, fmt.Errorf("scanning for expired content: %w", err)
	}
	return cases, nil
}

// OldestUnanswered implements store.Reader.
func (r reader) OldestUnanswered(_ context.Context, channels []string) ([]time.Time, error) {
	oldest := make([]time.Time, len(channels))
	for i, name := range channels {
		id, err := r.channel(name)
		if err == nil && id != 0 {
			err = r.query(`SELECT unanswered_since FROM cases WHERE channel = ? AND unanswered_since IS NOT NULL
				ORDER BY unanswered_since LIMIT 1`, func(b *binder) { b.int(id) }, func(row *row) error {
				oldest[i] = row.time()
				return nil
			})
		}
		if err != nil {
			return nil, fmt.Errorf("looking for the oldest unanswered case: %w", err)
		}
	}
	return oldest, nil
}

// PutCases implements store.Tx. New cases are inserted by many, in the order of their numbers, which is that
// in which they were looked up.
func (t *tx) PutCases(_ context.Context, cases []store.Case) error {
	t.wrote = t.wrote || len(cases) > 0
	stored := slices.Clone(cases)
	var added []newCase
	if err := t.lookup(len(cases), func(i int) key { return cases[i].CaseKey }); err != nil {
		return fmt.Errorf("writing cases: %w", err)
	}
	for i := range stored {
		c := &stored[i]
		k := t.known[c.CaseKey]
		c.Events = int(k.events)
		if k.stored == nil {
			added = append(added, newCase{c, k.ref})
		} else if err := t.updateStored(c, k, &added); err != nil {
			return fmt.Errorf("writing cases: %w", err)
		}
		k.stored = c
	}
	if err := t.insertCases(added); err != nil {
		return fmt.Errorf("writing cases: %w", err)
	}
	return nil
}

// newCase is a case that is to be inserted.
type newCase struct {
	*store.Case
	ref int64
}

// updateStored updates a case, and before it inserts those that were added: the case may be one of them.
func (t *tx) updateStored(c *store.Case, k *known, added *[]newCase) error {
	if err := t.insertCases(*added); err != nil {
		return err
	}
	*added = (*added)[:0]
	return t.updateCase(c, k)
}

var insertCase = newRows("INSERT OR FAIL INTO cases (ref, "+caseColumns+") VALUES ", 22, "")

func (t *tx) insertCases(cases []newCase) error {
	slices.SortFunc(cases, func(a, b newCase) int { return cmp.Compare(a.ref, b.ref) })
	for i := range cases {
		// Binding makes no channel of its own.
		if _, err := t.channelForInsert(cases[i].Channel); err != nil {
			return err
		}
		if cases[i].Pseudonym != nil {
			if err := t.note(entryOf(cases[i].Case, cases[i].ref)); err != nil {
				return err
			}
		}
	}
	return insertCase.each(len(cases), func(sql string, from, to int) error {
		return t.query(sql, func(b *binder) {
			for i := from; i < to; i++ {
				t.bindCase(b, &cases[i])
			}
		}, nil)
	})
}

func (t *tx) bindCase(b *binder, c *newCase) {
	b.int(c.ref)
	b.int(t.ids[c.Channel])
	b.text(c.CaseID)
	b.text(c.Status)
	b.text(c.Category)
	b.text(c.Department)
	b.text(c.Priority)
	b.bool(c.Open)
	b.bool(c.Overdue)
	b.bool(c.Live)
	b.time(c.ReceivedAt)
	b.time(c.AnsweredAt)
	b.time(c.WaitingSince)
	b.time(c.UnansweredSince)
	b.time(c.ClosedAt)
	b.time(c.DueAt)
	b.time(c.NextAt)
	b.time(c.UnfinalAt)
	b.blob(c.Pseudonym)
	b.int(int64(c.Holds))
	b.blob(c.State)
	b.int(int64(c.Events))
}

// indexed is a group of columns that stand in an index, or in the table of reporters. SQLite rewrites the entries of every index
// whose columns a statement sets, changed or not, so that only changed groups are set.
type indexed struct {
	set     string
	changed func(old, c *store.Case) bool
	bind    func(*binder, *store.Case)
}

var indexedColumns = [...]indexed{
	{
		"live = ?",
		func(old, c *store.Case) bool { return old.Live != c.Live },
		func(b *binder, c *store.Case) { b.bool(c.Live) },
	},
	{
		"overdue = ?",
		func(old, c *store.Case) bool { return old.Overdue != c.Overdue },
		func(b *binder, c *store.Case) { b.bool(c.Overdue) },
	},
	{
		"next_at = ?",
		func(old, c *store.Case) bool { return !old.NextAt.Equal(c.NextAt) },
		func(b *binder, c *store.Case) { b.time(c.NextAt) },
	},
	{
		"unfinal_at = ?",
		func(old, c *store.Case) bool { return !old.UnfinalAt.Equal(c.UnfinalAt) },
		func(b *binder, c *store.Case) { b.time(c.UnfinalAt) },
	},
	{
		"unanswered_since = ?",
		func(old, c *store.Case) bool { return !old.UnansweredSince.Equal(c.UnansweredSince) },
		func(b *binder, c *store.Case) { b.time(c.UnansweredSince) },
	},
	{
		"pseudonym = ?, received_at = ?",
		reported,
		func(b *binder, c *store.Case) { b.blob(c.Pseudonym); b.time(c.ReceivedAt) },
	},
	{
		"closed_at = ?, holds = ?",
		func(old, c *store.Case) bool { return !old.ClosedAt.Equal(c.ClosedAt) || old.Holds != c.Holds },
		func(b *binder, c *store.Case) { b.time(c.ClosedAt); b.int(int64(c.Holds)) },
	},
}

// reported says that another entry of the table of reporters is the case's now.
func reported(old, c *store.Case) bool {
	return !bytes.Equal(old.Pseudonym, c.Pseudonym) || (old.Pseudonym == nil) != (c.Pseudonym == nil) || !old.ReceivedAt.Equal(c.ReceivedAt)
}

func (t *tx) updateCase(c *store.Case, k *known) error {
	if reported(k.stored, c) {
		if err := t.renote(k.stored, c, k.ref); err != nil {
			return err
		}
	}
	var sql strings.Builder
	sql.WriteString(`UPDATE cases SET events = ?, status = ?, category = ?, department = ?, priority = ?, open = ?,
		answered_at = ?, waiting_since = ?, due_at = ?, state = ?`)
	for i := range indexedColumns {
		if indexedColumns[i].changed(k.stored, c) {
			sql.WriteString(", " + indexedColumns[i].set)
		}
	}
	sql.WriteString(" WHERE ref = ?")
	return t.query(sql.String(), func(b *binder) {
		b.int(k.events)
		b.text(c.Status)
		b.text(c.Category)
		b.text(c.Department)
		b.text(c.Priority)
		b.bool(c.Open)
		b.time(c.AnsweredAt)
		b.time(c.WaitingSince)
		b.time(c.DueAt)
		b.blob(c.State)
		for i := range indexedColumns {
			if indexedColumns[i].changed(k.stored, c) {
				indexedColumns[i].bind(b, c)
			}
		}
		b.int(k.ref)
	}, nil)
}
