package sla

import "time"

// Spec is an SLA as it is written down; its JSON form is the spec of a ResponseSLA.
type Spec struct {
	// CalendarRef names the WorkCalendar of targets in working time; a channel may name another.
	CalendarRef *Reference `json:"calendarRef,omitempty"`
	// Rules are tried in order; the first whose Match holds gives a case its clocks.
	Rules []Rule `json:"rules"`
	// AnsweredBy are the actors whose answers count; empty is [official].
	AnsweredBy []string `json:"answeredBy,omitempty"`
	// Acknowledgement turns an answer that only says thanks into an acknowledgement.
	Acknowledgement *Acknowledgement `json:"acknowledgement,omitempty"`
	// Objective is the share of clocks to be met over a window.
	Objective *Objective `json:"objective,omitempty"`
	// EnforceFrom keeps cases received before it from having clocks (RFC 3339).
	EnforceFrom *time.Time `json:"enforceFrom,omitempty"`
}

// Reference names another object of the same namespace.
type Reference struct {
	Name string `json:"name"`
}

// Acknowledgement recognises an answer that is none.
type Acknowledgement struct {
	// Match is CEL over the official's event: `event` has text, kind, actor, attributes; `size(event.text) < 80 && event.text.contains("terima kasih")`.
	Match string `json:"match"`
}

// Objective is a service level objective over the clocks of the SLA.
type Objective struct {
	// Ratio is a decimal above 0 and at most 1, such as "0.95".
	Ratio string `json:"ratio"`
	// Window is a Go duration, such as "720h".
	Window string `json:"window"`
}

// Rule gives its clocks to the cases it matches.
type Rule struct {
	Name string `json:"name"`
	// Match is CEL over `complaint` (channel, official, category, department, priority, attributes); empty matches all.
	Match  string  `json:"match,omitempty"`
	Clocks []Clock `json:"clocks"`
}

// Clock is one promise.
type Clock struct {
	Name string `json:"name"`
	// Measures is one of Acknowledgement, FirstAnswer, NextReply, FirstResolution, TotalResolution.
	Measures string `json:"measures"`
	// StartsOn is Received (default) or Assigned.
	StartsOn string `json:"startsOn,omitempty"`
	Target   Target `json:"target"`
	// PauseWhile lists the statuses AwaitingCitizen and AwaitingThirdParty in which the clock stands still.
	PauseWhile []string `json:"pauseWhile,omitempty"`
	// WarnBefore is a percentage of the target ("25%") or a Go duration: DueSoon from that long before due,
	// in the target's own measure.
	WarnBefore string `json:"warnBefore,omitempty"`
	// ResolvedCountsAsAnswer (FirstAnswer only; default true): an official's Resolved stops the clock.
	ResolvedCountsAsAnswer *bool `json:"resolvedCountsAsAnswer,omitempty"`
}

// Target is how long a clock may run; exactly one of Within, WorkingTime and WorkingDays is set.
type Target struct {
	// Within is wall-clock time, a Go duration.
	Within string `json:"within,omitempty"`
	// WorkingTime is time inside the calendar's open hours, a Go duration.
	WorkingTime string `json:"workingTime,omitempty"`
	// WorkingDays is a number of working dates.
	WorkingDays int32 `json:"workingDays,omitempty"`
	// DayOne is NextWorkingDay (default) or SameDay; with WorkingDays only.
	DayOne string `json:"dayOne,omitempty"`
	// DueAt is EndOfWorkingDay (default) or EndOfDay; with WorkingDays only.
	DueAt string `json:"dueAt,omitempty"`
}
