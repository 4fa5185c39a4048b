package worker

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/fetch"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// Bounds of what waits for the ledger, per channel.
const (
	// deliveryPatience is how long a delivery waits for the ledger before its platform is told to come
	// again: most platforms give up on an answer after 10 to 30 s.
	deliveryPatience = 5 * time.Second
	// attemptTimeout is the least that an attempt is given.
	attemptTimeout = time.Second
	// maxQueued are the deliveries, maxQueuedBytes their memory.
	maxQueued      = 4096
	maxQueuedBytes = 32 << 20
	// maxRequests are under way at once: the ledger reads the second while it stores the first, and takes both into one
	// transaction where both wait. The second has as many deliveries as the one before it, so that requests do not become
	// ever smaller, and no fewer than few, which would cost more than they spare.
	maxRequests = 2
	few         = 4
	// comeAgain is what a deliverer is asked to wait.
	comeAgain = 5 * time.Second
)

// pushSink takes what a source that is delivered to was given. All deliveries that wait travel in one
// append (group commit without a timer): when none is under way, the next one takes whatever has come
// in the meantime, and before that once as many have as are under way. While the ledger is away it fails soon, for the platform
// has the delivery and will send it again.
type pushSink struct {
	channel string
	ledger  Ledger
	tracker *tracker
	health  *pushHealth
	metrics *channelMetrics
	backoff fetch.Backoff
	now     func() time.Time
	sleep   func(context.Context, time.Duration) bool

	// wake has a token while queue may have deliveries.
	wake chan struct{}

	mu     sync.Mutex
	queue  []*delivery
	bytes  int
	closed bool
	// requests are those under way, and latest is how many deliveries the latest of them has.
	requests, latest int
}

// delivery is what one Append waits for.
type delivery struct {
	events []complaint.Event
	// places are the events' places in what was given to Append.
	places   []int
	bytes    int
	weight   int // encodedBound of all
	deadline time.Time
	// done gets what became of it: refused is set where err is nil.
	done    chan struct{}
	refused []refusal
	err     error
}

// Append implements channel.Sink.
func (s *pushSink) Append(ctx context.Context, batch channel.Batch) error {
	events, places, refused := prepare(s.channel, batch.Events, s.now())
	s.tracker.turnedAway(ledgerapi.ReasonInvalidEvent, len(refused))
	waiting, err := s.enqueue(events, places)
	for _, d := range waiting {
		failure := s.wait(ctx, d)
		if failure != nil {
			err = failure // what became of it may still be being written
			continue
		}
		refused = append(refused, d.refused...)
	}
	if err == nil {
		err = s.giveBack(ctx, batch.Returned)
	}
	if err != nil {
		return err
	}
	s.tracker.skip(batch.Skipped)
	slices.SortFunc(refused, func(a, b refusal) int { return a.index - b.index })
	if err := refusedError(refused); err != nil {
		s.health.failed(asError(err))
		return err
	}
	s.health.delivered()
	return nil
}

// giveBack tells of replies that did not reach the citizen. There are few, so that each delivery's travel alone.
func (s *pushSink) giveBack(ctx context.Context, returned []ledgerapi.ReturnedReply) error {
	for part := range slices.Chunk(returned, ledgerapi.MaxBatchEvents) {
		if _, err := s.append(ctx, ledgerapi.AppendRequest{Returned: part}, s.now().Add(deliveryPatience)); err != nil {
			failure := ledgerError(err)
			s.tracker.count(failure.Reason, 1)
			return failure
		}
	}
	return nil
}

// enqueue adds the events in pieces that fit into one request each.
func (s *pushSink) enqueue(events []complaint.Event, places []int) ([]*delivery, error) {
	if len(events) == 0 {
		return nil, nil
	}
	var waiting []*delivery
	total := 0
	for _, piece := range chunks(events) {
		d := &delivery{events: piece, places: places[:len(piece)], deadline: s.now().Add(deliveryPatience), done: make(chan struct{})}
		places = places[len(piece):]
		for i := range piece {
			d.bytes += 512 + textBytes(&piece[i])
			d.weight += encodedBound(&piece[i])
		}
		total += d.bytes
		waiting = append(waiting, d)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, &channel.Error{Reason: ledgerapi.ReasonLedgerUnavailable, Message: "the worker is stopping", RetryAfter: comeAgain}
	}
	if len(s.queue)+len(waiting) > maxQueued || s.bytes+total > maxQueuedBytes && s.bytes > 0 {
		s.health.refused(events)
		s.tracker.count(ledgerapi.ReasonLedgerUnavailable, 1)
		return nil, &channel.Error{Reason: ledgerapi.ReasonLedgerUnavailable, Message: "too many deliveries wait for the ledger", RetryAfter: comeAgain}
	}
	s.queue = append(s.queue, waiting...)
	s.bytes += total
	s.signal()
	return waiting, nil
}

// wait returns when the delivery is in the ledger, or will not be by this attempt.
func (s *pushSink) wait(ctx context.Context, d *delivery) error {
	select {
	case <-d.done:
		return d.err
	case <-ctx.Done():
		return &channel.Error{Reason: ledgerapi.ReasonLedgerUnavailable, Message: "the delivery was broken off", RetryAfter: comeAgain, Err: ctx.Err()}
	}
}

// run commits what is queued until the sink is closed and the queue empty.
func (s *pushSink) run(ctx context.Context) {
	var underWay sync.WaitGroup
	defer underWay.Wait()
	for {
		group, closed := s.take()
		if len(group) > 0 {
			underWay.Go(func() {
				s.commit(ctx, group)
				s.landed()
			})
			continue
		}
		if closed {
			return
		}
		<-s.wake
	}
}

// landed makes room for the next request.
func (s *pushSink) landed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests--
	s.signal()
}

// signal has run look at the queue. The caller holds mu.
func (s *pushSink) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// close makes run return; what is queued is still committed.
func (s *pushSink) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.signal()
}

// take removes from the queue what fits into one request.
func (s *pushSink) take() (group []*delivery, closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.requests == maxRequests || s.requests > 0 && len(s.queue) < max(few, s.latest) && !s.closed {
		return nil, false
	}
	events, weight, n := 0, 0, 0
	for _, d := range s.queue {
		if n > 0 && (events+len(d.events) > ledgerapi.MaxBatchEvents || weight+d.weight > maxBatchBytes) {
			break
		}
		events, weight, n = events+len(d.events), weight+d.weight, n+1
		s.bytes -= d.bytes
	}
	group = slices.Clone(s.queue[:n])
	s.queue = slices.Delete(s.queue, 0, n)
	if n > 0 {
		s.requests++
		s.latest = n
	}
	return group, s.closed
}

// commit appends a group and tells each of its deliveries what became of it.
func (s *pushSink) commit(ctx context.Context, group []*delivery) {
	var events []complaint.Event
	for _, d := range group {
		events = append(events, d.events...)
	}
	response, err := s.append(ctx, ledgerapi.AppendRequest{Events: events}, group[0].deadline)
	if err != nil && !mendable(err) && len(group) > 1 {
		// The ledger refuses the request as a whole: one delivery must not take the others with it.
		for _, d := range group {
			s.commit(ctx, []*delivery{d})
		}
		return
	}
	if err != nil {
		s.fail(group, ledgerError(err))
		return
	}
	s.settle(group, response.Rejected)
}

// append tries until the ledger has carried the request out, refuses it for good, or the deadline has passed.
func (s *pushSink) append(ctx context.Context, request ledgerapi.AppendRequest, deadline time.Time) (ledgerapi.AppendResponse, error) {
	for failures := 1; ; failures++ {
		started := s.now()
		attempt, cancel := context.WithTimeout(ctx, max(deadline.Sub(started), attemptTimeout))
		response, err := s.ledger.Append(attempt, s.channel, request)
		cancel()
		s.metrics.appended(s.now().Sub(started), err)
		if err == nil || !mendable(err) {
			return response, err
		}
		delay := s.backoff.Delay(failures, ledgerError(err))
		if s.now().Add(delay).After(deadline) || !s.sleep(ctx, delay) {
			return response, err
		}
	}
}

// fail tells the deliveries of a group that they are not in the ledger.
func (s *pushSink) fail(group []*delivery, e *channel.Error) {
	if e.RetryAfter == 0 && e.Reason == ledgerapi.ReasonLedgerUnavailable {
		e.RetryAfter = comeAgain
	}
	s.tracker.count(e.Reason, len(group))
	for _, d := range group {
		s.health.refused(d.events)
		d.err = e
		close(d.done)
	}
}

// settle tells the deliveries of a group which of their events were refused; rejected counts by the
// place in the request.
func (s *pushSink) settle(group []*delivery, rejected []ledgerapi.Rejection) {
	if n := len(rejected); n > 0 {
		s.tracker.count(ledgerapi.ReasonInvalidEvent, n) // the ledger itself has counted them as rejected
	}
	first := 0
	for _, d := range group {
		for _, r := range rejected {
			if i := r.Index - first; i >= 0 && i < len(d.events) {
				d.refused = append(d.refused, refusal{d.places[i], r.Message})
			}
		}
		first += len(d.events)
		s.health.settled(d.events)
		close(d.done)
	}
}

// Problem implements channel.Sink.
func (s *pushSink) Problem(reason ledgerapi.Reason, message string, items int) {
	s.tracker.turnedAway(reason, items)
	s.health.failed(&channel.Error{Reason: reason, Message: message})
}

// OpenCases implements channel.Sink. A source that is delivered to asks nobody for news.
func (s *pushSink) OpenCases(context.Context) ([]string, error) {
	return nil, &channel.Error{Reason: ledgerapi.ReasonInternal, Message: "a source that is delivered to has no open cases to ask for"}
}

var _ channel.Sink = (*pushSink)(nil)
