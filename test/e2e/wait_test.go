package e2e

import (
	"context"
	"testing"
	"time"
)

// patience is how long a test waits for what takes seconds on an idle machine.
const patience = time.Minute

// glance is the time between two looks at a condition.
const glance = 100 * time.Millisecond

// eventually waits until the check finds nothing wrong any more.
func eventually(t *testing.T, limit time.Duration, what string, check func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for {
		err := check(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("after %s it is not so that %s:\n%v", limit, what, err)
		case <-time.After(glance):
		}
	}
}

// throughout checks again and again for a while, and fails as soon as something is wrong.
func throughout(t *testing.T, length time.Duration, what string, check func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	for {
		// A check that the end interrupts proves nothing.
		if err := check(ctx); err != nil && ctx.Err() == nil {
			t.Fatalf("it is not so throughout that %s:\n%v", what, err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(glance):
		}
	}
}
