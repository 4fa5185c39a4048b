package sla

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/field"
)

func threeClocks() Spec {
	return Spec{Rules: []Rule{{Name: "all", Clocks: []Clock{
		clockOf(MeasureAcknowledgement, within("1h"), paused, warnBefore("25%")),
		clockOf(MeasureNextReply, workingTime("6h"), paused, warnBefore("1h")),
		clockOf(MeasureTotalResolution, Target{WorkingDays: 3, DueAt: "EndOfDay"}, paused, warnBefore("25%")),
	}}}}
}

// A list of events is JSON from outside: whatever it says, the clocks agree with themselves and do not
// depend on its order.
func FuzzEvents(f *testing.F) {
	seed, err := json.Marshal(script(f, "02 08:00 Received citizen", "02 09:00 StatusChanged official AwaitingCitizen", "02 10:00 Answered official",
		"02 11:00 CitizenMessage citizen", "02 12:00 Merged system C2", "02 13:00 StatusChanged official Reopened", "02 14:00 StatusChanged official Resolved"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed, int64(1_793_600_000))
	p := compile(f, office(f), threeClocks())
	f.Fuzz(func(t *testing.T, list []byte, unix int64) {
		var events []complaint.Event
		if json.Unmarshal(list, &events) != nil {
			return
		}
		in := Input{Events: events, At: time.Unix(unix, 0), ObservedThrough: time.Unix(unix, 0)}
		in.Subject.Attributes = Attributes(in)
		got := p.Evaluate(in)
		p.Explain(in, nil)
		slices.Reverse(in.Events)
		if diff := cmp.Diff(got, p.Evaluate(in)); diff != "" {
			t.Errorf("the order of arrival matters: %s", diff)
		}
		for _, s := range got.Clocks {
			if (s.State == Pending) != s.StartedAt.IsZero() || s.Final != (s.Outcome != "") || s.DueSoon && s.State != Running || s.Overrun < 0 || s.Elapsed < 0 {
				t.Errorf("a clock that contradicts itself: %+v", s)
			}
		}
	})
}

// A specification is what people write: it compiles or is refused with a path, and what compiled
// judges.
func FuzzSpec(f *testing.F) {
	for _, spec := range []Spec{threeClocks(), {AnsweredBy: []string{"bot"}, Objective: &Objective{Ratio: "0.95", Window: "720h"}, Rules: []Rule{{Name: "x", Match: "true"}}}} {
		seed, err := json.Marshal(spec)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	in := eightEvents(f)
	c := office(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		var spec Spec
		if json.Unmarshal(text, &spec) != nil {
			return
		}
		p, err := Compile(spec, Options{Calendar: c})
		if err != nil {
			if len(field.All(err)) == 0 {
				t.Errorf("an error without a path: %v", err)
			}
			return
		}
		p.Evaluate(in)
		p.Explain(in, nil)
	})
}
