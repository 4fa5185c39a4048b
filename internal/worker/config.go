// Package worker runs the sources of one or more channels: it hands what they read to the ledger,
// keeps their cursors, holds them back when the ledger is away, and reports how they fare. It knows
// nothing of Kubernetes.
package worker

import (
	"github.com/tanggap/tanggap/api/v1alpha1"
)

// Config is what the operator renders for a worker. It holds no secret and no path of a file.
type Config struct {
	// LedgerURL is the base URL of the ledger's API.
	LedgerURL string `json:"ledgerURL"`
	// Channels that the worker hosts.
	Channels []ChannelConfig `json:"channels"`
}

// ChannelConfig is one channel of a worker.
type ChannelConfig struct {
	// Name of the channel.
	Name string `json:"name"`
	// Source as it was applied, defaults included.
	Source v1alpha1.ChannelSource `json:"source"`
	// AssumeTimeZone as in the channel's specification.
	AssumeTimeZone string `json:"assumeTimeZone,omitempty"`
}
