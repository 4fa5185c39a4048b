// Package calendar is working-time arithmetic: which instants are open, how much open time lies
// between two instants, when an amount of it will have passed, and which local dates are working
// days. It is pure: no I/O and no clock of its own.
package calendar

// Spec is a calendar as it is written down; its JSON form is the spec of a WorkCalendar.
type Spec struct {
	// TimeZone is an IANA name such as "Asia/Jakarta"; never a fixed offset.
	TimeZone string `json:"timeZone"`
	// Weekly are the hours of an ordinary week. A day that no entry names is closed.
	Weekly []WeeklyHours `json:"weekly"`
	// Seasons replace Weekly between two dates; they must not overlap.
	Seasons []Season `json:"seasons,omitempty"`
	// Holidays are closed local dates.
	Holidays []Holiday `json:"holidays,omitempty"`
	// SpecialDays are local dates with hours of their own; they win over Holidays, Seasons and Weekly.
	SpecialDays []SpecialDay `json:"specialDays,omitempty"`
	// CoversUntil is the last local date for which the holidays are known ("2026-12-31"); "" is for ever.
	CoversUntil string `json:"coversUntil,omitempty"`
}

// WeeklyHours are the open intervals of some days of the week.
type WeeklyHours struct {
	// Days are English names: Monday ... Sunday. A day stands in one entry of a week at most.
	Days []string `json:"days"`
	// Hours are the open intervals of each of the days; they must not overlap.
	Hours []Interval `json:"hours"`
}

// Interval is a span of local wall time, "HH:MM" to "HH:MM". The end may be "24:00". An end at or
// before the start crosses midnight; the interval belongs to the day it starts on.
type Interval struct {
	Start string `json:"start"`
	End   string `json:"end"`
}

// Season replaces the weekly hours from one local date to another, both included.
type Season struct {
	Name   string        `json:"name"`
	From   string        `json:"from"`
	To     string        `json:"to"`
	Weekly []WeeklyHours `json:"weekly"`
}

// Holiday is a closed local date.
type Holiday struct {
	Date string `json:"date"`
	Name string `json:"name,omitempty"`
}

// SpecialDay is a local date with hours of its own; no hours is a closed day.
type SpecialDay struct {
	Date  string     `json:"date"`
	Name  string     `json:"name,omitempty"`
	Hours []Interval `json:"hours,omitempty"`
}
