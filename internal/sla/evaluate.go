package sla

import (
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
)

// Evaluate derives the state of a case. It is a pure function: the same policy and input give the same
// case, whatever the order and repetition of the events.
func (p *Policy) Evaluate(in Input) Case {
	var buffer [32]*complaint.Event
	events := known(in, buffer[:0])
	r := p.promise(&in, receivedAt(events))
	h := history{resolvedAnswers: r == nil || r.resolvedAnswers}
	h.read(p, events)
	c := h.facts()
	if r == nil {
		return c
	}
	var stands [8]stand
	j := judge{policy: p, history: &h, at: instantOf(in.At), through: instantOf(in.ObservedThrough), stands: stands[:0]}
	c.Rule = r.name
	j.clocks(r, &c)
	return c
}

// promise is the rule for a case, nil if there is none.
func (p *Policy) promise(in *Input, received instant) *rule {
	if p == nil || received == none || received < p.enforceFrom {
		return nil
	}
	return p.rule(&in.Subject)
}

// facts are the case without its clocks.
func (h *history) facts() Case {
	if h.received == none {
		return Case{Status: h.status, LastEventAt: h.last.time()}
	}
	c := Case{
		Received:       h.received.time(),
		Status:         h.status,
		Closed:         h.cancelledAt != none || h.resolvedAt != none,
		Cancelled:      h.cancelledAt != none,
		CancelledAt:    h.cancelledAt.time(),
		ResolvedAt:     h.resolvedAt.time(),
		MergedInto:     h.mergedInto,
		AcknowledgedAt: h.acknowledged.time(),
		AnsweredAt:     h.answered.time(),
		LastEventAt:    h.last.time(),
	}
	if c.AwaitingReply = !c.Cancelled && h.waiting != none; c.AwaitingReply {
		c.Unanswered = h.answered == none
		c.WaitingSince = h.waiting.time()
	}
	return c
}

// judge gives the clocks of one case their states.
type judge struct {
	policy  *Policy
	history *history
	// at is the instant of evaluation, through that through which the source was observed.
	at, through instant
	stands      []stand // scratch
}

func (j *judge) clocks(r *rule, c *Case) {
	cycles := j.history.cycles.all()
	c.Clocks = make([]ClockState, 0, len(r.clocks)+max(len(cycles)-1, 0))
	for i := range r.clocks {
		k := &r.clocks[i]
		if k.measures != MeasureNextReply {
			start, stop := j.history.span(k)
			j.add(k, 1, start, stop, c)
			continue
		}
		for n, reply := range cycles {
			if j.begins(reply.start) {
				j.add(k, n+1, reply.start, reply.stop, c)
			}
		}
	}
}

// span is when a clock that is no NextReply starts and stops; the stop may lie before the start.
func (h *history) span(k *clock) (start, stop instant) {
	start = h.received
	if k.onAssigned {
		if start = h.assigned; start != none {
			start = max(start, h.received)
		}
	}
	switch k.measures {
	case MeasureAcknowledgement:
		// Whoever is told that it is done has been told that it arrived: else a case that is resolved
		// without a word before would stay overdue for ever.
		stop = earlier(h.acknowledged, h.officialResolved)
	case MeasureFirstAnswer:
		stop = h.replied
		if k.resolvedAnswers {
			stop = earlier(stop, h.officialResolved)
		}
	case MeasureFirstResolution:
		stop = h.resolved
	case MeasureTotalResolution:
		stop = h.resolvedAt
	case MeasureNextReply: // has cycles
	}
	return start, stop
}

// earlier is the earlier of two instants of which either may be none.
func earlier(a, b instant) instant {
	if a == none || b != none && b < a {
		return b
	}
	return a
}

// begins reports whether a clock starts at an instant: not once the case has been taken out of the
// city's hands. If that is taken back, the clock did start, and stood still until then.
func (j *judge) begins(start instant) bool {
	cancelled := j.history.cancelledAt
	return start != none && (cancelled == none || start <= cancelled)
}

// add appends the state of a clock that started and stopped, or not, at the given instants.
func (j *judge) add(k *clock, cycle int, start, stop instant, c *Case) {
	c.Clocks = append(c.Clocks, ClockState{Name: k.name, Measures: k.measures, Cycle: cycle, State: Pending})
	s := &c.Clocks[len(c.Clocks)-1]
	if !j.begins(start) {
		return
	}
	r, end := j.run(k, start, stop)
	d := r.due(k.target)
	s.StartedAt, s.DueAt = start.time(), d.at.time()
	s.BeyondCoverage = k.target.measure != wallTime && (d.at == none && !r.still || r.calendar.BeyondCoverage(s.DueAt))
	s.Elapsed = r.used(wallTime, r.end)
	if r.calendar != nil {
		s.WorkingElapsed = r.used(openTime, r.end)
	}
	late := d.at != none && r.end > d.at
	if late {
		s.Overrun = r.since(wallTime, d.at, r.end)
	}
	switch {
	case end != running:
		s.StoppedAt = r.end.time()
		s.Final = true
		s.State, s.Outcome = end.verdict(late)
	case late:
		s.State = Breached
		if j.through > d.at {
			s.Final, s.Outcome = true, OutcomeBreached
		}
	default:
		j.goOn(k, &r, d, s, c)
	}
}

// ending is how a run ended.
type ending int

const (
	running ending = iota
	stopped
	cancelled
)

func (e ending) verdict(late bool) (State, Outcome) {
	switch {
	case late:
		return Breached, OutcomeBreached
	case e == cancelled:
		return Cancelled, OutcomeCancelled
	}
	return Met, OutcomeMet
}

// run is a clock's run up to its stop, the cancellation of the case or the instant of evaluation,
// whichever is first.
func (j *judge) run(k *clock, start, stop instant) (run, ending) {
	end, how := j.at, running
	if at := j.history.cancelledAt; at != none {
		end, how = at, cancelled
	}
	if stop != none && stop <= end {
		end, how = max(stop, start), stopped
	}
	return newRun(j.policy.calendar, k, j.history.phases.all(), start, end, how == running, j.stands), how
}

// goOn is the state of a clock that goes on and is not past due.
func (j *judge) goOn(k *clock, r *run, d due, s *ClockState, c *Case) {
	if r.still {
		// A target in working dates can be settled although the clock stands still: its last date has closed,
		// and only the midnight is to come.
		s.State, s.DueAt, s.BeyondCoverage = Paused, time.Time{}, false
		s.Remaining, s.RemainingDays = d.rest, d.restDays
		if d.at != none {
			c.changes(d.at + tick)
		}
		return
	}
	s.State = Running
	if d.at == none {
		return
	}
	switch k.target.measure {
	case workingDates:
		s.RemainingDays = r.datesLeft(k.target, d)
	default:
		s.Remaining = r.amount(k.target.measure, r.end, d.at)
	}
	c.changes(d.at + tick)
	if k.warning.none() {
		return
	}
	warn := r.warn(k, d)
	s.WarnAt = warn.time()
	if s.DueSoon = warn <= r.end; !s.DueSoon {
		c.changes(warn)
	}
}

// changes takes note of an instant at which time alone changes a clock.
func (c *Case) changes(at instant) {
	if t := at.time(); c.NextChange.IsZero() || t.Before(c.NextChange) {
		c.NextChange = t
	}
}
