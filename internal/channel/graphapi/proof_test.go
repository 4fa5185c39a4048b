package graphapi

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
	"github.com/tanggap/tanggap/internal/simulator/whatsapp"
)

// printf EAAB-access | openssl dgst -sha256 -hmac app-secret
const proven = "f7fad0e9968c3e2f3239aa2783905c4f870fc7cc793a7302fdde723b59ecc510"

func TestProof(t *testing.T) {
	if got := proof("EAAB-access", "app-secret"); got != proven {
		t.Errorf("got %s", got)
	}
}

func request(t *testing.T, token string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://graph.facebook.com/v26.0/me/messages?fields=id", strings.NewReader("banjir"))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r
}

func newProver(t *testing.T, handler http.Handler, secrets ...string) http.RoundTripper {
	t.Helper()
	var refs []v1alpha1.SecretKeyReference
	for _, s := range secrets {
		refs = append(refs, v1alpha1.SecretKeyReference{Name: "meta", Key: s})
	}
	p, err := Prove(channeltest.Direct{Handler: handler}, refs, func(ref v1alpha1.SecretKeyReference) ([]byte, error) { return []byte(ref.Key), nil })
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestTheSecretThatFitsIsFoundOnceAndKept has an app whose secret was changed to the last of three.
func TestTheSecretThatFitsIsFoundOnceAndKept(t *testing.T) {
	asked, taken := 0, 0
	server := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		body, err := io.ReadAll(r.Body)
		if err != nil || string(body) != "banjir" || r.URL.Query().Get("fields") != "id" {
			t.Errorf("got %q for %s: %v", body, r.URL.RawQuery, err)
		}
		if !whatsapp.Proven(r, "EAAB-access", "third") {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"error":{"message":"Invalid appsecret_proof provided in the API argument","type":"GraphMethodException","code":100}}`)
			return
		}
		taken++
	})
	p := newProver(t, server, "first", "second", "third")
	for range 2 {
		r := request(t, "EAAB-access")
		response, err := p.RoundTrip(r)
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatal(response, err)
		}
		if strings.Contains(r.URL.RawQuery, parameter) {
			t.Error("the caller's request was changed")
		}
	}
	if asked != 4 || taken != 2 {
		t.Errorf("asked %d times for %d answers", asked, taken)
	}
}

func TestWhatIsRefusedForAnotherReasonIsNotTriedAgain(t *testing.T) {
	asked := 0
	p := newProver(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":{"message":"Unsupported get request","code":100}}`)
	}), "first", "second")
	response, err := p.RoundTrip(request(t, "EAAB-access"))
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(response.Body); err != nil || asked != 1 || !strings.Contains(string(body), "Unsupported") {
		t.Errorf("asked %d times, got %q, %v", asked, body, err)
	}
}

func TestNothingIsSentWithoutATokenOrASecret(t *testing.T) {
	server := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has(parameter) {
			t.Error("a proof of nothing was sent")
		}
	})
	for _, tt := range []struct {
		token   string
		secrets []string
	}{{"", []string{"first"}}, {"EAAB-access", nil}} {
		response, err := newProver(t, server, tt.secrets...).RoundTrip(request(t, tt.token))
		if err != nil || response.StatusCode != http.StatusOK {
			t.Error(response, err)
		}
	}
}
