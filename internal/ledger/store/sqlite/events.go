package sqlite

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

// ordinalBits is how many bits of events.seq number the events of one case.
const ordinalBits = 20

const (
	markClamped = 1 << iota
	markCleared
)

// insertEvent stops at an error without undoing what it did: the whole transaction is undone then.
var insertEvent = newRows(`INSERT OR FAIL INTO events (seq, channel, id, kind, actor, at, received_at, to_status, into_case,
	marks, text, attributes, latitude, longitude, pseudonym, handles) VALUES `, 16, " ON CONFLICT (channel, id) DO NOTHING")

// newEvent is an event on its way into the table.
type newEvent struct {
	*store.Event
	index   int
	channel int64
	of      *known
	seq     int64
}

// InsertEvents implements store.Tx.
func (t *tx) InsertEvents(_ context.Context, events []store.Event) ([]bool, error) {
	t.wrote = t.wrote || len(events) > 0
	added, err := t.newEvents(events)
	if err != nil {
		return nil, fmt.Errorf("inserting events: %w", err)
	}
	inserted := make([]bool, len(events))
	err = insertEvent.each(len(added), func(sql string, from, to int) error {
		return t.insertEvents(sql, added[from:to], inserted)
	})
	if err != nil {
		return nil, fmt.Errorf("inserting events: %w", err)
	}
	return inserted, nil
}

// newEvents are the events without those that have the identifier of one before them, in the order of their
// cases' numbers.
func (t *tx) newEvents(events []store.Event) ([]newEvent, error) {
	type id struct {
		channel int64
		event   string
	}
	seen := make(map[id]struct{}, len(events))
	added := make([]newEvent, 0, len(events))
	if err := t.lookup(len(events), func(i int) key { return events[i].Key() }); err != nil {
		return nil, err
	}
	for i := range events {
		e := newEvent{Event: &events[i], index: i, of: t.known[events[i].Key()]}
		var err error
		if e.channel, err = t.channelForInsert(e.Channel); err != nil {
			return nil, err
		}
		seen[id{e.channel, e.ID}] = struct{}{}
		if len(seen) > len(added) {
			added = append(added, e)
		}
	}
	slices.SortStableFunc(added, func(a, b newEvent) int { return cmp.Compare(a.of.ref, b.of.ref) })
	return added, nil
}

// insertEvents inserts as many events as the statement takes, and says which were not there.
func (t *tx) insertEvents(sql string, events []newEvent, inserted []bool) error {
	for i := range events {
		e := &events[i]
		place := e.of.events
		if i > 0 && events[i-1].of == e.of {
			place = events[i-1].seq&(store.MaxCaseEvents-1) + 1
		}
		if place >= store.MaxCaseEvents {
			return fmt.Errorf("a case has %d already", place)
		}
		e.seq = e.of.ref<<ordinalBits | place
	}
	if err := t.query(sql, func(b *binder) { bindEvents(b, events) }, nil); err != nil {
		return err
	}
	all := t.db.Changes() == int64(len(events))
	for i := range events {
		e := &events[i]
		if !all {
			there, err := t.settle(e)
			if err != nil {
				return err
			}
			if !there {
				continue
			}
		}
		inserted[e.index] = true
		e.of.events++
	}
	return nil
}

// settle says whether an event was inserted, and moves it to the next place of its case: events before it may
// have been there already.
func (t *tx) settle(e *newEvent) (bool, error) {
	err := t.query("UPDATE events SET seq = ? WHERE seq = ?", func(b *binder) { b.int(e.of.ref<<ordinalBits | e.of.events); b.int(e.seq) }, nil)
	return t.db.Changes() > 0, err
}

func bindEvents(b *binder, events []newEvent) {
	for i := range events {
		e := &events[i]
		b.int(e.seq)
		b.int(e.channel)
		b.text(e.ID)
		b.text(string(e.Kind))
		b.text(string(e.Actor))
		b.time(e.OccurredAt)
		b.time(e.ReceivedAt)
		b.optional(string(e.To))
		b.optional(e.Into)
		bindContent(b, e.Event)
	}
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
	b.texts(e.Attributes)
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
	refs := make([]int64, len(keys))
	err := r.readCases(keys, func(i int, ref int64, _ store.Case) { refs[i] = ref })
	for i, ref := range refs {
		if err == nil && ref != 0 {
			events[i], err = r.eventsOf(keys[i], ref)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("reading events: %w", err)
	}
	return events, nil
}

// Events implements store.Reader, with what this transaction has added.
func (t *tx) Events(_ context.Context, keys []complaint.CaseKey) ([][]store.Event, error) {
	events := make([][]store.Event, len(keys))
	err := t.lookup(len(keys), func(i int) key { return keys[i] })
	for i, k := range keys {
		if err == nil {
			events[i], err = t.eventsOf(k, t.known[k].ref)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("reading events: %w", err)
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
