package sla

import (
	"fmt"
	"strings"
	"time"

	"github.com/tanggap/tanggap/internal/calendar"
	"github.com/tanggap/tanggap/internal/complaint"
)

// tellStand says what a standstill that is over cost.
func (n *narrator) tellStand(r *run, k *clock, s stand) {
	why := n.standstill(k, s)
	span := fmt.Sprintf("stands still from %s to %s (%s)", n.when(s.from), n.when(s.to), why)
	switch k.target.measure {
	case workingDates:
		from, to := r.calendar.ClosedBefore(s.from.time()), r.calendar.ClosedBefore(s.to.time())
		from = max(from, r.dayOne(k.target))
		if from >= to {
			n.tell(s.from, "%s: no working day closes in it, so none is lost", span)
			return
		}
		first, _ := r.calendar.WorkingDateAt(from)
		last, _ := r.calendar.WorkingDateAt(to - 1)
		if first == last {
			n.tell(s.from, "%s: %s closes in it and does not count", span, n.dates(first, last))
			return
		}
		n.tell(s.from, "%s: the working days from %s to %s close in it and do not count", span, n.dates(first, first), n.dates(last, last))
	case openTime:
		n.tell(s.from, "%s: %s of open hours do not count", span, say(r.amount(openTime, s.from, s.to)))
	default:
		n.tell(s.from, "%s: %s do not count", span, say(r.amount(wallTime, s.from, s.to)))
	}
}

// standstill names what a clock stood still for.
func (n *narrator) standstill(k *clock, s stand) string {
	var names []string
	phases := n.history.phases.all()
	for i, p := range phases {
		ends := i+1 < len(phases) && phases[i+1].from <= s.from
		if p.from > s.from && p.from >= s.to || ends {
			continue
		}
		for _, known := range [...]struct {
			kind phaseKind
			name string
		}{
			{phaseAwaitingCitizen, string(complaint.StatusAwaitingCitizen)},
			{phaseAwaitingThirdParty, string(complaint.StatusAwaitingThirdParty)},
			{phaseResolved, "resolved"},
			{phaseCancelled, "out of the city's hands"},
		} {
			if p.kind&k.standstill&known.kind != 0 && (len(names) == 0 || names[len(names)-1] != known.name) {
				names = append(names, known.name)
			}
		}
	}
	return strings.Join(names, ", ")
}

// tellUse says on which dates the target is used up.
func (n *narrator) tellUse(r *run, k *clock, d due) {
	if d.at == none {
		return
	}
	switch k.target.measure {
	case workingDates:
		n.tellDays(r, k.target)
	case openTime:
		n.tellHours(r, d)
	case wallTime: // there is nothing to say of a day
	}
}

// many is how many dates are told one by one.
const many = 5

func (n *narrator) tellDays(r *run, t target) {
	total := t.days
	var days []string
	for i := 1; i <= total; i++ {
		if i == 2 && total > many {
			days = append(days, "…")
			i = total
		}
		t.days = i
		date, _ := r.calendar.WorkingDateAt(r.due(t).place)
		days = append(days, fmt.Sprintf("%d is %s", i, n.dates(date, date)))
	}
	n.tell(none, "working day %s", strings.Join(days, ", "))
}

func (n *narrator) tellHours(r *run, d due) {
	from, to := r.calendar.Date(r.start.time()), r.calendar.Date(d.at.time())
	var hours []string
	dates := 0
	for date := from; date <= to; date++ {
		begin, end := max(r.start, n.begin(r, date)), min(d.at, n.begin(r, date+1))
		used := time.Duration(0)
		if begin < end {
			used = r.since(openTime, begin, end)
		}
		if used == 0 {
			continue
		}
		if dates++; dates <= many {
			hours = append(hours, fmt.Sprintf("%s on %s", say(used), n.dates(date, date)))
		}
	}
	if dates > many {
		hours = append(hours, fmt.Sprintf("and the rest on %d more days", dates-many))
	}
	if dates > 0 {
		n.tell(none, "uses %s", strings.Join(hours, ", "))
	}
}

// begin is the first instant of a date.
func (n *narrator) begin(r *run, d calendar.Date) instant {
	return instantOf(r.calendar.EndOfDate(d - 1))
}

func (n *narrator) tellDue(s *ClockState, d due) {
	switch {
	case d.at != none && s.DueAt.IsZero():
		// Paused after the last date that counts has closed.
		n.tell(d.at, "its last working day has closed, so the midnight at which it is due, %s, comes all the same", n.when(d.at))
	case d.at != none:
		n.tell(d.at, "due %s", n.when(d.at))
	case s.State != Paused:
		n.tell(none, "the calendar has too little open time left to say when it is due")
	}
	if s.BeyondCoverage {
		if covers, ok := n.policy.calendar.CoversUntil(); ok {
			n.tell(none, "the calendar covers dates until %s only: holidays after that are not known", covers.Midnight().Format("2 Jan 2006"))
		}
	}
	if !s.WarnAt.IsZero() {
		warn := instantOf(s.WarnAt)
		n.tell(warn, "due soon from %s", n.when(warn))
	}
}

func (n *narrator) tellOutcome(r *run, k *clock, s *ClockState, d due, stop instant, end ending) {
	late := d.at != none && r.end > d.at
	switch {
	case end == stopped:
		n.tellStop(r, k, d, stop, late)
	case end == cancelled && late:
		n.tell(r.end, "taken out of the city's hands (%s) %s, %s after it was due: breached for ever", n.cancellation(), n.when(r.end), long(r.end-d.at))
	case end == cancelled:
		n.tell(r.end, "taken out of the city's hands (%s) %s: cancelled, neither met nor breached", n.cancellation(), n.when(r.end))
	case late:
		n.tell(d.at, "still open: breached %s ago", long(r.end-d.at))
		if !s.Final {
			n.tellProvisional()
		}
	case r.still:
		last := r.stands[len(r.stands)-1]
		n.tell(last.from, "stands still since %s (%s): %s remain", n.when(last.from), n.standstill(k, last), k.target.left(s))
	case d.at == none:
		n.tell(none, "still open")
	default:
		n.tell(d.at, "still open: due in %s%s", long(d.at-r.end), k.target.leftOf(s))
	}
}

func (n *narrator) tellStop(r *run, k *clock, d due, stop instant, late bool) {
	what := n.stopped(k, stop)
	switch {
	case stop < r.start:
		n.tell(stop, "%s %s, before it started: met at its start", what, n.when(stop))
	case late:
		n.tell(stop, "%s %s, %s late: breached for ever", what, n.when(stop), long(stop-d.at))
	case d.at == none:
		n.tell(stop, "%s %s: met", what, n.when(stop))
	case stop == d.at:
		n.tell(stop, "%s %s, just in time: met", what, n.when(stop))
	default:
		n.tell(stop, "%s %s, %s in time: met", what, n.when(stop), long(d.at-stop))
	}
}

// stopped is what stopped a clock.
func (n *narrator) stopped(k *clock, stop instant) string {
	for _, e := range n.events {
		if instantOf(e.OccurredAt) != stop {
			continue
		}
		switch e.Kind {
		case complaint.KindAcknowledged, complaint.KindAnswered:
			resolution := k.measures == MeasureFirstResolution || k.measures == MeasureTotalResolution
			acknowledged := n.policy.Acknowledges(e)
			if resolution || !n.policy.counts(e.Actor) || acknowledged && k.measures != MeasureAcknowledgement {
				continue
			}
			if acknowledged {
				return "acknowledged"
			}
			return "answered"
		case complaint.KindStatusChanged:
			if e.To == complaint.StatusResolved {
				return "resolved"
			}
		case complaint.KindReplyNotNeeded:
			return "no reply needed since"
		default: // stops no clock
		}
	}
	return "stopped"
}

// tellProvisional says why a breach may yet turn out to be none.
func (n *narrator) tellProvisional() {
	through := instantOf(n.in.ObservedThrough)
	if n.in.ObservedThrough.IsZero() {
		n.tell(none, "not final: it is not known how far the channel has been read")
		return
	}
	n.tell(through, "not final: the channel has been read until %s, and what happened in time may still arrive", n.when(through))
}

// left is what remains of a target.
func (t target) left(s *ClockState) string {
	switch t.measure {
	case workingDates:
		t.days = s.RemainingDays
		if t.days == 0 {
			return "no working days"
		}
		return t.String()
	case openTime:
		return say(s.Remaining) + " of open hours"
	default:
		return say(s.Remaining)
	}
}

// leftOf is what remains of a target that is not told by the clock on the wall.
func (t target) leftOf(s *ClockState) string {
	if t.measure == wallTime {
		return ""
	}
	return ", " + t.left(s)
}

// long is a span of wall time as people say it: in days, once it is long.
func long(i instant) string {
	const day = 24 * time.Hour
	d := time.Duration(i)
	if d < 2*day {
		return say(d)
	}
	if hours := d % day / time.Hour; hours > 0 {
		return fmt.Sprintf("%d days %d h", d/day, hours)
	}
	return fmt.Sprintf("%d days", d/day)
}
