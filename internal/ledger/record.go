package ledger

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/internal/sla"
)

// record is what the ledger remembers of a case besides the columns of its row: what it adds to the
// gauges now, and what of it the counters have counted, which they never do twice. It is kept in the
// row's State.
type record struct {
	// JudgedAt and ObservedThrough are the instants of the last judgement, in microseconds since 1970,
	// and Rules the digest of what it was judged by.
	JudgedAt        int64  `json:"t"`
	ObservedThrough int64  `json:"o,omitempty"`
	Rules           string `json:"r,omitempty"`
	// SLA labels the clocks' gauges.
	SLA           string `json:"s,omitempty"`
	AwaitingReply bool   `json:"w,omitempty"`
	// BeyondCoverage is how many open clocks rest on dates that their calendar does not cover.
	BeyondCoverage int64 `json:"b,omitempty"`
	// Received and Answered say that the counters have counted it so.
	Received bool `json:"rc,omitempty"`
	Answered bool `json:"ac,omitempty"`
	// Clocks are those of the rule in force and, without gauges, those that once were counted.
	Clocks []clockRecord `json:"c,omitempty"`
	// From is the channel that the case spilled over from; Linked the case there.
	From   string `json:"sf,omitempty"`
	Linked string `json:"sc,omitempty"`
	// Kept is the rule that attributes told which are gone; nil where none of them did.
	Kept *sla.Kept `json:"k,omitempty"`
	// Erased is the instant, in microseconds since 1970, through which everything was taken from the case
	// because its reporter was erased.
	Erased int64 `json:"e,omitempty"`
}

// clockRecord is one clock by its name.
type clockRecord struct {
	Name    string `json:"n"`
	DueSoon bool   `json:"d,omitempty"`
	Overdue bool   `json:"o,omitempty"`
	// Cycles has one cycle a byte.
	Cycles cycles `json:"c,omitempty"`
	// Corrections is how many verdicts late evidence has changed.
	Corrections int64 `json:"x,omitempty"`
}

// verdict is the outcome of a cycle.
type verdict byte

const (
	undecided verdict = iota
	met
	breached
	cancelled
	// suppressed, as a counted verdict, keeps a cycle from ever being counted: a later policy found it
	// in a case that had closed under an earlier one.
	suppressed
	verdicts
)

func verdictOf(s *sla.ClockState) verdict {
	if !s.Final {
		return undecided
	}
	switch s.Outcome {
	case sla.OutcomeMet:
		return met
	case sla.OutcomeBreached:
		return breached
	case sla.OutcomeCancelled:
		return cancelled
	}
	return undecided
}

// cycle is what became of one cycle of a clock.
type cycle struct {
	// counted is the verdict that the counters have, last the one of the last judgement.
	counted, last verdict
	// observed says that the histograms have its time to the stop.
	observed bool
}

// cycles are kept as a letter each.
type cycles string

const firstLetter = '0'

func (c cycles) len() int { return len(c) }

// at is cycle n, counted from 0; one beyond the end has nothing counted.
func (c cycles) at(n int) cycle {
	if n >= len(c) {
		return cycle{}
	}
	code := c[n] - firstLetter
	return cycle{observed: code&1 != 0, last: verdict(code>>1) % verdicts, counted: verdict(code>>1) / verdicts}
}

func (c cycle) letter() byte {
	code := byte(c.counted*verdicts+c.last) << 1
	if c.observed {
		code |= 1
	}
	return firstLetter + code
}

// caseState is a case as the ledger has judged it.
type caseState struct {
	row    store.Case
	record record
}

// load reads a case's row; nil stays nil.
func load(row *store.Case) (*caseState, error) {
	if row == nil {
		return nil, nil
	}
	s := &caseState{row: *row}
	if err := json.Unmarshal(row.State, &s.record); err != nil {
		return nil, fmt.Errorf("%w: the state of a case cannot be read", store.ErrDamaged)
	}
	return s, nil
}

// save puts the record into the row.
func (s *caseState) save() error {
	state, err := json.Marshal(&s.record)
	if err != nil {
		return fmt.Errorf("encoding the state of a case: %w", err)
	}
	s.row.State = state
	return nil
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(v int64) time.Time {
	if v == 0 {
		return time.Time{}
	}
	return time.UnixMicro(v).UTC()
}
