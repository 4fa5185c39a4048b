package ledger

import (
	"context"
	"slices"

	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// maxInstanceBytes bounds the name of a worker's life.
const maxInstanceBytes = 128

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
	case !slices.Contains(ledgerapi.Reasons(), said.Reason):
		return refuse(Invalid, "reason: must be one of %v", ledgerapi.Reasons())
	}
	return l.do(ctx, &request{channel: channel, report: &said, bytes: requestBytes + len(said.Message)})
}
