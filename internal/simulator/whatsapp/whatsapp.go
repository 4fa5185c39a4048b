// Package whatsapp simulates the WhatsApp Business Cloud API as far as it delivers webhooks: it signs what
// citizens write and what the city's staff answer in the business app with the app secret, escapes JSON as
// Meta does, and delivers again until it is acknowledged.
// https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks
package whatsapp

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf16"
)

// Message is a text between a person and the city.
type Message struct {
	// ID is the wamid; "" makes one.
	ID string
	// Person is the number of the citizen, digits with the country code.
	Person string
	At     time.Time
	Text   string
	// Quotes is the ID of the message that this one answers; "" is none.
	Quotes string
}

// Sender delivers for one business phone number.
type Sender struct {
	// URL is where to.
	URL string
	// AppSecret signs, VerifyToken is shown in the handshake.
	AppSecret, VerifyToken string
	// PhoneNumberID and PhoneNumber are the city's.
	PhoneNumberID, PhoneNumber string
	// Client carries the deliveries; it decides about proxies and time-outs.
	Client *http.Client
	// Backoff between two attempts of a delivery; 0 is half a second.
	Backoff time.Duration

	acknowledged, attempts atomic.Int64
}

// Acknowledged is how many deliveries were answered with 200.
func (s *Sender) Acknowledged() int64 { return s.acknowledged.Load() }

// Attempts is how many deliveries were sent, those that failed included.
func (s *Sender) Attempts() int64 { return s.attempts.Load() }

// NewID makes a wamid as WhatsApp does: the person's number is in it, and random bytes.
func NewID(person string) string {
	return "wamid." + base64.StdEncoding.EncodeToString([]byte("\x1d\x05"+person+"\x15\x02\x00"+rand.Text()+"\x00"))
}

// Write delivers what a citizen wrote.
func (s *Sender) Write(ctx context.Context, m Message) error { return s.Send(ctx, s.Written(m)) }

// Answer delivers what the staff answered in the business app.
func (s *Sender) Answer(ctx context.Context, m Message) error { return s.Send(ctx, s.Answered(m)) }

// Written is the body about a message of a citizen.
func (s *Sender) Written(m Message) []byte {
	item := m.item()
	item["from"] = m.Person
	return s.body("messages", map[string]any{
		"contacts": []any{map[string]any{"profile": map[string]any{"name": "Warga"}, "wa_id": m.Person}},
		"messages": []any{item},
	})
}

// Answered is the body about a message of the staff.
func (s *Sender) Answered(m Message) []byte {
	item := m.item()
	item["from"], item["to"] = s.PhoneNumber, m.Person
	return s.body("smb_message_echoes", map[string]any{"message_echoes": []any{item}})
}

func (m *Message) item() map[string]any {
	if m.ID == "" {
		m.ID = NewID(m.Person)
	}
	item := map[string]any{
		"id": m.ID, "timestamp": strconv.FormatInt(m.At.Unix(), 10), "type": "text", "text": map[string]any{"body": m.Text},
	}
	if m.Quotes != "" {
		item["context"] = map[string]any{"from": m.Person, "id": m.Quotes}
	}
	return item
}

func (s *Sender) body(field string, value map[string]any) []byte {
	value["messaging_product"] = "whatsapp"
	value["metadata"] = map[string]any{"display_phone_number": s.PhoneNumber, "phone_number_id": s.PhoneNumberID}
	encoded, err := json.Marshal(map[string]any{
		"object": "whatsapp_business_account",
		"entry": []any{map[string]any{
			"id": "102290129340398", "changes": []any{map[string]any{"field": field, "value": value}},
		}},
	})
	if err != nil {
		panic(err) // maps of texts
	}
	return Escape(encoded)
}

// Escape writes JSON as Meta does, with \uXXXX for what is not ASCII and \/ for a slash.
func Escape(encoded []byte) []byte {
	var b bytes.Buffer
	for _, r := range string(encoded) {
		switch {
		case r == '/':
			b.WriteString(`\/`)
		case r < 0x80:
			b.WriteRune(r)
		default:
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, `\u%04x`, unit)
			}
		}
	}
	return b.Bytes()
}

// Sign is the value of X-Hub-Signature-256.
func Sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// Proven reports whether a request has the proof that an app with "Require App Secret" demands beside the token.
// https://developers.facebook.com/docs/graph-api/guides/secure-requests
func Proven(r *http.Request, token, secret string) bool {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(token))
	return r.URL.Query().Get("appsecret_proof") == hex.EncodeToString(mac.Sum(nil))
}

// Send delivers a body and tries again until it is acknowledged or the context ends.
func (s *Sender) Send(ctx context.Context, body []byte) error {
	backoff := s.Backoff
	if backoff == 0 {
		backoff = 500 * time.Millisecond
	}
	for {
		status, err := s.deliver(ctx, body)
		if err == nil && status == http.StatusOK {
			s.acknowledged.Add(1)
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(backoff):
		}
	}
}

func (s *Sender) deliver(ctx context.Context, body []byte) (int, error) {
	s.attempts.Add(1)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Hub-Signature-256", Sign(s.AppSecret, body))
	response, err := s.Client.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 4096)) // so that the connection is used again
	return response.StatusCode, nil
}

// Subscribe does the handshake, as Meta's console does when somebody sets the webhook up.
func (s *Sender) Subscribe(ctx context.Context) error {
	challenge := strings.ToLower(rand.Text())
	query := url.Values{"hub.mode": {"subscribe"}, "hub.challenge": {challenge}, "hub.verify_token": {s.VerifyToken}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	response, err := s.Client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	echoed, err := io.ReadAll(io.LimitReader(response.Body, 4096))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK || string(echoed) != challenge {
		return fmt.Errorf("the callback URL could not be validated: %d", response.StatusCode)
	}
	return nil
}
