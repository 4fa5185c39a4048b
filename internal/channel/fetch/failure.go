package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

var (
	errTooManyRedirects = errors.New("too many redirects")
	errOtherHost        = errors.New("redirected to another host")
)

// StatusError is the cause of a *channel.Error that an answer's status gave.
type StatusError struct {
	Status int
	// login marks the answer to a request for credentials, which new credentials cannot mend.
	login bool
}

// Error implements error.
func (e *StatusError) Error() string { return "status " + strconv.Itoa(e.Status) }

// OfLogin marks an error of a request that was to get credentials: another attempt to get some would be
// refused the same way. It names the part of the specification that the request belongs to.
func OfLogin(err error, path string) error {
	var failure *channel.Error
	if !errors.As(err, &failure) {
		return err
	}
	marked := *failure
	marked.Message = path + ": " + failure.Message
	if status, ok := errors.AsType[*StatusError](err); ok {
		marked.Err = &StatusError{Status: status.Status, login: true}
	}
	return &marked
}

// unsentError marks the cause of an error of a request that never left.
type unsentError struct{ cause error }

// Error implements error.
func (e *unsentError) Error() string { return "the request was not sent" }

// Unwrap returns the cause; nil is none.
func (e *unsentError) Unwrap() error { return e.cause }

// unsent is the error of a request that never left.
func unsent(err error) error {
	failure, ok := errors.AsType[*channel.Error](err)
	if !ok {
		return err
	}
	marked := *failure
	marked.Err = &unsentError{failure.Err}
	return &marked
}

// NotSent marks the error of a request that changes something with the other side as one that certainly
// did nothing, where that is known: it never left, it was refused by its status, or there never was a connection.
// After a time-out or a failure of the server (5xx) it is not.
func NotSent(err error) error {
	status, answered := errors.AsType[*StatusError](err)
	operation, failed := errors.AsType[*net.OpError](err)
	_, unresolved := errors.AsType[*net.DNSError](err)
	_, kept := errors.AsType[*unsentError](err)
	known, _ := errors.AsType[*channel.Error](err)
	switch {
	case kept:
	case known != nil && known.Reason == ledgerapi.ReasonServerError: // some servers say so with any status
		return err
	case answered && status.Status >= 400 && status.Status < 500 && status.Status != http.StatusRequestTimeout:
	case failed && (operation.Op == "dial" || operation.Op == "proxyconnect"), unresolved:
	case known != nil && known.Reason == ledgerapi.ReasonRateLimited: // also by ourselves, before it was sent
	default:
		return err
	}
	return &channel.NotSentError{Err: err}
}

// StatusFailure is the error of an answer whose status is not 200 to 299. Nothing of its body is read.
func StatusFailure(answer *http.Response, now time.Time) *channel.Error {
	e := &channel.Error{RetryAfter: RetryAfter(answer.Header, now), Err: &StatusError{Status: answer.StatusCode}}
	status := answer.StatusCode
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		e.Reason, e.Message = ledgerapi.ReasonUnauthorized, fmt.Sprintf("the source refused the credentials (%d)", status)
	case status == http.StatusNotFound || status == http.StatusGone:
		e.Reason, e.Message = ledgerapi.ReasonNotFound, fmt.Sprintf("the source has nothing at this url (%d)", status)
	case status == http.StatusTooManyRequests:
		e.Reason, e.Message = ledgerapi.ReasonRateLimited, "the source asks for fewer requests (429); lower polling.requestsPerMinute"
	case status == http.StatusRequestTimeout || status == http.StatusGatewayTimeout:
		e.Reason, e.Message = ledgerapi.ReasonTimeout, fmt.Sprintf("the source did not answer in time (%d)", status)
	case status >= 500:
		e.Reason, e.Message = ledgerapi.ReasonServerError, fmt.Sprintf("the source failed (%d)", status)
	case status >= 400:
		e.Reason, e.Message = ledgerapi.ReasonInvalidResponse, fmt.Sprintf("the source refused the request (%d); check its method, query, headers and body", status)
	default:
		e.Reason, e.Message = ledgerapi.ReasonInvalidResponse, fmt.Sprintf("the source answered with the status %d", status)
	}
	return e
}

// Unreached is the error of a request to the host that got no (whole) answer. ctx is that of the
// whole poll: when it has ended, nobody is to blame.
func Unreached(ctx context.Context, host string, err error) *channel.Error {
	if ctx.Err() != nil {
		return stopped(ctx)
	}
	// A url.Error repeats the URL, which may hold a key; what it wraps is all that is of use.
	var wrapped *url.Error
	for errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	if failure, ok := errors.AsType[*channel.Error](err); ok {
		return failure
	}
	switch {
	case errors.Is(err, errOtherHost):
		return &channel.Error{Reason: ledgerapi.ReasonInvalidResponse, Message: host + " redirects to another host, which is not followed; set url to where it leads"}
	case errors.Is(err, errTooManyRedirects):
		return &channel.Error{Reason: ledgerapi.ReasonInvalidResponse, Message: host + " redirects without end"}
	}
	var timeout net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return &channel.Error{Reason: ledgerapi.ReasonTimeout, Message: host + " did not answer in time", Err: err}
	}
	return &channel.Error{Reason: ledgerapi.ReasonUnreachable, Message: host + ": " + obstacle(err), Err: err}
}

// obstacle says what stood in the way, in words of this package: what a library says may repeat what
// the other side sent.
func obstacle(err error) string {
	var (
		name        *net.DNSError
		authority   x509.UnknownAuthorityError
		wrongName   x509.HostnameError
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
		alert       tls.AlertError
		operation   *net.OpError
	)
	switch {
	case errors.As(err, &operation) && operation.Op == "proxyconnect":
		return "the proxy on the way to it cannot be reached"
	case errors.As(err, &name):
		return "the name cannot be resolved"
	case errors.As(err, &authority):
		return "its certificate is signed by an unknown authority; set caSecretRef to the authority's certificate"
	case errors.As(err, &wrongName):
		return "its certificate is for another name"
	case errors.As(err, &certificate):
		return "its certificate is not valid, or not now"
	case errors.As(err, &record), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return "it does not speak TLS there"
	case errors.As(err, &alert):
		return "it refused the TLS connection"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection was refused"
	}
	return "the connection failed"
}

// stopped is the error of a poll that was called off.
func stopped(ctx context.Context) *channel.Error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &channel.Error{Reason: ledgerapi.ReasonTimeout, Message: "the poll took too long", Err: ctx.Err()}
	}
	return &channel.Error{Reason: ledgerapi.ReasonInternal, Message: "the poll was called off", Err: ctx.Err()}
}

// MaxRetryAfter bounds what an answer can ask for.
const MaxRetryAfter = time.Hour

// RetryAfter reads the header of that name (RFC 9110 section 10.2.3), seconds or a date; 0 when it is
// absent or makes no sense, MaxRetryAfter at most.
func RetryAfter(header http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(header.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(value, 10, 63); err == nil {
		return time.Duration(min(seconds, uint64(MaxRetryAfter/time.Second))) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), MaxRetryAfter)
}
