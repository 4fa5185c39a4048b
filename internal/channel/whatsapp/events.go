package whatsapp

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tanggap/tanggap/internal/channel/push"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// Attributes of an event besides those with a meaning of their own.
const (
	attributeType = "type"
	// attributeReplyUntil is when the free reply to a message ends; later Meta takes templates only.
	attributeReplyUntil = "replyUntil"
	attributeForwarded  = "forwarded"
	// attributeNumber is Meta's id of the city's number that was written to: a reply must come from it.
	attributeNumber = "phoneNumberID"
	// attributeMediaID is what a file can be fetched by.
	attributeMediaID  = "mediaID"
	attributeMIMEType = "mimeType"
)

// replyWindow is how long after a citizen's message the city may answer as it likes.
const replyWindow = 24 * time.Hour

// translator turns deliveries into events.
type translator struct {
	channel string
	// numbers are the ids of the phone numbers that belong to the channel.
	numbers map[string]bool
	window  time.Duration
}

// result is what a delivery comes to.
type result struct {
	events   []complaint.Event
	returned []ledgerapi.ReturnedReply
	problems []push.Problem
}

// failed notes an item that makes no sense. The error names what is wrong and holds nothing of it.
func (r *result) failed(what string, err error) {
	r.problems = append(r.problems, push.Problem{Reason: ledgerapi.ReasonInvalidEvent, Message: what + ": " + err.Error(), Items: 1})
}

// translate says what has happened by a body. The error is of a body that cannot be read at all.
func (t *translator) translate(body []byte) (*result, error) {
	var d delivery
	if err := json.Unmarshal(body, &d); err != nil {
		return nil, errors.New("the body is not JSON of the documented shape")
	}
	r := &result{}
	if d.Object != objectAccount {
		r.problems = append(r.problems, push.Problem{Reason: ledgerapi.ReasonInvalidBody, Message: "the delivery is not about WhatsApp: subscribe this endpoint to the object " + objectAccount + " only", Items: 1})
		return r, nil
	}
	for i := range d.Entry {
		for j := range d.Entry[i].Changes {
			change := &d.Entry[i].Changes[j]
			if change.Field != fieldMessages && change.Field != fieldEchoes {
				continue
			}
			var v value
			if err := json.Unmarshal(change.Value, &v); err != nil {
				r.failed("a change", errShape)
				continue
			}
			if t.numbers[v.Metadata.PhoneNumberID] {
				t.change(r, &v)
			}
		}
	}
	return r, nil
}

var (
	errShape     = errors.New("is not of the documented shape")
	errID        = errors.New("has no id")
	errTimestamp = errors.New("timestamp must be unix seconds")
)

// change says what has happened by one change.
func (t *translator) change(r *result, v *value) {
	for _, raw := range v.Messages {
		t.each(r, "a message", raw, func(m *message) (*complaint.Event, error) { return t.message(m, v) })
	}
	for _, raw := range v.Echoes {
		t.each(r, "an echo", raw, t.echo)
	}
	for _, raw := range v.Statuses {
		var s status
		if json.Unmarshal(raw, &s) != nil {
			r.failed("a status", errShape)
			continue
		}
		r.add("a status")(t.status(&s))
		if s.Status == "failed" && s.ID != "" {
			r.returned = append(r.returned, ledgerapi.ReturnedReply{Event: answerID(digest(s.ID)), Message: s.why()})
		}
	}
	for _, e := range v.Errors {
		r.problems = append(r.problems, push.Problem{Reason: ledgerapi.ReasonServerError, Message: fmt.Sprintf("WhatsApp reports the error %d; Meta's list of error codes explains it", e.Code)})
	}
}

// each decodes a message and adds what it comes to.
func (t *translator) each(r *result, what string, raw json.RawMessage, event func(*message) (*complaint.Event, error)) {
	var m message
	if json.Unmarshal(raw, &m) != nil {
		r.failed(what, errShape)
		return
	}
	r.add(what)(event(&m))
}

// add takes in an event, if there is one.
func (r *result) add(what string) func(*complaint.Event, error) {
	return func(e *complaint.Event, err error) {
		switch {
		case err != nil:
			r.failed(what, err)
		case e != nil:
			r.events = append(r.events, *e)
		}
	}
}

// message is what a citizen has done; nil is nothing that matters.
func (t *translator) message(m *message, v *value) (*complaint.Event, error) {
	e, err := t.begin(m.ID, m.Timestamp, person(m.From, m.FromUserID, v.Contacts))
	if err != nil {
		return nil, err
	}
	e.Actor = complaint.ActorCitizen
	switch m.Type {
	case "reaction", "system", "request_welcome":
		// Neither is a word: a sign below a message, a changed number, an opened chat.
		return nil, nil //nolint:nilnil // no event is no error
	case "edit":
		return m.edited(e)
	case "revoke":
		if m.Revoke.OriginalID == "" {
			return nil, errShape
		}
		// Named by what is taken back, so that a message that arrives later finds that it was.
		original := digest(m.Revoke.OriginalID)
		e.Kind, e.ID, e.CaseID = complaint.KindRedacted, redactedID(original), caseID(original)
		e.Thread.Quoted = []string{messageID(original)}
		return e, nil
	}
	name := digest(m.ID)
	e.Kind, e.ID = complaint.KindReceived, messageID(name)
	e.Thread.Quoted = append([]string{redactedID(name)}, quoted(m.Context.ID)...)
	m.describe(e)
	e.Attributes[attributeReplyUntil] = e.OccurredAt.Add(replyWindow).Format(time.RFC3339)
	e.Attributes[attributeNumber] = v.Metadata.PhoneNumberID
	return e, nil
}

// echo is what the city's staff have done in the WhatsApp Business app.
func (t *translator) echo(m *message) (*complaint.Event, error) {
	e, err := t.begin(m.ID, m.Timestamp, person(m.To, m.ToUserID, nil))
	if err != nil {
		return nil, err
	}
	e.Actor = complaint.ActorOfficial
	name := digest(m.ID)
	switch m.Type {
	case "reaction":
		if m.Reaction.Emoji == "" {
			return nil, nil //nolint:nilnil // a reaction was taken back, which is no event and no error
		}
		e.Kind, e.ID, e.Text = complaint.KindAcknowledged, "reaction/"+name, m.Reaction.Emoji
		return e, nil
	case "edit":
		return m.edited(e)
	case "revoke":
		if m.Revoke.OriginalID == "" {
			return nil, errShape
		}
		// The citizen may have read it, and what the citizen wrote stays: nothing is redacted.
		e.Kind, e.ID, e.Thread.Quoted = complaint.KindEdited, "edited/"+name, quoted(m.Revoke.OriginalID)
		e.Attributes = map[string]string{attributeType: "revoke"}
		return e, nil
	}
	e.Kind, e.ID, e.Thread.Quoted = complaint.KindAnswered, answerID(name), quoted(m.Context.ID)
	m.describe(e)
	return e, nil
}

// status is an answer if it says that a message was sent by other means than those whose messages come as
// echoes. An echo of the same message has the same identifier.
func (t *translator) status(s *status) (*complaint.Event, error) {
	// Sent has the instant of the answer; what follows it says nothing new, and a failure follows none.
	if s.Status != "sent" || campaign(s.Pricing.Category) || campaign(s.Conversation.Origin.Type) {
		return nil, nil //nolint:nilnil // no event is no error
	}
	e, err := t.begin(s.ID, s.Timestamp, person(s.RecipientID, s.RecipientUserID, nil))
	if err != nil {
		return nil, err
	}
	e.Kind, e.Actor, e.ID = complaint.KindAnswered, complaint.ActorOfficial, answerID(digest(s.ID))
	e.Attributes = map[string]string{attributeType: "status"}
	return e, nil
}

// why says what Meta gives for a message that did not arrive.
func (s *status) why() string {
	if len(s.Errors) == 0 {
		return "WhatsApp could not deliver it"
	}
	return fmt.Sprintf("WhatsApp could not deliver it, error %d; Meta's list of error codes explains it", s.Errors[0].Code)
}

// campaign reports whether a message of the category is one that nobody asked for.
func campaign(category string) bool {
	return strings.HasPrefix(category, "marketing") || strings.HasPrefix(category, "authentication")
}

// begin is what all events have.
func (t *translator) begin(id string, at seconds, reporter *complaint.Reporter) (*complaint.Event, error) {
	if id == "" {
		return nil, errID
	}
	instant, ok := push.ParseTimestamp(string(at))
	if !ok {
		return nil, errTimestamp
	}
	return &complaint.Event{
		Channel: t.channel, CaseID: caseID(digest(id)), OccurredAt: instant.UTC(), Reporter: reporter,
		Thread: &complaint.Thread{WindowSeconds: int64(t.window / time.Second)},
	}, nil
}

// edited completes the event of a changed message.
func (m *message) edited(e *complaint.Event) (*complaint.Event, error) {
	if m.Edit.OriginalID == "" {
		return nil, errShape
	}
	e.Kind, e.ID = complaint.KindEdited, "edited/"+digest(m.ID)
	e.Text = m.Edit.Message.words()
	e.Thread.Quoted = quoted(m.Edit.OriginalID)
	return e, nil
}

// describe fills in what a message says.
func (m *message) describe(e *complaint.Event) {
	e.Text = m.words()
	e.Attributes = map[string]string{}
	set := func(name, value string) {
		if value = cut(value); value != "" {
			e.Attributes[name] = value
		}
	}
	set(attributeType, m.Type)
	if m.Context.Forwarded {
		set(attributeForwarded, "true")
	}
	if file := m.file(); file != nil {
		set(attributeMediaID, file.ID)
		set(attributeMIMEType, file.MIMEType)
	}
	if l := &m.Location; m.Type == "location" && l.Latitude != nil && l.Longitude != nil {
		if *l.Latitude >= -90 && *l.Latitude <= 90 && *l.Longitude >= -180 && *l.Longitude <= 180 {
			e.Location = &complaint.Location{Latitude: *l.Latitude, Longitude: *l.Longitude}
		}
	}
}

// person is who wrote or is written to; nil for nobody.
func person(phone, userID string, contacts []contact) *complaint.Reporter {
	for _, c := range contacts {
		if phone != "" && c.WhatsAppID == phone || phone == "" && (userID == "" && len(contacts) == 1 || userID != "" && c.UserID == userID) {
			phone, userID = c.WhatsAppID, c.UserID
			break
		}
	}
	if phone != "" && strings.Trim(phone, "0123456789") == "" {
		phone = "+" + phone // it has its country code, always
	}
	if phone == "" && userID == "" {
		return nil
	}
	return &complaint.Reporter{Phone: phone, Handle: userID}
}

// digest stands for the id of a message. The id itself (wamid.…) holds the phone number for whoever
// decodes it, and identifiers are shown; with it there are random bytes, so that nobody can guess it from
// the digest. No key is involved that might change and split cases.
func digest(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:16])
}

func messageID(digest string) string  { return "message/" + digest }
func answerID(digest string) string   { return "answer/" + digest }
func redactedID(digest string) string { return "redacted/" + digest }

// caseID is the name of the case that begins with a message.
func caseID(digest string) string { return "wa-" + digest[:24] }

// quoted are the identifiers that the event of a message may have.
func quoted(id string) []string {
	if id == "" {
		return nil
	}
	name := digest(id)
	return []string{messageID(name), answerID(name)}
}

// cut is a value within the bounds of an attribute.
func cut(s string) string { return complaint.Cut(s, complaint.MaxAttributeBytes) }
