package ledger

import (
	"context"
	"maps"
	"slices"

	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// maxInstanceBytes bounds the name of a worker's life.
const maxInstanceBytes = 128

// maxCounter bounds what a worker has counted in its life: what is added up stays far from what a store can hold, past
// which no report would be taken any more.
const maxCounter int64 = 1 << 40

// Report takes over how a channel's source fares.
func (l *Ledger) Report(ctx context.Context, channel string, said ledgerapi.Report) error {
	l.mu.RLock()
	known := l.policy.Channel(channel) != nil
	l.mu.RUnlock()
	switch {
	case !known:
		return unknownChannel()
	case said.Instance == "" || len(said.Instance) > maxInstanceBytes:
		return refuse(Invalid, "instance: must have 1 to %d bytes", maxInstanceBytes)
	case !slices.Contains(ledgerapi.SourceStates(), said.State):
		return refuse(Invalid, "state: must be one of %v", ledgerapi.SourceStates())
	}
	if !slices.Contains(ledgerapi.Reasons(), said.Reason) {
		said.Reason = ledgerapi.ReasonInternal // a newer worker's; its Message says more
	}
	for _, counted := range []struct {
		name   string
		values []int64
	}{
		{"rejected", []int64{said.Rejected}}, {"skipped", []int64{said.Skipped}}, {"errors", slices.Collect(maps.Values(said.Errors))},
	} {
		if slices.ContainsFunc(counted.values, func(n int64) bool { return n < 0 || n > maxCounter }) {
			return refuse(Invalid, "%s: must be 0 to %d", counted.name, maxCounter)
		}
	}
	return l.do(ctx, &request{channel: channel, report: &said, bytes: requestBytes + len(said.Message)})
}
