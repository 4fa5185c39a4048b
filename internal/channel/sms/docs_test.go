package sms

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
	page, err := os.ReadFile("../../../docs/channels/sms.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```yaml\n")
	manifests, _, _ := strings.Cut(rest, "```")
	secret, manifest, found := strings.Cut(manifests, "---\n")
	if !found {
		t.Fatal("the page has no manifest")
	}
	var c v1alpha1.ComplaintChannel
	if err := yaml.UnmarshalStrict([]byte(manifest), &c); err != nil {
		t.Fatal(err)
	}
	var s struct {
		Metadata   struct{ Name string }
		StringData map[string]string
	}
	if err := yaml.Unmarshal([]byte(secret), &s); err != nil {
		t.Fatal(err)
	}
	credentials := map[string]string{}
	for key, value := range s.StringData {
		credentials[s.Metadata.Name+"/"+key] = value
	}
	source, err := open(t, c.Spec.Source.SMS, channeltest.NewClock(monday), credentials)
	if err != nil {
		t.Fatal(err)
	}
	if got := source.(channel.Pusher).UsualDelay(); got != 2*time.Minute {
		t.Errorf("the usual delay is %s", got)
	}
}
