package email

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// Attributes of an event.
const (
	// attributeAttachments counts the files of a message, which are not kept.
	attributeAttachments = "attachments"
	// attributeMessageID, attributeReferences and attributeSubject are what a reply continues: the thread by
	// its identifiers, without brackets and parted by spaces, and its subject.
	attributeMessageID  = "messageID"
	attributeReferences = "references"
	attributeSubject    = "subject"
)

// maxQuoted is how many messages of a thread an event names to be found by.
const maxQuoted = 7

// translator turns messages into events. Mail has threads and no cases: an event asks the ledger for the case of
// the messages that it answers, and names a new one after the beginning of the thread.
type translator struct {
	channel            string
	domains, addresses []string
	// server is the name by which the city's own mail server signs what it found out about a sender.
	server string
	// token finds the name of a case in a subject; nil looks for none.
	token *regexp.Regexp
}

// result is what messages come to.
type result struct {
	events   []complaint.Event
	returned []ledgerapi.ReturnedReply
	problems []problem
	// skipped counts messages that arrived and are nobody's: those of machines and lists, and of the staff among
	// themselves.
	skipped int
}

// problem is a message that never became an event.
type problem struct {
	reason  ledgerapi.Reason
	message string
	// items is how many messages are of no use; 0 for one that is shown only, as anybody can send such.
	items int
}

// translate says what has happened by a message that arrived, or was sent if sent is true, at an instant.
func (t *translator) translate(r *result, raw []byte, at time.Time, sent bool) {
	l, err := parse(raw)
	if err != nil {
		r.problems = append(r.problems, problem{ledgerapi.ReasonInvalidResponse, err.Error(), 1})
		return
	}
	if l.automatic() {
		if !sent && !t.bounced(r, raw) {
			r.skipped++
		}
		return
	}
	from := l.sender()
	switch {
	case sent:
		if t.answers(l) {
			t.add(r, l, at, complaint.KindAnswered, "")
		}
	case from != "" && t.staff(from):
		switch {
		case !t.answers(l) || t.server == "":
			r.skipped++
		case l.authentic(t.server, from):
			t.add(r, l, at, complaint.KindAnswered, "")
		default:
			r.problems = append(r.problems, problem{ledgerapi.ReasonSignatureInvalid,
				"a message that says it is from the staff was not authenticated by authservID; it is no answer", 0})
		}
	default:
		t.add(r, l, at, complaint.KindReceived, from)
	}
}

// staff reports whether an address is of those who answer.
func (t *translator) staff(address string) bool {
	if slices.Contains(t.addresses, address) {
		return true
	}
	_, domain, _ := strings.Cut(address, "@")
	return slices.ContainsFunc(t.domains, func(d string) bool { return within(domain, d) })
}

// forwarded begins the subject of a message that passes another on.
var forwarded = regexp.MustCompile(`(?i)^\s*(fwd?|fw|trs|terusan)\s*:`)

// answers reports whether a message of the staff answers somebody: it replies, or names a case, and is
// addressed to somebody who is none of them. Who passes a message on does not answer it.
func (t *translator) answers(l *letter) bool {
	if len(l.parents) == 0 && t.named(l) == "" || forwarded.MatchString(l.subject()) {
		return false
	}
	return slices.ContainsFunc(l.recipients(), func(to string) bool { return !t.staff(to) })
}

// report is the type of a message by which a mail server tells of another one.
const report = "multipart/report"

// automatic reports whether a machine wrote a message: an answer of absence, a bounce, a list.
func (l *letter) automatic() bool {
	first := func(name string) string {
		value, _, _ := strings.Cut(l.header.Get(name), ";")
		value, _, _ = strings.Cut(value, "(")
		return strings.ToLower(strings.TrimSpace(value))
	}
	if said := first("Auto-Submitted"); said != "" && said != "no" {
		return true
	}
	switch first("Precedence") {
	case "bulk", "list", "junk", "auto_reply":
		return true
	}
	for _, name := range [...]string{"List-Id", "X-Autoreply", "X-Autorespond"} {
		if l.header.Has(name) {
			return true
		}
	}
	if strings.HasPrefix(l.sender(), "mailer-daemon@") { // as some say who write no report
		return true
	}
	kind, _, _ := l.header.ContentType()
	return kind == report || l.header.Has("Return-Path") && strings.TrimSpace(l.header.Get("Return-Path")) == "<>"
}

// named is the case that a subject names; "" for none.
func (t *translator) named(l *letter) string {
	if t.token == nil {
		return ""
	}
	return strings.ToUpper(t.token.FindString(l.subject()))
}

// add makes the event of a message, and one that lets later messages be found by the name in its subject.
func (t *translator) add(r *result, l *letter, at time.Time, kind complaint.Kind, from string) {
	name := t.named(l)
	e := complaint.Event{
		Channel: t.channel, ID: eventID(l.id), CaseID: caseID(l.root), Kind: kind, Actor: complaint.ActorOfficial, OccurredAt: at.UTC(), Text: cut(l.words()),
		Thread: &complaint.Thread{},
	}
	if kind == complaint.KindReceived {
		e.Actor = complaint.ActorCitizen
		if from != "" && len(from) <= maxAddress {
			e.Reporter = &complaint.Reporter{Email: from}
		}
	}
	l.describe(&e)
	for _, parent := range l.parents[:min(len(l.parents), maxQuoted)] {
		e.Thread.Quoted = append(e.Thread.Quoted, eventID(parent))
	}
	if name != "" {
		if len(l.parents) == 0 {
			e.CaseID = caseID("token " + name)
		}
		e.Thread.Quoted = append(e.Thread.Quoted, tokenID(name))
	}
	r.events = append(r.events, e)
	if name != "" {
		r.events = append(r.events, complaint.Event{
			Channel: t.channel, ID: tokenID(name), CaseID: e.CaseID, Kind: complaint.KindEdited, Actor: complaint.ActorSystem, OccurredAt: e.OccurredAt,
			Thread: &complaint.Thread{Quoted: []string{e.ID}},
		})
	}
}

// describe notes what a reply to a citizen's message needs, and what came with it.
func (l *letter) describe(e *complaint.Event) {
	e.Attributes = map[string]string{}
	if l.attachments > 0 {
		e.Attributes[attributeAttachments] = strconv.Itoa(l.attachments)
	}
	if e.Kind != complaint.KindReceived {
		return
	}
	references := l.ids("References")
	for len(references) > 0 && len(strings.Join(references, " ")) > complaint.MaxAttributeBytes {
		references = references[1:] // the latest ones matter most
	}
	for name, value := range map[string]string{
		attributeMessageID: l.id, attributeReferences: strings.Join(references, " "), attributeSubject: complaint.Cut(l.subject(), complaint.MaxAttributeBytes),
	} {
		if value != "" && len(value) <= complaint.MaxAttributeBytes {
			e.Attributes[name] = strings.ToValidUTF8(value, "\ufffd")
		}
	}
}

// words are what a message says: the subject belongs to it where it is not that of what is answered.
func (l *letter) words() string {
	if len(l.parents) > 0 {
		return l.text
	}
	return strings.TrimSpace(l.subject() + "\n\n" + l.text)
}

// maxAddress is longer than any address.
const maxAddress = 254

// digest stands for a Message-ID, which may have the name of its author's computer in it, or the author's
// own. It has random parts in it too, so that nobody can guess it from the digest.
func digest(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:16])
}

func eventID(id string) string   { return "message/" + digest(id) }
func tokenID(name string) string { return "token/" + digest(name) }

// caseID is the name of the case of a thread.
func caseID(root string) string { return "mail-" + digest(root)[:24] }

// cut is a text within the bounds of an event.
func cut(s string) string { return complaint.Cut(s, complaint.MaxTextBytes) }
