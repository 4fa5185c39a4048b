package worker

import (
	"sync"
	"time"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/complaint"
)

// How a push source is judged.
const (
	// trustAfterSuccess is how long after an accepted delivery a refused one says nothing about the source:
	// anybody may post to a public address, and must not make a working channel look broken.
	trustAfterSuccess = 10 * time.Minute
	// problemLapse is how long the last problem counts when no delivery follows it.
	problemLapse = time.Hour
	// redeliveryWait is how long the watermark stands still at most after a delivery that the ledger could not
	// take: the platform still has it and will send it again.
	redeliveryWait = 10 * time.Minute
	// maxOwed bounds the events that are looked out for meanwhile. Of more only time can tell.
	maxOwed = 4096
)

// pushHealth judges a source that is delivered to: nobody can ask it how it is, unless it is polled as well.
type pushHealth struct {
	tracker    *tracker
	now        func() time.Time
	usualDelay time.Duration
	// polled says that the source is polled as well, and deliveries do not speak for themselves.
	polled bool

	mu sync.Mutex
	// trouble is why the last poll failed, notice what there was to say of one that did not; confirmed says
	// that the last poll was complete.
	trouble, notice *channel.Error
	confirmed       bool
	lastSuccess     time.Time
	lastProblem     time.Time
	lastRefused     time.Time
	// owed are the identifiers of events that the ledger could not take and does not have yet; uncounted says that
	// there were more.
	owed      map[string]struct{}
	uncounted bool
	// broken is why deliveries come and none is of use; nil is that they are.
	broken *channel.Error
}

// delivered notes a delivery that the ledger has.
func (h *pushHealth) delivered() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lastSuccess = h.now()
	h.broken = nil
	h.tracker.succeeded(h.lastSuccess)
	h.show()
}

// connected notes a poll that did not fail, and what there is to say of it; nil is nothing.
func (h *pushHealth) connected(problem *channel.Error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.trouble, h.notice = nil, problem
	h.show()
}

// completed notes that a poll read everything and found that the platform delivers.
func (h *pushHealth) completed() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.confirmed = true
	h.advance()
}

// disconnected notes a poll that failed: whether the platform still delivers is not known, or known not to be so.
func (h *pushHealth) disconnected(failure *channel.Error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.trouble, h.confirmed = failure, false
	h.show()
}

// show tells how the source fares. The caller holds mu.
func (h *pushHealth) show() {
	switch {
	case h.trouble != nil:
		h.tracker.disconnected(h.trouble)
	case h.broken != nil:
		h.tracker.disconnected(h.broken)
	case h.polled || !h.lastSuccess.IsZero():
		h.tracker.connected(h.notice)
	default:
		h.tracker.waiting()
	}
}

// refused notes events that the ledger could not take.
func (h *pushHealth) refused(events []complaint.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.advance()
	h.lastRefused = h.now()
	if h.owed == nil {
		h.owed = map[string]struct{}{}
	}
	for i := range events {
		if len(h.owed) == maxOwed {
			h.uncounted = true
			return
		}
		h.owed[events[i].ID] = struct{}{}
	}
}

// settled notes events of which nothing more is to come: other deliveries than those that were refused say nothing
// of these.
func (h *pushHealth) settled(events []complaint.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := 0; i < len(events) && len(h.owed) > 0; i++ {
		delete(h.owed, events[i].ID)
	}
}

// failed notes a delivery that was of no use.
func (h *pushHealth) failed(problem *channel.Error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.advance()
	now := h.now()
	h.lastProblem = now
	if !h.lastSuccess.IsZero() && now.Sub(h.lastSuccess) < trustAfterSuccess {
		return
	}
	h.broken = problem
	h.show()
}

// refresh brings to this moment what changes with time alone.
func (h *pushHealth) refresh() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.broken != nil && h.now().Sub(h.lastProblem) > problemLapse {
		h.broken = nil
		h.show()
	}
	h.advance()
}

// advance moves the watermark, unless deliveries are known to be missing. The caller holds mu.
func (h *pushHealth) advance() {
	now := h.now()
	if now.Sub(h.lastRefused) >= redeliveryWait {
		h.owed, h.uncounted = nil, false
	}
	owed := len(h.owed) > 0 || h.uncounted
	unknown := h.polled && !h.confirmed
	if h.broken == nil && !owed && !unknown {
		h.tracker.observedThrough(now.Add(-h.usualDelay))
	}
}
