package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
)

// monday is the first working day of the tests, 09:00 in Jakarta.
var monday = time.Date(2026, 11, 2, 2, 0, 0, 0, time.UTC)

func newType(t testing.TB) *Type {
	t.Helper()
	made, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// rig is an endpoint and everything around it.
type rig struct {
	t       testing.TB
	clock   *channeltest.Clock
	ledger  *channeltest.Ledger
	handler http.Handler
}

func newRig(t testing.TB, spec *v1alpha1.WebhookSource, secrets map[string]string) *rig {
	t.Helper()
	r := &rig{t: t, clock: channeltest.NewClock(monday), ledger: &channeltest.Ledger{}}
	source, err := newType(t).Open(channeltest.Settings(v1alpha1.ChannelSource{Type: v1alpha1.SourceWebhook, Webhook: spec}, r.clock, nil, secrets))
	if err != nil {
		t.Fatal(err)
	}
	r.handler = source.(channel.Pusher).Handler(r.ledger)
	return r
}

// post delivers a body with headers in pairs and returns the answer.
func (r *rig) post(body string, header ...string) *httptest.ResponseRecorder {
	r.t.Helper()
	request := httptest.NewRequest(http.MethodPost, "/hooks/112", strings.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Del(header[i])
		if header[i+1] != "" {
			request.Header.Set(header[i], header[i+1])
		}
	}
	answer := httptest.NewRecorder()
	r.handler.ServeHTTP(answer, request)
	return answer
}

// incident is a delivery that openSpec understands.
const incident = `{"id":"112-1","at":"2026-11-02T08:59:00+07:00","text":"Pohon tumbang"}`

// openSpec takes anything from anybody.
func openSpec() *v1alpha1.WebhookSource {
	return &v1alpha1.WebhookSource{
		Verification: v1alpha1.WebhookVerification{Type: v1alpha1.VerificationNone},
		Mapping: v1alpha1.EventMapping{
			CaseID: "item.id",
			Events: []v1alpha1.EventRule{{Kind: "Received", When: "item.?spam != optional.of(true)", At: "item.at", Text: "item.text"}},
		},
	}
}

func load(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// secret is a signing secret of Standard Webhooks.
const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// sign makes the headers of a delivery by Standard Webhooks.
func sign(t testing.TB, secret, id string, at time.Time, body string) []string {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	timestamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "." + body))
	return []string{"webhook-id", id, "webhook-timestamp", timestamp, "webhook-signature", "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))}
}
