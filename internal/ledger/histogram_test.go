package ledger

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// histogramOf is the histogram of one clock after these times.
func histogramOf(times ...time.Duration) *ledgerapi.HistogramSeries {
	figures := tally{}
	for _, d := range times {
		figures.observe("dsw", "high", "first-answer", wallTime, d)
	}
	return assembled(figures)
}

func assembled(figures tally) *ledgerapi.HistogramSeries {
	histograms := map[[4]string]*histogram{}
	for k, v := range figures {
		addBucket(histograms, &k, v)
	}
	for _, h := range histograms {
		s := h.series()
		return &s
	}
	return nil
}

func TestNativeBucketsHoldTheSameTimesAsTheClassicOnes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		times := rapid.SliceOfN(rapid.Int64Range(0, int64(90*24*time.Hour)), 1, 50).Draw(t, "times")
		durations := make([]time.Duration, len(times))
		for i, n := range times {
			durations[i] = time.Duration(n)
		}
		h := histogramOf(durations...)
		var sum int64
		for _, b := range h.Native {
			sum += b.Count
		}
		if h.Count != int64(len(times)) || sum != h.Count {
			t.Fatalf("%d times are counted %d times, and %d in native buckets", len(times), h.Count, sum)
		}
	})
}

func TestANativeBucketIncludesItsUpperBound(t *testing.T) {
	h := histogramOf(0, time.Second, time.Second+1, 2*time.Second, 2*time.Second+1, time.Hour)
	want := []ledgerapi.NativeBucket{{Index: 0, Count: 2}, {Index: 1, Count: 1}, {Index: 4, Count: 1}, {Index: 5, Count: 1}, {Index: 48, Count: 1}}
	if diff := cmp.Diff(want, h.Native); diff != "" {
		t.Error(diff)
	}
}

func TestTimesCountedBeforeThereWereNativeBucketsLeaveThemOut(t *testing.T) {
	figures := tally{}
	figures.observe("dsw", "high", "first-answer", wallTime, time.Hour)
	figures.add(figureKey{familyHistogram, [6]string{"dsw", "high", "first-answer", wallTime, "3"}}, histogramCount, 1)
	if h := assembled(figures); h.Count != 2 || h.Native != nil {
		t.Errorf("%+v: a part of the times would be shown as all", h)
	}
}
