package sla

import (
	"encoding/json"
	"os"
	"testing"
	"time"
	_ "time/tzdata" // the tests need every zone, whatever the machine has

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/calendar"
	"github.com/tanggap/tanggap/internal/complaint"
)

// vector is one entry of testdata/clocks.json.
type vector struct {
	Name   string
	Policy []struct {
		Kind     string
		Metadata struct{ Name string }
		Spec     json.RawMessage
	}
	Events []complaint.Event
	At     time.Time
	Want   []vectorCase
}

type vectorCase struct {
	Channel string        `json:"channel"`
	Case    string        `json:"case"`
	Clocks  []vectorClock `json:"clocks"`
}

type vectorClock struct {
	Clock          string  `json:"clock"`
	Cycle          int     `json:"cycle"`
	State          State   `json:"state"`
	StartedAt      *string `json:"startedAt"`
	DueAt          *string `json:"dueAt"`
	StoppedAt      *string `json:"stoppedAt"`
	BeyondCoverage bool    `json:"beyondCoverage"`
}

func TestVectors(t *testing.T) {
	text, err := os.ReadFile("testdata/clocks.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			var spec Spec
			calendars := map[string]*calendar.Calendar{}
			for _, resource := range v.Policy {
				switch resource.Kind {
				case "WorkCalendar":
					var s calendar.Spec
					if err := json.Unmarshal(resource.Spec, &s); err != nil {
						t.Fatal(err)
					}
					c, err := calendar.Compile(s)
					if err != nil {
						t.Fatal(err)
					}
					calendars[resource.Metadata.Name] = c
				case "ResponseSLA":
					if err := json.Unmarshal(resource.Spec, &spec); err != nil {
						t.Fatal(err)
					}
				default:
					t.Fatalf("a %s in the policy", resource.Kind)
				}
			}
			var options Options
			if spec.CalendarRef != nil {
				options.Calendar = calendars[spec.CalendarRef.Name]
			}
			p, err := Compile(spec, options)
			if err != nil {
				t.Fatal(err)
			}
			got := []vectorCase{{Channel: v.Events[0].Channel, Case: v.Events[0].CaseID}}
			for _, s := range p.Evaluate(Input{Events: v.Events, At: v.At}).Clocks {
				got[0].Clocks = append(got[0].Clocks, vectorClock{
					Clock: s.Name, Cycle: s.Cycle, State: s.State,
					StartedAt: utc(s.StartedAt), DueAt: utc(s.DueAt), StoppedAt: utc(s.StoppedAt), BeyondCoverage: s.BeyondCoverage,
				})
			}
			if diff := cmp.Diff(v.Want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func utc(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := t.UTC().Format(time.RFC3339)
	return &s
}
