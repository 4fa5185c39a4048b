package ledger

import (
	"context"
	"time"

	"github.com/tanggap/tanggap/internal/ledger/store"
)

const (
	// tick is how often due instants are looked at, so that a breach is in the summary within a second.
	tick = 500 * time.Millisecond
	// retentionEvery is how often expired content is looked for.
	retentionEvery = time.Minute
	// maintenanceCases bounds the cases of one step, so that appends never wait for long.
	maintenanceCases = 200
	// expireSteps is how many steps of expiring are done between two ticks, which they must not delay.
	expireSteps = 10
)

// Maintain advances the ledger twice a second, and expires content every minute, until ctx ends.
// Of several replicas on a storage one does, and another when that one falls silent.
func (l *Ledger) Maintain(ctx context.Context) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	defer l.resign(ctx)
	var expired time.Time
	for {
		l.maintain(ctx, &expired)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// maintain does what a tick is for, and of what can wait no more than delays the next one little. expired is when
// all that was expired was last found to be gone.
func (l *Ledger) maintain(ctx context.Context, expired *time.Time) {
	l.mu.RLock()
	leads := l.leads()
	l.mu.RUnlock()
	if !leads {
		return
	}
	// What failed was logged when it failed, and is tried again.
	_ = l.advance(ctx, l.leads)
	if now := l.now(); now.Sub(*expired) >= retentionEvery {
		if more, _ := l.expireSome(ctx, expireSteps); !more {
			*expired = now
		}
	}
	_, _ = l.sweepSome(ctx, sweepSteps)
}

// Advance judges the cases that time has changed, those whose verdicts became final as their sources
// were observed further, and those that a new policy concerns, until there is nothing left to do. It
// goes in small steps, between which appends have their turn.
func (l *Ledger) Advance(ctx context.Context) error {
	return l.advance(ctx, func() bool { return true })
}

// advance does so while leads says so, which is asked within each transaction: of two replicas that both
// want to take over, the second finds that the first has.
func (l *Ledger) advance(ctx context.Context, leads func() bool) error {
	for {
		more := false
		step := func(ctx context.Context, t *transaction) (err error) {
			if more = false; leads() {
				more, err = t.advance(ctx, maintenanceCases)
			}
			return err
		}
		if err := l.do(ctx, &request{job: step}); err != nil || !more {
			return err
		}
	}
}

// advance does one step and reports whether there may be more.
func (t *transaction) advance(ctx context.Context, limit int) (more bool, err error) {
	if t.compiled() == nil {
		return false, nil // nothing can be judged
	}
	due, err := t.tx.Due(ctx, t.at, limit)
	if err != nil {
		return false, err
	}
	if err := t.rejudge(ctx, due); err != nil {
		return false, err
	}
	if len(due) == limit {
		return true, nil
	}
	t.looked = true
	left := limit - len(due)
	observed := make([]store.Observed, 0, len(t.before.advanced))
	for _, channel := range sortedNames(t.before.advanced) {
		observed = append(observed, store.Observed{Channel: channel, Through: t.observedThrough(channel)})
	}
	if len(observed) > 0 {
		unfinal, err := t.tx.Unfinal(ctx, observed, left)
		if err != nil {
			return false, err
		}
		if err := t.rejudge(ctx, unfinal); err != nil {
			return false, err
		}
		if left -= len(unfinal); left <= 0 {
			return true, nil
		}
		t.settled = observed
	}
	if err := t.rederiveSome(ctx, left); err != nil {
		return false, err
	}
	_, more = t.rederivation().next()
	return more, nil
}

// Expire clears the content of cases whose time has come, and ends replies likewise, in small steps. Maintain
// does so little by little.
func (l *Ledger) Expire(ctx context.Context) error {
	for {
		if more, err := l.expireSome(ctx, expireSteps); err != nil || !more {
			return err
		}
	}
}

// expireSome does some steps.
func (l *Ledger) expireSome(ctx context.Context, steps int) (more bool, err error) {
	for range steps {
		step := func(ctx context.Context, t *transaction) (err error) {
			if more, err = t.expire(ctx, maintenanceCases); err != nil || more {
				return err
			}
			more, err = t.tidyReplies(ctx, maintenanceCases)
			return err
		}
		if err := l.do(ctx, &request{job: step}); err != nil || !more {
			return false, err
		}
	}
	return true, nil
}

func (t *transaction) expire(ctx context.Context, limit int) (more bool, err error) {
	p := t.compiled()
	if p == nil {
		return false, nil
	}
	for _, part := range []struct {
		content store.Content
		after   time.Duration
	}{{store.ContentText, p.Retention.Content}, {store.ContentHandles, p.Retention.Handles}} {
		if part.after < 0 {
			continue
		}
		cases, err := t.tx.Expired(ctx, part.content, t.at.Add(-part.after), limit)
		if err != nil {
			return false, err
		}
		if err := t.clear(ctx, cases, part.content); err != nil {
			return false, err
		}
		more = more || len(cases) == limit
	}
	return more, nil
}

// clear takes content from all events of the cases. What was judged by it stays as it is.
func (t *transaction) clear(ctx context.Context, cases []store.Case, content store.Content) error {
	return store.EachPortion(ctx, t.tx, cases, func(some []store.Case, events [][]store.Event) error {
		var cleared []store.Event
		states := make([]*caseState, len(some))
		for i := range some {
			state, err := load(&some[i])
			if err != nil {
				return err
			}
			rules := t.lastRules(some[i].Channel)
			ruled := state.ruled(rules, events[i], state.record.Kept)
			for j := range events[i] {
				if e := &events[i][j]; strip(rules, e, content) {
					cleared = append(cleared, *e)
				}
			}
			state.keepRule(rules, ruled, events[i])
			state.row.Holds = holds(events[i])
			states[i] = state
		}
		if err := t.tx.ReplaceEvents(ctx, cleared); err != nil {
			return err
		}
		return t.put(ctx, states)
	})
}
