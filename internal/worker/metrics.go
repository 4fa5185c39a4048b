package worker

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tanggap/tanggap/internal/ledger/client"
)

// processMetrics are the figures of the process itself, for those who run it; what a city wants to
// know comes from the ledger. Labels are names from specifications.
type processMetrics struct {
	registry   *prometheus.Registry
	polls      *prometheus.CounterVec
	appends    *prometheus.CounterVec
	latency    *prometheus.HistogramVec
	deliveries *prometheus.CounterVec
}

func newProcessMetrics() *processMetrics {
	m := &processMetrics{
		registry: prometheus.NewRegistry(),
		polls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tanggap_worker_polls_total",
			Help: "Polls of a source by outcome: complete, partial (more to read than one poll may), failed.",
		}, []string{"channel", "outcome"}),
		appends: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tanggap_worker_appends_total",
			Help: "Requests to the ledger to store events by outcome: stored, conflict (another worker moved the position), failed.",
		}, []string{"channel", "outcome"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "tanggap_worker_append_seconds",
			Help:    "How long the ledger took to answer a request to store events.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"channel"}),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tanggap_worker_deliveries_total",
			Help: "Requests of platforms to a push source by the status they were answered with.",
		}, []string{"channel", "code"}),
	}
	m.registry.MustRegister(m.polls, m.appends, m.latency, m.deliveries,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *processMetrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry, MaxRequestsInFlight: 4})
}

// of gives the figures of one channel, which is in the labels from then on.
func (m *processMetrics) of(channel string) *channelMetrics {
	return &channelMetrics{
		complete: m.polls.WithLabelValues(channel, "complete"),
		partial:  m.polls.WithLabelValues(channel, "partial"),
		failed:   m.polls.WithLabelValues(channel, "failed"),
		stored:   m.appends.WithLabelValues(channel, "stored"),
		conflict: m.appends.WithLabelValues(channel, "conflict"),
		refused:  m.appends.WithLabelValues(channel, "failed"),
		latency:  m.latency.WithLabelValues(channel),
		answered: m.deliveries.MustCurryWith(prometheus.Labels{"channel": channel}),
		taken:    m.deliveries.WithLabelValues(channel, strconv.Itoa(http.StatusNoContent)),
	}
}

// channelMetrics are the figures of one channel.
type channelMetrics struct {
	complete, partial, failed prometheus.Counter
	stored, conflict, refused prometheus.Counter
	latency                   prometheus.Observer
	answered                  *prometheus.CounterVec
	taken                     prometheus.Counter // those of answered with 204, which nearly all are
}

// appended counts a request to the ledger.
func (m *channelMetrics) appended(took time.Duration, err error) {
	switch {
	case err == nil:
		m.stored.Inc()
		m.latency.Observe(took.Seconds())
	case client.Conflict(err):
		m.conflict.Inc()
	default:
		m.refused.Inc()
	}
}

// delivered counts the answer to a platform.
func (m *channelMetrics) delivered(status int) {
	if status == http.StatusNoContent {
		m.taken.Inc()
		return
	}
	if status < 100 || status > 599 {
		status = http.StatusInternalServerError
	}
	m.answered.WithLabelValues(strconv.Itoa(status)).Inc()
}
