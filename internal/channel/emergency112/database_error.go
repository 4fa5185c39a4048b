package emergency112

import (
	"context"
	"errors"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/field"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// errNoTime says that the view cannot be read by its time of change.
var errNoTime = errors.New("the column updatedAt is no timestamp")

// failure says in our own words what an error of the database means: what the server says may repeat what
// stands in its rows, and what the driver says the URL.
func (d *database) failure(ctx context.Context, err error) *channel.Error {
	if ctx.Err() != nil {
		return &channel.Error{Reason: ledgerapi.ReasonTimeout, Message: "the poll was called off"}
	}
	if failure, ok := errors.AsType[*channel.Error](err); ok {
		return failure
	}
	if faults := field.All(err); len(faults) > 0 {
		return &channel.Error{Reason: ledgerapi.ReasonInvalidResponse, Message: "the view lacks something: " + strings.ReplaceAll(err.Error(), "\n", "; ")}
	}
	if errors.Is(err, errNoTime) {
		return &channel.Error{Reason: ledgerapi.ReasonInvalidResponse, Message: errNoTime.Error()}
	}
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		return refusal(refused.Code)
	}
	var timeout net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return &channel.Error{Reason: ledgerapi.ReasonTimeout, Message: "the database did not answer in time"}
	}
	return &channel.Error{Reason: ledgerapi.ReasonUnreachable, Message: "the database cannot be reached, or its certificate is not trusted"}
}

// refusal is what a code of the server means (https://www.postgresql.org/docs/current/errcodes-appendix.html).
func refusal(code string) *channel.Error {
	say := func(reason ledgerapi.Reason, message string) *channel.Error {
		return &channel.Error{Reason: reason, Message: message + " (" + code + ")"}
	}
	switch {
	case strings.HasPrefix(code, "28"):
		return say(ledgerapi.ReasonUnauthorized, "the database refused the user or the password")
	case code == "42501":
		return say(ledgerapi.ReasonUnauthorized, "the user may not SELECT from the view")
	case code == "3D000":
		return say(ledgerapi.ReasonNotFound, "there is no database of this name")
	case code == "42P01", code == "3F000":
		return say(ledgerapi.ReasonNotFound, "there is no view of this name; check view, with its schema")
	case code == "42703":
		return say(ledgerapi.ReasonInvalidResponse, "the view lacks the column updatedAt")
	case code == "57014":
		return say(ledgerapi.ReasonTimeout, "the database ended the statement after postgresql.timeout; is there an index on updatedAt and incidentID?")
	case strings.HasPrefix(code, "53"), strings.HasPrefix(code, "57"):
		return say(ledgerapi.ReasonServerError, "the database cannot work now")
	}
	return say(ledgerapi.ReasonInvalidResponse, "the database refused the statement")
}
