package calendar

import (
	"sort"
	"time"
)

// timeline is every date of the horizon with its open spans, laid out as runs of dates that repeat a
// week of equal hours at a constant offset. A year has few of them, and each knows how much lies before
// it, so that a question about any two instants costs two binary searches, however far they are apart.
//
// All instants are Unix nanoseconds and all amounts nanoseconds.
type timeline struct {
	runs []run
}

type run struct {
	// first is the run's first date and days how many it has.
	first Date
	days  int64
	// base is the local midnight at which first begins. Each further date begins dayLength later; where
	// the clocks change, a new run begins.
	base int64
	week *pattern
	// open is the open time of all dates before first, working the number of them that are working dates.
	open    int64
	working int64
}

const (
	second    = int64(time.Second)
	dayLength = daySeconds * second
)

// span is an open interval, relative to the beginning of the date it belongs to.
type span struct{ start, end int64 }

// pattern is a week of open spans.
type pattern struct {
	days [7][]span
	// open and working are sums over the days before the index, from Sunday on and over two weeks, so
	// that the sum of up to seven days in a row is one subtraction.
	open    [15]int64
	working [15]int64
}

func newPattern(days [7][]span) *pattern {
	w := &pattern{days: days}
	for i := range 14 {
		w.open[i+1], w.working[i+1] = w.open[i], w.working[i]
		for _, s := range days[i%7] {
			w.open[i+1] += s.end - s.start
		}
		if len(days[i%7]) > 0 {
			w.working[i+1]++
		}
	}
	return w
}

// before is the open time and the number of working dates of the run's first k dates.
func (r *run) before(k int64) (open, working int64) {
	from := int64(r.first.Weekday())
	to := from + k%7
	weeks := k / 7
	w := r.week
	return weeks*w.open[7] + w.open[to] - w.open[from], weeks*w.working[7] + w.working[to] - w.working[from]
}

// spans are those of the run's k-th date.
func (r *run) spans(k int64) []span {
	return r.week.days[(int64(r.first.Weekday())+k)%7]
}

// day is one date of a timeline.
type day struct {
	date  Date
	base  int64
	spans []span
	// open and working count what lies before the date.
	open, working int64
}

func (r *run) day(k int64) day {
	open, working := r.before(k)
	return day{
		date:    r.first + Date(k),
		base:    r.base + k*dayLength,
		spans:   r.spans(k),
		open:    r.open + open,
		working: r.working + working,
	}
}

// last is the end of the date's last span; only for a date that has one.
func (d *day) last() int64 { return d.base + d.spans[len(d.spans)-1].end }

// at finds the date that an instant lies in, and the date before. Instants outside the horizon are in
// its first or last date.
func (t *timeline) at(instant int64) (before, today day) {
	i := search(t.runs, func(r *run) bool { return r.base > instant })
	i = max(i-1, 0)
	r := &t.runs[i]
	k := min(max((instant-r.base)/dayLength, 0), r.days-1)
	switch {
	case k > 0:
		before = r.day(k - 1)
	case i > 0:
		before = t.runs[i-1].day(t.runs[i-1].days - 1)
	}
	return before, r.day(k)
}

// on finds a date; ok is false outside the horizon.
func (t *timeline) on(d Date) (day, bool) {
	if d < horizonFirst || d > horizonLast {
		return day{}, false
	}
	r := &t.runs[search(t.runs, func(r *run) bool { return r.first > d })-1]
	return r.day(int64(d - r.first)), true
}

// search is sort.Search over runs.
func search(runs []run, f func(*run) bool) int {
	low, high := 0, len(runs)
	for low < high {
		middle := int(uint(low+high) >> 1)
		if f(&runs[middle]) {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return low
}

// openUntil is the open time from the beginning of the horizon to an instant.
func (t *timeline) openUntil(instant int64) int64 {
	before, today := t.at(instant)
	open := today.open
	// A span that began the day before and has not ended is counted whole above.
	if n := len(before.spans); n > 0 {
		open -= max(0, before.last()-max(instant, before.base+before.spans[n-1].start))
	}
	for _, s := range today.spans {
		open += min(max(instant-today.base-s.start, 0), s.end-s.start)
	}
	return open
}

// reached is the earliest instant by which an amount of open time has passed since the beginning of
// the horizon. ok is false when that is not within the horizon.
func (t *timeline) reached(open int64) (instant int64, ok bool) {
	i := search(t.runs, func(r *run) bool { return r.open >= open }) - 1
	if i < 0 {
		return 0, false
	}
	r := &t.runs[i]
	return r.find(open, func(before, amount int64) bool { return before < amount })
}

// resumed is the latest instant by which no more than an amount of open time has passed: where the
// amount ends with a closing, the next opening.
func (t *timeline) resumed(open int64) (instant int64, ok bool) {
	i := search(t.runs, func(r *run) bool { return r.open > open }) - 1
	if i < 0 {
		return 0, false
	}
	// The next opening is in the last run that has as little before it, or not at all.
	r := &t.runs[i]
	return r.find(open, func(before, amount int64) bool { return before <= amount })
}

// find is the instant of an amount of open time, in the last of the run's dates and spans before which
// little enough has passed. ok is false when the whole run has less.
func (r *run) find(open int64, enough func(before, amount int64) bool) (instant int64, ok bool) {
	rest := open - r.open
	k := int64(sort.Search(int(r.days), func(k int) bool {
		before, _ := r.before(int64(k))
		return !enough(before, rest)
	})) - 1
	before, _ := r.before(k)
	rest -= before
	for _, s := range r.spans(k) {
		length := s.end - s.start
		if !enough(length, rest) {
			return r.base + k*dayLength + s.start + rest, true
		}
		rest -= length
	}
	return 0, false
}
