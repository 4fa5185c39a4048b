package open311

import (
	"os"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
)

func TestTheManifestInTheDocumentationOpens(t *testing.T) {
	page, err := os.ReadFile("../../../docs/channels/open311.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```yaml\n")
	manifests, _, _ := strings.Cut(rest, "```")
	_, manifest, found := strings.Cut(manifests, "---\n")
	if !found {
		t.Fatal("the page has no manifest")
	}
	var c v1alpha1.ComplaintChannel
	if err := yaml.UnmarshalStrict([]byte(manifest), &c); err != nil {
		t.Fatal(err)
	}
	var asked []v1alpha1.SecretKeyReference
	source, err := Type{}.Open(channel.Settings{
		Spec: c.Spec.Source,
		Credential: func(ref v1alpha1.SecretKeyReference) ([]byte, error) {
			asked = append(asked, ref)
			return []byte("x"), nil
		},
		Now: time.Now, After: time.After,
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := source.(channel.Poller).Interval(); got != time.Minute || len(asked) != 1 || asked[0].Key != "api-key" {
		t.Errorf("interval %s, asked for %v", got, asked)
	}
}
