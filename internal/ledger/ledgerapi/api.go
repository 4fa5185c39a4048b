// Package ledgerapi is the wire form of the ledger's API: JSON over HTTPS below /v1. It is what
// workers, the operator and the ledger share, and nothing else, so that a worker links neither a
// database nor Kubernetes.
//
//	POST /v1/channels/{channel}/events   AppendRequest  → AppendResponse   (worker)
//	POST /v1/channels/{channel}/report   Report         → 204              (worker)
//	GET  /v1/channels/{channel}          → ChannelState                    (worker)
//	GET  /v1/channels/{channel}/cases    → CaseList, ?state=open&after=…   (worker, operator, desk)
//	PUT  /v1/policy                      policy.Document → PolicyStatus    (operator)
//	GET  /v1/summary                     → Summary, ?after=…&epoch=…&wait=… (operator)
//	POST /v1/erasures                    ErasureRequest → ErasureStatus    (operator)
//	GET  /v1/erasures/{id}               → ErasureStatus                   (operator)
//	GET  /v1/cases                       → CaseList, ?channel=…&state=…    (operator)
//	POST /v1/channels/{channel}/replies         ReplyRequest → ReplyStatus (desk)
//	GET  /v1/channels/{channel}/replies/{reply} → ReplyStatus              (desk)
//	GET  /v1/channels/{channel}/outbox          → Outbox, ?wait=20s        (worker)
//	POST /v1/channels/{channel}/outbox/{reply}  ReplyResult → 204          (worker)
//
// The desk is whoever may create complaintchannels/reply by the cluster's own roles.
//
// An error is an Error with the HTTP status that fits: 400 for what can never be accepted, 401 and
// 403 for who asks, 404 for a channel the policy does not name, 409 for a cursor another worker has
// moved, 413 for a body over the limit, 429 and 503 with Retry-After for what may be tried again.
package ledgerapi

import (
	"encoding/json"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
)

// Bounds of a request.
const (
	MaxBatchEvents  = 1000
	MaxRequestBytes = 8 << 20
	MaxCursorBytes  = 64 << 10
	// Audience is the audience of the service-account tokens that workers present.
	Audience = "tanggap-ledger"
	// OperatorCommonName is the common name of the client certificate that the operator presents.
	OperatorCommonName = "tanggap-operator"
)

// AppendRequest is a batch of events of one channel and the source's position after it. Both are
// stored in one transaction or neither is.
type AppendRequest struct {
	// Events all belong to the channel of the request's path.
	Events []complaint.Event `json:"events,omitempty"`
	// Returned are replies that were sent and did not reach the citizen, at most MaxBatchEvents.
	Returned []ReturnedReply `json:"returned,omitempty"`
	// Cursor replaces the channel's cursor; nil leaves it.
	Cursor json.RawMessage `json:"cursor,omitempty"`
	// PreviousGeneration guards the cursor against a second worker: a Cursor is stored only if the
	// channel's CursorGeneration still is this, else the whole batch is refused with 409.
	PreviousGeneration int64 `json:"previousGeneration,omitempty"`
	// ObservedThrough is the event-time watermark after this batch; nil leaves it. It never moves back.
	ObservedThrough *time.Time `json:"observedThrough,omitempty"`
}

// AppendResponse says what became of a batch; it is sent after the commit and never before.
type AppendResponse struct {
	// Accepted events were new, Duplicate ones known already.
	Accepted  int `json:"accepted"`
	Duplicate int `json:"duplicate"`
	// Rejected lists the events that can never be accepted; the others of the batch are stored.
	Rejected []Rejection `json:"rejected,omitempty"`
	// CursorGeneration is the channel's generation after the batch.
	CursorGeneration int64 `json:"cursorGeneration"`
}

// Rejection is an event refused for itself.
type Rejection struct {
	// Index is its place in the batch.
	Index int `json:"index"`
	// Message names the field and the rule, never the content.
	Message string `json:"message"`
}

// ChannelState is what a worker starts from.
type ChannelState struct {
	Cursor           json.RawMessage `json:"cursor,omitempty"`
	CursorGeneration int64           `json:"cursorGeneration"`
	ObservedThrough  *time.Time      `json:"observedThrough,omitempty"`
}

// SourceState is how a source fares.
type SourceState string

// The states of a source.
const (
	SourceUnknown      SourceState = "Unknown"
	SourceConnected    SourceState = "Connected"
	SourceDisconnected SourceState = "Disconnected"
)

// Reason is why a source is in its state, or why something went wrong: a bounded set that is safe
// as a label and as a condition's reason.
type Reason string

// The reasons.
const (
	ReasonConnected         Reason = "Connected"
	ReasonWaitingForFirst   Reason = "WaitingForFirstContact" // a push source nobody has delivered to yet: not an error
	ReasonUnauthorized      Reason = "Unauthorized"           // credentials refused by the platform (401, 403)
	ReasonCredentialMissing Reason = "CredentialMissing"      // a key of a Secret is absent or empty
	ReasonNotFound          Reason = "NotFound"               // the endpoint answers 404 or 410
	ReasonRateLimited       Reason = "RateLimited"
	ReasonUnreachable       Reason = "Unreachable" // DNS, connection, TLS
	ReasonTimeout           Reason = "Timeout"
	ReasonServerError       Reason = "ServerError"       // 5xx
	ReasonInvalidResponse   Reason = "InvalidResponse"   // not JSON or XML, or not of the documented shape
	ReasonMappingFailed     Reason = "MappingFailed"     // an expression failed on an item
	ReasonInvalidEvent      Reason = "InvalidEvent"      // a mapped event breaks a rule, e.g. a time without offset
	ReasonSignatureInvalid  Reason = "SignatureInvalid"  // a push whose signature does not verify
	ReasonReplayed          Reason = "Replayed"          // a push outside the replay window
	ReasonBodyTooLarge      Reason = "BodyTooLarge"      // a push over the limit
	ReasonInvalidBody       Reason = "InvalidBody"       // a push that is not of the documented shape
	ReasonNotSubscribed     Reason = "NotSubscribed"     // the platform no longer delivers, or not what it should
	ReasonHistoryLost       Reason = "HistoryLost"       // the platform no longer shows what was not read in time
	ReasonConflict          Reason = "Conflict"          // somebody else reads what only one may read
	ReasonLedgerUnavailable Reason = "LedgerUnavailable" // the ledger did not take the events
	ReasonInternal          Reason = "InternalError"
)

// ReasonReplyRefused is of replies alone, and never of a source: a reply breaks a rule of the platform, or
// nobody knows where to send it.
const ReasonReplyRefused Reason = "ReplyRefused"

// Reasons lists every reason of a source: a ledger counts what is none of them as ReasonInternal.
func Reasons() []Reason {
	return []Reason{
		ReasonConnected, ReasonWaitingForFirst, ReasonUnauthorized, ReasonCredentialMissing, ReasonNotFound, ReasonRateLimited,
		ReasonUnreachable, ReasonTimeout, ReasonServerError, ReasonInvalidResponse, ReasonMappingFailed, ReasonInvalidEvent,
		ReasonSignatureInvalid, ReasonReplayed, ReasonBodyTooLarge, ReasonInvalidBody, ReasonNotSubscribed, ReasonHistoryLost, ReasonConflict, ReasonLedgerUnavailable, ReasonInternal,
	}
}

// SourceStates lists every state.
func SourceStates() []SourceState {
	return []SourceState{SourceUnknown, SourceConnected, SourceDisconnected}
}

// Report is a worker's heartbeat for one channel, sent every ten seconds and at once when State or
// Reason changes. Counters count from the worker's start; the ledger adds their growth per Instance.
type Report struct {
	// Instance tells two lives of a worker apart (random at start).
	Instance string      `json:"instance"`
	State    SourceState `json:"state"`
	Reason   Reason      `json:"reason"`
	// Message is one sentence for people; never a remote body, a secret or content.
	Message string `json:"message,omitempty"`
	// LastSuccessAt is the last complete poll or accepted delivery.
	LastSuccessAt *time.Time `json:"lastSuccessAt,omitempty"`
	// ObservedThrough as in AppendRequest, for sources that have read completely and found nothing.
	ObservedThrough *time.Time `json:"observedThrough,omitempty"`
	// Rejected counts items that never became events (mapping, signature, size ...), Skipped those that are
	// no complaints by the specification, Errors counts failures by reason; all since Instance started.
	Rejected int64            `json:"rejected,omitempty"`
	Skipped  int64            `json:"skipped,omitempty"`
	Errors   map[Reason]int64 `json:"errors,omitempty"`
	// Leaving says that it is the last report of a worker that stops: what any other says of the source counts more.
	Leaving bool `json:"leaving,omitempty"`
}

// Case is one complaint as a list shows it; no text and no identity.
type Case struct {
	complaint.CaseKey
	complaint.Dimensions
	ReceivedAt   *time.Time `json:"receivedAt,omitempty"`
	AnsweredAt   *time.Time `json:"answeredAt,omitempty"`
	WaitingSince *time.Time `json:"waitingSince,omitempty"`
	Status       string     `json:"status,omitempty"`
	Open         bool       `json:"open"`
	Unanswered   bool       `json:"unanswered"`
	// DueAt is the earliest due instant of its running clocks.
	DueAt   *time.Time `json:"dueAt,omitempty"`
	Overdue bool       `json:"overdue"`
}

// The states that ?state= asks for.
const (
	CasesOpen       = "open"
	CasesClosed     = "closed"     // resolved, rejected, merged ..., or never received
	CasesUnanswered = "unanswered" // nobody has answered
	// CasesAwaitingReply are those in which a citizen waits for a word, the first answer or a further one.
	CasesAwaitingReply = "awaitingReply"
	CasesOverdue       = "overdue" // a clock is past its due instant and goes on
)

// CaseStates lists the states.
func CaseStates() []string {
	return []string{CasesOpen, CasesClosed, CasesUnanswered, CasesAwaitingReply, CasesOverdue}
}

// CaseList is a page of cases in the order of (channel, case).
type CaseList struct {
	Cases []Case `json:"cases"`
	// Next is the value of ?after= for the next page; "" is the end.
	Next string `json:"next,omitempty"`
}

// ErasureRequest names a reporter whose personal data is to be erased, by every identity that is known.
type ErasureRequest struct {
	Reporters []ErasureReporter `json:"reporters"`
}

// ErasureReporter is one identity: exactly one of Phone, Email and Handle.
type ErasureReporter struct {
	Phone string `json:"phone,omitempty"`
	Email string `json:"email,omitempty"`
	// Handle is one of Channel; it need not be the same person elsewhere.
	Handle  string `json:"handle,omitempty"`
	Channel string `json:"channel,omitempty"`
}

// ErasureStatus says how far an erasure has come; it does not say whose it is.
type ErasureStatus struct {
	ID string `json:"id"`
	// At is the instant through which everything is erased.
	At time.Time `json:"at"`
	// Cases and Events are how many something was taken from, over all erasures of the same reporter.
	Cases  int64 `json:"cases"`
	Events int64 `json:"events"`
	// Done says that every case was looked at.
	Done bool `json:"done"`
	// MissingKeys is by how many keys of pseudonyms there are reporters that the ledger does not have: under these
	// nobody was found.
	MissingKeys int `json:"missingKeys,omitempty"`
}

// PolicyStatus says how far a policy has been applied.
type PolicyStatus struct {
	Revision string `json:"revision"`
	// Rederive says by SLA name how many open cases have been judged again under it, and how many are to go.
	Rederive map[string]Progress `json:"rederive,omitempty"`
}

// Progress of a re-derivation, in cases.
type Progress struct {
	Done int64 `json:"done"`
	ToGo int64 `json:"toGo"`
}

// Error is the body of every answer that is not a success.
type Error struct {
	// Message says what was wrong with the request and what would be right.
	Message string `json:"message"`
}
