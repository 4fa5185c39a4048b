package ledgerapi

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tanggap/tanggap/internal/complaint"
)

func series(channel, category string, unanswered int64) Series {
	return Series{Channel: channel, Dimensions: complaint.Dimensions{Category: category}, Unanswered: unanswered}
}

func at(sequence int64) Position { return Position{Sequence: sequence, Epoch: "E"} }

var unexported = cmpopts.IgnoreUnexported(Summary{})

func apply(t *testing.T, v *View, s Summary) {
	t.Helper()
	if err := v.Apply(&s); err != nil {
		t.Fatalf("Applying: %v", err)
	}
}

func TestAViewIsTheWholeAfterEveryChange(t *testing.T) {
	var v View
	if v.Summary() != nil || v.Position() != (Position{}) {
		t.Errorf("A view of nothing has %+v", v.Summary())
	}
	apply(t, &v, Summary{
		Position: at(5), Channels: map[string]ChannelSummary{"dsw": {Unanswered: 3}, "112": {}},
		Series: []Series{series("dsw", "flood", 1), series("dsw", "garbage", 2)},
		Clocks: []ClockSeries{{Channel: "dsw", SLA: "city", Clock: "answer", Overdue: 1}, {Channel: "dsw", SLA: "city", Clock: "done", Overdue: 2}},
	})
	first := v.Summary()
	apply(t, &v, Summary{
		Position: at(7), Since: 5, Policy: PolicyStatus{Revision: "r"},
		Channels:  map[string]ChannelSummary{"dsw": {Unanswered: 4}},
		Series:    []Series{series("dsw", "trees", 1), series("dsw", "flood", 0)},
		Clocks:    []ClockSeries{{Channel: "dsw", SLA: "other", Clock: "answer", Overdue: 3}},
		Histogram: []HistogramSeries{{Channel: "dsw", Clock: "answer", Count: 1}, {Channel: "dsw", Clock: "answer", Working: true, Count: 2}},
		Spillover: []SpilloverSeries{{From: "dsw", To: "112", Count: 1}},
	})
	second := v.Summary()
	apply(t, &v, Summary{
		Position: at(8), Since: 7, Policy: PolicyStatus{Revision: "r"},
		Histogram: []HistogramSeries{{Channel: "dsw", Clock: "answer", Working: true, Count: 3}},
	})
	want := Summary{
		Position: at(8), Policy: PolicyStatus{Revision: "r"},
		Channels: map[string]ChannelSummary{"dsw": {Unanswered: 4}, "112": {}},
		Series:   []Series{series("dsw", "flood", 0), series("dsw", "garbage", 2), series("dsw", "trees", 1)},
		Clocks: []ClockSeries{
			{Channel: "dsw", SLA: "city", Clock: "answer", Overdue: 1}, {Channel: "dsw", SLA: "city", Clock: "done", Overdue: 2},
			{Channel: "dsw", SLA: "other", Clock: "answer", Overdue: 3},
		},
		Histogram: []HistogramSeries{{Channel: "dsw", Clock: "answer", Count: 1}, {Channel: "dsw", Clock: "answer", Working: true, Count: 3}},
		Spillover: []SpilloverSeries{{From: "dsw", To: "112", Count: 1}},
	}
	if diff := cmp.Diff(&want, v.Latest(), unexported); diff != "" {
		t.Errorf("After all changes (-want +got):\n%s", diff)
	}
	if first.Sequence != 5 || first.Series[0].Unanswered != 1 || len(first.Series) != 2 || first.Channels["dsw"].Unanswered != 3 {
		t.Errorf("The first summary was changed: %+v", first)
	}
	if second.Sequence != 7 || second.Histogram[1].Count != 2 {
		t.Errorf("The second summary was changed: %+v", second)
	}
}

func TestAViewRefusesChangesThatBeginElsewhere(t *testing.T) {
	for name, test := range map[string]struct{ begun, since, sequence int64 }{
		"before the first whole one":          {0, 5, 6},
		"after changes that were lost":        {5, 6, 7},
		"before changes that were taken over": {5, 4, 7},
		"backwards":                           {5, 5, 4},
	} {
		var v View
		if test.begun > 0 {
			apply(t, &v, Summary{Position: at(test.begun), Series: []Series{series("dsw", "flood", 1)}})
		}
		before := v.Summary()
		changes := &Summary{Position: at(test.sequence), Since: test.since, Series: []Series{series("dsw", "flood", 9)}}
		if err := v.Apply(changes); !errors.Is(err, ErrGap) {
			t.Errorf("Changes from %s give %v; want %v", name, err, ErrGap)
		}
		if diff := cmp.Diff(before, v.Summary(), unexported); diff != "" {
			t.Errorf("Changes from %s were taken over:\n%s", name, diff)
		}
		apply(t, &v, Summary{Position: at(9)})
		if len(v.Summary().Series) != 0 || v.Position() != at(9) {
			t.Errorf("A whole summary left %+v", v.Summary())
		}
	}
}

func TestSameFiguresIsSaidOnlyOfTheSame(t *testing.T) {
	var v View
	apply(t, &v, Summary{Position: at(5), Series: []Series{series("dsw", "flood", 1)}})
	whole := v.Summary()
	apply(t, &v, Summary{Position: at(6), Since: 5, Series: []Series{series("dsw", "flood", 2)}})
	changed := v.Summary()
	apply(t, &v, Summary{Position: at(9), Since: 6})
	same := v.Summary()
	apply(t, &v, Summary{Position: at(10), Since: 9, Channels: map[string]ChannelSummary{"dsw": {Overdue: 1}}})
	again := v.Summary()
	for name, test := range map[string]struct {
		a, b *Summary
		want bool
	}{
		"a changed series":      {whole, changed, false},
		"no change":             {changed, same, true},
		"a changed channel":     {same, again, false},
		"nothing and something": {nil, whole, false},
		"nothing":               {nil, nil, true},
		"two whole ones":        {whole, &Summary{Position: at(5)}, false},
		"one and the same":      {whole, whole, true},
	} {
		if got := test.a.SameFigures(test.b); got != test.want {
			t.Errorf("Of %s it says %v", name, got)
		}
	}
}
