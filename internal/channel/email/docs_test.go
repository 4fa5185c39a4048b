package email

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
	page, err := os.ReadFile("../../../docs/channels/email.md")
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
	clock := channeltest.NewClock(monday)
	credentials := map[string]string{"mail/username": "aduan@depok.example", "mail/password": "x", "mail/client-id": "c", "mail/client-secret": "s"}
	source, err := Type{}.Open(channeltest.Settings(c.Spec.Source, clock, nil, credentials))
	if err != nil {
		t.Fatal(err)
	}
	if got := source.(channel.Poller).Interval(); got != time.Minute {
		t.Errorf("interval %s", got)
	}

	// The login of Microsoft 365 is a part of a manifest.
	_, fragment, _ := strings.Cut(string(page), "```yaml\n   auth:")
	fragment, _, _ = strings.Cut(fragment, "```")
	var part struct{ Auth v1alpha1.EmailAuth }
	if err := yaml.UnmarshalStrict([]byte("   auth:"+fragment), &part); err != nil {
		t.Fatal(err)
	}
	c.Spec.Source.Email.Auth = part.Auth
	if _, err := (Type{}).Open(channeltest.Settings(c.Spec.Source, clock, nil, credentials)); err != nil {
		t.Error(err)
	}
}
