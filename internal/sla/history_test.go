package sla

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/complaint"
)

// conversation is a case in which the citizen writes at every full hour of Monday, is answered ten minutes
// later, and the office waits for a third party from half past for a quarter of an hour.
func conversation(t testing.TB, hours int) []complaint.Event {
	t.Helper()
	lines := []string{"02 00:00 Received citizen", "02 00:10 Answered official"}
	for hour := 1; hour <= hours; hour++ {
		lines = append(lines,
			fmt.Sprintf("02 %02d:00 CitizenMessage citizen", hour), fmt.Sprintf("02 %02d:10 Answered official", hour),
			fmt.Sprintf("02 %02d:30 StatusChanged official AwaitingThirdParty", hour), fmt.Sprintf("02 %02d:45 StatusChanged official Open", hour))
	}
	return script(t, lines...)
}

func TestALongConversationHasEveryReplyAndPause(t *testing.T) {
	p := promise(t, clockOf(MeasureNextReply, within("1h")), clockOf(MeasureFirstResolution, within("48h"), paused))
	c := p.Evaluate(Input{Events: conversation(t, 20), At: at(t, "02 22:00")})
	if n := len(c.Clocks); n != 21 {
		t.Fatalf("want 20 replies and a resolution, got %d clocks", n)
	}
	for i, s := range c.Clocks[:20] {
		if want := at(t, fmt.Sprintf("02 %02d:00", i+1)); s.Cycle != i+1 || s.State != Met || !s.StartedAt.Equal(want) || !s.StoppedAt.Equal(want.Add(10*time.Minute)) {
			t.Errorf("reply %d: got %+v", i+1, s)
		}
	}
	if due := show(c.Clocks[20].DueAt); due != "04 05:00" { // 20 pauses of a quarter of an hour
		t.Errorf("the resolution is due %s", due)
	}
}

func TestOfSeveralEventsWithOneIDTheEarliestCounts(t *testing.T) {
	p := promise(t, clockOf(MeasureNextReply, within("1h")))
	for _, hours := range []int{1, 20} { // few events, and many
		events := conversation(t, hours)
		again := events[2] // the first message, which the source tells once more with the time of an edit
		again.OccurredAt = at(t, "02 21:00")
		in := Input{Events: slices.Concat([]complaint.Event{again}, events), At: at(t, "02 23:00")}
		c := p.Evaluate(in)
		if len(c.Clocks) != hours || c.AwaitingReply || !c.LastEventAt.Equal(events[len(events)-1].OccurredAt) {
			t.Errorf("%d hours: got %d clocks, awaiting a reply: %v, last event %s", hours, len(c.Clocks), c.AwaitingReply, show(c.LastEventAt))
		}
	}
}

func TestWhichOfTwoEventsWithOneIDAndInstantCountsIsNoMatterOfTheirOrder(t *testing.T) {
	for name, change := range map[string]func(e *complaint.Event){
		"the status": func(e *complaint.Event) { e.To = complaint.StatusSpam },
		"the actor":  func(e *complaint.Event) { e.Actor = complaint.ActorSystem },
		"a value":    func(e *complaint.Event) { e.Attributes = map[string]string{"a": "1", "b": "3"} },
		"a name":     func(e *complaint.Event) { e.Attributes = map[string]string{"a": "1", "c": "2"} },
		"a number":   func(e *complaint.Event) { e.Attributes = map[string]string{"a": "1"} },
	} {
		t.Run(name, func(t *testing.T) {
			events := script(t, "02 08:00 Received citizen", "02 09:00 StatusChanged official Resolved", "02 09:00 StatusChanged official Resolved")
			events[1].Attributes, events[2].Attributes = map[string]string{"a": "1", "b": "2"}, map[string]string{"a": "1", "b": "2"}
			events[2].ID = events[1].ID
			change(&events[2])
			type result struct {
				Case       Case
				Attributes map[string]string
			}
			judged := func() result {
				in := Input{Events: events, At: at(t, "02 10:00")}
				return result{promise(t, clockOf(MeasureFirstAnswer, within("4h"))).Evaluate(in), Attributes(in)}
			}
			want := judged()
			slices.Reverse(events)
			if diff := cmp.Diff(want, judged()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestACaseThatWasNotReceivedIsNotOpenAndWaitsForNothing(t *testing.T) {
	c := evaluate(t, nil, "02 12:00", "02 09:00 CitizenMessage citizen", "02 10:00 StatusChanged official AwaitingCitizen")
	want := Case{Status: complaint.StatusAwaitingCitizen, LastEventAt: at(t, "02 10:00").UTC()}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
}

func TestACaseThatWasAnsweredBeforeItsReceiptWaitsForNothing(t *testing.T) {
	c := evaluate(t, nil, "02 12:00", "02 07:59 Answered official", "02 08:00 Received citizen")
	if !c.Answered() || c.AwaitingReply {
		t.Errorf("got %+v", c)
	}
}

func TestResolvingWhatIsOutOfTheCitysHandsDoesNotResolveIt(t *testing.T) {
	c := evaluate(t, nil, "02 12:00", "02 08:00 Received citizen", "02 09:00 StatusChanged official Rejected", "02 10:00 StatusChanged system Resolved")
	if !c.ResolvedAt.IsZero() || !c.CancelledAt.Equal(at(t, "02 09:00")) {
		t.Errorf("got %+v", c)
	}
}

func TestWhatIsAnAcknowledgement(t *testing.T) {
	p := compile(t, nil, Spec{Acknowledgement: &Acknowledgement{Match: "event.text == 'thanks'"}, Rules: []Rule{{Name: "all"}}})
	for line, want := range map[string]bool{
		"02 08:00 Acknowledged official":           true,
		"02 08:00 Acknowledged bot":                false,
		"02 08:00 Answered official thanks":        true,
		"02 08:00 Answered bot thanks":             false,
		"02 08:00 Answered official it is mended":  false,
		"02 08:00 CitizenMessage official thanks":  false,
		"02 08:00 StatusChanged official Resolved": false,
	} {
		if got := p.Acknowledges(&script(t, line)[0]); got != want {
			t.Errorf("%s: got %v", line, got)
		}
	}
}

func TestSettled(t *testing.T) {
	no := false
	p := promise(t, clockOf(MeasureFirstAnswer, within("4h"), func(c *Clock) { c.ResolvedCountsAsAnswer = &no }), clockOf(MeasureFirstResolution, within("4h"), onAssigned))
	for name, test := range map[string]struct {
		at   string
		last string
		want bool
	}{
		"an open case is not":                            {"09 08:00", "Acknowledged official", false},
		"nor one whose answer is still to come":          {"02 10:00", "StatusChanged official Resolved", false},
		"but one whose clocks can only have been broken": {"09 08:00", "StatusChanged official Resolved", true},
		"and one that is out of the city's hands":        {"02 10:00", "StatusChanged official Spam", true},
	} {
		t.Run(name, func(t *testing.T) {
			c := evaluate(t, p, test.at, "02 08:00 Received citizen", "02 09:00 "+test.last)
			if got := c.Settled(); got != test.want {
				t.Errorf("got %v: %v", got, rows(c))
			}
		})
	}
}
