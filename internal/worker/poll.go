package worker

import (
	"context"
	"time"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// barrenPolls is how many polls in a row may find nothing but items that cannot be read before the
// source counts as lost: one odd item on a quiet day is no outage, a mapping that fits nothing is.
const barrenPolls = 2

// pollHealth is told how polls end.
type pollHealth interface {
	// connected is a poll that did not fail, with what there is to say of it or nil; completed that it read
	// everything.
	connected(problem *channel.Error)
	completed()
	// disconnected is a poll that failed, or found nothing that it understood.
	disconnected(failure *channel.Error)
}

// poll reads the source from time to time until ctx ends.
func (r *runner) poll(ctx context.Context, source channel.Poller, health pollHealth) {
	sink := r.newPollSink()
	failures, barren := 0, 0
	for {
		started := r.now()
		err := r.pollOnce(ctx, source, sink)
		if ctx.Err() != nil {
			return
		}
		failure := asFailure(err)
		if failure == nil {
			failures = 0
			barren = r.pollSucceeded(source, sink, health, started, err == nil, barren)
		} else {
			failures++
			r.pollFailed(sink, health, failure)
		}
		if !r.rest(ctx, r.untilNextPoll(started, source.Interval(), failures, failure), wakes(source, failure)) {
			return
		}
	}
}

// wakePause is the least time between two polls, however often a source is woken.
const wakePause = time.Second

// wakes is what may end the wait for the next poll early; nil is nothing.
func wakes(source channel.Poller, failure *channel.Error) <-chan struct{} {
	if waker, ok := source.(channel.Waker); ok && failure == nil {
		return waker.Woken()
	}
	return nil
}

// rest waits until the next poll is due or the source wakes up. It reports false when ctx ends.
func (r *runner) rest(ctx context.Context, d time.Duration, woken <-chan struct{}) bool {
	pause := min(d, wakePause)
	if woken == nil {
		pause = d
	}
	if !r.sleep(ctx, pause) || pause == d {
		return ctx.Err() == nil
	}
	select {
	case <-woken:
	case <-r.after(d - pause):
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// pollOnce is one poll, from where the ledger says if that is not known; a panic of the source is a
// failure of this channel and of no other.
func (r *runner) pollOnce(ctx context.Context, source channel.Poller, sink *pollSink) (err error) {
	defer r.recovered(&err)
	if err := sink.begin(ctx); err != nil {
		return err
	}
	return source.Poll(ctx, sink.position.cursor, sink)
}

// asFailure is what kept a poll from going on, or nil: a source that says it has more to read than one
// poll may has not failed.
func asFailure(err error) *channel.Error {
	if err == nil {
		return nil
	}
	e := asError(err)
	if e.Reason == ledgerapi.ReasonConnected {
		return nil
	}
	return e
}

// pollSucceeded notes a poll without failure and returns the number of barren polls in a row.
func (r *runner) pollSucceeded(source channel.Poller, sink *pollSink, health pollHealth, started time.Time, complete bool, barren int) int {
	problem, unusable := r.tracker.takeProblem()
	if unusable == 0 || sink.events > 0 {
		barren = 0
	} else {
		barren++
	}
	if barren >= barrenPolls {
		health.disconnected(problem)
	} else {
		health.connected(problem)
	}
	if !complete {
		r.metrics.partial.Inc()
		return barren
	}
	r.metrics.complete.Inc()
	r.tracker.succeeded(r.now())
	if barren > 0 {
		// Nothing of what was read was understood: it cannot be said to have been observed.
		return barren
	}
	if observer, ok := source.(channel.Observer); ok {
		r.tracker.observedThrough(observer.ObservedThrough())
	} else {
		r.tracker.observedThrough(started)
	}
	health.completed()
	return barren
}

// pollFailed notes a poll that did not get to its end.
func (r *runner) pollFailed(sink *pollSink, health pollHealth, failure *channel.Error) {
	r.metrics.failed.Inc()
	_, _ = r.tracker.takeProblem() // what stopped the poll says more
	if sink.conflict {
		// The other worker reads the source; this one goes on from where that one is.
		r.logger.Warn("Found the position moved by another worker")
		return
	}
	r.tracker.count(failure.Reason, 1)
	health.disconnected(failure)
}

// untilNextPoll is the wait: from start to start when all is well, else as long as failures suggest.
func (r *runner) untilNextPoll(started time.Time, interval time.Duration, failures int, failure *channel.Error) time.Duration {
	// Jitter keeps the workers of one source, started together, from asking it in step for ever.
	spread := time.Duration((r.random()*0.2 - 0.1) * float64(interval))
	wait := max(started.Add(interval+spread).Sub(r.now()), 0)
	if failure == nil {
		return wait
	}
	return r.backoff.Delay(failures, failure)
}

// recovered turns a panic into an error. What was panicked with may hold anything, so only the place
// is logged.
func (r *runner) recovered(err *error) {
	cause := recover()
	if cause == nil {
		return
	}
	r.logger.Error("Recovered from a panic of the source", "stack", stack(cause))
	*err = &channel.Error{Reason: ledgerapi.ReasonInternal, Message: "the source failed in an unexpected way; the worker's log has the place"}
}
