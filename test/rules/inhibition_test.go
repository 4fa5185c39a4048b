package rules_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

var alertmanagerPath = filepath.Join("..", "..", "config", "prometheus", "alertmanager", "alertmanager.yaml")

func TestTheExampleOfAlertmanagerIsValid(t *testing.T) {
	if output, err := exec.CommandContext(t.Context(), "amtool", "check-config", alertmanagerPath).CombinedOutput(); err != nil {
		t.Errorf("amtool: %v: %s", err, output)
	}
}

// alertmanager is what the tests look at of the example configuration.
type alertmanager struct {
	Route struct {
		GroupBy []string `json:"group_by"`
	} `json:"route"`
	Rules []struct {
		Source []string `json:"source_matchers"`
		Target []string `json:"target_matchers"`
		Equal  []string `json:"equal"`
	} `json:"inhibit_rules"`
}

func readAlertmanager(t *testing.T) (config alertmanager) {
	t.Helper()
	text, err := os.ReadFile(alertmanagerPath)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	return config
}

// TestInhibitionStaysWithinAClusterAndALedger has several clusters tell one Alertmanager, each with its name in the label
// cluster: where one has no operator, the others' cities are still watched.
func TestInhibitionStaysWithinAClusterAndALedger(t *testing.T) {
	config := readAlertmanager(t)
	if !slices.Contains(config.Route.GroupBy, "cluster") {
		t.Errorf("alerts of several clusters are one notification: %q", config.Route.GroupBy)
	}
	for _, inhibition := range config.Rules {
		if !slices.Contains(inhibition.Equal, "cluster") {
			t.Errorf("%q keeps back the alerts of other clusters", inhibition.Source)
		}
		// No alert on a channel says which ledger of the namespace is the channel's.
		if slices.Contains(inhibition.Source, "alertname = TanggapLedgerUnreachable") {
			t.Error("a ledger keeps back the alerts of another ledger's channels")
		}
	}
}

// TestInhibitionIsOfAlertsThatThereAre holds each matcher of the inhibition to the alerts, and the table in
// the documentation to the inhibition.
func TestInhibitionIsOfAlertsThatThereAre(t *testing.T) {
	config := readAlertmanager(t)
	documentation, err := os.ReadFile(filepath.Join("..", "..", "docs", "alerting.md"))
	if err != nil {
		t.Fatal(err)
	}
	var sources []string
	matcher := regexp.MustCompile(`^alertname *(!?=~?) *"?([^"]+)"?$`)
	for _, inhibition := range config.Rules {
		for i, m := range slices.Concat(inhibition.Source, inhibition.Target) {
			parts := matcher.FindStringSubmatch(m)
			if parts == nil {
				t.Fatalf("the matcher %s is not of an alert's name", m)
			}
			for name := range strings.SplitSeq(parts[2], "|") {
				name := regexp.MustCompile("^(?:" + name + ")$")
				if !slices.ContainsFunc(readRules(t).alerts(), func(r rule) bool { return name.MatchString(r.Alert) }) {
					t.Errorf("no alert is called %s", name)
				}
			}
			if i == 0 {
				sources = append(sources, parts[2])
			}
		}
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `(Tanggap[A-Za-z]+)` \\| [a-z]").FindAllStringSubmatch(string(documentation), -1) {
		if i := slices.Index(sources, row[1]); i >= 0 {
			sources = slices.Delete(sources, i, i+1)
		} else {
			t.Errorf("the documentation says what %s keeps back, and the example does not", row[1])
		}
	}
	if len(sources) > 0 {
		t.Errorf("the documentation does not say what %q keep back", sources)
	}
}
