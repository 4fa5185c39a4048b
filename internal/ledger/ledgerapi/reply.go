package ledgerapi

import (
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
)

// Bounds of replies.
const (
	// MaxReplyIDBytes is for the name that a client gives a reply.
	MaxReplyIDBytes = 128
	// MaxReplyBytes is for the text, whatever a platform takes.
	MaxReplyBytes = complaint.MaxTextBytes
)

// ReplyRequest asks for an answer to be sent to the citizen of a case.
type ReplyRequest struct {
	// ID is the client's name of the reply, unique within the channel: the same request may be sent again
	// without the citizen hearing twice. Letters, digits, '.', '_' and '-'.
	ID string `json:"id"`
	// Case is the case's identifier on its channel.
	Case string `json:"case"`
	// Text is what the citizen gets.
	Text string `json:"text"`
	// DryRun goes the whole way up to the sending and sends nothing.
	DryRun bool `json:"dryRun,omitempty"`
}

// ReplyState is how far a reply has come.
type ReplyState string

// The states of a reply. All but the first two are final.
const (
	// ReplyPending waits for the channel's worker, perhaps for another attempt.
	ReplyPending ReplyState = "Pending"
	// ReplySending is in the hands of a worker.
	ReplySending ReplyState = "Sending"
	// ReplySent was taken by the platform, and is an event of its case.
	ReplySent ReplyState = "Sent"
	// ReplyChecked would have been sent, were it not a dry run.
	ReplyChecked ReplyState = "Checked"
	// ReplyFailed was not sent and will not be, or it came back.
	ReplyFailed ReplyState = "Failed"
	// ReplyUnconfirmed may have been sent: the worker or the platform did not say. It is not sent again, as a
	// person can look and a machine cannot.
	ReplyUnconfirmed ReplyState = "Unconfirmed"
)

// Final reports whether the state does not change any more.
func (s ReplyState) Final() bool { return s != ReplyPending && s != ReplySending }

// ReplyStatus is how a reply fares.
type ReplyStatus struct {
	ID    string     `json:"id"`
	Case  string     `json:"case"`
	State ReplyState `json:"state"`
	// Reason and Message say what stands in the way; of a ReplyPending, what did at the last attempt.
	Reason  Reason `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
	// Event is the identifier of the answer in its case, of a ReplySent.
	Event string `json:"event,omitempty"`
	// CreatedAt is when the ledger took it, ChangedAt when its state last changed.
	CreatedAt time.Time `json:"createdAt"`
	ChangedAt time.Time `json:"changedAt"`
	// Attempts is how many times a worker took it.
	Attempts int  `json:"attempts,omitempty"`
	DryRun   bool `json:"dryRun,omitempty"`
}

// Outbox is what a worker has to send. It is given once: a worker that does not say what became of a
// reply within ReplyPatience leaves it ReplyUnconfirmed.
type Outbox struct {
	Replies []OutgoingReply `json:"replies"`
}

// ReplyPatience is how long a worker may take to send a reply and to say so.
const ReplyPatience = 2 * time.Minute

// OutgoingReply is a reply and the message that it answers.
type OutgoingReply struct {
	ID     string `json:"id"`
	Case   string `json:"case"`
	Text   string `json:"text"`
	DryRun bool   `json:"dryRun,omitempty"`
	// Message, At, Reporter and Attributes are of the citizen's latest message in the case. Reporter is nil
	// where the ledger keeps no handles.
	Message    string              `json:"message"`
	At         time.Time           `json:"at"`
	Reporter   *complaint.Reporter `json:"reporter,omitempty"`
	Attributes map[string]string   `json:"attributes,omitempty"`
}

// ReplyResult is what became of an OutgoingReply.
type ReplyResult struct {
	// State is ReplySent, ReplyChecked, ReplyFailed, ReplyUnconfirmed, or ReplyPending for one that was
	// certainly not sent and is to be tried again.
	State   ReplyState `json:"state"`
	Reason  Reason     `json:"reason,omitempty"`
	Message string     `json:"message,omitempty"`
	// Event is the identifier of the answer, and At when it was sent; of a ReplySent.
	Event string    `json:"event,omitempty"`
	At    time.Time `json:"at,omitzero"`
	// RetryAfterSeconds is how long the platform asked to be left alone; of a ReplyPending.
	RetryAfterSeconds int64 `json:"retryAfterSeconds,omitempty"`
}

// ReturnedReply is a reply that was sent and, as the platform says later, did not reach the citizen.
type ReturnedReply struct {
	// Event is the identifier of the answer in its case.
	Event string `json:"event"`
	// Message is one sentence for people that says why, without content or anybody's address.
	Message string `json:"message"`
}
