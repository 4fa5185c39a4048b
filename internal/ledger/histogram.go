package ledger

import (
	"maps"
	"slices"
	"strconv"

	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// histogram puts a histogram together from its rows.
type histogram struct {
	classic ledgerapi.HistogramSeries
	// native are the counts by index; nil once a row has shown that some times have no index.
	native map[int32]int64
}

// addBucket adds one row to its histogram.
func addBucket(histograms map[[4]string]*histogram, k *figureKey, v *values) {
	id := [4]string(k.labels[:4])
	h := histograms[id]
	if h == nil {
		h = &histogram{native: map[int32]int64{}, classic: ledgerapi.HistogramSeries{
			Channel: id[0], Priority: id[1], Clock: id[2], Working: id[3] == workingTime,
			Buckets: make([]int64, len(ledgerapi.BucketBounds())),
		}}
		histograms[id] = h
	}
	h.classic.Count += v[histogramCount]
	h.classic.Sum += float64(v[histogramSumMicros]) / 1e6
	if place, err := strconv.Atoi(k.labels[4]); err == nil && place < len(h.classic.Buckets) {
		h.classic.Buckets[place] += v[histogramCount]
	}
	index, err := strconv.ParseInt(k.labels[5], 10, 32)
	if err != nil {
		h.native = nil
	}
	if h.native != nil {
		h.native[int32(index)] += v[histogramCount]
	}
}

// series is the histogram in the form of a summary.
func (h *histogram) series() ledgerapi.HistogramSeries {
	s := h.classic
	for i := 1; i < len(s.Buckets); i++ {
		s.Buckets[i] += s.Buckets[i-1]
	}
	for _, index := range slices.Sorted(maps.Keys(h.native)) {
		s.Native = append(s.Native, ledgerapi.NativeBucket{Index: index, Count: h.native[index]})
	}
	return s
}
