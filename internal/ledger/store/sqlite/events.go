package sqlite

import (
	"context"
	"fmt"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

// ordinalBits is how many bits of events.seq number the events of one case.
const ordinalBits = 20

const (
	markClamped = 1 << iota
	markCleared
)

const insertEvent = `INSERT INTO events (seq, channel, id, kind, actor, at, received_at, to_status, into_case,
	marks, text, attributes, latitude, longitude, pseudonym, handles)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (channel, id) DO NOTHING`

// InsertEvents implements store.Tx.
func (t *tx) InsertEvents(_ context.Context, events []store.Event) ([]bool, error) {
	t.wrote = t.wrote || len(events) > 0
	inserted := make([]bool, len(events))
	for i := range events {
		e := &events[i]
		c, err := t.lookup(e.Key())
		if err != nil {
			return nil, fmt.Errorf("inserting events: %w", err)
		}
		if c.events >= store.MaxCaseEvents {
			return nil, fmt.Errorf("inserting events: a case has %d already", c.events)
		}
		channel, err := t.channelForInsert(e.Channel)
		if err != nil {
			return nil, fmt.Errorf("inserting events: %w", err)
		}
		err = t.query(insertEvent, func(b *binder) {
			b.int(c.ref<<ordinalBits | c.events)
			b.int(channel)
			b.text(e.ID)
			b.text(string(e.Kind))
			b.text(string(e.Actor))
			b.time(e.OccurredAt)
			b.time(e.ReceivedAt)
			b.optional(string(e.To))
			b.optional(e.Into)
			bindContent(b, e)
		}, nil)
		if err != nil {
			return nil, fmt.Errorf("inserting events: %w", err)
		}
		if t.db.Changes() > 0 {
			inserted[i] = true
			c.events++
		}
	}
	return inserted, nil
}

// bindContent binds marks, text, attributes, latitude, longitude, pseudonym and handles.
func bindContent(b *binder, e *store.Event) {
	var marks int64
	if e.Clamped {
		marks |= markClamped
	}
	if e.Cleared {
		marks |= markCleared
	}
	b.int(marks)
	b.optional(e.Text)
	if len(e.Attributes) > 0 {
		b.json(e.Attributes)
	} else {
		b.null()
	}
	if e.Location != nil {
		b.float(e.Location.Latitude)
		b.float(e.Location.Longitude)
	} else {
		b.null()
		b.null()
	}
	b.blob(e.Pseudonym)
	if e.Reporter != nil {
		b.json(e.Reporter)
	} else {
		b.null()
	}
}

// ReplaceEvents implements store.Tx.
func (t *tx) ReplaceEvents(_ context.Context, events []store.Event) error {
	t.wrote = t.wrote || len(events) > 0
	for i := range events {
		e := &events[i]
		channel, err := t.channel(e.Channel)
		if err == nil {
			err = t.query(`UPDATE events SET kind = ?, marks = ?, text = ?, attributes = ?, latitude = ?, longitude = ?, pseudonym = ?, handles = ?
				WHERE channel = ? AND id = ?`, func(b *binder) {
				b.text(string(e.Kind))
				bindContent(b, e)
				b.int(channel)
				b.text(e.ID)
			}, nil)
		}
		if err != nil {
			return fmt.Errorf("replacing events: %w", err)
		}
	}
	t.cleared = t.cleared || len(events) > 0
	return nil
}

// Events implements store.Reader.
func (r reader) Events(_ context.Context, keys []complaint.CaseKey) ([][]store.Event, error) {
	events := make([][]store.Event, len(keys))
	for i, k := range keys {
		ref, found, err := r.readCase(k)
		if err == nil && found != nil {
			events[i], err = r.eventsOf(k, ref)
		}
		if err != nil {
			return nil, fmt.Errorf("reading events: %w", err)
		}
	}
	return events, nil
}

// Events implements store.Reader, with what this transaction has added.
func (t *tx) Events(_ context.Context, keys []complaint.CaseKey) ([][]store.Event, error) {
	events := make([][]store.Event, len(keys))
	for i, k := range keys {
		c, err := t.lookup(k)
		if err == nil {
			events[i], err = t.eventsOf(k, c.ref)
		}
		if err != nil {
			return nil, fmt.Errorf("reading events: %w", err)
		}
	}
	return events, nil
}

func (r reader) eventsOf(k key, ref int64) (events []store.Event, err error) {
	err = r.query(`SELECT id, kind, actor, at, received_at, to_status, into_case, marks, text, attributes, latitude, longitude, pseudonym, handles
		FROM events WHERE seq BETWEEN ? AND ?`,
		func(b *binder) { b.int(ref << ordinalBits); b.int(ref<<ordinalBits | (1<<ordinalBits - 1)) },
		func(r *row) error {
			events = append(events, readEvent(r, k))
			return nil
		})
	return events, err
}

func readEvent(r *row, k key) store.Event {
	e := store.Event{Event: complaint.Event{Channel: k.Channel, CaseID: k.CaseID}}
	e.ID = r.text()
	e.Kind = complaint.Kind(r.text())
	e.Actor = complaint.Actor(r.text())
	e.OccurredAt = r.time()
	e.ReceivedAt = r.time()
	e.To = complaint.Status(r.text())
	e.Into = r.text()
	marks := r.int()
	e.Clamped, e.Cleared = marks&markClamped != 0, marks&markCleared != 0
	e.Text = r.text()
	r.json(&e.Attributes)
	if r.null() {
		r.advance()
	} else {
		e.Location = &complaint.Location{Latitude: r.float(), Longitude: r.float()}
	}
	e.Pseudonym = r.blob()
	r.json(&e.Reporter)
	return e
}

// CasesOfEvents implements store.Reader.
func (r reader) CasesOfEvents(_ context.Context, channel string, ids []string) ([]string, error) {
	cases := make([]string, len(ids))
	of, err := r.channel(channel)
	if err != nil || of == 0 {
		return cases, err
	}
	for i, id := range ids {
		err := r.query("SELECT c.case_id FROM events e JOIN cases c ON c.ref = e.seq >> ? WHERE e.channel = ? AND e.id = ?",
			func(b *binder) { b.int(ordinalBits); b.int(of); b.text(id) },
			func(row *row) error { cases[i] = row.text(); return nil })
		if err != nil {
			return nil, fmt.Errorf("looking for the cases of events: %w", err)
		}
	}
	return cases, nil
}

// CasesOfEvents implements store.Reader, with what this transaction has added.
func (t *tx) CasesOfEvents(_ context.Context, channel string, ids []string) ([]string, error) {
	cases := make([]string, len(ids))
	of, err := t.channel(channel)
	if err != nil || of == 0 {
		return cases, err
	}
	fresh := map[int64]string{}
	for k, c := range t.known {
		fresh[c.ref] = k.CaseID
	}
	for i, id := range ids {
		err := t.query("SELECT e.seq >> ?, c.case_id FROM events e LEFT JOIN cases c ON c.ref = e.seq >> ? WHERE e.channel = ? AND e.id = ?",
			func(b *binder) { b.int(ordinalBits); b.int(ordinalBits); b.int(of); b.text(id) },
			func(row *row) error {
				ref := row.int()
				if cases[i] = row.text(); cases[i] == "" {
					cases[i] = fresh[ref]
				}
				return nil
			})
		if err != nil {
			return nil, fmt.Errorf("looking for the cases of events: %w", err)
		}
	}
	return cases, nil
}
