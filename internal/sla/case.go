package sla

import (
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
)

// Input is all that the state of a case depends on, besides the policy.
type Input struct {
	// Events are those of one case: in any order, with any repetition. They are not changed. Events
	// after At are not known yet and ignored; of several with one ID the earliest counts.
	Events []complaint.Event
	// At is the instant of evaluation.
	At time.Time
	// ObservedThrough is the event time up to which the channel's source has been read completely; the
	// zero time is nothing yet. It decides which verdicts are final, never what they are.
	ObservedThrough time.Time
	// Subject is what the rules of the policy match on.
	Subject Subject
}

// Subject is what the `complaint` of a rule's CEL expression has.
type Subject struct {
	// Channel is the name of the ComplaintChannel, and Official whether it is one of the city's own.
	Channel  string
	Official bool
	// Dimensions are category, department and priority as the taxonomy says.
	Dimensions complaint.Dimensions
	// Attributes are those of the case; the function Attributes gathers them from its events.
	Attributes map[string]string
	// Kept is what attributes had decided that are gone; nil is nothing.
	Kept *Kept
}

// Kept says which rule a case has by attributes that were cleared since. It has that as long as nothing that
// came later leads to another one.
type Kept struct {
	// Rule is the name of the rule, and Without that of the one which is found without the attributes; "" is none.
	Rule    string `json:"rule,omitempty"`
	Without string `json:"without,omitempty"`
}

// Case is the state of a case: a pure function of the policy and the Input. Instants are UTC; the zero
// time is none.
type Case struct {
	// Received is when the case was received: the earliest Received event. While it is zero the case is
	// not known yet, whatever other events there are, and has no clocks. A later Received is one more
	// message of the citizen.
	Received time.Time
	// Status is the last status, Open to begin with.
	Status complaint.Status
	// Closed says that the case is resolved or cancelled. Any status but Resolved, Rejected, Duplicate
	// and Spam opens it again, and only Reopened takes back that it was merged.
	Closed bool
	// Cancelled says that the case was taken out of the city's hands (Rejected, Duplicate, Spam or
	// merged) at CancelledAt, and not taken back since.
	Cancelled   bool
	CancelledAt time.Time
	// ResolvedAt is when the case was last resolved, if it is still.
	ResolvedAt time.Time
	// MergedInto is the case on the same channel that this one was merged into, if it still is.
	MergedInto string
	// AcknowledgedAt is the first acknowledgement or answer, AnsweredAt the first answer, of somebody
	// who counts. An official's Resolved is an answer unless the rule's FirstAnswer clock says otherwise.
	AcknowledgedAt time.Time
	AnsweredAt     time.Time
	// AwaitingReply says that the citizen waits for a word: for the first answer, or for one to a message
	// after it. An answer of somebody who counts ends it, and so does anybody's Resolved; ReplyNotNeeded
	// does after the first answer. A case that is cancelled awaits nothing.
	AwaitingReply bool
	// Unanswered is AwaitingReply before the first answer.
	Unanswered bool
	// WaitingSince is the oldest word of the citizen that awaits a reply, zero unless AwaitingReply:
	// Received, the message, or the reopening of a case that was resolved without an answer.
	WaitingSince time.Time
	// LastEventAt is when the latest event up to the instant of evaluation occurred.
	LastEventAt time.Time
	// Rule is the name of the rule that gave the clocks; "" when none matched, and for a case received
	// before the policy's EnforceFrom.
	Rule string
	// Clocks are in the order of the rule, the cycles of one clock in the order of time.
	Clocks []ClockState
	// NextChange is the first instant after the evaluation at which time alone changes a clock (it
	// becomes due soon, or breached); zero when only an event can. Until then a further evaluation, at
	// whole microseconds as stores keep them, gives the same states and the same due instants.
	NextChange time.Time
}

// Answered says that somebody who counts has answered at least once.
func (c *Case) Answered() bool { return !c.AnsweredAt.IsZero() }

// Settled says that the case is closed and every clock of it has a verdict that no further time can
// change; a late or reopening event still can.
func (c *Case) Settled() bool {
	if !c.Closed {
		return false
	}
	for i := range c.Clocks {
		if s := &c.Clocks[i]; !s.Final && s.State != Pending {
			return false
		}
	}
	return true
}

// ClockState is one clock of a case, or one cycle of a NextReply clock.
type ClockState struct {
	// Name is the clock's name in the rule, Measures what it measures.
	Name     string
	Measures Measure
	// Cycle counts from 1; only NextReply has more than one.
	Cycle int
	State State
	// StartedAt is zero while the clock is Pending.
	StartedAt time.Time
	// DueAt is zero while the clock is Pending or Paused, and where the calendar has too little open time
	// left to say.
	DueAt time.Time
	// WarnAt is the instant from which a clock that is Running is due soon; zero without a warning.
	WarnAt time.Time
	// StoppedAt is when the clock stopped or was cancelled; zero while it goes on.
	StoppedAt time.Time
	// Remaining is what is left of the target of a clock that is Running or Paused, in the target's own
	// measure: wall time, or open time. A target in working days has RemainingDays instead.
	Remaining time.Duration
	// RemainingDays are the working dates that are still to close, the due one included.
	RemainingDays int
	// Overrun is the wall time past due of a clock that is Breached, frozen once it stopped. Time in
	// which the clock stood still does not count.
	Overrun time.Duration
	// Elapsed is the wall time from the start to the stop, or so far, and WorkingElapsed the open time in
	// it (zero without a calendar). Time in which the clock stood still does not count.
	Elapsed        time.Duration
	WorkingElapsed time.Duration
	// DueSoon says that the clock is Running, not past due, and past WarnAt.
	DueSoon bool
	// BeyondCoverage says that the due instant, or the lack of one, rests on dates that the calendar does
	// not cover.
	BeyondCoverage bool
	// Final says that the verdict stands, late evidence and reopening aside: the clock stopped, was
	// cancelled, or is past due by the time through which the source was observed.
	Final bool
	// Outcome is set when Final.
	Outcome Outcome
}

// State is where a clock stands.
type State string

// The states of a clock.
const (
	Pending   State = "Pending"   // not started
	Running   State = "Running"   // started, not past due
	Paused    State = "Paused"    // stands still, not past due
	Met       State = "Met"       // stopped by its due instant
	Breached  State = "Breached"  // past due, stopped or not
	Cancelled State = "Cancelled" // the case was taken out of the city's hands before the clock was past due
)

// Outcome is a final verdict, in the words of the metrics' label.
type Outcome string

// The outcomes.
const (
	OutcomeMet       Outcome = "met"
	OutcomeBreached  Outcome = "breached"
	OutcomeCancelled Outcome = "cancelled"
)

// Measure is what a clock measures.
type Measure string

// The measures.
const (
	MeasureAcknowledgement Measure = "Acknowledgement"
	MeasureFirstAnswer     Measure = "FirstAnswer"
	MeasureNextReply       Measure = "NextReply"
	MeasureFirstResolution Measure = "FirstResolution"
	MeasureTotalResolution Measure = "TotalResolution"
)
