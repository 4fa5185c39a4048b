package worker

import (
	"context"
	"errors"
	"time"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/fetch"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

const (
	// outboxWait is how long the ledger may let the worker wait for a reply.
	outboxWait = 20 * time.Second
	// replyTimeout is for sending one reply. All that a worker is given at once take a part of
	// ledgerapi.ReplyPatience, after which nobody waits for the outcome; a worker that stops finishes the one
	// it sends.
	replyTimeout = 8 * time.Second
	// outcomePatience is how long the outcome of a reply is offered to the ledger.
	outcomePatience = time.Minute
)

// sendReplies sends the replies that the ledger has for the channel, until ctx ends. Nothing of it is part
// of how the source fares: who replied is told how the reply fares.
func (r *runner) sendReplies(ctx context.Context, replier channel.Replier) {
	backoff := fetch.Backoff{Initial: time.Second, Max: time.Minute, Random: r.random}
	for failures := 0; ctx.Err() == nil; {
		box, err := r.ledger.Outbox(ctx, r.channel, outboxWait)
		if err != nil {
			failures++
			if failures == 1 && ctx.Err() == nil {
				r.logger.Warn("Could not ask for replies", "message", ledgerError(err).Message)
			}
			r.sleep(ctx, backoff.Delay(failures, ledgerError(err)))
			continue
		}
		failures = 0
		for i := range box.Replies {
			out := &box.Replies[i]
			result := ledgerapi.ReplyResult{State: ledgerapi.ReplyPending}
			// What was handed out and not begun when the worker has to stop is left to the next one.
			if ctx.Err() == nil {
				result = r.sendReply(context.WithoutCancel(ctx), replier, out)
			}
			r.tellOutcome(context.WithoutCancel(ctx), ctx, out.ID, result)
		}
	}
}

// sendReply sends one reply, or says why not.
func (r *runner) sendReply(ctx context.Context, replier channel.Replier, out *ledgerapi.OutgoingReply) (result ledgerapi.ReplyResult) {
	ctx, cancel := context.WithTimeout(ctx, replyTimeout)
	defer cancel()
	reply := channel.Reply{
		ID: out.ID, CaseID: out.Case, Text: out.Text,
		Message: channel.Message{ID: out.Message, At: out.At, Reporter: out.Reporter, Attributes: out.Attributes},
	}
	sent, err := r.trySend(ctx, replier, reply, out.DryRun)
	switch {
	case err != nil:
		result = failedReply(err)
		r.logger.Info("Did not send a reply", "reply", out.ID, "state", result.State, "reason", result.Reason)
	case out.DryRun:
		result.State = ledgerapi.ReplyChecked
	default:
		result = ledgerapi.ReplyResult{State: ledgerapi.ReplySent, Event: sent.EventID, At: sent.At}
		r.logger.Info("Sent a reply", "reply", out.ID)
	}
	return result
}

// trySend checks the reply and, unless it is a dry run, sends it. A panic of the source leaves open whether
// it was sent.
func (r *runner) trySend(ctx context.Context, replier channel.Replier, reply channel.Reply, dryRun bool) (sent channel.Sent, err error) {
	defer r.recovered(&err)
	if err := replier.CheckReply(reply); err != nil {
		return channel.Sent{}, &channel.NotSentError{Err: err}
	}
	if dryRun {
		return channel.Sent{}, nil
	}
	return replier.Reply(ctx, reply)
}

// failedReply is what becomes of a reply that was not sent, or perhaps was.
func failedReply(err error) ledgerapi.ReplyResult {
	e := asError(err)
	result := ledgerapi.ReplyResult{State: ledgerapi.ReplyUnconfirmed, Reason: e.Reason, Message: e.Message}
	if _, certain := errors.AsType[*channel.NotSentError](err); !certain {
		return result
	}
	switch e.Reason {
	case ledgerapi.ReasonRateLimited, ledgerapi.ReasonUnreachable, ledgerapi.ReasonTimeout, ledgerapi.ReasonServerError, ledgerapi.ReasonUnauthorized:
		// The platform, or its credentials, may be better later.
		result.State, result.RetryAfterSeconds = ledgerapi.ReplyPending, int64((e.RetryAfter+time.Second-1)/time.Second)
	default:
		result.State = ledgerapi.ReplyFailed
	}
	return result
}

// tellOutcome tells the ledger what became of a reply: until it has taken it, for a while, and when the
// worker has to stop once more.
func (r *runner) tellOutcome(ctx, stopping context.Context, id string, result ledgerapi.ReplyResult) {
	ctx, cancel := context.WithTimeout(ctx, outcomePatience)
	defer cancel()
	backoff := fetch.Backoff{Initial: 200 * time.Millisecond, Max: 5 * time.Second, Random: r.random}
	for failures := 1; ; failures++ {
		attempt, done := context.WithTimeout(ctx, reportTimeout)
		err := r.ledger.ReplyDone(attempt, r.channel, id, result)
		done()
		if err == nil {
			return
		}
		if !mendable(err) || stopping.Err() != nil || !r.sleep(ctx, backoff.Delay(failures, ledgerError(err))) {
			r.logger.Warn("Could not tell what became of a reply", "reply", id, "state", result.State, "message", ledgerError(err).Message)
			return
		}
	}
}
