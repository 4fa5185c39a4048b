package worker

import (
	"sync"
	"time"

	"github.com/tanggap/tanggap/internal/channel"
)

// How a push source is judged.
const (
	// trustAfterSuccess is how long after an accepted delivery a refused one says nothing about the source:
	// anybody may post to a public address, and must not make a working channel look broken.
	trustAfterSuccess = 10 * time.Minute
	// problemLapse is how long the last problem counts when no delivery follows it.
	problemLapse = time.Hour
	// redeliveryWait is how long the watermark stands still after a delivery that the ledger could not
	// take: the platform still has it and will send it again.
	redeliveryWait = 10 * time.Minute
)

// pushHealth judges a source that is delivered to: nobody can ask it how it is.
type pushHealth struct {
	tracker    *tracker
	now        func() time.Time
	usualDelay time.Duration

	mu          sync.Mutex
	lastSuccess time.Time
	lastProblem time.Time
	lastRefused time.Time
	// broken says that deliveries come and none is of use.
	broken bool
}

// delivered notes a delivery that the ledger has.
func (h *pushHealth) delivered() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lastSuccess = h.now()
	h.lastRefused = time.Time{}
	h.broken = false
	h.tracker.succeeded(h.lastSuccess)
	h.tracker.connected(nil)
}

// refused notes a delivery that the ledger could not take.
func (h *pushHealth) refused() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.advance()
	h.lastRefused = h.now()
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
	h.broken = true
	h.tracker.disconnected(problem)
}

// refresh brings to this moment what changes with time alone.
func (h *pushHealth) refresh() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.broken && h.now().Sub(h.lastProblem) > problemLapse {
		h.broken = false
		if h.lastSuccess.IsZero() {
			h.tracker.waiting()
		} else {
			h.tracker.connected(nil)
		}
	}
	h.advance()
}

// advance moves the watermark, unless deliveries are known to be missing. The caller holds mu.
func (h *pushHealth) advance() {
	now := h.now()
	owed := !h.lastRefused.IsZero() && now.Sub(h.lastRefused) < redeliveryWait
	if !h.broken && !owed {
		h.tracker.observedThrough(now.Add(-h.usualDelay))
	}
}
