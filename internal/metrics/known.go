package metrics

import (
	"time"

	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

const (
	// ReadTimeout is how long a ledger may go without an answer before its figures count as unknown.
	ReadTimeout = 5 * time.Second
	// ReportTimeout is how long a worker may go without a report before its channel's figures count as
	// unknown; it reports every ten seconds.
	ReportTimeout = 2 * time.Minute
)

// Reported says whether the channel's worker had reported within ReportTimeout at an instant of the
// ledger's clock.
func Reported(channel ledgerapi.ChannelSummary, at time.Time) bool {
	return channel.ReportedAt != nil && at.Sub(*channel.ReportedAt) <= ReportTimeout
}

// FiguresKnown says whether the figures of a channel's complaints can be relied on at that instant. A
// suspended channel is not read, and its backlog is what the ledger has of it.
func FiguresKnown(channel ledgerapi.ChannelSummary, suspended bool, at time.Time) bool {
	if suspended {
		return channel.ReportedAt != nil
	}
	return Reported(channel, at)
}

// LedgerTime is the ledger's clock now, for a summary that was read at an instant of the own clock.
func LedgerTime(summary *ledgerapi.Summary, readAt, now time.Time) time.Time {
	return summary.At.Add(now.Sub(readAt))
}
