package rest

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
)

// TestTheManifestInTheDocumentationReadsItsSample: what the page shows works as it stands there.
func TestTheManifestInTheDocumentationReadsItsSample(t *testing.T) {
	raw, err := os.ReadFile("../../../docs/channels/rest.md")
	must(t, err)
	block := func(language string) string {
		_, rest, found := strings.Cut(string(raw), "```"+language+"\n")
		text, _, closed := strings.Cut(rest, "```")
		if !found || !closed {
			t.Fatalf("the page has no %s", language)
		}
		return text
	}
	_, manifest, _ := strings.Cut(block("yaml"), "---\n")
	var c v1alpha1.ComplaintChannel
	must(t, yaml.UnmarshalStrict([]byte(manifest), &c))
	portal := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path + "?" + r.URL.RawQuery {
		case "/api/login?":
			write(w, map[string]any{"data": map[string]any{"token": "t"}})
		case "/api/pengaduan?diperbarui_sejak=2026-10-03T09%3A00%3A00%2B07%3A00&halaman=1&per_halaman=50&urut=nomor":
			_, _ = w.Write([]byte(block("json")))
		default:
			t.Errorf("asked for %s", r.URL)
		}
	})
	settings := channeltest.Settings(c.Spec.Source, channeltest.NewClock(monday), channeltest.Direct{Handler: portal},
		map[string]string{"sigap/username": "tanggap", "sigap/password": "x"})
	settings.AssumeTimeZone = jakarta(t, c.Spec.AssumeTimeZone)
	source, err := newType(t).Open(settings)
	must(t, err)
	ledger := &channeltest.Ledger{}
	must(t, source.(channel.Poller).Poll(t.Context(), nil, ledger))
	var got []string
	for _, e := range ledger.Events() {
		got = append(got, e.ID+" "+string(e.Actor))
	}
	const c1 = "SGP-2026-000123/"
	want := []string{
		c1 + "Received/2026-11-02T03:00:00Z citizen", c1 + "Assigned/2026-11-02T03:20:00Z official", c1 + "Answered/2 official",
		c1 + "Answered/1 bot", c1 + "CitizenMessage/3 citizen", c1 + "StatusChanged/selesai official",
	}
	if diff := cmp.Diff(want, got); diff != "" || len(ledger.Messages()) > 0 {
		t.Errorf("%v %s", ledger.Messages(), diff)
	}
}

func jakarta(t *testing.T, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	must(t, err)
	return zone
}
