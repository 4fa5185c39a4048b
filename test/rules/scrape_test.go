package rules_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/tanggap/tanggap/internal/metrics"
)

// dropping is a relabelling that takes a label from the series of some names.
type dropping struct {
	regex, label string
}

// droppings are those of a shipped configuration, in which the fields have these names.
func droppings(t *testing.T, entries []map[string]any, source, target string) []dropping {
	t.Helper()
	var found []dropping
	for _, entry := range entries {
		regex, _ := entry["regex"].(string)
		label, _ := entry[target].(string)
		if names, ok := entry[source].([]any); !ok || len(names) != 1 || names[0] != "__name__" || entry["replacement"] != "" || regex == "" {
			t.Fatalf("%v drops no label from the series of some names", entry)
		}
		found = append(found, dropping{regex, label})
	}
	return found
}

func readConfig(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "config", "prometheus", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

// TestOnlyTheOperatorsOwnSeriesAreBoundToItsPod holds the shipped configurations to the catalogue: a series of a
// city that has the pod ends with the leader, and what it counts while another takes over is no increase.
func TestOnlyTheOperatorsOwnSeriesAreBoundToItsPod(t *testing.T) {
	var config struct {
		Jobs []struct {
			Relabelings []map[string]any `json:"metric_relabel_configs"`
		} `json:"scrape_configs"`
	}
	readConfig(t, "prometheus.yaml", &config)
	var monitor struct {
		Spec struct {
			Endpoints []struct {
				Relabelings []map[string]any `json:"metricRelabelings"`
			} `json:"endpoints"`
		} `json:"spec"`
	}
	readConfig(t, "servicemonitor.yaml", &monitor)
	for file, dropped := range map[string][]dropping{
		"prometheus.yaml":     droppings(t, config.Jobs[0].Relabelings, "source_labels", "target_label"),
		"servicemonitor.yaml": droppings(t, monitor.Spec.Endpoints[0].Relabelings, "sourceLabels", "targetLabel"),
	} {
		for _, m := range metrics.Catalogue() {
			for _, label := range []string{"pod", "instance"} {
				drops := slices.ContainsFunc(dropped, func(d dropping) bool {
					return d.label == label && regexp.MustCompile("^(?:"+d.regex+")$").MatchString(m.Name)
				})
				if ofCity := slices.Contains(m.Labels, "namespace"); drops != ofCity {
					t.Errorf("%s: %s keeps its %s: %t", file, m.Name, label, !drops)
				}
			}
		}
	}
}
