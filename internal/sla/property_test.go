package sla

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tanggap/tanggap/internal/calendar"
	"github.com/tanggap/tanggap/internal/complaint"
)

var zones = []string{
	"Asia/Jakarta", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Africa/Cairo", "UTC",
}

// genCalendar draws a calendar and an instant near which the clocks change in some of the zones.
func genCalendar(t *rapid.T) (*calendar.Calendar, time.Time) {
	anchors := []time.Time{
		time.Date(2026, 3, 26, 0, 0, 0, 0, time.UTC), time.Date(2026, 10, 22, 0, 0, 0, 0, time.UTC),
		time.Date(2026, 3, 5, 0, 0, 0, 0, time.UTC), time.Date(2026, 10, 29, 0, 0, 0, 0, time.UTC),
		time.Date(2026, 2, 12, 0, 0, 0, 0, time.UTC), time.Date(2026, 4, 22, 0, 0, 0, 0, time.UTC),
	}
	anchor := rapid.SampledFrom(anchors).Draw(t, "anchor")
	hours := rapid.SampledFrom([][]calendar.Interval{
		{{Start: "08:00", End: "16:00"}},
		{{Start: "07:30", End: "12:00"}, {Start: "13:00", End: "16:30"}},
		{{Start: "22:00", End: "06:00"}},
		{{Start: "00:00", End: "24:00"}},
		{{Start: "01:30", End: "02:30"}, {Start: "23:00", End: "23:59"}},
	})
	spec := calendar.Spec{
		TimeZone: rapid.SampledFrom(zones).Draw(t, "zone"),
		Weekly: []calendar.WeeklyHours{
			{Days: []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday"}, Hours: hours.Draw(t, "hours")}},
	}
	if rapid.Bool().Draw(t, "weekend") {
		spec.Weekly[0].Days = append(spec.Weekly[0].Days, "Saturday", "Sunday")
	}
	for _, day := range rapid.SliceOfNDistinct(rapid.IntRange(0, 12), 0, 3, rapid.ID).Draw(t, "holidays") {
		spec.Holidays = append(spec.Holidays, calendar.Holiday{Date: anchor.AddDate(0, 0, day).Format(time.DateOnly)})
	}
	c, err := calendar.Compile(spec)
	if err != nil {
		t.Fatalf("calendar: %v", err)
	}
	return c, anchor
}

func genTarget(t *rapid.T) Target {
	switch rapid.IntRange(0, 2).Draw(t, "target") {
	case 0:
		return Target{Within: fmt.Sprintf("%dm", rapid.IntRange(1, 8000).Draw(t, "within"))}
	case 1:
		return Target{WorkingTime: fmt.Sprintf("%dm", rapid.IntRange(1, 3000).Draw(t, "workingTime"))}
	}
	return Target{
		WorkingDays: rapid.Int32Range(1, 5).Draw(t, "workingDays"),
		DayOne:      rapid.SampledFrom([]string{"", "SameDay"}).Draw(t, "dayOne"),
		DueAt:       rapid.SampledFrom([]string{"", "EndOfDay"}).Draw(t, "dueAt"),
	}
}

func genClock(t *rapid.T) Clock {
	c := Clock{Target: genTarget(t)}
	c.Measures = string(rapid.SampledFrom([]Measure{
		MeasureAcknowledgement, MeasureFirstAnswer, MeasureNextReply, MeasureFirstResolution, MeasureTotalResolution}).Draw(t, "measures"))
	c.Name = c.Measures
	if c.Measures != string(MeasureNextReply) && rapid.IntRange(0, 3).Draw(t, "startsOn") == 0 {
		c.StartsOn = "Assigned"
	}
	c.PauseWhile = rapid.SampledFrom([][]string{nil, {"AwaitingCitizen"}, {"AwaitingThirdParty", "AwaitingCitizen"}}).Draw(t, "pauseWhile")
	c.WarnBefore = rapid.SampledFrom([]string{"", "25%", "100%", "1m"}).Draw(t, "warnBefore")
	return c
}

// genEvents draws the events of one case over some days, at whole minutes; the first is a Received
// more often than not. With answers it holds what stops clocks.
func genEvents(t *rapid.T, anchor time.Time) []complaint.Event {
	kinds := slices.Concat(complaint.Kinds(), []complaint.Kind{
		complaint.KindCitizenMessage, complaint.KindStatusChanged, complaint.KindStatusChanged, complaint.KindStatusChanged, complaint.KindStatusChanged})
	n := rapid.IntRange(1, 12).Draw(t, "events")
	events := make([]complaint.Event, n)
	for i := range events {
		e := complaint.Event{
			Channel: "dsw", CaseID: "C1", ID: fmt.Sprintf("e%02d", i),
			Kind:  rapid.SampledFrom(kinds).Draw(t, "kind"),
			Actor: rapid.SampledFrom([]complaint.Actor{complaint.ActorOfficial, complaint.ActorOfficial, complaint.ActorCitizen, complaint.ActorBot}).Draw(t, "actor"),
			OccurredAt: anchor.Add(time.Duration(rapid.IntRange(0, 9*24*60).Draw(t, "minute")) * time.Minute).
				In(rapid.SampledFrom([]*time.Location{time.UTC, jakarta}).Draw(t, "offset")),
		}
		if i == 0 {
			e.Kind = complaint.KindReceived
		}
		switch e.Kind {
		case complaint.KindStatusChanged:
			e.To = rapid.SampledFrom(complaint.Statuses()).Draw(t, "to")
		case complaint.KindMerged:
			e.Into = "C2"
		}
		events[i] = e
	}
	return events
}

func genPolicy(t *rapid.T) (*Policy, []Clock, *calendar.Calendar, time.Time) {
	c, anchor := genCalendar(t)
	clocks := []Clock{genClock(t), genClock(t)}
	clocks[1].Name += "2"
	p, err := Compile(Spec{Rules: []Rule{{Name: "all", Clocks: clocks}}}, Options{Calendar: c})
	if err != nil {
		t.Fatalf("policy: %v", err)
	}
	return p, clocks, c, anchor
}

func TestTheOrderAndRepetitionOfEventsDoNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, _, _, anchor := genPolicy(t)
		in := Input{Events: genEvents(t, anchor), At: anchor.AddDate(0, 0, rapid.IntRange(0, 20).Draw(t, "days"))}
		in.ObservedThrough = in.At
		if rapid.Bool().Draw(t, "sameIDs") { // claimed by events that differ
			in.Events[len(in.Events)-1].ID = in.Events[0].ID
			in.Events[len(in.Events)-1].OccurredAt = in.Events[0].OccurredAt
		}
		want := p.Evaluate(in)
		shuffled := in
		shuffled.Events = slices.Concat(in.Events, in.Events, in.Events)[:len(in.Events)+rapid.IntRange(0, 2*len(in.Events)).Draw(t, "repeated")]
		rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)).Shuffle(len(shuffled.Events), func(i, j int) {
			shuffled.Events[i], shuffled.Events[j] = shuffled.Events[j], shuffled.Events[i]
		})
		if diff := cmp.Diff(want, p.Evaluate(shuffled)); diff != "" {
			t.Errorf("the order of arrival matters: %s", diff)
		}
	})
}

func TestAnOpenCaseThatOnlyMachinesTouchedIsUnanswered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, _, _, anchor := genPolicy(t)
		events := genEvents(t, anchor)
		for i := range events[1:] {
			e := &events[i+1]
			e.Actor = complaint.ActorBot
			if e.Kind != complaint.KindMerged {
				e.Kind, e.To = complaint.KindStatusChanged, rapid.SampledFrom(complaint.Statuses()).Draw(t, "to")
			}
		}
		c := p.Evaluate(Input{Events: events, At: anchor.AddDate(0, 0, 9)})
		if !c.Closed && !c.Unanswered {
			t.Errorf("open, and not unanswered: %+v", c)
		}
	})
}

func TestEventsAreLeftAsTheyAre(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, _, _, anchor := genPolicy(t)
		in := Input{Events: genEvents(t, anchor), At: anchor.AddDate(0, 0, 9)}
		before := slices.Clone(in.Events)
		p.Evaluate(in)
		if diff := cmp.Diff(before, in.Events); diff != "" {
			t.Error(diff)
		}
	})
}

func TestEvaluatingEarlierLeavesNoTrace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, clocks, c, anchor := genPolicy(t)
		fresh, err := Compile(Spec{Rules: []Rule{{Name: "all", Clocks: clocks}}}, Options{Calendar: c})
		if err != nil {
			t.Fatal(err)
		}
		in := Input{Events: genEvents(t, anchor), At: anchor.AddDate(0, 0, rapid.IntRange(0, 9).Draw(t, "t1"))}
		p.Evaluate(in)
		in.At = in.At.AddDate(0, 0, rapid.IntRange(0, 9).Draw(t, "later"))
		if diff := cmp.Diff(fresh.Evaluate(in), p.Evaluate(in)); diff != "" {
			t.Error(diff)
		}
	})
}

// What a ledger relies on when it sleeps until NextChange.
func TestNothingChangesByTimeAloneBeforeTheNextChange(t *testing.T) {
	settled := func(c Case) Case {
		for i := range c.Clocks {
			s := &c.Clocks[i]
			s.Remaining, s.RemainingDays, s.Overrun, s.Elapsed, s.WorkingElapsed = 0, 0, 0, 0, 0
		}
		return c
	}
	rapid.Check(t, func(t *rapid.T) {
		p, _, _, anchor := genPolicy(t)
		in := Input{Events: genEvents(t, anchor), At: anchor.AddDate(0, 0, 9)}
		in.At = in.At.Add(-time.Duration(rapid.IntRange(0, 8*24*60).Draw(t, "before")) * time.Minute)
		in.Events = slices.DeleteFunc(in.Events, func(e complaint.Event) bool { return e.OccurredAt.After(in.At) })
		now := p.Evaluate(in)
		next := in
		if now.NextChange.IsZero() {
			next.At = in.At.AddDate(2, 0, 0)
		} else {
			if !now.NextChange.After(in.At) {
				t.Fatalf("the next change, %s, is not after %s", now.NextChange, in.At)
			}
			wait := now.NextChange.Sub(in.At) / time.Microsecond
			next.At = in.At.Add(time.Duration(rapid.Int64Range(0, int64(wait)-1).Draw(t, "wait")) * time.Microsecond)
		}
		if diff := cmp.Diff(settled(now), settled(p.Evaluate(next))); diff != "" {
			t.Errorf("changed between %s and %s: %s", in.At, next.At, diff)
		}
		if !now.NextChange.IsZero() {
			next.At = now.NextChange
			if changed := settled(p.Evaluate(next)); cmp.Equal(settled(now).Clocks, changed.Clocks) {
				t.Errorf("nothing changed at %s", next.At)
			}
		}
	})
}

func TestAFurtherPauseNeverMakesAClockDueEarlier(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, anchor := genCalendar(t)
		k := Clock{Name: "answer", Measures: "FirstAnswer", Target: genTarget(t), PauseWhile: []string{"AwaitingCitizen"}}
		p, err := Compile(Spec{Rules: []Rule{{Name: "all", Clocks: []Clock{k}}}}, Options{Calendar: c})
		if err != nil {
			t.Fatal(err)
		}
		minutes := rapid.SliceOfNDistinct(rapid.IntRange(1, 9*24*60), 4, 8, rapid.ID).Draw(t, "pauses")
		slices.Sort(minutes)
		minutes = minutes[:len(minutes)/2*2]
		without := rapid.IntRange(0, len(minutes)/2-1).Draw(t, "without") * 2
		event := func(kind complaint.Kind, to complaint.Status, minute int) complaint.Event {
			return complaint.Event{Channel: "dsw", CaseID: "C1", ID: fmt.Sprintf("%s%d", to, minute), Kind: kind, Actor: complaint.ActorOfficial,
				To: to, OccurredAt: anchor.Add(time.Duration(minute) * time.Minute)}
		}
		all := []complaint.Event{event(complaint.KindReceived, "", 0)}
		less := slices.Clone(all)
		for i := 0; i < len(minutes); i += 2 {
			pause := []complaint.Event{
				event(complaint.KindStatusChanged, complaint.StatusAwaitingCitizen, minutes[i]), event(complaint.KindStatusChanged, complaint.StatusOpen, minutes[i+1])}
			all = append(all, pause...)
			if i != without {
				less = append(less, pause...)
			}
		}
		due := func(events []complaint.Event) time.Time {
			return p.Evaluate(Input{Events: events, At: anchor.AddDate(0, 3, 0)}).Clocks[0].DueAt
		}
		if before, after := due(less), due(all); after.Before(before) {
			t.Errorf("a further pause from minute %d to %d: due %s instead of %s", minutes[without], minutes[without+1], after, before)
		}
	})
}
