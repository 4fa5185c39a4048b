package telegram

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
)

// webhook is where updates are delivered to.
type webhook struct {
	url, secret string
	allowed     []string
	// lastError is what the last delivery failed of, at lastErrorAt.
	lastError   string
	lastErrorAt time.Time
}

// SetWebhook has updates delivered to a URL from now on, as setWebhook does; allowed are the kinds, all
// without any.
func (s *Server) SetWebhook(url, secret string, allowed ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.webhook = webhook{url: url, secret: secret, allowed: allowed}
}

// DeleteWebhook has updates wait to be asked for again.
func (s *Server) DeleteWebhook() { s.SetWebhook("", "") }

// manage answers the methods about webhooks.
func (s *Server) manage(w http.ResponseWriter, r *http.Request, method string) {
	q := r.URL.Query()
	var result any = true
	switch method {
	case "setWebhook":
		s.webhook = webhook{url: q.Get("url"), secret: q.Get("secret_token")}
	case "deleteWebhook":
		s.webhook = webhook{}
	default:
		s.forget()
		info := Object{"url": s.webhook.url, "has_custom_certificate": false, "pending_update_count": len(s.updates), "max_connections": 40}
		if s.webhook.lastError != "" {
			info["last_error_date"], info["last_error_message"] = s.webhook.lastErrorAt.Unix(), s.webhook.lastError
		}
		if len(s.webhook.allowed) > 0 {
			info["allowed_updates"] = s.webhook.allowed
		}
		result = info
	}
	_ = json.NewEncoder(w).Encode(Object{"ok": true, "result": result}) // the client went away: nobody is left to tell
}

// forget drops what is old.
func (s *Server) forget() {
	now := s.options.Now()
	s.updates = slices.DeleteFunc(s.updates, func(u update) bool { return now.Sub(u.at) > kept })
}

// Deliver tries to deliver what waits, in its order, up to the first that fails.
func (s *Server) Deliver(ctx context.Context, client *http.Client) error {
	for {
		s.mu.Lock()
		s.forget()
		hook := s.webhook
		if hook.url == "" || len(s.updates) == 0 {
			s.mu.Unlock()
			return nil
		}
		u := s.updates[0]
		s.mu.Unlock()
		if len(hook.allowed) == 0 || slices.Contains(hook.allowed, u.kind) {
			if err := post(ctx, client, hook, u); err != nil {
				s.mu.Lock()
				s.webhook.lastError, s.webhook.lastErrorAt = err.Error(), s.options.Now()
				s.mu.Unlock()
				return err
			}
		}
		s.mu.Lock()
		s.updates = slices.DeleteFunc(s.updates, func(other update) bool { return other.id == u.id })
		s.mu.Unlock()
	}
}

// post delivers one update.
func post(ctx context.Context, client *http.Client, hook webhook, u update) error {
	body, err := json.Marshal(Object{"update_id": u.id, u.kind: u.body})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, hook.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	if hook.secret != "" {
		request.Header.Set("X-Telegram-Bot-Api-Secret-Token", hook.secret)
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("connection failed: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 4096)) // so that the connection is used again
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return fmt.Errorf("wrong response from the webhook: %s", response.Status)
	}
	return nil
}
