package sla

import (
	"cmp"
	"maps"
	"slices"

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
	default:
		return 0
	}
}

// phase is a stretch of a case's life, from an instant to the beginning of the next one.
type phase struct {
	from instant
	kind phaseKind
}

// cycle is one wait for a reply after the first answer; stop is none while it lasts.
type cycle struct{ start, stop instant }

// history is what the events of a case come to.
type history struct {
	// resolvedAnswers says that an official's Resolved is an answer.
	resolvedAnswers bool

	received     instant
	assigned     instant // first
	acknowledged instant // first, by somebody who counts, answers included
	replied      instant // first Answered that is no acknowledgement, by somebody who counts
	answered     instant // replied, or an official's first Resolved where that is an answer
	resolved     instant // first Resolved, by anybody
	// officialResolved is the first Resolved by an official.
	officialResolved instant
	last             instant // event

	status     complaint.Status
	mergedInto string
	// cancelledAt and resolvedAt are set while the case is cancelled, or resolved.
	cancelledAt instant
	resolvedAt  instant
	waiting     instant // oldest word of the citizen that awaits a reply

	phases list[phase]
	cycles list[cycle] // the last one may last
}

// list is a slice whose first elements need no allocation.
type list[T any] struct {
	few  [8]T
	n    int
	more []T // all of them, once they are not few
}

func (l *list[T]) all() []T {
	if l.more != nil {
		return l.more
	}
	return l.few[:l.n]
}

func (l *list[T]) add(v T) {
	switch {
	case l.more != nil:
		l.more = append(l.more, v)
	case l.n < len(l.few):
		l.few[l.n] = v
		l.n++
	default:
		l.more = append(append([]T{}, l.few[:]...), v)
	}
}

// last is the latest element, nil if there is none.
func (l *list[T]) last() *T {
	all := l.all()
	if len(all) == 0 {
		return nil
	}
	return &all[len(all)-1]
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
	if maps.Equal(a.Attributes, b.Attributes) {
		return 0
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
func receivedAt(events []*complaint.Event) instant {
	for _, e := range events {
		if e.Kind == complaint.KindReceived {
			return instantOf(e.OccurredAt)
		}
	}
	return none
}

// read takes in the events in their order.
func (h *history) read(p *Policy, events []*complaint.Event) {
	h.status = complaint.StatusOpen
	for _, e := range events {
		at := instantOf(e.OccurredAt)
		h.last = at
		switch e.Kind {
		case complaint.KindReceived:
			h.receive(at)
		case complaint.KindCitizenMessage:
			h.message(at)
		case complaint.KindAcknowledged, complaint.KindAnswered:
			h.reply(p, e, at)
		case complaint.KindAssigned:
			first(&h.assigned, at)
		case complaint.KindStatusChanged:
			h.change(e, at)
		case complaint.KindMerged:
			h.cancel(at)
			h.mergedInto = e.Into
		case complaint.KindReplyNotNeeded:
			// Before the first answer there is nobody to say so: a complaint needs one.
			if h.answered != none {
				h.settle(at)
			}
		case complaint.KindEdited, complaint.KindRedacted:
			// Neither is a word of the citizen or of the city.
		}
	}
}

// first notes when something happened for the first time.
func first(t *instant, at instant) {
	if *t == none {
		*t = at
	}
}

// receive opens the case; a later Received is one more message.
func (h *history) receive(at instant) {
	if h.received != none {
		h.message(at)
		return
	}
	h.received = at
	if h.answered == none {
		h.waiting = at
	}
}

func (h *history) message(at instant) {
	first(&h.waiting, at)
	if last := h.cycles.last(); h.answered != none && (last == nil || last.stop != none) {
		h.cycles.add(cycle{start: at})
	}
}

func (h *history) reply(p *Policy, e *complaint.Event, at instant) {
	if !p.counts(e.Actor) {
		return
	}
	first(&h.acknowledged, at)
	if e.Kind == complaint.KindAcknowledged || p.onlyThanks(e) {
		return
	}
	first(&h.replied, at)
	first(&h.answered, at)
	h.settle(at)
}

// settle ends the wait for a reply.
func (h *history) settle(at instant) {
	h.waiting = none
	if last := h.cycles.last(); last != nil && last.stop == none {
		last.stop = at
	}
}

func (h *history) change(e *complaint.Event, at instant) {
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
		if h.cancelledAt == none {
			first(&h.resolvedAt, at)
		}
	case e.To.Cancels():
		h.cancel(at)
	default:
		h.reopen(e.To, at)
	}
	h.status = e.To
	h.enter(at)
}

// cancel takes the case out of the city's hands; what takes it out once more changes nothing.
func (h *history) cancel(at instant) {
	first(&h.cancelledAt, at)
	h.enter(at)
}

// reopen is a change to a status in which the city has the case in hand. Only Reopened takes back that
// it was merged: a status alone does not undo that.
func (h *history) reopen(to complaint.Status, at instant) {
	if h.mergedInto != "" && to != complaint.StatusReopened {
		return
	}
	if h.answered == none && h.received != none {
		// Where it was resolved the citizen waits again, from now on; else still.
		first(&h.waiting, at)
	}
	h.mergedInto, h.cancelledAt, h.resolvedAt = "", none, none
}

// enter begins a phase, if anything changed.
func (h *history) enter(at instant) {
	kind := pausing(h.status)
	if h.cancelledAt != none {
		kind |= phaseCancelled
	}
	if h.resolvedAt != none {
		kind |= phaseResolved
	}
	if last := h.phases.last(); last != nil && last.kind == kind || last == nil && kind == 0 {
		return
	}
	h.phases.add(phase{from: at, kind: kind})
}
