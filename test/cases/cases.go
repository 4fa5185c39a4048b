// Package cases has a real ledger make cases of the events of a channel, for the tests of sources.
package cases

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/store/sqlite"
	"github.com/tanggap/tanggap/internal/policy"
)

// channel is the one that the events are of.
const channel = "city"

// Of are the cases, in the order of their identifiers, that a ledger makes of batches of events which it
// takes at an instant. An event that it refuses fails the test.
func Of(t *testing.T, now time.Time, batches ...[]complaint.Event) []ledgerapi.Case {
	t.Helper()
	opened := open(t, now)
	document := policy.Document{Channels: map[string]policy.Channel{channel: {Type: "rest", Writer: "system:serviceaccount:depok:worker"}}}
	if _, err := opened.PutPolicy(t.Context(), document.Seal()); err != nil {
		t.Fatal(err)
	}
	for _, batch := range batches {
		events := make([]complaint.Event, len(batch))
		for i, e := range batch {
			e.Channel = channel
			events[i] = e
		}
		response, err := opened.Append(t.Context(), channel, ledgerapi.AppendRequest{Events: events})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range response.Rejected {
			t.Errorf("event %d was refused: %s", r.Index, r.Message)
		}
	}
	list, err := opened.Cases(t.Context(), ledger.CaseQuery{Channel: channel})
	if err != nil {
		t.Fatal(err)
	}
	return list.Cases
}

// open opens an empty ledger that ends with the test.
func open(t *testing.T, now time.Time) *ledger.Ledger {
	t.Helper()
	store, err := sqlite.Open(t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(key, []byte("0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	names, err := ledger.ReadPseudonymKeys(key)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := ledger.Open(t.Context(), ledger.Options{Store: store, Pseudonyms: names, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); opened.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return opened
}
