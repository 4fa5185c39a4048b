// Package ledger keeps what happened to every complaint and what follows from it: events once, cases
// and their clocks by the policy, and the figures behind every metric, all changed in one transaction.
package ledger

import (
	"errors"
	"fmt"
	"time"

	"github.com/tanggap/tanggap/internal/ledger/store"
)

// Reason says what kind of refusal an error is; the server turns it into an HTTP status.
type Reason int

// The reasons.
const (
	Invalid     Reason = iota + 1 // can never be accepted as it is
	Forbidden                     // not by this caller, or not now by decision of the city
	NotFound                      // the policy does not name it
	Conflict                      // another worker moved the cursor
	Unavailable                   // try again later
)

// RefusalError is why a request was not done. Its text is for the caller and holds no content.
type RefusalError struct {
	Reason  Reason
	Message string
	// RetryAfter is when to try again; with Unavailable only.
	RetryAfter time.Duration
	// Cause is for the log; nil when Message says all.
	Cause error
}

// Error implements error.
func (r *RefusalError) Error() string {
	if r.Cause != nil {
		return r.Message + ": " + r.Cause.Error()
	}
	return r.Message
}

// Unwrap gives the cause.
func (r *RefusalError) Unwrap() error { return r.Cause }

func refuse(reason Reason, format string, args ...any) *RefusalError {
	return &RefusalError{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// retryAfter is what a caller is asked to wait when the ledger is overloaded or its storage fails.
const retryAfter = time.Second

// unavailable says in the caller's words why the storage did not take a request.
func unavailable(err error) *RefusalError {
	r := &RefusalError{Reason: Unavailable, RetryAfter: retryAfter, Cause: err, Message: "the ledger could not store this, try again"}
	switch {
	case errors.Is(err, store.ErrFull):
		r.Message, r.RetryAfter = "the ledger's storage is full", 10*retryAfter
	case errors.Is(err, store.ErrDamaged):
		r.Message, r.RetryAfter = "the ledger's storage is damaged", 60*retryAfter
	case errors.Is(err, store.ErrClock):
		r.Message = "the clocks of the ledger's machine and of its storage are too far apart, try again"
	}
	return r
}
