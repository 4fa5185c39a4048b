package meta

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
)

// replyWindow is how long after a citizen's message the city may answer as it likes.
const replyWindow = 24 * time.Hour

// conversation says what an event of a conversation comes to.
func (t *translator) conversation(r *result, object string, raw json.RawMessage, of *entry) {
	decode(r, "a message", raw, func(m *messaging) (*complaint.Event, error) {
		m.Timestamp = m.Timestamp.or(of.Time)
		platform := "messenger"
		if object == objectInstagram {
			platform = "instagram"
		}
		return t.message(m, platform)
	})
}

// message is what was said; nil is nothing that matters.
func (t *translator) message(m *messaging, platform string) (*complaint.Event, error) {
	switch {
	case m.Message != nil && m.Message.Self:
		return nil, nil //nolint:nilnil // the account writes to itself; no event is no error
	case m.Message != nil:
		return t.written(m, m.Message, platform)
	case m.Edit != nil:
		e, err := t.begin(m, m.Edit.MID, t.ours(m.Sender.ID), platform)
		if err != nil {
			return nil, err
		}
		e.Kind, e.ID, e.Text = complaint.KindEdited, "edited/"+digest(m.Edit.MID+m.Edit.Text), complaint.Cut(m.Edit.Text, complaint.MaxTextBytes)
		e.Thread.Quoted = quoted(m.Edit.MID)
		return e, nil
	case m.Postback != nil && m.Postback.MID != "":
		return t.written(m, &message{MID: m.Postback.MID, Text: m.Postback.Title}, platform)
	}
	return nil, nil //nolint:nilnil // a reaction, that something was read, a referral: no words
}

// written is a message of a citizen, or (an echo) of the city.
func (t *translator) written(m *messaging, w *message, platform string) (*complaint.Event, error) {
	official := w.Echo || t.ours(m.Sender.ID)
	e, err := t.begin(m, w.MID, official, platform)
	if err != nil {
		return nil, err
	}
	name := digest(w.MID)
	switch {
	case w.Deleted && official:
		// The citizen may have read it, and what the citizen wrote stays: nothing is redacted.
		e.Kind, e.ID, e.Attributes[attributeType] = complaint.KindEdited, "edited/"+name, "remove"
		e.Thread.Quoted = quoted(w.MID)
		return e, nil
	case w.Deleted:
		// Named by what is taken back, so that a message that arrives later finds that it was.
		e.Kind, e.ID, e.Thread.Quoted = complaint.KindRedacted, "redacted/"+name, quoted(w.MID)
		return e, nil
	}
	e.Kind, e.ID = complaint.KindReceived, "message/"+name
	e.Thread.Quoted = append([]string{"redacted/" + name}, quoted(w.ReplyTo.MID)...)
	e.Text = complaint.Cut(w.Text, complaint.MaxTextBytes)
	if official {
		e.Kind, e.ID, e.Thread.Quoted = complaint.KindAnswered, "answer/"+name, quoted(w.ReplyTo.MID)
		if slices.Contains(t.bots, string(w.AppID)) {
			e.Actor = complaint.ActorBot
		}
	} else {
		e.Attributes[attributeReplyUntil] = e.OccurredAt.Add(replyWindow).Format(time.RFC3339)
	}
	switch {
	case w.Unsupported:
		e.Attributes[attributeType] = "unsupported"
	case len(w.Attachments) > 0:
		e.Attributes[attributeType] = complaint.Cut(w.Attachments[0].Type, complaint.MaxAttributeBytes)
	}
	return e, nil
}

// begin is what all events of conversations have.
func (t *translator) begin(m *messaging, mid string, official bool, platform string) (*complaint.Event, error) {
	switch {
	case mid == "":
		return nil, errID
	case m.Timestamp.IsZero():
		return nil, errTime
	}
	citizen, actor := m.Sender.ID, complaint.ActorCitizen
	if official {
		citizen, actor = m.Recipient.ID, complaint.ActorOfficial
	}
	if citizen == "" {
		return nil, errShape
	}
	return &complaint.Event{
		CaseID: "dm-" + digest(mid)[:24], Actor: actor, OccurredAt: m.Timestamp.Time,
		Reporter:   &complaint.Reporter{Handle: string(citizen)},
		Attributes: map[string]string{attributeType: "message", attributePlatform: platform},
		Thread:     &complaint.Thread{WindowSeconds: int64(t.window / time.Second)},
	}, nil
}

// quoted are the identifiers that the event of a message may have.
func quoted(mid string) []string {
	if mid == "" {
		return nil
	}
	name := digest(mid)
	return []string{"message/" + name, "answer/" + name}
}
