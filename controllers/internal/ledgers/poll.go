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
	// refreshEvery is when the whole summary is read although nothing has changed: its watermark moves
	// all the time.
	refreshEvery = 15 * time.Second
	// A reading is followed by a pause, longer for a large summary: reading it costs as much as it holds.
	// A breach is to be seen within two seconds all the same.
	pauseLeast     = 500 * time.Millisecond
	pausePerSeries = 5 * time.Microsecond
	pauseMost      = time.Second
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

// poll reads a ledger until ctx ends.
func (s *Set) poll(ctx context.Context, l *ledger, api API) {
	var after int64
	var readAt time.Time
	for ctx.Err() == nil {
		started := s.options.Now()
		if started.Sub(readAt) >= refreshEvery {
			after = 0
		}
		summary, changed, err := api.Summary(ctx, after, longPoll)
		answered := s.options.Now()
		wait := pauseLeast
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.failed(l, err)
			// A ledger that was restarted may count its changes anew.
			after, wait = 0, retryAfter
		case changed:
			after, readAt = summary.Sequence, answered
			s.read(l, summary, started, answered)
			series := len(summary.Series) + len(summary.Clocks) + len(summary.Histogram)
			wait = min(pauseLeast+time.Duration(series)*pausePerSeries, pauseMost)
		default:
			s.unchanged(l, answered)
		}
		select {
		case <-ctx.Done():
		case <-s.options.After(wait):
		}
	}
}

func (s *Set) read(l *ledger, summary *ledgerapi.Summary, asked, answered time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.summary, l.readAt, l.answeredAt, l.problem = summary, answered, answered, ""
	if l.applied != nil && l.applied.Revision != summary.Policy.Revision && asked.After(l.putAt) {
		l.applied = nil // the ledger has lost it
	}
	l.noteApplied()
	s.publish(l)
}

func (s *Set) unchanged(l *ledger, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.answeredAt, l.problem = at, ""
	s.publish(l)
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
