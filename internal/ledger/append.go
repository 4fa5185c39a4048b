package ledger

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

// Bounds of one case: what a citizen can add to it without end is bounded lower than what the city
// adds, so that nobody can keep an answer from being taken.
const (
	maxCitizenEvents = 2000
	maxCaseEvents    = store.PortionEvents
)

// Append stores the events of a batch that are new and, with them, the source's position. It returns
// when both are durable. A *RefusalError says why nothing was stored; any other error leaves it unknown.
func (l *Ledger) Append(ctx context.Context, channel string, in ledgerapi.AppendRequest) (ledgerapi.AppendResponse, error) {
	l.mu.RLock()
	rules := l.policy.Channel(channel)
	storeHandles := l.policy != nil && l.policy.Retention.StoreHandles
	l.mu.RUnlock()
	switch {
	case rules == nil:
		return ledgerapi.AppendResponse{}, unknownChannel()
	case rules.Channel.Suspended:
		return ledgerapi.AppendResponse{}, refuse(Forbidden, "the channel is suspended")
	case len(in.Events) > ledgerapi.MaxBatchEvents:
		return ledgerapi.AppendResponse{}, refuse(Invalid, "events: has %d entries, at most %d are allowed", len(in.Events), ledgerapi.MaxBatchEvents)
	case len(in.Returned) > ledgerapi.MaxBatchEvents:
		return ledgerapi.AppendResponse{}, refuse(Invalid, "returned: has %d entries, at most %d are allowed", len(in.Returned), ledgerapi.MaxBatchEvents)
	case len(in.Cursor) > ledgerapi.MaxCursorBytes:
		return ledgerapi.AppendResponse{}, refuse(Invalid, "cursor: has %d bytes, at most %d are allowed", len(in.Cursor), ledgerapi.MaxCursorBytes)
	case in.Cursor != nil && !json.Valid(in.Cursor):
		return ledgerapi.AppendResponse{}, refuse(Invalid, "cursor: must be JSON")
	}
	s := &submission{previousGeneration: in.PreviousGeneration, earlier: map[string][][]byte{}}
	if in.Cursor != nil && !bytes.Equal(in.Cursor, []byte("null")) {
		s.cursor = in.Cursor
	}
	if in.ObservedThrough != nil {
		s.through = in.ObservedThrough.UnixMicro()
	}
	r := &request{channel: channel, submission: s, bytes: requestBytes + len(in.Cursor)}
	now := l.now()
	for i := range in.Events {
		e, err := l.prepare(in.Events[i], channel, now, storeHandles, s)
		if err != nil && unknownWord(&in.Events[i]) {
			r := refuse(Unavailable, "events: the kind, the actor or the status of one is not known to this version of the ledger, "+
				"which is older than the worker: update the ledger")
			r.RetryAfter = 10 * retryAfter
			return ledgerapi.AppendResponse{}, r
		}
		if err != nil {
			s.rejected = append(s.rejected, ledgerapi.Rejection{Index: i, Message: err.Error()})
			continue
		}
		if ask := in.Events[i].Thread; ask != nil {
			if s.threads == nil {
				s.threads = map[int]thread{}
			}
			s.threads[i] = thread{ask: ask, proposed: e.CaseID}
			for _, id := range ask.Quoted {
				r.bytes += len(id)
			}
		}
		s.events = append(s.events, e)
		s.index = append(s.index, i)
		r.bytes += weight(&e)
	}
	r.events = len(s.events)
	for i := range in.Returned {
		r.bytes += len(in.Returned[i].Event) + len(in.Returned[i].Message)
	}
	if len(in.Returned) > 0 {
		r.job = func(ctx context.Context, t *transaction) error { return t.returnReplies(ctx, channel, in.Returned) }
	}
	if err := l.do(ctx, r); err != nil {
		return ledgerapi.AppendResponse{}, err
	}
	return s.response, nil
}

// unknownWord reports whether an event has a word that another version of the program may know. A worker sends
// none that its own version does not, so that the ledger is older; the event is not to blame, and what is
// rejected is lost.
func unknownWord(e *complaint.Event) bool {
	return e.Kind != "" && !e.Kind.Valid() || e.Actor != "" && !e.Actor.Valid() || e.To != "" && !e.To.Valid()
}

// prepare brings an event into the form in which it is stored.
func (l *Ledger) prepare(in complaint.Event, channel string, now time.Time, storeHandles bool, s *submission) (store.Event, error) {
	if in.Channel == "" {
		in.Channel = channel
	}
	in.Cleared = false
	e := in.Normalize(now)
	if err := e.Validate(); err != nil {
		return store.Event{}, fmt.Errorf("%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	switch {
	case e.Channel != channel:
		return store.Event{}, fmt.Errorf("channel: must be the one of the request")
	case strings.ContainsRune(e.ID+e.CaseID+e.Into, 0):
		return store.Event{}, fmt.Errorf("id, case, into: must not hold a NUL character")
	}
	e.Thread = nil
	e.Text = plain(e.Text)
	e.Attributes = plainAttributes(e.Attributes)
	out := store.Event{Event: e, ReceivedAt: now.UTC().Truncate(time.Microsecond)}
	if e.Reporter != nil {
		var earlier [][]byte
		out.Pseudonym, earlier = l.pseudonyms.of(e.Reporter.Identity(channel))
		if len(earlier) > 0 {
			s.earlier[string(out.Pseudonym)] = earlier
		}
		if !storeHandles {
			out.Reporter = nil
		} else {
			out.Reporter = &complaint.Reporter{Phone: plain(e.Reporter.Phone), Email: plain(e.Reporter.Email), Handle: plain(e.Reporter.Handle)}
		}
	}
	return out, nil
}

// plain is a text that every store takes: valid UTF-8 without NUL characters.
func plain(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "")
	}
	if utf8.ValidString(s) { // many times faster than the search for what is not
		return s
	}
	return strings.ToValidUTF8(s, "\ufffd")
}

// findable says that a store can be asked for a text as a key: PostgreSQL refuses, with everything else in the
// transaction, what is not plain.
func findable(key string) bool { return plain(key) == key }

// plainAttributes are attributes of which every key and value is plain: the given ones, if they are.
func plainAttributes(attributes map[string]string) map[string]string {
	for k, v := range attributes {
		if plain(k) == k && plain(v) == v {
			continue
		}
		made := make(map[string]string, len(attributes))
		for k, v := range attributes {
			made[plain(k)] = plain(v)
		}
		return made
	}
	return attributes
}

// cut is the beginning of a text of at most limit bytes, without a torn character.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return plain(s)
	}
	return strings.TrimRight(plain(s[:limit]), "\ufffd")
}

// weight is about what an event takes in memory.
func weight(e *store.Event) int {
	n := requestBytes + len(e.Text) + len(e.ID) + len(e.CaseID)
	for k, v := range e.Attributes {
		n += len(k) + len(v)
	}
	return n
}

// submissions stores the events of all appends together and judges the cases they belong to.
func (t *transaction) submissions(ctx context.Context, group []*request) error {
	var accepted []*request
	for _, r := range group {
		if r.submission == nil {
			continue
		}
		if r.err = t.admit(r); r.err == nil {
			accepted = append(accepted, r)
		}
	}
	if err := t.converse(ctx, accepted); err != nil {
		return err
	}
	rows, err := t.known(ctx, accepted)
	if err != nil {
		return err
	}
	var events []store.Event
	for _, r := range accepted {
		r.submission.bound(rows)
		events = append(events, r.submission.events...)
		maps.Copy(t.earlier, r.submission.earlier)
		t.recognise(r.submission.earlier)
	}
	if len(events) == 0 {
		t.answer(accepted, nil)
		return nil
	}
	inserted, err := t.tx.InsertEvents(ctx, events)
	if err != nil {
		return err
	}
	t.answer(accepted, inserted)
	t.noteKeys(events, inserted)
	return t.judge(ctx, touch(rows, events, inserted))
}

// admit checks what only the transaction knows, and moves the source's position.
func (t *transaction) admit(r *request) error {
	s, c := r.submission, t.channel(r.channel)
	if rules := t.rules(r.channel); rules == nil {
		return unknownChannel()
	} else if rules.Channel.Suspended && !s.told {
		return refuse(Forbidden, "the channel is suspended")
	}
	if s.cursor != nil {
		if s.previousGeneration != c.row.Generation {
			return refuse(Conflict, "previousGeneration: is %d, but another worker has moved the cursor to generation %d",
				s.previousGeneration, c.row.Generation)
		}
		c.row.Cursor = s.cursor
		c.row.Generation++
		t.changed[r.channel] = true
	}
	if s.through != 0 && c.observe(fromMicros(s.through), t.at) {
		t.changed[r.channel], t.advanced[r.channel] = true, true
	}
	return nil
}

// known reads the cases that the requests' events belong to.
func (t *transaction) known(ctx context.Context, requests []*request) (map[complaint.CaseKey]*store.Case, error) {
	seen := map[complaint.CaseKey]bool{}
	var keys []complaint.CaseKey
	for _, r := range requests {
		for i := range r.submission.events {
			if k := r.submission.events[i].Key(); !seen[k] {
				seen[k] = true
				keys = append(keys, k)
			}
		}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	slices.SortFunc(keys, compareKeys) // one order of locking for all
	if err := t.expect(ctx, keys, requests); err != nil {
		return nil, err
	}
	rows, err := t.tx.Cases(ctx, keys)
	if err != nil {
		return nil, err
	}
	known := make(map[complaint.CaseKey]*store.Case, len(keys))
	for i, k := range keys {
		if rows[i] != nil {
			known[k] = rows[i]
		}
	}
	return known, nil
}

// expect has a store whose every answer is a round trip away read at once what the requests will ask for.
func (t *transaction) expect(ctx context.Context, keys []complaint.CaseKey, requests []*request) error {
	expecter, is := t.tx.Tx.(store.Expecter)
	if !is {
		return nil
	}
	expected := store.Expected{Cases: keys, Events: make([]store.EventKey, 0, len(keys)), Reporters: make([]store.ReporterQuery, 0, len(keys))}
	for _, r := range requests {
		for i := range r.submission.events {
			e := &r.submission.events[i]
			expected.Events = append(expected.Events, store.EventKey{Channel: e.Channel, ID: e.ID})
			if e.Kind == complaint.KindReceived && e.Pseudonym != nil {
				expected.Reporters = append(expected.Reporters, t.related(e.Pseudonym, r.submission.earlier, e.OccurredAt)...)
			}
		}
	}
	return expecter.Expect(ctx, expected)
}

// bound rejects the events of cases that are full.
func (s *submission) bound(rows map[complaint.CaseKey]*store.Case) {
	if s.told {
		return
	}
	kept := 0
	for i := range s.events {
		limit := maxCaseEvents
		if k := s.events[i].Kind; k == complaint.KindReceived || k == complaint.KindCitizenMessage || k == complaint.KindEdited {
			limit = maxCitizenEvents
		}
		if row := rows[s.events[i].Key()]; row != nil && row.Events >= limit {
			s.rejected = append(s.rejected, ledgerapi.Rejection{
				Index: s.index[i], Message: fmt.Sprintf("case: has %d events already, no more of this kind are taken", row.Events),
			})
			continue
		}
		s.events[kept], s.index[kept] = s.events[i], s.index[i]
		kept++
	}
	s.events, s.index = s.events[:kept], s.index[:kept]
	slices.SortFunc(s.rejected, func(a, b ledgerapi.Rejection) int { return cmp.Compare(a.Index, b.Index) })
}

// answer fills in the responses and counts what became of the events; inserted has the events of all
// requests in their order.
func (t *transaction) answer(requests []*request, inserted []bool) {
	for _, r := range requests {
		s, c := r.submission, t.channel(r.channel)
		s.response = ledgerapi.AppendResponse{Rejected: s.rejected, CursorGeneration: c.row.Generation}
		for i := range s.events {
			if !inserted[i] {
				s.response.Duplicate++
				continue
			}
			s.response.Accepted++
			if at := s.events[i].OccurredAt; at.After(c.row.LastEventAt) {
				c.row.LastEventAt = at
				t.changed[r.channel] = true
			}
		}
		inserted = inserted[min(len(s.events), len(inserted)):]
		k := channelKey(familyIngest, r.channel)
		t.figures.add(k, ingestAccepted, int64(s.response.Accepted))
		t.figures.add(k, ingestDuplicate, int64(s.response.Duplicate))
		t.figures.add(k, ingestRejected, int64(len(s.response.Rejected)))
	}
}

// touch gathers the cases that new events belong to; a new case has all its events here.
func touch(rows map[complaint.CaseKey]*store.Case, events []store.Event, inserted []bool) []*touched {
	cases := map[complaint.CaseKey]*touched{}
	var list []*touched
	for i := range events {
		if !inserted[i] {
			continue
		}
		k := events[i].Key()
		c := cases[k]
		if c == nil {
			c = &touched{key: k, row: rows[k]}
			cases[k] = c
			list = append(list, c)
			if c.row != nil {
				c.fresh = map[string]bool{}
			}
		}
		if c.row == nil {
			c.events = append(c.events, events[i])
		} else {
			c.fresh[events[i].ID] = true
		}
	}
	return list
}

func compareKeys(a, b complaint.CaseKey) int {
	return cmp.Or(cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.CaseID, b.CaseID))
}

func compareText(a, b string) int { return cmp.Compare(a, b) }

func sortedNames(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }
