package telegram

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/mac"
)

const (
	// attributeType says what a message is besides its text, such as photo.
	attributeType = "type"
	// attributeConnection is the business account through which an answer has to go.
	attributeConnection = "businessConnectionID"
)

// privateChat is the type of a chat with one person.
const privateChat = "private"

// translator turns updates into events. Telegram has people and no cases: which case a message belongs to is
// left to the ledger, by the message it replies to and by who wrote when.
type translator struct {
	// staffGroup is the id of the group in which the staff answer; "" is none.
	staffGroup string
	window     time.Duration
	// key names messages. Numbers of people and of messages are so few that a hash without a key could be tried out.
	key *mac.Key
}

// events are what updates say has happened. Reading them again gives events of the same identifiers.
func (t *translator) events(updates []update) (events []complaint.Event, problems []*problem) {
	albums := map[string]int{}
	odd := 0
	for i := range updates {
		u := &updates[i]
		if u.odd {
			odd++
		}
		e := t.event(u)
		if e == nil {
			continue
		}
		if at, known := albums[e.ID]; known && u.album() != "" {
			// The caption of an album is with one of its messages, mostly the first.
			if events[at].Text == "" {
				events[at].Text = e.Text
			}
			continue
		}
		albums[e.ID] = len(events)
		events = append(events, *e)
	}
	if odd > 0 {
		problems = append(problems, &problem{"an update has a message without a number, a chat or a date", odd})
	}
	return events, problems
}

// event is what one update says; nil is nothing that matters.
func (t *translator) event(u *update) *complaint.Event {
	m := u.message
	if m == nil || !m.says() {
		return nil
	}
	e := &complaint.Event{Kind: complaint.KindReceived, Actor: complaint.ActorCitizen}
	person := m.Chat.ID
	switch {
	case m.Chat.Type != privateChat:
		if person = t.answered(m); person == 0 {
			return nil
		}
		e.Kind, e.Actor = complaint.KindAnswered, complaint.ActorOfficial
	case u.business && (m.BusinessBot != nil || m.From.ID != m.Chat.ID):
		// In the chat of a business account the chat's id is the citizen's, and who else writes is the city.
		e.Kind, e.Actor = complaint.KindAnswered, complaint.ActorOfficial
		if m.BusinessBot != nil {
			e.Actor = complaint.ActorBot
		}
	case m.From.IsBot:
		return nil
	}
	t.complete(e, m, person)
	if u.edited {
		at := max(m.EditDate, m.Date)
		e.Kind, e.OccurredAt = complaint.KindEdited, time.Unix(at, 0).UTC()
		e.Thread.Quoted = []string{e.ID}
		e.ID = fmt.Sprintf("edited/%s/%d", t.digest(m.Chat.ID, strconv.FormatInt(m.ID, 10)), at)
	}
	return e
}

// complete adds what all events have.
func (t *translator) complete(e *complaint.Event, m *message, person int64) {
	e.ID, e.CaseID = t.name(m), "case/"+t.message(m)
	if e.Actor == complaint.ActorBot {
		e.ID = t.botName(m)
	}
	e.OccurredAt = time.Unix(m.Date, 0).UTC()
	e.Reporter = &complaint.Reporter{Handle: strconv.FormatInt(person, 10)}
	e.Thread = &complaint.Thread{WindowSeconds: int64(t.window / time.Second)}
	if m.ReplyToMessage != nil && m.Chat.Type == privateChat {
		r := *m.ReplyToMessage
		r.Chat = m.Chat
		e.Thread.Quoted = []string{t.name(&r)}
		if r.BusinessBot != nil {
			e.Thread.Quoted = append(e.Thread.Quoted, t.botName(&r))
		}
	}
	e.Text = complaint.Cut(m.words(), complaint.MaxTextBytes)
	e.Location = m.location()
	for name, value := range map[string]string{attributeType: m.kind(), attributeConnection: m.BusinessConnectionID} {
		if value == "" || len(value) > complaint.MaxAttributeBytes {
			continue
		}
		if e.Attributes == nil {
			e.Attributes = map[string]string{}
		}
		e.Attributes[name] = value
	}
}

// answered is the citizen whom a message of the staff's group answers: who wrote what was forwarded there
// and is replied to. It is 0 for everything else, and for a citizen who hides who he is when forwarded.
func (t *translator) answered(m *message) int64 {
	if t.staffGroup == "" || strconv.FormatInt(m.Chat.ID, 10) != t.staffGroup || m.From.IsBot || m.ReplyToMessage == nil {
		return 0
	}
	origin := m.ReplyToMessage.ForwardOrigin
	if origin == nil || origin.Type != "user" || origin.SenderUser.IsBot {
		return 0
	}
	return origin.SenderUser.ID
}

// name is the identifier of the event of a message; the messages of an album share it.
func (t *translator) name(m *message) string { return "message/" + t.message(m) }

// botName is that of a message that a connected bot is seen to have sent. The bot is this one, and the message may be
// a reply, whose answer by an official has the other name and must not be taken for known when the update is there
// before it.
func (t *translator) botName(m *message) string { return "bot/" + t.message(m) }

// message stands for a message, or its album. Who is in the chat cannot be found by it without the bot's token.
func (t *translator) message(m *message) string {
	if m.MediaGroupID != "" {
		return t.digest(m.Chat.ID, "album", m.MediaGroupID)
	}
	return t.digest(m.Chat.ID, strconv.FormatInt(m.ID, 10))
}

// digest names parts within a chat.
func (t *translator) digest(chat int64, parts ...string) string {
	sum := t.key.Sum(fmt.Appendf(nil, "%d/%s", chat, strings.Join(parts, "/")))
	return hex.EncodeToString(sum[:16])
}

// says reports whether a message is a word to the city: not a notice of Telegram, such as a pinned message,
// and not a bare command to the bot, such as /start.
func (m *message) says() bool {
	text := strings.TrimSpace(m.words())
	if strings.HasPrefix(text, "/") && !strings.ContainsAny(text, " \n") {
		return false
	}
	return text != "" || m.kind() != ""
}

func (m *message) words() string {
	lines := []string{m.Text, m.Caption}
	if m.Venue != nil {
		lines = append(lines, m.Venue.Title, m.Venue.Address)
	}
	return strings.Join(slices.DeleteFunc(lines, func(s string) bool { return s == "" }), "\n")
}

// kind is what a message is besides its text; "" is nothing.
func (m *message) kind() string {
	for _, k := range [...]struct {
		name string
		is   bool
	}{
		{"photo", bool(m.Photo)}, {"video", bool(m.Video)}, {"video_note", bool(m.VideoNote)}, {"voice", bool(m.Voice)}, {"audio", bool(m.Audio)},
		{"animation", bool(m.Animation)}, {"document", bool(m.Document)}, {"sticker", bool(m.Sticker)}, {"contact", bool(m.Contact)},
		{"venue", m.Venue != nil}, {"location", m.Location != nil},
	} {
		if k.is {
			return k.name
		}
	}
	return ""
}

func (m *message) location() *complaint.Location {
	at := m.Location
	if at == nil && m.Venue != nil {
		at = &m.Venue.Location
	}
	if at == nil || !(at.Latitude >= -90 && at.Latitude <= 90 && at.Longitude >= -180 && at.Longitude <= 180) {
		return nil
	}
	return &complaint.Location{Latitude: at.Latitude, Longitude: at.Longitude}
}
