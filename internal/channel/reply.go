package channel

import (
	"context"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// Replier is optional; implement it when the platform takes answers. It is used only where the channel's
// specification allows replies. Its methods may be called beside a Poll or deliveries.
type Replier interface {
	Source
	// CheckReply says whether the reply could be sent now: its length, the platform's window, what must be
	// known of the citizen. It does no network I/O and sends nothing, so that it serves a dry run. The error
	// is an *Error whose sentence tells the person who wrote the reply what would be right.
	CheckReply(reply Reply) error
	// Reply sends a reply that CheckReply has just found good, once: it does not try again. The error is an
	// *Error; one that is not wrapped in a *NotSentError leaves open whether the platform has sent it.
	Reply(ctx context.Context, reply Reply) (Sent, error)
}

// Reply is what the city answers in a case.
type Reply struct {
	// ID names the reply within the channel, for ever.
	ID string
	// CaseID is the case.
	CaseID string
	// Text is what is sent, as it was written.
	Text string
	// Message is the citizen's latest message in the case, which the reply answers.
	Message Message
}

// Message is a citizen's message as far as the ledger keeps it.
type Message struct {
	// ID is the identifier of its event.
	ID string
	// At is when it was written.
	At time.Time
	// Reporter is who wrote it; nil where the ledger keeps no handles.
	Reporter *complaint.Reporter
	// Attributes are those of the event; nil once its content has expired.
	Attributes map[string]string
}

// Sent is a reply that the platform took.
type Sent struct {
	// EventID is the identifier that the source gives the event of the same message when it sees it itself,
	// so that one message is one answer.
	EventID string
	// At is when it was sent.
	At time.Time
}

// NotSentError wraps the *Error of a reply that the platform certainly did not send, so that it may be
// tried again.
type NotSentError struct{ Err error }

// Error implements error.
func (e *NotSentError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *NotSentError) Unwrap() error { return e.Err }

// UnknownReporter is the error of a reply to somebody whose address the ledger does not keep.
func UnknownReporter() *Error {
	return &Error{Reason: ledgerapi.ReasonReplyRefused,
		Message: "nobody knows where to send it: the ledger keeps no handles (privacy.storeHandles), or this one has expired"}
}
