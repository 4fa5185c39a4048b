package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/ledger/client"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// Ledger is what a worker needs of the ledger; *client.Client is one, and its errors are expected.
type Ledger interface {
	// Append stores a batch and returns once it is durable.
	Append(ctx context.Context, channel string, request ledgerapi.AppendRequest) (ledgerapi.AppendResponse, error)
	// Report tells how a channel's source fares.
	Report(ctx context.Context, channel string, report ledgerapi.Report) error
	// Channel is what the channel's source starts from.
	Channel(ctx context.Context, channel string) (ledgerapi.ChannelState, error)
	// Cases is a page of a channel's cases.
	Cases(ctx context.Context, query client.CasesQuery) (ledgerapi.CaseList, error)
	// Outbox is what is to be sent to a channel's citizens, and ReplyDone what became of it.
	Outbox(ctx context.Context, channel string, wait time.Duration) (ledgerapi.Outbox, error)
	ReplyDone(ctx context.Context, channel, id string, result ledgerapi.ReplyResult) error
}

// ledgerError is the *channel.Error of a request that the ledger did not carry out.
func ledgerError(err error) *channel.Error {
	e := &channel.Error{
		Reason:     ledgerapi.ReasonLedgerUnavailable,
		Message:    "the ledger cannot be reached",
		RetryAfter: client.RetryAfter(err),
		Err:        err,
	}
	var answer *client.Error
	if !errors.As(err, &answer) {
		return e
	}
	switch {
	case answer.Retryable():
		e.Message = fmt.Sprintf("the ledger does not take events at present (%d)", answer.Status)
	case answer.Status == http.StatusUnauthorized || answer.Status == http.StatusForbidden:
		e.Message = fmt.Sprintf("the ledger does not let this worker write the channel (%d)", answer.Status)
	case answer.Status == http.StatusNotFound:
		e.Message = "the ledger does not know the channel yet"
	case answer.Status == http.StatusConflict:
		e.Message = "another worker reads the channel and has moved its position"
	default:
		e.Reason = ledgerapi.ReasonInternal
		e.Message = fmt.Sprintf("the ledger refused the batch (%d): %s", answer.Status, answer.Message)
	}
	return e
}

// mendable reports whether the same request may be carried out later: the ledger comes back, the
// operator names the channel in the policy, the kubelet renews the token.
func mendable(err error) bool {
	var answer *client.Error
	if !errors.As(err, &answer) {
		return client.Retryable(err)
	}
	switch answer.Status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		return true
	}
	return answer.Retryable()
}

// position is where a channel's source stands by the ledger's account.
type position struct {
	cursor     json.RawMessage
	generation int64
}
