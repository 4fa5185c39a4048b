package calendar

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"
)

// build lays out a plan.
func build(p *plan, z *zone) timeline {
	b := builder{plan: p, zone: z, patterns: map[string]*pattern{}, weeks: map[*week]*pattern{}}
	irregular := map[Date]bool{}
	for i := 1; i < len(z.periods); i++ {
		at, before, after := z.periods[i].from, z.periods[i-1].offset, z.periods[i].offset
		first := Date(floorDiv(at+min(before, after), daySeconds)) - 1 // whose spans may run into the next
		last := Date(floorDiv(at+max(before, after), daySeconds))
		for d := first; d <= last; d++ {
			irregular[d] = true
		}
	}
	cuts := []Date{horizonFirst, horizonLast + 1}
	for d := range irregular {
		cuts = append(cuts, d, d+1)
	}
	for d := range p.holidays {
		cuts = append(cuts, d, d+1)
	}
	for d := range p.special {
		cuts = append(cuts, d, d+1)
	}
	for _, s := range p.seasons {
		cuts = append(cuts, s.from, s.to+1)
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	cuts = slices.DeleteFunc(cuts, func(d Date) bool { return d < horizonFirst || d > horizonLast+1 })
	for i, first := range cuts[:len(cuts)-1] {
		b.add(first, int64(cuts[i+1]-first), b.pattern(first, irregular[first]))
	}
	return b.timeline
}

type builder struct {
	plan     *plan
	zone     *zone
	timeline timeline
	// patterns are those of single days, by their spans, and weeks those of whole weeks.
	patterns map[string]*pattern
	weeks    map[*week]*pattern
}

// pattern is that of the run which begins with a date, of a single one where it is irregular.
func (b *builder) pattern(d Date, irregular bool) *pattern {
	hours := b.plan.on(d)
	_, special := b.plan.special[d]
	_, holiday := b.plan.holidays[d]
	spans := nominal(hours)
	if irregular {
		if actual := b.actual(d, hours); !slices.Equal(actual, spans) {
			return b.single(actual)
		}
	}
	if special || holiday {
		return b.single(spans)
	}
	source := b.plan.week(d)
	if b.weeks[source] == nil {
		var days [7][]span
		for i, h := range source {
			days[i] = nominal(h)
		}
		b.weeks[source] = newPattern(days)
	}
	return b.weeks[source]
}

// nominal is hours as spans on a day on which the clocks do not change.
func nominal(h hours) []span {
	spans := make([]span, len(h))
	for i, s := range h {
		spans[i] = span{s.start * second, s.end * second}
	}
	return spans
}

// actual is the hours as spans of a date on which, or on the day after which, the clocks change. What
// the clocks skip is no span.
func (b *builder) actual(d Date, h hours) []span {
	local := int64(d) * daySeconds
	base := b.zone.instant(local)
	spans := make([]span, 0, len(h))
	for _, s := range h {
		start, end := b.zone.instant(local+s.start)-base, b.zone.instant(local+s.end)-base
		if start < end {
			spans = append(spans, span{start * second, end * second})
		}
	}
	return spans
}

// single is the pattern of one date, shared among all that have the same spans.
func (b *builder) single(spans []span) *pattern {
	var key []byte
	for _, s := range spans {
		key = binary.AppendVarint(binary.AppendVarint(key, s.start), s.end)
	}
	if b.patterns[string(key)] == nil {
		b.patterns[string(key)] = newPattern([7][]span{spans, spans, spans, spans, spans, spans, spans})
	}
	return b.patterns[string(key)]
}

// add appends a run, or lengthens the last one where nothing changes between them.
func (b *builder) add(first Date, days int64, week *pattern) {
	r := run{first: first, days: days, base: b.zone.instant(int64(first)*daySeconds) * second, week: week}
	if n := len(b.timeline.runs); n > 0 {
		last := &b.timeline.runs[n-1]
		if last.week == week && last.base+last.days*dayLength == r.base {
			last.days += days
			return
		}
		open, working := last.before(last.days)
		r.open, r.working = last.open+open, last.working+working
	}
	b.timeline.runs = append(b.timeline.runs, r)
}

// names of the dates that have one.
func (p *plan) names() map[Date]string {
	names := make(map[Date]string, len(p.holidays)+len(p.special))
	maps.Copy(names, p.holidays)
	for d, s := range p.special {
		names[d] = cmp.Or(s.name, names[d])
	}
	return names
}
