package chaos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/ledger/client"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/test/site"
)

// follower reads the stream of changes, as the operator does, from whichever ledger it happens to ask. What it
// is told must never go backwards.
type follower struct {
	ask func() *client.Client

	mu   sync.Mutex
	view ledgerapi.View
	// latest is what it knows; broken is the first answer that was not to be.
	latest *ledgerapi.Summary
	broken error
}

// follow starts a follower by the address that the worker uses, and one that asks the ledgers by turns.
func (w *world) follow(t *testing.T) {
	t.Helper()
	through, err := w.site.OperatorAt(w.between.address())
	if err != nil {
		t.Fatal(err)
	}
	direct := make([]*client.Client, len(w.replicas))
	for i, p := range w.replicas {
		if direct[i], err = w.site.OperatorAt(p.address()); err != nil {
			t.Fatal(err)
		}
	}
	turn := 0
	w.followers = []*follower{
		{ask: func() *client.Client { return through }},
		{ask: func() *client.Client { turn++; return direct[turn%len(direct)] }},
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var following sync.WaitGroup
	t.Cleanup(func() {
		stop()
		following.Wait()
		through.CloseIdleConnections()
		for _, c := range direct {
			c.CloseIdleConnections()
		}
	})
	for _, f := range w.followers {
		following.Go(func() { f.run(ctx) })
	}
}

// run follows until ctx ends. An answer that does not come is none: things fail.
func (f *follower) run(ctx context.Context) {
	for ctx.Err() == nil {
		asking, cancel := context.WithTimeout(ctx, 2*time.Second)
		summary, err := f.ask().Summary(asking, f.view.Position(), 200*time.Millisecond)
		cancel()
		if err == nil {
			f.take(summary)
		}
		if !site.Pause(ctx, 10*time.Millisecond) {
			return
		}
	}
}

func (f *follower) take(s *ledgerapi.Summary) {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.view.Apply(s)
	now := f.view.Summary()
	if err = errors.Join(err, backwards(f.latest, now)); err != nil && f.broken == nil {
		f.broken = err
	}
	f.latest = now
}

func (f *follower) state() (*ledgerapi.Summary, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.latest, f.broken
}

// backwards is an error when anything that only grows has become less.
func backwards(before, after *ledgerapi.Summary) error {
	if before == nil {
		return nil
	}
	if after.Sequence < before.Sequence {
		return fmt.Errorf("a follower was led from revision %d back to %d", before.Sequence, after.Sequence)
	}
	now := counters(after)
	for name, was := range counters(before) {
		if now[name] < was {
			return fmt.Errorf("a follower was told that %s is %d, and at revision %d after %d that it is %d", name, was, after.Sequence, before.Sequence, now[name])
		}
	}
	return nil
}

// counters are the figures of a summary that only grow.
func counters(s *ledgerapi.Summary) map[string]int64 {
	all := map[string]int64{}
	for name, c := range s.Channels {
		for counter, n := range map[string]int64{
			"accepted": c.Accepted, "duplicate": c.Duplicate, "rejected": c.Rejected, "received": c.Received, "answered": c.Answered,
		} {
			all[name+" "+counter] = n
		}
	}
	for i := range s.Clocks {
		c := &s.Clocks[i]
		name := fmt.Sprint(c.Channel, c.Dimensions, c.Clock)
		all[name+" met"], all[name+" breached"], all[name+" cancelled"] = c.Met, c.Breached, c.Cancelled
	}
	return all
}

// followed checks that the followers were never led astray, and know at last what a ledger knows.
func (w *world) followed(ctx context.Context) error {
	for _, f := range w.followers {
		var difference string
		for began := time.Now(); ; {
			whole, err := w.operator(0).Summary(ctx, ledgerapi.Position{}, 0)
			if err != nil && !client.Retryable(err) {
				return err
			}
			known, broken := f.state()
			if broken != nil {
				return broken
			}
			if err == nil && known != nil && known.Position == whole.Position {
				if difference = gocmp.Diff(shown(whole), shown(known)); difference == "" {
					break
				}
			}
			if time.Since(began) > patience {
				return fmt.Errorf("a follower does not come to know what a ledger knows (-ledger +follower): %s", difference)
			}
			if !site.Pause(ctx, 5*time.Millisecond) {
				return ctx.Err()
			}
		}
	}
	return nil
}

// figures are what a summary shows.
type figures struct {
	Series   []ledgerapi.Series
	Clocks   []ledgerapi.ClockSeries
	Accepted map[string]int64
}

func shown(s *ledgerapi.Summary) figures {
	f := figures{Series: slices.Clone(s.Series), Clocks: slices.Clone(s.Clocks), Accepted: map[string]int64{}}
	for name := range maps.Keys(s.Channels) {
		f.Accepted[name] = s.Channels[name].Accepted
	}
	slices.SortFunc(f.Series, func(a, b ledgerapi.Series) int {
		return cmp.Or(cmp.Compare(a.Channel, b.Channel), cmp.Compare(fmt.Sprint(a.Dimensions), fmt.Sprint(b.Dimensions)))
	})
	slices.SortFunc(f.Clocks, func(a, b ledgerapi.ClockSeries) int {
		return cmp.Or(cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Clock, b.Clock), cmp.Compare(fmt.Sprint(a.Dimensions), fmt.Sprint(b.Dimensions)))
	})
	return f
}
