package ledger

import (
	"context"
	"sync"
	"time"

	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

// request waits for its part of a transaction: one of submission, report and job, or a job that goes with
// a submission.
type request struct {
	// channel is the lane it waits in; "" is the ledger's own.
	channel string
	// events and bytes are what it weighs.
	events, bytes int

	submission *submission
	report     *ledgerapi.Report
	job        func(context.Context, *transaction) error

	// err is the outcome; it may be read when done is closed.
	err  error
	done chan struct{}
}

// submission is an append on its way through the transaction.
type submission struct {
	cursor             []byte
	previousGeneration int64
	through            int64 // micros of the new observedThrough, 0 for none
	// events are normalised and valid; index is the place of each in the request.
	events []store.Event
	index  []int
	// threads are what events ask of their cases, by their places in the request.
	threads map[int]thread
	// told says that the citizen has the event already, so that it is stored however many its case has, and where the
	// channel is suspended.
	told bool
	// earlier are pseudonyms of the events' reporters by earlier keys, by the current one.
	earlier  map[string][][]byte
	rejected []ledgerapi.Rejection
	response ledgerapi.AppendResponse
}

// Bounds of what waits.
const (
	maxQueueBytes = 64 << 20
	// maxLaneBytes is one channel's share, so that a flooding channel cannot fill the queue alone.
	maxLaneBytes = 16 << 20
	// smallBytes are always taken of a channel of which nothing waits, so that neither can several together.
	smallBytes = 256 << 10
	// requestBytes is what a request weighs besides its events.
	requestBytes = 512
	// maxCommitEvents is where a transaction takes no further request.
	maxCommitEvents = 2048
)

// queue holds requests until a transaction takes them: in turns from the lanes of all channels, so that
// one that floods delays the others by its turn and no more.
type queue struct {
	mu     sync.Mutex
	lanes  map[string]*lane
	turn   []*lane // those with something in them, the next first
	own    []*request
	bytes  int
	closed bool
	// wake has room for one: it is full while there may be something to take.
	wake chan struct{}
}

type lane struct {
	waiting []*request
	bytes   int
}

func newQueue() *queue {
	return &queue{lanes: map[string]*lane{}, wake: make(chan struct{}, 1)}
}

// put adds a request, or refuses it when there is no room.
func (q *queue) put(r *request) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return &RefusalError{Reason: Unavailable, Message: "the ledger is stopping, try again", RetryAfter: retryAfter}
	}
	if r.channel == "" {
		q.own = append(q.own, r)
	} else {
		l := q.lanes[r.channel]
		if l == nil {
			l = &lane{}
		}
		// A request alone is always taken: its size was bounded before.
		full := q.bytes > 0 && q.bytes+r.bytes > maxQueueBytes && (l.bytes > 0 || r.bytes > smallBytes)
		if full || l.bytes > 0 && l.bytes+r.bytes > maxLaneBytes {
			return &RefusalError{Reason: Unavailable, Message: "the ledger has more to store than it can hold, try again", RetryAfter: retryAfter}
		}
		if len(l.waiting) == 0 {
			q.lanes[r.channel] = l
			q.turn = append(q.turn, l)
		}
		l.waiting = append(l.waiting, r)
		l.bytes += r.bytes
		q.bytes += r.bytes
	}
	q.signal()
	return nil
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take waits until there is something and takes as much as one transaction should do. It returns
// nothing once the queue is closed and empty, and after idle, unless that is 0.
func (q *queue) take(idle time.Duration) (group []*request, closed bool) {
	if group, closed = q.tryTake(); len(group) > 0 || closed {
		return group, closed
	}
	var timeout <-chan time.Time
	if idle > 0 {
		timer := time.NewTimer(idle)
		defer timer.Stop()
		timeout = timer.C
	}
	for {
		if group, closed = q.tryTake(); len(group) > 0 || closed {
			return group, closed
		}
		select {
		case <-q.wake:
		case <-timeout:
			return nil, false
		}
	}
}

func (q *queue) tryTake() (group []*request, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	group, q.own = q.own, nil
	for events := 0; len(q.turn) > 0 && events < maxCommitEvents; {
		l := q.turn[0]
		r := l.waiting[0]
		l.waiting[0] = nil
		l.waiting = l.waiting[1:]
		l.bytes -= r.bytes
		q.bytes -= r.bytes
		q.turn = q.turn[1:]
		if len(l.waiting) > 0 {
			q.turn = append(q.turn, l)
		} else {
			delete(q.lanes, r.channel)
		}
		group = append(group, r)
		events += 1 + r.events
	}
	if len(q.turn) > 0 {
		q.signal()
	}
	return group, q.closed
}

// close refuses what comes; what waits is still taken.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.signal()
}
