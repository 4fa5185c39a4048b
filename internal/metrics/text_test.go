package metrics

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// samplesOf are the series of a text, each with its type, help and value.
func samplesOf(t *testing.T, text string) []string {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	var series []string
	for name, family := range families {
		for _, metric := range family.GetMetric() {
			slices.SortFunc(metric.Label, func(a, b *dto.LabelPair) int { return strings.Compare(a.GetName(), b.GetName()) })
			series = append(series, name+" "+family.GetType().String()+" "+family.GetHelp()+" "+metric.String())
		}
	}
	slices.Sort(series)
	return series
}

func written(t *testing.T, c *Collector) string {
	t.Helper()
	var text bytes.Buffer
	if err := c.Text(&text); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

// TestTextIsWhatIsCollected compares the text with what the registry makes of the same ledgers, and again after
// they have changed.
func TestTextIsWhatIsCollected(t *testing.T) {
	odd := city()
	odd.Namespace = "bogor"
	odd.Summary.Channels["dsw"] = func() ledgerapi.ChannelSummary {
		c := odd.Summary.Channels["dsw"]
		c.Errors = map[ledgerapi.Reason]int64{"a \"quoted\\ reason\"\nof two lines": 1}
		return c
	}()
	other := city()
	other.Name = "other"
	down := city()
	down.Namespace, down.AnsweredAt = "bekasi", now.Add(-time.Hour)
	for name, ledgers := range map[string][]Ledger{
		"none": nil, "one": {city()}, "two that have the same channels": {city(), other}, "what has to be escaped": {odd, city()}, "one is down": {city(), down}, "many series": {metropolis(300)},
	} {
		t.Run(name, func(t *testing.T) {
			c := New(func() []Ledger { return ledgers }, leads, func() time.Time { return now })
			for round := range 3 {
				want := samplesOf(t, gather(t, c))
				if diff := cmp.Diff(want, samplesOf(t, written(t, c))); diff != "" {
					t.Fatalf("round %d (-collected +text):\n%s", round, diff)
				}
				if len(ledgers) > 0 && round == 0 {
					changed := city()
					changed.Summary.Series[0].Unanswered = 77
					ledgers = []Ledger{changed}
				}
			}
		})
	}
}

func TestExporterServesEveryFormat(t *testing.T) {
	process := prometheus.NewRegistry()
	own := prometheus.NewGauge(prometheus.GaugeOpts{Name: "process_of_the_operator", Help: "Own."})
	process.MustRegister(own)
	x := NewExporter(process)
	if err := x.Register(New(func() []Ledger { return []Ledger{city()} }, leads, func() time.Time { return now })); err != nil {
		t.Fatal(err)
	}
	for accept, want := range map[string]string{
		"": "text/plain", "*/*": "text/plain", "text/plain;version=0.0.4": "text/plain",
		"application/openmetrics-text;version=1.0.0":                                                                                      "application/openmetrics-text",
		"application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5":                                                 "text/plain",
		"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,text/plain;version=0.0.4;q=0.1": "application/vnd.google.protobuf",
	} {
		request := httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody)
		request.Header.Set("Accept", accept)
		answer := httptest.NewRecorder()
		x.Handler().ServeHTTP(answer, request)
		if got := answer.Header().Get("Content-Type"); answer.Code != http.StatusOK || !strings.HasPrefix(got, want) {
			t.Errorf("%q is answered with %d and %q, want %q", accept, answer.Code, got, want)
		}
		for _, name := range []string{"process_of_the_operator", "tanggap_complaints_unanswered", "tanggap_operator_leading"} {
			if !strings.Contains(answer.Body.String(), name) {
				t.Errorf("%q is answered without %s", accept, name)
			}
		}
	}
}
