package sla

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/field"
)

func TestCompileRefuses(t *testing.T) {
	yes := true
	one := func(c Clock) Spec { return Spec{Rules: []Rule{{Name: "all", Clocks: []Clock{c}}}} }
	answer := func(change func(*Clock)) Spec { return one(clockOf(MeasureFirstAnswer, within("1h"), change)) }
	warned := func(target Target, warning string) Spec {
		return one(clockOf(MeasureFirstAnswer, target, warnBefore(warning)))
	}
	tests := map[string]struct {
		spec Spec
		want []string
	}{
		"everything that is wrong, at once": {
			Spec{
				AnsweredBy:      []string{"official", "citizen", "official", "mayor"},
				Acknowledgement: &Acknowledgement{Match: `event.txt == "thanks"`},
				Objective:       &Objective{Ratio: "1.5", Window: "1m"},
				Rules: []Rule{
					{Name: "all", Match: "complaint.channel ==", Clocks: []Clock{
						{Name: "a", Measures: "Answer", StartsOn: "Arrival", Target: Target{Within: "1h", WorkingDays: 1}},
						{Name: "a", Measures: "NextReply", StartsOn: "Assigned", Target: Target{Within: "1h", DayOne: "SameDay"}, ResolvedCountsAsAnswer: &yes},
						{Name: "3rd", Measures: "FirstAnswer", Target: Target{WorkingDays: 400, DayOne: "Tomorrow", DueAt: "Noon"}, PauseWhile: []string{"AwaitingCitizen", "Open", "AwaitingCitizen"}},
					}},
					{Name: "all", Match: `complaint.channel`},
					{},
				},
			},
			[]string{
				"answeredBy[1]: must be one of official, bot, system",
				"answeredBy[2]: official stands twice in this list",
				"answeredBy[3]: must be one of official, bot, system",
				`acknowledgement.match: line 1, column 6: there is no field "txt" here`,
				"objective.ratio: must be a decimal above 0 and at most 1, such as 0.95",
				"objective.window: must be a duration from 1h to 8784h, such as 720h",
				"rules[0].match: line 1, column 21: syntax error: unexpected the end of the expression",
				"rules[0].clocks[0].measures: must be one of Acknowledgement, FirstAnswer, NextReply, FirstResolution, TotalResolution",
				"rules[0].clocks[0].startsOn: must be Received or Assigned",
				"rules[0].clocks[0].target: exactly one of within, workingTime and workingDays must be set",
				`rules[0].clocks[1].name: "a" already stands at rules[0].clocks[0].name`,
				"rules[0].clocks[1].startsOn: a NextReply clock starts at the citizen's message, not on Assigned",
				"rules[0].clocks[1].resolvedCountsAsAnswer: only a FirstAnswer clock has it",
				"rules[0].clocks[1].target: dayOne and dueAt go with workingDays only",
				"rules[0].clocks[2].name: must start with a letter and have letters, digits, '_' and '-' only",
				"rules[0].clocks[2].pauseWhile[1]: must be AwaitingCitizen or AwaitingThirdParty",
				"rules[0].clocks[2].pauseWhile[2]: AwaitingCitizen stands twice in this list",
				"rules[0].clocks[2].target.workingDays: must be from 1 to 366",
				"rules[0].clocks[2].target.workingDays: needs a calendar: set the calendarRef of the SLA or of the channel",
				"rules[0].clocks[2].target.dayOne: must be NextWorkingDay or SameDay",
				"rules[0].clocks[2].target.dueAt: must be EndOfWorkingDay or EndOfDay",
				`rules[1].name: "all" already stands at rules[0].name`,
				"rules[1].match: line 1, column 1: the expression gives a string, but a bool is expected",
				"rules[2].name: must not be empty",
			},
		},
		"no rules": {Spec{}, []string{"rules: must not be empty"}},
		"no target": {
			one(clockOf(MeasureFirstAnswer, Target{})), []string{"rules[0].clocks[0].target: exactly one of within, workingTime and workingDays must be set"}},
		"working time without a calendar": {
			one(clockOf(MeasureFirstAnswer, workingTime("8h"))),
			[]string{"rules[0].clocks[0].target.workingTime: needs a calendar: set the calendarRef of the SLA or of the channel"}},
		"a negative target": {
			one(clockOf(MeasureFirstAnswer, within("-1h"))), []string{"rules[0].clocks[0].target.within: must be longer than 0s and at most 17568h"}},
		"a target that is no duration": {
			one(clockOf(MeasureFirstAnswer, within("1 day"))), []string{"rules[0].clocks[0].target.within: must be a duration such as 15m or 8h"}},
		"a target of parts of a second": {
			one(clockOf(MeasureFirstAnswer, within("1500ms"))), []string{"rules[0].clocks[0].target.within: must be whole seconds"}},
		"negative working days": {
			one(clockOf(MeasureFirstAnswer, workingDays(-1))),
			[]string{"rules[0].clocks[0].target.workingDays: must be from 1 to 366", "rules[0].clocks[0].target.workingDays: needs a calendar: set the calendarRef of the SLA or of the channel"}},
		"a warning longer than the target": {
			warned(within("1h"), "61m"), []string{"rules[0].clocks[0].warnBefore: must not be longer than the target, which is 1h"}},
		"a warning of more than all of it": {
			warned(within("1h"), "101%"), []string{"rules[0].clocks[0].warnBefore: must be a percentage from 1% to 100%, or a duration such as 30m"}},
		"a warning of nothing": {
			warned(within("1h"), "0%"), []string{"rules[0].clocks[0].warnBefore: must be a percentage from 1% to 100%, or a duration such as 30m"}},
		"a negative warning": {
			warned(within("1h"), "-5m"), []string{"rules[0].clocks[0].warnBefore: must be a percentage from 1% to 100%, or a duration of whole seconds such as 30m"}},
		"a clock whose name is too long": {
			answer(func(c *Clock) { c.Name = "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcd" }),
			[]string{"rules[0].clocks[0].name: has 64 bytes, at most 63 are allowed"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Compile(test.spec, Options{})
			var got []string
			for _, fault := range field.All(err) {
				got = append(got, fault.Error())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAWarningOfDaysIsBoundedByTheDays(t *testing.T) {
	spec := func(warning string) Spec {
		return Spec{Rules: []Rule{{Name: "all", Clocks: []Clock{clockOf(MeasureFirstAnswer, workingDays(2), warnBefore(warning))}}}}
	}
	if _, err := Compile(spec("48h"), Options{Calendar: office(t)}); err != nil {
		t.Error(err)
	}
	want := "rules[0].clocks[0].warnBefore: must not be longer than the target, which is 2 working days"
	if _, err := Compile(spec("49h"), Options{Calendar: office(t)}); err == nil || err.Error() != want {
		t.Errorf("want %s, got %v", want, err)
	}
}

// TestTheBoundsThemselvesAreTaken, as the API server takes them.
func TestTheBoundsThemselvesAreTaken(t *testing.T) {
	longest := strings.Repeat("n", 63)
	for _, objective := range []Objective{{Ratio: "1.000000", Window: "1h"}, {Ratio: "0.000001", Window: "8784h"}} {
		compile(t, office(t), Spec{Objective: &objective, Rules: []Rule{{Name: longest, Clocks: []Clock{
			{Name: longest, Measures: "FirstAnswer", Target: within("17568h"), WarnBefore: "17568h"},
			clockOf(MeasureAcknowledgement, within("1s"), warnBefore("1%")),
			clockOf(MeasureFirstResolution, workingTime("8784h"), warnBefore("100%")),
			clockOf(MeasureTotalResolution, workingDays(366), warnBefore("1s")),
		}}}})
	}
	for _, ratio := range []string{"", "0", "0.0", "-0.5", "1.1", "95", ".95", "0.9500000", "0x1p-1", "NaN"} {
		_, err := Compile(Spec{Objective: &Objective{Ratio: ratio, Window: "1h"}, Rules: []Rule{{Name: "all"}}}, Options{})
		if want := "objective.ratio: must be a decimal above 0 and at most 1, such as 0.95"; err == nil || err.Error() != want {
			t.Errorf("%q: got %v", ratio, err)
		}
	}
}

func TestObjective(t *testing.T) {
	p := compile(t, nil, Spec{Objective: &Objective{Ratio: "0.95", Window: "720h"}, Rules: []Rule{{Name: "all"}}})
	if diff := cmp.Diff(&ObjectiveValue{Ratio: 0.95, Window: 720 * 3600e9}, p.Objective()); diff != "" {
		t.Error(diff)
	}
	if (*Policy)(nil).Objective() != nil || compile(t, nil, Spec{Rules: []Rule{{Name: "all"}}}).Objective() != nil {
		t.Error("an objective from nowhere")
	}
}

func TestDurationsAsPeopleSayThem(t *testing.T) {
	got := map[string]string{}
	for _, n := range []int{0, 45, 60, 90, 3600, 7800, 90061, 17568 * 3600} {
		got[short(time.Duration(n)*time.Second)] = say(time.Duration(n) * time.Second)
	}
	want := map[string]string{"0s": "0 s", "45s": "45 s", "1m": "1 min", "1m30s": "1 min 30 s", "1h": "1 h", "2h10m": "2 h 10 min", "25h1m1s": "25 h 1 min", "17568h": "17568 h"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
