// Package golden compares what a test made with the file that it made before and a person has read.
package golden

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the golden files anew")

// YAML compares objects, each a document of its own, with testdata/<name>.yaml.
func YAML(t *testing.T, name string, objects ...any) {
	t.Helper()
	var content []byte
	for i, object := range objects {
		document, err := yaml.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			content = append(content, "---\n"...)
		}
		content = append(content, document...)
	}
	Text(t, name+".yaml", content)
}

// Lines compares values, each as JSON on a line of its own, with testdata/<name>.golden.ndjson.
func Lines[T any](t *testing.T, name string, values []T) {
	t.Helper()
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	encoder.SetEscapeHTML(false) // a person reads them
	for _, value := range values {
		if err := encoder.Encode(value); err != nil {
			t.Fatal(err)
		}
	}
	Text(t, name+".golden.ndjson", lines.Bytes())
}

// Text compares content with testdata/<name>.
func Text(t *testing.T, name string, content []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; make it with go test -update", err)
	}
	if diff := cmp.Diff(string(want), string(content)); diff != "" {
		t.Errorf("%s (- as read by a person, + as made now; go test -update accepts it):\n%s", path, diff)
	}
}

// Read is testdata/<name>, for a test that begins with it.
func Read(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatalf("%v; make it with go test -update", err)
	}
	return content
}
