package sla

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/calendar"
	"github.com/tanggap/tanggap/internal/complaint"
)

func TestClocks(t *testing.T) {
	no := false
	resolvedIsNoAnswer := func(c *Clock) { c.ResolvedCountsAsAnswer = &no }
	ack := clockOf(MeasureAcknowledgement, within("1h"))
	answer := clockOf(MeasureFirstAnswer, within("4h"))
	answerPaused := clockOf(MeasureFirstAnswer, within("4h"), paused)
	reply := clockOf(MeasureNextReply, within("2h"))
	resolution := clockOf(MeasureFirstResolution, within("24h"))
	total := clockOf(MeasureTotalResolution, within("24h"))
	days := func(n int32, change ...func(*Clock)) Clock {
		return clockOf(MeasureFirstAnswer, workingDays(n), append(change, paused)...)
	}
	endOfDay := func(c *Clock) { c.Target.DueAt = "EndOfDay" }

	tests := map[string]struct {
		clocks []Clock
		events []string
		at     string
		want   []string
	}{
		// Who answers, and what does.
		"a stop exactly at the due instant is in time": {
			[]Clock{answer}, []string{"02 08:00 Received citizen", "02 12:00 Answered official"}, "02 20:00",
			[]string{"FirstAnswer Met: 02 08:00 → 02 12:00, 02 12:00, met"}},
		"at its due instant a clock is not past it": {
			[]Clock{answer}, []string{"02 08:00 Received citizen"}, "02 12:00",
			[]string{"FirstAnswer Running: 02 08:00 → 02 12:00, -"}},
		"an official's resolution is an answer, and so an acknowledgement": {
			[]Clock{ack, answer}, []string{"02 08:00 Received citizen", "02 08:30 StatusChanged official Resolved"}, "02 08:40",
			[]string{"Acknowledgement Met: 02 08:00 → 02 09:00, 02 08:30, met", "FirstAnswer Met: 02 08:00 → 02 12:00, 02 08:30, met"}},
		"a resolution by a machine is no answer, an official's after it is": {
			[]Clock{answer}, []string{"02 08:00 Received citizen", "02 08:30 StatusChanged system Resolved", "02 10:00 StatusChanged official Resolved"}, "02 11:00",
			[]string{"FirstAnswer Met: 02 08:00 → 02 12:00, 02 10:00, met"}},
		"a resolution is no answer where the clock says so": {
			[]Clock{clockOf(MeasureFirstAnswer, within("4h"), resolvedIsNoAnswer), resolution}, []string{"02 08:00 Received citizen", "02 08:30 StatusChanged official Resolved"}, "02 11:00",
			[]string{"FirstAnswer Running: 02 08:00 → 02 12:00, -, 1 h left", "FirstResolution Met: 02 08:00 → 03 08:00, 02 08:30, met"}},
		"an answer is an acknowledgement too": {
			[]Clock{ack}, []string{"02 08:00 Received citizen", "02 08:30 Answered official"}, "02 11:00",
			[]string{"Acknowledgement Met: 02 08:00 → 02 09:00, 02 08:30, met"}},
		"an answer before the receipt meets the clock at its start": {
			[]Clock{answer}, []string{"02 07:59 Answered official", "02 08:00 Received citizen"}, "02 11:00",
			[]string{"FirstAnswer Met: 02 08:00 → 02 12:00, 02 08:00, met"}},

		// Assignment.
		"a clock of the department waits for the assignment": {
			[]Clock{clockOf(MeasureFirstAnswer, within("4h"), onAssigned)}, []string{"02 08:00 Received citizen"}, "02 11:00",
			[]string{"FirstAnswer Pending: - → -, -"}},
		"a second assignment does not restart the clock": {
			[]Clock{clockOf(MeasureFirstAnswer, within("4h"), onAssigned)}, []string{"02 08:00 Received citizen", "02 09:00 Assigned official", "02 10:00 Assigned official"}, "02 11:00",
			[]string{"FirstAnswer Running: 02 09:00 → 02 13:00, -, 2 h left"}},
		"an assignment before the receipt counts from the receipt": {
			[]Clock{clockOf(MeasureFirstAnswer, within("4h"), onAssigned)}, []string{"02 08:00 Received citizen", "02 07:00 Assigned official"}, "02 11:00",
			[]string{"FirstAnswer Running: 02 08:00 → 02 12:00, -, 1 h left"}},

		// Next replies.
		"a reply is not due before the first answer": {
			[]Clock{reply}, []string{"02 08:00 Received citizen", "02 08:10 CitizenMessage citizen"}, "02 11:00", nil},
		"a message before the first answer is answered by it": {
			[]Clock{reply}, []string{"02 08:00 Received citizen", "02 08:10 CitizenMessage citizen", "02 08:20 Answered official"}, "02 11:00", nil},
		"an official's resolution is a first answer after which a reply is due": {
			[]Clock{reply}, []string{"02 08:00 Received citizen", "02 08:10 StatusChanged official Resolved", "02 09:00 CitizenMessage citizen not at all"}, "02 10:00",
			[]string{"NextReply 1 Running: 02 09:00 → 02 11:00, -, 1 h left"}},
		"also where it is for a clock of the first answer": {
			[]Clock{reply, answer}, []string{"02 08:00 Received citizen", "02 08:10 StatusChanged official Resolved", "02 09:00 CitizenMessage citizen not at all"}, "02 10:00",
			[]string{"NextReply 1 Running: 02 09:00 → 02 11:00, -, 1 h left", "FirstAnswer Met: 02 08:00 → 02 12:00, 02 08:10, met"}},
		"but not where it is no answer": {
			[]Clock{reply, clockOf(MeasureFirstAnswer, within("4h"), resolvedIsNoAnswer)}, []string{"02 08:00 Received citizen", "02 08:10 StatusChanged official Resolved", "02 09:00 CitizenMessage citizen not at all"}, "02 10:00",
			[]string{"FirstAnswer Running: 02 08:00 → 02 12:00, -, 2 h left"}},
		"resolving again, after one more message, ends the wait again": {
			[]Clock{reply, total}, []string{"02 08:00 Received citizen", "02 08:10 StatusChanged official Resolved", "02 09:00 CitizenMessage citizen", "02 09:30 StatusChanged official Resolved"}, "02 20:00",
			[]string{"NextReply 1 Met: 02 09:00 → 02 11:00, 02 09:30, met", "TotalResolution Met: 02 08:00 → 03 08:00, 02 08:10, met"}},
		"a second receipt is one more message": {
			[]Clock{reply, answer}, []string{"02 08:00 Received citizen", "02 08:10 Answered official", "02 09:00 Received citizen"}, "02 10:00",
			[]string{"NextReply 1 Running: 02 09:00 → 02 11:00, -, 1 h left", "FirstAnswer Met: 02 08:00 → 02 12:00, 02 08:10, met"}},
		"an acknowledgement is no reply, nor is a bot's answer": {
			[]Clock{reply}, []string{"02 08:00 Received citizen", "02 08:10 Answered official", "02 09:00 CitizenMessage citizen", "02 09:05 Acknowledged official", "02 09:06 Answered bot"}, "02 10:00",
			[]string{"NextReply 1 Running: 02 09:00 → 02 11:00, -, 1 h left"}},

		// Resolutions.
		"only the first resolution counts for the first": {
			[]Clock{resolution}, []string{"02 08:00 Received citizen", "02 09:00 StatusChanged citizen Resolved", "02 10:00 StatusChanged citizen Reopened", "04 08:00 StatusChanged official Resolved"}, "09 08:00",
			[]string{"FirstResolution Met: 02 08:00 → 03 08:00, 02 09:00, met"}},
		"resolved while resolved is no new resolution": {
			[]Clock{total}, []string{"02 08:00 Received citizen", "02 09:00 StatusChanged official Resolved", "04 08:00 StatusChanged official Resolved"}, "09 08:00",
			[]string{"TotalResolution Met: 02 08:00 → 03 08:00, 02 09:00, met"}},
		"any status in which the city has the case in hand reopens it": {
			[]Clock{total}, []string{"02 08:00 Received citizen", "02 09:00 StatusChanged official Resolved", "02 12:00 StatusChanged official Open"}, "02 13:00",
			[]string{"TotalResolution Running: 02 08:00 → 03 11:00, -, 22 h left"}},
		"a breach of the total stays through a reopening, and its overrun leaves out the time between": {
			[]Clock{total}, []string{"02 08:00 Received citizen", "03 09:00 StatusChanged official Resolved", "05 09:00 StatusChanged citizen Reopened", "05 10:00 StatusChanged official Resolved"}, "09 08:00",
			[]string{"TotalResolution Breached: 02 08:00 → 03 08:00, 05 10:00, 2 h over, breached"}},
		"open time between resolved and reopened does not count either": {
			[]Clock{clockOf(MeasureTotalResolution, workingTime("4h"))}, []string{"02 08:00 Received citizen", "02 10:00 StatusChanged official Resolved", "03 15:00 StatusChanged citizen Reopened"}, "03 15:30",
			[]string{"TotalResolution Running: 02 08:00 → 04 09:00, -, 1 h 30 min left"}},
		"for the first answer the time after a machine's resolution counts": {
			[]Clock{answer}, []string{"02 08:00 Received citizen", "02 09:00 StatusChanged system Resolved"}, "02 13:00",
			[]string{"FirstAnswer Breached: 02 08:00 → 02 12:00, -, 1 h over, breached"}},

		// Cancellation.
		"a clock past due when the case was cancelled stays breached, its overrun frozen": {
			[]Clock{answer}, []string{"02 08:00 Received citizen", "02 14:00 StatusChanged official Spam"}, "09 08:00",
			[]string{"FirstAnswer Breached: 02 08:00 → 02 12:00, 02 14:00, 2 h over, breached"}},
		"a cancellation exactly at the due instant cancels": {
			[]Clock{answer}, []string{"02 08:00 Received citizen", "02 12:00 StatusChanged official Spam"}, "09 08:00",
			[]string{"FirstAnswer Cancelled: 02 08:00 → 02 12:00, 02 12:00, cancelled"}},
		"an answer to a cancelled case changes nothing": {
			[]Clock{answer}, []string{"02 08:00 Received citizen", "02 09:00 StatusChanged official Rejected", "02 09:05 Answered official"}, "09 08:00",
			[]string{"FirstAnswer Cancelled: 02 08:00 → 02 12:00, 02 09:00, cancelled"}},
		"until the cancellation is taken back": {
			[]Clock{answer}, []string{"02 08:00 Received citizen", "02 09:00 StatusChanged official Rejected", "02 09:05 Answered official", "02 15:00 StatusChanged official Reopened"}, "09 08:00",
			[]string{"FirstAnswer Met: 02 08:00 → 02 12:05, 02 09:05, met"}},
		"an answer in the same minute as the rejection comes before it": {
			[]Clock{answer}, []string{"02 08:00 Received citizen", "02 09:00 StatusChanged official Rejected", "02 09:00 Answered official"}, "09 08:00",
			[]string{"FirstAnswer Met: 02 08:00 → 02 12:00, 02 09:00, met"}},
		"a clock that stopped is not cancelled": {
			[]Clock{answer, total}, []string{"02 08:00 Received citizen", "02 09:00 StatusChanged official Resolved", "02 10:00 StatusChanged official Duplicate"}, "09 08:00",
			[]string{"FirstAnswer Met: 02 08:00 → 02 12:00, 02 09:00, met", "TotalResolution Met: 02 08:00 → 03 08:00, 02 09:00, met"}},
		"being cancelled twice cancels at the first": {
			[]Clock{answer}, []string{"02 08:00 Received citizen", "02 09:00 StatusChanged official Duplicate", "02 10:00 Merged official C2"}, "09 08:00",
			[]string{"FirstAnswer Cancelled: 02 08:00 → 02 12:00, 02 09:00, cancelled"}},
		"only Reopened takes back that a case was merged": {
			[]Clock{answer}, []string{"02 08:00 Received citizen", "02 09:00 Merged official C2", "02 09:30 StatusChanged official Open"}, "02 10:00",
			[]string{"FirstAnswer Cancelled: 02 08:00 → 02 12:00, 02 09:00, cancelled"}},
		"and the time between does not count": {
			[]Clock{answer}, []string{"02 08:00 Received citizen", "02 09:00 Merged official C2", "02 09:30 StatusChanged official Open", "02 10:00 StatusChanged official Reopened"}, "02 11:00",
			[]string{"FirstAnswer Running: 02 08:00 → 02 13:00, -, 2 h left"}},
		"a status that is not the city's any more is taken back by one that is": {
			[]Clock{answer}, []string{"02 08:00 Received citizen", "02 09:00 StatusChanged official Spam", "02 10:00 StatusChanged official Open"}, "02 11:00",
			[]string{"FirstAnswer Running: 02 08:00 → 02 13:00, -, 2 h left"}},
		"no clock starts while the case is cancelled": {
			[]Clock{clockOf(MeasureFirstResolution, within("4h"), onAssigned), reply},
			[]string{"02 08:00 Received citizen", "02 08:10 Answered official", "02 09:00 StatusChanged official Rejected", "02 09:30 CitizenMessage citizen", "02 09:40 Assigned official"}, "02 10:00",
			[]string{"FirstResolution Pending: - → -, -"}},
		"but it did once that is taken back, and stood still until then": {
			[]Clock{clockOf(MeasureFirstResolution, within("4h"), onAssigned), reply},
			[]string{"02 08:00 Received citizen", "02 08:10 Answered official", "02 09:00 StatusChanged official Rejected", "02 09:30 CitizenMessage citizen", "02 09:40 Assigned official", "02 10:00 StatusChanged official Reopened"}, "02 11:00",
			[]string{"FirstResolution Running: 02 09:40 → 02 14:00, -, 3 h left", "NextReply 1 Running: 02 09:30 → 02 12:00, -, 1 h left"}},
		"a case that is rejected as it comes in is cancelled at its start": {
			[]Clock{answer}, []string{"02 08:00 Received citizen", "02 08:00 StatusChanged official Rejected"}, "02 11:00",
			[]string{"FirstAnswer Cancelled: 02 08:00 → 02 12:00, 02 08:00, cancelled"}},

		// Pauses.
		"a clock that stops while paused is due as if the pause had ended then": {
			[]Clock{answerPaused}, []string{"02 08:00 Received citizen", "02 09:00 StatusChanged official AwaitingCitizen", "02 20:00 Answered official", "02 21:00 StatusChanged official Open"}, "09 08:00",
			[]string{"FirstAnswer Met: 02 08:00 → 02 23:00, 02 20:00, met"}},
		"a clock that is cancelled while paused likewise": {
			[]Clock{answerPaused}, []string{"02 08:00 Received citizen", "02 09:00 StatusChanged official AwaitingCitizen", "02 20:00 StatusChanged official Spam"}, "09 08:00",
			[]string{"FirstAnswer Cancelled: 02 08:00 → 02 23:00, 02 20:00, cancelled"}},
		"a status that the clock does not pause in is none": {
			[]Clock{answer}, []string{"02 08:00 Received citizen", "02 09:00 StatusChanged official AwaitingCitizen"}, "02 10:00",
			[]string{"FirstAnswer Running: 02 08:00 → 02 12:00, -, 2 h left"}},
		"a clock that starts in a pause stands still from the start": {
			[]Clock{clockOf(MeasureNextReply, within("2h"), paused)},
			[]string{"02 08:00 Received citizen", "02 08:10 Answered official", "02 08:10 StatusChanged official AwaitingCitizen", "02 09:00 CitizenMessage citizen"}, "02 10:00",
			[]string{"NextReply 1 Paused: 02 09:00 → -, -, 2 h left"}},
		"a breach is not taken back by a pause after it": {
			[]Clock{answerPaused}, []string{"02 08:00 Received citizen", "02 13:00 StatusChanged official AwaitingCitizen"}, "02 20:00",
			[]string{"FirstAnswer Breached: 02 08:00 → 02 12:00, -, 1 h over, breached"}},
		"a pause that begins at the due instant comes too late": {
			[]Clock{answerPaused}, []string{"02 08:00 Received citizen", "02 12:00 StatusChanged official AwaitingCitizen"}, "02 20:00",
			[]string{"FirstAnswer Breached: 02 08:00 → 02 12:00, -, breached"}},

		// Working days.
		"a working day on whose closing the clock stands still does not count": {
			[]Clock{days(2)}, []string{"02 09:00 Received citizen", "03 15:00 StatusChanged official AwaitingCitizen", "04 08:00 StatusChanged official Open"}, "04 09:00",
			[]string{"FirstAnswer Running: 02 09:00 → 05 16:00, -, 2 days left"}},
		"a pause within the day costs nothing": {
			[]Clock{days(2)}, []string{"02 09:00 Received citizen", "03 09:00 StatusChanged official AwaitingCitizen", "03 16:00 StatusChanged official Open"}, "04 09:00",
			[]string{"FirstAnswer Running: 02 09:00 → 04 16:00, -, 1 days left"}},
		"a pause that begins with the closing costs the day": {
			[]Clock{days(2)}, []string{"02 09:00 Received citizen", "03 16:00 StatusChanged official AwaitingCitizen", "03 16:01 StatusChanged official Open"}, "04 09:00",
			[]string{"FirstAnswer Running: 02 09:00 → 05 16:00, -, 2 days left"}},
		"a clock paused over days has what remains": {
			[]Clock{days(5)}, []string{"02 09:00 Received citizen", "04 09:00 StatusChanged official AwaitingCitizen"}, "18 09:00",
			[]string{"FirstAnswer Paused: 02 09:00 → -, -, 4 days left"}},
		"a stop at the closing of a paused day counts the day": {
			[]Clock{days(1)}, []string{"02 09:00 Received citizen", "03 09:00 StatusChanged official AwaitingCitizen", "03 16:00 Answered official"}, "18 09:00",
			[]string{"FirstAnswer Met: 02 09:00 → 03 16:00, 03 16:00, met"}},
		"the end of the day is the midnight after the closing that counted": {
			[]Clock{days(1, endOfDay)}, []string{"02 09:00 Received citizen"}, "03 18:00",
			[]string{"FirstAnswer Running: 02 09:00 → 04 00:00, -"}},
		"a pause in the evening of the last day does not keep the midnight from coming": {
			[]Clock{days(1, endOfDay)}, []string{"02 09:00 Received citizen", "03 20:00 StatusChanged official AwaitingCitizen"}, "03 21:00",
			[]string{"FirstAnswer Paused: 02 09:00 → -, -"}},
		"and is a breach after it": {
			[]Clock{days(1, endOfDay)}, []string{"02 09:00 Received citizen", "03 20:00 StatusChanged official AwaitingCitizen"}, "04 01:00",
			[]string{"FirstAnswer Breached: 02 09:00 → 04 00:00, -, breached"}},

		"a start with the last closing is too late for the same day": {
			[]Clock{clockOf(MeasureFirstAnswer, Target{WorkingDays: 1, DayOne: "SameDay"})}, []string{"02 16:00 Received citizen"}, "02 17:00",
			[]string{"FirstAnswer Running: 02 16:00 → 03 16:00, -, 1 days left"}},
		"a clock is paused from the very instant of the status": {
			[]Clock{answerPaused}, []string{"02 08:00 Received citizen", "02 09:00 StatusChanged official AwaitingCitizen"}, "02 09:00",
			[]string{"FirstAnswer Paused: 02 08:00 → -, -, 3 h left"}},
		"and runs from the very instant of the next": {
			[]Clock{answerPaused}, []string{"02 08:00 Received citizen", "02 09:00 StatusChanged official AwaitingCitizen", "02 10:00 StatusChanged official Open"}, "02 10:00",
			[]string{"FirstAnswer Running: 02 08:00 → 02 13:00, -, 3 h left"}},

		// Warnings.
		"due soon from the warning on": {
			[]Clock{clockOf(MeasureFirstAnswer, within("4h"), warnBefore("25%"))}, []string{"02 08:00 Received citizen"}, "02 11:00",
			[]string{"FirstAnswer Running: 02 08:00 → 02 12:00, -, 1 h left, due soon"}},
		"not due soon while paused": {
			[]Clock{clockOf(MeasureFirstAnswer, within("4h"), warnBefore("25%"), paused)}, []string{"02 08:00 Received citizen", "02 11:30 StatusChanged official AwaitingThirdParty"}, "02 11:40",
			[]string{"FirstAnswer Paused: 02 08:00 → -, -, 30 min left"}},
		"nor once breached": {
			[]Clock{clockOf(MeasureFirstAnswer, within("4h"), warnBefore("100%"))}, []string{"02 08:00 Received citizen"}, "02 13:00",
			[]string{"FirstAnswer Breached: 02 08:00 → 02 12:00, -, 1 h over, breached"}},

		"nothing is known of a case before it was received": {
			[]Clock{answer}, []string{"02 08:00 Answered official", "02 09:00 CitizenMessage citizen"}, "02 13:00", nil},
		"what happens after the evaluation is not known yet": {
			[]Clock{answer}, []string{"02 08:00 Received citizen", "02 11:01 Answered official"}, "02 11:00",
			[]string{"FirstAnswer Running: 02 08:00 → 02 12:00, -, 1 h left"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := evaluate(t, promise(t, test.clocks...), test.at, test.events...)
			if diff := cmp.Diff(test.want, rows(c)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCase(t *testing.T) {
	type facts struct {
		Status                              complaint.Status
		Closed, Cancelled                   bool
		Unanswered, AwaitingReply, Answered bool
		WaitingSince, Resolved, MergedInto  string
	}
	tests := map[string]struct {
		events []string
		want   facts
	}{
		"a complaint waits for its first answer": {
			[]string{"02 08:00 Received citizen", "02 09:00 CitizenMessage citizen"},
			facts{Status: "Open", Unanswered: true, AwaitingReply: true, WaitingSince: "02 08:00"}},
		"no reply is needed only after the first answer": {
			[]string{"02 08:00 Received citizen", "02 09:00 ReplyNotNeeded official"},
			facts{Status: "Open", Unanswered: true, AwaitingReply: true, WaitingSince: "02 08:00"}},
		"a reply that is not needed is not awaited": {
			[]string{"02 08:00 Received citizen", "02 09:00 Answered official", "02 10:00 CitizenMessage citizen", "02 11:00 ReplyNotNeeded official"},
			facts{Status: "Open", Answered: true}},
		"a resolved case awaits nothing, answered or not": {
			[]string{"02 08:00 Received citizen", "02 09:00 StatusChanged system Resolved"},
			facts{Status: "Resolved", Closed: true, Resolved: "02 09:00"}},
		"a citizen who writes after that still waits for the first answer": {
			[]string{"02 08:00 Received citizen", "02 09:00 StatusChanged system Resolved", "02 10:00 CitizenMessage citizen"},
			facts{Status: "Resolved", Closed: true, Resolved: "02 09:00", Unanswered: true, AwaitingReply: true, WaitingSince: "02 10:00"}},
		"a case reopened without an answer waits from then": {
			[]string{"02 08:00 Received citizen", "02 09:00 StatusChanged system Resolved", "02 10:00 StatusChanged citizen Reopened"},
			facts{Status: "Reopened", Unanswered: true, AwaitingReply: true, WaitingSince: "02 10:00"}},
		"a case reopened after an answer waits for nothing until the citizen writes": {
			[]string{"02 08:00 Received citizen", "02 09:00 StatusChanged official Resolved", "02 10:00 StatusChanged citizen Reopened"},
			facts{Status: "Reopened", Answered: true}},
		"and a message before the reopening is what it waits since": {
			[]string{"02 08:00 Received citizen", "02 09:00 StatusChanged system Resolved", "02 10:00 CitizenMessage citizen", "02 11:00 StatusChanged official Reopened"},
			facts{Status: "Reopened", Unanswered: true, AwaitingReply: true, WaitingSince: "02 10:00"}},
		"a rejected case awaits nothing": {
			[]string{"02 08:00 Received citizen", "02 09:00 StatusChanged official Rejected"},
			facts{Status: "Rejected", Closed: true, Cancelled: true}},
		"what it waited for before counts again once it is reopened": {
			[]string{"02 08:00 Received citizen", "02 09:00 StatusChanged official Rejected", "03 09:00 StatusChanged official Reopened"},
			facts{Status: "Reopened", Unanswered: true, AwaitingReply: true, WaitingSince: "02 08:00"}},
		"a merged case names the other": {
			[]string{"02 08:00 Received citizen", "02 09:00 Merged official C2", "02 10:00 StatusChanged official AwaitingCitizen"},
			facts{Status: "AwaitingCitizen", Closed: true, Cancelled: true, MergedInto: "C2"}},
		"and no longer does when it is reopened": {
			[]string{"02 08:00 Received citizen", "02 09:00 Merged official C2", "02 10:00 StatusChanged official Reopened"},
			facts{Status: "Reopened", Unanswered: true, AwaitingReply: true, WaitingSince: "02 08:00"}},
		"an edit and a redaction are no words": {
			[]string{"02 08:00 Received citizen", "02 09:00 Answered official", "02 10:00 Edited citizen", "02 11:00 Redacted system"},
			facts{Status: "Open", Answered: true}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := evaluate(t, nil, "09 08:00", test.events...)
			got := facts{Status: c.Status, Closed: c.Closed, Cancelled: c.Cancelled, Unanswered: c.Unanswered, AwaitingReply: c.AwaitingReply, Answered: c.Answered(), MergedInto: c.MergedInto}
			if !c.WaitingSince.IsZero() {
				got.WaitingSince = show(c.WaitingSince)
			}
			if !c.ResolvedAt.IsZero() {
				got.Resolved = show(c.ResolvedAt)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhoAnswers(t *testing.T) {
	spec := Spec{AnsweredBy: []string{"official", "bot"}, Rules: []Rule{{Name: "all", Clocks: []Clock{clockOf(MeasureFirstAnswer, within("4h"))}}}}
	c := evaluate(t, compile(t, nil, spec), "02 12:00", "02 08:00 Received citizen", "02 09:00 Answered system", "02 10:00 StatusChanged bot Resolved", "02 11:00 Answered bot")
	wantRows(t, c, "FirstAnswer Met: 02 08:00 → 02 12:00, 02 11:00, met")
}

func TestCasesFromBeforeThePolicyHaveNoClocks(t *testing.T) {
	from := at(t, "02 08:00")
	p := compile(t, nil, Spec{EnforceFrom: &from, Rules: []Rule{{Name: "all", Clocks: []Clock{clockOf(MeasureFirstAnswer, within("4h"))}}}})
	c := evaluate(t, p, "02 20:00", "02 07:59 Received citizen")
	if len(c.Clocks) > 0 || c.Rule != "" || !c.Unanswered {
		t.Errorf("got %+v", c)
	}
	wantRows(t, evaluate(t, p, "02 09:00", "02 08:00 Received citizen"), "FirstAnswer Running: 02 08:00 → 02 12:00, -, 3 h left")
}

func TestTheFirstRuleThatMatchesWins(t *testing.T) {
	clocks := []Clock{clockOf(MeasureFirstAnswer, within("4h"))}
	p := compile(t, nil, Spec{Rules: []Rule{
		{Name: "vip", Match: `complaint.attributes["vip"] == "yes"`, Clocks: clocks},
		{Name: "spilled", Match: `!complaint.official && complaint.channel == "mayor"`, Clocks: clocks},
		{Name: "flood", Match: `complaint.category == "flood" || complaint.priority in ["high", "urgent"]`, Clocks: clocks},
		{Name: "any", Clocks: clocks},
		{Name: "never"},
	}})
	tests := map[string]struct {
		subject Subject
		want    string
	}{
		"an attribute that the case does not have matches nothing": {Subject{Official: true}, "any"},
		"by an attribute": {Subject{Official: true, Attributes: map[string]string{"vip": "yes"}}, "vip"},
		"by the channel":  {Subject{Channel: "mayor"}, "spilled"},
		"by the category": {Subject{Official: true, Dimensions: complaint.Dimensions{Category: "flood"}}, "flood"},
		"by the priority": {Subject{Official: true, Dimensions: complaint.Dimensions{Priority: "urgent"}}, "flood"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := p.Evaluate(Input{Events: script(t, "02 08:00 Received citizen"), At: at(t, "02 09:00"), Subject: test.subject})
			if c.Rule != test.want || len(c.Clocks) != 1 {
				t.Errorf("want rule %q, got %q with %d clocks", test.want, c.Rule, len(c.Clocks))
			}
		})
	}
}

func TestAttributesOfLaterEventsWin(t *testing.T) {
	in := Input{Events: script(t, "02 08:00 Received citizen", "02 09:00 Edited citizen", "02 10:00 Edited citizen"), At: at(t, "02 09:30")}
	in.Events[0].Attributes = map[string]string{"category": "roads", "photo": "1"}
	in.Events[1].Attributes = map[string]string{"category": "flood"}
	in.Events[2].Attributes = map[string]string{"category": "later"}
	slices.Reverse(in.Events)
	if diff := cmp.Diff(map[string]string{"category": "flood", "photo": "1"}, Attributes(in)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"category": "roads", "photo": "1"}, in.Events[2].Attributes); diff != "" {
		t.Errorf("the earlier event was changed: %s", diff)
	}
	if got := Attributes(Input{At: at(t, "02 09:30")}); got != nil {
		t.Errorf("got %v", got)
	}
}

func TestElapsedTimeLeavesOutStandstills(t *testing.T) {
	p := promise(t, clockOf(MeasureFirstAnswer, workingTime("1h"), paused))
	c := evaluate(t, p, "09 08:00", "02 14:00 Received citizen", "02 15:00 StatusChanged official AwaitingCitizen", "03 09:00 StatusChanged official Open", "03 12:00 Answered official")
	s := c.Clocks[0]
	if s.Elapsed != 4*time.Hour || s.WorkingElapsed != 4*time.Hour {
		t.Errorf("elapsed %v, of it open %v", s.Elapsed, s.WorkingElapsed)
	}
	c = evaluate(t, p, "09 08:00", "02 14:00 Received citizen", "03 12:00 Answered official")
	s = c.Clocks[0]
	if s.Elapsed != 22*time.Hour || s.WorkingElapsed != 6*time.Hour {
		t.Errorf("elapsed %v, of it open %v", s.Elapsed, s.WorkingElapsed)
	}
}

func TestCoverage(t *testing.T) {
	covered := office(t, func(s *calendar.Spec) { s.CoversUntil = month + "06" })
	spec := Spec{Rules: []Rule{{Name: "all", Clocks: []Clock{
		clockOf(MeasureFirstAnswer, workingTime("16h")),
		{Name: "days", Measures: "FirstAnswer", Target: workingDays(2)},
		{Name: "midnight", Measures: "FirstAnswer", Target: Target{WorkingDays: 1, DueAt: "EndOfDay"}},
		{Name: "wall", Measures: "FirstAnswer", Target: within("200h")},
		{Name: "paused", Measures: "FirstAnswer", Target: workingDays(9), PauseWhile: []string{"AwaitingCitizen"}},
	}}}}
	c := evaluate(t, compile(t, covered, spec), "05 12:00", "05 10:00 Received citizen", "05 11:00 StatusChanged official AwaitingCitizen")
	got := map[string]bool{}
	for _, s := range c.Clocks {
		got[s.Name] = s.BeyondCoverage
	}
	want := map[string]bool{"FirstAnswer": true, "days": true, "midnight": false, "wall": false, "paused": false}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestVerdictsAreFinalWhenTheSourceWasReadPastTheDueInstant(t *testing.T) {
	p := promise(t, clockOf(MeasureFirstAnswer, within("1h")))
	in := Input{Events: script(t, "02 08:00 Received citizen"), At: at(t, "02 10:00")}
	got := map[string]bool{}
	for _, through := range []string{"02 08:30", "02 09:00", "02 09:01"} {
		in.ObservedThrough = at(t, through)
		got[through] = p.Evaluate(in).Clocks[0].Final
	}
	if diff := cmp.Diff(map[string]bool{"02 08:30": false, "02 09:00": false, "02 09:01": true}, got); diff != "" {
		t.Error(diff)
	}
	in.At = at(t, "02 09:00") // read further than the evaluation: the answer may still come in time
	if s := p.Evaluate(in).Clocks[0]; s.Final || s.State != Running {
		t.Errorf("got %+v", s)
	}
}
