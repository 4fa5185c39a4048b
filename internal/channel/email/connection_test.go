package email

import (
	"context"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/simulator/email"
)

// TestAStalledConnectionHoldsNobodyUpWhoStops: neither a poll that is called off nor the end of the source.
func TestAStalledConnectionHoldsNobodyUpWhoStops(t *testing.T) {
	for name, capabilities := range map[string][]imap.Cap{"in the middle of IDLE": nil, "without IDLE": {imap.CapSpecialUse}} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, email.Options{Capabilities: capabilities})
			r.polled()
			r.server.Stall()
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			stopped := make(chan struct{})
			go func() {
				defer close(stopped)
				_ = r.source.(channel.Poller).Poll(ctx, r.ledger.Cursor(), r.ledger) // it says that it was called off
			}()
			r.within(stopped)

			r.polled()
			r.server.Stall()
			closed := make(chan struct{})
			go func() {
				defer close(closed)
				_ = r.source.Close() // there is nothing to be lost
			}()
			r.within(closed)
			r.source = nil
		})
	}
}

// within waits for what has to be soon.
func (r *rig) within(done <-chan struct{}) {
	r.t.Helper()
	select {
	case <-done:
	case <-time.After(20 * time.Second): // silence is two minutes
		r.t.Fatal("it waited for the server")
	}
}

// TestFlagsThatAreToldInBetweenHideNoMessage: neither while messages are listed nor while they are read.
func TestFlagsThatAreToldInBetweenHideNoMessage(t *testing.T) {
	for fetch := range 2 {
		r := newRig(t, email.Options{})
		r.server.Arrive(question(1), monday)
		r.server.Arrive(question(2), monday)
		r.server.FlagBefore(fetch)
		r.polled()
		if got := r.ledger.IDs(); len(got) != 2 || len(r.ledger.Messages()) > 0 {
			t.Errorf("fetch %d: got %v and %q", fetch, got, r.ledger.Messages())
		}
	}
}
