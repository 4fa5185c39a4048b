package dashboards

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

var root = filepath.Join("..", "..")

func load(t *testing.T) []Dashboard {
	t.Helper()
	all, err := Load(root)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// units are Grafana's names of those that the dashboards use.
var units = []string{"short", "s", "percentunit", "none", "eps"}

func TestDashboardsAreWellFormed(t *testing.T) {
	uids := map[string]bool{}
	for _, d := range load(t) {
		if uids[d.UID] || len(d.UID) > 40 || d.Title == "" || d.SchemaVersion < 36 {
			t.Errorf("%s: uid %q, schema version %d", d.Title, d.UID, d.SchemaVersion)
		}
		uids[d.UID] = true
		ids := map[int]bool{}
		for _, p := range d.Panels {
			if ids[p.ID] || p.Title == "" {
				t.Errorf("%s: panel %d %q", d.Title, p.ID, p.Title)
			}
			ids[p.ID] = true
			if p.Type != "row" {
				checkPanel(t, d.Title+": "+p.Title, p)
			}
		}
	}
}

func checkPanel(t *testing.T, name string, p Panel) {
	t.Helper()
	if p.Datasource == nil || p.Datasource.UID != "${datasource}" {
		t.Errorf("%s is bound to the data source %v", name, p.Datasource)
	}
	if len(p.Targets) == 0 {
		t.Errorf("%s asks nothing", name)
	}
	refs := map[string]bool{}
	for _, target := range p.Targets {
		if target.Expr == "" || refs[target.RefID] || target.Instant == target.Range || target.Datasource == nil {
			t.Errorf("%s: query %q", name, target.RefID)
		}
		refs[target.RefID] = true
		if strings.Contains(target.Expr, "vector(") {
			t.Errorf("%s shows a number where nothing is known: %s", name, target.Expr)
		}
	}
	shown := []string{p.FieldConfig.Defaults.Unit}
	for _, override := range p.FieldConfig.Overrides {
		for _, property := range override.Properties {
			if unit, ok := property.Value.(string); ok && property.ID == "unit" {
				shown = append(shown, unit)
			}
		}
	}
	for _, unit := range shown {
		if unit == "" && (p.Type == "table" || p.Type == "heatmap") {
			continue // each column, or the axis, has its own
		}
		if !slices.Contains(units, unit) {
			t.Errorf("%s has the unit %q", name, unit)
		}
	}
	if limits := p.FieldConfig.Defaults.Thresholds; limits != nil {
		for i, step := range limits.Steps {
			if (step.Value == nil) != (i == 0) || i > 1 && *limits.Steps[i-1].Value >= *step.Value {
				t.Errorf("%s: the thresholds are not in order", name)
			}
		}
	}
}

func TestPanelsDoNotOverlapAndFitTheGrid(t *testing.T) {
	for _, d := range load(t) {
		taken := map[[2]int]string{}
		for _, p := range d.Panels {
			g := p.GridPos
			if g.W < 1 || g.H < 1 || g.X < 0 || g.X+g.W > 24 {
				t.Errorf("%s: %s is at %+v", d.Title, p.Title, g)
			}
			for x := g.X; x < g.X+g.W; x++ {
				for y := g.Y; y < g.Y+g.H; y++ {
					if other := taken[[2]int{x, y}]; other != "" {
						t.Fatalf("%s: %s lies over %s", d.Title, p.Title, other)
					}
					taken[[2]int{x, y}] = p.Title
				}
			}
		}
	}
}

func TestVariablesAreDefinedAndUsed(t *testing.T) {
	variable := regexp.MustCompile(`\$\{?([a-z]+)`)
	for _, d := range load(t) {
		defined, used := map[string]bool{}, map[string]bool{"datasource": true}
		for _, v := range d.Templating.List {
			defined[v.Name] = true
		}
		for _, p := range d.Panels {
			for _, target := range p.Targets {
				for _, found := range variable.FindAllStringSubmatch(target.Expr, -1) {
					used[found[1]] = true
					if !defined[found[1]] {
						t.Errorf("%s: %s uses $%s, which is not defined", d.Title, p.Title, found[1])
					}
				}
			}
		}
		for name := range defined {
			if !used[name] {
				t.Errorf("%s: nothing depends on the choice of %s", d.Title, name)
			}
		}
		for _, want := range []string{"datasource", "namespace", "channel"} {
			if !defined[want] {
				t.Errorf("%s has no choice of %s", d.Title, want)
			}
		}
	}
}

// TestQueriesParse has promtool parse every query, as the expression of a rule.
func TestQueriesParse(t *testing.T) {
	type rule struct {
		Record string `json:"record"`
		Expr   string `json:"expr"`
	}
	var rules []rule
	for _, d := range load(t) {
		for _, p := range d.Panels {
			for _, target := range p.Targets {
				rules = append(rules, rule{"query:" + target.RefID, target.Query("10m")})
			}
		}
	}
	text, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "queries", "rules": rules}}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "queries.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if output, err := exec.CommandContext(t.Context(), "promtool", "check", "rules", "--lint=none", path).CombinedOutput(); err != nil {
		t.Errorf("promtool: %v: %s", err, output)
	}
}

// TestQueriesNameSeriesThatExist holds each series to the catalogue's table and the shipped rules.
func TestQueriesNameSeriesThatExist(t *testing.T) {
	catalogue, err := os.ReadFile(filepath.Join(root, "docs", "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	rules, err := os.ReadFile(filepath.Join(root, "config", "prometheus", "rules.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	series := regexp.MustCompile(`\b[a-z_]*:?tanggap_[a-z_]+(:[a-z0-9]+)?`)
	check := func(where, expr string) {
		for _, name := range series.FindAllString(expr, -1) {
			base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum"), "_count")
			if !strings.Contains(string(catalogue), "`"+base+"`") && !strings.Contains(string(rules), "record: "+name+"\n") {
				t.Errorf("%s names %s, which is no series", where, name)
			}
		}
	}
	for _, d := range load(t) {
		for _, v := range d.Templating.List {
			check(d.Title+": "+v.Name, v.Definition)
		}
		for _, p := range d.Panels {
			for _, target := range p.Targets {
				check(d.Title+": "+p.Title, target.Expr)
			}
		}
	}
}

// TestAlertsLeadToDashboards holds the links from the alerts to the dashboards and their variables.
func TestAlertsLeadToDashboards(t *testing.T) {
	rules, err := os.ReadFile(filepath.Join(root, "config", "prometheus", "rules.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	variables := map[string][]string{}
	for _, d := range load(t) {
		for _, v := range d.Templating.List {
			variables[d.UID] = append(variables[d.UID], v.Name)
		}
	}
	links := regexp.MustCompile(`dashboard_url: '/d/([a-z-]+)([^']*)'`).FindAllStringSubmatch(string(rules), -1)
	if alerts := strings.Count(string(rules), "- alert: "); len(links) != alerts {
		t.Errorf("%d alerts, and %d links to dashboards", alerts, len(links))
	}
	for _, link := range links {
		if variables[link[1]] == nil {
			t.Errorf("there is no dashboard %s", link[1])
		}
		for _, v := range regexp.MustCompile(`var-([a-z]+)=\{\{ \$labels\.([a-z]+) \}\}`).FindAllStringSubmatch(link[2], -1) {
			if !slices.Contains(variables[link[1]], v[1]) || v[1] != v[2] {
				t.Errorf("%s: the dashboard has no variable %s", link[0], v[1])
			}
		}
	}
}
