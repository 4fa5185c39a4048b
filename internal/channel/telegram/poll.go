package telegram

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/fetch"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

const (
	// pageSize is the most updates that Telegram gives at once.
	pageSize = 100
	// kept is how long Telegram keeps an update that is not read.
	kept = 24 * time.Hour
	// maxErrorBytes is read of an answer that refuses a request.
	maxErrorBytes = 4 << 10
	// allowed are the kinds of update that are asked for; Telegram remembers them for the bot.
	allowed = `["message","edited_message","business_message","edited_business_message"]`
)

// Poll implements channel.Poller. Updates are asked for by the number of the first that the ledger does not
// have, by which Telegram forgets those before.
func (s *source) Poll(ctx context.Context, saved json.RawMessage, sink channel.Sink) error {
	started := s.now().UTC()
	c := s.open(saved)
	late := !c.Polled.IsZero() && started.Sub(c.Polled) > kept
	if started.Sub(c.Arrived) > kept {
		// Telegram begins to count anew, possibly from below, when a bot had no updates for a week; and what
		// came before has been forgotten.
		c.Offset = 0
	}
	for range s.maxPages {
		got, err := s.get(ctx, c.Offset)
		if err != nil {
			return err
		}
		events, problems := s.translator.events(got.updates)
		batch := channel.Batch{Events: events}
		if n := len(got.updates); n > 0 {
			c.Offset, c.Arrived = got.updates[n-1].ID+1, s.now().UTC()
		}
		if got.last {
			c.Polled = started
			batch.ObservedThrough = &started
		}
		batch.Cursor = channel.EncodeCursor(c)
		if err := sink.Append(ctx, batch); err != nil {
			return err
		}
		for _, p := range problems {
			sink.Problem(ledgerapi.ReasonInvalidResponse, p.message, p.items)
		}
		if got.last {
			if late {
				sink.Problem(ledgerapi.ReasonHistoryLost, "nothing was read for more than 24 hours, as long as Telegram keeps updates; what came in before cannot be had any more", 1)
			}
			return nil
		}
	}
	return &channel.Error{Reason: ledgerapi.ReasonConnected,
		Message: fmt.Sprintf("read %d pages, as many as polling.maxPages allows; the next poll goes on", s.maxPages)}
}

// get asks for one page of updates.
func (s *source) get(ctx context.Context, offset int64) (page, error) {
	query := url.Values{"limit": {strconv.Itoa(pageSize)}, "timeout": {"0"}, "allowed_updates": {allowed}}
	if offset != 0 {
		query.Set("offset", strconv.FormatInt(offset, 10))
	}
	target := *s.endpoint
	target.RawQuery = query.Encode()
	response, err := s.client.Get(ctx, &target, nil)
	if err != nil {
		return page{}, explain(err)
	}
	return parse(response.Body)
}

// explain puts what Telegram means by a status into a sentence.
func explain(err error) error {
	status, ok := errors.AsType[*fetch.StatusError](err)
	if !ok {
		return err
	}
	switch status.Status {
	case http.StatusUnauthorized, http.StatusNotFound:
		return &channel.Error{Reason: ledgerapi.ReasonUnauthorized, Err: status,
			Message: fmt.Sprintf("Telegram does not know the bot's token (%d); get a new one of BotFather, or check url", status.Status)}
	case http.StatusConflict:
		return &channel.Error{Reason: ledgerapi.ReasonConflict, Err: status,
			Message: "the bot's updates are read by somebody else (409): another program with the same token, or a webhook, which deleteWebhook removes"}
	}
	return err
}

// patience passes on how long Telegram asks to be left alone: it says so in the body of a 429, and elsewhere
// that is a header.
type patience struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (p *patience) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := p.next.RoundTrip(request)
	if err != nil || response.StatusCode != http.StatusTooManyRequests {
		return response, err
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxErrorBytes))
	_ = response.Body.Close() // it was only read
	response.Body = io.NopCloser(bytes.NewReader(body))
	var said struct {
		Parameters struct {
			RetryAfter uint32 `json:"retry_after"`
		} `json:"parameters"`
	}
	if err == nil && json.Unmarshal(body, &said) == nil && said.Parameters.RetryAfter > 0 {
		response.Header.Set("Retry-After", strconv.FormatUint(uint64(said.Parameters.RetryAfter), 10))
	}
	return response, nil
}

// CloseIdleConnections lets the client close what the transport holds.
func (p *patience) CloseIdleConnections() {
	if closer, ok := p.next.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}

// problem is something that never became an event.
type problem struct {
	message string
	items   int
}
