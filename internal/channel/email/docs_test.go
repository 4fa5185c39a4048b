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
	spec, credentials := channeltest.Manifest(t, "email.md")
	clock := channeltest.NewClock(monday)
	source, err := Type{}.Open(channeltest.Settings(spec, clock, nil, credentials))
	if err != nil {
		t.Fatal(err)
	}
	if got := source.(channel.Poller).Interval(); got != time.Minute {
		t.Errorf("interval %s", got)
	}

	// The login of Microsoft 365 is a part of a manifest.
	page, err := os.ReadFile("../../../docs/channels/email.md")
	if err != nil {
		t.Fatal(err)
	}
	_, fragment, _ := strings.Cut(string(page), "```yaml\n   auth:")
	fragment, _, _ = strings.Cut(fragment, "```")
	var part struct{ Auth v1alpha1.EmailAuth }
	if err := yaml.UnmarshalStrict([]byte("   auth:"+fragment), &part); err != nil {
		t.Fatal(err)
	}
	spec.Email.Auth = part.Auth
	credentials["mail/client-id"], credentials["mail/client-secret"] = "c", "s"
	if _, err := (Type{}).Open(channeltest.Settings(spec, clock, nil, credentials)); err != nil {
		t.Error(err)
	}
}
