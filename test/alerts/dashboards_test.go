package alerts

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tanggap/tanggap/test/dashboards"
)

// queryRange evaluates an expression every few seconds since an instant.
func (p *prometheus) queryRange(ctx context.Context, expr string, since time.Time) (model.Matrix, error) {
	now := time.Now()
	values := url.Values{
		"query": {expr}, "start": {fmt.Sprint(since.Unix())}, "end": {fmt.Sprint(now.Unix())}, "step": {"5"},
	}
	response, err := get(ctx, "http://"+p.address+"/api/v1/query_range?"+values.Encode())
	if err != nil {
		return nil, fmt.Errorf("querying %s: %w", expr, err)
	}
	defer func() { _ = response.Body.Close() }()
	var body struct {
		Data struct{ Result model.Matrix }
	}
	if err := json.NewDecoder(response.Body).Decode(&body); err != nil {
		return nil, fmt.Errorf("querying %s: %w", expr, err)
	}
	return body.Data.Result, nil
}

// checkDashboards asks the real Prometheus every query of every panel, with everything chosen: each has
// data at some time since an instant.
func checkDashboards(t *testing.T, p *prometheus, since time.Time) {
	t.Helper()
	all, err := dashboards.Load(root)
	if err != nil {
		t.Fatal(err)
	}
	queries := 0
	for _, d := range all {
		for _, panel := range d.Panels {
			for _, target := range panel.Targets {
				queries++
				found, err := p.queryRange(t.Context(), target.Query("10m"), since)
				if err != nil {
					t.Errorf("%s: %s: %v", d.Title, panel.Title, err)
				} else if len(found) == 0 {
					t.Errorf("%s: %s: no data for %s", d.Title, panel.Title, target.Query("10m"))
				}
			}
		}
	}
	t.Logf("%d queries of %d dashboards have data", queries, len(all))
}

// checkNative asks a Prometheus that takes native histograms for a quantile, which a classic histogram
// would not give without its buckets' label.
func checkNative(t *testing.T, p *prometheus) {
	t.Helper()
	eventually(t, patience, "native histograms are there", func(ctx context.Context) error {
		found, err := p.query(ctx, `histogram_quantile(0.5, sum(tanggap_response_seconds{namespace="depok"}))`)
		if err == nil && len(found) != 1 {
			err = fmt.Errorf("the answer is %v", found)
		}
		return err
	})
}
