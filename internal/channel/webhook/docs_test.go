package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/test/cases"
)

// TestTheManifestInTheDocumentationTakesItsSample: what the page shows works as it stands there.
func TestTheManifestInTheDocumentationTakesItsSample(t *testing.T) {
	raw, err := os.ReadFile("../../../docs/channels/webhook.md")
	if err != nil {
		t.Fatal(err)
	}
	block := func(language string) string {
		_, rest, found := strings.Cut(string(raw), "```"+language+"\n")
		text, _, closed := strings.Cut(rest, "```")
		if !found || !closed {
			t.Fatalf("the page has no %q", language)
		}
		return text
	}
	secretText, manifest, _ := strings.Cut(block("yaml"), "---\n")
	var c v1alpha1.ComplaintChannel
	var s struct {
		Metadata   struct{ Name string }
		StringData map[string]string
	}
	if err := yaml.UnmarshalStrict([]byte(manifest), &c); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal([]byte(secretText), &s); err != nil {
		t.Fatal(err)
	}
	signing := s.StringData["signing-secret"]
	r := newRig(t, c.Spec.Source.Webhook, map[string]string{s.Metadata.Name + "/signing-secret": signing})
	body := block("json")
	if answer := r.post(body, sign(t, signing, "msg_1", monday, body)...); answer.Code != http.StatusNoContent {
		t.Fatalf("got %d %s", answer.Code, answer.Body)
	}
	const c1 = "112-2026-000045/"
	want := []string{c1 + "Acknowledged/2026-11-02T03:00:20Z", c1 + "Answered/2026-11-02T03:02:00Z", c1 + "Received/2026-11-02T03:00:00Z"}
	if diff := cmp.Diff(want, r.ledger.IDs()); diff != "" {
		t.Error(diff)
	}

	// The mapping of CloudEvents is a part of a manifest.
	spec := eventSpec()
	var part struct{ Mapping v1alpha1.EventMapping }
	_, fragment, _ := strings.Cut(string(raw), "```\nmapping:\n")
	fragment, _, _ = strings.Cut(fragment, "```")
	if err := yaml.UnmarshalStrict([]byte("mapping:\n"+fragment), &part); err != nil {
		t.Fatal(err)
	}
	spec.Mapping = part.Mapping
	if err := newType(t).Validate(spec); err != nil {
		t.Error(err)
	}
}

// TestTheManifestOfAnotherGatewayOfTextMessagesTakesItsSample makes a case of a message and its answer.
func TestTheManifestOfAnotherGatewayOfTextMessagesTakesItsSample(t *testing.T) {
	raw, err := os.ReadFile("../../../docs/channels/sms.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(raw), "## Other gateways")
	_, rest, _ := strings.Cut(section, "```yaml\n")
	manifests, rest, _ := strings.Cut(rest, "```")
	_, rest, _ = strings.Cut(rest, "```json\n")
	body, _, found := strings.Cut(rest, "```")
	_, manifest, _ := strings.Cut(manifests, "---\n")
	var c v1alpha1.ComplaintChannel
	if err := yaml.UnmarshalStrict([]byte(manifest), &c); err != nil || !found {
		t.Fatal(err)
	}
	r := newRig(t, c.Spec.Source.Webhook, map[string]string{"sms-gateway/key": "change-me"})
	mac := hmac.New(sha256.New, []byte("change-me"))
	mac.Write([]byte(body))
	if answer := r.post(body, "X-Signature", hex.EncodeToString(mac.Sum(nil))); answer.Code != http.StatusNoContent {
		t.Fatalf("got %d %s", answer.Code, answer.Body)
	}
	if problems := r.ledger.Messages(); len(problems) > 0 {
		t.Errorf("problems: %v", problems)
	}
	made := cases.Of(t, monday.Add(24*time.Hour), r.ledger.Events())
	if len(made) != 1 || made[0].AnsweredAt == nil || !made[0].AnsweredAt.Equal(time.Date(2026, 11, 2, 3, 0, 0, 0, time.UTC)) {
		t.Errorf("got %+v", made)
	}
}
