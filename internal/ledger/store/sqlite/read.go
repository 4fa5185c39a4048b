package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

// channelColumns are read by readChannel.
const channelColumns = "name, cursor, generation, observed_through, last_event_at, oldest_unanswered, report, revision"

func readChannel(r *row) store.Channel {
	return store.Channel{
		Name: r.text(), Cursor: r.blob(), Generation: r.int(),
		ObservedThrough: r.time(), LastEventAt: r.time(), OldestUnansweredAt: r.time(), Report: r.blob(), Revision: r.int(),
	}
}

// Head implements store.Reader.
func (r reader) Head(context.Context) (head store.Head, err error) {
	err = r.query("SELECT revision, at FROM ledger", nil, func(row *row) error {
		head = store.Head{Revision: row.int(), At: row.time()}
		return nil
	})
	if err != nil {
		return store.Head{}, fmt.Errorf("reading the revision: %w", err)
	}
	return head, nil
}

// Channels implements store.Reader.
func (r reader) Channels(_ context.Context, since int64) (channels []store.Channel, err error) {
	err = r.query("SELECT "+channelColumns+" FROM channels WHERE revision > ? ORDER BY name", func(b *binder) { b.int(since) }, func(row *row) error {
		channels = append(channels, readChannel(row))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading channels: %w", err)
	}
	return channels, nil
}

// Figures implements store.Reader.
func (r reader) Figures(_ context.Context, since int64, f func(store.Figures) error) error {
	err := r.query("SELECT key, revision, v0, v1, v2, v3, v4 FROM figures WHERE revision > ?", func(b *binder) { b.int(since) }, func(row *row) error {
		figures := store.Figures{Key: row.text(), Revision: row.int()}
		for i := range figures.Values {
			figures.Values[i] = row.int()
		}
		return f(figures)
	})
	if err != nil {
		return fmt.Errorf("reading figures: %w", err)
	}
	return nil
}

// Setting implements store.Reader.
func (r reader) Setting(_ context.Context, name string) (value []byte, err error) {
	err = r.query("SELECT value FROM settings WHERE name = ?", func(b *binder) { b.text(name) }, func(row *row) error {
		value = row.blob()
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading a setting: %w", err)
	}
	return value, nil
}

// Settings implements store.Reader.
func (r reader) Settings(_ context.Context, since int64) (settings []store.Setting, err error) {
	err = r.query("SELECT name, value, revision FROM settings WHERE revision > ? ORDER BY name", func(b *binder) { b.int(since) }, func(row *row) error {
		settings = append(settings, store.Setting{Name: row.text(), Value: row.blob(), Revision: row.int()})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading settings: %w", err)
	}
	return settings, nil
}

// errEnough ends a statement whose further rows nobody wants.
var errEnough = errors.New("the page is full")

// Page implements store.Reader.
func (r reader) Page(_ context.Context, q store.PageQuery) (cases []store.Case, next *complaint.CaseKey, err error) {
	names, err := r.pageChannels(q)
	if err != nil {
		return nil, nil, fmt.Errorf("listing cases: %w", err)
	}
	scanned, part := 0, ""
	switch {
	// The conditions of the partial indexes, word for word; an open case is live.
	case q.Overdue != nil && *q.Overdue:
		part = " AND overdue <> 0"
	case q.Live || q.Open != nil && *q.Open:
		part = " AND live <> 0"
	}
	for _, name := range names {
		id, err := r.channel(name)
		if err != nil {
			return nil, nil, fmt.Errorf("listing cases: %w", err)
		}
		after := ""
		if q.After != nil && q.After.Channel == name {
			after = q.After.CaseID
		}
		// One more than may be looked at is read, which tells whether there is a next page.
		err = r.query("SELECT "+caseColumns+" FROM cases WHERE channel = ? AND case_id > ?"+part+" ORDER BY case_id LIMIT ?",
			func(b *binder) { b.int(id); b.text(after); b.int(int64(q.Scan - scanned + 1)) },
			func(row *row) error {
				c, err := r.scanCase(row)
				if err != nil {
					return err
				}
				if scanned == q.Scan || len(cases) == q.Limit {
					next = &complaint.CaseKey{Channel: name, CaseID: after}
					return errEnough
				}
				scanned++
				after = c.CaseID
				if q.Takes(&c) {
					cases = append(cases, c)
				}
				return nil
			})
		switch {
		case next != nil:
			return cases, next, nil
		case err != nil:
			return nil, nil, fmt.Errorf("listing cases: %w", err)
		}
	}
	return cases, nil, nil
}

// pageChannels are the channels of a page in the order of their names.
func (r reader) pageChannels(q store.PageQuery) (names []string, err error) {
	if q.Channel != "" {
		if q.After != nil && q.After.Channel != q.Channel {
			return nil, fmt.Errorf("a page of one channel cannot go on in another")
		}
		return []string{q.Channel}, nil
	}
	err = r.query("SELECT name FROM channels", nil, func(row *row) error {
		if name := row.text(); q.After == nil || name >= q.After.Channel {
			names = append(names, name)
		}
		return nil
	})
	slices.Sort(names)
	return names, err
}
