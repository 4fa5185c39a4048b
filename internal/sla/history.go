package sla

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
)

// phaseKind is what the statuses of a case, and whether it was merged, mean for its clocks.
type phaseKind uint8

const (
	phaseCancelled phaseKind = 1 << iota
	phaseResolved
	phaseAwaitingCitizen
	phaseAwaitingThirdParty
)

// pausing is the kind of phase in which a status may pause a clock; 0 if it never does.
func pausing(s complaint.Status) phaseKind {
	switch s {
	case complaint.StatusAwaitingCitizen:
		return phaseAwaitingCitizen
	case complaint.StatusAwaitingThirdParty:
		return phaseAwaitingThirdParty
	}
	return 0
}

// phase is a stretch of a case's life, from an instant to the beginning of the next one.
type phase struct {
	from time.Time
	kind phaseKind
}

// cycle is one wait for a reply after the first answer; stop is zero while it lasts.
type cycle struct{ start, stop time.Time }

// history is what the events of a case come to. The zero time is what has not happened.
type history struct {
	policy *Policy
	// resolvedAnswers says that an official's Resolved is an answer.
	resolvedAnswers bool

	received     time.Time
	assigned     time.Time // first
	acknowledged time.Time // first, by somebody who counts, answers included
	replied      time.Time // first Answered that is no acknowledgement, by somebody who counts
	answered     time.Time // replied, or an official's first Resolved where that is an answer
	resolved     time.Time // first Resolved, by anybody
	// officialResolved is the first Resolved by an official.
	officialResolved time.Time
	last             time.Time // event

	status     complaint.Status
	mergedInto string
	// cancelledAt and resolvedAt are set while the case is cancelled, or resolved.
	cancelledAt time.Time
	resolvedAt  time.Time
	waiting     time.Time // oldest word of the citizen that awaits a reply

	phases []phase
	cycles []cycle // the last one may last
}

// known lists the events that are known at the instant of evaluation, in their order and each once. The
// order is a total one, so that it depends on nothing but the set. buffer is used when it is large
// enough.
func known(in Input, buffer []*complaint.Event) []*complaint.Event {
	events, sorted := buffer, true
	for i := range in.Events {
		e := &in.Events[i]
		if e.OccurredAt.After(in.At) {
			continue
		}
		if n := len(events); n > 0 && sorted {
			sorted = complaint.Compare(events[n-1], e) < 0
		}
		events = append(events, e)
	}
	if !sorted {
		slices.SortFunc(events, compare)
	}
	return distinct(events)
}

// compare is complaint.Compare, made total for events that claim one ID and instant but differ.
func compare(a, b *complaint.Event) int {
	if order := complaint.Compare(a, b); order != 0 {
		return order
	}
	if order := cmp.Or(cmp.Compare(a.Actor, b.Actor), cmp.Compare(a.To, b.To), cmp.Compare(a.Into, b.Into), cmp.Compare(a.Text, b.Text)); order != 0 {
		return order
	}
	return slices.Compare(flat(a.Attributes), flat(b.Attributes))
}

// flat is the attributes in the order of their keys, which tells two maps apart.
func flat(attributes map[string]string) []string {
	all := make([]string, 0, 2*len(attributes))
	for _, key := range slices.Sorted(maps.Keys(attributes)) {
		all = append(all, key, attributes[key])
	}
	return all
}

// distinct drops repetitions of an ID, the first of which stays.
func distinct(events []*complaint.Event) []*complaint.Event {
	const few = 24
	if len(events) > few {
		seen := make(map[string]struct{}, len(events))
		return slices.DeleteFunc(events, func(e *complaint.Event) bool {
			_, again := seen[e.ID]
			seen[e.ID] = struct{}{}
			return again
		})
	}
	kept := events[:0]
	for _, e := range events {
		again := false
		for _, k := range kept {
			again = again || k.ID == e.ID
		}
		if !again {
			kept = append(kept, e)
		}
	}
	return kept
}

// receivedAt is the earliest Received among ordered events.
func receivedAt(events []*complaint.Event) time.Time {
	for _, e := range events {
		if e.Kind == complaint.KindReceived {
			return e.OccurredAt
		}
	}
	return time.Time{}
}

// read takes in the events in their order.
func (h *history) read(events []*complaint.Event) {
	h.status = complaint.StatusOpen
	for _, e := range events {
		h.last = e.OccurredAt
		switch e.Kind {
		case complaint.KindReceived:
			h.receive(e)
		case complaint.KindCitizenMessage:
			h.message(e.OccurredAt)
		case complaint.KindAcknowledged, complaint.KindAnswered:
			h.reply(e)
		case complaint.KindAssigned:
			first(&h.assigned, e.OccurredAt)
		case complaint.KindStatusChanged:
			h.change(e)
		case complaint.KindMerged:
			h.cancel(e.OccurredAt)
			h.mergedInto = e.Into
		case complaint.KindReplyNotNeeded:
			// Before the first answer there is nobody to say so: a complaint needs one.
			if !h.answered.IsZero() {
				h.settle(e.OccurredAt)
			}
		case complaint.KindEdited, complaint.KindRedacted:
			// Neither is a word of the citizen or of the city.
		}
	}
}

func first(t *time.Time, at time.Time) {
	if t.IsZero() {
		*t = at
	}
}

// receive opens the case; a later Received is one more message.
func (h *history) receive(e *complaint.Event) {
	if !h.received.IsZero() {
		h.message(e.OccurredAt)
		return
	}
	h.received = e.OccurredAt
	if h.answered.IsZero() {
		h.waiting = e.OccurredAt
	}
}

func (h *history) message(at time.Time) {
	first(&h.waiting, at)
	if n := len(h.cycles); !h.answered.IsZero() && (n == 0 || !h.cycles[n-1].stop.IsZero()) {
		h.cycles = append(h.cycles, cycle{start: at})
	}
}

func (h *history) reply(e *complaint.Event) {
	if !h.policy.counts(e.Actor) {
		return
	}
	first(&h.acknowledged, e.OccurredAt)
	if e.Kind == complaint.KindAcknowledged || h.policy.onlyThanks(e) {
		return
	}
	first(&h.replied, e.OccurredAt)
	first(&h.answered, e.OccurredAt)
	h.settle(e.OccurredAt)
}

// settle ends the wait for a reply.
func (h *history) settle(at time.Time) {
	h.waiting = time.Time{}
	if n := len(h.cycles); n > 0 && h.cycles[n-1].stop.IsZero() {
		h.cycles[n-1].stop = at
	}
}

func (h *history) change(e *complaint.Event) {
	at := e.OccurredAt
	switch {
	case e.To == complaint.StatusResolved:
		// As an answer every Resolved counts, also one that repeats the status: it is a word of the city.
		first(&h.resolved, at)
		if e.Actor == complaint.ActorOfficial {
			first(&h.officialResolved, at)
			if h.resolvedAnswers {
				first(&h.answered, at)
			}
		}
		h.settle(at)
		if h.cancelledAt.IsZero() {
			first(&h.resolvedAt, at)
		}
	case e.To.Cancels():
		h.cancel(at)
	default:
		h.reopen(e)
	}
	h.status = e.To
	h.enter(at)
}

// cancel takes the case out of the city's hands; what takes it out once more changes nothing.
func (h *history) cancel(at time.Time) {
	first(&h.cancelledAt, at)
	h.enter(at)
}

// reopen is a change to a status in which the city has the case in hand. Only Reopened takes back that
// it was merged: a status alone does not undo that.
func (h *history) reopen(e *complaint.Event) {
	if h.mergedInto != "" && e.To != complaint.StatusReopened {
		return
	}
	if !h.resolvedAt.IsZero() && h.answered.IsZero() && !h.received.IsZero() {
		first(&h.waiting, e.OccurredAt)
	}
	h.mergedInto, h.cancelledAt, h.resolvedAt = "", time.Time{}, time.Time{}
}

// enter begins a phase, if anything changed.
func (h *history) enter(at time.Time) {
	kind := pausing(h.status)
	if !h.cancelledAt.IsZero() {
		kind |= phaseCancelled
	}
	if !h.resolvedAt.IsZero() {
		kind |= phaseResolved
	}
	if n := len(h.phases); n > 0 && h.phases[n-1].kind == kind || n == 0 && kind == 0 {
		return
	}
	h.phases = append(h.phases, phase{from: at, kind: kind})
}
