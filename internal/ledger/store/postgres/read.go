package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

// reader implements store.Reader in one transaction.
type reader struct{ *exchange }

// Head implements store.Reader.
func (r *reader) Head(context.Context) (store.Head, error) {
	if err := r.ready(); err != nil {
		return store.Head{}, fmt.Errorf("reading the revision: %w", err)
	}
	return r.head.Head, nil
}

// Committed implements store.Rememberer.
func (x *exchange) Committed(context.Context) (revision int64, err error) {
	err = x.query(lastOfWriter, func(a *args) { a.bytea(x.store) }, func(r *row) error {
		revision = r.int8()
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("looking for the last transaction of its own: %w", err)
	}
	return revision, nil
}

// findChannels learns the ids of channels, of those that are there.
func (r *reader) findChannels(names []string) error {
	var missing []string
	for _, name := range names {
		if r.ids[name] == 0 {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return r.query("SELECT id, name FROM channels WHERE name = ANY ($1::text[])",
		func(a *args) { texts(a, missing, func(s *string) string { return *s }) },
		func(row *row) error { r.learn(row.int4(), row.text()); return nil })
}

// channel is the id of a channel; 0 when there is none of the name.
func (r *reader) channel(name string) (int32, error) {
	err := r.findChannels([]string{name})
	return r.ids[name], err
}

// nameChannels puts the names into cases that were read.
func (r *reader) nameChannels(cases []scanned) error {
	for i := range cases {
		name, known := r.names[cases[i].channel]
		if !known {
			err := r.query("SELECT id, name FROM channels", nil, func(row *row) error { r.learn(row.int4(), row.text()); return nil })
			if err != nil {
				return err
			}
			if name, known = r.names[cases[i].channel]; !known {
				return fmt.Errorf("%w: a case is of a channel that is not there", store.ErrDamaged)
			}
		}
		cases[i].Channel = name
	}
	return nil
}

// channelColumns are read by readChannel.
const channelColumns = "name, cursor, generation, observed_through, last_event_at, oldest_unanswered, report, revision"

func readChannel(r *row) store.Channel {
	return store.Channel{
		Name: r.text(), Cursor: r.bytea(), Generation: r.int8(), ObservedThrough: r.time(), LastEventAt: r.time(),
		OldestUnansweredAt: r.time(), Report: r.bytea(), Revision: r.int8(),
	}
}

// Channels implements store.Reader.
func (r *reader) Channels(_ context.Context, since int64) (channels []store.Channel, err error) {
	err = r.query("SELECT "+channelColumns+" FROM channels WHERE revision > $1", func(a *args) { a.int8(since) }, func(row *row) error {
		channels = append(channels, readChannel(row))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading channels: %w", err)
	}
	slices.SortFunc(channels, func(a, b store.Channel) int { return strings.Compare(a.Name, b.Name) })
	return channels, nil
}

// Figures implements store.Reader.
func (r *reader) Figures(_ context.Context, since int64, f func(store.Figures) error) error {
	sql, bind := "SELECT key, revision, v0, v1, v2, v3, v4 FROM figures", func(*args) {}
	if since > 0 {
		sql, bind = sql+" WHERE revision > $1", func(a *args) { a.int8(since) }
	}
	err := r.query(sql, bind, func(row *row) error {
		figures := store.Figures{Key: row.text(), Revision: row.int8()}
		for i := range figures.Values {
			figures.Values[i] = row.int8()
		}
		if row.err != nil {
			return row.err
		}
		return f(figures)
	})
	if err != nil {
		return fmt.Errorf("reading figures: %w", err)
	}
	return nil
}

// Setting implements store.Reader.
func (r *reader) Setting(_ context.Context, name string) (value []byte, err error) {
	err = r.query("SELECT value FROM settings WHERE name = $1", func(a *args) { a.text(name) }, func(row *row) error {
		value = row.bytea()
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading a setting: %w", err)
	}
	return value, nil
}

// Settings implements store.Reader.
func (r *reader) Settings(_ context.Context, since int64) (settings []store.Setting, err error) {
	err = r.query("SELECT name, value, revision FROM settings WHERE revision > $1", func(a *args) { a.int8(since) }, func(row *row) error {
		settings = append(settings, store.Setting{Name: row.text(), Value: row.bytea(), Revision: row.int8()})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading settings: %w", err)
	}
	slices.SortFunc(settings, func(a, b store.Setting) int { return strings.Compare(a.Name, b.Name) })
	return settings, nil
}

// pageRows is how many cases are read at once in looking for those of a page.
const pageRows = 500

// Page implements store.Reader.
func (r *reader) Page(_ context.Context, q store.PageQuery) (cases []store.Case, next *complaint.CaseKey, err error) {
	names, err := r.pageChannels(q)
	if err != nil {
		return nil, nil, fmt.Errorf("listing cases: %w", err)
	}
	looked := 0
	for _, name := range names {
		after := ""
		if q.After != nil && q.After.Channel == name {
			after = q.After.CaseID
		}
		for more := true; more; {
			// One more than may be looked at is read, which tells whether there is a next page.
			limit := min(q.Scan-looked+1, max(pageRows, q.Limit-len(cases)+1))
			rows, err := r.pageOf(name, after, q, limit)
			if err != nil {
				return nil, nil, fmt.Errorf("listing cases: %w", err)
			}
			for i := range rows {
				if looked == q.Scan || len(cases) == q.Limit {
					return cases, &complaint.CaseKey{Channel: name, CaseID: after}, nil
				}
				looked++
				after = rows[i].CaseID
				if q.Takes(&rows[i].Case) {
					cases = append(cases, rows[i].Case)
				}
			}
			more = len(rows) == limit
		}
	}
	return cases, nil, nil
}

// pageOf reads cases of one channel in their order.
func (r *reader) pageOf(channel, after string, q store.PageQuery, limit int) ([]scanned, error) {
	id, err := r.channel(channel)
	if err != nil || id == 0 {
		return nil, err
	}
	part := ""
	switch {
	// The conditions of the partial indexes; an open case is live.
	case q.Overdue != nil && *q.Overdue:
		part = " AND c.overdue"
	case q.Live || q.Open != nil && *q.Open:
		part = " AND c.live"
	}
	return r.list("c.channel = $1 AND c.case_id > $2"+part+" ORDER BY c.case_id LIMIT $3",
		func(a *args) { a.int4(id); a.text(after); a.int8(int64(limit)) })
}

// pageChannels are the channels of a page in the order of their names.
func (r *reader) pageChannels(q store.PageQuery) (names []string, err error) {
	if q.Channel != "" {
		if q.After != nil && q.After.Channel != q.Channel {
			return nil, errors.New("a page of one channel cannot go on in another")
		}
		return []string{q.Channel}, nil
	}
	from := ""
	if q.After != nil {
		from = q.After.Channel
	}
	err = r.query("SELECT id, name FROM channels WHERE name >= $1 ORDER BY name", func(a *args) { a.text(from) }, func(row *row) error {
		id, name := row.int4(), row.text()
		r.learn(id, name)
		names = append(names, name)
		return nil
	})
	return names, err
}
