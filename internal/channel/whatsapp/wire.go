package whatsapp

import (
	"encoding/json"
	"strings"
)

// What Meta sends, as far as it matters here.
// https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks

// delivery is a body. Items are decoded one by one, so that one which is not as documented does not take
// the others with it.
type delivery struct {
	Object string `json:"object"`
	Entry  []struct {
		Changes []struct {
			Field string          `json:"field"`
			Value json.RawMessage `json:"value"`
		} `json:"changes"`
	} `json:"entry"`
}

// objectAccount is the object of deliveries about WhatsApp.
const objectAccount = "whatsapp_business_account"

// The fields of a change that matter.
const (
	fieldMessages = "messages"
	fieldEchoes   = "smb_message_echoes"
)

// value is what a change is about.
type value struct {
	Metadata struct {
		PhoneNumberID string `json:"phone_number_id"`
	} `json:"metadata"`
	Contacts []contact         `json:"contacts"`
	Messages []json.RawMessage `json:"messages"`
	Statuses []json.RawMessage `json:"statuses"`
	Echoes   []json.RawMessage `json:"message_echoes"`
	Errors   []struct {
		Code int64 `json:"code"`
	} `json:"errors"`
}

// contact is a person as a delivery introduces them. With a username a person may have no WhatsAppID,
// which is the phone number, and then is known by UserID, which is theirs within this business alone.
type contact struct {
	WhatsAppID string `json:"wa_id"`
	UserID     string `json:"user_id"`
}

// message is a message of a citizen, or (an echo) of the city's staff.
type message struct {
	content
	ID         string  `json:"id"`
	Timestamp  seconds `json:"timestamp"`
	From       string  `json:"from"`
	FromUserID string  `json:"from_user_id"`
	To         string  `json:"to"`
	ToUserID   string  `json:"to_user_id"`
	Context    struct {
		ID        string `json:"id"`
		Forwarded bool   `json:"forwarded"`
	} `json:"context"`
	Reaction struct {
		Emoji string `json:"emoji"`
	} `json:"reaction"`
	Edit struct {
		OriginalID string  `json:"original_message_id"`
		Message    content `json:"message"`
	} `json:"edit"`
	Revoke struct {
		OriginalID string `json:"original_message_id"`
	} `json:"revoke"`
}

// content is what a message says: the member named by its type.
type content struct {
	Type string `json:"type"`
	Text struct {
		Body string `json:"body"`
	} `json:"text"`
	Image    media `json:"image"`
	Video    media `json:"video"`
	Document media `json:"document"`
	Audio    media `json:"audio"`
	Sticker  media `json:"sticker"`
	Location struct {
		Latitude  *float64 `json:"latitude"`
		Longitude *float64 `json:"longitude"`
		Name      string   `json:"name"`
		Address   string   `json:"address"`
	} `json:"location"`
	Interactive struct {
		ButtonReply reply `json:"button_reply"`
		ListReply   reply `json:"list_reply"`
		FlowReply   struct {
			Body string `json:"body"`
		} `json:"nfm_reply"`
	} `json:"interactive"`
	Button struct {
		Text string `json:"text"`
	} `json:"button"`
}

// media is a file, which can be fetched by its id while Meta keeps it.
type media struct {
	ID       string `json:"id"`
	MIMEType string `json:"mime_type"`
	Caption  string `json:"caption"`
	Filename string `json:"filename"`
}

// reply is what a citizen chose of what was offered.
type reply struct {
	Title       string `json:"title"`
	Description string `json:"description"`
}

// status says what became of a message of the city.
type status struct {
	ID              string  `json:"id"`
	Status          string  `json:"status"`
	Timestamp       seconds `json:"timestamp"`
	RecipientID     string  `json:"recipient_id"`
	RecipientUserID string  `json:"recipient_user_id"`
	Conversation    struct {
		Origin struct {
			Type string `json:"type"`
		} `json:"origin"`
	} `json:"conversation"`
	Pricing struct {
		Category string `json:"category"`
	} `json:"pricing"`
	Errors []struct {
		Code int `json:"code"`
	} `json:"errors"`
}

// seconds are unix seconds, which come as a text.
type seconds string

// UnmarshalJSON implements json.Unmarshaler.
func (s *seconds) UnmarshalJSON(raw []byte) error {
	*s = seconds(strings.Trim(string(raw), `"`))
	return nil
}

// file is the file of a message that is one; nil for any other.
func (c *content) file() *media {
	switch c.Type {
	case "image":
		return &c.Image
	case "video":
		return &c.Video
	case "document":
		return &c.Document
	case "audio":
		return &c.Audio
	case "sticker":
		return &c.Sticker
	}
	return nil
}

// words are what a message says in words.
func (c *content) words() string {
	if file := c.file(); file != nil {
		return lines(file.Caption, file.Filename)
	}
	switch c.Type {
	case "text":
		return c.Text.Body
	case "location":
		return lines(c.Location.Name, c.Location.Address)
	case "button":
		return c.Button.Text
	case "interactive":
		i := &c.Interactive
		return lines(i.ButtonReply.Title, i.ListReply.Title, i.ListReply.Description, i.FlowReply.Body)
	}
	return ""
}

// lines are the texts that are not empty.
func lines(texts ...string) string {
	var kept []string
	for _, t := range texts {
		if t != "" {
			kept = append(kept, t)
		}
	}
	return strings.Join(kept, "\n")
}
