package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// explainCommand runs the real command.
func explainCommand(t *testing.T, stdin string, args ...string) (stdout string, err error) {
	t.Helper()
	command := newRootCommand()
	var out bytes.Buffer
	command.SetIn(strings.NewReader(stdin))
	command.SetOut(&out)
	command.SetErr(&out)
	command.SetArgs(append([]string{"explain"}, args...))
	err = command.ExecuteContext(t.Context())
	return out.String(), err
}

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

type vector struct {
	Name   string
	Policy []json.RawMessage
	Events []json.RawMessage
	At     string
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
	State          string  `json:"state"`
	StartedAt      *string `json:"startedAt"`
	DueAt          *string `json:"dueAt"`
	StoppedAt      *string `json:"stoppedAt"`
	BeyondCoverage bool    `json:"beyondCoverage"`
}

func lines(all []json.RawMessage, separator string) string {
	texts := make([]string, len(all))
	for i, text := range all {
		var compact bytes.Buffer
		if err := json.Compact(&compact, text); err != nil {
			panic(err)
		}
		texts[i] = compact.String()
	}
	return strings.Join(texts, separator)
}

// TestExplainVectors runs the command on vectors that an independent program computed.
func TestExplainVectors(t *testing.T) {
	text, err := os.ReadFile("../../internal/sla/testdata/clocks.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) < 22 {
		t.Fatalf("there are %d vectors", len(vectors))
	}
	var texts strings.Builder
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			policy, events := write(t, "policy.yaml", lines(v.Policy, "\n---\n")), write(t, "events.ndjson", lines(v.Events, "\n"))
			out, err := explainCommand(t, "", "--policy", policy, "--events", events, "--at", v.At, "-o", "json")
			if err != nil {
				t.Fatal(err)
			}
			var got struct{ Cases []vectorCase }
			if err := json.Unmarshal([]byte(out), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(v.Want, got.Cases); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			out, err = explainCommand(t, "", "--policy", policy, "--events", events, "--at", v.At)
			if err != nil {
				t.Fatal(err)
			}
			texts.WriteString("# " + v.Name + "\n" + out + "\n")
		})
	}
	golden(t, "testdata/explain_vectors.txt", texts.String())
}

// golden compares with a file, or writes it with -update.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s says something else; write it with -update (-file +command):\n%s", path, diff)
	}
}

const policyYAML = `apiVersion: tanggap.dev/v1alpha1
kind: ResponseSLA
metadata: {name: city}
spec:
  calendarRef: {name: office}
  rules:
    - name: all
      clocks: [{name: first-answer, measures: FirstAnswer, target: {workingDays: 3}, warnBefore: 25%}]
---
apiVersion: tanggap.dev/v1alpha1
kind: WorkCalendar
metadata: {name: office}
spec:
  timeZone: Asia/Jakarta
  weekly: [{days: [Monday, Tuesday, Wednesday, Thursday, Friday], hours: [{start: "08:00", end: "16:00"}]}]
`

const secondSLA = `---
apiVersion: tanggap.dev/v1alpha1
kind: ResponseSLA
metadata: {name: emergency}
spec:
  rules: [{name: all, clocks: [{name: answer, measures: FirstAnswer, target: {within: 7m}}]}]
`

const channelYAML = `---
apiVersion: tanggap.dev/v1alpha1
kind: ComplaintChannel
metadata: {name: call}
spec:
  source: {type: rest}
  slaRef: {name: emergency}
`

const receivedEvent = `{"channel":"call","case":"C1","id":"e1","kind":"Received","actor":"citizen","at":"2026-11-02T10:00:00+07:00"}`

func TestExplainRefusesBadInput(t *testing.T) {
	tests := map[string]struct{ policy, events, at, want string }{
		"a policy with a fault": {
			strings.Replace(policyYAML, "measures: FirstAnswer", "measures: Answer", 1), receivedEvent, "",
			`POLICY:8:47: spec.rules[0].clocks[0].measures: `},
		"a policy with a field that does not exist": {
			strings.Replace(policyYAML, "timeZone", "timezone", 1), receivedEvent, "",
			`POLICY:14:3: spec.timezone: there is no such field; the fields are timeZone, weekly, seasons, holidays, specialDays, coversUntil`},
		"a calendar that is missing": {
			strings.Replace(policyYAML, "metadata: {name: office}", "metadata: {name: shop}", 1), receivedEvent, "",
			`POLICY:5:23: spec.calendarRef.name: there is no WorkCalendar "office"`},
		"an event with a fault": {
			policyYAML, "\n" + strings.Replace(receivedEvent, "citizen", "mayor", 1), "",
			`EVENTS:2:67: actor: must be one of [citizen official bot system]`},
		"several SLAs and no channel": {
			policyYAML + secondSLA, receivedEvent, "",
			`POLICY:1:1: there are several ResponseSLAs (city, emergency); add the ComplaintChannel whose slaRef says which one is for call`},
		"events of a channel that is not declared": {
			policyYAML + secondSLA + strings.Replace(channelYAML, "name: call", "name: dsw", 1), receivedEvent, "",
			`POLICY:1:1: there are events of the channel "call", and no ComplaintChannel of this name among dsw`},
		"no SLA": {
			"apiVersion: v1\nkind: Namespace\n", receivedEvent, "",
			`POLICY:1:1: there is no ResponseSLA in this file (passed over: Namespace)`},
		"an instant without an offset": {
			policyYAML, receivedEvent, "2026-11-02T10:00:00",
			`--at must be a time with an offset from UTC such as 2026-11-02T10:00:00+07:00`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			policy, events := write(t, "policy.yaml", tt.policy), write(t, "events.ndjson", tt.events)
			at := tt.at
			if at == "" {
				at = "2026-11-03T10:00:00+07:00"
			}
			out, err := explainCommand(t, "", "--policy", policy, "--events", events, "--at", at)
			if err == nil {
				t.Fatalf("there is no error:\n%s", out)
			}
			got := strings.NewReplacer(policy, "POLICY", events, "EVENTS").Replace(err.Error())
			if strings.HasSuffix(tt.want, ": ") && strings.HasPrefix(got, tt.want) {
				return // the words are another package's
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestExplainTakesTheSLAOfTheChannel(t *testing.T) {
	policy := write(t, "policy.yaml", policyYAML+secondSLA+channelYAML)
	out, err := explainCommand(t, receivedEvent, "--policy", policy, "--events", "-", "--at", "2026-11-02T10:08:00+07:00", "--observed-through", "2026-11-02T10:05:00+07:00", "--output", "json")
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Cases []struct {
			SLA    string
			Clocks []struct {
				State string
				DueAt string
				Final bool
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Cases) != 1 || got.Cases[0].SLA != "emergency" || len(got.Cases[0].Clocks) != 1 {
		t.Fatalf("got %+v", got)
	}
	if k := got.Cases[0].Clocks[0]; k.State != "Breached" || k.DueAt != "2026-11-02T03:07:00Z" || k.Final {
		t.Errorf("got %+v, want a breach that is not final, as the source was read up to 10:05 only", k)
	}
}

func TestExplainNeedsItsFlags(t *testing.T) {
	for name, args := range map[string][]string{
		"no flags":                 {},
		"an unknown output":        {"--policy", "p", "--events", "e", "--at", "2026-11-02T10:00:00Z", "-o", "yaml"},
		"one input twice":          {"--policy", "-", "--events", "-", "--at", "2026-11-02T10:00:00Z"},
		"a file that is missing":   {"--policy", "no-such-file", "--events", "e", "--at", "2026-11-02T10:00:00Z"},
		"a bad observed-through":   {"--policy", "p", "--events", "e", "--at", "2026-11-02T10:00:00Z", "--observed-through", "now"},
		"an argument that is lost": {"x", "--policy", "p", "--events", "e", "--at", "2026-11-02T10:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			if out, err := explainCommand(t, "", args...); err == nil {
				t.Errorf("there is no error:\n%s", out)
			}
		})
	}
}

// TestAnInstantIsToldInItsOwnOffset: half a year before it, the machine's zone may have another.
func TestAnInstantIsToldInItsOwnOffset(t *testing.T) {
	text := strings.Replace(time.Date(2026, time.July, 1, 10, 0, 0, 0, time.Local).Format(time.RFC3339), "Z", "+00:00", 1)
	at, err := parseInstant("--at", text)
	if err != nil {
		t.Fatal(err)
	}
	if at.Location() == time.Local {
		t.Errorf("%s is told in the machine's zone", text)
	}
}
