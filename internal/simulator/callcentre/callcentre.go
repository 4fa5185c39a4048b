// Package callcentre simulates the system of a 112 call centre: it signs each change of an incident as a
// Standard Webhook (https://www.standardwebhooks.com, version 1.0.0) and delivers it again until it is
// acknowledged, as such systems do.
package callcentre

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Call types; only a normal call is an incident.
const (
	CallNormal      = "normal"
	CallGhost       = "ghost"
	CallPrank       = "prank"
	CallInformation = "information"
)

// The types of deliveries; each carries the whole incident.
const (
	Created = "incident.created"
	Updated = "incident.updated"
	Closed  = "incident.closed"
)

// Incident is what a delivery carries: the whole incident as it is now.
type Incident struct {
	ID           string     `json:"incident_id"`
	CallType     string     `json:"call_type"`
	Category     string     `json:"category,omitempty"`
	Description  string     `json:"description,omitempty"`
	ReceivedAt   time.Time  `json:"received_at"`
	VerifiedAt   *time.Time `json:"verified_at,omitempty"`
	DispatchedAt *time.Time `json:"dispatched_at,omitempty"`
	DisposedAt   *time.Time `json:"disposed_at,omitempty"`
	Disposition  string     `json:"disposition,omitempty"`
	ClosedAt     *time.Time `json:"closed_at,omitempty"`
	Caller       *Caller    `json:"caller,omitempty"`
	Location     *Location  `json:"location,omitempty"`
}

// Caller is who called.
type Caller struct {
	Phone string `json:"phone"`
}

// Location is where.
type Location struct {
	Latitude  float64 `json:"lat"`
	Longitude float64 `json:"lon"`
}

// Sender delivers incidents.
type Sender struct {
	// URL is where to.
	URL string
	// Secret is the signing secret, whsec_ and base64.
	Secret string
	// Client carries the deliveries; it decides about proxies and time-outs.
	Client *http.Client
	// Backoff between two attempts of a delivery; 0 is half a second.
	Backoff time.Duration

	acknowledged, attempts atomic.Int64
}

// Acknowledged is how many deliveries were answered with success, Attempts how many requests were sent.
func (s *Sender) Acknowledged() int64 { return s.acknowledged.Load() }

// Attempts is how many requests were sent.
func (s *Sender) Attempts() int64 { return s.attempts.Load() }

// Send delivers an incident and tries again until it is acknowledged or the context ends.
func (s *Sender) Send(ctx context.Context, event string, incident Incident) error {
	body, err := json.Marshal(map[string]any{"type": event, "timestamp": incident.ReceivedAt, "data": incident})
	if err != nil {
		return err
	}
	id := "msg_" + rand.Text()
	backoff := s.Backoff
	if backoff == 0 {
		backoff = 500 * time.Millisecond
	}
	for {
		status, err := s.deliver(ctx, id, body)
		switch {
		case err == nil && status/100 == 2:
			s.acknowledged.Add(1)
			return nil
		case err == nil && status/100 == 4 && status != http.StatusTooManyRequests && status != http.StatusNotFound:
			return fmt.Errorf("delivery of %s refused with %d", event, status)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(backoff):
		}
	}
}

func (s *Sender) deliver(ctx context.Context, id string, body []byte) (int, error) {
	s.attempts.Add(1)
	request, err := Request(ctx, s.URL, s.Secret, id, time.Now(), body)
	if err != nil {
		return 0, err
	}
	response, err := s.Client.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 4096)) // so that the connection is used again
	return response.StatusCode, nil
}

// Request is one signed delivery.
func Request(ctx context.Context, url, secret, id string, at time.Time, body []byte) (*http.Request, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return nil, fmt.Errorf("decoding the signing secret: %w", err)
	}
	timestamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("webhook-id", id)
	request.Header.Set("webhook-timestamp", timestamp)
	request.Header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return request, nil
}
