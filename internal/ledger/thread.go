package ledger

import (
	"context"
	"slices"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

const (
	// maxThreads is how many cases of one person are considered, the latest ones.
	maxThreads = 16
	// redelivery is how late a platform may deliver a message that was answered in the meantime.
	redelivery = 8 * 24 * time.Hour
)

// thread is what an event asks of its case, and the name that a new case gets.
type thread struct {
	ask      *complaint.Thread
	proposed string
}

// conversation is a case as far as it matters to which one a message belongs.
type conversation struct {
	caseID string
	// first and last are the instants of what was said.
	first, last time.Time
	// received says that a citizen wrote, and not just the city; waiting that somebody awaits a reply.
	received, waiting bool
}

// talk is what is known of the conversations of one channel.
type talk struct {
	// cases has each once, by its identifier; of are those of a person by the pseudonym.
	cases map[string]*conversation
	of    map[string][]*conversation
	// events has the cases of events that are known.
	events map[string]string
}

// converse finds the cases of the events that ask for it. It runs inside the transaction that stores them,
// and cases are found by what is stored and by the events before in the same transaction; so whoever
// delivers what, twice or side by side, a person's messages come together.
func (t *transaction) converse(ctx context.Context, requests []*request) error {
	talks := map[string]*talk{}
	for _, r := range requests {
		s := r.submission
		if len(s.threads) == 0 {
			continue
		}
		k := talks[r.channel]
		if k == nil {
			k = &talk{cases: map[string]*conversation{}, of: map[string][]*conversation{}, events: map[string]string{}}
			talks[r.channel] = k
		}
		if err := t.listen(ctx, k, r.channel, s); err != nil {
			return err
		}
		for i := range s.events {
			if ask, ok := s.threads[s.index[i]]; ok {
				s.events[i].CaseID = k.find(&s.events[i], ask)
			}
		}
	}
	return nil
}

// listen reads the conversations that the events of a submission may belong to.
func (t *transaction) listen(ctx context.Context, k *talk, channel string, s *submission) error {
	var ids []string
	var people []store.ReporterQuery
	var whose []string
	for i := range s.events {
		e := &s.events[i]
		ask, ok := s.threads[s.index[i]]
		if !ok {
			continue
		}
		for _, id := range append([]string{e.ID}, ask.ask.Quoted...) {
			// A platform may have anything quoted; what is not findable is no event's.
			if _, known := k.events[id]; !known && findable(id) {
				k.events[id] = ""
				ids = append(ids, id)
			}
		}
		name := string(e.Pseudonym)
		if _, known := k.of[name]; known || name == "" {
			continue
		}
		k.of[name] = nil
		for _, p := range append([][]byte{e.Pseudonym}, s.earlier[name]...) {
			people = append(people,
				store.ReporterQuery{Pseudonym: p, To: farFuture(), Limit: maxThreads},
				store.ReporterQuery{Pseudonym: p, Unreceived: true, Limit: maxThreads})
			whose = append(whose, name, name)
		}
	}
	found, err := t.tx.CasesOfEvents(ctx, channel, ids)
	if err != nil {
		return err
	}
	var keys []complaint.CaseKey
	want := func(caseID string) {
		if k.cases[caseID] == nil {
			k.cases[caseID] = &conversation{caseID: caseID}
			keys = append(keys, complaint.CaseKey{Channel: channel, CaseID: caseID})
		}
	}
	for i, id := range ids {
		if k.events[id] = found[i]; found[i] != "" {
			want(found[i])
		}
	}
	theirs, err := t.tx.ByReporter(ctx, people)
	if err != nil {
		return err
	}
	for i, cases := range theirs {
		for j := range cases {
			if c := &cases[j]; c.Channel == channel {
				want(c.CaseID)
				k.of[whose[i]] = append(k.of[whose[i]], k.cases[c.CaseID])
			}
		}
	}
	return t.recall(ctx, k, keys)
}

// farFuture is later than any event.
func farFuture() time.Time { return time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) }

// recall reads what was said in cases.
func (t *transaction) recall(ctx context.Context, k *talk, keys []complaint.CaseKey) error {
	if len(keys) == 0 {
		return nil
	}
	rows, err := t.tx.Cases(ctx, keys)
	if err != nil {
		return err
	}
	heard := func(row **store.Case) int {
		if *row == nil {
			return 0
		}
		return (*row).Events
	}
	for some := range store.Portions(rows, heard) {
		events, err := t.tx.Events(ctx, keys[:len(some)])
		if err != nil {
			return err
		}
		for i, row := range some {
			c := k.cases[keys[i].CaseID]
			for j := range events[i] {
				c.add(&events[i][j].Event)
			}
			c.waiting = row != nil && !row.WaitingSince.IsZero()
		}
		keys = keys[len(some):]
	}
	return nil
}

// add takes in an event.
func (c *conversation) add(e *complaint.Event) {
	c.received = c.received || e.Kind == complaint.KindReceived
	if c.first.IsZero() || e.OccurredAt.Before(c.first) {
		c.first = e.OccurredAt
	}
	if e.OccurredAt.After(c.last) {
		c.last = e.OccurredAt
	}
}

// find is the case of an event, which is taken into account for those that follow.
func (k *talk) find(e *store.Event, ask thread) string {
	if known := k.events[e.ID]; known != "" {
		return known // it is a repetition
	}
	c := k.quoted(e, ask.ask)
	if c == nil && ask.ask.WindowSeconds > 0 && e.Kind != complaint.KindRedacted {
		// Only the case of what is taken back may lose its content.
		c = choose(k.of[string(e.Pseudonym)], &e.Event, ask.ask.Window())
	}
	if c == nil {
		if c = k.cases[ask.proposed]; c == nil {
			c = &conversation{caseID: ask.proposed}
			k.cases[c.caseID] = c
		}
	}
	c.add(&e.Event)
	c.waiting = e.Actor == complaint.ActorCitizen || c.waiting && e.Kind != complaint.KindAnswered
	if name := string(e.Pseudonym); name != "" && !slices.Contains(k.of[name], c) {
		k.of[name] = append(k.of[name], c)
	}
	k.events[e.ID] = c.caseID
	return c.caseID
}

// quoted is the case of the first event that is quoted and known.
func (k *talk) quoted(e *store.Event, ask *complaint.Thread) *conversation {
	for _, id := range ask.Quoted {
		if c := k.cases[k.events[id]]; c != nil && (c.received || !c.first.Before(e.OccurredAt) || e.Actor != complaint.ActorCitizen) {
			return c
		}
	}
	return nil
}

// choose is the conversation of a person that an event belongs to; nil is none.
//
// A citizen's message belongs to a conversation if it was written within the window of something said in
// it, before or after; or, where the city's answer arrived before what it answers, to that answer. What the
// city wrote of its own accord earlier is no conversation that a complaint could have been answered in.
//
// A word of the city belongs to the latest conversation that began before, if it is within its window or
// somebody still waits there.
func choose(conversations []*conversation, e *complaint.Event, window time.Duration) *conversation {
	at := e.OccurredAt
	var best *conversation
	for _, c := range conversations {
		within := !at.Before(c.first.Add(-window)) && !at.After(c.last.Add(window))
		var belongs bool
		switch {
		case e.Actor != complaint.ActorCitizen:
			belongs = c.received && !c.first.After(at) && (within || c.waiting)
		case c.received:
			belongs = within
		default:
			belongs = !c.first.Before(at) && c.first.Sub(at) <= max(window, redelivery)
		}
		if belongs && (best == nil || closer(c, best, at)) {
			best = c
		}
	}
	return best
}

// closer says that a conversation is to be preferred to another: the latest that had begun by then, else
// the next to begin.
func closer(a, b *conversation, at time.Time) bool {
	begunA, begunB := !a.first.After(at), !b.first.After(at)
	if begunA != begunB {
		return begunA
	}
	if order := a.first.Compare(b.first); order != 0 {
		return begunA == (order > 0)
	}
	return a.caseID < b.caseID
}
