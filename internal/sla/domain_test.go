package sla

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/calendar"
	"github.com/tanggap/tanggap/internal/complaint"
)

// What real systems got wrong about clocks; each test is named by what is right.

func wantRows(t *testing.T, c Case, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, rows(c)); diff != "" {
		t.Error(diff)
	}
}

func TestWorkingHoursThatAreSetAreObeyed(t *testing.T) { // 1
	p := promise(t, clockOf(MeasureFirstAnswer, workingTime("4h")))
	wantRows(t, evaluate(t, p, "03 09:00", "02 14:00 Received citizen"),
		"FirstAnswer Running: 02 14:00 → 03 10:00, -, 1 h left")
}

func TestABotsReplyNeitherCountsNorKeepsAnOfficialsFromCounting(t *testing.T) { // 2
	p := promise(t, clockOf(MeasureFirstAnswer, within("1h")), clockOf(MeasureNextReply, within("1h")))
	lines := []string{"02 10:00 Received citizen", "02 10:00 Answered bot", "02 10:10 CitizenMessage citizen"}
	c := evaluate(t, p, "02 10:20", lines...)
	wantRows(t, c, "FirstAnswer Running: 02 10:00 → 02 11:00, -, 40 min left")
	if !c.Unanswered || !c.WaitingSince.Equal(at(t, "02 10:00")) {
		t.Errorf("a bot's reply ended the wait: %+v", c)
	}
	c = evaluate(t, p, "02 12:00", append(lines, "02 10:50 Answered official")...)
	wantRows(t, c, "FirstAnswer Met: 02 10:00 → 02 11:00, 02 10:50, met")
	if c.AwaitingReply {
		t.Error("an official's reply did not end the wait that a bot's came before")
	}
}

func TestTheDelayOfAPersonIsMeasuredFromTheReceiptAlsoAfterABot(t *testing.T) { // 3
	p := promise(t, clockOf(MeasureFirstAnswer, within("1h")))
	wantRows(t, evaluate(t, p, "02 15:00", "02 10:00 Received citizen", "02 10:01 Answered bot", "02 10:30 Assigned bot", "02 11:20 Answered official"),
		"FirstAnswer Breached: 02 10:00 → 02 11:00, 02 11:20, 20 min over, breached")
}

func TestAReopenedCaseDoesNotWaitSinceBeforeItsResolution(t *testing.T) { // 4
	p := promise(t, clockOf(MeasureNextReply, within("2h")))
	c := evaluate(t, p, "13 10:30",
		"02 08:00 Received citizen", "02 08:30 Answered official", "02 09:00 CitizenMessage citizen", "02 09:30 StatusChanged official Resolved",
		"13 10:00 StatusChanged citizen Reopened", "13 10:00 CitizenMessage citizen")
	wantRows(t, c,
		"NextReply 1 Met: 02 09:00 → 02 11:00, 02 09:30, met",
		"NextReply 2 Running: 13 10:00 → 13 12:00, -, 1 h 30 min left")
	if !c.WaitingSince.Equal(at(t, "13 10:00")) {
		t.Errorf("waiting since %s", c.WaitingSince)
	}
}

func TestACaseThatIsTakenBackUnansweredIsUnanswered(t *testing.T) {
	p := promise(t, clockOf(MeasureFirstAnswer, within("2h")))
	for _, end := range []string{"Merged official C2", "StatusChanged official Rejected"} {
		// Many sources close by themselves what was merged or rejected.
		c := evaluate(t, p, "04 08:30", "02 08:00 Received citizen", "02 09:00 "+end, "02 09:01 StatusChanged system Resolved", "04 08:00 StatusChanged official Reopened")
		wantRows(t, c, "FirstAnswer Running: 02 08:00 → 04 09:00, -, 30 min left")
		if !c.Unanswered || !c.AwaitingReply || !c.WaitingSince.Equal(at(t, "04 08:00")) {
			t.Errorf("%s: got %+v", end, c)
		}
	}
}

func TestAResolutionEndsTheWaitOfACitizenWhoHadTheLastWord(t *testing.T) { // 5
	p := promise(t, clockOf(MeasureNextReply, within("2h")))
	for _, who := range []string{"official", "system", "citizen"} {
		c := evaluate(t, p, "05 10:00",
			"02 08:00 Received citizen", "02 08:30 Answered official", "02 09:00 CitizenMessage citizen thank you", "02 10:00 StatusChanged "+who+" Resolved")
		wantRows(t, c, "NextReply 1 Met: 02 09:00 → 02 11:00, 02 10:00, met")
		if c.AwaitingReply {
			t.Error("still awaiting a reply")
		}
	}
}

func TestAnOverrunFreezesWhenTheClockStops(t *testing.T) { // 6
	p := promise(t, clockOf(MeasureFirstAnswer, within("1h")))
	for _, when := range []string{"02 11:30", "20 11:30"} {
		wantRows(t, evaluate(t, p, when, "02 10:00 Received citizen", "02 11:30 Answered official"),
			"FirstAnswer Breached: 02 10:00 → 02 11:00, 02 11:30, 30 min over, breached")
	}
}

func TestALateFirstAnswerStaysABreachAlthoughThereIsAnAnswer(t *testing.T) { // 7
	p := promise(t, clockOf(MeasureFirstAnswer, within("1h")))
	wantRows(t, evaluate(t, p, "20 11:30", "02 10:00 Received citizen", "02 11:01 Answered official", "02 11:02 Answered official", "03 11:00 StatusChanged official Resolved"),
		"FirstAnswer Breached: 02 10:00 → 02 11:00, 02 11:01, 1 min over, breached")
}

func TestNoReplyIsDueOnceTheCitizenWasAnswered(t *testing.T) { // 8
	p := promise(t, clockOf(MeasureNextReply, within("2h")))
	c := evaluate(t, p, "09 10:00", "02 08:00 Received citizen", "02 08:30 Answered official", "02 09:00 CitizenMessage citizen", "02 09:30 Answered official")
	wantRows(t, c, "NextReply 1 Met: 02 09:00 → 02 11:00, 02 09:30, met")
	if !c.NextChange.IsZero() {
		t.Errorf("something is to change at %s", c.NextChange)
	}
}

func TestAShorterNextReplyDoesNotOverruleTheFirstAnswer(t *testing.T) { // 9
	p := promise(t, clockOf(MeasureFirstAnswer, within("8h")), clockOf(MeasureNextReply, within("1h")))
	wantRows(t, evaluate(t, p, "02 11:00", "02 08:00 Received citizen", "02 08:10 CitizenMessage citizen"),
		"FirstAnswer Running: 02 08:00 → 02 16:00, -, 5 h left")
}

func TestAnAnswerThatAlsoSetsTheCaseToWaitingIsAnAnswer(t *testing.T) { // 10
	p := promise(t, clockOf(MeasureFirstAnswer, within("1h"), paused), clockOf(MeasureFirstResolution, within("8h"), paused))
	wantRows(t, evaluate(t, p, "02 12:00", "02 08:00 Received citizen", "02 08:30 StatusChanged official AwaitingCitizen", "02 08:30 Answered official"),
		"FirstAnswer Met: 02 08:00 → 02 09:00, 02 08:30, met",
		"FirstResolution Paused: 02 08:00 → -, -, 7 h 30 min left")
}

func TestAPauseTakesOpenHoursOnlyAndOnlyOnce(t *testing.T) { // 11
	p := promise(t, clockOf(MeasureFirstAnswer, workingTime("6h"), paused))
	wantRows(t, evaluate(t, p, "03 11:00",
		"02 14:00 Received citizen", "02 15:00 StatusChanged official AwaitingCitizen", "02 17:00 StatusChanged official AwaitingCitizen",
		"02 20:00 StatusChanged official AwaitingThirdParty", "03 09:30 StatusChanged official Open"),
		// One hour before the pause; the pause takes 15:00–16:00 and 08:00–09:30, not the night.
		"FirstAnswer Running: 02 14:00 → 03 14:30, -, 3 h 30 min left")
}

func TestAnotherTargetRemembersEarlierPauses(t *testing.T) { // 12
	lines := []string{"02 08:00 Received citizen", "02 09:00 StatusChanged official AwaitingCitizen", "02 10:00 StatusChanged official Open"}
	wantRows(t, evaluate(t, promise(t, clockOf(MeasureFirstAnswer, within("4h"), paused)), "02 11:00", lines...),
		"FirstAnswer Running: 02 08:00 → 02 13:00, -, 2 h left")
	wantRows(t, evaluate(t, promise(t, clockOf(MeasureFirstAnswer, within("6h"), paused)), "02 11:00", lines...),
		"FirstAnswer Running: 02 08:00 → 02 15:00, -, 4 h left")
}

func TestTheOldDepartmentsClockDoesNotLiveOn(t *testing.T) { // 13
	p := compile(t, office(t), Spec{Rules: []Rule{
		{Name: "roads", Match: `complaint.department == "DPUPR"`, Clocks: []Clock{{Name: "roads", Measures: "FirstAnswer", Target: within("1h")}}},
		{Name: "others", Clocks: []Clock{{Name: "others", Measures: "FirstAnswer", Target: within("4h")}}},
	}})
	in := Input{Events: script(t, "02 08:00 Received citizen"), At: at(t, "02 10:00"), ObservedThrough: at(t, "02 10:00")}
	in.Subject.Dimensions.Department = "DPUPR"
	wantRows(t, p.Evaluate(in), "roads Breached: 02 08:00 → 02 09:00, -, 1 h over, breached")
	in.Subject.Dimensions.Department = "DLHK"
	c := p.Evaluate(in)
	wantRows(t, c, "others Running: 02 08:00 → 02 12:00, -, 2 h left")
	if c.Rule != "others" {
		t.Errorf("rule %q", c.Rule)
	}
}

func TestAPolicyThatIsGoneAsksForNothing(t *testing.T) { // 14
	var none *Policy
	nothing := compile(t, nil, Spec{Rules: []Rule{{Name: "none", Match: "false"}}})
	for _, p := range []*Policy{none, nothing} {
		c := evaluate(t, p, "09 10:00", "02 08:00 Received citizen")
		if len(c.Clocks) > 0 || !c.NextChange.IsZero() || !c.Unanswered {
			t.Errorf("got %+v", c)
		}
	}
}

func TestMergedAndDuplicateCasesNoLongerCount(t *testing.T) { // 15
	p := promise(t, clockOf(MeasureFirstAnswer, within("4h")), clockOf(MeasureFirstResolution, within("4h")))
	for _, end := range []string{"Merged official C2", "StatusChanged official Duplicate", "StatusChanged official Spam", "StatusChanged official Rejected"} {
		c := evaluate(t, p, "09 10:00", "02 08:00 Received citizen", "02 09:00 "+end)
		wantRows(t, c,
			"FirstAnswer Cancelled: 02 08:00 → 02 12:00, 02 09:00, cancelled",
			"FirstResolution Cancelled: 02 08:00 → 02 12:00, 02 09:00, cancelled")
		if c.Unanswered || c.AwaitingReply || !c.Closed || !c.Settled() || !c.CancelledAt.Equal(at(t, "02 09:00")) {
			t.Errorf("%s: got %+v", end, c)
		}
	}
}

func TestAHolidayIsTheLocalDateOfTheCalendarsOwnZone(t *testing.T) { // 16
	// Tuesday is a holiday in Jakarta; the complaint comes at 00:30 local time, which is still Monday in UTC.
	p := compile(t, office(t, holiday("03", "Hari Libur")), Spec{Rules: []Rule{{Name: "all", Clocks: []Clock{
		clockOf(MeasureFirstAnswer, Target{WorkingDays: 1, DayOne: "SameDay"}), clockOf(MeasureFirstResolution, workingTime("8h"))}}}})
	wantRows(t, evaluate(t, p, "03 00:30", "03 00:30 Received citizen"),
		"FirstAnswer Running: 03 00:30 → 04 16:00, -, 1 days left",
		"FirstResolution Running: 03 00:30 → 04 16:00, -, 8 h left")
	// Another city's calendar does not have it.
	p = promise(t, clockOf(MeasureFirstAnswer, Target{WorkingDays: 1, DayOne: "SameDay"}))
	wantRows(t, evaluate(t, p, "03 00:30", "03 00:30 Received citizen"),
		"FirstAnswer Running: 03 00:30 → 03 16:00, -, 1 days left")
}

func TestThePastIsComputedWithTheOffsetThatWasInForce(t *testing.T) { // 17
	berlin := office(t, func(s *calendar.Spec) { s.TimeZone = "Europe/Berlin" })
	p := compile(t, berlin, Spec{Rules: []Rule{{Name: "all", Clocks: []Clock{clockOf(MeasureFirstAnswer, workingTime("9h"))}}}})
	// Friday 23 October 2026 09:00 summer time; the clocks go back on Sunday. Looked at in winter.
	received := complaint.Event{Channel: "dsw", CaseID: "C1", ID: "e1", Kind: complaint.KindReceived, Actor: complaint.ActorCitizen, OccurredAt: time.Date(2026, 10, 23, 7, 0, 0, 0, time.UTC)}
	c := p.Evaluate(Input{Events: []complaint.Event{received}, At: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)})
	if want := time.Date(2026, 10, 26, 9, 0, 0, 0, time.UTC); !c.Clocks[0].DueAt.Equal(want) { // 10:00 winter time
		t.Errorf("want due %s, got %s", want, c.Clocks[0].DueAt)
	}
}

func TestAnInstantIsTheSameHoweverItsOffsetIsWritten(t *testing.T) { // 18
	p := promise(t, clockOf(MeasureFirstAnswer, workingTime("4h")))
	in := Input{Events: script(t, "02 14:00 Received citizen", "02 15:00 Answered official"), At: at(t, "09 10:00")}
	want := p.Evaluate(in)
	for i := range in.Events {
		in.Events[i].OccurredAt = in.Events[i].OccurredAt.UTC()
	}
	in.At = in.At.UTC()
	if diff := cmp.Diff(want, p.Evaluate(in)); diff != "" {
		t.Error(diff)
	}
	if want.Received.Location() != time.UTC || !want.Received.Equal(at(t, "02 14:00")) {
		t.Errorf("received %s", want.Received)
	}
}

func TestTheWaitIsSinceTheFirstUnansweredMessage(t *testing.T) { // 19
	p := promise(t, clockOf(MeasureNextReply, within("8h")))
	c := evaluate(t, p, "02 12:00", "02 08:00 Received citizen", "02 08:30 Answered official", "02 09:00 CitizenMessage citizen", "02 11:00 CitizenMessage citizen")
	wantRows(t, c, "NextReply 1 Running: 02 09:00 → 02 17:00, -, 5 h left")
	if !c.AwaitingReply || c.Unanswered || !c.WaitingSince.Equal(at(t, "02 09:00")) {
		t.Errorf("got %+v", c)
	}
}

func TestAnOfficialsPublicNoteIsAnAnswer(t *testing.T) { // 20
	p := promise(t, clockOf(MeasureFirstAnswer, within("4h")))
	in := Input{Events: script(t, "02 08:00 Received citizen", "02 09:00 Answered official the crew is on its way"), At: at(t, "02 12:00")}
	in.Events[1].Attributes = map[string]string{"type": "public note"}
	wantRows(t, p.Evaluate(in), "FirstAnswer Met: 02 08:00 → 02 12:00, 02 09:00, met")
}

func TestALaterCycleLeavesEarlierVerdictsAlone(t *testing.T) { // 21
	p := promise(t, clockOf(MeasureNextReply, within("1h")))
	wantRows(t, evaluate(t, p, "09 10:00",
		"02 08:00 Received citizen", "02 08:30 Answered official",
		"02 09:00 CitizenMessage citizen", "02 11:00 Answered official",
		"03 09:00 CitizenMessage citizen", "03 09:10 Answered official",
		"04 09:00 CitizenMessage citizen", "04 09:10 ReplyNotNeeded official"),
		"NextReply 1 Breached: 02 09:00 → 02 10:00, 02 11:00, 1 h over, breached",
		"NextReply 2 Met: 03 09:00 → 03 10:00, 03 09:10, met",
		"NextReply 3 Met: 04 09:00 → 04 10:00, 04 09:10, met")
}

func TestAWarningComesInsideTheHours(t *testing.T) { // 22
	tests := map[string]struct {
		clock Clock
		want  string
	}{
		"before the end of working time, over a night":             {clockOf(MeasureFirstAnswer, workingTime("8h"), warnBefore("4h30m")), "03 09:30"},
		"where the share ends with a closing, at the next opening": {clockOf(MeasureFirstAnswer, workingTime("8h"), warnBefore("75%")), "03 08:00"},
		"before a midnight": {clockOf(MeasureFirstAnswer, Target{WorkingDays: 1, DueAt: "EndOfDay"}, warnBefore("2h")), "03 14:00"},
		"a share of working days, by the open time in them":         {clockOf(MeasureFirstAnswer, workingDays(1), warnBefore("25%")), "03 13:30"},
		"a whole working day before, at the opening and not at 00h": {clockOf(MeasureFirstAnswer, workingDays(2), warnBefore("16h")), "03 08:00"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := evaluate(t, promise(t, test.clock), "02 14:00", "02 14:00 Received citizen")
			if got := show(c.Clocks[0].WarnAt); got != test.want {
				t.Errorf("want a warning at %s, got %s", test.want, got)
			}
			if c.Clocks[0].DueSoon || !c.NextChange.Equal(c.Clocks[0].WarnAt) {
				t.Errorf("got %+v", c)
			}
		})
	}
}

func TestASecondIntervalAndOnePastMidnightCount(t *testing.T) { // 23
	hours := func(intervals ...calendar.Interval) func(*calendar.Spec) {
		return func(s *calendar.Spec) { s.Weekly[0].Hours = intervals }
	}
	p := compile(t, office(t, hours(calendar.Interval{Start: "08:00", End: "12:00"}, calendar.Interval{Start: "20:00", End: "02:00"})),
		Spec{Rules: []Rule{{Name: "all", Clocks: []Clock{clockOf(MeasureFirstAnswer, workingTime("7h")), clockOf(MeasureFirstResolution, workingDays(1))}}}})
	wantRows(t, evaluate(t, p, "02 11:00", "02 11:00 Received citizen"),
		"FirstAnswer Running: 02 11:00 → 03 02:00, -, 7 h left",
		"FirstResolution Running: 02 11:00 → 04 02:00, -, 1 days left")
}

func TestAnAcknowledgementDoesNotEndTheWait(t *testing.T) { // 24
	p := compile(t, office(t), Spec{
		Acknowledgement: &Acknowledgement{Match: `size(event.text) < 40 && event.text.contains("Terima kasih")`},
		Rules: []Rule{{Name: "all", Clocks: []Clock{
			clockOf(MeasureAcknowledgement, within("1h")), clockOf(MeasureFirstAnswer, within("4h")), clockOf(MeasureNextReply, within("1h"))}}},
	})
	c := evaluate(t, p, "02 10:00", "02 08:00 Received citizen", "02 08:20 Acknowledged bot", "02 08:30 Answered official Terima kasih atas laporannya")
	wantRows(t, c,
		"Acknowledgement Met: 02 08:00 → 02 09:00, 02 08:30, met",
		"FirstAnswer Running: 02 08:00 → 02 12:00, -, 2 h left")
	if !c.Unanswered || c.Answered() || !c.AcknowledgedAt.Equal(at(t, "02 08:30")) {
		t.Errorf("got %+v", c)
	}
	c = evaluate(t, p, "02 10:00", "02 08:00 Received citizen", "02 08:20 Answered official Regu berangkat pukul 14", "02 09:00 CitizenMessage citizen",
		"02 09:10 Acknowledged official", "02 09:20 Answered official Terima kasih")
	wantRows(t, c,
		"Acknowledgement Met: 02 08:00 → 02 09:00, 02 08:20, met",
		"FirstAnswer Met: 02 08:00 → 02 12:00, 02 08:20, met",
		"NextReply 1 Running: 02 09:00 → 02 10:00, -")
	if !c.AwaitingReply || c.Unanswered {
		t.Errorf("got %+v", c)
	}
}

func TestACitizenIsOneHoweverThePhoneNumberIsWritten(t *testing.T) { // 25
	identities := map[string]bool{}
	for _, phone := range []string{"0812-3456-789", "+62 812 3456 789", "628123456789", "8123456789"} {
		identities[(&complaint.Reporter{Phone: phone}).Identity("dsw")] = true
	}
	if len(identities) != 1 {
		t.Errorf("got %v", identities)
	}
}

func TestABreachIsTakenBackWhenAnAnswerInTimeBecomesKnown(t *testing.T) { // 26
	p := promise(t, clockOf(MeasureFirstAnswer, within("1h")))
	in := Input{Events: script(t, "02 10:00 Received citizen"), At: at(t, "02 11:03"), ObservedThrough: at(t, "02 10:50")}
	wantRows(t, p.Evaluate(in), "FirstAnswer Breached: 02 10:00 → 02 11:00, -, 3 min over") // not final
	in.ObservedThrough = at(t, "02 11:00")
	wantRows(t, p.Evaluate(in), "FirstAnswer Breached: 02 10:00 → 02 11:00, -, 3 min over")
	in.Events = script(t, "02 10:00 Received citizen", "02 10:58 Answered official")
	wantRows(t, p.Evaluate(in), "FirstAnswer Met: 02 10:00 → 02 11:00, 02 10:58, met")
}

func TestTwoPausesWithinAMinuteBothCount(t *testing.T) { // 27
	p := promise(t, clockOf(MeasureFirstAnswer, within("1h"), paused))
	in := Input{Events: script(t, "02 10:00 Received citizen",
		"02 10:10 StatusChanged official AwaitingCitizen", "02 10:10 StatusChanged official Open",
		"02 10:10 StatusChanged official AwaitingCitizen", "02 10:10 StatusChanged official Open"), At: at(t, "02 10:30")}
	for i := range in.Events[1:] {
		in.Events[i+1].OccurredAt = in.Events[i+1].OccurredAt.Add(time.Duration(10*i) * time.Second)
	}
	wantRows(t, p.Evaluate(in), "FirstAnswer Running: 02 10:00 → 02 11:00:20, -, 30 min 20 s left")
}

func TestAnEditOfTheCalendarDoesNotReachAPolicyThatWasCompiled(t *testing.T) { // 28
	spec := calendar.Spec{TimeZone: "Asia/Jakarta", Weekly: []calendar.WeeklyHours{{
		Days: []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday"}, Hours: []calendar.Interval{{Start: "08:00", End: "16:00"}}}}}
	old, err := calendar.Compile(spec)
	if err != nil {
		t.Fatal(err)
	}
	promised := Spec{Rules: []Rule{{Name: "all", Clocks: []Clock{clockOf(MeasureFirstAnswer, workingTime("4h"))}}}}
	p := compile(t, old, promised)
	lines := []string{"02 08:00 Received citizen", "02 11:00 StatusChanged official Resolved"}
	before := evaluate(t, p, "09 10:00", lines...)
	if !before.Settled() {
		t.Errorf("a resolved case is not settled: %+v", before)
	}
	spec.Weekly[0].Hours[0] = calendar.Interval{Start: "10:00", End: "11:00"}
	promised.Rules[0].Clocks[0].Target = workingTime("1m")
	if diff := cmp.Diff(before, evaluate(t, p, "09 10:00", lines...)); diff != "" {
		t.Error(diff)
	}
}
