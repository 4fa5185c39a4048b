package worker

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/fetch"
	"github.com/tanggap/tanggap/internal/ledger/client"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// ledgerPatience is the longest wait between two attempts to reach the ledger.
const ledgerPatience = 30 * time.Second

// pollSink takes what a source that is read has read. While the ledger is away it waits, for the
// source can be read again at any time and would find the same.
type pollSink struct {
	channel string
	ledger  Ledger
	tracker *tracker
	metrics *channelMetrics
	logger  *slog.Logger
	backoff fetch.Backoff
	now     func() time.Time
	sleep   func(context.Context, time.Duration) bool

	// position is the ledger's; nil is not known.
	position *position
	// Of the poll under way: events that the ledger took, and whether another worker turned out to have
	// moved the position.
	events   int
	conflict bool
}

// Append implements channel.Sink.
func (s *pollSink) Append(ctx context.Context, batch channel.Batch) error {
	if len(batch.Cursor) > ledgerapi.MaxCursorBytes {
		return &channel.Error{Reason: ledgerapi.ReasonInternal,
			Message: fmt.Sprintf("the source's position takes %d bytes, at most %d can be kept", len(batch.Cursor), ledgerapi.MaxCursorBytes)}
	}
	events, _, refused := prepare(s.channel, batch.Events, s.now())
	for _, r := range refused {
		s.tracker.reject(ledgerapi.ReasonInvalidEvent, r.message, 1)
	}
	if len(events) == 0 && len(batch.Returned) == 0 && batch.Cursor == nil && batch.ObservedThrough == nil {
		s.tracker.skip(batch.Skipped)
		return nil
	}
	pieces := chunks(events)
	for i, piece := range pieces {
		request := ledgerapi.AppendRequest{Events: piece}
		if i == len(pieces)-1 {
			request.Returned, request.Cursor, request.ObservedThrough = batch.Returned, batch.Cursor, batch.ObservedThrough
			if s.position == nil {
				return &channel.Error{Reason: ledgerapi.ReasonLedgerUnavailable, Message: "the position has been lost to another worker"}
			}
			request.PreviousGeneration = s.position.generation
		}
		if err := s.append(ctx, request); err != nil {
			return err
		}
	}
	s.tracker.skip(batch.Skipped)
	return nil
}

// append stores one request's worth.
func (s *pollSink) append(ctx context.Context, request ledgerapi.AppendRequest) error {
	var response ledgerapi.AppendResponse
	err := s.patiently(ctx, func() (err error) {
		started := s.now()
		response, err = s.ledger.Append(ctx, s.channel, request)
		s.metrics.appended(s.now().Sub(started), err)
		return err
	})
	if err != nil {
		if client.Conflict(err) {
			s.conflict, s.position = true, nil
		}
		return ledgerError(err)
	}
	if request.Cursor != nil {
		s.position = &position{request.Cursor, response.CursorGeneration}
	}
	if request.ObservedThrough != nil {
		s.tracker.observedThrough(*request.ObservedThrough)
	}
	if n := len(response.Rejected); n > 0 {
		s.tracker.refusedByLedger(response.Rejected[0].Message, n)
	}
	s.events += len(request.Events) - len(response.Rejected)
	s.tracker.heard()
	return nil
}

// Problem implements channel.Sink.
func (s *pollSink) Problem(reason ledgerapi.Reason, message string, items int) {
	s.tracker.reject(reason, message, items)
}

// openCasesPage is how many cases are asked for at once.
const openCasesPage = 1000

// OpenCases implements channel.Sink.
func (s *pollSink) OpenCases(ctx context.Context) ([]string, error) {
	var ids []string
	query := client.CasesQuery{Channel: s.channel, State: "open", Limit: openCasesPage}
	for {
		var page ledgerapi.CaseList
		err := s.patiently(ctx, func() (err error) {
			page, err = s.ledger.Cases(ctx, query)
			return err
		})
		if err != nil {
			return nil, ledgerError(err)
		}
		for i := range page.Cases {
			ids = append(ids, page.Cases[i].CaseID)
		}
		if page.Next == "" {
			return ids, nil
		}
		query.After = page.Next
	}
}

// begin starts a poll: it reads the position from the ledger if it is not known.
func (s *pollSink) begin(ctx context.Context) error {
	s.events, s.conflict = 0, false
	if s.position != nil {
		return nil
	}
	var state ledgerapi.ChannelState
	err := s.patiently(ctx, func() (err error) {
		state, err = s.ledger.Channel(ctx, s.channel)
		return err
	})
	if err != nil {
		return ledgerError(err)
	}
	s.position = &position{state.Cursor, state.CursorGeneration}
	if string(state.Cursor) == "null" {
		s.position.cursor = nil
	}
	if state.ObservedThrough != nil {
		s.tracker.observedThrough(*state.ObservedThrough)
	}
	return nil
}

// patiently does something with the ledger until it succeeds, fails for good, or ctx ends.
func (s *pollSink) patiently(ctx context.Context, do func() error) error {
	for failures := 1; ; failures++ {
		err := do()
		if err == nil || ctx.Err() != nil || !mendable(err) {
			if err == nil && failures > 1 {
				s.logger.Info("Reached the ledger again", "failures", failures-1)
			}
			return err
		}
		e := ledgerError(err)
		s.tracker.count(e.Reason, 1)
		if failures == 1 {
			s.logger.Warn("Waited for the ledger", "message", e.Message)
		}
		if !s.sleep(ctx, s.backoff.Delay(failures, e)) {
			return err
		}
	}
}

var _ channel.Sink = (*pollSink)(nil)
