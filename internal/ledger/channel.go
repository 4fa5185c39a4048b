package ledger

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

// channelState is one channel: its row and what its workers reported.
type channelState struct {
	row      store.Channel
	reported reported
}

// reported is kept in the row's Report.
type reported struct {
	At            time.Time             `json:"at"`
	State         ledgerapi.SourceState `json:"state,omitempty"`
	Reason        ledgerapi.Reason      `json:"reason,omitempty"`
	Message       string                `json:"message,omitempty"`
	LastSuccessAt *time.Time            `json:"lastSuccessAt,omitempty"`
	// Instances are the latest counters of each life of a worker, to tell their growth.
	Instances map[string]instance `json:"instances,omitempty"`
}

type instance struct {
	At       time.Time                  `json:"at"`
	Rejected int64                      `json:"rejected,omitempty"`
	Skipped  int64                      `json:"skipped,omitempty"`
	Errors   map[ledgerapi.Reason]int64 `json:"errors,omitempty"`
}

// maxInstances bounds how many lives of workers are remembered; a channel has a few replicas.
const maxInstances = 16

// maxMessageBytes bounds a report's message.
const maxMessageBytes = 1024

func loadChannel(row store.Channel) (*channelState, error) {
	c := &channelState{row: row}
	if row.Report == nil {
		return c, nil
	}
	if err := json.Unmarshal(row.Report, &c.reported); err != nil {
		return nil, fmt.Errorf("%w: the report of a channel cannot be read", store.ErrDamaged)
	}
	return c, nil
}

// report takes over what a worker says and adds the growth of its counters to the figures.
func (c *channelState) report(said *ledgerapi.Report, at time.Time, figures tally) error {
	r := &c.reported
	before, known := r.Instances[said.Instance]
	grown := func(now, then int64) int64 { return max(now-then, 0) }
	name := c.row.Name
	figures.add(channelKey(familyIngest, name), ingestRejected, grown(said.Rejected, before.Rejected))
	figures.add(channelKey(familyIngest, name), ingestSkipped, grown(said.Skipped, before.Skipped))
	counters := make(map[ledgerapi.Reason]int64, len(said.Errors))
	for reason, n := range said.Errors {
		if !slices.Contains(ledgerapi.Reasons(), reason) {
			reason = ledgerapi.ReasonInternal
		}
		counters[reason] += n
	}
	for reason, n := range counters {
		k := channelKey(familyError, name)
		k.labels[1] = string(reason)
		figures.add(k, errorCount, grown(n, before.Errors[reason]))
	}

	instances := make(map[string]instance, len(r.Instances)+1)
	maps.Copy(instances, r.Instances)
	if !known && len(instances) >= maxInstances {
		delete(instances, longestSilent(instances))
	}
	instances[said.Instance] = instance{At: at, Rejected: said.Rejected, Skipped: said.Skipped, Errors: counters}
	*r = reported{
		At: at, State: said.State, Reason: said.Reason, Message: cut(said.Message, maxMessageBytes),
		LastSuccessAt: latest(r.LastSuccessAt, notAfter(said.LastSuccessAt, at)), Instances: instances,
	}
	encoded, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encoding a report: %w", err)
	}
	c.row.Report = encoded
	return nil
}

func longestSilent(instances map[string]instance) (name string) {
	for n, i := range instances {
		if name == "" || i.At.Before(instances[name].At) {
			name = n
		}
	}
	return name
}

// latest is the later of two instants that may be absent.
func latest(a, b *time.Time) *time.Time {
	if a == nil || b != nil && b.After(*a) {
		return b
	}
	return a
}

// notAfter is an instant that may be absent, or now if it lies ahead: a worker's clock that was ahead must not
// hide until then that nothing succeeds.
func notAfter(t *time.Time, now time.Time) *time.Time {
	if t == nil || !t.After(now) {
		return t
	}
	return &now
}

// observe moves observedThrough, never back and never ahead of now. It reports whether it moved.
func (c *channelState) observe(through, now time.Time) bool {
	if through.After(now) {
		through = now
	}
	if !through.After(c.row.ObservedThrough) {
		return false
	}
	c.row.ObservedThrough = through
	return true
}
