package sla

import "github.com/tanggap/tanggap/internal/calendar"

// Options are what a Policy needs besides its own words.
type Options struct {
	// Calendar is for targets and warnings in working time: the channel's, or the one that the SLA
	// refers to. A policy with such a target is refused without one.
	Calendar *calendar.Calendar
}

// Policy is a compiled Spec; it never changes and may be used by any number of goroutines. A nil
// Policy promises nothing: it derives the facts of a case, by the default of who counts as answering,
// and no clocks.
type Policy struct {
	calendar *calendar.Calendar
}

// Compile checks a specification and makes a Policy of it. All faults are reported at once, as
// field.Error with paths such as `rules[0].clocks[1].target`.
func Compile(spec Spec, options Options) (*Policy, error) {
	return &Policy{calendar: options.Calendar}, nil
}

// Evaluate derives the state of a case. It is a pure function: the same policy and input give the same
// case, whatever the order and repetition of the events.
func (p *Policy) Evaluate(in Input) Case {
	return Case{}
}

// Attributes gathers the attributes of a case from its events up to an instant: later events win over
// earlier ones. It is a pure function of the set of events, as Evaluate is.
func Attributes(in Input) map[string]string { return nil }
