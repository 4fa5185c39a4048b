package load

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// TestRunCountsWhatWasTaken answers every third delivery with 503 and looks at each of them.
func TestRunCountsWhatWasTaken(t *testing.T) {
	for name, standard := range map[string]bool{"light": false, "standard": true} {
		t.Run(name, func(t *testing.T) { testRunCounts(t, standard) })
	}
}

func testRunCounts(t *testing.T, standard bool) {
	t.Helper()
	var mu sync.Mutex
	seen := map[string]bool{}
	refused := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		mac := hmac.New(sha256.New, []byte("secret"))
		mac.Write(body)
		var document struct{ ID, At, Text string }
		if err != nil || json.Unmarshal(body, &document) != nil || r.Header.Get("X-Sign") != "sha256="+hex.EncodeToString(mac.Sum(nil)) {
			t.Errorf("a delivery is not as it should be: %s", body)
		}
		if n := len(body); n < 600 || n > 800 {
			t.Errorf("a delivery has %d bytes", n)
		}
		mu.Lock()
		defer mu.Unlock()
		if seen[document.ID] {
			t.Errorf("%s was delivered twice", document.ID)
		}
		seen[document.ID] = true
		if len(seen)%3 == 0 {
			refused++
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()

	deliveries := NewDeliveries("T-", "X-Sign", "secret")
	result, err := Run(t.Context(), Plan{URL: server.URL + "/hooks/x", Connections: 4, Duration: 100 * time.Millisecond, Sources: deliveries.Source, Standard: standard})
	if err != nil {
		t.Fatal(err)
	}
	if taken := len(seen) - refused; len(result.Took) != taken || result.Refused[http.StatusServiceUnavailable] != refused {
		t.Errorf("counted %d taken and %v refused, want %d and %d", len(result.Took), result.Refused, taken, refused)
	}
	if p50, p99 := result.Quantile(0.5), result.Quantile(0.99); p50 <= 0 || p99 < p50 {
		t.Errorf("p50 is %s and p99 %s", p50, p99)
	}
}

func TestRunWithARateSendsNoFaster(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer server.Close()
	deliveries := NewDeliveries("T-", "X-Sign", "secret")
	result, err := Run(t.Context(), Plan{
		URL: server.URL, Connections: 2, Duration: 200 * time.Millisecond, Every: 50 * time.Millisecond, Sources: deliveries.Source,
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(result.Took); n < 2 || n > 10 {
		t.Errorf("%d deliveries in 200 ms, want 2 connections times at most 5", n)
	}
}
