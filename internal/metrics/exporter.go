package metrics

import (
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/expfmt"
)

// Exporter serves the complaints' metrics beside those of the process. Registered with it is the Collector.
type Exporter struct {
	prometheus.Registerer
	process, complaints prometheus.Gatherer
	collector           atomic.Pointer[Collector]
}

// NewExporter serves what process gathers, and the collectors that are registered with the Exporter.
func NewExporter(process prometheus.Gatherer) *Exporter {
	registry := prometheus.NewRegistry()
	return &Exporter{Registerer: registry, process: process, complaints: registry}
}

// Register implements prometheus.Registerer.
func (x *Exporter) Register(c prometheus.Collector) error {
	if err := x.Registerer.Register(c); err != nil {
		return err
	}
	if collector, ok := c.(*Collector); ok {
		x.collector.Store(collector)
	}
	return nil
}

// Handler answers scrapes. The text format, which Prometheus takes whatever else it asks for, is written straight
// from the summaries; who prefers protobuf, as for native histograms, or takes OpenMetrics only, is served
// through the registries.
func (x *Exporter) Handler() http.Handler {
	slow := promhttp.HandlerFor(prometheus.Gatherers{x.process, x.complaints}, promhttp.HandlerOpts{EnableOpenMetrics: true})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		collector := x.collector.Load()
		if collector == nil || !takesText(r.Header) {
			slow.ServeHTTP(w, r)
			return
		}
		families, err := x.process.Gather()
		if err != nil {
			http.Error(w, "The metrics of the process could not be gathered.", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", string(expfmt.NewFormat(expfmt.TypeTextPlain)))
		// A failure to write is the scraper's: it has gone.
		for _, family := range families {
			if _, err := expfmt.MetricFamilyToText(w, family); err != nil {
				return
			}
		}
		_ = collector.Text(w)
	})
}

// takesText says that the text format will do: it is accepted, and protobuf is not preferred to it.
func takesText(header http.Header) bool {
	accept := header.Get("Accept")
	if strings.Contains(accept, "openmetrics") && !strings.Contains(accept, "text/plain") && !strings.Contains(accept, "*/*") {
		return false
	}
	return expfmt.NegotiateAccept(header, expfmt.DefaultAcceptedFormats()...).FormatType() == expfmt.TypeTextPlain
}
