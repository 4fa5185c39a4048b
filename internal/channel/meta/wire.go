package meta

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
)

// What Meta sends, as far as it matters here.
// https://developers.facebook.com/docs/graph-api/webhooks/reference/page
// https://developers.facebook.com/docs/instagram-platform/webhooks

// The objects of deliveries.
const (
	objectPage      = "page"
	objectInstagram = "instagram"
)

// delivery is a body. Items are decoded one by one, so that one which is not as documented does not take
// the others with it.
type delivery struct {
	Object string            `json:"object"`
	Entry  []json.RawMessage `json:"entry"`
}

// entry is what has happened to one Page or account. An app with Instagram Login may be sent a change flat, as
// field and value of the entry itself.
type entry struct {
	ID        ident             `json:"id"`
	Time      moment            `json:"time"`
	Changes   []change          `json:"changes"`
	Messaging []json.RawMessage `json:"messaging"`
	// Standby are messages of a conversation that another app leads.
	Standby []json.RawMessage `json:"standby"`
	change
}

// change is a field of a Page or account that has changed.
type change struct {
	Field string          `json:"field"`
	Value json.RawMessage `json:"value"`
}

// person is somebody, or a Page.
type person struct {
	ID ident `json:"id"`
}

// feedValue is the value of the fields feed and mention of a Page.
type feedValue struct {
	Item string `json:"item"`
	Verb string `json:"verb"`
	// From is missing where the app may not know; SenderID is its older name.
	From     person `json:"from"`
	SenderID ident  `json:"sender_id"`
	PostID   ident  `json:"post_id"`
	// CommentID is the comment, ParentID the comment that it replies to, or the post.
	CommentID   ident  `json:"comment_id"`
	ParentID    ident  `json:"parent_id"`
	Message     string `json:"message"`
	CreatedTime moment `json:"created_time"`
	EditedTime  moment `json:"edited_time"`
}

// commentValue is the value of the field comments of an Instagram account.
type commentValue struct {
	// ID and CommentID are two names of the same.
	ID        ident  `json:"id"`
	CommentID ident  `json:"comment_id"`
	ParentID  ident  `json:"parent_id"`
	From      person `json:"from"`
	Text      string `json:"text"`
	Media     struct {
		ID   ident `json:"id"`
		AdID ident `json:"ad_id"`
	} `json:"media"`
}

// mentionValue is the value of the field mentions of an Instagram account: where, and nothing more.
type mentionValue struct {
	MediaID   ident `json:"media_id"`
	CommentID ident `json:"comment_id"`
}

// messaging is an event of a conversation.
type messaging struct {
	Sender    person   `json:"sender"`
	Recipient person   `json:"recipient"`
	Timestamp moment   `json:"timestamp"`
	Message   *message `json:"message"`
	Edit      *struct {
		MID  string `json:"mid"`
		Text string `json:"text"`
	} `json:"message_edit"`
	Postback *struct {
		MID   string `json:"mid"`
		Title string `json:"title"`
	} `json:"postback"`
}

// message is what was written.
type message struct {
	MID         string `json:"mid"`
	Text        string `json:"text"`
	Attachments []struct {
		Type string `json:"type"`
	} `json:"attachments"`
	ReplyTo struct {
		MID string `json:"mid"`
	} `json:"reply_to"`
	// Echo says that the Page or account wrote it, by the app AppID.
	Echo        bool  `json:"is_echo"`
	AppID       ident `json:"app_id"`
	Deleted     bool  `json:"is_deleted"`
	Self        bool  `json:"is_self"`
	Unsupported bool  `json:"is_unsupported"`
}

// ident is an id, which Meta writes as a text or as a number.
type ident string

// UnmarshalJSON implements json.Unmarshaler.
func (i *ident) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '"' {
		return json.Unmarshal(raw, (*string)(i))
	}
	if string(raw) == "null" {
		return nil
	}
	var n json.Number
	if err := json.Unmarshal(raw, &n); err != nil {
		return err
	}
	*i = ident(n)
	return nil
}

// moment is a time, which Meta writes as unix seconds, as unix milliseconds, or as a text. It is zero where it
// is missing or makes no sense.
type moment struct{ time.Time }

// milliseconds are at least this: seconds that large are of the year 5138.
const milliseconds = 100_000_000_000

// UnmarshalJSON implements json.Unmarshaler.
func (m *moment) UnmarshalJSON(raw []byte) error {
	text := string(bytes.Trim(raw, `"`))
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err == nil && n >= milliseconds:
		m.Time = time.UnixMilli(n).UTC()
	case err == nil && n > 0:
		m.Time = time.Unix(n, 0).UTC()
	case err != nil:
		for _, layout := range [...]string{"2006-01-02T15:04:05-0700", time.RFC3339} {
			if at, err := time.Parse(layout, text); err == nil {
				m.Time = at.UTC()
				break
			}
		}
	}
	return nil
}

// or is the moment, or another where it is missing.
func (m moment) or(others ...moment) moment {
	for _, other := range others {
		if !m.IsZero() {
			break
		}
		m = other
	}
	return m
}
