package ledgers

import (
	"context"
	"errors"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/tanggap/tanggap/internal/ledger/client"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/metrics"
)

const (
	// longPoll is how long the ledger may hold a request while nothing changes. It is short enough that a
	// ledger which has nothing to say is heard of within metrics.ReadTimeout.
	longPoll = 2 * time.Second
	// requestTimeout is for one request, longPoll not included.
	requestTimeout = 4 * time.Second
	// pause is what follows an answer: what changes meanwhile comes together. A breach is to be seen within
	// a second of its due instant.
	pause = 500 * time.Millisecond
	// retryAfter is the time between two attempts at a ledger that does not answer.
	retryAfter = time.Second
)

// startPolling begins to read a ledger, once the Set runs.
func (s *Set) startPolling(l *ledger) {
	if s.running == nil || s.running.Err() != nil {
		return
	}
	ctx, stop := context.WithCancel(s.running)
	l.stop = stop
	api := l.api
	s.pollers.Go(func() {
		defer api.CloseIdleConnections()
		s.poll(ctx, l, api)
	})
}

func (s *Set) stopPolling(l *ledger) {
	if l.stop != nil {
		l.stop()
		l.stop = nil
	}
}

// poll reads a ledger until ctx ends: everything at first, then what has changed. Whichever replica
// answers, and after a restart too, the ledger tells from the position whether changes are enough.
func (s *Set) poll(ctx context.Context, l *ledger, api API) {
	s.mu.Lock()
	after := l.read.Position()
	s.mu.Unlock()
	for ctx.Err() == nil {
		started := s.options.Now()
		summary, err := api.Summary(ctx, after, longPoll)
		answered := s.options.Now()
		wait := pause
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.failed(l, err)
			wait = retryAfter
		default:
			after = s.take(l, summary, started, answered)
		}
		select {
		case <-ctx.Done():
		case <-s.options.After(wait):
		}
	}
}

// take takes an answer over and returns what to go on after.
func (s *Set) take(l *ledger, summary *ledgerapi.Summary, asked, answered time.Time) ledgerapi.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := l.read.Apply(summary); err != nil {
		// What was known stays until everything is read, which is next.
		s.options.Logger.Error(err, "Failed to follow a ledger", "namespace", l.key.Namespace, "ledger", l.key.Name)
		return ledgerapi.Position{}
	}
	l.summary, l.answeredAt, l.problem = l.read.Latest(), answered, ""
	if l.applied != nil && l.applied.Revision != l.summary.Policy.Revision && asked.After(l.putAt) {
		l.applied = nil // the ledger has lost it
	}
	l.noteApplied()
	s.publish(l)
	return l.read.Position()
}

func (s *Set) failed(l *ledger, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if problem := describe(err); problem != l.problem {
		s.options.Logger.Info("Failed to read a ledger", "namespace", l.key.Namespace, "ledger", l.key.Name, "reason", err.Error())
		l.problem = problem
	}
	s.publish(l)
}

// describe says why a ledger could not be read, in a sentence that stays the same while the cause does.
func describe(err error) string {
	var refusal *client.Error
	switch {
	case errors.As(err, &refusal) && (refusal.Status == http.StatusUnauthorized || refusal.Status == http.StatusForbidden):
		return "The ledger refuses the operator's certificate."
	case errors.As(err, &refusal):
		return "The ledger answers with an error: " + http.StatusText(refusal.Status) + "."
	case errors.Is(err, context.DeadlineExceeded):
		return "The ledger does not answer in time."
	}
	return "The ledger cannot be reached."
}

func (l *ledger) up(now time.Time) bool {
	return l.summary != nil && now.Sub(l.answeredAt) <= metrics.ReadTimeout
}

// publish brings what the statuses show up to date and wakes whom it concerns. A poller that has been
// replaced may still come by; the newest one comes again.
func (s *Set) publish(l *ledger) {
	if s.known[l.key] != l {
		return
	}
	now := s.options.Now()
	if l.summary == nil && l.problem == "" {
		return // nothing has been heard yet, neither well nor ill
	}
	view := l.ledgerView(now)
	before, ok := s.shown.ledgers[l.key]
	if !ok || before.view != view && (!before.view.sameState(view) || now.Sub(before.at) >= figuresEvery) {
		s.shown.ledgers[l.key] = published[LedgerView]{view: view, at: now}
		s.Ledgers.Wake(l.key)
	}
	s.publishParts(l, now)
}

// publishParts does so for what the ledger's policy names.
func (s *Set) publishParts(l *ledger, now time.Time) {
	if l.summary == nil && l.policy != nil && now.Sub(l.connectedAt) < patience {
		// An operator that has just started does not know yet; what the statuses say may well be so still.
		return
	}
	s.Channels.Wake(publishOf(s.shown.channels, l, l.channelViews(now), now)...)
	slas, calendars, taxonomies := l.policyViews()
	// A policy that was taken over changes the readiness of all that it holds.
	s.SLAs.Wake(publishOf(s.shown.slas, l, slas, now)...)
	s.Calendars.Wake(publishOf(s.shown.calendars, l, calendars, now)...)
	s.Taxonomies.Wake(publishOf(s.shown.taxonomies, l, taxonomies, now)...)
}

// publishOf publishes one kind of one ledger's views; a ledger without any is dropped.
func publishOf[V view[V]](shown map[types.NamespacedName]map[types.NamespacedName]published[V], l *ledger, views map[types.NamespacedName]V, now time.Time) []types.NamespacedName {
	of := shown[l.key]
	if of == nil {
		of = map[types.NamespacedName]published[V]{}
		shown[l.key] = of
	}
	changed := publish(of, views, now)
	if len(of) == 0 {
		delete(shown, l.key)
	}
	return changed
}
