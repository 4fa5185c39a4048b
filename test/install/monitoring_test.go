package install

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// TestMonitoringIsMadeByComponents builds an overlay as the documentation shows it.
func TestMonitoringIsMadeByComponents(t *testing.T) {
	kubectl := filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl")
	output, err := exec.CommandContext(t.Context(), kubectl, "kustomize", filepath.Join("testdata", "monitored")).Output()
	if err != nil {
		t.Fatalf("building the overlay: %v", err)
	}
	found := map[string]*unstructured.Unstructured{}
	for document := range strings.SplitSeq(string(output), "\n---\n") {
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(document), &object.Object); err != nil {
			t.Fatal(err)
		}
		found[object.GetKind()+"/"+object.GetName()] = object
	}
	for _, name := range []string{"ServiceMonitor/tanggap-operator", "PrometheusRule/tanggap"} {
		if found[name] == nil || found[name].GetLabels()["release"] != "kube-prometheus-stack" {
			t.Errorf("%s is %v, without the label that Prometheus selects by", name, found[name])
		}
	}
	secret := found["Secret/alertmanager-tanggap"]
	if secret == nil {
		t.Fatal("there is no Secret with Alertmanager's configuration")
	}
	if value, _, err := unstructured.NestedString(secret.Object, "data", "alertmanager.yaml"); err != nil || value == "" {
		t.Errorf("Alertmanager's configuration is missing: %v", err)
	}
	dashboards := found["ConfigMap/tanggap-dashboards"]
	if dashboards == nil || dashboards.GetLabels()["grafana_dashboard"] != "1" {
		t.Fatalf("the dashboards are %v, without the label of Grafana's sidecar", dashboards)
	}
	files, _, err := unstructured.NestedStringMap(dashboards.Object, "data")
	if err != nil {
		t.Fatal(err)
	}
	shipped, err := filepath.Glob("../../config/grafana/dashboards/*.json")
	if err != nil || len(shipped) != len(files) {
		t.Errorf("%d dashboards are shipped and %d installed: %v", len(shipped), len(files), err)
	}
}
