package server

import (
	"net/http"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tanggap/tanggap/internal/ledger"
)

// Health is the handler of the port for probes and for the process's own metrics. What the ledger knows
// of complaints is not there: the operator exports it.
type Health struct {
	mux   *http.ServeMux
	ready atomic.Bool
}

// NewHealth is the handler for a ledger.
func NewHealth(l *ledger.Ledger) *Health {
	h := &Health{mux: http.NewServeMux()}
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		process{l},
	)
	h.mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	h.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { plainly(w, http.StatusOK, "ok") })
	h.mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		// A ledger whose storage fails stays ready: it still answers with what it knows, and its own error
		// tells workers more than a connection that is refused. One of several replicas that has lost the
		// storage leaves requests to the others.
		switch {
		case !h.ready.Load():
			plainly(w, http.StatusServiceUnavailable, "not serving")
			return
		case l.Current() != nil:
			plainly(w, http.StatusServiceUnavailable, "the storage is out of reach")
			return
		}
		plainly(w, http.StatusOK, "ok")
	})
	return h
}

// SetReady says whether the ledger takes requests.
func (h *Health) SetReady(ready bool) { h.ready.Store(ready) }

// ServeHTTP implements http.Handler.
func (h *Health) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

func plainly(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n"))
}

// process collects the metrics of the ledger's own work.
type process struct{ ledger *ledger.Ledger }

func describe(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("tanggap_ledger_"+name, help, nil, nil)
}

// Describe implements prometheus.Collector.
func (p process) Describe(descriptions chan<- *prometheus.Desc) {
	prometheus.DescribeByCollect(p, descriptions)
}

// Collect implements prometheus.Collector.
func (p process) Collect(metrics chan<- prometheus.Metric) {
	s := p.ledger.Stats()
	counter := func(name, help string, value float64) {
		metrics <- prometheus.MustNewConstMetric(describe(name, help), prometheus.CounterValue, value)
	}
	counter("transactions_total", "Transactions committed since the process started.", float64(s.Commits))
	counter("transaction_seconds_total", "Time spent in transactions since the process started.", s.Committing.Seconds())
	counter("requests_total", "Requests done in transactions since the process started.", float64(s.Requests))
	counter("storage_failures_total", "Requests that the storage did not take since the process started.", float64(s.Failures))
	counter("catch_ups_total", "Times that there was something which another replica had committed, the start included.", float64(s.CatchUps))
	gauge := func(name, help string, value float64) {
		metrics <- prometheus.MustNewConstMetric(describe(name, help), prometheus.GaugeValue, value)
	}
	gauge("requests_waiting", "Requests that wait for a transaction, or are in the one that runs.", float64(s.Waiting))
	gauge("revision", "The latest transaction of the storage that this replica knows.", float64(s.Revision))
	is := func(name, help string, yes bool) {
		value := 0.0
		if yes {
			value = 1
		}
		gauge(name, help, value)
	}
	is("watches", "Whether this replica is the one that looks at due instants.", s.Watches)
	is("storage_up", "Whether the last transaction was committed.", p.ledger.Healthy() == nil)
}
