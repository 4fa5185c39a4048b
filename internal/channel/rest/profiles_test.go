package rest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
	"github.com/tanggap/tanggap/internal/simulator/portal"
	"github.com/tanggap/tanggap/test/golden"
)

// profile is a channel of config/samples.
func profile(t *testing.T, file, name string) *v1alpha1.ComplaintChannel {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "..", "config", "samples", file))
	must(t, err)
	for document := range strings.SplitSeq(string(raw), "\n---\n") {
		c := &v1alpha1.ComplaintChannel{}
		must(t, yaml.Unmarshal([]byte(document), c))
		if c.Kind == "ComplaintChannel" && c.Name == name {
			must(t, yaml.UnmarshalStrict([]byte(document), c))
			return c
		}
	}
	t.Fatalf("%s has no channel %s", file, name)
	return nil
}

// TestTheProfileOfLAPOR reads a sample of reports into the events that a person has read: a verification and
// a forwarding answer nothing, an agency's follow-up does, and a report that LAPOR! closed by itself was
// closed by no official.
func TestTheProfileOfLAPOR(t *testing.T) {
	c := profile(t, "profiles/lapor.yaml", "lapor")
	sample, err := os.ReadFile("testdata/lapor.json")
	must(t, err)
	now := time.Date(2026, 11, 20, 2, 0, 0, 0, time.UTC)
	server := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked map[string]string
		must(t, json.NewDecoder(r.Body).Decode(&asked))
		want := map[string]string{"diperbarui_sejak": "2026-10-21 09:00:00"}
		if diff := cmp.Diff(want, asked); diff != "" || r.Method != http.MethodPost || r.URL.RawQuery != "page=1&per_page=100&token=t0k3n" {
			t.Errorf("asked %s %s: %s", r.Method, r.URL.RawQuery, diff)
		}
		_, _ = w.Write(sample)
	})
	settings := channeltest.Settings(c.Spec.Source, channeltest.NewClock(now), channeltest.Direct{Handler: server}, map[string]string{"lapor/token": "t0k3n"})
	settings.AssumeTimeZone = jakarta(t, c.Spec.AssumeTimeZone)
	source, err := newType(t).Open(settings)
	must(t, err)
	ledger := &channeltest.Ledger{}
	must(t, source.(channel.Poller).Poll(t.Context(), nil, ledger))
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	for _, e := range ledger.Events() {
		must(t, encoder.Encode(e))
	}
	golden.Text(t, "lapor.events.ndjson", lines.Bytes())
	if messages := ledger.Messages(); len(messages) > 0 {
		t.Errorf("%q", messages)
	}
}

// TestTheProfilesOfPortals read a simulated portal of their shape, and map it as the samples of the city do.
func TestTheProfilesOfPortals(t *testing.T) {
	clock := channeltest.NewClock(monday)
	tests := map[string]struct {
		options portal.Options
		secrets map[string]string
	}{
		"dsw":   {portal.Options{APIKey: "k3y"}, map[string]string{"dsw/api-key": "k3y"}},
		"sigap": {portal.Options{Username: "tanggap", Password: "rahasia"}, map[string]string{"sigap/username": "tanggap", "sigap/password": "rahasia"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.options.Now, tt.options.ByUpdate = clock.Now, true
			p := portal.New(tt.options)
			ticket := p.AddTicket(portal.Report{Title: "Banjir", Text: "Di Margonda", Latitude: -6.39, Longitude: 106.82})
			must(t, p.Assign(ticket, "DPUPR"))
			must(t, p.AnswerAutomatically(ticket, "Laporan diterima sistem"))
			must(t, p.Answer(ticket, "Admin", "Petugas ke lokasi"))
			must(t, p.Resolve(ticket))
			c := profile(t, "profiles/"+name+".yaml", name)
			source, err := newType(t).Open(channeltest.Settings(c.Spec.Source, clock, channeltest.Direct{Handler: p}, tt.secrets))
			must(t, err)
			ledger := &channeltest.Ledger{}
			must(t, source.(channel.Poller).Poll(t.Context(), nil, ledger))
			var got []string
			for _, e := range ledger.Events() {
				got = append(got, string(e.Kind)+" "+string(e.Actor)+" "+string(e.To))
			}
			want := []string{"Received citizen ", "Assigned official ", "Answered official ", "Answered bot ", "StatusChanged official Resolved"}
			if diff := cmp.Diff(want, got); diff != "" || len(ledger.Messages()) > 0 {
				t.Errorf("%q %s", ledger.Messages(), diff)
			}
			if diff := cmp.Diff(profile(t, "depok/channels.yaml", name).Spec.Source.REST.Mapping, c.Spec.Source.REST.Mapping); diff != "" {
				t.Errorf("the profile maps otherwise than the city's sample: %s", diff)
			}
		})
	}
}
