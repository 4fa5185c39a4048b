// Package sms simulates Twilio's messaging as far as complaints and answers go through it: it signs and
// delivers what citizens write and the statuses of what the city sends, and lists the messages of an account
// by its REST API, page by page.
// https://www.twilio.com/docs/messaging/guides/webhook-request
// https://www.twilio.com/docs/messaging/api/message-resource
package sms

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Message is a text between a person and the city.
type Message struct {
	// SID is Twilio's name of the message; "" makes one.
	SID string
	// Person is the number of the citizen with + and the country code.
	Person string
	At     time.Time
	Text   string
	// Media and Segments count the files of a message and the parts that it was sent in; 0 segments are one.
	Media, Segments int
	// Status of a message of the city, such as delivered; "" is sent.
	Status string
}

// Twilio is an account with one number. It is an http.Handler of the API and safe for concurrent use.
type Twilio struct {
	// AccountSID and AuthToken are the account's.
	AccountSID, AuthToken string
	// Number is the city's.
	Number string
	// URL is where to deliver, PublicURL what is signed; "" is URL.
	URL, PublicURL string
	// Client carries the deliveries; it decides about proxies and time-outs.
	Client *http.Client
	// Backoff between two attempts of a delivery; 0 is half a second.
	Backoff time.Duration
	// PageSize is the most messages that a page of the list has; 0 is what is asked for.
	PageSize int
	// Now is the clock of what the API sends; nil is time.Now.
	Now func() time.Time

	acknowledged, attempts atomic.Int64

	mu       sync.Mutex
	messages []listed
	fail     []int
	asked    []string
	optedOut []string
}

// Acknowledged is how many deliveries were answered with 200.
func (t *Twilio) Acknowledged() int64 { return t.acknowledged.Load() }

// Attempts is how many deliveries were sent, those that failed included.
func (t *Twilio) Attempts() int64 { return t.attempts.Load() }

// NewSID makes the name of a message.
func NewSID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return "SM" + hex.EncodeToString(b[:])
}

// Write delivers what a citizen wrote.
func (t *Twilio) Write(ctx context.Context, m Message) error { return t.Send(ctx, t.Written(m)) }

// Answer delivers the status of what the city sent.
func (t *Twilio) Answer(ctx context.Context, m Message) error { return t.Send(ctx, t.Answered(m)) }

// Written is the form about a message of a citizen, which is in the list from now on.
func (t *Twilio) Written(m Message) url.Values {
	m.complete()
	t.list(m, "inbound", m.Person, t.Number, "received")
	return url.Values{
		"MessageSid": {m.SID}, "SmsSid": {m.SID}, "SmsMessageSid": {m.SID}, "AccountSid": {t.AccountSID}, "From": {m.Person}, "To": {t.Number},
		"Body": {m.Text}, "NumMedia": {strconv.Itoa(m.Media)}, "NumSegments": {strconv.Itoa(m.Segments)}, "SmsStatus": {"received"},
		"FromCountry": {"ID"}, "ToCountry": {"ID"}, "FromCity": {""}, "ApiVersion": {"2010-04-01"},
	}
}

// Answered is the form about the status of a message of the city, which is in the list from now on.
func (t *Twilio) Answered(m Message) url.Values {
	m.complete()
	if m.Status == "" {
		m.Status = "sent"
	}
	t.list(m, "outbound-api", t.Number, m.Person, m.Status)
	return url.Values{
		"MessageSid": {m.SID}, "SmsSid": {m.SID}, "AccountSid": {t.AccountSID}, "From": {t.Number}, "To": {m.Person},
		"MessageStatus": {m.Status}, "SmsStatus": {m.Status}, "ApiVersion": {"2010-04-01"},
	}
}

// complete fills in what was left out.
func (m *Message) complete() {
	if m.SID == "" {
		m.SID = NewSID()
	}
	m.Segments = max(m.Segments, 1)
}

// Sign is the value of X-Twilio-Signature.
func Sign(token, address string, form url.Values) string {
	mac := hmac.New(sha1.New, []byte(token))
	mac.Write([]byte(address))
	for _, name := range slices.Sorted(maps.Keys(form)) {
		mac.Write([]byte(name + form.Get(name)))
	}
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// Send delivers a form and tries again until it is acknowledged or the context ends.
func (t *Twilio) Send(ctx context.Context, form url.Values) error {
	backoff := t.Backoff
	if backoff == 0 {
		backoff = 500 * time.Millisecond
	}
	for {
		status, err := t.deliver(ctx, form)
		if err == nil && status == http.StatusOK {
			t.acknowledged.Add(1)
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(backoff):
		}
	}
}

func (t *Twilio) deliver(ctx context.Context, form url.Values) (int, error) {
	t.attempts.Add(1)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, t.URL, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, err
	}
	signed := t.PublicURL
	if signed == "" {
		signed = t.URL
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
	request.Header.Set("X-Twilio-Signature", Sign(t.AuthToken, signed, form))
	response, err := t.Client.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 4096)) // so that the connection is used again
	return response.StatusCode, nil
}
