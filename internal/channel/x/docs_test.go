package x

import (
	"os"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
)

func TestTheManifestInTheDocumentationOpens(t *testing.T) {
	page, err := os.ReadFile("../../../docs/channels/x.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```yaml\n")
	manifests, _, _ := strings.Cut(rest, "```")
	secret, manifest, found := strings.Cut(manifests, "---\n")
	if !found {
		t.Fatal("the page has no manifest")
	}
	var keys struct {
		Metadata   struct{ Name string }
		StringData map[string]string
	}
	if err := yaml.Unmarshal([]byte(secret), &keys); err != nil {
		t.Fatal(err)
	}
	credentials := map[string]string{}
	for key, value := range keys.StringData {
		credentials[keys.Metadata.Name+"/"+key] = value
	}
	var c v1alpha1.ComplaintChannel
	if err := yaml.UnmarshalStrict([]byte(manifest), &c); err != nil {
		t.Fatal(err)
	}
	source, err := Type{}.Open(channeltest.Settings(c.Spec.Source, channeltest.NewClock(time.Now()), nil, credentials))
	if err != nil {
		t.Fatal(err)
	}
	if got := source.(channel.Poller).Interval(); got != 2*time.Minute {
		t.Errorf("interval %s", got)
	}
}
