package sla

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/calendar"
	"github.com/tanggap/tanggap/internal/complaint"
)

// The tests play in Depok in November 2026, whose 2nd is a Monday. An instant is written "02 10:00", or with
// a year and a month of its own,
// an event "02 10:00 Answered official", with the status, the other case or a text behind it.
const month = "2026-11-"

var jakarta = time.FixedZone("WIB", 7*60*60)

func at(t testing.TB, s string) time.Time {
	t.Helper()
	if len(s) == len("02 15:04") {
		s = month + s
	}
	instant, err := time.ParseInLocation("2006-01-02 15:04", s, jakarta)
	if err != nil {
		t.Fatal(err)
	}
	return instant
}

func script(t testing.TB, lines ...string) []complaint.Event {
	t.Helper()
	events := make([]complaint.Event, len(lines))
	for i, line := range lines {
		f := strings.SplitN(line, " ", 5)
		e := complaint.Event{
			Channel: "dsw", CaseID: "C1", ID: fmt.Sprintf("e%02d", i), OccurredAt: at(t, f[0]+" "+f[1]),
			Kind: complaint.Kind(f[2]), Actor: complaint.Actor(f[3]),
		}
		if len(f) == 5 {
			switch e.Kind {
			case complaint.KindStatusChanged:
				e.To = complaint.Status(f[4])
			case complaint.KindMerged:
				e.Into = f[4]
			default:
				e.Text = f[4]
			}
		}
		if err := e.Validate(); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		events[i] = e
	}
	return events
}

// office is open Monday to Friday from 08:00 to 16:00.
func office(t testing.TB, change ...func(*calendar.Spec)) *calendar.Calendar {
	t.Helper()
	spec := calendar.Spec{
		TimeZone: "Asia/Jakarta",
		Weekly: []calendar.WeeklyHours{{
			Days:  []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday"},
			Hours: []calendar.Interval{{Start: "08:00", End: "16:00"}},
		}},
	}
	for _, f := range change {
		f(&spec)
	}
	c, err := calendar.Compile(spec)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func holiday(day, name string) func(*calendar.Spec) {
	return func(s *calendar.Spec) {
		s.Holidays = append(s.Holidays, calendar.Holiday{Date: month + day, Name: name})
	}
}

// promise is a policy of one rule that has the clocks, on the office's calendar.
func promise(t testing.TB, clocks ...Clock) *Policy {
	t.Helper()
	return compile(t, office(t), Spec{Rules: []Rule{{Name: "all", Clocks: clocks}}})
}

func compile(t testing.TB, c *calendar.Calendar, spec Spec) *Policy {
	t.Helper()
	p, err := Compile(spec, Options{Calendar: c})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// clockOf is a clock of a measure, named after it.
func clockOf(m Measure, target Target, change ...func(*Clock)) Clock {
	c := Clock{Name: string(m), Measures: string(m), Target: target}
	for _, f := range change {
		f(&c)
	}
	return c
}

func within(s string) Target      { return Target{Within: s} }
func workingTime(s string) Target { return Target{WorkingTime: s} }
func workingDays(n int32) Target  { return Target{WorkingDays: n} }

func onAssigned(c *Clock) { c.StartsOn = "Assigned" }
func paused(c *Clock)     { c.PauseWhile = []string{"AwaitingCitizen", "AwaitingThirdParty"} }
func warnBefore(s string) func(*Clock) {
	return func(c *Clock) { c.WarnBefore = s }
}

// evaluate is the case at an instant whose source was read up to that instant.
func evaluate(t testing.TB, p *Policy, when string, lines ...string) Case {
	t.Helper()
	return p.Evaluate(Input{Events: script(t, lines...), At: at(t, when), ObservedThrough: at(t, when), Subject: Subject{Channel: "dsw", Official: true}})
}

// show is an instant as the tests write it; "-" for none.
func show(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	s := t.In(jakarta).Format("2006-01-02 15:04:05")
	return strings.TrimSuffix(strings.TrimPrefix(s, month), ":00")
}

// rows are the clocks in one line each: name, cycle where there are several, state, start → due, stop.
func rows(c Case) []string {
	var lines []string
	for _, s := range c.Clocks {
		name := s.Name
		if s.Measures == MeasureNextReply {
			name = fmt.Sprintf("%s %d", s.Name, s.Cycle)
		}
		line := fmt.Sprintf("%s %s: %s → %s, %s", name, s.State, show(s.StartedAt), show(s.DueAt), show(s.StoppedAt))
		switch {
		case s.Remaining != 0:
			line += ", " + say(s.Remaining) + " left"
		case s.RemainingDays != 0:
			line += fmt.Sprintf(", %d days left", s.RemainingDays)
		case s.Overrun != 0:
			line += ", " + say(s.Overrun) + " over"
		}
		if s.DueSoon {
			line += ", due soon"
		}
		line += map[bool]string{true: ", " + string(s.Outcome)}[s.Final]
		lines = append(lines, line)
	}
	return lines
}
