package sla

import (
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/calendar"
)

func TestAPauseThatBeginsWithTheClosingCostsAlsoTheLastDay(t *testing.T) {
	p := promise(t, clockOf(MeasureFirstAnswer, workingDays(1), paused))
	wantRows(t, evaluate(t, p, "04 09:00", "02 09:00 Received citizen", "03 16:00 StatusChanged official AwaitingCitizen", "03 16:01 StatusChanged official Open"),
		"FirstAnswer Running: 02 09:00 → 04 16:00, -, 1 days left")
}

func TestTheMidnightThatComesDuringAPauseIsWokenUpFor(t *testing.T) {
	p := promise(t, clockOf(MeasureFirstAnswer, Target{WorkingDays: 1, DueAt: "EndOfDay"}, paused))
	c := evaluate(t, p, "03 21:00", "02 09:00 Received citizen", "03 20:00 StatusChanged official AwaitingCitizen")
	if want := at(t, "04 00:00").Add(time.Microsecond); !c.NextChange.Equal(want) {
		t.Errorf("want the next change at %s, got %s", want, c.NextChange)
	}
}

func TestTheWallClockWarnsByTheWallClock(t *testing.T) {
	p := promise(t, clockOf(MeasureFirstAnswer, within("20h"), warnBefore("25%")))
	c := evaluate(t, p, "02 14:00", "02 14:00 Received citizen")
	if got := show(c.Clocks[0].WarnAt); got != "03 05:00" {
		t.Errorf("got a warning at %s", got)
	}
}

func TestAnOverrunLeavesOutOnlyWhatAClockStoodStillAfterItsDueInstant(t *testing.T) {
	p := promise(t, clockOf(MeasureFirstAnswer, within("2h"), paused))
	wantRows(t, evaluate(t, p, "02 15:00", "02 08:00 Received citizen",
		"02 09:00 StatusChanged official AwaitingCitizen", "02 10:00 StatusChanged official Open", // due at 11:00
		"02 12:00 StatusChanged official AwaitingCitizen", "02 14:00 StatusChanged official Open"),
		"FirstAnswer Breached: 02 08:00 → 02 11:00, -, 2 h over, breached")
}

func TestAPauseFromBeforeTheStartCostsNothing(t *testing.T) {
	p := promise(t, clockOf(MeasureFirstAnswer, within("4h"), onAssigned, paused))
	wantRows(t, evaluate(t, p, "02 13:00", "02 08:00 Received citizen",
		"02 09:00 StatusChanged official AwaitingCitizen", "02 10:00 StatusChanged official Open", "02 12:00 Assigned official"),
		"FirstAnswer Running: 02 12:00 → 02 16:00, -, 3 h left")
}

func TestACalendarThatIsNeverOpenAgainLeavesTheClockWithoutADueInstant(t *testing.T) {
	once, err := calendar.Compile(calendar.Spec{TimeZone: "Asia/Jakarta", SpecialDays: []calendar.SpecialDay{
		{Date: "2026-11-02", Hours: []calendar.Interval{{Start: "08:00", End: "16:00"}}}}})
	if err != nil {
		t.Fatal(err)
	}
	p := compile(t, once, Spec{Rules: []Rule{{Name: "all", Clocks: []Clock{
		clockOf(MeasureFirstAnswer, workingTime("9h"), warnBefore("50%")), clockOf(MeasureFirstResolution, workingDays(2), warnBefore("50%")),
		clockOf(MeasureTotalResolution, Target{WorkingDays: 2, DueAt: "EndOfDay"})}}}})
	c := evaluate(t, p, "09 08:00", "02 08:00 Received citizen")
	wantRows(t, c, "FirstAnswer Running: 02 08:00 → -, -", "FirstResolution Running: 02 08:00 → -, -", "TotalResolution Running: 02 08:00 → -, -")
	for _, s := range c.Clocks {
		if !s.BeyondCoverage {
			t.Errorf("%s is not flagged", s.Name)
		}
	}
	wantRows(t, evaluate(t, p, "09 08:00", "02 08:00 Received citizen", "08 08:00 StatusChanged official Resolved"),
		"FirstAnswer Met: 02 08:00 → -, 08 08:00, met", "FirstResolution Met: 02 08:00 → -, 08 08:00, met", "TotalResolution Met: 02 08:00 → -, 08 08:00, met")
}

func TestHoursPastMidnightCloseAfterTheDayTheyBelongTo(t *testing.T) {
	night := office(t, func(s *calendar.Spec) { s.Weekly[0].Hours = []calendar.Interval{{Start: "22:00", End: "06:00"}} })
	p := compile(t, night, Spec{Rules: []Rule{{Name: "all", Clocks: []Clock{clockOf(MeasureFirstAnswer, Target{WorkingDays: 1, DueAt: "EndOfDay"}, paused)}}}})
	// Due at the midnight after Tuesday; the pause at 02:00 is over the closing of Tuesday's hours.
	lines := []string{"02 09:00 Received citizen", "04 02:00 StatusChanged official AwaitingCitizen", "04 07:00 StatusChanged official Open"}
	for _, when := range []string{"04 01:00", "04 03:00", "04 08:00"} {
		c := evaluate(t, p, when, lines...)
		if s := c.Clocks[0]; s.State != Breached || show(s.DueAt) != "04 00:00" {
			t.Errorf("%s: got %v", when, rows(c))
		}
	}
	// One that begins with the midnight is too late as well.
	wantRows(t, evaluate(t, p, "04 08:00", "02 09:00 Received citizen", "04 00:00 StatusChanged official AwaitingCitizen", "04 07:00 StatusChanged official Open"),
		"FirstAnswer Breached: 02 09:00 → 04 00:00, -, 1 h over, breached")
	// A pause that began before the midnight costs the day, also when another one follows it at once.
	wantRows(t, evaluate(t, p, "04 08:00", "02 09:00 Received citizen", "03 23:00 StatusChanged official AwaitingCitizen",
		"04 02:00 StatusChanged official AwaitingThirdParty", "04 07:00 StatusChanged official Open"),
		"FirstAnswer Running: 02 09:00 → 05 00:00, -, 1 days left")
}

func TestTheNextChangeIsTheFirstThatTimeAloneMakes(t *testing.T) {
	p := promise(t,
		clockOf(MeasureAcknowledgement, within("3h"), warnBefore("1h")), clockOf(MeasureFirstAnswer, within("2h"), warnBefore("30m")),
		clockOf(MeasureFirstResolution, within("4h"), paused), clockOf(MeasureTotalResolution, within("10m"), onAssigned))
	received, waiting := "02 08:00 Received citizen", "02 08:10 StatusChanged official AwaitingCitizen"
	due := time.Microsecond // past a due instant
	for when, want := range map[string]time.Time{
		"02 08:30": at(t, "02 09:30"),          // the answer is due soon
		"02 09:30": at(t, "02 10:00"),          // the acknowledgement is
		"02 10:00": at(t, "02 10:00").Add(due), // the answer is late
		"02 10:01": at(t, "02 11:00").Add(due), // the acknowledgement is, too
		"02 11:01": {},                         // what stands still waits for an event
	} {
		if got := evaluate(t, p, when, received, waiting).NextChange; !got.Equal(want) {
			t.Errorf("%s: got %s, want %s", when, show(got), show(want))
		}
	}
}
