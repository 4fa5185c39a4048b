package explain

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/tanggap/tanggap/internal/sla"
)

type jsonReport struct {
	At              string     `json:"at"`
	ObservedThrough string     `json:"observedThrough"`
	Cases           []jsonCase `json:"cases"`
}

type jsonCase struct {
	Channel       string      `json:"channel"`
	Case          string      `json:"case"`
	Category      string      `json:"category"`
	Department    string      `json:"department"`
	Priority      string      `json:"priority"`
	SLA           string      `json:"sla,omitempty"`
	Rule          string      `json:"rule,omitempty"`
	Status        string      `json:"status"`
	ReceivedAt    *string     `json:"receivedAt"`
	AnsweredAt    *string     `json:"answeredAt"`
	Unanswered    bool        `json:"unanswered"`
	AwaitingReply bool        `json:"awaitingReply"`
	NextChangeAt  *string     `json:"nextChangeAt"`
	Steps         []jsonStep  `json:"steps"`
	Clocks        []jsonClock `json:"clocks"`
}

type jsonClock struct {
	Clock          string  `json:"clock"`
	Measures       string  `json:"measures"`
	Cycle          int     `json:"cycle"`
	State          string  `json:"state"`
	StartedAt      *string `json:"startedAt"`
	DueAt          *string `json:"dueAt"`
	StoppedAt      *string `json:"stoppedAt"`
	BeyondCoverage bool    `json:"beyondCoverage"`
	WarnAt         *string `json:"warnAt"`
	DueSoon        bool    `json:"dueSoon"`
	Final          bool    `json:"final"`
	Outcome        string  `json:"outcome,omitempty"`
	OverrunSeconds int64   `json:"overrunSeconds,omitempty"`
	// Steps are the reasons.
	Steps []jsonStep `json:"steps"`
}

// jsonStep is one reason; its times are told in the local zone.
type jsonStep struct {
	At   *string `json:"at"`
	Text string  `json:"text"`
}

// WriteJSON writes the report as one JSON object. Instants are UTC with whole seconds, and null where
// there is none.
func (r *Report) WriteJSON(w io.Writer) error {
	out := jsonReport{At: *instant(r.At), ObservedThrough: r.ObservedThrough.UTC().Format(time.RFC3339), Cases: []jsonCase{}}
	for i := range r.Cases {
		out.Cases = append(out.Cases, r.Cases[i].json())
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(out); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

func (c *Case) json() jsonCase {
	s := &c.Explanation.Case
	out := jsonCase{
		Channel: c.Channel, Case: c.CaseID,
		Category: c.Category, Department: c.Department, Priority: c.Priority,
		SLA: c.Rules.Channel.SLA, Rule: s.Rule, Status: string(s.Status),
		ReceivedAt: instant(s.Received), AnsweredAt: instant(s.AnsweredAt),
		Unanswered: s.Unanswered, AwaitingReply: s.AwaitingReply, NextChangeAt: instant(s.NextChange),
		Steps: steps(c.Steps), Clocks: []jsonClock{},
	}
	for i := range c.Clocks {
		k := &c.Clocks[i].Clock
		out.Clocks = append(out.Clocks, jsonClock{
			Clock: k.Name, Measures: string(k.Measures), Cycle: k.Cycle, State: string(k.State),
			StartedAt: instant(k.StartedAt), DueAt: instant(k.DueAt), StoppedAt: instant(k.StoppedAt),
			BeyondCoverage: k.BeyondCoverage, WarnAt: instant(k.WarnAt), DueSoon: k.DueSoon,
			Final: k.Final, Outcome: string(k.Outcome), OverrunSeconds: int64(k.Overrun / time.Second),
			Steps: steps(c.Clocks[i].Steps),
		})
	}
	return out
}

func steps(told []sla.Step) []jsonStep {
	out := make([]jsonStep, 0, len(told))
	for _, step := range told {
		out = append(out, jsonStep{At: instant(step.At), Text: step.Text})
	}
	return out
}

func instant(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	text := t.UTC().Truncate(time.Second).Format(time.RFC3339)
	return &text
}
