package metrics

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// responses is the histogram of wall times of a scrape.
func responses(t *testing.T, ledger Ledger) *dto.Histogram {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(collector(ledger))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == responseTime {
			return family.GetMetric()[0].GetHistogram()
		}
	}
	t.Fatal("there is no histogram")
	return nil
}

func TestHistogramsAreExportedInBothForms(t *testing.T) {
	ledger := city()
	ledger.Summary.Histogram[0].Native = []ledgerapi.NativeBucket{{Index: 0, Count: 1}, {Index: 20, Count: 1}, {Index: 21, Count: 2}}
	h := responses(t, ledger)
	if len(h.GetBucket()) != len(ledgerapi.BucketBounds()) || h.GetSampleCount() != 4 || h.GetSampleSum() != 9000 {
		t.Errorf("the classic form is %v", h)
	}
	if h.GetSchema() != ledgerapi.NativeSchema || h.GetZeroCount() != 1 || h.GetZeroThreshold() != 1 {
		t.Errorf("schema %d, zero count %d, zero threshold %g", h.GetSchema(), h.GetZeroCount(), h.GetZeroThreshold())
	}
	// Buckets are written as runs and as differences: bucket 20 holds one, and 21 one more than that.
	if len(h.GetPositiveSpan()) != 1 || h.GetPositiveSpan()[0].GetOffset() != 20 || h.GetPositiveSpan()[0].GetLength() != 2 {
		t.Errorf("the spans are %v", h.GetPositiveSpan())
	}
	if diff := cmp.Diff([]int64{1, 1}, h.GetPositiveDelta()); diff != "" {
		t.Errorf("the deltas: %s", diff)
	}
}

func TestAHistogramWithoutNativeBucketsIsClassicOnly(t *testing.T) {
	if h := responses(t, city()); h.Schema != nil || h.GetSampleCount() != 4 {
		t.Errorf("%v", h)
	}
}
