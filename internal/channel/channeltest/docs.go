package channeltest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/tanggap/tanggap/api/v1alpha1"
)

// Manifest reads the first manifest of a page of docs/channels: the source of its channel, and the credentials that
// its Secret holds, by "name/key".
func Manifest(t *testing.T, page string) (source v1alpha1.ChannelSource, credentials map[string]string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "channels", page))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```yaml\n")
	manifests, _, _ := strings.Cut(rest, "```")
	first, second, found := strings.Cut(manifests, "---\n")
	if !found {
		t.Fatalf("%s has no Secret and channel", page)
	}
	var secret struct {
		Metadata   struct{ Name string }
		StringData map[string]string
	}
	if err := yaml.Unmarshal([]byte(first), &secret); err != nil {
		t.Fatal(err)
	}
	credentials = map[string]string{}
	for key, value := range secret.StringData {
		credentials[secret.Metadata.Name+"/"+key] = value
	}
	var c v1alpha1.ComplaintChannel
	if err := yaml.UnmarshalStrict([]byte(second), &c); err != nil {
		t.Fatal(err)
	}
	return c.Spec.Source, credentials
}
