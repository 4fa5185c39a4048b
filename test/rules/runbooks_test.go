package rules_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// TestQueriesOfRunbooksAreOfTheAlertsCity has promtool parse every query, and asks that each of its selectors is of
// the city that the alert is about: cities call their channels and SLAs alike.
func TestQueriesOfRunbooksAreOfTheAlertsCity(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join("..", "..", "docs", "runbooks", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	query := regexp.MustCompile(`(?m)^# in Prometheus: (.+)$`)
	selector := regexp.MustCompile(`tanggap_[a-z_]+(\{namespace="\$NS"[,}])?`)
	queries := ruleGroup{Name: "queries"}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range query.FindAllStringSubmatch(string(text), -1) {
			for _, s := range selector.FindAllStringSubmatch(found[1], -1) {
				if s[1] == "" {
					t.Errorf("%s asks for every city's: %s", filepath.Base(path), found[1])
				}
			}
			queries.Rules = append(queries.Rules, rule{Record: "query", Expr: found[1]})
		}
	}
	if len(queries.Rules) == 0 {
		t.Fatal("no runbook asks Prometheus anything")
	}
	text, err := yaml.Marshal(ruleFile{Groups: []ruleGroup{queries}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "queries.yaml")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(string(text), "$", "")), 0o600); err != nil {
		t.Fatal(err)
	}
	if output, err := exec.CommandContext(t.Context(), "promtool", "check", "rules", "--lint=none", file).CombinedOutput(); err != nil {
		t.Errorf("promtool: %v: %s", err, output)
	}
}
