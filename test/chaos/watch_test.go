package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/test/site"
)

// guard reads from the storage which ledger moves the watermark. One of them does, and another only when that
// one has been silent.
type guard struct {
	mu     sync.Mutex
	latest watch
	broken error
}

// watch is the setting in which the ledger that watches says so.
type watch struct {
	Holder    string `json:"holder"`
	Watermark int64  `json:"watermark"` // in microseconds since 1970
	revision  int64
}

// keepGuard reads until the test ends.
func (w *world) keepGuard(t *testing.T) {
	t.Helper()
	s, err := w.storage.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.guard = &guard{}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var reading sync.WaitGroup
	t.Cleanup(func() { stop(); reading.Wait(); _ = s.Close() })
	reading.Go(func() {
		for site.Pause(ctx, 50*time.Millisecond) {
			if now, err := readWatch(ctx, s); err == nil && now.revision > 0 { // the database may be down
				w.guard.see(now)
			}
		}
	})
}

func readWatch(ctx context.Context, s store.Store) (now watch, err error) {
	err = s.View(ctx, func(r store.Reader) error {
		settings, err := r.Settings(ctx, 0)
		if err != nil {
			return err
		}
		for _, one := range settings {
			if one.Name == "watch" {
				now.revision = one.Revision
				return json.Unmarshal(one.Value, &now)
			}
		}
		return nil
	})
	return now, err
}

func (g *guard) see(now watch) {
	g.mu.Lock()
	defer g.mu.Unlock()
	before := g.latest
	g.latest = now
	silent := time.Duration(now.Watermark-before.Watermark) * time.Microsecond
	switch {
	case g.broken != nil || before.revision == 0:
	case silent < 0 || now.revision < before.revision:
		g.broken = fmt.Errorf("the watermark went back by %s, from revision %d to %d", -silent, before.revision, now.revision)
	case now.Holder != before.Holder && before.Holder != "" && silent < takeOver/2:
		// Half of it, as a transaction's instant may be one before the moment at which it looks at the clock.
		g.broken = fmt.Errorf("a second ledger moved the watermark %s after the first", silent)
	}
}

func (g *guard) state() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.broken
}

// watched checks that exactly one ledger watches, and that due instants have been looked at: by every ledger's
// account each complaint to 112 that nobody has answered is overdue.
func (w *world) watched(ctx context.Context, overdue int64) error {
	if _, err := w.watching(ctx, nobody); err != nil {
		return err
	}
	for i := range w.replicas {
		if err := w.overdue(ctx, i, overdue); err != nil {
			return err
		}
	}
	if w.guard == nil {
		return nil
	}
	return w.guard.state()
}

// overdue waits until a ledger says that so many are.
func (w *world) overdue(ctx context.Context, i int, want int64) error {
	began := time.Now()
	for {
		n := int64(0)
		summary, err := w.operator(i).Summary(ctx, ledgerapi.Position{}, 0)
		if err == nil {
			for k := range summary.Clocks {
				if c := &summary.Clocks[k]; c.Channel == callChannel && c.Clock == callClock {
					n += c.Overdue
				}
			}
			if n == want && summary.Watermark.After(began) {
				return nil
			}
		}
		if time.Since(began) > patience {
			return errors.Join(fmt.Errorf("a ledger says that %d are overdue, of %d that are", n, want), err)
		}
		if !site.Pause(ctx, 20*time.Millisecond) {
			return ctx.Err()
		}
	}
}
