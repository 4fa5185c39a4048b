package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"encoding/json"

	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// Error is an answer of the ledger that is not a success.
type Error struct {
	// Status is the HTTP status.
	Status int
	// Message is the ledger's own sentence; it never holds content.
	Message string
	// RetryAfter is how long the ledger asks to wait; 0 when it does not say.
	RetryAfter time.Duration
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("the ledger answered %d: %s", e.Status, e.Message)
}

// Retryable reports whether the same request may succeed later without anybody changing anything.
func (e *Error) Retryable() bool {
	return e.Status == http.StatusRequestTimeout || e.Status == http.StatusTooManyRequests || e.Status >= 500
}

// Retryable reports whether the same request may succeed later: the ledger said so, or could not be
// reached. A request that the caller itself gave up (its context ended) is not.
func Retryable(err error) bool {
	if err == nil {
		return false
	}
	if refusal, ok := errors.AsType[*Error](err); ok {
		return refusal.Retryable()
	}
	var broken *transportError
	return errors.As(err, &broken) && !errors.Is(err, context.Canceled)
}

// Conflict reports whether another worker has moved the channel's cursor (409): read the channel
// again before going on.
func Conflict(err error) bool {
	var refusal *Error
	return errors.As(err, &refusal) && refusal.Status == http.StatusConflict
}

// RetryAfter is how long the ledger asked to wait; 0 when it did not say.
func RetryAfter(err error) time.Duration {
	if refusal, ok := errors.AsType[*Error](err); ok {
		return refusal.RetryAfter
	}
	return 0
}

// transportError is a request without an answer.
type transportError struct{ cause error }

func (e *transportError) Error() string { return "reaching the ledger: " + e.cause.Error() }
func (e *transportError) Unwrap() error { return e.cause }

// maxErrorBody bounds what is read of an error's body; whatever stands between may send more.
const maxErrorBody = 16 << 10

// refusal reads an answer that is not a success.
func refusal(resp *http.Response) error {
	e := &Error{Status: resp.StatusCode, RetryAfter: retryAfter(resp.Header.Get("Retry-After"))}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	if err != nil {
		body = nil
	}
	var said ledgerapi.Error
	// Only the ledger's own sentence is passed on: a proxy's page may hold anything.
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") && json.Unmarshal(body, &said) == nil && said.Message != "" {
		e.Message = said.Message
	} else {
		e.Message = http.StatusText(resp.StatusCode)
	}
	return e
}

// maxRetryAfter bounds what an answer can ask for.
const maxRetryAfter = 5 * time.Minute

func retryAfter(header string) time.Duration {
	seconds, err := strconv.Atoi(header)
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, maxRetryAfter)
}
