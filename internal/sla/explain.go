package sla

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tanggap/tanggap/internal/calendar"
	"github.com/tanggap/tanggap/internal/complaint"
)

// Explanation is a case with the reasons for it, step by step and in the words of the people who
// promise and answer.
type Explanation struct {
	Case Case
	// Steps are about the case as a whole: its receipt, the rule, why it has no clocks.
	Steps []Step
	// Clocks explain each of Case.Clocks, in their order.
	Clocks []ClockExplanation
}

// ClockExplanation is the reasons for one clock.
type ClockExplanation struct {
	Clock ClockState
	Steps []Step
}

// Step is one reason.
type Step struct {
	// At is the instant that the step is about, in UTC; zero where there is none.
	At time.Time
	// Text is a sentence without a full stop. It holds nothing that a citizen wrote.
	Text string
}

// Explain derives the state of a case as Evaluate does, and says why. Times are told in the zone; nil is
// the calendar's, or UTC without one.
func (p *Policy) Explain(in Input, zone *time.Location) Explanation {
	n := narrator{policy: p, in: &in, events: known(in, nil), now: instantOf(in.At), zone: zone}
	if zone == nil {
		n.zone = time.UTC
		if p != nil && p.calendar != nil {
			n.zone = p.calendar.Location()
		}
	}
	e := Explanation{Case: p.Evaluate(in)}
	r := p.promise(&in, receivedAt(n.events))
	n.history.resolvedAnswers = r == nil || r.resolvedAnswers
	n.history.read(p, n.events)
	n.tellCase(r, &e.Case)
	e.Steps = n.steps
	j := judge{policy: p, history: &n.history, at: n.now, through: instantOf(in.ObservedThrough)}
	for i := range e.Case.Clocks {
		s := &e.Case.Clocks[i]
		k := &r.clocks[slices.IndexFunc(r.clocks, func(k clock) bool { return k.name == s.Name })]
		n.steps = nil
		n.tellClock(&j, k, s)
		e.Clocks = append(e.Clocks, ClockExplanation{Clock: *s, Steps: n.steps})
	}
	return e
}

// narrator puts reasons into words.
type narrator struct {
	policy  *Policy
	in      *Input
	events  []*complaint.Event
	history history
	now     instant
	zone    *time.Location
	steps   []Step
}

func (n *narrator) tell(at instant, format string, args ...any) {
	n.steps = append(n.steps, Step{At: at.time(), Text: fmt.Sprintf(format, args...)})
}

// when is an instant as people write it. The year is left out where it is that of the evaluation.
func (n *narrator) when(at instant) string {
	t := at.time().In(n.zone)
	layout := "Mon 2 Jan 15:04"
	if t.Year() != n.now.time().In(n.zone).Year() {
		layout = "Mon 2 Jan 2006 15:04"
	}
	if t.Second() != 0 {
		layout += ":05"
	}
	return t.Format(layout)
}

// tellCase says how the case came by its clocks, or why it has none.
func (n *narrator) tellCase(r *rule, c *Case) {
	received := n.history.received
	if received == none {
		n.tell(none, "not received yet: no Received is among the events that are known (%d), so there are no clocks", len(n.events))
		return
	}
	n.tell(received, "received %s", n.when(received))
	switch {
	case n.policy == nil:
		n.tell(none, "no SLA applies, so there are no clocks")
	case received < n.policy.enforceFrom:
		n.tell(n.policy.enforceFrom, "the SLA is enforced for cases received from %s on, so there are no clocks", n.when(n.policy.enforceFrom))
	default:
		n.tellRules(r)
	}
	n.tellAnswers()
	if c.Cancelled {
		n.tell(n.history.cancelledAt, "taken out of the city's hands %s (%s)", n.when(n.history.cancelledAt), n.cancellation())
	}
}

func (n *narrator) tellRules(r *rule) {
	var vars map[string]any
	for i := range n.policy.rules {
		tried := &n.policy.rules[i]
		switch {
		case tried == r && tried.match == nil:
			n.tell(none, "rule %q applies to every case", tried.name)
			return
		case tried == r:
			n.tell(none, "rule %q matches", tried.name)
			return
		}
		if vars == nil {
			vars = n.in.Subject.variables()
		}
		if _, err := tried.match.Bool(vars); err != nil {
			n.tell(none, "rule %q does not match: %v", tried.name, err)
			continue
		}
		n.tell(none, "rule %q does not match", tried.name)
	}
	n.tell(none, "no rule matches, so there are no clocks")
}

// tellAnswers says what looks like a word of the city and is less, and why.
func (n *narrator) tellAnswers() {
	for _, e := range n.events {
		at := instantOf(e.OccurredAt)
		switch {
		case e.Kind == complaint.KindAcknowledged && !n.policy.counts(e.Actor):
			n.tell(at, "the acknowledgement of %s does not count: its actor is %s", n.when(at), e.Actor)
		case e.Kind == complaint.KindAnswered && !n.policy.counts(e.Actor):
			n.tell(at, "the answer of %s does not count: its actor is %s", n.when(at), e.Actor)
		case e.Kind == complaint.KindAnswered:
			if thanks, err := n.policy.thanks(e); err != nil {
				n.tell(at, "the answer of %s counts, as acknowledgement.match fails on it: %v", n.when(at), err)
			} else if thanks {
				n.tell(at, "the answer of %s only says thanks, by acknowledgement.match: an acknowledgement", n.when(at))
			}
		case e.To == complaint.StatusResolved && e.Actor != complaint.ActorOfficial && (n.history.answered == none || at < n.history.answered):
			n.tell(at, "the resolution of %s is no answer: its actor is %s", n.when(at), e.Actor)
		}
	}
}

// cancellation is what took the case out of the city's hands.
func (n *narrator) cancellation() string {
	for _, e := range n.events {
		if instantOf(e.OccurredAt) != n.history.cancelledAt {
			continue
		}
		if e.Kind == complaint.KindMerged {
			return "merged into another case"
		}
		if e.To.Cancels() {
			return string(e.To)
		}
	}
	return "cancelled"
}

func (n *narrator) tellClock(j *judge, k *clock, s *ClockState) {
	start, stop := j.history.span(k)
	if k.measures == MeasureNextReply {
		reply := j.history.cycles.all()[s.Cycle-1]
		start, stop = reply.start, reply.stop
	}
	if s.State == Pending {
		n.tellPending(start)
		return
	}
	r, end := j.run(k, start, stop)
	d := r.due(k.target)
	n.tellStart(k, start)
	n.tell(none, "may take %s", k.target.allowance())
	if k.target.measure != wallTime {
		n.tellDates(&r, d)
	}
	for i := range r.stands {
		last := i+1 == len(r.stands)
		if !(last && r.still) {
			n.tellStand(&r, k, r.stands[i])
		}
	}
	n.tellUse(&r, k, d)
	n.tellDue(s, d)
	n.tellOutcome(&r, k, s, d, stop, end)
}

func (n *narrator) tellPending(start instant) {
	if start == none {
		n.tell(none, "not started: the case has not been assigned")
		return
	}
	n.tell(start, "not started %s: the case was out of the city's hands by then", n.when(start))
}

func (n *narrator) tellStart(k *clock, start instant) {
	switch {
	case k.measures == MeasureNextReply:
		n.tell(start, "starts with the citizen's message of %s, the oldest without a reply", n.when(start))
	case k.onAssigned:
		n.tell(start, "starts with the assignment, %s", n.when(start))
	default:
		n.tell(start, "starts with the receipt, %s", n.when(start))
	}
}

// allowance is how long a clock may run.
func (t target) allowance() string {
	switch t.measure {
	case wallTime:
		return say(t.amount)
	case openTime:
		return say(t.amount) + " of open hours"
	case workingDates: // told below
	}
	from, until := "the next working day", "closing"
	if t.sameDay {
		from = "the same day, if that is a working day and not closed yet, else the next"
	}
	if t.endOfDay {
		until = "midnight"
	}
	if t.days == 1 {
		return fmt.Sprintf("1 working day: %s, until its %s", from, until)
	}
	return fmt.Sprintf("%d working days, counted from %s; until the %s of the last", t.days, from, until)
}

// tellDates names the dates of a run, until it is due or looked at, on which nobody works.
func (n *narrator) tellDates(r *run, d due) {
	until := d.at
	if until == none {
		until = r.end
	}
	from, to := r.calendar.Date(r.start.time()), r.calendar.Date(until.time())
	const limit = 366
	to = min(to, from+limit)
	var closed []calendar.Day
	for date := from; date <= to+1; date++ {
		if day := r.calendar.Describe(date); date <= to && !day.Working {
			closed = append(closed, day)
			continue
		}
		if len(closed) > 0 {
			n.tell(none, "%s not working%s", n.dates(closed[0].Date, closed[len(closed)-1].Date), reasons(closed))
			closed = nil
		}
	}
	n.tellSeasons(r, from, to)
}

func (n *narrator) tellSeasons(r *run, from, to calendar.Date) {
	for date := from; date <= to; date++ {
		name := r.calendar.Describe(date).Season
		if name == "" {
			continue
		}
		first := date
		for date < to && r.calendar.Describe(date+1).Season == name {
			date++
		}
		n.tell(none, "%s hours of %s", n.dates(first, date), name)
	}
}

// dates is a stretch of dates: "18–24 Mar", "30 Mar–2 Apr", "Fri 3 Apr".
func (n *narrator) dates(from, to calendar.Date) string {
	a, b := from.Midnight(), to.Midnight()
	year := ""
	if b.Year() != n.now.time().In(n.zone).Year() {
		year = b.Format(" 2006")
	}
	switch {
	case from == to:
		return a.Format("Mon 2 Jan") + year
	case a.Month() == b.Month() && a.Year() == b.Year():
		return a.Format("2") + "–" + b.Format("2 Jan") + year
	}
	return a.Format("2 Jan") + "–" + b.Format("2 Jan") + year
}

// reasons are the names of closed dates, each once and in the order of the dates.
func reasons(closed []calendar.Day) string {
	var names []string
	weekend := true
	for _, day := range closed {
		if day.Name != "" && !slices.Contains(names, day.Name) {
			names = append(names, day.Name)
		}
		weekday := day.Date.Weekday()
		weekend = weekend && (weekday == time.Saturday || weekday == time.Sunday)
	}
	switch {
	case len(names) > 0:
		return " (" + strings.Join(names, ", ") + ")"
	case weekend:
		return " (weekend)"
	}
	return ""
}
