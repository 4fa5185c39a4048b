package calendar

import (
	"fmt"
	"time"
)

// Date is a local calendar date, as the number of days since 1970-01-01. It has no zone: which
// instants it spans is for a Calendar to say.
type Date int32

const daySeconds = 24 * 60 * 60

// DateOf is the date of a year, month and day; values out of range carry over as in time.Date.
func DateOf(year int, month time.Month, day int) Date {
	return Date(floorDiv(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix(), daySeconds))
}

// ParseDate reads a date of the form "2026-12-31".
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil || t.Year() == 0 {
		return 0, fmt.Errorf("must be a date of the form 2026-12-31 that exists")
	}
	return Date(floorDiv(t.Unix(), daySeconds)), nil
}

// Midnight is the date's first instant in UTC: a form to print a date with, not the instant at which
// it begins in a calendar's zone.
func (d Date) Midnight() time.Time { return time.Unix(int64(d)*daySeconds, 0).UTC() }

// String is the date in the form "2026-12-31".
func (d Date) String() string { return d.Midnight().Format(time.DateOnly) }

// Weekday is the date's day of the week.
func (d Date) Weekday() time.Weekday { return time.Weekday(floorMod(int64(d)+4, 7)) }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func floorMod(a, b int64) int64 { return a - floorDiv(a, b)*b }
