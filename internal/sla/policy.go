package sla

import (
	"slices"
	"time"

	"github.com/tanggap/tanggap/internal/calendar"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/expr"
)

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
	// answeredBy are the actors whose answers and acknowledgements count.
	answeredBy      []complaint.Actor
	acknowledgement *expr.Program
	enforceFrom     instant
	objective       *ObjectiveValue
	rules           []rule
}

// ObjectiveValue is a compiled Objective.
type ObjectiveValue struct {
	// Ratio is the share of clocks to be met, above 0 and at most 1.
	Ratio float64
	// Window is what the share is taken over.
	Window time.Duration
}

// Objective is the policy's objective, nil if it has none.
func (p *Policy) Objective() *ObjectiveValue {
	if p == nil {
		return nil
	}
	return p.objective
}

// rule gives its clocks to the cases it matches.
type rule struct {
	name   string
	match  *expr.Program // nil matches all
	clocks []clock
	// resolvedAnswers says that an official's Resolved is an answer for what is no FirstAnswer clock: for
	// the first answer after which NextReply begins, and for the case itself.
	resolvedAnswers bool
}

// clock is one promise.
type clock struct {
	name     string
	measures Measure
	// onAssigned starts the clock at the first assignment instead of the receipt.
	onAssigned bool
	target     target
	warning    warning
	// standstill are the phases of a case in which the clock stands still.
	standstill phaseKind
	// resolvedAnswers is for FirstAnswer: an official's Resolved stops the clock.
	resolvedAnswers bool
}

// target is how long a clock may run.
type target struct {
	measure targetMeasure
	// amount is of wall or open time, days of working dates.
	amount   time.Duration
	days     int
	sameDay  bool
	endOfDay bool
}

type targetMeasure int

const (
	wallTime targetMeasure = iota
	openTime
	workingDates
)

// warning is how long before its due instant a clock is due soon: a percentage of the target or an
// amount, at most one of which is not zero.
type warning struct {
	percent int64
	amount  time.Duration
}

func (w warning) none() bool { return w == warning{} }

// of is the warning's amount of a whole, in whole seconds.
func (w warning) of(whole time.Duration) time.Duration {
	if w.percent == 0 {
		return w.amount
	}
	return (whole / 100 * time.Duration(w.percent)).Truncate(time.Second)
}

// Acknowledges reports whether the policy takes an event for an acknowledgement: it is one, or an
// answer that the policy's acknowledgement matches, by somebody who counts. An answer that cannot be
// judged, because the expression fails on it, is an answer.
func (p *Policy) Acknowledges(e *complaint.Event) bool {
	switch e.Kind {
	case complaint.KindAcknowledged:
		return p.counts(e.Actor)
	case complaint.KindAnswered:
		return p.counts(e.Actor) && p.onlyThanks(e)
	default:
		return false
	}
}

// counts reports whether an actor's answers count.
func (p *Policy) counts(a complaint.Actor) bool {
	if p == nil {
		return a == complaint.ActorOfficial
	}
	return slices.Contains(p.answeredBy, a)
}
