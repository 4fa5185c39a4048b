// Package channel is what a worker knows of the ways complaints arrive: the interfaces that each
// type of source implements. A type is one folder below this one with its wire format, its mapping
// and its tests; the worker is given the list of types explicitly.
package channel

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// Type is one kind of source, such as rest.
type Type interface {
	// Name is the discriminator of the channel's spec.source.
	Name() v1alpha1.SourceType
	// Open makes a source of a channel's specification. It compiles expressions and reads credentials
	// and does no network I/O. Its error is an *Error, or says what is wrong with the specification.
	Open(settings Settings) (Source, error)
}

// Source is one channel's source. It also implements Poller or Pusher, or both; a type may implement further
// optional interfaces of this package.
//
// One that is both is delivered to, and asked besides: Poll reads what deliveries may have missed and checks
// that the platform still delivers. It returns nil only if both are well, and an *Error of
// ReasonNotSubscribed, after it has read what it can, when the platform delivers no longer. After a complete
// poll the channel counts as read through now less UsualDelay; when one fails, that stands still until the next
// complete poll, and moves by what polls read meanwhile. Several workers may do so side by side: the cursor is
// guarded, and a poll that finds it moved leaves the rest to who moved it.
type Source interface {
	// Close releases what Open took. No call is under way or follows.
	Close() error
}

// Poller is implemented by a source that is read from time to time.
type Poller interface {
	Source
	// Poll reads everything from the cursor on (nil is the first poll) and hands it to sink page by page.
	// It returns nil once the source has been read completely, and else an *Error, after which the next
	// poll begins at the last cursor that the sink took. An *Error of ReasonConnected is no failure: the
	// source answers, but has more to read than one poll may; the next poll goes on as usual.
	Poll(ctx context.Context, cursor json.RawMessage, sink Sink) error
	// Interval between the starts of two polls.
	Interval() time.Duration
}

// Pusher is implemented by a source that others deliver to.
type Pusher interface {
	Source
	// Handler serves deliveries. It verifies the sender over the raw bytes before it parses anything, and
	// answers with success only after the sink has taken the events; when the sink cannot, it answers 503
	// with Retry-After. now and random come from the Settings.
	Handler(sink Sink) http.Handler
	// UsualDelay is how late deliveries usually are: the channel is read through now less this.
	UsualDelay() time.Duration
}

// Observer is optional; implement it when a poll that returned nil need not have read every change, as
// when open cases are asked for less often than new ones. Without it a channel counts as read through
// the start of its last complete poll.
type Observer interface {
	// ObservedThrough is the instant through which the source has been read completely, as of the last poll;
	// the zero time is nothing yet. It is called between polls only.
	ObservedThrough() time.Time
}

// Waker is optional; implement it when a source that is polled can learn between polls that there is something
// to read, as from IMAP's IDLE.
type Waker interface {
	// Woken yields a value each time the next poll should begin at once. Polls go on at their Interval all the
	// same, so that nothing is lost with a value that never came; one too many costs a poll. After a poll that
	// failed it is not listened to: then the wait is as long as failures suggest.
	Woken() <-chan struct{}
}

// Sink takes what a source has read. A Poller calls it from one goroutine at a time, a Pusher from many.
type Sink interface {
	// Append returns nil once the ledger has the batch durably, events and cursor in one transaction.
	// Events that break a rule are refused one by one and counted, and the others are kept. To a Poller
	// that is no error, as it could do nothing about it. To a Pusher it is an *Error of ReasonInvalidEvent
	// whose message names the event by its place in the batch, the field and the rule, so that the deliverer
	// can be told (400); the sink has counted it, Problem need not be called.
	// Any other error is an *Error too, mostly of ReasonLedgerUnavailable, which a Pusher answers with 503
	// and Retry-After (RetryAfter, when it is not 0); the batch may be given again.
	Append(ctx context.Context, batch Batch) error
	// Problem counts items or deliveries that never became events (a signature that does not verify, an
	// expression that fails, a time without an offset) and shows the reason in the channel's report. With 0
	// items it shows the reason and counts nothing.
	Problem(reason ledgerapi.Reason, message string, items int)
	// OpenCases lists the identifiers of the channel's open cases in the ledger, for sources that must
	// ask for each case's news.
	OpenCases(ctx context.Context) ([]string, error)
}

// Batch is some events and where the source stands after them.
type Batch struct {
	// Events need not have their Channel set; the sink sets it, and sends as many at once as the ledger takes.
	Events []complaint.Event
	// Returned are replies that were sent and did not reach the citizen.
	Returned []ledgerapi.ReturnedReply
	// Cursor is where the next poll begins; nil leaves it. It is the source's own JSON. A Pusher has none.
	Cursor json.RawMessage
	// ObservedThrough is the instant through which the source has been read completely; nil leaves it.
	ObservedThrough *time.Time
	// Skipped counts items that were read and are no complaints by the specification, such as prank calls.
	// They are counted once the batch is stored, so a source that reads something again leaves them out.
	Skipped int
}

// Settings is what a source is made of. Everything that reaches outside comes in here.
type Settings struct {
	// Channel is the name of the channel.
	Channel string
	// Spec is the channel's source as it was applied, defaults included.
	Spec v1alpha1.ChannelSource
	// AssumeTimeZone is for times without an offset; nil refuses them.
	AssumeTimeZone *time.Location
	// Credential returns the value of a Secret's key, without the line break that editors append; its error
	// is an *Error of ReasonCredentialMissing.
	Credential func(ref v1alpha1.SecretKeyReference) ([]byte, error)
	// FilesDir is where the volume with the channel's files is mounted, to be read; QuarantineDir is where
	// what could not be understood may be written. "" where the specification names none.
	FilesDir, QuarantineDir string
	// Transport carries requests; it honours the proxy of the environment and the pod's trust.
	Transport http.RoundTripper
	// Now is the clock; After waits on it; Random yields numbers in [0, 1) for jitter.
	Now    func() time.Time
	After  func(time.Duration) <-chan time.Time
	Random func() float64
	// Logger has the channel's name; nothing a citizen wrote and no secret may reach it.
	Logger *slog.Logger
}

// Error is why a source could not be read or a batch not be taken.
type Error struct {
	// Reason is safe as a label and as a condition's reason.
	Reason ledgerapi.Reason
	// Message is one sentence for people, without secrets, bodies of answers or content.
	Message string
	// RetryAfter is how long the other side asked to be left alone; 0 leaves it to the caller.
	RetryAfter time.Duration
	// Err is the cause, for logs only where it is known to hold nothing personal; it may be nil.
	Err error
}

// Error implements error.
func (e *Error) Error() string { return string(e.Reason) + ": " + e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
