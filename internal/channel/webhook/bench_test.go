package webhook

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/tanggap/tanggap/api/v1alpha1"
)

// BenchmarkDelivery is a signed delivery with the documented mapping, without network and ledger: what
// the worker itself costs.
func BenchmarkDelivery(b *testing.B) {
	raw, err := os.ReadFile("../../../docs/channels/webhook.md")
	if err != nil {
		b.Fatal(err)
	}
	_, manifest, _ := strings.Cut(string(raw), "\n---\n")
	manifest, rest, _ := strings.Cut(manifest, "```")
	_, body, _ := strings.Cut(rest, "```json\n")
	body, _, _ = strings.Cut(body, "```")
	var c v1alpha1.ComplaintChannel
	if err := yaml.UnmarshalStrict([]byte(manifest), &c); err != nil {
		b.Fatal(err)
	}
	perSecond := int32(100_000)
	c.Spec.Source.Webhook.RequestsPerSecond = &perSecond
	r := newRig(b, c.Spec.Source.Webhook, map[string]string{"call-centre/signing-secret": secret})
	header := sign(b, secret, "msg_1", monday, body)
	b.ReportAllocs()
	for b.Loop() {
		request := httptest.NewRequest(http.MethodPost, "/hooks/call-centre", strings.NewReader(body))
		request.Header.Set("Content-Type", "application/json")
		for i := 0; i < len(header); i += 2 {
			request.Header.Set(header[i], header[i+1])
		}
		answer := httptest.NewRecorder()
		r.handler.ServeHTTP(answer, request)
		if answer.Code != http.StatusNoContent {
			if answer.Code != http.StatusTooManyRequests {
				b.Fatalf("got %d %s", answer.Code, answer.Body)
			}
			r.clock.Advance(time.Second) // the clock stands still, so the limit is reached
		}
	}
}
