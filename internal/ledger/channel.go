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

// reported is kept in the row's Report. State, Reason and Message are what the lives that are heard of come to.
type reported struct {
	At            time.Time             `json:"at"`
	State         ledgerapi.SourceState `json:"state,omitempty"`
	Reason        ledgerapi.Reason      `json:"reason,omitempty"`
	Message       string                `json:"message,omitempty"`
	LastSuccessAt *time.Time            `json:"lastSuccessAt,omitempty"`
	// Instances are the latest words of each life of a worker, and its counters, to tell their growth.
	Instances map[string]instance `json:"instances,omitempty"`
}

// instance is one life of a worker. What it said of the source is kept while it is heard of.
type instance struct {
	At            time.Time                  `json:"at"`
	State         ledgerapi.SourceState      `json:"state,omitempty"`
	Reason        ledgerapi.Reason           `json:"reason,omitempty"`
	Message       string                     `json:"message,omitempty"`
	LastSuccessAt *time.Time                 `json:"lastSuccessAt,omitempty"`
	Left          bool                       `json:"left,omitempty"`
	Rejected      int64                      `json:"rejected,omitempty"`
	Skipped       int64                      `json:"skipped,omitempty"`
	Errors        map[ledgerapi.Reason]int64 `json:"errors,omitempty"`
}

const (
	// heardFor is how long what a life said counts; workers report every ten seconds.
	heardFor = 30 * time.Second
	// provenFor is how long a success of one life outweighs that another one got deliveries of no use: to a public
	// address anybody may send some.
	provenFor = 10 * time.Minute
	// maxInstances bounds how many lives are remembered. Beyond it go those that have been silent for silentFor, for
	// what comes back and is not remembered is counted twice; beyond mostInstances any.
	maxInstances  = 16
	silentFor     = 15 * time.Minute
	mostInstances = 256
)

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
	if !known {
		makeRoom(instances, at)
	}
	instances[said.Instance] = instance{
		At: at, State: said.State, Reason: said.Reason, Message: cut(said.Message, maxMessageBytes), LastSuccessAt: notAfter(said.LastSuccessAt, at), Left: said.Leaving,
		Rejected: said.Rejected, Skipped: said.Skipped, Errors: counters,
	}
	says := sumUp(instances, at)
	*r = reported{
		At: at, State: says.State, Reason: says.Reason, Message: says.Message,
		LastSuccessAt: latest(r.LastSuccessAt, notAfter(said.LastSuccessAt, at)), Instances: instances,
	}
	encoded, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encoding a report: %w", err)
	}
	c.row.Report = encoded
	return nil
}

// makeRoom forgets lives that have been silent for long, so that there is room for one more.
func makeRoom(instances map[string]instance, at time.Time) {
	for len(instances) >= maxInstances {
		name := longestSilent(instances)
		if at.Sub(instances[name].At) < silentFor && len(instances) < mostInstances {
			return
		}
		delete(instances, name)
	}
}

// sumUp is what the lives that are heard of come to, whichever of them spoke last: of several workers that take deliveries
// side by side each knows its own alone. It forgets what the others said.
func sumUp(instances map[string]instance, at time.Time) (says instance) {
	best := -1
	for _, name := range slices.Sorted(maps.Keys(instances)) {
		i := instances[name]
		if at.Sub(i.At) > heardFor || i.State == "" { // the version before kept no state
			i.State, i.Reason, i.Message, i.LastSuccessAt, i.Left = "", "", "", nil, false
			instances[name] = i
			continue
		}
		if weight := i.weight(at); weight > best {
			best, says = weight, i
		}
	}
	return says
}

// weight tells whose word counts: a fault, a success, deliveries of no use, a source that was well once, nothing at all, and
// any by who has left.
func (i *instance) weight(at time.Time) int {
	switch {
	case i.Left:
		return 0
	case i.State == ledgerapi.SourceDisconnected && slices.Contains(ofDeliveries[:], i.Reason):
		return 3
	case i.State == ledgerapi.SourceDisconnected:
		return 5
	case i.State == ledgerapi.SourceConnected && i.LastSuccessAt != nil && at.Sub(*i.LastSuccessAt) < provenFor:
		return 4
	case i.State == ledgerapi.SourceConnected:
		return 2
	}
	return 1
}

// ofDeliveries are the reasons why a delivery is of no use, which say nothing of the source where others are taken.
var ofDeliveries = [...]ledgerapi.Reason{
	ledgerapi.ReasonSignatureInvalid, ledgerapi.ReasonReplayed, ledgerapi.ReasonBodyTooLarge, ledgerapi.ReasonInvalidBody,
	ledgerapi.ReasonMappingFailed, ledgerapi.ReasonInvalidEvent, ledgerapi.ReasonRateLimited,
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
