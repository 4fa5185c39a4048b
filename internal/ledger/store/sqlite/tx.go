package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

type key = complaint.CaseKey

// reader implements store.Reader on one connection.
type reader struct{ *conn }

// tx implements store.Tx on the writer's connection.
type tx struct {
	reader
	store *Store
	// known are the cases that were read or are new in this transaction.
	known map[key]*known
	// added are the channels that are new in this transaction.
	added []string
	// noted is how many cases were made known by their reporters.
	noted int
	// cleared says that content was overwritten.
	cleared bool
	// head is the one before the transaction; wrote says that there is something to give a revision to.
	head  store.Head
	wrote bool
}

// revision is the transaction's own.
func (t *tx) revision() int64 { return t.head.Revision + 1 }

// begin reads what the transaction goes on from.
func (t *tx) begin(ctx context.Context) (err error) {
	t.head, err = t.reader.Head(ctx)
	return err
}

// end gives what was written its revision.
func (t *tx) end() error {
	if !t.wrote {
		return nil
	}
	if err := t.sweep(); err != nil {
		return fmt.Errorf("noting reporters: %w", err)
	}
	err := t.query("UPDATE ledger SET revision = ?, at = ?", func(b *binder) { b.int(t.revision()); b.time(t.head.At) }, nil)
	if err != nil {
		return fmt.Errorf("writing the revision: %w", err)
	}
	return nil
}

// Head implements store.Reader.
func (t *tx) Head(ctx context.Context) (store.Head, error) { return t.reader.Head(ctx) }

// Stamp implements store.Tx.
func (t *tx) Stamp(at time.Time) { t.head.At = at }

// known is a case within a transaction.
type known struct {
	ref, events int64
	// stored is the row as it is in the database; nil for a case that is not there yet.
	stored *store.Case
}

// forget drops what the connection has learned in a transaction that was rolled back.
func (t *tx) forget() {
	for _, name := range t.added {
		delete(t.names, t.ids[name])
		delete(t.ids, name)
	}
}

// channelForInsert is the id of a channel, which is made when it is not there.
func (t *tx) channelForInsert(name string) (int64, error) {
	id, err := t.channel(name)
	if err != nil || id != 0 {
		return id, err
	}
	err = t.query("INSERT INTO channels (name, revision) VALUES (?, ?) RETURNING id", func(b *binder) { b.text(name); b.int(t.revision()) }, func(r *row) error {
		id = r.int()
		return nil
	})
	if err != nil {
		return 0, err
	}
	t.ids[name], t.names[id] = id, name
	t.added = append(t.added, name)
	return id, nil
}

// lookup makes n cases known, of which it reads those that are not yet; one that is not in the database gets
// the next number, which is used when it is put.
func (t *tx) lookup(n int, of func(i int) key) error {
	var keys []key
	for i := range n {
		k := of(i)
		if _, ok := t.known[k]; !ok {
			t.known[k] = &known{}
			keys = append(keys, k)
		}
	}
	err := t.readCases(keys, func(i int, ref int64, s store.Case) {
		*t.known[keys[i]] = known{ref: ref, events: int64(s.Events), stored: &s}
	})
	if err != nil {
		return err
	}
	for _, k := range keys {
		if found := t.known[k]; found.stored == nil {
			t.store.lastRef++
			found.ref = t.store.lastRef
		}
	}
	return nil
}

// Cases implements store.Reader; what is read is remembered for PutCases.
func (t *tx) Cases(_ context.Context, keys []complaint.CaseKey) ([]*store.Case, error) {
	if err := t.lookup(len(keys), func(i int) key { return keys[i] }); err != nil {
		return nil, fmt.Errorf("reading cases: %w", err)
	}
	cases := make([]*store.Case, len(keys))
	for i, k := range keys {
		if found := t.known[k]; found.stored != nil {
			c := *found.stored
			cases[i] = &c
		}
	}
	return cases, nil
}

// AddFigures implements store.Tx.
func (t *tx) AddFigures(_ context.Context, figures []store.Figures) error {
	t.wrote = t.wrote || len(figures) > 0
	for i := range figures {
		f := &figures[i]
		err := t.query(`INSERT INTO figures (key, revision, v0, v1, v2, v3, v4) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET
			revision = excluded.revision,
			v0 = v0 + excluded.v0, v1 = v1 + excluded.v1, v2 = v2 + excluded.v2, v3 = v3 + excluded.v3, v4 = v4 + excluded.v4`,
			func(b *binder) {
				b.text(f.Key)
				b.int(t.revision())
				for _, v := range f.Values {
					b.int(v)
				}
			}, nil)
		if err != nil {
			return fmt.Errorf("adding figures: %w", err)
		}
	}
	return nil
}

// PutChannels implements store.Tx.
func (t *tx) PutChannels(_ context.Context, channels []store.Channel) error {
	t.wrote = t.wrote || len(channels) > 0
	for i := range channels {
		c := &channels[i]
		id, err := t.channelForInsert(c.Name)
		if err == nil {
			err = t.query(`UPDATE channels SET cursor = ?, generation = ?, observed_through = ?, last_event_at = ?,
				oldest_unanswered = ?, report = ?, revision = ? WHERE id = ?`,
				func(b *binder) {
					b.blob(c.Cursor)
					b.int(c.Generation)
					b.time(c.ObservedThrough)
					b.time(c.LastEventAt)
					b.time(c.OldestUnansweredAt)
					b.blob(c.Report)
					b.int(t.revision())
					b.int(id)
				}, nil)
		}
		if err != nil {
			return fmt.Errorf("writing channels: %w", err)
		}
	}
	return nil
}

// PutSetting implements store.Tx.
func (t *tx) PutSetting(_ context.Context, name string, value []byte) error {
	t.wrote = true
	err := t.query(`INSERT INTO settings (name, value, revision) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET
		value = excluded.value, revision = excluded.revision`, func(b *binder) { b.text(name); b.blob(value); b.int(t.revision()) }, nil)
	if err != nil {
		return fmt.Errorf("writing a setting: %w", err)
	}
	return nil
}
