// Package api_test applies manifests to a real kube-apiserver and checks what a person is told: every
// rule of the custom resources by a manifest that breaks it, and every manifest that we ship or show.
package api_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"github.com/tanggap/tanggap/test/controlplane"
)

var server dynamic.Interface

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	plane, err := controlplane.Start(context.Background(), controlplane.Options{
		CRDDirs: []string{filepath.Join("..", "..", "config", "crd", "bases")},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = plane.Stop() }()
	if server, err = dynamic.NewForConfig(plane.Config()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// resources are those that the tests know, by API version and kind.
func resources() map[string]schema.GroupVersionResource {
	own := schema.GroupVersion{Group: "tanggap.dev", Version: "v1alpha1"}
	return map[string]schema.GroupVersionResource{
		"tanggap.dev/v1alpha1 ComplaintChannel":  own.WithResource("complaintchannels"),
		"tanggap.dev/v1alpha1 ResponseSLA":       own.WithResource("responseslas"),
		"tanggap.dev/v1alpha1 WorkCalendar":      own.WithResource("workcalendars"),
		"tanggap.dev/v1alpha1 ComplaintTaxonomy": own.WithResource("complainttaxonomies"),
		"tanggap.dev/v1alpha1 ComplaintLedger":   own.WithResource("complaintledgers"),
		// Those of Kubernetes that we ship or show beside our own.
		"v1 Namespace":                 {Version: "v1", Resource: "namespaces"},
		"v1 PersistentVolumeClaim":     {Version: "v1", Resource: "persistentvolumeclaims"},
		"v1 Secret":                    {Version: "v1", Resource: "secrets"},
		"batch/v1 Job":                 {Group: "batch", Version: "v1", Resource: "jobs"},
		"networking.k8s.io/v1 Ingress": {Group: "networking.k8s.io", Version: "v1", Resource: "ingresses"},
	}
}

func resourceFor(object *unstructured.Unstructured) dynamic.ResourceInterface {
	resource := server.Resource(resources()[object.GetAPIVersion()+" "+object.GetKind()])
	if object.GetKind() == "Namespace" {
		return resource
	}
	return resource.Namespace("default")
}

// dryRun sends the object as `kubectl create --dry-run=server --validate=strict` does.
func dryRun(ctx context.Context, object *unstructured.Unstructured) error {
	_, err := resourceFor(object).Create(ctx, object, metav1.CreateOptions{
		DryRun:          []string{metav1.DryRunAll},
		FieldValidation: metav1.FieldValidationStrict,
	})
	return err
}

func decode(t *testing.T, manifest string) *unstructured.Unstructured {
	t.Helper()
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(manifest), &object.Object); err != nil {
		t.Fatalf("decoding the manifest: %v", err)
	}
	return object
}

// patched is a good manifest with a JSON merge patch (RFC 7386), written as YAML, applied to it.
func patched(t *testing.T, manifest, patch string) *unstructured.Unstructured {
	t.Helper()
	if patch == "" {
		return decode(t, manifest)
	}
	document, err := yaml.YAMLToJSON([]byte(manifest))
	if err != nil {
		t.Fatalf("reading the manifest: %v", err)
	}
	merge, err := yaml.YAMLToJSON([]byte(patch))
	if err != nil {
		t.Fatalf("reading the patch: %v", err)
	}
	result, err := jsonpatch.MergePatch(document, merge)
	if err != nil {
		t.Fatalf("patching: %v", err)
	}
	object := &unstructured.Unstructured{}
	if err := json.Unmarshal(result, &object.Object); err != nil {
		t.Fatalf("decoding the patched manifest: %v", err)
	}
	return object
}

func TestBadManifestsAreRefusedWithASentence(t *testing.T) {
	for name, tc := range badManifests() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := dryRun(t.Context(), patched(t, tc.manifest, tc.patch))
			if err == nil {
				t.Fatal("the manifest was accepted")
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("message:\n  %v\ndoes not contain:\n  %s", err, tc.want)
			}
		})
	}
}

func TestGoodManifestsAreAccepted(t *testing.T) {
	for name, tc := range goodManifests() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := dryRun(t.Context(), patched(t, tc.manifest, tc.patch)); err != nil {
				t.Error(err)
			}
		})
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// yamlBlocks are the contents of the ```yaml blocks of a Markdown text.
func yamlBlocks(text string) []string {
	var blocks []string
	for {
		_, rest, found := strings.Cut(text, "```yaml\n")
		if !found {
			return blocks
		}
		block, after, _ := strings.Cut(rest, "```")
		blocks, text = append(blocks, block), after
	}
}

func TestWhatMayNotChangeDoesNot(t *testing.T) {
	base := ledger + "spec: {storage: {type: embedded, embedded: {size: 1Gi, storageClassName: fast}}}"
	for name, tc := range map[string]badManifest{
		"the kind of a ledger's storage, where none was given": {
			manifest: ledger,
			patch:    `spec: {storage: {type: postgres, postgres: {urlSecretRef: {name: db, key: url}}}}`,
			want:     "export it and import it into a new one",
		},
		"the size of a ledger's volume, where none was given": {
			manifest: ledger,
			patch:    `spec: {storage: {type: embedded, embedded: {size: 20Gi}}}`,
			want:     "resize the PersistentVolumeClaim",
		},
		"the size of a ledger's volume to the default": {
			patch: `spec: {storage: {embedded: {size: null}}}`,
			want:  "resize the PersistentVolumeClaim",
		},
		"the storage class of a ledger's volume, where none was given": {
			manifest: ledger + "spec: {storage: {type: embedded, embedded: {size: 1Gi}}}",
			patch:    `spec: {storage: {embedded: {storageClassName: fast}}}`,
			want:     "cannot be changed on a ledger that exists",
		},
		"the size of a ledger's volume": {
			patch: `spec: {storage: {embedded: {size: 2Gi}}}`,
			want:  "resize the PersistentVolumeClaim",
		},
		"the kind of a ledger's storage": {
			patch: `spec: {storage: {type: postgres, embedded: null, postgres: {urlSecretRef: {name: db, key: url}}}}`,
			want:  "export it and import it into a new one",
		},
		"the storage class of a ledger's volume": {
			patch: `spec: {storage: {embedded: {storageClassName: slow}}}`,
			want:  "cannot be changed on a ledger that exists",
		},
	} {
		t.Run(name, func(t *testing.T) {
			object := decode(t, cmp.Or(tc.manifest, base))
			object.SetName("")
			object.SetGenerateName("ledger-")
			client := resourceFor(object)
			created, err := client.Create(t.Context(), object, metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			patch, err := yaml.YAMLToJSON([]byte(tc.patch))
			if err != nil {
				t.Fatal(err)
			}
			_, err = client.Patch(t.Context(), created.GetName(), "application/merge-patch+json", patch, metav1.PatchOptions{})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want a message with %q", err, tc.want)
			}
		})
	}
}

func TestDefaultsAreFilledIn(t *testing.T) {
	object := decode(t, channel)
	created, err := resourceFor(object).Create(t.Context(), object, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]any{
		"spec.official":                              true,
		"spec.ledgerRef.name":                        "ledger",
		"spec.source.rest.method":                    "GET",
		"spec.source.rest.polling.interval":          "1m",
		"spec.source.rest.polling.overlap":           "10m",
		"spec.source.rest.polling.lookback":          "720h",
		"spec.source.rest.polling.timeout":           "30s",
		"spec.source.rest.polling.requestsPerMinute": int64(60),
		"spec.source.rest.polling.maxPages":          int64(1000),
	} {
		got, _, err := unstructured.NestedFieldNoCopy(created.Object, strings.Split(path, ".")...)
		if err != nil || got != want {
			t.Errorf("%s = %v (%v), want %v", path, got, err, want)
		}
	}
}
