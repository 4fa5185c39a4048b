package sms

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/mail"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/fetch"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

const (
	// pageSize is the most messages that Twilio gives at once.
	pageSize = 1000
	// overlap is read again before where the last reading began, for messages that are listed late.
	overlap = time.Hour
	// maxPages is more than a day has: a list without an end is none.
	maxPages = 10_000
)

// Poll implements channel.Poller: it reads the list of the account's messages, which has what deliveries missed,
// and what the city answered in words. The list is newest first, so that it is read until it gets old.
// https://www.twilio.com/docs/messaging/api/message-resource#read-multiple-message-resources
func (s *source) Poll(ctx context.Context, saved json.RawMessage, sink channel.Sink) error {
	started := s.translator.now().UTC()
	since := s.open(saved, started)
	next := *s.list
	// Only days can be asked for.
	next.RawQuery = url.Values{"PageSize": {strconv.Itoa(pageSize)}, "DateSent>": {since.Format(time.DateOnly)}}.Encode()
	target := &next
	for range maxPages {
		page, err := s.page(ctx, target)
		if err != nil {
			return err
		}
		batch := s.translator.listed(page, since, sink)
		last := page.next == nil || page.oldest.Before(since)
		if last {
			batch.Cursor, batch.ObservedThrough = channel.EncodeCursor(cursor{Account: s.translator.account, Through: started}), &started
		}
		if err := sink.Append(ctx, batch); err != nil || last {
			return err
		}
		target = page.next
	}
	return &channel.Error{Reason: ledgerapi.ReasonInvalidResponse, Message: "Twilio's list of messages has no end"}
}

// cursor is where the source stands; its JSON is kept by the ledger.
type cursor struct {
	// Account is whose messages have been read.
	Account string `json:"account"`
	// Through is when the last complete reading began.
	Through time.Time `json:"through"`
}

// open is the instant from which on messages are to be read: at first as far back as the lookback.
func (s *source) open(saved json.RawMessage, now time.Time) time.Time {
	c := channel.OpenCursor(saved, cursor{Account: s.translator.account}, func(c *cursor) string { return c.Account }, s.logger)
	if c.Through.IsZero() {
		return now.Add(-s.lookback)
	}
	return c.Through.Add(-overlap)
}

// page is a part of the list.
type page struct {
	messages []listed
	// oldest is the last message's time.
	oldest time.Time
	// next is where the next part is; nil after the last.
	next *url.URL
}

// listed is a message as the list has it.
type listed struct {
	SID         string `json:"sid"`
	Direction   string `json:"direction"`
	From        string `json:"from"`
	To          string `json:"to"`
	Body        string `json:"body"`
	Status      string `json:"status"`
	NumMedia    string `json:"num_media"`
	NumSegments string `json:"num_segments"`
	DateCreated string `json:"date_created"`
	DateSent    string `json:"date_sent"`
	// ErrorCode is a number, or null where there was no error.
	ErrorCode json.RawMessage `json:"error_code"`

	at time.Time
}

// errShape is the error of an answer that is not as documented.
var errShape = &channel.Error{Reason: ledgerapi.ReasonInvalidResponse, Message: "Twilio's answer is not of the documented shape; check reconcile.url"}

// page asks for a part of the list.
func (s *source) page(ctx context.Context, target *url.URL) (*page, error) {
	response, err := s.client.Get(ctx, target, nil)
	if err != nil {
		return nil, explain(err)
	}
	return parsePage(response.Body, s.list)
}

// parsePage reads a part of the list that is at an address.
func parsePage(body []byte, list *url.URL) (*page, error) {
	var answer struct {
		Messages *[]listed `json:"messages"`
		Next     string    `json:"next_page_uri"`
	}
	if json.Unmarshal(body, &answer) != nil || answer.Messages == nil {
		return nil, errShape
	}
	p := &page{messages: *answer.Messages}
	for i := range p.messages {
		m := &p.messages[i]
		sent := m.DateSent
		if sent == "" {
			sent = m.DateCreated
		}
		if at, err := mail.ParseDate(sent); err == nil {
			m.at = at.UTC()
			p.oldest = m.at
		}
	}
	if answer.Next == "" {
		return p, nil
	}
	next, err := list.Parse(answer.Next)
	// The credentials go along, and must not go anywhere else.
	if err != nil || !fetch.SameHost(list, next) || next.Path != list.Path {
		return nil, errShape
	}
	p.next = next
	return p, nil
}

// listed is what a part of the list says, less what is older than an instant.
func (t *translator) listed(p *page, since time.Time, sink channel.Sink) (batch channel.Batch) {
	odd := 0
	for i := range p.messages {
		l := &p.messages[i]
		if !sidPattern.MatchString(l.SID) || l.at.IsZero() {
			odd++
			continue
		}
		if l.at.Before(since) {
			continue
		}
		m := &message{sid: l.SID, from: l.From, to: l.To, body: l.Body, media: l.NumMedia, segments: l.NumSegments, at: l.at}
		var e *complaint.Event
		switch {
		case l.Direction == "inbound":
			e = t.received(m)
		case strings.HasPrefix(l.Direction, "outbound-") && answers(l.Status):
			e = t.answered(m)
		case strings.HasPrefix(l.Direction, "outbound-"):
			batch.Returned = append(batch.Returned, t.returned(m, l.Status, string(l.ErrorCode))...)
		}
		if e != nil {
			batch.Events = append(batch.Events, *e)
		}
	}
	if odd > 0 {
		sink.Problem(ledgerapi.ReasonInvalidResponse, "a message in Twilio's list has no name or no date", odd)
	}
	return batch
}

// explain puts what Twilio means by a status into a sentence.
func explain(err error) error {
	status, ok := errors.AsType[*fetch.StatusError](err)
	if !ok {
		return err
	}
	switch status.Status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		return &channel.Error{Reason: ledgerapi.ReasonUnauthorized, Err: status,
			Message: "Twilio refused the account's SID and auth tokens (" + strconv.Itoa(status.Status) + ")"}
	}
	return err
}

// basic sends the account's SID with one of its auth tokens. It implements fetch.Authorizer.
type basic struct {
	account string
	tokens  [][]byte

	mu      sync.Mutex
	current int
}

// Authorize implements fetch.Authorizer.
func (b *basic) Authorize(_ context.Context, request *http.Request) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	request.SetBasicAuth(b.account, string(b.tokens[b.current]))
	return nil
}

// Refused implements fetch.Authorizer: the next token is tried, as one of them is old or not yet valid while
// they are rotated.
func (b *basic) Refused() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.current = (b.current + 1) % len(b.tokens)
	return len(b.tokens) > 1
}
