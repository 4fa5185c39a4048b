package calendar

import "time"

// Calendar is a compiled Spec; it never changes and may be used by any number of goroutines.
//
// An interval of local wall time becomes a span of real time: where the clocks go back within it, it
// is an hour longer, and where they go forward an hour shorter. A local time that occurs twice is its
// first occurrence, one that does not occur is the instant at which the clocks are put forward. An
// interval belongs to the date it starts on, also the part of it after midnight.
//
// A calendar knows the years 1990 to 2199. Outside of them nothing is open.
type Calendar struct {
	location *time.Location
	zone     zone
	timeline timeline
	names    map[Date]string
	seasons  []season
	// covers says that coversUntil is set; coveredTo is the end of that date.
	covers      bool
	coversUntil Date
	coveredTo   time.Time
}

func newCalendar(p plan) *Calendar {
	c := &Calendar{location: p.location, zone: newZone(p.location), names: p.names(), seasons: p.seasons}
	c.timeline = build(&p, &c.zone)
	return c
}

// Location is the calendar's time zone.
func (c *Calendar) Location() *time.Location { return c.location }

// Date is the local date at an instant.
func (c *Calendar) Date(t time.Time) Date { return c.zone.date(t.Unix()) }

// Open reports whether an instant is within the open hours. The closing instant is not.
func (c *Calendar) Open(t time.Time) bool {
	instant := nanos(t)
	before, today := c.timeline.at(instant)
	for _, d := range [...]day{before, today} {
		for _, s := range d.spans {
			if d.base+s.start <= instant && instant < d.base+s.end {
				return true
			}
		}
	}
	return false
}

// Between is the open time from one instant to another, less than zero where b is before a. It is
// additive: Between(a, c) = Between(a, b) + Between(b, c) for any three instants.
func (c *Calendar) Between(a, b time.Time) time.Duration {
	return time.Duration(c.timeline.openUntil(nanos(b)) - c.timeline.openUntil(nanos(a)))
}

// Add is the earliest instant, not before start, by which d of open time has passed since start. An
// amount that ends with a closing ends at that closing, not at the next opening; none at all ends at
// start. ok is false when the calendar has less open time left, and for a negative d.
func (c *Calendar) Add(start time.Time, d time.Duration) (end time.Time, ok bool) {
	if d <= 0 {
		return start, d == 0
	}
	return asTime(c.timeline.reached(c.timeline.openUntil(nanos(start)) + int64(d)))
}

// Back is the latest instant, not after end, from which d of open time passes until end: where d
// begins with an opening that opening, not the closing before it. None at all is end itself. ok is
// false when the calendar has less open time before end, and for a negative d.
func (c *Calendar) Back(end time.Time, d time.Duration) (start time.Time, ok bool) {
	if d <= 0 {
		return end, d == 0
	}
	return asTime(c.timeline.resumed(c.timeline.openUntil(nanos(end)) - int64(d)))
}

// NextOpen is the earliest instant, not before t, that is open; ok is false when there is none.
func (c *Calendar) NextOpen(t time.Time) (opening time.Time, ok bool) {
	return asTime(c.timeline.resumed(c.timeline.openUntil(nanos(t))))
}

// IsWorkingDate reports whether an interval starts on the date.
func (c *Calendar) IsWorkingDate(d Date) bool {
	on, ok := c.timeline.on(d)
	return ok && len(on.spans) > 0
}

// LastClosing is the end of the date's last interval, which may lie on the following date; ok is false
// for a date that is not a working one.
func (c *Calendar) LastClosing(d Date) (closing time.Time, ok bool) {
	on, ok := c.timeline.on(d)
	if !ok || len(on.spans) == 0 {
		return time.Time{}, false
	}
	return asTime(on.last(), true)
}

// EndOfDate is the local midnight that follows the date. Where the clocks skip midnight it is the
// instant at which they do.
func (c *Calendar) EndOfDate(d Date) time.Time {
	return time.Unix(c.zone.instant((int64(d)+1)*daySeconds), 0).UTC()
}

// WorkingDatesBefore counts the working dates before a date, from the calendar's first year on: the
// place of a working date among all, which WorkingDateAt turns back into the date.
func (c *Calendar) WorkingDatesBefore(d Date) int {
	if d > horizonLast {
		last, _ := c.timeline.on(horizonLast)
		return int(last.working) + min(len(last.spans), 1)
	}
	on, _ := c.timeline.on(d)
	return int(on.working)
}

// WorkingDateAt is the working date with n working dates before it; ok is false when there is none.
func (c *Calendar) WorkingDateAt(n int) (d Date, ok bool) {
	if n < 0 {
		return 0, false
	}
	i := search(c.timeline.runs, func(r *run) bool { return r.working > int64(n) }) - 1
	r := &c.timeline.runs[i]
	rest := int64(n) - r.working
	if total := r.week.working[7]; total > 0 {
		for k := rest / total * 7; k < r.days; k++ {
			if _, before := r.before(k); before == rest && len(r.spans(k)) > 0 {
				return r.first + Date(k), true
			}
		}
	}
	return 0, false
}

// ClosedBefore counts the working dates whose last closing is before an instant.
func (c *Calendar) ClosedBefore(t time.Time) int {
	instant := nanos(t)
	before, today := c.timeline.at(instant)
	n := today.working
	if len(before.spans) > 0 && before.last() >= instant {
		n--
	}
	if len(today.spans) > 0 && today.last() < instant {
		n++
	}
	return int(n)
}

// NextWorkingDate is the first working date after d; ok is false when there is none.
func (c *Calendar) NextWorkingDate(d Date) (next Date, ok bool) { return c.AddWorkingDays(d, 1) }

// AddWorkingDays is the n-th working date after d, for n of 1 and more; ok is false when there is none.
func (c *Calendar) AddWorkingDays(d Date, n int) (date Date, ok bool) {
	if n < 1 {
		return 0, false
	}
	return c.WorkingDateAt(c.WorkingDatesBefore(d+1) + n - 1)
}

// CoversUntil is the last date for which the holidays are known; ok is false where that is for ever.
func (c *Calendar) CoversUntil() (d Date, ok bool) { return c.coversUntil, c.covers }

// BeyondCoverage reports whether an instant lies after the last date for which the holidays are known.
// The midnight that ends that date does not.
func (c *Calendar) BeyondCoverage(t time.Time) bool { return c.covers && t.After(c.coveredTo) }

// Day is what there is to say about a date.
type Day struct {
	Date    Date
	Working bool
	// Name is that of the holiday or special day, Season that of the season it lies in; "" is none.
	Name   string
	Season string
}

// Describe says what a date is.
func (c *Calendar) Describe(d Date) Day {
	described := Day{Date: d, Working: c.IsWorkingDate(d), Name: c.names[d]}
	if s := seasonOf(c.seasons, d); s != nil {
		described.Season = s.name
	}
	return described
}

// nanos is an instant as Unix nanoseconds, within what these can express.
func nanos(t time.Time) int64 {
	const limit = 1<<33 - 1 // seconds: the year 2242
	return min(max(t.Unix(), -limit), limit)*second + int64(t.Nanosecond())
}

func asTime(instant int64, ok bool) (time.Time, bool) {
	if !ok {
		return time.Time{}, false
	}
	return time.Unix(0, instant).UTC(), true
}
