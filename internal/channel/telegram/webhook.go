package telegram

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/push"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

const (
	defaultCheckInterval = time.Minute
	// freshError is how long an error of a delivery is held against a webhook that has updates waiting.
	freshError = time.Hour
)

// webhook is a bot whose updates Telegram delivers. What it is polled for is whether they can be delivered:
// Telegram keeps them for 24 hours, tries again by itself, and says nothing of it unless it is asked.
type webhook struct {
	*source
	tokens        push.Tokens
	endpoint      *push.Endpoint
	info          *url.URL
	usualDelay    time.Duration
	checkInterval time.Duration
}

// deliveredTo is the source with a webhook.
func (s *source) deliveredTo(spec *v1alpha1.TelegramWebhook, settings channel.Settings) (*webhook, error) {
	tokens, err := push.NewTokens(settings.Credential, spec.SecretTokenSecretRefs...)
	if err != nil {
		return nil, err
	}
	for _, ref := range spec.SecretTokenSecretRefs {
		// Telegram takes no other, so that a header could never have it.
		if token, err := settings.Credential(ref); err != nil || !regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`).Match(token) {
			return nil, push.Unusable(ref, "holds no secret token as Telegram takes it: 1 to 256 letters, digits, _ and -")
		}
	}
	w := &webhook{source: s, tokens: tokens, info: s.endpoint.JoinPath("..", "getWebhookInfo"), checkInterval: channel.Duration(spec.CheckInterval, defaultCheckInterval)}
	w.endpoint, w.usualDelay = push.Limited(&spec.DeliveryLimits, settings.Now)
	return w, nil
}

// Handler implements channel.Pusher.
func (w *webhook) Handler(sink channel.Sink) http.Handler {
	return &push.Receiver{
		Endpoint: w.endpoint, Verifier: push.HeaderToken{Header: "X-Telegram-Bot-Api-Secret-Token", Tokens: w.tokens},
		Translate: w.translate, Sink: sink,
	}
}

// UsualDelay implements channel.Pusher.
func (w *webhook) UsualDelay() time.Duration { return w.usualDelay }

// Interval implements channel.Poller.
func (w *webhook) Interval() time.Duration { return w.checkInterval }

// translate says what an update says has happened.
func (w *webhook) translate(_ context.Context, body []byte) (*push.Result, error) {
	u, err := parseUpdate(body)
	if err != nil {
		return nil, errors.New("the body is no update of the Telegram Bot API")
	}
	events, problems := w.translator.events([]update{u})
	r := &push.Result{Events: events}
	if u.album() != "" && !u.edited && len(events) == 1 && events[0].Text != "" {
		r.Events = append(r.Events, captioned(events[0]))
	}
	for _, p := range problems {
		r.Problems = append(r.Problems, push.Problem{Reason: ledgerapi.ReasonInvalidEvent, Message: p.message, Items: p.items})
	}
	return r, nil
}

// captioned tells of the caption of an album once more: its messages are delivered one by one, and the event of
// the one that arrives first, which need not have it, is the album's.
func captioned(e complaint.Event) complaint.Event {
	thread := *e.Thread
	thread.Quoted = []string{e.ID}
	e.Kind, e.ID, e.Thread = complaint.KindEdited, "edited/"+strings.TrimPrefix(e.ID, "message/")+"/caption", &thread
	return e
}

// webhookInfo is what Telegram says of a webhook.
type webhookInfo struct {
	URL            string   `json:"url"`
	Pending        int64    `json:"pending_update_count"`
	LastErrorDate  int64    `json:"last_error_date"`
	LastError      string   `json:"last_error_message"`
	AllowedUpdates []string `json:"allowed_updates"`
}

// Poll implements channel.Poller: it asks whether Telegram can deliver. When nothing waits to be delivered, all has
// been.
func (w *webhook) Poll(ctx context.Context, saved json.RawMessage, sink channel.Sink) error {
	started := w.now().UTC()
	response, err := w.client.Get(ctx, w.info, nil)
	if err != nil {
		return explain(err)
	}
	var answer struct {
		OK     bool        `json:"ok"`
		Result webhookInfo `json:"result"`
	}
	if err := json.Unmarshal(response.Body, &answer); err != nil || !answer.OK {
		return invalid("the answer is not that of the Telegram Bot API; check url")
	}
	info := &answer.Result
	if failure := info.trouble(started); failure != nil {
		return failure
	}
	if info.Pending > 0 {
		return &channel.Error{Reason: ledgerapi.ReasonConnected, Message: fmt.Sprintf("%d updates are on their way", info.Pending)}
	}
	c := w.open(saved)
	late := !c.Polled.IsZero() && started.Sub(c.Polled) > kept
	c.Polled = started
	if err := sink.Append(ctx, channel.Batch{Cursor: channel.EncodeCursor(c), ObservedThrough: &started}); err != nil {
		return err
	}
	if late {
		sink.Problem(ledgerapi.ReasonHistoryLost, "updates waited for more than 24 hours, as long as Telegram keeps them; some of what came in meanwhile cannot be had any more", 1)
	}
	return nil
}

// trouble is why Telegram does not deliver; nil is that it does.
func (i *webhookInfo) trouble(now time.Time) *channel.Error {
	failure := func(format string, args ...any) *channel.Error {
		return &channel.Error{Reason: ledgerapi.ReasonNotSubscribed, Message: fmt.Sprintf(format, args...)}
	}
	switch {
	case i.URL == "":
		return failure("the bot has no webhook, so that Telegram delivers nothing; set it by setWebhook with url and secret_token, or take webhook out of the channel")
	case len(i.AllowedUpdates) > 0 && !slices.Contains(i.AllowedUpdates, "message") && !slices.Contains(i.AllowedUpdates, "business_message"):
		return failure("allowed_updates of the webhook has neither message nor business_message; set it anew by setWebhook")
	case i.Pending > 0 && i.LastErrorDate > 0 && now.Sub(time.Unix(i.LastErrorDate, 0)) < freshError:
		return failure("Telegram cannot deliver, and %d updates wait: %s", i.Pending, obstacle(i.LastError))
	}
	return nil
}

// obstacle says what Telegram means by an error of a delivery, in words of this package: what it says may repeat
// what the other side answered.
func obstacle(message string) string {
	text := strings.ToLower(message)
	for _, known := range [...]struct{ part, sentence string }{
		{"401", "the worker refuses its secret token (401); secret_token of setWebhook and the Secret have to be the same"},
		{"403", "something before the worker refuses it (403)"},
		{"404", "there is nothing at the webhook's address (404); check its path, and whether the channel is Ready"},
		{"413", "something takes no bodies as large (413)"},
		{"429", "the worker is delivered too much at once (429)"},
		{"502", "nothing answers behind the proxy (502)"},
		{"503", "the worker or its ledger is not ready (503)"},
		{"504", "nothing answers behind the proxy in time (504)"},
		{"ssl", "the certificate at the webhook's address is not valid for Telegram"},
		{"certificate", "the certificate at the webhook's address is not valid for Telegram"},
		{"resolve", "the name in the webhook's address cannot be resolved"},
		{"refused", "the connection to the webhook's address is refused"},
		{"timed out", "the webhook's address does not answer in time"},
		{"timeout", "the webhook's address does not answer in time"},
	} {
		if strings.Contains(text, known.part) {
			return known.sentence
		}
	}
	return "getWebhookInfo of the Bot API says why"
}

var (
	_ channel.Pusher = (*webhook)(nil)
	_ channel.Poller = (*webhook)(nil)
)
