package postgres

import (
	"context"
	"fmt"
	"slices"

	"github.com/tanggap/tanggap/internal/ledger/store"
)

// reporterKey is a query for a reporter's cases.
type reporterKey struct {
	pseudonym       string
	from, to, limit int64
}

func keyOf(q *store.ReporterQuery) reporterKey {
	return reporterKey{string(q.Pseudonym), q.From.UnixMicro(), q.To.UnixMicro(), int64(q.Limit)}
}

// Expect implements store.Expecter: an ordinary transaction then has two round trips, one that begins it and
// reads, and one that writes and commits.
func (t *tx) Expect(_ context.Context, expected store.Expected) error {
	if err := t.expect(expected); err != nil {
		return fmt.Errorf("reading ahead: %w", err)
	}
	return nil
}

// expect makes known what is not: the cases, whether events are there, and what the queries would find. A case
// that is not in the database gets the next number, which is used when it is put.
func (t *tx) expect(expected store.Expected) error {
	cases := without(expected.Cases, func(k *key) bool { return t.known[*k] != nil })
	events := without(expected.Events, t.looked)
	queries := without(expected.Reporters, t.asked)
	if len(cases)+len(events)+len(queries) == 0 {
		return nil
	}
	if err := t.findChannels(channelsOf(cases, events)); err != nil {
		return err
	}
	var found, related []scanned
	err := t.askCases(cases, &found)
	if err == nil {
		err = t.askEvents(events)
	}
	if err == nil && len(queries) > 0 {
		err = t.ask(byReporter, true, func(a *args) { bindReporters(a, queries) }, &related)
	}
	if err == nil {
		err = t.flush()
	}
	if err == nil {
		err = t.nameChannels(found)
	}
	if err == nil {
		err = t.nameChannels(related)
	}
	if err != nil {
		return err
	}
	t.remember(found)
	added := make([]known, len(cases))
	for i, k := range cases {
		if t.known[k] == nil {
			t.head.lastRef++
			added[i].ref = t.head.lastRef
			t.known[k] = &added[i]
		}
	}
	for i := range related {
		k := keyOf(&queries[related[i].of])
		t.related[k] = append(t.related[k], related[i].Case)
	}
	return nil
}

// looked reports whether an event was looked for; it is now.
func (t *tx) looked(k *store.EventKey) bool {
	_, looked := t.there[*k]
	if !looked {
		t.there[*k] = false
	}
	return looked
}

// asked reports whether a query need not be read ahead, or was; it is now.
func (t *tx) asked(q *store.ReporterQuery) bool {
	if q.Unreceived {
		return true
	}
	k := keyOf(q)
	_, asked := t.related[k]
	if !asked {
		t.related[k] = nil
	}
	return asked
}

// askEvents queues the look for events.
func (t *tx) askEvents(events []store.EventKey) error {
	if len(events) == 0 {
		return nil
	}
	return t.queue(eventsThere, func(a *args) {
		int4s(a, events, func(e *store.EventKey) int32 { return t.ids[e.Channel] })
		texts(a, events, func(e *store.EventKey) string { return e.ID })
	}, func(r *row) error {
		place := int(r.int4()) - 1
		if place < 0 || place >= len(events) {
			r.fail()
			return r.err
		}
		t.there[events[place]] = true
		return nil
	})
}

// channelsOf are the channels of keys; neighbours of one channel are named once.
func channelsOf(cases []key, events []store.EventKey) []string {
	names := make([]string, 0, 1)
	for i := range cases {
		if i == 0 || cases[i].Channel != cases[i-1].Channel {
			names = append(names, cases[i].Channel)
		}
	}
	for i := range events {
		if i == 0 || events[i].Channel != events[i-1].Channel {
			names = append(names, events[i].Channel)
		}
	}
	return names
}

// without are the rows that drop does not report: mostly all of them.
func without[R any](rows []R, drop func(*R) bool) []R {
	kept := rows
	for i := range rows {
		switch dropped := drop(&rows[i]); {
		case dropped && len(kept) == len(rows):
			kept = slices.Clone(rows[:i])
		case !dropped && len(kept) < len(rows):
			kept = append(kept, rows[i])
		}
	}
	return kept
}

// span are the instants between two, in microseconds since 1970.
type span struct{ first, last int64 }

// reported notes for the queries read ahead that a case of a reporter stands, or stood, at an instant.
func (t *tx) reported(c *store.Case) {
	if len(t.related) == 0 || c.Pseudonym == nil || c.ReceivedAt.IsZero() {
		return
	}
	at := c.ReceivedAt.UnixMicro()
	written, some := t.written[string(c.Pseudonym)]
	if !some {
		written = span{at, at}
	}
	t.written[string(c.Pseudonym)] = span{min(written.first, at), max(written.last, at)}
}

// ahead is what a query would find, if that was read ahead and nothing written since is concerned.
func (t *tx) ahead(q *store.ReporterQuery) (cases []store.Case, known bool) {
	k := keyOf(q)
	cases, known = t.related[k]
	if written, some := t.written[k.pseudonym]; some && written.last >= k.from && written.first < k.to {
		known = false
	}
	if !known || q.Unreceived {
		return nil, false
	}
	return cases, true
}

// ByReporter implements store.Reader, with what this transaction has added.
func (t *tx) ByReporter(ctx context.Context, queries []store.ReporterQuery) ([][]store.Case, error) {
	found := make([][]store.Case, len(queries))
	var rest []store.ReporterQuery
	var places []int
	for i := range queries {
		cases, known := t.ahead(&queries[i])
		if found[i] = cases; !known {
			rest, places = append(rest, queries[i]), append(places, i)
		}
	}
	if len(rest) == 0 {
		return found, nil
	}
	cases, err := t.reader.ByReporter(ctx, rest)
	for i := range cases {
		found[places[i]] = cases[i]
	}
	return found, err
}
