package calendar

import (
	"sort"
	"time"
)

// The years that a calendar knows. Before and after them nothing is open.
var (
	horizonFirst = DateOf(1990, time.January, 1)
	horizonLast  = DateOf(2199, time.December, 31)
)

// zone is a time zone's offsets over the horizon, laid out to be searched: a calendar maps many local
// times to instants, and time.Date leaves open which of two it takes when the clocks go back.
type zone struct {
	periods []period
}

// period is a span of one offset. The first one reaches back, the last one on, without end.
type period struct {
	// from is the first instant, in Unix seconds.
	from int64
	// offset is what local time is ahead of UTC, in seconds.
	offset int64
	// localEnd is the local time, in seconds since 1970-01-01 00:00, at which the period ends by its own
	// clock. It never falls from one period to the next.
	localEnd int64
}

const (
	beginning = -1 << 62
	never     = 1<<62 - 1
)

func newZone(location *time.Location) zone {
	var z zone
	t := horizonFirst.Midnight().In(location)
	limit := (horizonLast + 2).Midnight()
	for {
		_, offset := t.Zone()
		if n := len(z.periods); n == 0 || z.periods[n-1].offset != int64(offset) {
			z.periods = append(z.periods, period{from: t.Unix(), offset: int64(offset)})
		}
		_, end := t.ZoneBounds()
		if end.IsZero() || end.After(limit) {
			break
		}
		if !end.After(t) {
			// ZoneBounds takes every year by rule for one of 365 days, and stands still on the last day of a
			// leap year. No rule changes an offset on that day.
			end = time.Date(t.UTC().Year()+1, time.January, 1, 0, 0, 0, 0, time.UTC).In(location)
		}
		t = end
	}
	z.periods[0].from = beginning
	for i := range z.periods {
		p := &z.periods[i]
		p.localEnd = never
		if i+1 < len(z.periods) {
			p.localEnd = z.periods[i+1].from + p.offset
		}
		if i > 0 {
			p.localEnd = max(p.localEnd, z.periods[i-1].localEnd)
		}
	}
	return z
}

// instant is the Unix second of a local time, which is given in seconds since 1970-01-01 00:00. A
// local time that the clocks pass twice is its first occurrence; one that they skip is the instant at
// which they are put forward. So later local times never map to earlier instants, and intervals that
// do not overlap by the wall clock do not overlap in time.
func (z *zone) instant(local int64) int64 {
	i := sort.Search(len(z.periods), func(i int) bool { return local < z.periods[i].localEnd })
	p := &z.periods[i]
	return max(local-p.offset, p.from)
}

// date is the local date at a Unix second.
func (z *zone) date(unix int64) Date {
	i := sort.Search(len(z.periods), func(i int) bool { return z.periods[i].from > unix }) - 1
	return Date(floorDiv(unix+z.periods[i].offset, daySeconds))
}
