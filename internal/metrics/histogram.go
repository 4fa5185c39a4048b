package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// histogram adds a histogram with classic buckets, and with native ones where the ledger has them of
// every time.
func (e *exposition) histogram(name string, h ledgerapi.HistogramSeries, bounds []float64) {
	if e.text != nil {
		e.text.histogram(name, h, bounds, e.ledger.Namespace)
		return
	}
	labels := []string{e.ledger.Namespace, h.Channel, h.Priority, h.Clock}
	buckets := make(map[float64]uint64, len(bounds))
	for i, count := range h.Buckets[:min(len(h.Buckets), len(bounds))] {
		buckets[bounds[i]] = uint64(count) //nolint:gosec // a count is never negative
	}
	desc, count := e.collector.descs[name], uint64(h.Count) //nolint:gosec // as above
	metric, err := prometheus.NewConstHistogram(desc, count, h.Sum, buckets, labels...)
	if err == nil && len(h.Native) > 0 {
		positive, zero := native(h.Native)
		var sparse prometheus.Metric
		sparse, err = prometheus.NewConstNativeHistogram(desc, count, h.Sum, positive, nil, zero,
			ledgerapi.NativeSchema, ledgerapi.NativeZeroThreshold, time.Time{}, labels...)
		metric = bothHistograms{classic: metric, native: sparse}
	}
	if err != nil {
		metric = prometheus.NewInvalidMetric(desc, err)
	}
	e.metrics = append(e.metrics, metric)
}

func native(buckets []ledgerapi.NativeBucket) (positive map[int]int64, zero uint64) {
	positive = make(map[int]int64, len(buckets))
	for _, b := range buckets {
		if b.Index == 0 {
			zero = uint64(b.Count) //nolint:gosec // a count is never negative
			continue
		}
		positive[int(b.Index)] = b.Count
	}
	return positive, zero
}

// bothHistograms is one histogram in both forms: who scrapes by protobuf may take either.
type bothHistograms struct{ classic, native prometheus.Metric }

// Desc implements prometheus.Metric.
func (b bothHistograms) Desc() *prometheus.Desc { return b.classic.Desc() }

// Write implements prometheus.Metric.
func (b bothHistograms) Write(out *dto.Metric) error {
	if err := b.classic.Write(out); err != nil {
		return err
	}
	sparse := &dto.Metric{}
	if err := b.native.Write(sparse); err != nil {
		return err
	}
	h, n := out.GetHistogram(), sparse.GetHistogram()
	h.Schema, h.ZeroThreshold, h.ZeroCount = n.Schema, n.ZeroThreshold, n.ZeroCount
	h.PositiveSpan, h.PositiveDelta = n.PositiveSpan, n.PositiveDelta
	return nil
}
