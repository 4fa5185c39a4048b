// Package channeltest stands in for the worker and the ledger in the tests of sources.
package channeltest

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"time"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// Ledger keeps what a source hands over, as the ledger does: events once by their identifier, with the
// cursor in one step. The zero value is empty and takes everything. It implements channel.Sink.
type Ledger struct {
	// Fault decides about each append, counted from 1: an error before it is stored, or one after, as when
	// the answer gets lost on its way. Nil lets everything through.
	Fault func(n int) (before, after error)
	// Open is what OpenCases returns.
	Open []string

	mu       sync.Mutex
	events   map[string]complaint.Event
	order    []string
	returned []ledgerapi.ReturnedReply
	cursor   json.RawMessage
	through  *time.Time
	problems map[ledgerapi.Reason]int
	messages []string
	appends  int
	skipped  int
}

// Away is the error of a ledger that cannot be reached.
func Away() error {
	return &channel.Error{Reason: ledgerapi.ReasonLedgerUnavailable, Message: "the ledger cannot be reached", RetryAfter: 7 * time.Second}
}

// Append implements channel.Sink. It refuses events that the ledger would refuse.
func (l *Ledger) Append(ctx context.Context, batch channel.Batch) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.appends++
	var before, after error
	if l.Fault != nil {
		before, after = l.Fault(l.appends)
	}
	if err := errors.Join(before, ctx.Err()); err != nil {
		return before
	}
	if len(batch.Cursor) > ledgerapi.MaxCursorBytes {
		return &channel.Error{Reason: ledgerapi.ReasonInternal, Message: "the cursor is too large"}
	}
	if l.events == nil {
		l.events = map[string]complaint.Event{}
	}
	for _, e := range batch.Events {
		if err := e.Validate(); err != nil {
			return &channel.Error{Reason: ledgerapi.ReasonInvalidEvent, Message: err.Error()}
		}
		if _, known := l.events[e.ID]; !known {
			l.events[e.ID] = e
			l.order = append(l.order, e.ID)
		}
	}
	l.skipped += batch.Skipped
	l.returned = append(l.returned, batch.Returned...)
	if batch.Cursor != nil {
		l.cursor = batch.Cursor
	}
	if t := batch.ObservedThrough; t != nil && (l.through == nil || t.After(*l.through)) {
		l.through = t
	}
	return after
}

// Named is the ledger as it takes a channel's events: they need not have their channel set.
func (l *Ledger) Named(name string) channel.Sink { return named{l, name} }

type named struct {
	*Ledger
	channel string
}

// Append implements channel.Sink.
func (n named) Append(ctx context.Context, batch channel.Batch) error {
	batch.Events = slices.Clone(batch.Events)
	for i := range batch.Events {
		batch.Events[i].Channel = n.channel
	}
	return n.Ledger.Append(ctx, batch)
}

// Problem implements channel.Sink.
func (l *Ledger) Problem(reason ledgerapi.Reason, message string, items int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.problems == nil {
		l.problems = map[ledgerapi.Reason]int{}
	}
	l.problems[reason] += items
	l.messages = append(l.messages, message)
}

// OpenCases implements channel.Sink.
func (l *Ledger) OpenCases(context.Context) ([]string, error) { return l.Open, nil }

// Events in the order in which they first arrived.
func (l *Ledger) Events() []complaint.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	events := make([]complaint.Event, len(l.order))
	for i, id := range l.order {
		events[i] = l.events[id]
	}
	return events
}

// IDs of the events, sorted.
func (l *Ledger) IDs() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.events))
}

// Returned are the replies that did not reach the citizen.
func (l *Ledger) Returned() []ledgerapi.ReturnedReply {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.returned)
}

// Cursor is the saved cursor; nil before the first.
func (l *Ledger) Cursor() json.RawMessage {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cursor
}

// Through is the instant through which the source has been read; zero while unknown.
func (l *Ledger) Through() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.through == nil {
		return time.Time{}
	}
	return *l.through
}

// Problems are the items that were reported by reason, and Messages what was said of them.
func (l *Ledger) Problems() map[ledgerapi.Reason]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.problems)
}

// Messages are the texts of all problems in their order.
func (l *Ledger) Messages() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.messages)
}

// Skipped counts the items that were no complaints by the specification.
func (l *Ledger) Skipped() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.skipped
}

// Appends counts the calls of Append, failed ones included.
func (l *Ledger) Appends() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.appends
}

// Clock is a clock that stands still until somebody waits on it or moves it.
type Clock struct {
	mu  sync.Mutex
	now time.Time
	// waited is the sum of all waits.
	waited time.Duration
}

// NewClock stands at the instant.
func NewClock(at time.Time) *Clock { return &Clock{now: at} }

// Now is the instant at which the clock stands.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// After moves the clock and is ready at once.
func (c *Clock) After(d time.Duration) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.waited += d
	ready := make(chan time.Time, 1)
	ready <- c.now
	return ready
}

// Waited is how long After was waited on.
func (c *Clock) Waited() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.waited
}

// Direct carries requests to a handler without a network.
type Direct struct{ Handler http.Handler }

// RoundTrip implements http.RoundTripper.
func (d Direct) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Body == nil {
		request.Body = http.NoBody
	}
	answer := httptest.NewRecorder()
	d.Handler.ServeHTTP(answer, request)
	response := answer.Result()
	response.Request = request
	return response, nil
}

// Settings are those of a channel called dsw, with the credentials by "name/key" and no jitter.
func Settings(spec v1alpha1.ChannelSource, clock *Clock, transport http.RoundTripper, credentials map[string]string) channel.Settings {
	return channel.Settings{
		Channel: "dsw",
		Spec:    spec,
		Credential: func(ref v1alpha1.SecretKeyReference) ([]byte, error) {
			value, ok := credentials[ref.Name+"/"+ref.Key]
			if !ok {
				return nil, &channel.Error{Reason: ledgerapi.ReasonCredentialMissing, Message: "the Secret " + ref.Name + " has no key " + ref.Key}
			}
			return []byte(value), nil
		},
		Transport: transport,
		Now:       clock.Now,
		After:     clock.After,
		Random:    func() float64 { return 0 },
		Logger:    slog.New(slog.DiscardHandler),
	}
}
