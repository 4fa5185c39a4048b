package dashboards

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// The parts of promtool's unit tests.
type (
	unitTest struct {
		Name     string       `json:"name"`
		Interval string       `json:"interval"`
		Input    []samples    `json:"input_series"`
		Queries  []evaluation `json:"promql_expr_test"`
	}
	samples struct {
		Series string `json:"series"`
		Values string `json:"values"`
	}
	evaluation struct {
		Expr string   `json:"expr"`
		At   string   `json:"eval_time"`
		Want []sample `json:"exp_samples,omitempty"`
	}
	sample struct {
		Labels string  `json:"labels"`
		Value  float64 `json:"value"`
	}
)

// queryOf is the first query of a panel.
func queryOf(t *testing.T, uid, title string) string {
	t.Helper()
	for _, d := range load(t) {
		for _, p := range d.Panels {
			if d.UID == uid && p.Title == title {
				return p.Targets[0].Query("10m")
			}
		}
	}
	t.Fatalf("%s has no panel %q", uid, title)
	return ""
}

func promtool(t *testing.T, tests ...unitTest) {
	t.Helper()
	text, err := yaml.Marshal(map[string]any{"evaluation_interval": "1m", "tests": tests})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "panels.test.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if output, err := exec.CommandContext(t.Context(), "promtool", "test", "rules", path).CombinedOutput(); err != nil {
		t.Errorf("promtool: %v: %s", err, output)
	}
}

// TestNoneIsZeroAndUnknownIsNot asks for the numbers of people who wait: in a city in which nobody waits, in one in
// which somebody does, and in one of which nothing is known.
func TestNoneIsZeroAndUnknownIsNot(t *testing.T) {
	declared := samples{`tanggap_channel_info{namespace="depok",channel="dsw",type="rest",official="true",sla="city"}`, "1x20"}
	known := samples{`tanggap_channel_clocks_beyond_coverage{namespace="depok",channel="dsw"}`, "0x20"}
	const labels = `namespace="depok",channel="dsw",category="road",department="dpupr",priority="normal"`
	for _, panel := range []struct {
		uid, title, series, values string
		want                       float64
	}{
		{"tanggap-desk", "Waiting for a first answer", `tanggap_complaints_unanswered{` + labels + `}`, "3x20", 3},
		{"tanggap-desk", "Waiting for any answer", `tanggap_complaints_awaiting_reply{` + labels + `}`, "4x20", 4},
		{"tanggap-desk", "Promises due soon", `tanggap_complaints_due_soon{` + labels + `,sla="city",clock="first-answer"}`, "2x20", 2},
		{"tanggap-desk", "Promises overdue", `tanggap_complaints_overdue{` + labels + `,sla="city",clock="first-answer"}`, "5x20", 5},
		{"tanggap-desk", "Longest wait", `tanggap_complaint_oldest_unanswered_timestamp_seconds{namespace="depok",channel="dsw"}`, "60x20", 540},
		{"tanggap-office", "Waiting now", `tanggap_complaints_unanswered{` + labels + `}`, "3x20", 3},
	} {
		t.Run(panel.uid+" "+panel.title, func(t *testing.T) {
			ask := func(want ...sample) []evaluation {
				return []evaluation{{Expr: queryOf(t, panel.uid, panel.title), At: "10m", Want: want}}
			}
			promtool(
				t,
				unitTest{"nobody waits", "1m", []samples{declared, known}, ask(sample{"{}", 0})},
				unitTest{"somebody waits", "1m", []samples{declared, known, {panel.series, panel.values}}, ask(sample{"{}", panel.want})},
				unitTest{"nothing is known", "1m", []samples{declared}, ask()},
			)
		})
	}
}

// TestAThankYouDoesNotMakeAnswersFaster has thanks come at once and answers after days.
func TestAThankYouDoesNotMakeAnswersFaster(t *testing.T) {
	var input []samples
	for clock, buckets := range map[string]string{"thanks": "0+9x20 0+9x20", "answer": "0x20 0+9x20"} {
		for i, le := range []string{"30", "+Inf"} {
			input = append(input, samples{
				`tanggap_response_seconds_bucket{namespace="depok",channel="dsw",priority="normal",clock="` + clock + `",le="` + le + `"}`,
				strings.Split(buckets, " ")[i],
			})
		}
	}
	promtool(t, unitTest{"thanks and answers", "1m", input, []evaluation{{
		Expr: queryOf(t, "tanggap-office", "Half are done within"), At: "20m",
		Want: []sample{{`{clock="answer"}`, 30}, {`{clock="thanks"}`, 15}},
	}}})
}
