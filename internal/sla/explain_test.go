package sla

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/calendar"
)

func told(steps []Step) []string {
	var lines []string
	for _, s := range steps {
		lines = append(lines, s.Text)
	}
	return lines
}

// ramadan is the office in March 2026, with the season, the holidays and joint leave.
func ramadan(t testing.TB) *calendar.Calendar {
	t.Helper()
	hours := func(start, end string) []calendar.WeeklyHours {
		return []calendar.WeeklyHours{{Days: []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday"}, Hours: []calendar.Interval{{Start: start, End: end}}}}
	}
	c, err := calendar.Compile(calendar.Spec{
		TimeZone: "Asia/Jakarta", Weekly: hours("07:30", "16:30"), CoversUntil: "2026-12-31",
		Seasons: []calendar.Season{{Name: "Ramadan 1447", From: "2026-02-18", To: "2026-03-17", Weekly: hours("08:00", "15:00")}},
		Holidays: []calendar.Holiday{
			{Date: "2026-03-18", Name: "joint leave"}, {Date: "2026-03-19", Name: "Nyepi"}, {Date: "2026-03-20", Name: "joint leave"},
			{Date: "2026-03-21", Name: "Idul Fitri"}, {Date: "2026-03-22", Name: "Idul Fitri"}, {Date: "2026-03-23", Name: "joint leave"}, {Date: "2026-03-24", Name: "joint leave"},
			{Date: "2026-12-24", Name: "joint leave"}, {Date: "2026-12-25", Name: "Christmas"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestExplain(t *testing.T) {
	tests := map[string]struct {
		clock  Clock
		events []string // of November, or with a month of their own
		at     string
		want   []string
	}{
		"working days over Idul Fitri, breached": {
			clockOf(MeasureFirstAnswer, workingDays(3)), []string{"2026-03-17 10:00 Received citizen"}, "2026-03-27 18:40",
			[]string{
				"starts with the receipt, Tue 17 Mar 10:00",
				"may take 3 working days, counted from the next working day; until the closing of the last",
				"18–24 Mar not working (joint leave, Nyepi, Idul Fitri)",
				"Tue 17 Mar hours of Ramadan 1447",
				"working day 1 is Wed 25 Mar, 2 is Thu 26 Mar, 3 is Fri 27 Mar",
				"due Fri 27 Mar 16:30",
				"still open: breached 2 h 10 min ago",
			},
		},
		"working time with a pause, answered in time": {
			clockOf(MeasureFirstAnswer, workingTime("6h"), paused),
			[]string{"02 14:00 Received citizen", "02 15:00 StatusChanged official AwaitingCitizen", "03 09:30 StatusChanged official Open", "03 12:00 Answered official"}, "09 08:00",
			[]string{
				"starts with the receipt, Mon 2 Nov 14:00",
				"may take 6 h of open hours",
				"stands still from Mon 2 Nov 15:00 to Tue 3 Nov 09:30 (AwaitingCitizen): 2 h 30 min of open hours do not count",
				"uses 1 h on Mon 2 Nov, 5 h on Tue 3 Nov",
				"due Tue 3 Nov 14:30",
				"answered Tue 3 Nov 12:00, 2 h 30 min in time: met",
			},
		},
		"a working day lost to a pause, paused again": {
			clockOf(MeasureFirstAnswer, workingDays(8), paused),
			[]string{"02 14:00 Received citizen", "03 09:30 StatusChanged official AwaitingThirdParty", "05 09:30 StatusChanged official Open", "06 09:30 StatusChanged official AwaitingCitizen"}, "09 08:00",
			[]string{
				"starts with the receipt, Mon 2 Nov 14:00",
				"may take 8 working days, counted from the next working day; until the closing of the last",
				"7–8 Nov not working (weekend)",
				"stands still from Tue 3 Nov 09:30 to Thu 5 Nov 09:30 (AwaitingThirdParty): the working days from Tue 3 Nov to Wed 4 Nov close in it and do not count",
				"stands still since Fri 6 Nov 09:30 (AwaitingCitizen): 7 working days remain",
			},
		},
		"many working days are told by the first and the last": {
			clockOf(MeasureFirstResolution, Target{WorkingDays: 14, DueAt: "EndOfDay", DayOne: "SameDay"}, warnBefore("25%")), []string{"2026-12-21 09:00 Received citizen"}, "2026-12-21 10:00",
			[]string{
				"starts with the receipt, Mon 21 Dec 09:00",
				"may take 14 working days, counted from the same day, if that is a working day and not closed yet, else the next; until the midnight of the last",
				"24–27 Dec not working (joint leave, Christmas)",
				"2–3 Jan 2027 not working (weekend)",
				"9–10 Jan 2027 not working (weekend)",
				"working day 1 is Mon 21 Dec, …, 14 is Mon 11 Jan 2027",
				"due Tue 12 Jan 2027 00:00",
				"the calendar covers dates until 31 Dec 2026 only: holidays after that are not known",
				"due soon from Wed 6 Jan 2027 12:22:30",
				"still open: due in 21 days 14 h, 14 working days",
			},
		},
		"the wall clock, late": {
			clockOf(MeasureFirstAnswer, within("15m")), []string{"02 14:00 Received citizen", "05 17:00 StatusChanged official Resolved"}, "09 08:00",
			[]string{
				"starts with the receipt, Mon 2 Nov 14:00", "may take 15 min", "due Mon 2 Nov 14:15",
				"resolved Thu 5 Nov 17:00, 3 days 2 h late: breached for ever",
			},
		},
		"exactly in time": {
			clockOf(MeasureAcknowledgement, within("15m")), []string{"02 14:00 Received citizen", "02 14:15 Acknowledged official"}, "09 08:00",
			[]string{
				"starts with the receipt, Mon 2 Nov 14:00", "may take 15 min", "due Mon 2 Nov 14:15",
				"acknowledged Mon 2 Nov 14:15, just in time: met",
			},
		},
		"answered before it was assigned": {
			clockOf(MeasureFirstAnswer, within("15m"), onAssigned), []string{"02 14:00 Received citizen", "02 14:05 Answered official", "02 14:30 Assigned official"}, "09 08:00",
			[]string{
				"starts with the assignment, Mon 2 Nov 14:30", "may take 15 min", "due Mon 2 Nov 14:45",
				"answered Mon 2 Nov 14:05, before it started: met at its start",
			},
		},
		"not assigned": {
			clockOf(MeasureFirstAnswer, within("15m"), onAssigned), []string{"02 14:00 Received citizen"}, "09 08:00",
			[]string{"not started: the case has not been assigned"},
		},
		"assigned when it was too late": {
			clockOf(MeasureFirstAnswer, within("15m"), onAssigned), []string{"02 14:00 Received citizen", "02 15:00 StatusChanged official Spam", "02 16:00 Assigned official"}, "09 08:00",
			[]string{"not started Mon 2 Nov 16:00: the case was out of the city's hands by then"},
		},
		"cancelled": {
			clockOf(MeasureFirstAnswer, within("15m")), []string{"02 14:00 Received citizen", "02 14:10 Merged official C2"}, "09 08:00",
			[]string{
				"starts with the receipt, Mon 2 Nov 14:00", "may take 15 min", "due Mon 2 Nov 14:15",
				"taken out of the city's hands (merged into another case) Mon 2 Nov 14:10: cancelled, neither met nor breached",
			},
		},
		"cancelled too late": {
			clockOf(MeasureFirstAnswer, within("15m")), []string{"02 14:00 Received citizen", "02 14:20 StatusChanged official Spam"}, "09 08:00",
			[]string{
				"starts with the receipt, Mon 2 Nov 14:00", "may take 15 min", "due Mon 2 Nov 14:15",
				"taken out of the city's hands (Spam) Mon 2 Nov 14:20, 5 min after it was due: breached for ever",
			},
		},
		"rejected and reopened, with the resolution in between not counting": {
			clockOf(MeasureTotalResolution, within("24h"), paused), []string{"02 08:00 Received citizen", "02 10:00 StatusChanged official Rejected", "02 12:00 StatusChanged official Reopened",
				"02 13:00 StatusChanged official Resolved", "02 18:00 StatusChanged citizen Reopened"}, "02 20:00",
			[]string{
				"starts with the receipt, Mon 2 Nov 08:00", "may take 24 h",
				"stands still from Mon 2 Nov 10:00 to Mon 2 Nov 12:00 (out of the city's hands): 2 h do not count",
				"stands still from Mon 2 Nov 13:00 to Mon 2 Nov 18:00 (resolved): 5 h do not count",
				"due Tue 3 Nov 15:00", "still open: due in 19 h",
			},
		},
		"a reply that is not needed": {
			clockOf(MeasureNextReply, within("2h")), []string{"02 08:00 Received citizen", "02 10:00 Answered official", "02 12:00 CitizenMessage citizen", "02 13:00 ReplyNotNeeded official"}, "02 20:00",
			[]string{
				"starts with the citizen's message of Mon 2 Nov 12:00, the oldest without a reply", "may take 2 h", "due Mon 2 Nov 14:00",
				"no reply needed since Mon 2 Nov 13:00, 1 h in time: met",
			},
		},
		"pauses that cost no working day, and one that does": {
			clockOf(MeasureFirstAnswer, workingDays(3), paused),
			[]string{
				"02 09:00 Received citizen", "02 10:00 StatusChanged official AwaitingCitizen", "02 17:00 StatusChanged official Open",
				"03 09:00 StatusChanged official AwaitingCitizen", "03 10:00 StatusChanged official Open",
				"04 15:00 StatusChanged official AwaitingCitizen", "04 17:00 StatusChanged official Open",
			}, "05 08:00",
			[]string{
				"starts with the receipt, Mon 2 Nov 09:00", "may take 3 working days, counted from the next working day; until the closing of the last",
				"stands still from Mon 2 Nov 10:00 to Mon 2 Nov 17:00 (AwaitingCitizen): no working day closes in it, so none is lost",
				"stands still from Tue 3 Nov 09:00 to Tue 3 Nov 10:00 (AwaitingCitizen): no working day closes in it, so none is lost",
				"stands still from Wed 4 Nov 15:00 to Wed 4 Nov 17:00 (AwaitingCitizen): Wed 4 Nov closes in it and does not count",
				"working day 1 is Tue 3 Nov, 2 is Thu 5 Nov, 3 is Fri 6 Nov", "due Fri 6 Nov 16:00", "still open: due in 32 h, 2 working days",
			},
		},
		"a reply after an official's resolution, over many days": {
			clockOf(MeasureNextReply, workingTime("60h")), []string{"02 08:00 Received citizen", "02 09:00 StatusChanged official Resolved", "02 10:00 CitizenMessage citizen"}, "02 12:00",
			[]string{
				"starts with the citizen's message of Mon 2 Nov 10:00, the oldest without a reply", "may take 60 h of open hours", "7–8 Nov not working (weekend)",
				"uses 6 h on Mon 2 Nov, 8 h on Tue 3 Nov, 8 h on Wed 4 Nov, 8 h on Thu 5 Nov, 8 h on Fri 6 Nov, and the rest on 3 more days",
				"due Wed 11 Nov 14:00", "still open: due in 9 days 2 h, 58 h of open hours",
			},
		},
		"an evening's pause before midnight": {
			clockOf(MeasureFirstAnswer, Target{WorkingDays: 1, DueAt: "EndOfDay"}, paused), []string{"02 08:00 Received citizen", "03 20:00 StatusChanged official AwaitingCitizen"}, "03 21:00",
			[]string{
				"starts with the receipt, Mon 2 Nov 08:00", "may take 1 working day: the next working day, until its midnight",
				"working day 1 is Tue 3 Nov",
				"its last working day has closed, so the midnight at which it is due, Wed 4 Nov 00:00, comes all the same",
				"stands still since Tue 3 Nov 20:00 (AwaitingCitizen): no working days remain",
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := ramadan(t)
			if len(test.at) == len("02 15:04") {
				c = office(t)
			}
			p := compile(t, c, Spec{AnsweredBy: []string{"official"}, Rules: []Rule{{Name: "all", Clocks: []Clock{test.clock}}}})
			in := Input{Events: script(t, test.events...), At: at(t, test.at), ObservedThrough: at(t, test.at)}
			e := p.Explain(in, nil)
			if diff := cmp.Diff(p.Evaluate(in), e.Case); diff != "" {
				t.Errorf("the explanation is of another case: %s", diff)
			}
			if len(e.Clocks) != 1 {
				t.Fatalf("got %d clocks", len(e.Clocks))
			}
			if diff := cmp.Diff(test.want, told(e.Clocks[0].Steps)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestExplainTheCase(t *testing.T) {
	from := at(t, "02 08:00")
	clocks := []Clock{clockOf(MeasureFirstAnswer, within("1h"))}
	tests := map[string]struct {
		policy *Policy
		events []string
		want   []string
	}{
		"rules that do not match, and the one that does": {
			compile(t, nil, Spec{Rules: []Rule{
				{Name: "vip", Match: `complaint.attributes["vip"] == "yes"`}, {Name: "mayor", Match: `complaint.channel == "mayor"`}, {Name: "dsw", Match: `complaint.channel == "dsw"`, Clocks: clocks}}}),
			[]string{"02 08:00 Received citizen"},
			[]string{
				"received Mon 2 Nov 01:00",
				`rule "vip" does not match: line 1, column 21: the field does not exist in this input`,
				`rule "mayor" does not match`, `rule "dsw" matches`,
			},
		},
		"no rule that does": {
			compile(t, nil, Spec{Rules: []Rule{{Name: "none", Match: "false"}}}), []string{"02 08:00 Received citizen"},
			[]string{"received Mon 2 Nov 01:00", `rule "none" does not match`, "no rule matches, so there are no clocks"},
		},
		"a case of the very instant from which it is enforced": {
			compile(t, nil, Spec{EnforceFrom: &from, Rules: []Rule{{Name: "all", Clocks: clocks}}}), []string{"02 08:00 Received citizen"},
			[]string{"received Mon 2 Nov 01:00", `rule "all" applies to every case`},
		},
		"a case of before the SLA": {
			compile(t, nil, Spec{EnforceFrom: &from, Rules: []Rule{{Name: "all", Clocks: clocks}}}), []string{"02 07:00 Received citizen"},
			[]string{"received Mon 2 Nov 00:00", "the SLA is enforced for cases received from Mon 2 Nov 01:00 on, so there are no clocks"},
		},
		"no SLA": {nil, []string{"02 07:00 Received citizen"}, []string{"received Mon 2 Nov 00:00", "no SLA applies, so there are no clocks"}},
		"not received": {
			nil, []string{"02 07:00 Answered official"},
			[]string{"not received yet: no Received is among the events that are known (1), so there are no clocks"},
		},
		"what does not count": {
			compile(t, nil, Spec{Rules: []Rule{{Name: "all", Clocks: clocks}}}),
			[]string{"02 08:00 Received citizen", "02 08:01 Acknowledged bot", "02 08:02 Answered bot", "02 08:03 StatusChanged system Resolved", "02 08:04 StatusChanged official Resolved"},
			[]string{
				"received Mon 2 Nov 01:00", `rule "all" applies to every case`,
				"the acknowledgement of Mon 2 Nov 01:01 does not count: its actor is bot", "the answer of Mon 2 Nov 01:02 does not count: its actor is bot",
				"the resolution of Mon 2 Nov 01:03 is no answer: its actor is system",
			},
		},
		"an answer that only says thanks": {
			compile(t, nil, Spec{Acknowledgement: &Acknowledgement{Match: "event.text == 'Terima kasih'"}, Rules: []Rule{{Name: "all", Clocks: clocks}}}),
			[]string{"02 08:00 Received citizen", "02 08:01 Answered official Terima kasih", "02 08:02 Answered official Regu berangkat", "02 08:03 StatusChanged system Resolved"},
			[]string{
				"received Mon 2 Nov 01:00", `rule "all" applies to every case`,
				"the answer of Mon 2 Nov 01:01 only says thanks, by acknowledgement.match: an acknowledgement",
			},
		},
		"an answer that cannot be asked whether it does": {
			compile(t, nil, Spec{Acknowledgement: &Acknowledgement{Match: "event.attributes.template == 'thanks'"}, Rules: []Rule{{Name: "all", Clocks: clocks}}}),
			[]string{"02 08:00 Received citizen", "02 08:01 Answered official Terima kasih"},
			[]string{
				"received Mon 2 Nov 01:00", `rule "all" applies to every case`,
				"the answer of Mon 2 Nov 01:01 counts, as acknowledgement.match fails on it: line 1, column 17: the field does not exist in this input",
			},
		},
		"rejected": {
			compile(t, nil, Spec{Rules: []Rule{{Name: "all", Clocks: clocks}}}), []string{"02 08:00 Received citizen", "02 09:00 StatusChanged official Rejected"},
			[]string{"received Mon 2 Nov 01:00", `rule "all" applies to every case`, "taken out of the city's hands Mon 2 Nov 02:00 (Rejected)"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := test.policy.Explain(Input{Events: script(t, test.events...), At: at(t, "09 08:00"), Subject: Subject{Channel: "dsw"}}, nil)
			if diff := cmp.Diff(test.want, told(e.Steps)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAProvisionalBreachSaysSo(t *testing.T) {
	p := promise(t, clockOf(MeasureFirstAnswer, within("1h")))
	in := Input{Events: script(t, "02 08:00 Received citizen"), At: at(t, "02 09:05")}
	last := func() string {
		steps := p.Explain(in, jakarta).Clocks[0].Steps
		return steps[len(steps)-1].Text
	}
	if got, want := last(), "not final: it is not known how far the channel has been read"; got != want {
		t.Errorf("want %q, got %q", want, got)
	}
	in.ObservedThrough = at(t, "02 08:58")
	if got, want := last(), "not final: the channel has been read until Mon 2 Nov 08:58, and what happened in time may still arrive"; got != want {
		t.Errorf("want %q, got %q", want, got)
	}
	in.ObservedThrough = at(t, "02 09:01")
	if got, want := last(), "still open: breached 5 min ago"; got != want {
		t.Errorf("want %q, got %q", want, got)
	}
}
