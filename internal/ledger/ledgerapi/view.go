package ledgerapi

import (
	"errors"
	"maps"
	"slices"

	"github.com/tanggap/tanggap/internal/complaint"
)

// ErrGap says that a summary of changes begins at another position than the one that was reached: what
// lies between is not known, and everything must be read.
var ErrGap = errors.New("the changes of the ledger do not begin where its summary ends")

// View is the summary of a ledger, kept up to date by what has changed. It is not safe for concurrent
// use. The zero View has seen nothing.
type View struct {
	whole     *Summary
	series    places[seriesLabels, Series]
	clocks    places[clockLabels, ClockSeries]
	histogram places[histogramLabels, HistogramSeries]
	spillover places[spilloverLabels, SpilloverSeries]
	// given says that somebody holds whole, which then is not changed any more, nor is its map of channels
	// while channels says so.
	given, channels bool
}

type (
	seriesLabels struct {
		channel string
		complaint.Dimensions
	}
	clockLabels struct {
		channel string
		complaint.Dimensions
		sla, clock string
	}
	histogramLabels struct {
		channel, priority, clock string
		working                  bool
	}
	spilloverLabels struct{ from, to string }
)

// Position is where the view stands: what to ask the ledger for the changes after. It is the zero one
// before the first summary.
func (v *View) Position() Position {
	if v.whole == nil {
		return Position{}
	}
	return v.whole.Position
}

// Summary is everything that is known, nil before the first. It is never changed.
func (v *View) Summary() *Summary {
	v.give()
	return v.whole
}

// Latest is the same for who looks at it before the next Apply only, which may change it.
func (v *View) Latest() *Summary { return v.whole }

func (v *View) give() {
	v.given, v.channels = true, true
	v.series.given, v.clocks.given, v.histogram.given, v.spillover.given = true, true, true, true
}

// Apply takes a summary over, which must not be changed afterwards: a whole one, or what has changed
// after the view's position. After ErrGap the view is as it was and has to be given a whole one.
func (v *View) Apply(s *Summary) error {
	switch {
	case s.Since == 0:
		v.replace(s)
		return nil
	case v.whole == nil || s.Since != v.whole.Sequence || s.Sequence < s.Since:
		return ErrGap
	}
	w := v.own()
	w.Position, w.At, w.Watermark, w.Policy = s.Position, s.At, s.Watermark, s.Policy
	if len(s.Channels)+len(s.Series)+len(s.Clocks)+len(s.Histogram)+len(s.Spillover) == 0 {
		return nil
	}
	w.figures = new(figures)
	if len(s.Channels) > 0 && (v.channels || w.Channels == nil) {
		w.Channels, v.channels = maps.Clone(w.Channels), false
		if w.Channels == nil {
			w.Channels = map[string]ChannelSummary{}
		}
	}
	maps.Copy(w.Channels, s.Channels)
	w.Series = v.series.merge(w.Series, s.Series)
	w.Clocks = v.clocks.merge(w.Clocks, s.Clocks)
	w.Histogram = v.histogram.merge(w.Histogram, s.Histogram)
	w.Spillover = v.spillover.merge(w.Spillover, s.Spillover)
	return nil
}

func (v *View) replace(s *Summary) {
	*v = View{
		whole:  s,
		series: places[seriesLabels, Series]{labels: func(s *Series) seriesLabels { return seriesLabels{s.Channel, s.Dimensions} }},
		clocks: places[clockLabels, ClockSeries]{labels: func(s *ClockSeries) clockLabels { return clockLabels{s.Channel, s.Dimensions, s.SLA, s.Clock} }},
		histogram: places[histogramLabels, HistogramSeries]{labels: func(s *HistogramSeries) histogramLabels {
			return histogramLabels{s.Channel, s.Priority, s.Clock, s.Working}
		}},
		spillover: places[spilloverLabels, SpilloverSeries]{labels: func(s *SpilloverSeries) spilloverLabels { return spilloverLabels{s.From, s.To} }},
	}
	v.series.find(s.Series)
	v.clocks.find(s.Clocks)
	v.histogram.find(s.Histogram)
	v.spillover.find(s.Spillover)
	v.give() // it is the caller's as well
}

// own is the summary for changing it: a copy when somebody holds it. Its rows are copied by who changes
// them.
func (v *View) own() *Summary {
	if v.given {
		w := *v.whole
		v.whole, v.given = &w, false
	}
	return v.whole
}

// places are those of rows in a slice, by their labels.
type places[L comparable, R any] struct {
	labels func(*R) L
	at     map[L]int
	// given says that somebody holds the slice.
	given bool
}

func (p *places[L, R]) find(rows []R) {
	p.at = make(map[L]int, len(rows))
	for i := range rows {
		p.at[p.labels(&rows[i])] = i
	}
}

// merge replaces the rows that changed and appends those that are new.
func (p *places[L, R]) merge(rows, changed []R) []R {
	if len(changed) > 0 && p.given {
		rows, p.given = slices.Clone(rows), false
	}
	for i := range changed {
		labels := p.labels(&changed[i])
		if at, ok := p.at[labels]; ok {
			rows[at] = changed[i]
			continue
		}
		p.at[labels] = len(rows)
		rows = append(rows, changed[i])
	}
	return rows
}
