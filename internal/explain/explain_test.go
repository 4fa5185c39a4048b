package explain

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/policy"
	"github.com/tanggap/tanggap/internal/sla"
)

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

// event is of channel "dsw" and case "C1", on 2 November 2026 at the hour and minute.
func event(id, clock string, kind complaint.Kind, actor complaint.Actor) complaint.Event {
	return complaint.Event{Channel: "dsw", CaseID: "C1", ID: id, Kind: kind, Actor: actor, OccurredAt: at("2026-11-02T" + clock + ":00+07:00")}
}

func changed(id, clock string, to complaint.Status) complaint.Event {
	e := event(id, clock, complaint.KindStatusChanged, complaint.ActorOfficial)
	e.To = to
	return e
}

func compiled(t *testing.T, channel policy.Channel) *policy.Policy {
	t.Helper()
	p, err := policy.Compile(policy.Document{
		Channels: map[string]policy.Channel{"dsw": channel},
		SLAs: map[string]sla.Spec{"city": {Rules: []sla.Rule{{Name: "all", Clocks: []sla.Clock{
			{Name: "answer", Measures: "FirstAnswer", Target: sla.Target{Within: "1h"}, WarnBefore: "50%"},
			{Name: "reply", Measures: "NextReply", Target: sla.Target{Within: "1h"}},
			{Name: "department", Measures: "FirstAnswer", StartsOn: "Assigned", Target: sla.Target{Within: "1h"}, PauseWhile: []string{"AwaitingCitizen"}},
		}}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestTheFirstLines are what a clerk sees first: of the case, and of each clock.
func TestTheFirstLines(t *testing.T) {
	received := event("1", "08:00", complaint.KindReceived, complaint.ActorCitizen)
	answered := event("2", "08:30", complaint.KindAnswered, complaint.ActorOfficial)
	merged := event("3", "08:40", complaint.KindMerged, complaint.ActorSystem)
	merged.Into = "C0"
	tests := map[string]struct {
		channel policy.Channel
		events  []complaint.Event
		at      string
		through string
		want    []string
	}{
		"unanswered and due soon": {events: []complaint.Event{received}, at: "08:45",
			want: []string{"dsw C1: unanswered since Mon 2 Nov 08:00", "answer: RUNNING, due Mon 2 Nov 09:00, soon", "department: PENDING"}},
		"breached, as far as is known": {events: []complaint.Event{received}, at: "09:10", through: "08:50",
			want: []string{"dsw C1: unanswered since Mon 2 Nov 08:00", "answer: BREACHED, due Mon 2 Nov 09:00, not final", "department: PENDING"}},
		"answered": {events: []complaint.Event{received, answered}, at: "09:10",
			want: []string{"dsw C1: answered", "answer: MET", "department: PENDING"}},
		"the citizen writes again": {events: []complaint.Event{received, answered, event("3", "09:00", complaint.KindCitizenMessage, complaint.ActorCitizen)}, at: "09:10",
			want: []string{"dsw C1: answered, and the citizen waits for a reply since Mon 2 Nov 09:00", "answer: MET", "reply, message 1: RUNNING, due Mon 2 Nov 10:00", "department: PENDING"}},
		"resolved": {events: []complaint.Event{received, changed("2", "08:30", complaint.StatusResolved)}, at: "09:10",
			want: []string{"dsw C1: resolved", "answer: MET", "department: PENDING"}},
		"spam": {events: []complaint.Event{received, changed("2", "08:30", complaint.StatusSpam)}, at: "09:10",
			want: []string{"dsw C1: closed as Spam", "answer: CANCELLED", "department: PENDING"}},
		"merged": {events: []complaint.Event{received, merged}, at: "09:10",
			want: []string{"dsw C1: merged into C0", "answer: CANCELLED", "department: PENDING"}},
		"paused": {events: []complaint.Event{received, event("2", "08:10", complaint.KindAssigned, complaint.ActorOfficial), changed("3", "08:20", complaint.StatusAwaitingCitizen)}, at: "08:25",
			want: []string{"dsw C1: unanswered since Mon 2 Nov 08:00", "answer: RUNNING, due Mon 2 Nov 09:00", "department: PAUSED"}},
		"not received": {events: []complaint.Event{answered}, at: "09:10", want: []string{"dsw C1: not received yet"}},
		"nothing is promised": {channel: policy.Channel{Type: "webhook"}, events: []complaint.Event{received}, at: "09:10",
			want: []string{"dsw C1: unanswered since Mon 2 Nov 08:00"}},
		"nothing is known yet": {events: []complaint.Event{received}, at: "07:00", want: []string{"There are no cases at this instant."}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			channel := tt.channel
			if channel == (policy.Channel{}) {
				channel = policy.Channel{SLA: "city"}
			}
			now := at("2026-11-02T" + tt.at + ":00+07:00")
			through := now
			if tt.through != "" {
				through = at("2026-11-02T" + tt.through + ":00+07:00")
			}
			report := Judge(compiled(t, channel), tt.events, now, through)
			var b strings.Builder
			if err := report.WriteText(&b); err != nil {
				t.Fatal(err)
			}
			var got []string
			for line := range strings.Lines(b.String()) {
				trimmed := strings.TrimSpace(line)
				clock := strings.HasPrefix(line, "  ") && !strings.HasPrefix(line, "   ") && strings.Contains(trimmed, ": ") && trimmed[0] != '-'
				if !strings.HasPrefix(line, " ") && trimmed != "" || clock {
					got = append(got, trimmed)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s\n%s", diff, b.String())
			}
		})
	}
}

func TestIdentifiersOfStrangersDoNotReachTheTerminal(t *testing.T) {
	received, merged := event("1", "08:00", complaint.KindReceived, complaint.ActorCitizen), event("2", "08:40", complaint.KindMerged, complaint.ActorSystem)
	received.CaseID, merged.CaseID, merged.Into = "C\x1b[2J", "C\x1b[2J", "C\x1b[8m0"
	now := at("2026-11-02T09:00:00+07:00")
	report := Judge(compiled(t, policy.Channel{SLA: "city"}), []complaint.Event{received, merged}, now, now)
	var b strings.Builder
	if err := report.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	if want := `dsw "C\x1b[2J": merged into "C\x1b[8m0"` + "\n"; !strings.HasPrefix(b.String(), want) || strings.Contains(b.String(), "\x1b") {
		t.Errorf("want %s, got %q", want, b.String())
	}
}

func TestCasesAreSortedAndTimesHaveTheirYear(t *testing.T) {
	events := []complaint.Event{
		{Channel: "wa", CaseID: "1", ID: "1", Kind: complaint.KindReceived, Actor: complaint.ActorCitizen, OccurredAt: at("2025-12-31T23:59:30+07:00")},
		{Channel: "dsw", CaseID: "2", ID: "1", Kind: complaint.KindReceived, Actor: complaint.ActorCitizen, OccurredAt: at("2026-01-01T08:00:00+07:00")},
		{Channel: "dsw", CaseID: "1", ID: "2", Kind: complaint.KindReceived, Actor: complaint.ActorCitizen, OccurredAt: at("2026-01-01T08:00:00+07:00")},
	}
	if diff := cmp.Diff([]string{"dsw", "wa"}, Channels(events)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	p, err := policy.Compile(policy.Document{Channels: map[string]policy.Channel{"dsw": {}, "wa": {}}})
	if err != nil {
		t.Fatal(err)
	}
	now := at("2026-01-01T09:00:00+07:00")
	report := Judge(p, events, now, now)
	var b strings.Builder
	if err := report.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(b.String()) {
		if !strings.HasPrefix(line, " ") && line != "\n" {
			got = append(got, strings.TrimSpace(line))
		}
	}
	want := []string{"dsw 1: unanswered since Thu 1 Jan 08:00", "dsw 2: unanswered since Thu 1 Jan 08:00", "wa 1: unanswered since Wed 31 Dec 2025 23:59:30"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
