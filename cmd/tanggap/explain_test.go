package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
			// The text is for people; that there is one for every clock is enough here.
			out, err = explainCommand(t, "", "--policy", policy, "--events", events, "--at", v.At)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range v.Want {
				for _, k := range c.Clocks {
					if !strings.Contains(out, k.Clock) {
						t.Errorf("the text does not speak of %s:\n%s", k.Clock, out)
					}
				}
			}
		})
	}
}

