package x

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// webhookID is the only webhook of the app.
const webhookID = "1976325569252868099"

// hooks are the webhook of the app and what is delivered to it.
type hooks struct {
	valid      bool
	account    string
	eventTypes []string
	uuid       uint64
}

// Subscribe has events of an account delivered by the X Activity API; without types there is no subscription.
// valid is whether X counts the webhook as such.
func (s *Server) Subscribe(account string, valid bool, eventTypes ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hooks = hooks{valid: valid, account: account, eventTypes: eventTypes, uuid: s.hooks.uuid}
}

// webhooks answers GET /2/webhooks and GET /2/activity/subscriptions.
func (s *Server) webhooks(w http.ResponseWriter, endpoint, token string) {
	data, meta := []any{}, map[string]any{}
	if endpoint == "webhooks" {
		data = append(data, map[string]any{"id": webhookID, "url": "https://hooks.depok.example/hooks/x", "valid": s.hooks.valid, "created_at": "2026-11-01T00:00:00.000Z"})
		meta["result_count"] = 1
	} else {
		// One on each page, after one of another account.
		at, _ := strconv.Atoi(token)
		all := append([]string{"profile.update.bio"}, s.hooks.eventTypes...)
		filter := map[string]any{"user_id": s.hooks.account}
		data = append(data, map[string]any{
			"subscription_id": "19763255692528680" + strconv.Itoa(at), "event_type": all[at], "filter": filter, "webhook_id": webhookID,
			"created_at": "2026-11-01T00:00:00.000Z", "updated_at": "2026-11-01T00:00:00.000Z",
		})
		meta["total_subscriptions"] = len(all)
		if at+1 < len(all) {
			meta["next_token"] = strconv.Itoa(at + 1)
		}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"data": data, "meta": meta}) // the client went away: nobody is left to tell
}

// Activity are the deliveries about a post, by the event types that it makes for the subscribed account:
// post.create, post.mention.create and post.reply.create. What is not subscribed is not delivered.
func (s *Server) Activity(post uint64) [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.find(post)
	payload := e.wire()
	if e.ReplyTo != 0 {
		payload["in_reply_to_tweet_id"] = text(e.ReplyTo)
	}
	of := map[string]bool{
		"post.create":         e.Author == s.hooks.account,
		"post.mention.create": e.Author != s.hooks.account && slices.Contains(e.Mentions, s.hooks.account), // not those that a reply carries by itself
		"post.reply.create":   e.Author != s.hooks.account && payload["in_reply_to_user_id"] == s.hooks.account,
	}
	var deliveries [][]byte
	for _, eventType := range s.hooks.eventTypes {
		if of[eventType] {
			deliveries = append(deliveries, s.activity(eventType, payload, e))
		}
	}
	return deliveries
}

// Deletion is the delivery about a post that the account took back.
func (s *Server) Deletion(post uint64) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.find(post)
	e.hidden = true
	return s.activity("post.delete", map[string]any{"id": text(e.id), "author_id": e.Author}, e)
}

func (s *Server) activity(eventType string, payload map[string]any, e *entry) []byte {
	s.hooks.uuid++
	includes := map[string]any{}
	if e.Place != "" {
		includes["places"] = []any{map[string]any{"id": "place-" + text(e.id), "full_name": e.Place}}
	}
	body, err := json.Marshal(map[string]any{"data": map[string]any{
		"event_uuid": strconv.FormatUint(s.hooks.uuid, 10), "filter": map[string]any{"user_id": s.hooks.account}, "event_type": eventType, "tag": "depok",
		"payload": payload, "includes": includes,
	}})
	if err != nil {
		panic(err) // maps of texts and numbers
	}
	return body
}

// Sign is the value of x-twitter-webhooks-signature, and of what a challenge is answered with.
func Sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return "sha256=" + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// Challenge asks an address whether it knows the consumer secret (CRC), and reports whether it does.
func Challenge(client *http.Client, address, secret, token string) (bool, error) {
	response, err := client.Get(address + "?" + url.Values{"crc_token": {token}}.Encode())
	if err != nil {
		return false, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, 4096))
	if err != nil {
		return false, err
	}
	var answer struct {
		ResponseToken string `json:"response_token"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return false, err
	}
	return response.StatusCode == http.StatusOK && answer.ResponseToken == Sign(secret, []byte(token)), nil
}
