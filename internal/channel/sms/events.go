package sms

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// Attributes of an event.
const (
	// attributeType is sms or mms.
	attributeType = "type"
	// attributeMedia counts the files of a message, attributeSegments the messages that carried it.
	attributeMedia    = "media"
	attributeSegments = "segments"
	// attributeNumber is the city's number that was written to: a reply must come from it.
	attributeNumber = "number"
)

// sidPattern is the name of a message at Twilio. It is made of random digits and says nothing of anybody.
var sidPattern = regexp.MustCompile(`^[A-Z]{2}[0-9A-Za-z]{32}$`)

// translator turns deliveries into events.
type translator struct {
	channel, account string
	// numbers are the city's; optOut are words, in capitals, that are no complaint.
	numbers, optOut map[string]bool
	window          time.Duration
	now             func() time.Time
}

var (
	errAccount = errors.New("the delivery is of another account than accountSIDSecretRef names")
	errSID     = errors.New("the delivery names no message (MessageSid)")
)

// message is a message as Twilio tells of it, in a delivery or in a list.
type message struct {
	sid, from, to, body, media, segments string
	at                                   time.Time
}

// translate says what has happened by a verified delivery, and whether the city has sent something, which is to be
// looked up. The delivery has no time of its own: it is made as soon as the message arrives.
func (t *translator) translate(form url.Values) (batch channel.Batch, sent bool, err error) {
	if form.Get("AccountSid") != t.account {
		return batch, false, errAccount
	}
	m := &message{
		sid: form.Get("MessageSid"), from: form.Get("From"), to: form.Get("To"), body: form.Get("Body"),
		media: form.Get("NumMedia"), segments: form.Get("NumSegments"), at: t.now().UTC(),
	}
	if !sidPattern.MatchString(m.sid) {
		return batch, false, errSID
	}
	if status := form.Get("MessageStatus"); status != "" && status != "received" {
		batch.Returned = t.returned(m, status, form.Get("ErrorCode"))
		return batch, answers(status) && t.answered(m) != nil, nil
	}
	if kind := form.Get("OptOutType"); kind == "STOP" || kind == "START" {
		return batch, false, nil
	}
	if e := t.received(m); e != nil {
		batch.Events = []complaint.Event{*e}
	}
	return batch, false, nil
}

// returned is a message of the city that Twilio took and then could not deliver; code is Twilio's, of its error.
func (t *translator) returned(m *message, status, code string) []ledgerapi.ReturnedReply {
	if status != "failed" && status != "undelivered" || !t.numbers[m.from] {
		return nil
	}
	why := "Twilio could not deliver it"
	if n, err := strconv.ParseUint(code, 10, 32); err == nil && n > 0 {
		why = fmt.Sprintf("%s, error %d; Twilio's list of error codes explains it", why, n)
	}
	return []ledgerapi.ReturnedReply{{Event: messageID(m.sid), Message: why}}
}

// answers reports whether a message of the city with this status is on its way to the citizen or there. One
// that failed afterwards is none, but it may have been counted already.
func answers(status string) bool {
	switch status {
	case "sent", "delivered", "read":
		return true
	}
	return false
}

// received is the event of a citizen's message; nil for one that is no word to this channel.
func (t *translator) received(m *message) *complaint.Event {
	if !t.numbers[m.to] || t.numbers[m.from] || t.optOut[strings.ToUpper(strings.TrimSpace(m.body))] {
		return nil
	}
	e := t.begin(m, m.from)
	e.Kind, e.Actor = complaint.KindReceived, complaint.ActorCitizen
	m.describe(e)
	e.Attributes[attributeNumber] = m.to
	return e
}

// answered is the event of a message of the city; nil for one that is not this channel's.
func (t *translator) answered(m *message) *complaint.Event {
	if !t.numbers[m.from] || t.numbers[m.to] {
		return nil
	}
	e := t.begin(m, m.to)
	e.Kind, e.Actor = complaint.KindAnswered, complaint.ActorOfficial
	m.describe(e)
	return e
}

// begin is what all events have. A message has the same identifier however it becomes known.
func (t *translator) begin(m *message, person string) *complaint.Event {
	return &complaint.Event{
		Channel: t.channel, CaseID: "sms-" + m.sid, ID: messageID(m.sid), OccurredAt: m.at, Reporter: reporter(person),
		Thread: &complaint.Thread{WindowSeconds: int64(t.window / time.Second)},
	}
}

func messageID(sid string) string { return "message/" + sid }

// reporter is who wrote or was written to; nil for nobody. A short code or a name is no phone number.
func reporter(address string) *complaint.Reporter {
	switch {
	case address == "" || len(address) > maxAddress:
		return nil
	case strings.HasPrefix(address, "+"):
		return &complaint.Reporter{Phone: address}
	}
	return &complaint.Reporter{Handle: address}
}

// maxAddress is longer than any address of a message.
const maxAddress = 128

// describe fills in what a message says. Its files are counted and not fetched.
func (m *message) describe(e *complaint.Event) {
	e.Text = cut(m.body)
	e.Attributes = map[string]string{attributeType: "sms"}
	if n, err := strconv.ParseUint(m.media, 10, 16); err == nil && n > 0 {
		e.Attributes[attributeType], e.Attributes[attributeMedia] = "mms", strconv.FormatUint(n, 10)
	}
	if n, err := strconv.ParseUint(m.segments, 10, 16); err == nil && n > 1 {
		e.Attributes[attributeSegments] = strconv.FormatUint(n, 10)
	}
}

// cut is a text within the bounds of an event.
func cut(s string) string { return complaint.Cut(s, complaint.MaxTextBytes) }
