package sla

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tanggap/tanggap/internal/calendar"
	"github.com/tanggap/tanggap/internal/complaint"
)

// oracle judges a clock by brute force: it lives through the case minute by minute and asks each minute
// what state the case is in. It shares the calendar with the policy, which has an oracle of its own,
// and nothing else. Events and targets lie at whole minutes.
type oracle struct {
	calendar *calendar.Calendar
	clock    Clock
	events   []complaint.Event // in their order, none after at
	at       time.Time
}

type verdict struct {
	Cycle                 int
	State                 State
	Started, Due, Stopped string
}

// state is what a case is in.
type state struct {
	status                     complaint.Status
	merged, rejected, resolved bool
}

func (o *oracle) stateAt(t time.Time) state {
	s := state{status: complaint.StatusOpen}
	for _, e := range o.events {
		switch {
		case e.OccurredAt.After(t):
			return s
		case e.Kind == complaint.KindMerged:
			s.merged = true
		case e.Kind != complaint.KindStatusChanged:
		case e.To == complaint.StatusResolved:
			s.status = e.To
			s.resolved = s.resolved || !s.rejected && !s.merged
		case e.To == complaint.StatusRejected || e.To == complaint.StatusDuplicate || e.To == complaint.StatusSpam:
			s.status, s.rejected = e.To, true
		case e.To == complaint.StatusReopened:
			s = state{status: e.To}
		case s.merged:
			s.status = e.To
		default:
			s = state{status: e.To}
		}
	}
	return s
}

// cancelledSince is when the case, as it is at the evaluation, was taken out of the city's hands.
func (o *oracle) cancelledSince() time.Time {
	var since time.Time
	for i := range o.events {
		s := (&oracle{events: o.events[:i+1]}).stateAt(o.at)
		switch {
		case !s.merged && !s.rejected:
			since = time.Time{}
		case since.IsZero():
			since = o.events[i].OccurredAt
		}
	}
	return since
}

func (o *oracle) first(matches func(e complaint.Event) bool) time.Time {
	if i := slices.IndexFunc(o.events, matches); i >= 0 {
		return o.events[i].OccurredAt
	}
	return time.Time{}
}

func byOfficial(kinds ...complaint.Kind) func(complaint.Event) bool {
	return func(e complaint.Event) bool {
		return e.Actor == complaint.ActorOfficial && slices.Contains(kinds, e.Kind)
	}
}

func resolution(e complaint.Event) bool { return e.To == complaint.StatusResolved }

func resolutionByOfficial(e complaint.Event) bool {
	return resolution(e) && e.Actor == complaint.ActorOfficial
}

// stop is when the clock stops; NextReply has waits instead.
func (o *oracle) stop() time.Time {
	switch Measure(o.clock.Measures) {
	case MeasureAcknowledgement:
		return o.first(func(e complaint.Event) bool {
			return byOfficial(complaint.KindAcknowledged, complaint.KindAnswered)(e) || resolutionByOfficial(e)
		})
	case MeasureFirstAnswer:
		return o.first(func(e complaint.Event) bool {
			return byOfficial(complaint.KindAnswered)(e) || resolutionByOfficial(e)
		})
	case MeasureFirstResolution:
		return o.first(resolution)
	}
	var since time.Time
	for i := range o.events {
		s := (&oracle{events: o.events[:i+1]}).stateAt(o.at)
		switch {
		case !s.resolved:
			since = time.Time{}
		case since.IsZero():
			since = o.events[i].OccurredAt
		}
	}
	return since
}

// waits are the cycles of a NextReply.
func (o *oracle) waits() [][2]time.Time {
	answered, received := false, false
	var waits [][2]time.Time
	for _, e := range o.events {
		open := len(waits) > 0 && waits[len(waits)-1][1].IsZero()
		message := e.Kind == complaint.KindCitizenMessage || e.Kind == complaint.KindReceived && received
		received = received || e.Kind == complaint.KindReceived
		answer := byOfficial(complaint.KindAnswered)(e)
		switch {
		case message && answered && !open:
			waits = append(waits, [2]time.Time{e.OccurredAt})
		case open && (answer || resolution(e) || e.Kind == complaint.KindReplyNotNeeded):
			waits[len(waits)-1][1] = e.OccurredAt
		}
		answered = answered || answer || resolutionByOfficial(e)
	}
	return waits
}

func (o *oracle) verdicts() []verdict {
	received := o.first(func(e complaint.Event) bool { return e.Kind == complaint.KindReceived })
	if received.IsZero() {
		return nil
	}
	cancelled := o.cancelledSince()
	started := func(start time.Time) bool {
		return !start.IsZero() && (cancelled.IsZero() || !start.After(cancelled))
	}
	if o.clock.Measures == string(MeasureNextReply) {
		var all []verdict
		for i, w := range o.waits() {
			if started(w[0]) {
				all = append(all, o.verdict(i+1, w[0], w[1], cancelled))
			}
		}
		return all
	}
	start := received
	if o.clock.StartsOn == "Assigned" {
		start = o.first(func(e complaint.Event) bool { return e.Kind == complaint.KindAssigned })
		if !start.IsZero() && start.Before(received) {
			start = received
		}
	}
	if !started(start) {
		return []verdict{{Cycle: 1, State: Pending, Started: "-", Due: "-", Stopped: "-"}}
	}
	return []verdict{o.verdict(1, start, o.stop(), cancelled)}
}

func (o *oracle) verdict(cycle int, start, stop, cancelled time.Time) verdict {
	if !stop.IsZero() && stop.Before(start) {
		stop = start
	}
	end := stop
	isCancelled := !cancelled.IsZero() && (stop.IsZero() || stop.After(cancelled))
	if isCancelled {
		end = cancelled
	}
	due := o.due(start, end)
	v := verdict{Cycle: cycle, Started: show(start), Due: show(due), Stopped: show(end)}
	late := func(t time.Time) bool { return !due.IsZero() && t.After(due) }
	switch {
	case end.IsZero() && late(o.at):
		v.State = Breached
	case end.IsZero() && o.still(o.at):
		v.State, v.Due = Paused, "-"
	case end.IsZero():
		v.State = Running
	case late(end):
		v.State = Breached
	case isCancelled:
		v.State = Cancelled
	default:
		v.State = Met
	}
	return v
}

// still reports whether the clock stands still at an instant.
func (o *oracle) still(t time.Time) bool {
	s := o.stateAt(t)
	return s.merged || s.rejected || slices.Contains(o.clock.PauseWhile, string(s.status)) ||
		o.clock.Measures == string(MeasureTotalResolution) && s.resolved
}

const horizon = 40 * 24 * 60 // minutes

// due lives on from the start until the target is used up; zero when it is not within the horizon.
func (o *oracle) due(start, end time.Time) time.Time {
	standing := func(t time.Time) bool { return (end.IsZero() || t.Before(end)) && o.still(t) }
	if o.clock.Target.WorkingDays > 0 {
		return o.dueDate(start, standing)
	}
	within, _ := time.ParseDuration(o.clock.Target.Within)
	working, _ := time.ParseDuration(o.clock.Target.WorkingTime)
	left := int((within + working) / time.Minute)
	for minute := range horizon {
		now := start.Add(time.Duration(minute) * time.Minute)
		if left == 0 {
			return now
		}
		if !standing(now) && (within > 0 || o.calendar.Open(now)) {
			left--
		}
	}
	return time.Time{}
}

func (o *oracle) dueDate(start time.Time, standing func(time.Time) bool) time.Time {
	target := o.clock.Target
	left := target.WorkingDays
	date := calendar.DateOf(start.In(o.calendar.Location()).Date())
	if closing, ok := o.calendar.LastClosing(date); !ok || target.DayOne != "SameDay" || !start.Before(closing) {
		date++
	}
	for range horizon / 24 / 60 {
		closing, ok := o.calendar.LastClosing(date)
		if !ok {
			date++
			continue
		}
		due := closing
		if target.DueAt == "EndOfDay" {
			due = o.calendar.EndOfDate(date)
		}
		paused := standing(closing)
		if since := closing; paused && left == 1 && due.Before(closing) {
			// Hours past midnight: what begins after the clock was due does not undo it.
			for standing(since.Add(-time.Minute)) && !since.Before(due) {
				since = since.Add(-time.Minute)
			}
			paused = since.Before(due)
		}
		if !paused {
			left--
		}
		if left == 0 {
			return due
		}
		date++
	}
	return time.Time{}
}

func TestClocksAgreeWithLivingThroughEveryMinute(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, clocks, c, anchor := genPolicy(t)
		in := Input{Events: genEvents(t, anchor), At: anchor.Add(time.Duration(rapid.IntRange(0, 12*24*60).Draw(t, "at")) * time.Minute)}
		got := map[string][]verdict{}
		for _, s := range p.Evaluate(in).Clocks {
			got[s.Name] = append(got[s.Name], verdict{Cycle: s.Cycle, State: s.State, Started: show(s.StartedAt), Due: show(s.DueAt), Stopped: show(s.StoppedAt)})
		}
		want := map[string][]verdict{}
		for _, k := range clocks {
			o := &oracle{calendar: c, clock: k, at: in.At, events: complaint.Sort(slices.DeleteFunc(slices.Clone(in.Events), func(e complaint.Event) bool { return e.OccurredAt.After(in.At) }))}
			if verdicts := o.verdicts(); len(verdicts) > 0 {
				want[k.Name] = verdicts
			}
		}
		for name, rows := range want {
			// What is due beyond the horizon of the oracle is not compared.
			for i := range rows {
				if rows[i].Due == "-" && i < len(got[name]) && got[name][i].State != Paused {
					rows[i].Due = got[name][i].Due
				}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}
