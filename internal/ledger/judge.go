package ledger

import (
	"slices"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/internal/policy"
	"github.com/tanggap/tanggap/internal/sla"
	"github.com/tanggap/tanggap/internal/taxonomy"
)

// cause says why a case is judged, which decides what a changed verdict means.
type cause int

const (
	// byEvidence: events came, or time passed. A verdict that was final and changes is a correction.
	byEvidence cause = iota
	// byPolicy: the rules changed. What was counted stays counted and nothing is corrected.
	byPolicy
	// byPolicyClosed: likewise, of a case that had closed before: it keeps the result it closed with, so
	// that nothing is counted by the new rules either.
	byPolicyClosed
)

// hearing is what a case is judged on.
type hearing struct {
	key complaint.CaseKey
	// events are all of the case.
	events []store.Event
	// at and through are the instant of judgement and the channel's observedThrough.
	at, through time.Time
	// before is the state so far; nil for a new case.
	before *caseState
	cause  cause
	// idle is how long after its last event an open case counts as closed for retention; negative is never.
	idle time.Duration
}

// judge derives the state of a case and adds what changed with it to the figures. It is a pure
// function of the rules and the hearing. The rules are nil for a channel that the policy no longer
// names: its cases stay as they are until it is named again.
func judge(r *policy.Rules, h hearing, figures tally) *caseState {
	if r == nil {
		return h.frozen(figures)
	}
	facts := factsOf(h.events)
	in := r.Input(facts, h.at, h.through)
	if h.before != nil && slices.ContainsFunc(facts, func(e complaint.Event) bool { return e.Cleared }) {
		in.Subject.Dimensions = reclassify(r, in.Subject.Attributes, h.before.row.Dimensions)
		in.Subject.Kept = h.before.record.Kept
	}
	derived := r.SLA.Evaluate(in)

	s := &caseState{}
	if h.before != nil {
		s.record = h.before.record
		s.record.Clocks = append([]clockRecord(nil), h.before.record.Clocks...)
	}
	s.row = rowOf(&h, &derived)
	s.row.Dimensions = in.Subject.Dimensions
	s.record.JudgedAt, s.record.ObservedThrough, s.record.Rules = micros(h.at), micros(h.through), r.Digest
	s.record.SLA = r.Channel.SLA
	s.record.AwaitingReply = derived.AwaitingReply
	count(s, &h, &derived, r.Calendar != nil, figures)
	figures.gauges(h.before, -1)
	figures.gauges(s, +1)
	return s
}

func factsOf(events []store.Event) []complaint.Event {
	facts := make([]complaint.Event, len(events))
	for i := range events {
		facts[i] = events[i].Event
	}
	return facts
}

// frozen is the state of a case whose channel has no rules: what is shown stays, and nothing is
// waited for.
func (h *hearing) frozen(figures tally) *caseState {
	s := &caseState{row: store.Case{CaseKey: h.key, Status: string(complaint.StatusOpen)}}
	if h.before != nil {
		*s = *h.before
	}
	s.row.NextAt, s.row.UnfinalAt = time.Time{}, time.Time{}
	if s.row.Open {
		s.row.ClosedAt = time.Time{}
		h.retire(&s.row, h.lastEvent())
	}
	s.row.Live = true // so that it is found when the channel has rules again
	s.row.Holds, s.row.Pseudonym = holds(h.events), pseudonym(h.events)
	s.record.JudgedAt, s.record.Rules = micros(h.at), ""
	figures.gauges(h.before, -1)
	figures.gauges(s, +1)
	return s
}

// rowOf is the part of the row that needs no memory.
func rowOf(h *hearing, derived *sla.Case) store.Case {
	known := !derived.Received.IsZero()
	row := store.Case{
		CaseKey:      h.key,
		Status:       string(derived.Status),
		ReceivedAt:   derived.Received,
		AnsweredAt:   derived.AnsweredAt,
		WaitingSince: derived.WaitingSince,
		NextAt:       derived.NextChange,
		Open:         known && !derived.Closed,
		Pseudonym:    pseudonym(h.events),
		Holds:        holds(h.events),
	}
	if derived.Unanswered {
		row.UnansweredSince = derived.WaitingSince
	}
	if row.Open {
		h.retire(&row, derived.LastEventAt)
	} else {
		row.ClosedAt = closedAt(derived)
	}
	for i := range derived.Clocks {
		c := &derived.Clocks[i]
		going := c.StoppedAt.IsZero()
		if c.State == sla.Running {
			row.DueAt = earlier(row.DueAt, c.DueAt)
		}
		if c.State == sla.Breached && going {
			row.Overdue = true
			row.DueAt = earlier(row.DueAt, c.DueAt)
		}
		if c.State == sla.Breached && !c.Final {
			// The verdict is final once the source was observed through an instant past the due one.
			row.UnfinalAt = earlier(row.UnfinalAt, c.DueAt.Add(time.Microsecond))
		}
	}
	// An event from the near future (clocks differ) is not known before its time.
	for i := range h.events {
		if at := h.events[i].OccurredAt; at.After(h.at) {
			row.NextAt = earlier(row.NextAt, at)
		}
	}
	row.Live = known && !derived.Settled() || !row.NextAt.IsZero() || row.Overdue || row.Unanswered()
	return row
}

// closedAt is the time from which the retention of a case counts that is not open: its closing, or,
// of one that was never received, its last event.
func closedAt(derived *sla.Case) time.Time {
	at := derived.ResolvedAt
	if derived.CancelledAt.After(at) {
		at = derived.CancelledAt
	}
	if at.IsZero() {
		at = derived.LastEventAt
	}
	return at
}

// retire sets when the retention of an open case begins to count: once nothing has happened in it for
// long enough. A conversation with a person is never closed by anybody. Until then it is what time alone
// will change, so that a case costs one judgement and no search.
func (h *hearing) retire(row *store.Case, last time.Time) {
	if h.idle < 0 || last.IsZero() {
		return
	}
	if quiet := last.Add(h.idle); quiet.After(h.at) {
		row.NextAt = earlier(row.NextAt, quiet)
	} else {
		row.ClosedAt = quiet
	}
}

// lastEvent is when the latest event up to the judgement occurred.
func (h *hearing) lastEvent() (last time.Time) {
	for i := range h.events {
		if at := h.events[i].OccurredAt; at.After(last) && !at.After(h.at) {
			last = at
		}
	}
	return last
}

// earlier is the earlier of two instants of which the zero time is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// pseudonym is the one of the earliest event that has one.
func pseudonym(events []store.Event) []byte {
	var first *store.Event
	for i := range events {
		if e := &events[i]; e.Pseudonym != nil && (first == nil || complaint.Compare(&e.Event, &first.Event) < 0) {
			first = e
		}
	}
	if first == nil {
		return nil
	}
	return first.Pseudonym
}

// holds says what personal data events hold.
func holds(events []store.Event) (c store.Content) {
	for i := range events {
		c |= holdsOf(&events[i])
	}
	return c
}

func holdsOf(e *store.Event) (c store.Content) {
	if e.Text != "" || e.Location != nil || len(e.Attributes) > 0 {
		c |= store.ContentText
	}
	if e.Reporter != nil {
		c |= store.ContentHandles
	}
	return c
}

// reclassify are the dimensions of a case whose words or attributes were cleared: what they had decided
// stays, unless a later attribute says otherwise.
func reclassify(r *policy.Rules, attributes map[string]string, kept complaint.Dimensions) complaint.Dimensions {
	told := r.Taxonomy.Classify(taxonomy.Input{Channel: r.Name, Attributes: attributes})
	nothing := r.Taxonomy.Classify(taxonomy.Input{Channel: r.Name})
	choose := func(attribute, told, nothing, kept string) string {
		if attributes[attribute] != "" && told != nothing || kept == "" {
			return told
		}
		return kept
	}
	return complaint.Dimensions{
		Category:   choose(complaint.AttributeCategory, told.Category, nothing.Category, kept.Category),
		Department: choose(complaint.AttributeDepartment, told.Department, nothing.Department, kept.Department),
		Priority:   choose(complaint.AttributePriority, told.Priority, nothing.Priority, kept.Priority),
	}
}
