package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

const (
	// beginUpdate: each statement sees what was committed before it, and so everything that was committed
	// before the lock was given.
	beginUpdate = "BEGIN ISOLATION LEVEL READ COMMITTED"
	beginView   = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"

	// viewSettings and updateSettings are set for the transaction and not for the session, so that they hold behind a pooler too.
	//
	// The plans of prepared statements are made once, maybe while a table is empty or its statistics are
	// old, and must not become a walk through millions of rows: there is an index for every statement, and
	// the planner is told to use it. For the same reason rows are looked for in lateral subqueries that are not merged
	// into their query, or by a range of one value: an equation between two tables lets the planner go through an
	// index of a small table from its beginning. An asynchronous commit is no commit.
	//
	// A process that is frozen, or behind a broken network, must not hold the lock that all others wait for: the server
	// ends a session that says nothing for so long, and undoes what it had begun. In an Update there are milliseconds
	// between two statements, and one that was slow all the same begins anew.
	viewSettings   = commonSettings + `, set_config('idle_in_transaction_session_timeout', '60s', true)`
	updateSettings = commonSettings + `, set_config('idle_in_transaction_session_timeout', '5s', true)`
	commonSettings = `SELECT set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),
		set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true), set_config('enable_sort', 'off', true),
		set_config('plan_cache_mode', 'force_generic_plan', true), set_config('jit', 'off', true),
		set_config('lock_timeout', '15s', true), set_config('statement_timeout', '30s', true),
		CASE WHEN current_setting('synchronous_commit') = 'off' THEN set_config('synchronous_commit', 'on', true) END`

	selectHead = `SELECT revision, at, last_ref, last_channel, writer, writer_revision,
		(extract(epoch FROM clock_timestamp()) * 1000000)::bigint FROM ledger WHERE id = 1`
	lockHead   = selectHead + " FOR UPDATE"
	updateHead = `UPDATE ledger SET revision = $1, at = $2, last_ref = $3, last_channel = $4, writer = $5, writer_revision = $1
		WHERE id = 1`

	// keepWriter keeps the last revision of a writer that is no longer the last one.
	keepWriter = "INSERT INTO writers (id, revision) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET revision = excluded.revision"
	// lastOfWriter is the revision of the last transaction that a writer has committed.
	lastOfWriter = `SELECT coalesce((SELECT l.writer_revision FROM ledger l WHERE l.id = 1 AND l.writer = $1),
		(SELECT w.revision FROM writers w WHERE w.id = $1), 0)`
)

// head is the row of the table ledger.
type head struct {
	store.Head
	lastRef     int64
	lastChannel int32
}

func (h *head) equal(other *head) bool {
	return h.Revision == other.Revision && h.At.Equal(other.At) && h.lastRef == other.lastRef && h.lastChannel == other.lastChannel
}

// writer is who has committed the last transaction, and which one that was; a nil id is not known.
type writer struct {
	id       []byte
	revision int64
}

// errMoved is the answer of a database that is not as it was left or as it was guessed.
var errMoved = errors.New("the ledger's database has moved on")

// begin queues what begins a transaction.
func (x *exchange) begin(begin string, lock bool) error {
	if err := x.queue(begin, nil, nil); err != nil {
		return err
	}
	settings, sql := viewSettings, selectHead
	if lock {
		settings, sql = updateSettings, lockHead
	}
	if err := x.queue(settings, nil, nil); err != nil {
		return err
	}
	return x.queue(sql, nil, func(r *row) error {
		found := &head{Head: store.Head{Revision: r.int8(), At: r.time()}, lastRef: r.int8(), lastChannel: r.int4()}
		x.writer = writer{r.bytea(), r.int8()}
		clock := r.time()
		if found.Revision < x.revision {
			x.forget() // restored to an earlier state
			x.moved = true
		}
		x.verified, x.revision = true, found.Revision
		if x.guess != nil && !x.guess.equal(found) {
			x.moved = true
		}
		if x.moved {
			return errMoved
		}
		if x.head == nil {
			x.head = found
		}
		if x.now != nil {
			x.amiss = compareClocks(x.now(), clock)
		}
		return x.amiss
	})
}

// compareClocks is ErrClock for clocks that are too far apart. What is read of the database's may be some seconds old, in
// which the lock was waited for.
func compareClocks(own, database time.Time) error {
	ahead := own.Sub(database)
	if ahead.Abs() <= complaint.MaxClockDifference {
		return nil
	}
	side := "ahead of"
	if ahead < 0 {
		side = "behind"
	}
	return fmt.Errorf("%w: this machine's says %s, which is %v %s the %s of the database's",
		store.ErrClock, own.UTC().Format(time.RFC3339), ahead.Abs().Round(time.Second), side, database.Format(time.RFC3339))
}

// ready makes the head known: as it was read, or as it is guessed until then.
func (x *exchange) ready() error {
	if x.head == nil && x.guess != nil {
		guess := *x.guess
		x.head = &guess
	}
	if x.head != nil {
		return nil
	}
	return x.begun()
}

// guessed says that something may have been concluded from a guess that nobody has checked yet.
func (x *exchange) guessed() bool {
	return x.head != nil && !x.verified && !x.moved && x.failed == nil
}

// begun waits until the transaction has begun and, in an Update, has its lock.
func (x *exchange) begun() error {
	if open := x.open; open != nil {
		x.open = nil
		if err := open(); err != nil {
			return err
		}
	}
	if err := x.flush(); err != nil {
		return err
	}
	if !x.verified {
		return fmt.Errorf("%w: the row of the table ledger is gone", store.ErrDamaged)
	}
	return nil
}

type key = complaint.CaseKey

// tx implements store.Tx. What it writes is queued, and travels with the next read or with the commit.
type tx struct {
	reader
	// known are the cases that were read or are new in this transaction.
	known map[key]*known
	// there says of events that were looked for, or are new in this transaction, whether they are there.
	there map[store.EventKey]bool
	// related are the answers to queries that were read ahead; written are the instants, by pseudonym, of cases
	// that were put since.
	related map[reporterKey][]store.Case
	written map[string]span
	// added are the channels that are new in this transaction.
	added []string
	// wrote says that there is something to commit; stamp is the instant given to Stamp.
	wrote bool
	stamp time.Time
}

// known is a case within a transaction.
type known struct {
	ref    int64
	events int
	// stored is the row as it is in the database, what is queued included; nil for a case that is not there yet.
	stored *store.Case
}

func newTx(x *exchange) *tx {
	return &tx{
		reader: reader{x}, known: map[key]*known{}, there: map[store.EventKey]bool{},
		related: map[reporterKey][]store.Case{}, written: map[string]span{},
	}
}

// revision is the transaction's own.
func (t *tx) revision() int64 { return t.head.Revision + 1 }

// rollback undoes the transaction, and what the connection has learned in it.
func (t *tx) rollback() {
	for _, name := range t.added {
		delete(t.names, t.ids[name])
		delete(t.ids, name)
	}
	t.exchange.rollback()
}

// commit writes the transaction's revision, as that of the Store of the id, and ends it.
func (t *tx) commit(id []byte) error {
	if !t.verified {
		// Nothing is committed on a guess.
		if err := t.begun(); err != nil {
			return err
		}
	}
	if !t.stamp.IsZero() {
		t.head.At = t.stamp.UTC().Truncate(time.Microsecond)
	}
	err := t.queue(updateHead, func(a *args) {
		a.int8(t.revision())
		a.time(t.head.At)
		a.int8(t.head.lastRef)
		a.int4(t.head.lastChannel)
		a.bytea(id)
	}, nil)
	if before := t.writer; err == nil && before.id != nil && !bytes.Equal(before.id, id) {
		err = t.queue(keepWriter, func(a *args) { a.bytea(before.id); a.int8(before.revision) }, nil)
	}
	if err != nil {
		return err
	}
	if err := t.query("COMMIT", nil, nil); err != nil {
		return fmt.Errorf("committing: %w", err)
	}
	t.head.Revision++
	t.exchange.revision = t.head.Revision
	return nil
}

// Stamp implements store.Tx.
func (t *tx) Stamp(at time.Time) { t.stamp = at }

// channelsForInsert makes the channels that are not there.
func (t *tx) channelsForInsert(names []string) error {
	if err := t.ready(); err != nil {
		return err
	}
	if err := t.findChannels(names); err != nil {
		return err
	}
	for _, name := range names {
		if t.ids[name] != 0 {
			continue
		}
		t.head.lastChannel++
		id := t.head.lastChannel
		err := t.queue("INSERT INTO channels (id, name, revision) VALUES ($1, $2, $3)", func(a *args) {
			a.int4(id)
			a.text(name)
			a.int8(t.revision())
		}, nil)
		if err != nil {
			return err
		}
		t.exchange.learn(id, name)
		t.added = append(t.added, name)
	}
	return nil
}

var addFigures = "INSERT INTO figures AS f (revision, v0, v1, v2, v3, v4, key) SELECT $7::bigint, " +
	columns("", "bigint, bigint, bigint, bigint, bigint, text") + `
	ON CONFLICT (key) DO UPDATE SET revision = excluded.revision, v0 = f.v0 + excluded.v0, v1 = f.v1 + excluded.v1,
		v2 = f.v2 + excluded.v2, v3 = f.v3 + excluded.v3, v4 = f.v4 + excluded.v4`

// AddFigures implements store.Tx.
func (t *tx) AddFigures(_ context.Context, figures []store.Figures) error {
	if len(figures) == 0 {
		return nil
	}
	t.wrote = true
	err := t.ready()
	if err == nil {
		err = t.queue(addFigures, func(a *args) {
			for column := range store.FigureColumns {
				int8s(a, figures, func(f *store.Figures) int64 { return f.Values[column] })
			}
			texts(a, figures, func(f *store.Figures) string { return f.Key })
			a.int8(t.revision())
		}, nil)
	}
	if err != nil {
		return fmt.Errorf("adding figures: %w", err)
	}
	return nil
}

var putChannels = `UPDATE channels c SET revision = $8, generation = u.generation, observed_through = u.observed_through,
	last_event_at = u.last_event_at, oldest_unanswered = u.oldest_unanswered, cursor = u.cursor, report = u.report
	FROM (SELECT ` + columns("id, generation, observed_through, last_event_at, oldest_unanswered, cursor, report",
	"integer, bigint, bigint, bigint, bigint, bytea, bytea") + `) u
	WHERE c.id BETWEEN u.id AND u.id`

// PutChannels implements store.Tx.
func (t *tx) PutChannels(_ context.Context, channels []store.Channel) error {
	if len(channels) == 0 {
		return nil
	}
	t.wrote = true
	channels = lastOf(channels, func(c *store.Channel) string { return c.Name })
	names := make([]string, len(channels))
	for i := range channels {
		names[i] = channels[i].Name
	}
	err := t.channelsForInsert(names)
	if err == nil {
		err = t.queue(putChannels, func(a *args) {
			int4s(a, channels, func(c *store.Channel) int32 { return t.ids[c.Name] })
			int8s(a, channels, func(c *store.Channel) int64 { return c.Generation })
			times(a, channels, func(c *store.Channel) time.Time { return c.ObservedThrough })
			times(a, channels, func(c *store.Channel) time.Time { return c.LastEventAt })
			times(a, channels, func(c *store.Channel) time.Time { return c.OldestUnansweredAt })
			byteas(a, channels, func(c *store.Channel) []byte { return c.Cursor })
			byteas(a, channels, func(c *store.Channel) []byte { return c.Report })
			a.int8(t.revision())
		}, nil)
	}
	if err != nil {
		return fmt.Errorf("writing channels: %w", err)
	}
	return nil
}

// lastOf keeps of several rows with one key the last.
func lastOf[R any, K comparable](rows []R, of func(*R) K) []R {
	last := make(map[K]int, len(rows))
	for i := range rows {
		last[of(&rows[i])] = i
	}
	if len(last) == len(rows) {
		return rows
	}
	kept := make([]R, 0, len(last))
	for i := range rows {
		if last[of(&rows[i])] == i {
			kept = append(kept, rows[i])
		}
	}
	return kept
}

// PutSetting implements store.Tx.
func (t *tx) PutSetting(_ context.Context, name string, value []byte) error {
	t.wrote = true
	err := t.ready()
	if err == nil {
		err = t.queue(`INSERT INTO settings (name, value, revision) VALUES ($1, $2, $3)
			ON CONFLICT (name) DO UPDATE SET value = excluded.value, revision = excluded.revision`,
			func(a *args) { a.text(name); a.bytea(value); a.int8(t.revision()) }, nil)
	}
	if err != nil {
		return fmt.Errorf("writing a setting: %w", err)
	}
	return nil
}
