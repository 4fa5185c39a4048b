package chaos

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger"
	"github.com/tanggap/tanggap/internal/ledger/client"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/test/site"
)

// count is what a check found.
type count struct{ events, lost, doubled, differences int }

// check reads the storage: what was acknowledged is there once, there is nothing that nobody sent, and every
// figure equals a recount.
func (w *world) check(ctx context.Context) (count, error) {
	s, err := w.storage.open(ctx)
	if err != nil {
		return count{}, fmt.Errorf("opening the storage: %w", err)
	}
	defer func() { _ = s.Close() }()
	differences, err := ledger.Verify(ctx, s, nil)
	if err != nil {
		return count{}, err
	}
	c := count{differences: len(differences)}
	var faults []string
	for _, d := range differences {
		faults = append(faults, d.String())
	}
	stored := map[string]int{}
	if err := eachEvent(ctx, s, func(e *store.Event) {
		stored[e.CaseID+" "+string(e.Kind)]++
		c.events++
		if !w.attempted(e.CaseID) {
			faults = append(faults, fmt.Sprintf("the case %s is there, and nobody sent it", e.CaseID))
		}
	}); err != nil {
		return c, err
	}
	for e, n := range stored {
		if n > 1 {
			c.doubled++
			faults = append(faults, fmt.Sprintf("%s is there %d times", e, n))
		}
	}
	for _, s := range w.senders {
		for e := range s.acknowledged {
			if stored[e] == 0 {
				c.lost++
				faults = append(faults, fmt.Sprintf("%s was acknowledged and is not there", e))
			}
		}
	}
	for i := range w.replicas {
		if err := w.countedByLedger(ctx, i, c.events); err != nil {
			faults = append(faults, err.Error())
		}
	}
	if err := errors.Join(w.watched(ctx, int64(calls(stored, complaint.KindReceived)-calls(stored, complaint.KindAnswered))), w.followed(ctx)); err != nil {
		faults = append(faults, err.Error())
	}
	if len(faults) > 0 {
		const most = 20
		return c, fmt.Errorf("%d faults, the first of them: %q", len(faults), faults[:min(most, len(faults))])
	}
	return c, nil
}

// calls are the events of a kind that came by 112.
func calls(stored map[string]int, kind complaint.Kind) (n int) {
	for e := range stored {
		if strings.HasPrefix(e, callChannel+"-") && strings.HasSuffix(e, " "+string(kind)) {
			n++
		}
	}
	return n
}

// countedByLedger compares what a ledger itself says with the events that are stored. A worker that was
// killed may have left it something to do, so that it has a moment.
func (w *world) countedByLedger(ctx context.Context, i, events int) error {
	deadline := time.Now().Add(10 * time.Second)
	for {
		summary, err := w.operator(i).Summary(ctx, ledgerapi.Position{}, 0)
		if err != nil && !client.Retryable(err) {
			return err
		}
		var accepted int64
		if err == nil {
			for _, channel := range channels {
				accepted += summary.Channels[channel].Accepted
			}
		}
		if accepted == int64(events) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the ledger has counted %d events, and %d are stored", accepted, events)
		}
		if !site.Pause(ctx, 10*time.Millisecond) {
			return ctx.Err()
		}
	}
}

func (w *world) attempted(caseID string) bool {
	for _, s := range w.senders {
		if s.attempted[caseID] {
			return true
		}
	}
	return false
}

// eachEvent calls f with every event of a storage.
func eachEvent(ctx context.Context, s store.Store, f func(*store.Event)) error {
	return s.View(ctx, func(r store.Reader) error {
		query := store.PageQuery{Limit: 1000, Scan: 1000}
		for {
			cases, next, err := r.Page(ctx, query)
			if err != nil {
				return err
			}
			keys := make([]complaint.CaseKey, len(cases))
			for i := range cases {
				keys[i] = cases[i].CaseKey
			}
			lists, err := r.Events(ctx, keys)
			if err != nil {
				return err
			}
			for _, events := range lists {
				for i := range events {
					f(&events[i])
				}
			}
			if query.After = next; next == nil {
				return nil
			}
		}
	})
}
