package standalone

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// shape is the members of JSON by their paths, each with the kinds of its values. Elements of a list are
// one: what stands in any of them may stand in all.
type shape map[string]map[string]bool

func (s shape) add(path string, value any) {
	kind := fmt.Sprintf("%T", value)
	if s[path] == nil {
		s[path] = map[string]bool{}
	}
	s[path][kind] = true
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			s.add(path+"."+name, member)
		}
	case []any:
		for _, element := range v {
			s.add(path+"[]", element)
		}
	}
}

func shapeOf(t *testing.T, documents ...[]byte) shape {
	t.Helper()
	s := shape{}
	for _, document := range documents {
		var value any
		if err := json.Unmarshal(document, &value); err != nil {
			t.Fatalf("%v in %s", err, document)
		}
		s.add("", value)
	}
	return s
}

// within is an error for each member that the recorded payloads do not have, or of which they have other
// kinds of values. Null may stand for anything; documented are members that the vendor documents and the
// recorded payloads just do not happen to have.
func (s shape) within(recorded shape, documented ...string) []string {
	var faults []string
	for path, kinds := range s {
		if slices.Contains(documented, path) {
			continue
		}
		known, ok := recorded[path]
		if !ok {
			faults = append(faults, path+" does not occur in what was recorded")
			continue
		}
		for kind := range kinds {
			if !known[kind] && kind != "<nil>" && !(len(known) == 1 && known["<nil>"]) {
				faults = append(faults, fmt.Sprintf("%s is %s, recorded is %v", path, kind, known))
			}
		}
	}
	slices.Sort(faults)
	return faults
}

// recorded are the payloads of a source's tests.
func recorded(t *testing.T, pattern string) [][]byte {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("..", "..", "channel", pattern))
	if err != nil || len(names) == 0 {
		t.Fatalf("there is nothing at %s (%v)", pattern, err)
	}
	var all [][]byte
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, raw)
	}
	return all
}

// deliveries takes what is delivered, and does handshakes.
type deliveries struct {
	bodies [][]byte
	heads  []http.Header
}

// RoundTrip implements http.RoundTripper.
func (d *deliveries) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}
	if r.Method == http.MethodGet {
		answer.Body = io.NopCloser(strings.NewReader(r.URL.Query().Get("hub.challenge")))
		return answer, nil
	}
	body, err := io.ReadAll(r.Body)
	d.bodies, d.heads = append(d.bodies, body), append(d.heads, r.Header)
	return answer, err
}

var monday = time.Date(2026, 11, 2, 2, 0, 0, 0, time.UTC)

// played is a system of which a citizen complained twice and the staff answered once.
func played(t *testing.T, name string) (*Server, *deliveries) {
	t.Helper()
	kind, err := Find(name)
	if err != nil {
		t.Fatal(err)
	}
	d := &deliveries{}
	// Each look at the clock is a second later, so that no two things have one instant.
	now := monday
	clock := func() time.Time {
		now = now.Add(time.Second)
		return now
	}
	s := New(kind, Setup{DeliverTo: "https://hooks.example/hooks/x", Directory: t.TempDir(), Now: clock}, d, slog.New(slog.DiscardHandler))
	if err := s.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	id, err := s.Complain(t.Context(), "Banjir", 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Answer(t.Context(), id, "Petugas ke lokasi"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Complain(t.Context(), "Sampah", 2); err != nil {
		t.Fatal(err)
	}
	return s, d
}

func get(t *testing.T, s *Server, target string, header ...string) []byte {
	t.Helper()
	request := httptest.NewRequestWithContext(context.Background(), http.MethodGet, target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	answer := httptest.NewRecorder()
	s.Handler().ServeHTTP(answer, request)
	if answer.Code != http.StatusOK {
		t.Fatalf("%s: got %d %s", target, answer.Code, answer.Body)
	}
	return answer.Body.Bytes()
}

// TestWhatIsServedLooksAsRecorded: no simulator writes a member that the recorded payloads do not have.
func TestWhatIsServedLooksAsRecorded(t *testing.T) {
	// The specification's own sample is no JSON: it has numbers with leading zeros and line breaks in texts.
	zeros, numbers := regexp.MustCompile(`":(0\d+)`), regexp.MustCompile(`":(-?[0-9.]+)`)
	open311 := bytes.ReplaceAll(recorded(t, "open311/testdata/specification.json")[0], []byte("\n"), []byte(" "))
	open311 = numbers.ReplaceAll(zeros.ReplaceAll(open311, []byte(`":"$1"`)), []byte(`":"$1"`))

	tests := map[string]struct {
		recorded   [][]byte
		targets    []string
		header     []string
		documented []string
	}{
		"rest":    {recorded(t, "mapping/testdata/portal.json"), []string{"/api/pengaduan"}, []string{"X-API-Key", portalKey}, []string{".total"}},
		"open311": {[][]byte{open311}, []string{"/v2/requests.json?api_key=" + open311Key}, nil, nil},
		"x": {recorded(t, "x/testdata/*s.json"), []string{
			"/2/users/" + xAccount + "/mentions?max_results=100", "/2/users/" + xAccount + "/tweets?max_results=100",
		}, []string{"Authorization", "Bearer " + xToken}, nil},
		"telegram": {recorded(t, "telegram/testdata/updates.json"), []string{
			"/bot" + telegramToken + `/getUpdates?limit=100&allowed_updates=["message","business_message"]`,
		}, nil, []string{".result[].business_message.chat.first_name"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, _ := played(t, name)
			var served [][]byte
			for _, target := range tt.targets {
				served = append(served, get(t, s, target, tt.header...))
			}
			got := shapeOf(t, served...)
			if len(got) < 8 {
				t.Fatalf("next to nothing was served: %v", got)
			}
			for _, fault := range got.within(shapeOf(t, tt.recorded...), tt.documented...) {
				t.Error(fault)
			}
		})
	}
}

// TestWhatIsDeliveredLooksAsRecorded is the same for what is pushed.
func TestWhatIsDeliveredLooksAsRecorded(t *testing.T) {
	t.Run("whatsapp", func(t *testing.T) {
		_, d := played(t, "whatsapp")
		for _, fault := range shapeOf(t, d.bodies...).within(shapeOf(t, recorded(t, "whatsapp/testdata/*.json")...)) {
			t.Error(fault)
		}
		if len(d.bodies) != 3 || bytes.Contains(d.bodies[1], []byte("/")) && !bytes.Contains(d.bodies[1], []byte(`\/`)) {
			t.Errorf("%d deliveries, and slashes are not escaped as Meta does: %s", len(d.bodies), d.bodies[1])
		}
		for _, head := range d.heads {
			if !regexp.MustCompile(`^sha256=[0-9a-f]{64}$`).MatchString(head.Get("X-Hub-Signature-256")) {
				t.Errorf("signed %q", head.Get("X-Hub-Signature-256"))
			}
		}
	})
	t.Run("meta", func(t *testing.T) {
		_, d := played(t, "meta")
		for _, fault := range shapeOf(t, d.bodies...).within(shapeOf(t, recorded(t, "meta/testdata/page_feed.json")...)) {
			t.Error(fault)
		}
	})
	t.Run("sms", func(t *testing.T) {
		_, d := played(t, "sms")
		known, err := url.ParseQuery(strings.TrimSpace(string(recorded(t, "sms/testdata/incoming_sms.form.txt")[0])))
		if err != nil {
			t.Fatal(err)
		}
		form, err := url.ParseQuery(string(d.bodies[0]))
		if err != nil || len(form) < 6 {
			t.Fatalf("delivered %s (%v)", d.bodies[0], err)
		}
		for name := range form {
			if !known.Has(name) && !slices.Contains([]string{"FromCity", "FromCountry", "ToCountry"}, name) { // which Twilio documents
				t.Errorf("%s does not occur in what was recorded", name)
			}
		}
		if d.heads[0].Get("X-Twilio-Signature") == "" {
			t.Error("it is not signed")
		}
	})
	for _, name := range []string{"webhook", "emergency112"} {
		t.Run(name, func(t *testing.T) {
			_, d := played(t, name)
			// The envelope is that of the standard, and the incident that of the documentation.
			page, err := os.ReadFile("../../../docs/channels/emergency112.md")
			if err != nil {
				t.Fatal(err)
			}
			_, sample, _ := strings.Cut(string(page), "```json\n")
			sample, _, _ = strings.Cut(sample, "```")
			for _, fault := range shapeOf(t, d.bodies...).within(shapeOf(t, []byte(sample))) {
				t.Error(fault)
			}
			envelope := shapeOf(t, recorded(t, "webhook/testdata/standardwebhooks_payload.json")[0])
			for path := range shapeOf(t, d.bodies...) {
				if strings.Count(path, ".") == 1 && envelope[path] == nil {
					t.Errorf("%s is none of the standard", path)
				}
			}
			for _, head := range d.heads {
				if head.Get("Webhook-Id") == "" || head.Get("Webhook-Timestamp") == "" || !strings.HasPrefix(head.Get("Webhook-Signature"), "v1,") {
					t.Errorf("signed %v", head)
				}
			}
		})
	}
}

// TestEachKindHasAManifest, with nothing left to fill in.
func TestEachKindHasAManifest(t *testing.T) {
	seen := map[string]bool{}
	for _, kind := range Kinds() {
		text := kind.Manifest("depok", "simulated", "http://127.0.0.1:1", "http://127.0.0.1:2")
		if strings.Contains(text, "$(") && kind.Complete() || !strings.Contains(text, "kind: ComplaintChannel") {
			t.Errorf("%s:\n%s", kind.Name, text)
		}
		if seen[kind.Name] || kind.Short == "" || !kind.Pushes && !kind.Serves && !kind.Exports {
			t.Errorf("%+v", kind)
		}
		seen[kind.Name] = true
	}
}
