// Package rules_test runs the shipped alert rules through promtool: what fires, what does not, what
// resolves; and shows that the unit tests notice when a rule is broken.
package rules_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

type ruleFile struct {
	Groups []ruleGroup `json:"groups"`
}

type ruleGroup struct {
	Name     string `json:"name"`
	Interval string `json:"interval,omitempty"`
	Rules    []rule `json:"rules"`
}

type rule struct {
	Record      string            `json:"record,omitempty"`
	Alert       string            `json:"alert,omitempty"`
	Expr        string            `json:"expr"`
	For         string            `json:"for,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

const rulesPath = "../../config/prometheus/rules.yaml"

func readRules(t *testing.T) ruleFile {
	t.Helper()
	text, err := os.ReadFile(rulesPath)
	if err != nil {
		t.Fatal(err)
	}
	var rules ruleFile
	if err := yaml.UnmarshalStrict(text, &rules); err != nil {
		t.Fatal(err)
	}
	return rules
}

func (f ruleFile) alerts() []rule {
	var all []rule
	for _, group := range f.Groups {
		for _, r := range group.Rules {
			if r.Alert != "" {
				all = append(all, r)
			}
		}
	}
	return all
}

// only is the file with those rules alone.
func (f ruleFile) only(wanted func(rule) bool) ruleFile {
	var some ruleFile
	for _, group := range f.Groups {
		group.Rules = slices.DeleteFunc(slices.Clone(group.Rules), func(r rule) bool { return !wanted(r) })
		some.Groups = append(some.Groups, group)
	}
	return some
}

// promtool runs promtool in a folder that holds the rules and the unit tests.
func promtool(t *testing.T, rules ruleFile, arguments ...string) (string, error) {
	t.Helper()
	program, err := exec.LookPath("promtool")
	if err != nil {
		t.Fatal("promtool is missing: install Debian's package prometheus, or run `make test`, which does it")
	}
	dir := t.TempDir()
	text, err := yaml.Marshal(rules)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{"rules.yaml": text}
	for _, path := range unitTests(t) {
		if files[filepath.Base(path)], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.CommandContext(t.Context(), program, arguments...)
	command.Dir = dir
	output, err := command.CombinedOutput()
	return string(output), err
}

func unitTests(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob("*.test.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no unit tests of rules: %v", err)
	}
	return paths
}

// unitTestsOf are the files that have unit tests of any of the alerts.
func unitTestsOf(t *testing.T, alerts []string) []string {
	t.Helper()
	return slices.DeleteFunc(unitTests(t), func(path string) bool {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return !slices.ContainsFunc(alerts, func(alert string) bool { return strings.Contains(string(text), "alertname: "+alert+"}") })
	})
}

func TestRulesPassPromtool(t *testing.T) {
	rules := readRules(t)
	if output, err := promtool(t, rules, "check", "rules", "--lint-fatal", "rules.yaml"); err != nil {
		t.Errorf("promtool check rules: %v\n%s", err, output)
	}
	if output, err := promtool(t, rules, append([]string{"test", "rules"}, unitTests(t)...)...); err != nil {
		t.Errorf("promtool test rules: %v\n%s", err, output)
	}
}

// TestRangesOfDaysAreEvaluatedSeldom keeps what reads days of every series from holding up the rules that page.
func TestRangesOfDaysAreEvaluatedSeldom(t *testing.T) {
	for _, group := range readRules(t).Groups {
		for _, r := range group.Rules {
			if days := regexp.MustCompile(`\[\d+[dw]\]`).FindString(r.Expr); days != "" && group.Interval == "" {
				t.Errorf("%s%s reads %s at every evaluation of %s", r.Record, r.Alert, days, group.Name)
			}
		}
	}
}

// TestUnitTestsNoticeABrokenRule breaks every alert at once, in two ways, and asks that for each alert
// some unit test fails: one that expects it to fire, and one that expects it not to.
func TestUnitTestsNoticeABrokenRule(t *testing.T) {
	for name, expression := range map[string]string{
		"an alert that never fires":  `vector(0) > 1`,
		"an alert that always fires": `vector(1)`,
	} {
		t.Run(name, func(t *testing.T) {
			rules := readRules(t)
			for g := range rules.Groups {
				for r := range rules.Groups[g].Rules {
					if rules.Groups[g].Rules[r].Alert != "" {
						rules.Groups[g].Rules[r].Expr, rules.Groups[g].Rules[r].For = expression, ""
					}
				}
			}
			output, err := promtool(t, rules.only(func(r rule) bool { return r.Alert != "" }), append([]string{"test", "rules"}, unitTests(t)...)...)
			if err == nil {
				t.Fatal("every unit test passes with every rule broken")
			}
			for _, alert := range rules.alerts() {
				if !strings.Contains(output, "alertname: "+alert.Alert+",") {
					t.Errorf("no unit test of %s fails", alert.Alert)
				}
			}
		})
	}
}

// clause is a line that narrows an alert down, or widens it.
var clause = regexp.MustCompile(`(?m)^ *(and|or|unless) .*\n?`)

// TestUnitTestsNoticeAMissingClause leaves one clause out of each alert, the first of all, then the second
// and so on, and asks that for each such alert some unit test fails.
func TestUnitTestsNoticeAMissingClause(t *testing.T) {
	for n := 0; ; n++ {
		rules := readRules(t)
		var broken []string
		for g := range rules.Groups {
			for r := range rules.Groups[g].Rules {
				rule := &rules.Groups[g].Rules[r]
				if places := clause.FindAllStringIndex(rule.Expr, -1); rule.Alert != "" && n < len(places) {
					rule.Expr = rule.Expr[:places[n][0]] + rule.Expr[places[n][1]:]
					broken = append(broken, rule.Alert)
				}
			}
		}
		if len(broken) == 0 {
			return
		}
		var expressions strings.Builder
		for _, alert := range rules.only(func(r rule) bool { return slices.Contains(broken, r.Alert) }).alerts() {
			expressions.WriteString(alert.Expr)
		}
		// What has nothing to do with them is left out for the time that it takes.
		rules = rules.only(func(r rule) bool {
			return slices.Contains(broken, r.Alert) || r.Record != "" && strings.Contains(expressions.String(), r.Record)
		})
		output, err := promtool(t, rules, append([]string{"test", "rules"}, unitTestsOf(t, broken)...)...)
		if err == nil {
			t.Errorf("every unit test passes without clause %d", n+1)
		}
		for _, alert := range broken {
			if !strings.Contains(output, "alertname: "+alert+",") {
				t.Errorf("no unit test of %s fails without its clause %d", alert, n+1)
			}
		}
	}
}

// firstCommands are the lines of a runbook's first block of commands.
var firstCommands = regexp.MustCompile("(?s)## First three commands\n.*?```sh\n(.*?)```")

func TestEveryAlertTellsAPersonWhatToDo(t *testing.T) {
	for _, alert := range readRules(t).alerts() {
		t.Run(alert.Alert, func(t *testing.T) {
			if !slices.Contains([]string{"page", "ticket"}, alert.Labels["severity"]) {
				t.Errorf("severity is %q, want page or ticket", alert.Labels["severity"])
			}
			for _, annotation := range []string{"summary", "description"} {
				if alert.Annotations[annotation] == "" {
					t.Errorf("no %s", annotation)
				}
			}
			want := fmt.Sprintf("https://github.com/tanggap/tanggap/blob/main/docs/runbooks/%s.md", alert.Alert)
			if alert.Annotations["runbook_url"] != want {
				t.Errorf("runbook_url is %q, want %q", alert.Annotations["runbook_url"], want)
			}
			runbook, err := os.ReadFile(filepath.Join("..", "..", "docs", "runbooks", alert.Alert+".md"))
			if err != nil {
				t.Fatalf("no runbook: %v", err)
			}
			if commands := firstCommands.FindStringSubmatch(string(runbook)); len(commands) != 2 || strings.Count(commands[1], "\n") != 3 {
				t.Error("the runbook has no three commands to type first")
			}
			for _, section := range []string{"## Meaning", "## Impact", "## First three commands", "## Likely causes", "## Mending", "## Silencing"} {
				if !strings.Contains(string(runbook), section) {
					t.Errorf("the runbook has no section %q", section)
				}
			}
		})
	}
}

// TestSeriesExist holds every series that a rule or a runbook names to the catalogue's table.
func TestSeriesExist(t *testing.T) {
	catalogue, err := os.ReadFile(filepath.Join("..", "..", "docs", "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	recorded := map[string]bool{}
	texts := map[string]string{}
	for _, group := range readRules(t).Groups {
		for _, r := range group.Rules {
			recorded[r.Record] = true
			texts[r.Alert+r.Record] = r.Expr
		}
	}
	runbooks, err := filepath.Glob(filepath.Join("..", "..", "docs", "runbooks", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range runbooks {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		texts[filepath.Base(path)] = string(text)
	}
	series := regexp.MustCompile(`\b[a-z_]*:?tanggap_[a-z_]+(:[a-z0-9]+)?`)
	for source, text := range texts {
		for _, name := range series.FindAllString(text, -1) {
			base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum"), "_count")
			if !recorded[name] && !strings.Contains(string(catalogue), "`"+base+"`") {
				t.Errorf("%s names %s, which is no series", source, name)
			}
		}
	}
}
