package sla

import "time"

// instant is a time in Unix nanoseconds. Clocks are computed on it because it has no pointer in it, so
// that the working state of an evaluation stays on the stack.
type instant int64

const (
	// none is what has not happened. No event occurs at it: instantOf keeps clear of it.
	none instant = 0
	// tick is the smallest distance of two instants that every store keeps.
	tick = instant(time.Microsecond)
)

// Instants outside of these seconds, the years 1970 to 2242, are taken for the nearest one within.
// Events from before the year 2000 are refused where they come in.
const (
	firstSecond = 0
	lastSecond  = 1<<33 - 1
)

// instantOf is a time as an instant.
func instantOf(t time.Time) instant {
	unix := t.Unix()
	switch {
	case unix < firstSecond || unix == firstSecond && t.Nanosecond() == 0:
		return none + 1
	case unix > lastSecond:
		return lastSecond * instant(time.Second)
	}
	return instant(unix)*instant(time.Second) + instant(t.Nanosecond())
}

// answer is what a calendar says when asked for an instant, which may be that there is none.
func answer(t time.Time, ok bool) instant {
	if !ok {
		return none
	}
	return instantOf(t)
}

// time is the instant as a time in UTC, the zero time for none.
func (i instant) time() time.Time {
	if i == none {
		return time.Time{}
	}
	return time.Unix(0, int64(i)).UTC()
}
