package postgres

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/ledger/store"
)

// TestAStoreThatStallsHoldsNobodyUp: a store that stops in the middle of an update, as a frozen process does,
// loses the lock that all others wait for, and does its own update anew when it goes on.
func TestAStoreThatStallsHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	name := database(t, server)
	stalled, other := open(t, Options{URL: server.URLAs(name, name)}), open(t, Options{URL: server.URLAs(name, name)})
	locked, goOn := make(chan struct{}), make(chan struct{})
	var attempts atomic.Int32
	done := make(chan error, 1)
	go func() {
		done <- stalled.Update(context.WithoutCancel(t.Context()), func(tx store.Tx) error {
			if err := count(t.Context(), tx, "stalled"); err != nil {
				return err
			}
			if _, err := tx.Head(t.Context()); err != nil {
				return err
			}
			if attempts.Add(1) == 1 {
				close(locked)
				<-goOn
			}
			return nil
		})
	}()
	<-locked
	// Long enough for a machine that is busy, and far from what an update would wait for a lock in all.
	waiting, cancel := context.WithTimeout(t.Context(), 45*time.Second)
	defer cancel()
	err := other.Update(waiting, func(tx store.Tx) error { return count(waiting, tx, "other") })
	close(goOn)
	if err := errors.Join(err, <-done); err != nil {
		t.Fatalf("Updating: %v", err)
	}
	if n := attempts.Load(); n != 2 {
		t.Errorf("The stalled update was tried %d times; want 2", n)
	}
	if figure, cases, _ := counted(t, other); figure != 2 || cases["stalled"] != 1 || cases["other"] != 1 {
		t.Errorf("The figure is %d and the cases are %v; want each once", figure, cases)
	}
}
