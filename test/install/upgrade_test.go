package install

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// overlay writes the overlay that docs/upgrade.md shows, and returns its folder.
func overlay(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/upgrade.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```yaml\n")
	block, _, found := strings.Cut(rest, "```")
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	base, err := filepath.Rel(folder, filepath.Join(here, "..", "..", "config", "default"))
	if err != nil || !found || !strings.Contains(block, "[../default]") {
		t.Fatalf("the page shows no overlay of config/default: %v\n%s", err, block)
	}
	block = strings.Replace(block, "../default", base, 1)
	if err := os.WriteFile(filepath.Join(folder, "kustomization.yaml"), []byte(block), 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}

// TestUpgradeRollBackAndUninstall does with kubectl what docs/upgrade.md says.
func TestUpgradeRollBackAndUninstall(t *testing.T) {
	plane := install(t)
	images := func() string {
		return kubectl(t, plane, "-n", namespace, "get", "deployment", "tanggap-operator",
			"-o", "jsonpath={.spec.template.spec.containers[0].image} {.spec.template.spec.containers[0].env[0].value}")
	}
	shipped := images()
	kubectl(t, plane, "apply", "--server-side", "-k", overlay(t))
	if got, want := images(), "registry.example.org/tanggap:v0.2.0 registry.example.org/tanggap:v0.2.0"; got != want {
		t.Errorf("after the upgrade the operator runs, and is told to run, %s, want %s", got, want)
	}
	for _, part := range []string{"manager", "rbac"} {
		kubectl(t, plane, "apply", "--server-side", "-k", "../../config/"+part)
	}
	if got := images(); got != shipped {
		t.Errorf("after it was rolled back the operator runs, and is told to run, %s, want %s", got, shipped)
	}

	kubectl(t, plane, "apply", "--server-side", "-k", "../../config/samples/depok-postgres")
	kubectl(t, plane, "delete", "tanggap", "--all", "--all-namespaces")
	if left := kubectl(t, plane, "get", "complaintchannels,complaintledgers", "--all-namespaces", "--ignore-not-found", "-o", "name"); left != "" {
		t.Errorf("there is still\n%s", left)
	}
	// Nobody ends namespaces here, which there is no controller for.
	kubectl(t, plane, "delete", "-k", "../../config/default", "--wait=false")
	deadline := time.After(time.Minute)
	for {
		left := kubectl(t, plane, "get", "customresourcedefinitions,clusterroles,clusterrolebindings", "-o", "name")
		if !strings.Contains(left, "tanggap") {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("there is still\n%s", left)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
