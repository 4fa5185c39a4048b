package emergency112

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/complaint"
)

// incident is an incident as it was at some instant. Times that are not known are zero.
type incident struct {
	id, callType                   string
	category, priority, department string
	description, disposition       string
	phone                          string
	location                       *complaint.Location

	receivedAt, verifiedAt, dispatchedAt, disposedAt, closedAt, reopenedAt, reclassifiedAt time.Time
}

// rules are what a city takes for a complaint and for an answer.
type rules struct {
	channel    string
	count      map[string]bool // types of calls, in lower case
	answeredBy v1alpha1.Emergency112Answer
}

func rulesOf(channel string, spec *v1alpha1.Emergency112Source) rules {
	r := rules{channel: channel, count: map[string]bool{}, answeredBy: spec.AnsweredBy}
	for _, callType := range spec.CountCallTypes {
		r.count[strings.ToLower(strings.TrimSpace(callType))] = true
	}
	if len(r.count) == 0 {
		r.count["normal"] = true
	}
	if r.answeredBy == "" {
		r.answeredBy = v1alpha1.AnsweredByDisposition
	}
	return r
}

// counts reports whether calls of the type are complaints.
func (r *rules) counts(callType string) bool { return r.count[strings.ToLower(callType)] }

// events are what the incident tells. They depend on it alone and have the same identifiers whenever it is
// read, so that any order of its states, and any repetition of them, gives the same case. A call that is
// no complaint has none, unless it was taken for one at first.
func (r *rules) events(i *incident) (events []complaint.Event, skipped bool) {
	add := func(e complaint.Event, at time.Time) {
		if at.IsZero() {
			return
		}
		e.Channel, e.CaseID, e.OccurredAt = r.channel, i.id, at
		e.ID = identifier(&e)
		// Normalize at the event's own time cuts the text and clamps nothing.
		events = append(events, e.Normalize(at))
	}
	official := func(kind complaint.Kind, to complaint.Status) complaint.Event {
		return complaint.Event{Kind: kind, Actor: complaint.ActorOfficial, To: to, Attributes: i.attributes()}
	}
	if !r.counts(i.callType) {
		add(official(complaint.KindStatusChanged, complaint.StatusSpam), i.reclassifiedAt)
		return events, true
	}
	received := complaint.Event{
		Kind: complaint.KindReceived, Actor: complaint.ActorCitizen, Text: i.description, Location: i.location, Attributes: i.attributes(),
	}
	if i.phone != "" {
		received.Reporter = &complaint.Reporter{Phone: i.phone}
	}
	add(received, i.receivedAt)
	add(official(complaint.KindAcknowledged, ""), i.verifiedAt)
	add(official(complaint.KindAssigned, ""), i.dispatchedAt)
	answered := official(complaint.KindAnswered, "")
	answered.Text = i.disposition
	add(answered, r.answeredAt(i))
	add(official(complaint.KindStatusChanged, complaint.StatusResolved), i.closedAt)
	add(official(complaint.KindStatusChanged, complaint.StatusReopened), i.reopenedAt)
	return events, false
}

// answeredAt is when the incident was answered, zero while it was not.
func (r *rules) answeredAt(i *incident) time.Time {
	if r.answeredBy == v1alpha1.AnsweredByDispatch && !i.dispatchedAt.IsZero() {
		return i.dispatchedAt
	}
	if r.answeredBy != v1alpha1.AnsweredByClosing && !i.disposedAt.IsZero() {
		return i.disposedAt
	}
	return i.closedAt
}

// attributes are what a taxonomy may look at.
func (i *incident) attributes() map[string]string {
	attributes := map[string]string{}
	for name, value := range map[string]string{
		complaint.AttributeCategory: i.category, complaint.AttributePriority: i.priority, complaint.AttributeDepartment: i.department,
	} {
		if value != "" {
			attributes[name] = truncate(value, complaint.MaxAttributeBytes)
		}
	}
	if len(attributes) == 0 {
		return nil
	}
	return attributes
}

// identifier is the event's identifier: case, kind, instant and status.
func identifier(e *complaint.Event) string {
	id := e.CaseID + "/" + string(e.Kind) + "/" + e.OccurredAt.UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano)
	if e.To != "" {
		id += "/" + string(e.To)
	}
	if len(id) > complaint.MaxIDBytes {
		sum := sha256.Sum256([]byte(id))
		return "sha256/" + hex.EncodeToString(sum[:])
	}
	return id
}

func truncate(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "")
}
