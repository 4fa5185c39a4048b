package ledger

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

// stats count what the ledger itself does, since it started.
type stats struct {
	commits, requests, failures atomic.Int64
	waiting, catchUps           atomic.Int64
	commitNanos                 atomic.Int64
}

// Stats are figures of the ledger's own work since it started.
type Stats struct {
	// Commits are transactions, Requests what they did, Failures what was refused by the storage.
	Commits, Requests, Failures int64
	// Waiting is how many requests are in the queue or in the transaction that runs now.
	Waiting int64
	// Committing is the time spent in transactions.
	Committing time.Duration
	// CatchUps is how often there was something that another replica had committed.
	CatchUps int64
	// Revision is the latest transaction of the storage that is known, Watches whether this replica is the
	// one that looks at due instants.
	Revision int64
	Watches  bool
}

// Stats are the figures now.
func (l *Ledger) Stats() Stats {
	l.mu.RLock()
	revision, watches := l.revision, !l.shared || l.watch.Holder == l.life
	l.mu.RUnlock()
	return Stats{
		Revision: revision, Watches: watches, CatchUps: l.stats.catchUps.Load(),
		Commits: l.stats.commits.Load(), Requests: l.stats.requests.Load(), Failures: l.stats.failures.Load(),
		Waiting:    l.stats.waiting.Load(),
		Committing: time.Duration(l.stats.commitNanos.Load()),
	}
}

// commit does a group of requests in one transaction. When it fails, and not for a reason that would
// meet each of them, each is tried alone, so that one that cannot be done does not harm the others.
func (l *Ledger) commit(ctx context.Context, group []*request) {
	wrote, err := l.attempt(ctx, group)
	if err == nil || len(group) == 1 || storageWide(err) {
		l.finish(group, wrote, err)
		return
	}
	for _, r := range group {
		wrote, err := l.attempt(ctx, []*request{r})
		l.finish([]*request{r}, wrote, err)
	}
}

func (l *Ledger) finish(group []*request, wrote bool, err error) {
	l.noteTrouble(wrote, err)
	l.stats.requests.Add(int64(len(group)))
	for _, r := range group {
		if err != nil {
			r.err = unavailable(err)
			l.stats.failures.Add(1)
		}
		l.stats.waiting.Add(-1)
		close(r.done)
	}
}

// attempt does the group in one transaction and, when it is committed, in the mirror. It says whether anything was written.
func (l *Ledger) attempt(ctx context.Context, group []*request) (wrote bool, err error) {
	started := time.Now()
	defer func() {
		l.stats.commitNanos.Add(int64(time.Since(started)))
		if p := recover(); p != nil {
			// A mistake of the program, met by what somebody sent: the request fails, the ledger goes on. What
			// was panicked with is not logged, as content may stand in it.
			l.log.Error("Panicked in a transaction", "kind", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			err = errors.New("a mistake of the program")
		}
	}()
	var t *transaction
	err = l.store.Update(ctx, func(tx store.Tx) error {
		for _, r := range group {
			r.err = nil
		}
		if err := l.catchUp(ctx, tx); err != nil {
			return err
		}
		t = newTransaction(tx, &l.mirror, l.instant())
		t.life, t.lost, t.shared, t.names, t.own = l.life, l.lostRevision, l.shared, l.pseudonyms, l.own
		return t.run(ctx, group)
	})
	if err != nil {
		return false, err
	}
	l.stats.commits.Add(1)
	l.apply(t)
	l.noteTime()
	return t.tx.wrote, nil
}

// instant is now, and never before an instant at which anything was judged. Only the holder of the
// queue changes the latter, and so may read it.
func (l *Ledger) instant() time.Time {
	now := l.now().UTC().Truncate(time.Microsecond)
	if now.Before(l.latest) {
		return l.latest
	}
	return now
}

// noteTime logs when time begins to stand still, as something was judged at an instant that the clock is far from having
// reached, and when it goes on. Until then nothing becomes due.
func (l *Ledger) noteTime() {
	now := l.now()
	still := l.latest.Sub(now) > complaint.MaxClockDifference
	if still == l.still {
		return
	}
	l.still = still
	if still {
		l.log.Error("Time stands still until the clock reaches the instant at which the ledger last judged: one of the two is wrong",
			"judged", l.latest, "clock", now.UTC(), "ahead", l.latest.Sub(now).Round(time.Second).String())
		return
	}
	l.log.Info("Time goes on, as the clock has all but reached the instant at which the ledger last judged", "judged", l.latest, "clock", now.UTC())
}

// apply brings the mirror to what was committed.
func (l *Ledger) apply(t *transaction) {
	l.mu.Lock()
	defer l.mu.Unlock()
	visible := l.visible
	l.mirror.apply(t)
	if t.watch != nil {
		l.watchedAt = l.now()
	}
	if l.visible != visible {
		l.wake()
	}
}

// wake wakes who waits for something new to show. The caller holds mu.
func (l *Ledger) wake() {
	close(l.grown)
	l.grown = make(chan struct{})
}

// noteTrouble remembers whether the store takes what it is given, and logs when that changes. A transaction that writes
// nothing needs no room, and tells nothing of it.
func (l *Ledger) noteTrouble(wrote bool, err error) {
	l.mu.Lock()
	before := l.trouble
	if err == nil && !wrote && errors.Is(before, store.ErrFull) {
		err = before
	}
	l.trouble = err
	l.mu.Unlock()
	switch {
	case err != nil && before == nil:
		l.log.Error("Could not store", "error", err)
	case err == nil && before != nil:
		l.log.Info("Stored again after a failure")
	}
}
