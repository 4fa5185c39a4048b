package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

const (
	markClamped = 1 << iota
	markCleared
)

var (
	// The columns stand in the order of the table, so that the server need not put them into it.
	insertEvents = `INSERT INTO events (case_ref, at, received_at, latitude, longitude, channel, marks, id, kind, actor, to_status, into_case,
	text, attributes, pseudonym, handles) SELECT ` +
		columns("", "bigint, bigint, bigint, double precision, double precision, integer, smallint, text, text, text, text, text, text, text, bytea, text")

	// eventsThere finds the places of events that are there.
	eventsThere = "SELECT u.n FROM (SELECT " + numbered("channel, id", "integer, text") + `) u
	CROSS JOIN LATERAL (SELECT FROM events e WHERE e.channel = u.channel AND e.id = u.id LIMIT 1) e`

	// Nothing is inserted: only what is there meets the conflict.
	replaceEvents = `INSERT INTO events (channel, id, kind, marks, latitude, longitude, text, attributes, pseudonym, handles,
	case_ref, actor, at, received_at)
	SELECT u.*, e.case_ref, e.actor, e.at, e.received_at FROM (SELECT ` +
		columns("channel, id, kind, marks, latitude, longitude, text, attributes, pseudonym, handles",
			"integer, text, text, smallint, double precision, double precision, text, text, bytea, text") + `) u
	CROSS JOIN LATERAL (SELECT * FROM events e WHERE e.channel = u.channel AND e.id = u.id LIMIT 1) e
	ON CONFLICT (channel, id) DO UPDATE SET kind = excluded.kind, marks = excluded.marks, text = excluded.text,
	attributes = excluded.attributes, latitude = excluded.latitude, longitude = excluded.longitude,
	pseudonym = excluded.pseudonym, handles = excluded.handles`
)

// putEvent is an event on its way into its row.
type putEvent struct {
	*store.Event
	channel int32
	ref     int64
}

// InsertEvents implements store.Tx.
func (t *tx) InsertEvents(_ context.Context, events []store.Event) ([]bool, error) {
	inserted := make([]bool, len(events))
	if len(events) == 0 {
		return inserted, nil
	}
	t.wrote = true
	if err := t.insertEvents(events, inserted); err != nil {
		return nil, fmt.Errorf("inserting events: %w", err)
	}
	return inserted, nil
}

// insertEvents inserts what is not there. Under the lock of the transaction nobody else inserts between the
// look and the insertion, so that the server need not look for conflicts; a second row of a key would be an
// error of the primary key.
func (t *tx) insertEvents(events []store.Event, inserted []bool) error {
	cases, err := t.lookupEvents(events)
	if err != nil {
		return err
	}
	rows := make([]putEvent, 0, len(events))
	for i := range events {
		k := store.EventKey{Channel: events[i].Channel, ID: events[i].ID}
		if t.there[k] {
			continue
		}
		t.there[k], inserted[i] = true, true
		cases[i].events++
		rows = append(rows, putEvent{&events[i], t.ids[events[i].Channel], cases[i].ref})
	}
	if len(rows) == 0 {
		return nil
	}
	return t.queue(insertEvents, func(a *args) {
		int8s(a, rows, func(e *putEvent) int64 { return e.ref })
		times(a, rows, func(e *putEvent) time.Time { return e.OccurredAt })
		times(a, rows, func(e *putEvent) time.Time { return e.ReceivedAt })
		bindPlaces(a, rows)
		int4s(a, rows, func(e *putEvent) int32 { return e.channel })
		int2s(a, rows, (*putEvent).marks)
		texts(a, rows, func(e *putEvent) string { return e.ID })
		texts(a, rows, func(e *putEvent) string { return string(e.Kind) })
		texts(a, rows, func(e *putEvent) string { return string(e.Actor) })
		optionals(a, rows, func(e *putEvent) string { return string(e.To) })
		optionals(a, rows, func(e *putEvent) string { return e.Into })
		bindContent(a, rows)
	}, nil)
}

// lookupEvents finds the channels and cases of events, and whether the events are there.
func (t *tx) lookupEvents(events []store.Event) ([]*known, error) {
	expected := store.Expected{Cases: make([]key, len(events)), Events: make([]store.EventKey, len(events))}
	for i := range events {
		expected.Cases[i] = events[i].Key()
		expected.Events[i] = store.EventKey{Channel: events[i].Channel, ID: events[i].ID}
	}
	if err := t.expect(expected); err != nil {
		return nil, err
	}
	if err := t.channelsForInsert(channelsOf(nil, expected.Events)); err != nil {
		return nil, err
	}
	cases := make([]*known, len(events))
	for i := range events {
		cases[i] = t.known[expected.Cases[i]]
		if cases[i].events >= store.MaxCaseEvents {
			return nil, fmt.Errorf("a case has %d already", cases[i].events)
		}
	}
	return cases, nil
}

func (e *putEvent) marks() (marks int16) {
	if e.Clamped {
		marks |= markClamped
	}
	if e.Cleared {
		marks |= markCleared
	}
	return marks
}

// bindPlaces binds latitude and longitude.
func bindPlaces(a *args, events []putEvent) {
	floats(a, events, func(e *putEvent) (float64, bool) {
		if e.Location == nil {
			return 0, false
		}
		return e.Location.Latitude, true
	})
	floats(a, events, func(e *putEvent) (float64, bool) {
		if e.Location == nil {
			return 0, false
		}
		return e.Location.Longitude, true
	})
}

// bindContent binds text, attributes, pseudonym and handles.
func bindContent(a *args, events []putEvent) {
	optionals(a, events, func(e *putEvent) string { return e.Text })
	objects(a, events, func(e *putEvent) map[string]string { return e.Attributes })
	byteas(a, events, func(e *putEvent) []byte { return e.Pseudonym })
	documents(a, events, func(e *putEvent) *complaint.Reporter { return e.Reporter })
}

// ReplaceEvents implements store.Tx.
func (t *tx) ReplaceEvents(_ context.Context, events []store.Event) error {
	if len(events) == 0 {
		return nil
	}
	t.wrote = true
	events = lastOf(events, func(e *store.Event) [2]string { return [2]string{e.Channel, e.ID} })
	names := make([]string, 0, 1)
	for i := range events {
		if i == 0 || events[i].Channel != events[i-1].Channel {
			names = append(names, events[i].Channel)
		}
	}
	err := t.findChannels(names)
	if err == nil {
		rows := make([]putEvent, len(events))
		for i := range events {
			rows[i] = putEvent{Event: &events[i], channel: t.ids[events[i].Channel]}
		}
		err = t.queue(replaceEvents, func(a *args) {
			int4s(a, rows, func(e *putEvent) int32 { return e.channel })
			texts(a, rows, func(e *putEvent) string { return e.ID })
			texts(a, rows, func(e *putEvent) string { return string(e.Kind) })
			int2s(a, rows, (*putEvent).marks)
			bindPlaces(a, rows)
			bindContent(a, rows)
		}, nil)
	}
	if err != nil {
		return fmt.Errorf("replacing events: %w", err)
	}
	return nil
}

// eventColumns are the place of the case and what readEvent reads.
const eventColumns = `u.n, e.id, e.kind, e.actor, e.at, e.received_at, e.to_status, e.into_case, e.marks, e.text, e.attributes,
	e.latitude, e.longitude, e.pseudonym, e.handles`

var (
	eventsByKey = "SELECT " + eventColumns + " FROM (SELECT " + numbered("channel, case_id", "integer, text") + `) u
	CROSS JOIN LATERAL (SELECT c.ref FROM cases c WHERE c.channel = u.channel AND c.case_id = u.case_id LIMIT 1) c
	CROSS JOIN LATERAL (SELECT * FROM events e WHERE e.case_ref = c.ref OFFSET 0) e`
	eventsByRef = "SELECT " + eventColumns + " FROM (SELECT " + numbered("ref", "bigint") + `) u
	CROSS JOIN LATERAL (SELECT * FROM events e WHERE e.case_ref = u.ref OFFSET 0) e`
)

// Events implements store.Reader.
func (r *reader) Events(_ context.Context, keys []complaint.CaseKey) ([][]store.Event, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.Channel
	}
	if err := r.findChannels(names); err != nil {
		return nil, fmt.Errorf("reading events: %w", err)
	}
	return r.events(keys, eventsByKey, func(a *args) {
		int4s(a, keys, func(k *key) int32 { return r.ids[k.Channel] })
		texts(a, keys, func(k *key) string { return k.CaseID })
	})
}

// Events implements store.Reader, with what this transaction has added.
func (t *tx) Events(_ context.Context, keys []complaint.CaseKey) ([][]store.Event, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	if err := t.lookup(keys); err != nil {
		return nil, fmt.Errorf("reading events: %w", err)
	}
	return t.events(keys, eventsByRef,
		func(a *args) { int8s(a, keys, func(k *key) int64 { return t.known[*k].ref }) })
}

// events reads the events of cases by one of the statements.
func (r *reader) events(keys []complaint.CaseKey, sql string, bind func(*args)) ([][]store.Event, error) {
	events := make([][]store.Event, len(keys))
	err := r.query(sql, bind, func(row *row) error {
		of := int(row.int4()) - 1
		if of < 0 || of >= len(keys) {
			row.fail()
			return row.err
		}
		events[of] = append(events[of], readEvent(row, keys[of]))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading events: %w", err)
	}
	return events, nil
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
	marks := r.int2()
	e.Clamped, e.Cleared = marks&markClamped != 0, marks&markCleared != 0
	e.Text = r.text()
	r.json(&e.Attributes)
	latitude, somewhere := r.float()
	longitude, _ := r.float()
	if somewhere {
		e.Location = &complaint.Location{Latitude: latitude, Longitude: longitude}
	}
	e.Pseudonym = r.bytea()
	r.json(&e.Reporter)
	return e
}

// caseOfEvent is where an event belongs.
type caseOfEvent struct {
	of     int32
	ref    int64
	caseID string
}

var casesByEvent = "SELECT u.n, e.case_ref, c.case_id FROM (SELECT " + numbered("id", "text") + `) u
	CROSS JOIN LATERAL (SELECT * FROM events e WHERE e.channel = $2 AND e.id = u.id LIMIT 1) e
	LEFT JOIN LATERAL (SELECT * FROM cases c WHERE c.ref = e.case_ref LIMIT 1) c ON true`

func (r *reader) casesOfEvents(channel string, ids []string) (found []caseOfEvent, err error) {
	of, err := r.channel(channel)
	if err != nil || of == 0 || len(ids) == 0 {
		return nil, err
	}
	err = r.query(casesByEvent,
		func(a *args) { texts(a, ids, func(id *string) string { return *id }); a.int4(of) },
		func(row *row) error {
			found = append(found, caseOfEvent{row.int4() - 1, row.int8(), row.text()})
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("looking for the cases of events: %w", err)
	}
	return found, nil
}

// CasesOfEvents implements store.Reader.
func (r *reader) CasesOfEvents(_ context.Context, channel string, ids []string) ([]string, error) {
	cases := make([]string, len(ids))
	found, err := r.casesOfEvents(channel, ids)
	for _, c := range found {
		cases[c.of] = c.caseID
	}
	return cases, err
}

// CasesOfEvents implements store.Reader, with what this transaction has added.
func (t *tx) CasesOfEvents(_ context.Context, channel string, ids []string) ([]string, error) {
	cases := make([]string, len(ids))
	found, err := t.casesOfEvents(channel, ids)
	fresh := map[int64]string{}
	for k, c := range t.known {
		fresh[c.ref] = k.CaseID
	}
	for _, c := range found {
		if cases[c.of] = c.caseID; c.caseID == "" {
			cases[c.of] = fresh[c.ref]
		}
	}
	return cases, err
}
