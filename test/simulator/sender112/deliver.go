package sender112

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"strconv"
	"time"
)

// delivery is one message that is to arrive.
type delivery struct {
	id   string
	body []byte
}

// Run delivers one message after the other, each until it is answered with 2xx, until ctx ends.
func (s *Sender) Run(ctx context.Context) {
	failures := 0
	for ctx.Err() == nil {
		next, ok := s.next()
		if !ok {
			select {
			case <-s.wake:
			case <-ctx.Done():
			}
			continue
		}
		status, retryAfter := s.attempt(ctx, next)
		if ctx.Err() != nil {
			return
		}
		if s.settle(status) {
			failures = 0
			continue
		}
		failures++
		select {
		case <-s.options.After(max(retryAfter, s.wait(failures))):
		case <-ctx.Done():
		}
	}
}

func (s *Sender) next() (delivery, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		return delivery{}, false
	}
	return s.queue[0], true
}

// settle notes the answer to the first delivery of the queue and reports whether it arrived.
func (s *Sender) settle(status int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attempts++
	if status < 200 || status > 299 {
		s.refusals = append(s.refusals, status)
		return false
	}
	s.delivered++
	if s.repeat > 0 {
		s.repeat--
		return true
	}
	s.queue = s.queue[1:]
	return true
}

// wait is the back-off after as many failures in a row.
func (s *Sender) wait(failures int) time.Duration {
	wait := s.options.Backoff
	for i := 1; i < failures && wait < s.options.MaxBackoff; i++ {
		wait *= 2
	}
	return min(wait, s.options.MaxBackoff)
}

// attempt sends a delivery and returns the status of the answer, 0 of none.
func (s *Sender) attempt(ctx context.Context, d delivery) (status int, retryAfter time.Duration) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.options.URL, bytes.NewReader(d.body))
	if err != nil {
		return 0, 0
	}
	timestamp := strconv.FormatInt(s.options.Now().Unix(), 10)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("webhook-id", d.id)
	request.Header.Set("webhook-timestamp", timestamp)
	request.Header.Set("webhook-signature", "v1,"+s.sign(d.id+"."+timestamp+"."+string(d.body)))
	answer, err := s.options.Client.Do(request)
	if err != nil {
		return 0, 0
	}
	defer func() { _ = answer.Body.Close() }()
	// Read to the end, so that the connection can be used again.
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10))
	seconds, err := strconv.Atoi(answer.Header.Get("Retry-After"))
	if err != nil {
		seconds = 0
	}
	return answer.StatusCode, time.Duration(seconds) * time.Second
}

func (s *Sender) sign(content string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := s.key
	if s.spoil > 0 {
		s.spoil--
		key = append([]byte("old"), key...)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(content))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
