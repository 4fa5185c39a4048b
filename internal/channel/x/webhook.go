package x

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/push"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

const (
	defaultCheckInterval = time.Hour
	// maxChallengeBytes bounds what X may have signed.
	maxChallengeBytes = 1024
	// attributeType says what is special about an event.
	attributeType = "type"
)

// webhook is an account whose posts and mentions X delivers by the X Activity API. It is polled for what was
// missed, and for whether X delivers: X does not say how often it tries again, and stops at an address that
// does not answer its challenge.
type webhook struct {
	*source
	secret        []byte
	signature     push.Verifier
	endpoint      *push.Endpoint
	usualDelay    time.Duration
	checkInterval time.Duration
	// threads are the conversations that the city began, as far as is known here.
	threads threads
}

// deliveredTo is the source with a webhook.
func (s *source) deliveredTo(spec *v1alpha1.XWebhook, settings channel.Settings) (*webhook, error) {
	signature, err := push.NewHMAC(&v1alpha1.HMACVerification{
		Header: "x-twitter-webhooks-signature", Algorithm: "SHA256", Encoding: "Base64", Prefix: "sha256=", SecretRefs: spec.ConsumerSecretSecretRefs,
	}, settings.Credential, settings.Now)
	if err != nil {
		return nil, err
	}
	if len(spec.ConsumerSecretSecretRefs) == 0 {
		return nil, &channel.Error{Reason: ledgerapi.ReasonInternal, Message: "x.webhook.consumerSecretSecretRefs: must not be empty"}
	}
	secret, err := settings.Credential(spec.ConsumerSecretSecretRefs[0])
	if err != nil {
		return nil, err
	}
	w := &webhook{source: s, secret: secret, signature: signature, checkInterval: channel.Duration(spec.CheckInterval, defaultCheckInterval)}
	w.endpoint, w.usualDelay = push.Limited(&spec.DeliveryLimits, settings.Now)
	return w, nil
}

// Handler implements channel.Pusher.
func (w *webhook) Handler(sink channel.Sink) http.Handler {
	return &push.Receiver{Endpoint: w.endpoint, Verifier: w.signature, Handshake: w.challenge, Translate: w.translate, Sink: sink}
}

// UsualDelay implements channel.Pusher.
func (w *webhook) UsualDelay() time.Duration { return w.usualDelay }

// Interval implements channel.Poller.
func (w *webhook) Interval() time.Duration { return w.checkInterval }

// challenge answers the challenge by which X finds out whether the address is ours (CRC), as often as it likes.
// https://docs.x.com/x-api/webhooks/quickstart
func (w *webhook) challenge(rw http.ResponseWriter, r *http.Request, _ channel.Sink) {
	token := r.URL.Query().Get("crc_token")
	if token == "" || len(token) > maxChallengeBytes || deliverable(token) {
		push.Say(rw, http.StatusBadRequest, "crc_token must be there, and be no body of a delivery")
		return
	}
	mac := hmac.New(sha256.New, w.secret)
	mac.Write([]byte(token))
	rw.Header().Set("Content-Type", "application/json")
	// X asks again if it has gone away.
	_ = json.NewEncoder(rw).Encode(struct {
		ResponseToken string `json:"response_token"`
	}{"sha256=" + base64.StdEncoding.EncodeToString(mac.Sum(nil))}) //nolint:errchkjson // see above
}

// deliverable reports whether a text could be the body of a delivery. X has challenges and deliveries signed alike,
// with one secret: whoever asked for a body's answer would have its signature. A body is an object; null is read
// as an empty one.
func deliverable(token string) bool {
	return strings.Contains(token, "{") || strings.TrimSpace(token) == "null"
}

// activity is a delivery of the X Activity API.
type activity struct {
	Data struct {
		EventType string `json:"event_type"`
		Filter    struct {
			UserID string `json:"user_id"`
		} `json:"filter"`
		Payload  json.RawMessage `json:"payload"`
		Includes struct {
			Places []place `json:"places"`
		} `json:"includes"`
	} `json:"data"`
}

// translate says what a delivery says has happened. Its events have the identifiers that they have when they are
// read, so that it does not matter how often and by which way something arrives.
func (w *webhook) translate(_ context.Context, body []byte) (*push.Result, error) {
	var a activity
	if err := json.Unmarshal(body, &a); err != nil {
		return nil, errors.New("the body is no delivery of the X Activity API")
	}
	r := &push.Result{}
	if a.Data.Filter.UserID != w.account {
		return r, nil // of another account of the app
	}
	switch {
	case a.Data.EventType == "post.delete":
		w.deleted(r, a.Data.Payload)
	case strings.HasPrefix(a.Data.EventType, "post.") && strings.HasSuffix(a.Data.EventType, "create"):
		w.created(r, &a)
	}
	return r, nil
}

// created is what a post says has happened.
func (w *webhook) created(r *push.Result, a *activity) {
	var p post
	if json.Unmarshal(a.Data.Payload, &p) != nil || !p.complete() {
		r.Problems = append(r.Problems, push.Problem{Reason: ledgerapi.ReasonInvalidEvent, Items: 1,
			Message: "a delivery has no post with an id, an author, a conversation and a time"})
		return
	}
	p.placed(a.Data.Includes.Places)
	r.Events = w.events(&p, &w.threads)
	if parent := w.parent(&p); parent != "" {
		for i := range r.Events {
			// Whose the conversation is may not be known here yet; the case of what is answered is known to the ledger.
			r.Events[i].Thread = &complaint.Thread{Quoted: []string{parent}}
		}
	}
}

// parent is the post of a conversation that this one goes on with, "" for none: what the city answers, or which
// answer of the city is answered. Others may go on with anybody's post and mean something of their own.
func (w *webhook) parent(p *post) string {
	if w.city(p.AuthorID) || w.city(p.InReplyToUserID) {
		return p.refers("replied_to")
	}
	return ""
}

// deleted is that the city took a post of its own back. It may have been read, so that it stays an answer.
func (w *webhook) deleted(r *push.Result, payload json.RawMessage) {
	var p struct {
		ID       string `json:"id"`
		AuthorID string `json:"author_id"`
	}
	if json.Unmarshal(payload, &p) != nil || p.ID == "" {
		r.Problems = append(r.Problems, push.Problem{Reason: ledgerapi.ReasonInvalidEvent, Message: "a deletion has no post with an id", Items: 1})
		return
	}
	n, ok := parseID(p.ID)
	if !ok || !w.city(p.AuthorID) || w.threads.ours(n) {
		return
	}
	r.Events = append(r.Events, complaint.Event{
		ID: p.ID + "/deleted", CaseID: p.ID, Kind: complaint.KindEdited, Actor: complaint.ActorOfficial, OccurredAt: w.now().UTC(),
		Attributes: map[string]string{attributeType: "delete"}, Thread: &complaint.Thread{Quoted: []string{p.ID}},
	})
}

var (
	_ channel.Pusher   = (*webhook)(nil)
	_ channel.Poller   = (*webhook)(nil)
	_ channel.Observer = (*webhook)(nil)
)
