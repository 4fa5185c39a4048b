package metrics

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"

	"github.com/tanggap/tanggap/internal/calendar"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/policy"
	"github.com/tanggap/tanggap/internal/sla"
	"github.com/tanggap/tanggap/internal/taxonomy"
)

// seriesOf counts the series of a scrape by metric.
func seriesOf(t *testing.T, ledgers ...Ledger) map[string]int {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(collector(ledgers...))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			found[family.GetName()]++
			if h := m.GetHistogram(); h != nil {
				found[family.GetName()] += len(h.GetBucket()) + 2 // the bucket of everything, the sum and the count
			}
		}
	}
	return found
}

// megacity is a policy with that many channels, and a summary in which every set of labels occurs that
// the policy allows.
func megacity(channels int) Ledger {
	kinds := taxonomy.Spec{
		Categories:  []taxonomy.Category{{Name: "flood", Department: "works", Priority: "high", Keywords: []string{"banjir"}}},
		Departments: []taxonomy.Department{{Name: "works"}},
	}
	document := &policy.Document{
		Channels:   map[string]policy.Channel{},
		Taxonomies: map[string]taxonomy.Spec{"all": kinds},
		SLAs: map[string]sla.Spec{"city": {
			CalendarRef: &sla.Reference{Name: "office"}, Objective: &sla.Objective{Ratio: "0.9", Window: "720h"},
			Rules: []sla.Rule{{Name: "all", Clocks: []sla.Clock{{Name: "first-answer"}}}},
		}},
		Calendars: map[string]calendar.Spec{"office": {TimeZone: "Asia/Jakarta", CoversUntil: "2026-12-31", Weekly: []calendar.WeeklyHours{
			{Days: []string{"Monday"}, Hours: []calendar.Interval{{Start: "07:30", End: "16:00"}}},
		}}},
		Linking: policy.Linking{Window: "672h"},
	}
	summary := &ledgerapi.Summary{At: now, Watermark: now, Channels: map[string]ledgerapi.ChannelSummary{}}
	errors := map[ledgerapi.Reason]int64{}
	for _, reason := range ledgerapi.Reasons() {
		errors[reason] = 1
	}
	for i := range channels {
		name := fmt.Sprintf("channel-%04d", i)
		document.Channels[name] = policy.Channel{Type: "rest", SLA: "city", Taxonomy: "all", Replies: i%2 == 0}
		summary.Channels[name] = ledgerapi.ChannelSummary{
			ReportedAt: ago(time.Second), LastEventAt: ago(time.Second), LastSuccessAt: ago(time.Second), ObservedThrough: ago(time.Second),
			Replies:            &ledgerapi.ReplySummary{Waiting: 1, OldestWaitingAt: ago(time.Minute)},
			OldestUnansweredAt: ago(time.Hour), Errors: errors, Corrections: map[string]int64{"first-answer": 1},
			State: ledgerapi.SourceDisconnected, Reason: ledgerapi.ReasonTimeout,
		}
		for _, priority := range []string{"high", "normal"} {
			for _, working := range []bool{false, true} {
				summary.Histogram = append(summary.Histogram, ledgerapi.HistogramSeries{
					Channel: name, Priority: priority, Clock: "first-answer", Working: working, Buckets: make([]int64, len(ledgerapi.BucketBounds())),
				})
			}
			for _, category := range []string{"flood", "uncategorized"} {
				for _, department := range []string{"works", "unassigned"} {
					d := complaint.Dimensions{Category: category, Department: department, Priority: priority}
					summary.Series = append(summary.Series, ledgerapi.Series{Channel: name, Dimensions: d, Received: 1})
					summary.Clocks = append(summary.Clocks, ledgerapi.ClockSeries{Channel: name, Dimensions: d, SLA: "city", Clock: "first-answer"})
				}
			}
		}
	}
	for from := range document.Channels {
		if len(document.Channels) > 100 {
			break // the pairs of 5,000 channels are 25 million, and nothing that a city comes near to
		}
		for to := range document.Channels {
			if from != to {
				summary.Spillover = append(summary.Spillover, ledgerapi.SpilloverSeries{From: from, To: to, Count: 1})
			}
		}
	}
	return Ledger{Namespace: "depok", Name: "ledger", Policy: document, Summary: summary, ReadAt: now, AnsweredAt: now}
}

func TestTheBoundIsReachedAndNotExceeded(t *testing.T) {
	for _, channels := range []int{7, 5000} {
		ledger := megacity(channels)
		bound, found := Bound(ledger.Policy), seriesOf(t, ledger)
		for _, m := range Catalogue() {
			if m.Name == spillovers && channels > 100 {
				continue
			}
			if found[m.Name] != bound[m.Name] {
				t.Errorf("%d channels: %s has %d series where every set of labels occurs, and the bound is %d", channels, m.Name, found[m.Name], bound[m.Name])
			}
		}
	}
}

// TestNoComplaintLeavesTheBound has a taxonomy of chance classify complaints of chance.
func TestNoComplaintLeavesTheBound(t *testing.T) {
	name := rapid.SampledFrom([]string{"a", "b", "c", "d"})
	maybe := rapid.SampledFrom([]string{"", "a", "b", "c", "d"})
	rapid.Check(t, func(t *rapid.T) {
		spec := taxonomy.Spec{Fallback: taxonomy.Fallback{Category: maybe.Draw(t, "category"), Department: maybe.Draw(t, "department"), Priority: maybe.Draw(t, "priority")}}
		for _, n := range rapid.SliceOfNDistinct(name, 0, 4, rapid.ID).Draw(t, "departments") {
			spec.Departments = append(spec.Departments, taxonomy.Department{Name: n})
		}
		for _, n := range rapid.SliceOfNDistinct(name, 1, 4, rapid.ID).Draw(t, "categories") {
			c := taxonomy.Category{Name: n, Keywords: []string{"word" + n}, Priority: maybe.Draw(t, "its priority")}
			if len(spec.Departments) > 0 && rapid.Bool().Draw(t, "has a department") {
				c.Department = spec.Departments[0].Name
			}
			spec.Categories = append(spec.Categories, c)
		}
		for _, n := range rapid.SliceOfNDistinct(name, 0, 3, rapid.ID).Draw(t, "priorities") {
			spec.Priorities = append(spec.Priorities, taxonomy.Priority{Name: n, Keywords: []string{"rank" + n}})
		}
		compiled, err := taxonomy.Compile(spec)
		if err != nil {
			return // not a taxonomy
		}
		sets, priorities := labelSets(spec)
		seen, levels := map[complaint.Dimensions]bool{}, map[string]bool{}
		for range 40 {
			d := compiled.Classify(taxonomy.Input{
				Text: "word" + name.Draw(t, "word") + " rank" + name.Draw(t, "rank"),
				Attributes: map[string]string{
					complaint.AttributeCategory: maybe.Draw(t, "said"), complaint.AttributeDepartment: maybe.Draw(t, "sent to"), complaint.AttributePriority: maybe.Draw(t, "urgency"),
				},
			})
			seen[d], levels[d.Priority] = true, true
		}
		if len(seen) > sets || len(levels) > priorities {
			t.Fatalf("%d sets of labels and %d priorities, bound %d and %d: %v", len(seen), len(levels), sets, priorities, seen)
		}
	})
}
