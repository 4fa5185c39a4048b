package open311

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// Attributes of a case besides those with a meaning of their own.
const (
	attributeServiceCode = "serviceCode"
	attributeAddress     = "address"
	attributeZIPCode     = "zipcode"
)

// translator turns requests into events.
type translator struct {
	// zone is for times without an offset; nil refuses them.
	zone *time.Location
	// notesAnswer says that status_notes and notes on an open request are answers to the citizen.
	notesAnswer bool
}

// sight is how a request was come upon.
type sight struct {
	// at is the instant of reading; it stands in for times that the server does not give.
	at time.Time
	// first says that the request is new: it was requested after everything read before.
	first bool
}

// events are what a request's present state says has happened. Reading a request again gives events
// with the same identifiers, so that the ledger drops them; only a status is told as a change, against
// what transitions remembers, which is brought up to date. The error names what is wrong with the
// request and holds nothing of it; what could be understood is there all the same.
func (t *translator) events(r *request, seen sight, known *transitions) ([]complaint.Event, error) {
	requested, err := parseTime(r.Requested, t.zone)
	switch {
	case err != nil:
		return nil, invalid("requested_datetime " + err.Error())
	case requested.IsZero():
		return nil, invalid("requested_datetime is missing")
	}
	events := []complaint.Event{t.received(r, requested)}
	updated, err := parseTime(r.Updated, t.zone)
	if err != nil {
		// When whatever else it says was brought about is not known, and it is told once that is.
		return events, invalid("updated_datetime " + err.Error())
	}
	changed := updated // when what is now was brought about, as far as anybody can tell
	if changed.IsZero() {
		changed = seen.at
	}
	if changed.Before(requested) {
		changed = requested
	}
	if r.Agency != "" {
		assigned := changed
		if seen.first {
			assigned = requested // it came with its department, whatever else was changed since
		}
		events = append(events, r.event("assigned/"+digest(string(r.Agency)), complaint.Event{
			Kind: complaint.KindAssigned, Actor: complaint.ActorOfficial, OccurredAt: assigned,
			Attributes: map[string]string{complaint.AttributeDepartment: attribute(r.Agency)},
		}))
	}
	status := statusOf(r.Status)
	var fault error
	if t.notesAnswer {
		answers, err := t.answers(r, changed, status == complaint.StatusOpen)
		events, fault = append(events, answers...), err
	}
	if change, ok := known.change(r, status); ok {
		moment := strconv.Itoa(change.count)
		if !updated.IsZero() {
			moment = updated.Format(time.RFC3339)
		}
		event := complaint.Event{Kind: complaint.KindStatusChanged, Actor: complaint.ActorOfficial, OccurredAt: changed, To: change.to}
		if change.to != complaint.StatusReopened {
			event.Text = string(r.StatusNotes)
		}
		events = append(events, r.event(strings.ToLower(string(change.to))+"/"+moment, event))
	}
	return events, fault
}

func (t *translator) received(r *request, requested time.Time) complaint.Event {
	attributes := map[string]string{}
	for name, value := range map[string]text{
		complaint.AttributeCategory:   r.ServiceName,
		complaint.AttributeDepartment: r.Agency,
		attributeServiceCode:          r.ServiceCode,
		attributeAddress:              r.Address,
		attributeZIPCode:              r.ZIPCode,
	} {
		if value != "" {
			attributes[name] = attribute(value)
		}
	}
	return r.event("received", complaint.Event{
		Kind: complaint.KindReceived, Actor: complaint.ActorCitizen, OccurredAt: requested,
		Text: string(r.Description), Location: r.location(), Attributes: attributes,
	})
}

// answers are what was written to the citizen: the dated notes, and the status notes of an open request
// unless a note says the same. The error is of the first note that is left out because of its time.
func (t *translator) answers(r *request, changed time.Time, open bool) ([]complaint.Event, error) {
	var answers []complaint.Event
	var fault error
	told := map[string]bool{}
	add := func(words text, at time.Time) {
		id := "answered/" + digest(strings.Join(strings.Fields(string(words)), " "))
		if told[id] {
			return
		}
		told[id] = true
		answers = append(answers, r.event(id, complaint.Event{
			Kind: complaint.KindAnswered, Actor: complaint.ActorOfficial, OccurredAt: at, Text: string(words),
		}))
	}
	for i := range r.Notes.Entries {
		n := &r.Notes.Entries[i]
		if n.Description == "" || n.At == "" || bookkeeping(n.Type) {
			continue
		}
		at, err := parseTime(n.At, t.zone)
		if err != nil {
			fault = cmp.Or(fault, error(invalid("the datetime of a note "+err.Error())))
			continue
		}
		add(n.Description, at)
	}
	if open && r.StatusNotes != "" {
		add(r.StatusNotes, changed)
	}
	return answers, fault
}

// bookkeeping reports whether a note of this type is the system's account of itself, not a word to the
// citizen.
func bookkeeping(noteType text) bool {
	kind := strings.ToLower(string(noteType))
	for _, part := range [...]string{"open", "clos", "creat", "submit", "receiv", "assign", "rout", "duplicate", "internal"} {
		if strings.Contains(kind, part) {
			return true
		}
	}
	return false
}

// statusOf is what a server's status means. The specification has open and closed; FixMyStreet and
// others say more.
func statusOf(status text) complaint.Status {
	switch strings.ReplaceAll(strings.ToLower(string(status)), " ", "_") {
	case "closed", "resolved", "fixed", "completed", "no_further_action":
		return complaint.StatusResolved
	case "duplicate":
		return complaint.StatusDuplicate
	case "not_councils_responsibility":
		return complaint.StatusRejected
	}
	return complaint.StatusOpen
}

// event completes an event of the request; name is unique among them.
func (r *request) event(name string, e complaint.Event) complaint.Event {
	e.CaseID = string(r.ID)
	e.ID = e.CaseID + "/" + name
	if len(e.ID) > complaint.MaxIDBytes && len(e.CaseID) <= complaint.MaxIDBytes {
		e.ID = "sha256:" + hash(e.ID)
	}
	return e
}

// location is where the request is about; nil where the server does not say, or says 0, 0, which is
// what systems write that have no position.
func (r *request) location() *complaint.Location {
	latitude, err1 := strconv.ParseFloat(string(r.Lat), 64)
	longitude, err2 := strconv.ParseFloat(string(r.Long), 64)
	if err1 != nil || err2 != nil || latitude == 0 && longitude == 0 ||
		!(math.Abs(latitude) <= 90) || !(math.Abs(longitude) <= 180) { // written so that NaN fails
		return nil
	}
	return &complaint.Location{Latitude: latitude, Longitude: longitude}
}

// fingerprint is equal for two readings of a request that say the same.
func (r *request) fingerprint() [sha256.Size]byte {
	h := sha256.New()
	members := []text{
		r.ID, r.Status, r.StatusNotes, r.ServiceName, r.ServiceCode, r.Description, r.Agency,
		r.Requested, r.Updated, r.Address, r.ZIPCode, r.Lat, r.Long,
	}
	for i := range r.Notes.Entries {
		n := &r.Notes.Entries[i]
		members = append(members, n.At, n.Type, n.Description)
	}
	for _, member := range members {
		fmt.Fprintf(h, "%d:%s", len(member), member)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// attribute is a value cut to the bounds of an event.
func attribute(value text) string {
	s := strings.ToValidUTF8(string(value), "\ufffd")
	if len(s) <= complaint.MaxAttributeBytes {
		return s
	}
	limit := complaint.MaxAttributeBytes
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// digest names a text within a request.
func digest(s string) string { return hash(s)[:16] }

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// invalid is what is wrong with a request, for Problem.
func invalid(message string) *channel.Error {
	return &channel.Error{Reason: ledgerapi.ReasonInvalidEvent, Message: message}
}
