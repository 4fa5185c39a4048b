package worker

import (
	"log/slog"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// maxMessageBytes is what a condition's message has room for, with some to spare.
const maxMessageBytes = 1024

// tracker holds what a channel's report says. It is safe for concurrent use.
type tracker struct {
	now    func() time.Time
	logger *slog.Logger
	// changed has a token while State or Reason are other than those last reported.
	changed chan struct{}

	mu          sync.Mutex
	state       ledgerapi.SourceState
	reason      ledgerapi.Reason
	message     string
	lastSuccess time.Time
	observed    time.Time
	rejected    int64
	skipped     int64
	errors      map[ledgerapi.Reason]int64
	// problem is the last one since takeProblem, unusable how many items there were of no use.
	problem  *channel.Error
	unusable int
	// refresh is called before each report.
	refresh func()
}

func newTracker(now func() time.Time, logger *slog.Logger) *tracker {
	return &tracker{
		now:     now,
		logger:  logger,
		changed: make(chan struct{}, 1),
		state:   ledgerapi.SourceUnknown,
		reason:  ledgerapi.ReasonWaitingForFirst,
		errors:  map[ledgerapi.Reason]int64{},
	}
}

// set moves the channel to a state; the caller holds mu.
func (t *tracker) set(state ledgerapi.SourceState, reason ledgerapi.Reason, message string) {
	same := t.state == state && t.reason == reason
	if len(message) > maxMessageBytes {
		message = strings.ToValidUTF8(message[:maxMessageBytes], "")
	}
	t.state, t.reason, t.message = state, reason, message
	if same {
		return
	}
	if state == ledgerapi.SourceDisconnected {
		t.logger.Warn("Lost the source", "reason", string(reason), "message", message)
	} else {
		t.logger.Info("Changed the state of the source", "state", string(state), "reason", string(reason))
	}
	select {
	case t.changed <- struct{}{}:
	default:
	}
}

// count adds failures that change no state.
func (t *tracker) count(reason ledgerapi.Reason, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.errors[reason] += int64(n)
}

// connected says that the source works; problem is what else there is to say of it, or nil.
func (t *tracker) connected(problem *channel.Error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if problem != nil {
		t.set(ledgerapi.SourceConnected, problem.Reason, problem.Message)
		return
	}
	t.set(ledgerapi.SourceConnected, ledgerapi.ReasonConnected, "")
}

// heard says that the source answers, where nothing was known of it: a first reading may take hours.
func (t *tracker) heard() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state == ledgerapi.SourceUnknown {
		t.set(ledgerapi.SourceConnected, ledgerapi.ReasonConnected, "")
	}
}

// waiting says that nobody has been in contact yet.
func (t *tracker) waiting() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.set(ledgerapi.SourceUnknown, ledgerapi.ReasonWaitingForFirst, "")
}

// completed is there for pollHealth: that a poll read everything changes nothing besides.
func (t *tracker) completed() {}

// disconnected says that the source does not work. It counts nothing.
func (t *tracker) disconnected(e *channel.Error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.set(ledgerapi.SourceDisconnected, e.Reason, e.Message)
}

// succeeded notes a complete poll or an accepted delivery.
func (t *tracker) succeeded(at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lastSuccess = at
}

// observedThrough moves the watermark; it never moves back.
func (t *tracker) observedThrough(at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if at.After(t.observed) {
		t.observed = at
	}
}

// reject counts items that never became events.
func (t *tracker) reject(reason ledgerapi.Reason, message string, items int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if items > 0 {
		t.rejected += int64(items)
		t.errors[reason] += int64(items)
		t.unusable += items
	}
	t.problem = &channel.Error{Reason: reason, Message: message}
}

// turnedAway counts items of deliveries that never became events; they say nothing of a poll.
func (t *tracker) turnedAway(reason ledgerapi.Reason, items int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if items > 0 {
		t.rejected += int64(items)
		t.errors[reason] += int64(items)
	}
}

// skip counts items that are no complaints by the specification.
func (t *tracker) skip(items int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.skipped += int64(items)
}

// refusedByLedger counts events that the ledger refused. The ledger itself has counted them as rejected.
func (t *tracker) refusedByLedger(message string, events int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.errors[ledgerapi.ReasonInvalidEvent] += int64(events)
	t.unusable += events
	t.problem = &channel.Error{Reason: ledgerapi.ReasonInvalidEvent, Message: message}
}

// takeProblem returns the last problem since the last call, or nil, and how many items were of no use
// since.
func (t *tracker) takeProblem() (problem *channel.Error, unusable int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	problem, unusable = t.problem, t.unusable
	t.problem, t.unusable = nil, 0
	return problem, unusable
}

// beforeReport has refresh called before each report, for what changes with time alone.
func (t *tracker) beforeReport(refresh func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refresh = refresh
}

// report is the report of this moment.
func (t *tracker) report(instance string) ledgerapi.Report {
	t.mu.Lock()
	refresh := t.refresh
	t.mu.Unlock()
	if refresh != nil {
		refresh()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return ledgerapi.Report{
		Instance:        instance,
		State:           t.state,
		Reason:          t.reason,
		Message:         t.message,
		LastSuccessAt:   instant(t.lastSuccess),
		ObservedThrough: instant(t.observed),
		Rejected:        t.rejected,
		Skipped:         t.skipped,
		Errors:          maps.Clone(t.errors),
	}
}

func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
