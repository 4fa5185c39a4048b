package sla

import (
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
)

// instant is the smallest distance of two instants that every store keeps.
const instant = time.Microsecond

// Evaluate derives the state of a case. It is a pure function: the same policy and input give the same
// case, whatever the order and repetition of the events.
func (p *Policy) Evaluate(in Input) Case {
	var (
		eventBuffer [32]*complaint.Event
		phaseBuffer [12]phase
		cycleBuffer [8]cycle
		standBuffer [8]stand
	)
	events := known(in, eventBuffer[:0])
	r := p.promise(&in, receivedAt(events))
	h := history{policy: p, resolvedAnswers: r == nil || r.resolvedAnswers, phases: phaseBuffer[:0], cycles: cycleBuffer[:0]}
	h.read(events)
	c := h.facts()
	if r == nil {
		return c
	}
	c.Rule = r.name
	j := judge{policy: p, in: &in, history: &h, stands: standBuffer[:0]}
	j.clocks(r, &c)
	return c
}

// promise is the rule for a case, nil if there is none.
func (p *Policy) promise(in *Input, received time.Time) *rule {
	if p == nil || received.IsZero() || received.Before(p.enforceFrom) {
		return nil
	}
	return p.rule(&in.Subject)
}

// facts are the case without its clocks.
func (h *history) facts() Case {
	c := Case{LastEventAt: h.last.UTC()}
	if h.received.IsZero() {
		c.Status = h.status
		return c
	}
	c = Case{
		Received:       h.received.UTC(),
		Status:         h.status,
		Closed:         !h.cancelledAt.IsZero() || !h.resolvedAt.IsZero(),
		Cancelled:      !h.cancelledAt.IsZero(),
		CancelledAt:    h.cancelledAt.UTC(),
		ResolvedAt:     h.resolvedAt.UTC(),
		MergedInto:     h.mergedInto,
		AcknowledgedAt: h.acknowledged.UTC(),
		AnsweredAt:     h.answered.UTC(),
		LastEventAt:    h.last.UTC(),
	}
	c.AwaitingReply = !c.Cancelled && !h.waiting.IsZero()
	if c.AwaitingReply {
		c.Unanswered = h.answered.IsZero()
		c.WaitingSince = h.waiting.UTC()
	}
	return c
}

// judge gives the clocks of one case their states.
type judge struct {
	policy  *Policy
	in      *Input
	history *history
	stands  []stand // scratch
}

func (j *judge) clocks(r *rule, c *Case) {
	rows := len(r.clocks)
	if len(j.history.cycles) > 1 {
		rows += len(j.history.cycles) - 1
	}
	c.Clocks = make([]ClockState, 0, rows)
	for i := range r.clocks {
		k := &r.clocks[i]
		if k.measures != MeasureNextReply {
			start, stop := j.history.span(k)
			j.add(k, 1, start, stop, c)
			continue
		}
		for n, reply := range j.history.cycles {
			if j.begins(reply.start) {
				j.add(k, n+1, reply.start, reply.stop, c)
			}
		}
	}
}

// span is when a clock that is no NextReply starts and stops; the stop may lie before the start.
func (h *history) span(k *clock) (start, stop time.Time) {
	start = h.received
	if k.onAssigned && !start.IsZero() {
		if start = h.assigned; !start.IsZero() {
			start = later(start, h.received)
		}
	}
	switch k.measures {
	case MeasureAcknowledgement:
		stop = h.acknowledged
	case MeasureFirstAnswer:
		stop = h.replied
		if k.resolvedAnswers && !h.officialResolved.IsZero() && (stop.IsZero() || h.officialResolved.Before(stop)) {
			stop = h.officialResolved
		}
	case MeasureFirstResolution:
		stop = h.resolved
	case MeasureTotalResolution:
		stop = h.resolvedAt
	case MeasureNextReply: // has cycles
	}
	return start, stop
}

// begins reports whether a clock starts at an instant: not once the case has been taken out of the
// city's hands. If that is taken back, the clock did start, and stood still until then.
func (j *judge) begins(start time.Time) bool {
	cancelled := j.history.cancelledAt
	return !start.IsZero() && (cancelled.IsZero() || !start.After(cancelled))
}

// add appends the state of a clock that started and stopped, or not, at the given instants.
func (j *judge) add(k *clock, cycle int, start, stop time.Time, c *Case) {
	c.Clocks = append(c.Clocks, ClockState{Name: k.name, Measures: k.measures, Cycle: cycle, State: Pending})
	s := &c.Clocks[len(c.Clocks)-1]
	if !j.begins(start) {
		return
	}
	r, end := j.run(k, start, stop)
	d := r.due(k.target)
	s.StartedAt = start.UTC()
	s.DueAt = d.at.UTC()
	s.BeyondCoverage = k.target.measure != wallTime && (d.at.IsZero() && !r.still || r.calendar.BeyondCoverage(d.at))
	s.Elapsed = r.used(wallTime, r.end)
	if r.calendar != nil {
		s.WorkingElapsed = r.used(openTime, r.end)
	}
	late := !d.at.IsZero() && r.end.After(d.at)
	if late {
		s.Overrun = r.since(wallTime, d.at, r.end)
	}
	switch {
	case end != running:
		s.StoppedAt = r.end.UTC()
		s.Final = true
		s.State, s.Outcome = end.verdict(late)
	case late:
		s.State = Breached
		if j.in.ObservedThrough.After(d.at) {
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
func (j *judge) run(k *clock, start, stop time.Time) (run, ending) {
	end, how := j.in.At, running
	if at := j.history.cancelledAt; !at.IsZero() {
		end, how = at, cancelled
	}
	if !stop.IsZero() && !stop.After(end) {
		end, how = later(stop, start), stopped
	}
	return newRun(j.policy.calendar, k, j.history.phases, start, end, how == running, j.stands), how
}

// goOn is the state of a clock that goes on and is not past due.
func (j *judge) goOn(k *clock, r *run, d due, s *ClockState, c *Case) {
	if r.still {
		// A target in working dates can be settled although the clock stands still: its last date has closed,
		// and only the midnight is to come.
		s.State, s.DueAt, s.BeyondCoverage = Paused, time.Time{}, false
		s.Remaining, s.RemainingDays = d.rest, d.restDays
		if !d.at.IsZero() {
			c.changes(d.at.Add(instant))
		}
		return
	}
	s.State = Running
	if d.at.IsZero() {
		return
	}
	switch k.target.measure {
	case workingDates:
		s.RemainingDays = r.datesLeft(k.target, d)
	default:
		s.Remaining = r.amount(k.target.measure, r.end, d.at)
	}
	c.changes(d.at.Add(instant))
	if k.warning.none() {
		return
	}
	warn := r.warn(k, d)
	s.WarnAt = warn.UTC()
	if s.DueSoon = !warn.After(r.end); !s.DueSoon {
		c.changes(warn)
	}
}

// changes takes note of an instant at which time alone changes a clock.
func (c *Case) changes(at time.Time) {
	if c.NextChange.IsZero() || at.Before(c.NextChange) {
		c.NextChange = at.UTC()
	}
}
