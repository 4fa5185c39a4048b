package sqlite

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/tidwall/btree"

	"github.com/tanggap/tanggap/internal/ledger/store"
)

// A case's reporter is as good as random, so that an index of reporters that took each case by itself would have
// one page changed, logged and copied for every case, which costs more than everything else about it together.
// Therefore the table of reporters takes the cases late and many at once. Those that it does not have yet are
// kept in memory, in the table's order; a sweep goes through them again and again in steps, each in a
// transaction of the ledger, and moves neighbours into neighbouring pages. Nothing is lost with the memory:
// how far the sweep has come stands in the database, and what it has not taken is read from the cases.

const (
	// sweepAt is how many cases begin a sweep; the more, the fewer pages change for each, and the more memory
	// they take, some 60 bytes each.
	sweepAt = 1 << 16
	// sweepStep is how many cases a transaction moves at least. It moves twice as many as it adds, so that a sweep
	// ends before half as many were added as it began with.
	sweepStep = 64
	// neverReceived stands for the instant of a case that was not received.
	neverReceived = math.MinInt64
)

// entry is a row of the table of reporters, in its order.
type entry struct {
	reporter      uint64
	received, ref int64
}

func entryOf(c *store.Case, ref int64) entry {
	return entry{reporterOf(c.Pseudonym), receivedOf(c.ReceivedAt), ref}
}

// reporterOf are the first 8 bytes of a pseudonym.
func reporterOf(pseudonym []byte) uint64 {
	var first [8]byte
	copy(first[:], pseudonym)
	return binary.BigEndian.Uint64(first[:])
}

func receivedOf(at time.Time) int64 {
	if at.IsZero() {
		return neverReceived
	}
	return at.UnixMicro()
}

func (a entry) compare(b entry) int {
	// Reporters nearly always differ, and cmp.Or compares everything first.
	if a.reporter != b.reporter {
		return cmp.Compare(a.reporter, b.reporter)
	}
	return cmp.Or(cmp.Compare(a.received, b.received), cmp.Compare(a.ref, b.ref))
}

func (a entry) less(b entry) bool {
	return a.reporter < b.reporter || a.reporter == b.reporter && a.compare(b) < 0
}

// reporter binds the first column of the table.
func (b *binder) reporter(r uint64) { b.blob(binary.BigEndian.AppendUint64(make([]byte, 0, 8), r)) }

func (b *binder) entry(e entry) {
	b.reporter(e.reporter)
	b.int(e.received)
	b.int(e.ref)
}

// sweep is how far the table of reporters has come: it has the cases up to done, and of those up to until the
// ones that do not come after at.
type sweep struct {
	done, until int64
	at          entry
}

func (s *sweep) took(e entry) bool {
	return e.ref <= s.done || e.ref <= s.until && e.compare(s.at) <= 0
}

func (c *conn) readSweep() (s sweep, err error) {
	err = c.query("SELECT noted, noting, noted_reporter, noted_received, noted_ref FROM ledger", nil, func(r *row) error {
		s = sweep{done: r.int(), until: r.int(), at: entry{reporterOf(r.blob()), r.int(), r.int()}}
		return nil
	})
	return s, err
}

// pending are the cases that the table does not have yet, and how far it has come. What a transaction changes
// is undone if it is.
type pending struct {
	sweep
	entries *btree.BTreeG[entry]
	before  sweep
	undo    []change
}

// change is an entry that was added or removed.
type change struct {
	entry
	added bool
}

// load reads what is pending.
func (p *pending) load(c *conn) (err error) {
	p.entries = btree.NewBTreeGOptions(entry.less, btree.Options{NoLocks: true})
	if p.sweep, err = c.readSweep(); err != nil {
		return err
	}
	p.before = p.sweep
	return c.query("SELECT ref, pseudonym, received_at FROM cases WHERE ref > ? AND pseudonym IS NOT NULL",
		func(b *binder) { b.int(p.done) },
		func(r *row) error {
			ref, reporter := r.int(), reporterOf(r.blob())
			if e := (entry{reporter, receivedOf(r.time()), ref}); !p.took(e) {
				p.entries.Set(e)
			}
			return nil
		})
}

func (p *pending) add(e entry) {
	p.entries.Set(e)
	p.undo = append(p.undo, change{e, true})
}

func (p *pending) remove(e entry) {
	p.entries.Delete(e)
	p.undo = append(p.undo, change{e, false})
}

// end ends a transaction.
func (p *pending) end(committed bool) {
	if !committed {
		p.sweep = p.before
		for _, c := range slices.Backward(p.undo) {
			if c.added {
				p.entries.Delete(c.entry)
			} else {
				p.entries.Set(c.entry)
			}
		}
	}
	p.before, p.undo = p.sweep, p.undo[:0]
}

// step are the entries that the sweep takes next, at most n; none ends it.
func (p *pending) step(n int) (next []entry) {
	p.entries.Ascend(p.at, func(e entry) bool {
		if e.ref <= p.until {
			next = append(next, e)
		}
		return len(next) < n
	})
	return next
}

var insertReporter = newRows("INSERT OR FAIL INTO reporters (reporter, received, ref) VALUES ", 3, "")

func (t *tx) insertReporters(entries []entry) error {
	return insertReporter.each(len(entries), func(sql string, from, to int) error {
		return t.query(sql, func(b *binder) {
			for _, e := range entries[from:to] {
				b.entry(e)
			}
		}, nil)
	})
}

// note makes a case known by its reporter; forgetReporter takes that back.
func (t *tx) note(e entry) error {
	if p := t.store.pending; !p.took(e) {
		p.add(e)
		t.noted++
		return nil
	}
	return t.insertReporters([]entry{e})
}

func (t *tx) forgetReporter(e entry) error {
	if p := t.store.pending; !p.took(e) {
		p.remove(e)
		return nil
	}
	return t.query("DELETE FROM reporters WHERE reporter = ? AND received = ? AND ref = ?", func(b *binder) { b.entry(e) }, nil)
}

// renote does both for a case that has changed.
func (t *tx) renote(old, c *store.Case, ref int64) error {
	if old.Pseudonym != nil {
		if err := t.forgetReporter(entryOf(old, ref)); err != nil {
			return err
		}
	}
	if c.Pseudonym != nil {
		return t.note(entryOf(c, ref))
	}
	return nil
}

// sweep moves a step of what is pending into the table.
func (t *tx) sweep() error {
	p := t.store.pending
	if p.done == p.until {
		if p.entries.Len() < t.store.options.sweepAt {
			return nil
		}
		p.until, p.at = t.store.lastRef, entry{received: neverReceived}
	}
	next := p.step(max(t.store.options.sweepStep, 2*t.noted))
	if err := t.insertReporters(next); err != nil {
		return err
	}
	for _, e := range next {
		p.remove(e)
		p.at = e
	}
	if len(next) == 0 {
		p.done = p.until
	}
	return t.query("UPDATE ledger SET noted = ?, noting = ?, noted_reporter = ?, noted_received = ?, noted_ref = ?", func(b *binder) {
		b.int(p.done)
		b.int(p.until)
		b.entry(p.at)
	}, nil)
}

// span are the instants that a query asks for, the second excluded.
func span(q *store.ReporterQuery) (from, to int64) {
	if q.Unreceived {
		return neverReceived, neverReceived + 1
	}
	return q.From.UnixMicro(), q.To.UnixMicro()
}

// swept are the cases of a reporter that the table has, the latest first.
func (r reader) swept(q *store.ReporterQuery) (cases []store.Case, err error) {
	from, to := span(q)
	err = r.query("SELECT "+caseColumns+` FROM reporters n CROSS JOIN cases c USING (ref)
		WHERE n.reporter = ? AND n.received >= ? AND n.received < ? AND pseudonym = ? ORDER BY n.received DESC LIMIT ?`,
		func(b *binder) {
			b.reporter(reporterOf(q.Pseudonym))
			b.int(from)
			b.int(to)
			b.blob(q.Pseudonym)
			b.int(int64(q.Limit))
		}, r.appendCase(&cases))
	return cases, err
}

func (r reader) appendCase(cases *[]store.Case) func(*row) error {
	return func(row *row) error {
		c, err := r.scanCase(row)
		*cases = append(*cases, c)
		return err
	}
}

// latest puts cases in the order of a query, and leaves the others.
func latest(cases []store.Case, q *store.ReporterQuery) []store.Case {
	slices.SortStableFunc(cases, func(a, b store.Case) int { return b.ReceivedAt.Compare(a.ReceivedAt) })
	return cases[:min(len(cases), q.Limit)]
}

// ByReporter implements store.Reader. Without the memory of the one who writes, it goes through the cases that
// the table does not have: no part of the ledger asks outside of an Update.
func (r reader) ByReporter(_ context.Context, queries []store.ReporterQuery) ([][]store.Case, error) {
	found := make([][]store.Case, len(queries))
	s, err := r.readSweep()
	for i := range queries {
		if err == nil {
			found[i], err = r.byReporter(&s, &queries[i])
		}
	}
	if err != nil {
		return nil, fmt.Errorf("looking for a reporter's cases: %w", err)
	}
	return found, nil
}

func (r reader) byReporter(s *sweep, q *store.ReporterQuery) ([]store.Case, error) {
	cases, err := r.swept(q)
	if err != nil {
		return nil, err
	}
	from, to := span(q)
	err = r.query("SELECT "+caseColumns+` FROM cases WHERE ref > ? AND pseudonym = ? AND coalesce(received_at, ?) >= ? AND coalesce(received_at, ?) < ?
		AND (ref > ? OR (?, coalesce(received_at, ?), ref) > (?, ?, ?))`,
		func(b *binder) {
			b.int(s.done)
			b.blob(q.Pseudonym)
			b.int(neverReceived)
			b.int(from)
			b.int(neverReceived)
			b.int(to)
			b.int(s.until)
			b.reporter(reporterOf(q.Pseudonym))
			b.int(neverReceived)
			b.entry(s.at)
		}, r.appendCase(&cases))
	return latest(cases, q), err
}

// haveReporters are the numbers of the rows, of a number, a reporter and two instants, that find something.
var haveReporters = newRows("WITH k (n, who, since, till) AS (VALUES ", 4,
	") SELECT n FROM k WHERE EXISTS (SELECT 1 FROM reporters WHERE reporter = who AND received >= since AND received < till)")

// ByReporter implements store.Reader. Most reporters are new: the table is first asked for all at once.
func (t *tx) ByReporter(_ context.Context, queries []store.ReporterQuery) ([][]store.Case, error) {
	found := make([][]store.Case, len(queries))
	err := haveReporters.each(len(queries), func(sql string, from, to int) error {
		return t.haveReporters(sql, queries, from, to, found)
	})
	for i := range queries {
		if err == nil {
			found[i], err = t.addPending(found[i], &queries[i])
		}
	}
	if err != nil {
		return nil, fmt.Errorf("looking for a reporter's cases: %w", err)
	}
	return found, nil
}

// haveReporters finds what the table has for some of the queries.
func (t *tx) haveReporters(sql string, queries []store.ReporterQuery, from, to int, found [][]store.Case) error {
	var have []int
	bind := func(b *binder) {
		for i := from; i < to; i++ {
			since, till := span(&queries[i])
			b.int(int64(i))
			b.reporter(reporterOf(queries[i].Pseudonym))
			b.int(since)
			b.int(till)
		}
	}
	err := t.query(sql, bind, func(r *row) error {
		have = append(have, int(r.int()))
		return nil
	})
	for _, i := range have {
		if err == nil {
			found[i], err = t.swept(&queries[i])
		}
	}
	return err
}

// addPending adds to what the table has what is in memory.
func (t *tx) addPending(cases []store.Case, q *store.ReporterQuery) ([]store.Case, error) {
	reporter := reporterOf(q.Pseudonym)
	from, to := span(q)
	there := len(cases)
	var err error
	t.store.pending.entries.Descend(entry{reporter, to - 1, math.MaxInt64}, func(e entry) bool {
		if e.reporter != reporter || e.received < from || len(cases)-there == q.Limit {
			return false
		}
		err = t.query("SELECT "+caseColumns+" FROM cases WHERE ref = ? AND pseudonym = ?",
			func(b *binder) { b.int(e.ref); b.blob(q.Pseudonym) }, t.appendCase(&cases))
		return err == nil
	})
	return latest(cases, q), err
}
