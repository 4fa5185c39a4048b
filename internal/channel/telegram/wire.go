package telegram

import (
	"encoding/json"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// update is one entry of the answer of getUpdates.
type update struct {
	ID int64
	// message is what the update is about; nil for one that is not read or makes no sense.
	message *message
	// edited says that the message was there before, business that it is of a business account's chat.
	edited, business bool
	// odd says that the update makes no sense.
	odd bool
}

// message is what is read of a Message.
type message struct {
	ID   int64 `json:"message_id"`
	From struct {
		ID    int64 `json:"id"`
		IsBot bool  `json:"is_bot"`
	} `json:"from"`
	Chat struct {
		ID   int64  `json:"id"`
		Type string `json:"type"`
	} `json:"chat"`
	// Date and EditDate are unix seconds.
	Date     int64 `json:"date"`
	EditDate int64 `json:"edit_date"`

	Text    string `json:"text"`
	Caption string `json:"caption"`
	// MediaGroupID is shared by the messages of an album.
	MediaGroupID   string           `json:"media_group_id"`
	ReplyToMessage *message         `json:"reply_to_message"`
	ForwardOrigin  *forwardOrigin   `json:"forward_origin"`
	BusinessBot    *json.RawMessage `json:"sender_business_bot"`
	// BusinessConnectionID is by which business account the bot sees the message.
	BusinessConnectionID string `json:"business_connection_id"`

	Location *position `json:"location"`
	Venue    *struct {
		Location position `json:"location"`
		Title    string   `json:"title"`
		Address  string   `json:"address"`
	} `json:"venue"`
	// Files and other content, of which only that they are there is read.
	Photo     present `json:"photo"`
	Document  present `json:"document"`
	Voice     present `json:"voice"`
	Video     present `json:"video"`
	VideoNote present `json:"video_note"`
	Audio     present `json:"audio"`
	Animation present `json:"animation"`
	Sticker   present `json:"sticker"`
	Contact   present `json:"contact"`
}

type position struct {
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
}

// forwardOrigin says who wrote a message that was forwarded.
type forwardOrigin struct {
	Type       string `json:"type"`
	SenderUser struct {
		ID    int64 `json:"id"`
		IsBot bool  `json:"is_bot"`
	} `json:"sender_user"`
}

// present is true for a member that is there and not null, whatever it holds.
type present bool

// UnmarshalJSON implements json.Unmarshaler.
func (p *present) UnmarshalJSON(data []byte) error {
	*p = string(data) != "null"
	return nil
}

// page is one answer.
type page struct {
	updates []update
	// last says that there was nothing more.
	last bool
}

// parse reads an answer. Its error names nothing of it.
func parse(body []byte) (page, error) {
	var a struct {
		OK     bool              `json:"ok"`
		Result []json.RawMessage `json:"result"`
	}
	if err := json.Unmarshal(body, &a); err != nil || !a.OK {
		return page{}, invalid("the answer is not that of the Telegram Bot API; check url")
	}
	got := page{last: len(a.Result) < pageSize, updates: make([]update, 0, len(a.Result))}
	for _, raw := range a.Result {
		u, err := parseUpdate(raw)
		if err != nil {
			return page{}, err
		}
		got.updates = append(got.updates, u)
	}
	if !got.last {
		got.wholeAlbums()
	}
	return got, nil
}

// parseUpdate reads one update. One that makes no sense is odd, and passed over by its number; without that
// nothing can be confirmed, and it is an error.
func parseUpdate(raw json.RawMessage) (update, error) {
	var n struct {
		ID                    *int64          `json:"update_id"`
		Message               json.RawMessage `json:"message"`
		EditedMessage         json.RawMessage `json:"edited_message"`
		BusinessMessage       json.RawMessage `json:"business_message"`
		EditedBusinessMessage json.RawMessage `json:"edited_business_message"`
	}
	if err := json.Unmarshal(raw, &n); err != nil || n.ID == nil {
		return update{}, invalid("an update has no update_id")
	}
	u := update{ID: *n.ID}
	body := n.Message
	switch {
	case n.EditedMessage != nil:
		body, u.edited = n.EditedMessage, true
	case n.BusinessMessage != nil:
		body, u.business = n.BusinessMessage, true
	case n.EditedBusinessMessage != nil:
		body, u.edited, u.business = n.EditedBusinessMessage, true, true
	}
	if body == nil {
		return u, nil
	}
	u.message = &message{}
	if json.Unmarshal(body, u.message) != nil || u.message.ID == 0 || u.message.Chat.ID == 0 || u.message.Date <= 0 {
		u.message, u.odd = nil, true
	}
	return u, nil
}

// wholeAlbums leaves an album at the end to the next page, as more of it may come there; one that fills the
// whole page stays.
func (p *page) wholeAlbums() {
	n := len(p.updates)
	last := p.updates[n-1].album()
	for n > 0 && last != "" && p.updates[n-1].album() == last {
		n--
	}
	if n > 0 {
		p.updates = p.updates[:n]
	}
}

func (u *update) album() string {
	if u.message == nil {
		return ""
	}
	return u.message.MediaGroupID
}

func invalid(message string) *channel.Error {
	return &channel.Error{Reason: ledgerapi.ReasonInvalidResponse, Message: message}
}
