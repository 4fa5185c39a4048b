package x

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/fetch"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// threads are the conversations that the city began. They are safe for concurrent use.
type threads struct {
	mu    sync.Mutex
	known cursor
}

func (t *threads) ours(conversation id) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.known.ours(conversation)
}

func (t *threads) began(conversation id) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.known.began(conversation)
}

// learn takes in what a cursor knows.
func (t *threads) learn(saved json.RawMessage) {
	var c cursor
	if json.Unmarshal(saved, &c) != nil {
		return // the poll says so
	}
	for _, conversation := range c.Threads {
		t.began(conversation)
	}
}

// learning has a source learn of the cursors that a poll saves.
type learning struct {
	channel.Sink
	threads *threads
}

// Append implements channel.Sink.
func (l learning) Append(ctx context.Context, batch channel.Batch) error {
	if batch.Cursor != nil {
		l.threads.learn(batch.Cursor)
	}
	return l.Sink.Append(ctx, batch)
}

// Poll implements channel.Poller. It first asks whether X delivers; what it should have delivered is read all the
// same.
func (w *webhook) Poll(ctx context.Context, saved json.RawMessage, sink channel.Sink) error {
	w.threads.learn(saved)
	lost, failure := w.subscribed(ctx)
	if lost != nil {
		sink.Problem(lost.Reason, lost.Message, 0)
	}
	if err := w.source.Poll(ctx, saved, learning{sink, &w.threads}); err != nil {
		return err
	}
	if failure != nil {
		return failure
	}
	if lost != nil {
		return lost
	}
	return nil
}

// subscription is an entry of the list of subscriptions.
type subscription struct {
	EventType string `json:"event_type"`
	Filter    struct {
		UserID string `json:"user_id"`
	} `json:"filter"`
	WebhookID string `json:"webhook_id"`
}

// subscribed asks whether there are subscriptions of what is needed, to a webhook that X counts as valid.
func (w *webhook) subscribed(ctx context.Context) (*channel.Error, error) {
	var hooks struct {
		Data []struct {
			ID    string `json:"id"`
			Valid bool   `json:"valid"`
		} `json:"data"`
	}
	if err := w.ask(ctx, nil, &hooks, "2", "webhooks"); err != nil {
		return nil, err
	}
	valid, broken := map[string]bool{}, ""
	for _, hook := range hooks.Data {
		if valid[hook.ID] = hook.Valid; !hook.Valid {
			broken = hook.ID
		}
	}
	missing := map[string]bool{"post.create": true, "post.mention.create": true, "post.reply.create": true}
	for next, first := "", true; first || next != ""; first = false {
		var page struct {
			Data []subscription `json:"data"`
			Meta struct {
				NextToken string `json:"next_token"`
			} `json:"meta"`
		}
		query := url.Values{}
		if next != "" {
			query.Set("pagination_token", next)
		}
		if err := w.ask(ctx, query, &page, "2", "activity", "subscriptions"); err != nil {
			return nil, err
		}
		for _, s := range page.Data {
			if s.Filter.UserID == w.account && valid[s.WebhookID] {
				delete(missing, s.EventType)
			}
		}
		if page.Meta.NextToken == next {
			break
		}
		next = page.Meta.NextToken
	}
	return lost(missing, broken), nil
}

// lost is why X does not deliver what it should; nil is that it does.
func lost(missing map[string]bool, broken string) *channel.Error {
	var names []string
	for _, name := range [...]string{"post.create", "post.mention.create", "post.reply.create"} {
		if missing[name] {
			names = append(names, name)
		}
	}
	e := &channel.Error{Reason: ledgerapi.ReasonNotSubscribed}
	switch _, ok := parseID(broken); {
	case len(names) == 0:
		return nil
	case ok:
		e.Message = fmt.Sprintf("X counts the webhook %s as invalid, as its address did not answer or not rightly, and delivers nothing; have it checked again by PUT /2/webhooks/%s", broken, broken)
	default:
		e.Message = fmt.Sprintf("X does not deliver %s of this account to a webhook; subscribe by POST /2/activity/subscriptions", strings.Join(names, ", "))
	}
	return e
}

// ask reads an answer about deliveries.
func (w *webhook) ask(ctx context.Context, query url.Values, answer any, path ...string) error {
	target := w.base.JoinPath(path...)
	target.RawQuery = query.Encode()
	response, err := w.client.Get(ctx, target, nil)
	if status, ok := errors.AsType[*fetch.StatusError](err); ok && status.Status == http.StatusForbidden {
		return &channel.Error{Reason: ledgerapi.ReasonUnauthorized, Err: status,
			Message: "the app may not ask for its webhooks (403); check that it belongs to a project with access to the X Activity API"}
	}
	if err != nil {
		return explain(err)
	}
	if json.Unmarshal(response.Body, answer) != nil {
		return invalid("the answer about webhooks is not that of the X API; check url")
	}
	return nil
}
