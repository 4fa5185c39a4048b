// Package complaint holds the words of the domain: the canonical event that every channel's payload
// becomes, and the fields a case is made of. It imports nothing of the project, reads no clock and
// does no I/O.
package complaint

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Kind says what happened to a case. The order of the constants is the order of two events of one
// case at the same instant: what opens a case sorts before what closes it.
type Kind string

// The kinds of event, in the order in which equal instants sort.
const (
	KindReceived       Kind = "Received"
	KindCitizenMessage Kind = "CitizenMessage"
	KindAcknowledged   Kind = "Acknowledged"
	KindAnswered       Kind = "Answered"
	KindAssigned       Kind = "Assigned"
	KindStatusChanged  Kind = "StatusChanged"
	KindMerged         Kind = "Merged"
	KindReplyNotNeeded Kind = "ReplyNotNeeded"
	KindEdited         Kind = "Edited"
	KindRedacted       Kind = "Redacted"
)

// Kinds lists every kind in its sorting order.
func Kinds() []Kind {
	return []Kind{
		KindReceived, KindCitizenMessage, KindAcknowledged, KindAnswered, KindAssigned,
		KindStatusChanged, KindMerged, KindReplyNotNeeded, KindEdited, KindRedacted,
	}
}

// order is the kind's place among events of the same instant, or -1 for a kind that does not exist.
func (k Kind) order() int {
	switch k {
	case KindReceived:
		return 0
	case KindCitizenMessage:
		return 1
	case KindAcknowledged:
		return 2
	case KindAnswered:
		return 3
	case KindAssigned:
		return 4
	case KindStatusChanged:
		return 5
	case KindMerged:
		return 6
	case KindReplyNotNeeded:
		return 7
	case KindEdited:
		return 8
	case KindRedacted:
		return 9
	}
	return -1
}

// Valid reports whether the kind is one of Kinds.
func (k Kind) Valid() bool { return k.order() >= 0 }

// Status is what a StatusChanged event moves a case to.
type Status string

// The statuses of a case. Rejected means that the city is not the authority in charge.
const (
	StatusOpen               Status = "Open"
	StatusAwaitingCitizen    Status = "AwaitingCitizen"
	StatusAwaitingThirdParty Status = "AwaitingThirdParty"
	StatusResolved           Status = "Resolved"
	StatusReopened           Status = "Reopened"
	StatusRejected           Status = "Rejected"
	StatusDuplicate          Status = "Duplicate"
	StatusSpam               Status = "Spam"
)

// Statuses lists every status.
func Statuses() []Status {
	return []Status{
		StatusOpen, StatusAwaitingCitizen, StatusAwaitingThirdParty, StatusResolved,
		StatusReopened, StatusRejected, StatusDuplicate, StatusSpam,
	}
}

// Valid reports whether the status is one of Statuses.
func (s Status) Valid() bool { return slices.Contains(Statuses(), s) }

// Cancels reports whether the status takes a case out of the city's hands, so that its running
// clocks are neither met nor breached.
func (s Status) Cancels() bool {
	return s == StatusRejected || s == StatusDuplicate || s == StatusSpam
}

// Actor says who did something.
type Actor string

// The actors. Only an official answers, unless the SLA says otherwise.
const (
	ActorCitizen  Actor = "citizen"
	ActorOfficial Actor = "official"
	ActorBot      Actor = "bot"
	ActorSystem   Actor = "system"
)

// Actors lists every actor.
func Actors() []Actor { return []Actor{ActorCitizen, ActorOfficial, ActorBot, ActorSystem} }

// Valid reports whether the actor is one of Actors.
func (a Actor) Valid() bool { return slices.Contains(Actors(), a) }

// Bounds of an event. What is longer is refused (identifiers) or cut (texts), never stored.
const (
	MaxIDBytes         = 256
	MaxTextBytes       = 16 << 10
	MaxAttributes      = 32
	MaxAttributeBytes  = 1024
	MaxFutureSkew      = 2 * time.Minute
	maxReporterField   = 256
	earliestOccurrence = 946684800 // 2000-01-01: an older time is a parsing mistake, not a complaint
)

// MaxClockDifference is how far two clocks may be apart that a ledger compares before it takes one of them for wrong: far
// more than machines differ that are kept together, the waits between the two readings included, and far less than the
// time zone, the month or the year by which a clock is wrong that is not. It is that of Kerberos.
const MaxClockDifference = 5 * time.Minute

// Event is the canonical event: what a channel's payload becomes. Its JSON form is the one of the
// ledger's API and of `tanggap explain --events`.
type Event struct {
	// Channel is the name of the ComplaintChannel; unique within a ledger.
	Channel string `json:"channel"`
	// CaseID is the identifier of the case on its channel (externalCaseID).
	CaseID string `json:"case"`
	// ID is unique within the channel: (Channel, ID) is the key by which repeated deliveries are dropped.
	ID string `json:"id"`
	// Kind says what happened.
	Kind Kind `json:"kind"`
	// Actor says who did it.
	Actor Actor `json:"actor"`
	// OccurredAt is when it happened by the channel's own time (not when it was read).
	OccurredAt time.Time `json:"at"`
	// To is the new status; set for StatusChanged and for nothing else.
	To Status `json:"to,omitempty"`
	// Into is the CaseID of the original on the same channel; set for Merged and for nothing else.
	Into string `json:"into,omitempty"`
	// Text is what was written. It is personal data: never in a log, metric, condition or error.
	Text string `json:"text,omitempty"`
	// Reporter identifies the citizen, where the channel tells. Personal data likewise.
	Reporter *Reporter `json:"reporter,omitempty"`
	// Location is where the complaint is about.
	Location *Location `json:"location,omitempty"`
	// Attributes are further fields for CEL rules: category, department, priority, source status ...
	Attributes map[string]string `json:"attributes,omitempty"`
	// Thread asks the ledger to find the case; nil takes CaseID as it is.
	Thread *Thread `json:"thread,omitempty"`
	// Clamped marks an event whose OccurredAt lay in the future and was moved to its time of receipt.
	Clamped bool `json:"clamped,omitempty"`
	// Cleared marks an event whose text, location and attributes were removed (by retention or a
	// Redacted). It is what its Kind says: there is nothing left that a rule could recognise, and a Kind
	// that a rule had turned into another was replaced when it was cleared.
	Cleared bool `json:"cleared,omitempty"`
}

// Attribute keys with a meaning of their own.
const (
	// AttributeCategory is the category by the source's own name; a taxonomy may map it.
	AttributeCategory = "category"
	// AttributeDepartment is the department by the source's own name.
	AttributeDepartment = "department"
	// AttributePriority is the priority by the source's own name.
	AttributePriority = "priority"
)

// Reporter identifies a citizen within the city. At most one field is needed; the ledger keeps a
// keyed pseudonym of the first one present in the order phone, email, handle.
type Reporter struct {
	Phone  string `json:"phone,omitempty"`
	Email  string `json:"email,omitempty"`
	Handle string `json:"handle,omitempty"`
}

// Location is a WGS 84 position in decimal degrees.
type Location struct {
	Latitude  float64 `json:"lat"`
	Longitude float64 `json:"lon"`
}

// Validate reports what is wrong with the event, naming the field by its JSON name, what was
// expected, and never what a person wrote. All faults are reported at once (errors.Join).
func (e *Event) Validate() error {
	var errs []error
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	for _, id := range [...]struct{ field, value string }{{"channel", e.Channel}, {"case", e.CaseID}, {"id", e.ID}} {
		switch {
		case id.value == "":
			fault("%s: must not be empty", id.field)
		case len(id.value) > MaxIDBytes:
			fault("%s: has %d bytes, at most %d are allowed", id.field, len(id.value), MaxIDBytes)
		case !utf8.ValidString(id.value):
			fault("%s: must be UTF-8", id.field)
		}
	}
	if !e.Kind.Valid() {
		fault("kind: must be one of %v", Kinds())
	}
	if !e.Actor.Valid() {
		fault("actor: must be one of %v", Actors())
	}
	if e.OccurredAt.Unix() < earliestOccurrence {
		fault("at: must be a time after 2000-01-01 with an offset from UTC")
	}
	switch {
	case e.Kind == KindStatusChanged && !e.To.Valid():
		fault("to: a StatusChanged needs one of %v", Statuses())
	case e.Kind != KindStatusChanged && e.To != "":
		fault("to: only a StatusChanged has it")
	}
	switch {
	case e.Kind == KindMerged && (e.Into == "" || len(e.Into) > MaxIDBytes || !utf8.ValidString(e.Into)):
		fault("into: a Merged needs the case it was merged into, in UTF-8 and of at most %d bytes", MaxIDBytes)
	case e.Kind == KindMerged && e.Into == e.CaseID:
		fault("into: a case cannot be merged into itself")
	case e.Kind != KindMerged && e.Into != "":
		fault("into: only a Merged has it")
	}
	if len(e.Text) > MaxTextBytes {
		fault("text: has %d bytes, at most %d are allowed", len(e.Text), MaxTextBytes)
	}
	if r := e.Reporter; r != nil && max(len(r.Phone), len(r.Email), len(r.Handle)) > maxReporterField {
		fault("reporter: each field has at most %d bytes", maxReporterField)
	}
	if l := e.Location; l != nil && !l.valid() {
		fault("location: lat must be within ±90 and lon within ±180 degrees")
	}
	if len(e.Attributes) > MaxAttributes {
		fault("attributes: has %d entries, at most %d are allowed", len(e.Attributes), MaxAttributes)
	}
	for k, v := range e.Attributes {
		if k == "" || len(k) > MaxIDBytes || len(v) > MaxAttributeBytes {
			fault("attributes: a key has 1 to %d bytes and a value at most %d", MaxIDBytes, MaxAttributeBytes)
			break
		}
	}
	if err := e.Thread.validate(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (l *Location) valid() bool {
	// Written so that NaN fails.
	return l.Latitude >= -90 && l.Latitude <= 90 && l.Longitude >= -180 && l.Longitude <= 180
}

// Normalize returns the event as it is stored when it is received at now: its time in UTC, cut to
// microseconds (what every store keeps), and clamped to now where it lies further ahead than
// MaxFutureSkew; its text cut to MaxTextBytes at a rune's end.
func (e Event) Normalize(now time.Time) Event {
	if e.OccurredAt.After(now.Add(MaxFutureSkew)) {
		e.OccurredAt, e.Clamped = now, true
	}
	e.OccurredAt = e.OccurredAt.UTC().Truncate(time.Microsecond)
	e.Text = truncate(e.Text, MaxTextBytes)
	return e
}

// Cut is a text that an event may hold: what is no UTF-8 replaced, and at most limit bytes, to a rune's end.
func Cut(s string, limit int) string { return truncate(strings.ToValidUTF8(s, "\ufffd"), limit) }

func truncate(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// Compare orders the events of one case by (OccurredAt, Kind in the order of Kinds, ID).
func Compare(a, b *Event) int {
	return cmp.Or(
		a.OccurredAt.Compare(b.OccurredAt),
		cmp.Compare(a.Kind.order(), b.Kind.order()),
		cmp.Compare(a.ID, b.ID),
	)
}

// Sort puts the events of one case into their order and drops repetitions of an ID, the earliest of
// which stays. The slice is changed in place; the returned one is its front part.
func Sort(events []Event) []Event {
	slices.SortFunc(events, func(a, b Event) int { return Compare(&a, &b) })
	seen := make(map[string]struct{}, len(events))
	return slices.DeleteFunc(events, func(e Event) bool {
		if _, again := seen[e.ID]; again {
			return true
		}
		seen[e.ID] = struct{}{}
		return false
	})
}

// Shown is an identifier as a person may be shown it: quoted where it holds what a terminal would obey or a line end with,
// as some are given by whoever sends a complaint.
func Shown(id string) string {
	if strings.ContainsFunc(id, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(id)
	}
	return id
}

// CaseKey names a case within a ledger.
type CaseKey struct {
	Channel string `json:"channel"`
	CaseID  string `json:"case"`
}

// Key is the case the event belongs to.
func (e *Event) Key() CaseKey { return CaseKey{Channel: e.Channel, CaseID: e.CaseID} }

// Dimensions are what a complaint is counted by. They come only from specs, never from content: an
// unknown value is replaced by the taxonomy's fallback before it gets here.
type Dimensions struct {
	Category   string `json:"category"`
	Department string `json:"department"`
	Priority   string `json:"priority"`
}
