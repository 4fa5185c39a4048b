package metrics

import (
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/policy"
)

// metropolis has a number of sets of labels, each with one clock.
func metropolis(sets int) Ledger {
	summary := &ledgerapi.Summary{At: now, Watermark: now, Channels: map[string]ledgerapi.ChannelSummary{"dsw": {ReportedAt: ago(time.Second)}}}
	for i := range sets {
		dimensions := complaint.Dimensions{Category: fmt.Sprintf("category-%d", i), Department: "dpupr", Priority: "normal"}
		summary.Series = append(summary.Series, ledgerapi.Series{Channel: "dsw", Dimensions: dimensions, Unanswered: int64(i)})
		summary.Clocks = append(summary.Clocks, ledgerapi.ClockSeries{Channel: "dsw", Dimensions: dimensions, SLA: "city", Clock: "answer", Met: 1})
	}
	return Ledger{
		Namespace: "depok", Name: "ledger", Summary: summary, ReadAt: now, AnsweredAt: now,
		Policy: &policy.Document{Channels: map[string]policy.Channel{"dsw": {Type: "rest"}}},
	}
}

// BenchmarkScrape is what a scrape costs the operator: the first one after a new summary, and one more.
func BenchmarkScrape(b *testing.B) {
	for _, sets := range []int{1_000, 10_000} {
		ledger := metropolis(sets)
		for name, again := range map[string]bool{"new summary": false, "same summary": true} {
			b.Run(fmt.Sprintf("%d sets of labels/%s", sets, name), func(b *testing.B) {
				c := New(func() []Ledger { return []Ledger{ledger} }, leads, func() time.Time { return now })
				registry := prometheus.NewRegistry()
				registry.MustRegister(c)
				b.ReportAllocs()
				for b.Loop() {
					if !again {
						clear(c.rendered)
					}
					families, err := registry.Gather()
					if err != nil {
						b.Fatal(err)
					}
					for _, family := range families {
						if _, err := expfmt.MetricFamilyToText(io.Discard, family); err != nil {
							b.Fatal(err)
						}
					}
				}
			})
		}
	}
}

// BenchmarkText is what a scrape in the text format costs: the first one after a new summary, and one more.
func BenchmarkText(b *testing.B) {
	for _, sets := range []int{1_000, 10_000} {
		ledger := metropolis(sets)
		for name, again := range map[string]bool{"new summary": false, "same summary": true} {
			b.Run(fmt.Sprintf("%d sets of labels/%s", sets, name), func(b *testing.B) {
				c := New(func() []Ledger { return []Ledger{ledger} }, leads, func() time.Time { return now })
				b.ReportAllocs()
				for b.Loop() {
					if !again {
						another := *ledger.Summary
						ledger.Summary = &another
					}
					if err := c.Text(io.Discard); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
