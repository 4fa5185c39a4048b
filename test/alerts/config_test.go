package alerts

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"sigs.k8s.io/yaml"
)

// root is the folder of the repository.
var root = filepath.Join("..", "..")

type ruleFile struct {
	Groups []struct {
		Name     string `json:"name"`
		Interval string `json:"interval,omitempty"`
		Rules    []rule `json:"rules"`
	} `json:"groups"`
}

type rule struct {
	Record      string            `json:"record,omitempty"`
	Alert       string            `json:"alert,omitempty"`
	Expr        string            `json:"expr"`
	For         string            `json:"for,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// scaledMinutes is what fifteen minutes become.
var scaledMinutes = regexp.MustCompile(`\b150\b`)

func readRules(t *testing.T) ruleFile {
	t.Helper()
	var rules ruleFile
	readYAML(t, filepath.Join("config", "prometheus", "rules.yaml"), &rules)
	return rules
}

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// scaledRules are the shipped rules at the pace of the test.
func scaledRules(t *testing.T) ruleFile {
	t.Helper()
	rules := readRules(t)
	for g := range rules.Groups {
		rules.Groups[g].Interval = scaleText(rules.Groups[g].Interval)
		for r := range rules.Groups[g].Rules {
			rule := &rules.Groups[g].Rules[r]
			rule.Expr = ScaleExpression(rule.Expr)
			rule.For = scaleText(rule.For)
		}
	}
	return rules
}

// prometheusConfig is the shipped configuration with what a cluster would provide replaced: the token and
// the list of Pods, which come from files (Debian's Prometheus has no service discovery of Kubernetes).
func prometheusConfig(t *testing.T, alertmanager, token, pods string) map[string]any {
	t.Helper()
	var config map[string]any
	readYAML(t, filepath.Join("config", "prometheus", "prometheus.yaml"), &config)
	config["global"] = map[string]any{"scrape_interval": "1s", "evaluation_interval": "1s"}
	job := member[[]any](t, config, "scrape_configs")[0].(map[string]any) //nolint:forcetypeassert // a test may end so
	if job["kubernetes_sd_configs"] == nil || job["authorization"] == nil {
		t.Fatal("the shipped configuration finds no Pods, or shows no token")
	}
	delete(job, "kubernetes_sd_configs")
	job["file_sd_configs"] = []any{map[string]any{"files": []any{pods}, "refresh_interval": "1s"}}
	job["authorization"] = map[string]any{"credentials_file": token}
	alerting := member[map[string]any](t, config, "alerting")
	alerting["alertmanagers"] = []any{map[string]any{"static_configs": []any{map[string]any{"targets": []any{alertmanager}}}}}
	return config
}

// alertmanagerConfig is the shipped example at the pace of the test, with the receivers' addresses replaced.
func alertmanagerConfig(t *testing.T, receiver string) map[string]any {
	t.Helper()
	var config map[string]any
	readYAML(t, filepath.Join("config", "prometheus", "alertmanager", "alertmanager.yaml"), &config)
	route := member[map[string]any](t, config, "route")
	hasten(t, route)
	for _, child := range member[[]any](t, route, "routes") {
		hasten(t, child.(map[string]any)) //nolint:forcetypeassert // a test may end so
	}
	for _, entry := range member[[]any](t, config, "receivers") {
		r := entry.(map[string]any) //nolint:forcetypeassert // a test may end so
		r["webhook_configs"] = []any{map[string]any{"url": receiver + "/" + fmt.Sprint(r["name"])}}
	}
	return config
}

// hasten brings the times of a route to the pace of the test. They may be short: they only gather alerts.
func hasten(t *testing.T, route map[string]any) {
	t.Helper()
	for _, name := range []string{"group_wait", "group_interval", "repeat_interval"} {
		text, ok := route[name].(string)
		if !ok {
			continue
		}
		d, err := model.ParseDuration(text)
		if err != nil {
			t.Fatal(err)
		}
		route[name] = model.Duration(max(time.Second, time.Duration(d)/pace)).String()
	}
}

func member[T any](t *testing.T, of map[string]any, name string) T {
	t.Helper()
	value, ok := of[name].(T)
	if !ok {
		t.Fatalf("%s is %T", name, of[name])
	}
	return value
}

// writeYAML writes a file that the programs read.
func writeYAML(t *testing.T, path string, value any) {
	t.Helper()
	text, err := yaml.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
