package alerts

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/simulator/callcentre"
)

// The keys that the call centre signs with: the one of the channel, and one of yesterday.
const (
	hookSecret  = "whsec_ZW5kLXRvLWVuZC1zaWduaW5nLXNlY3JldC0wMDAx"
	staleSecret = "whsec_eWVzdGVyZGF5LXNpZ25pbmctc2VjcmV0LTAwMDAwMDE="
)

// deliver delivers an incident that is signed with a secret. It returns the status of the answer.
func (c *city) deliver(ctx context.Context, secret string) (int, error) {
	now := time.Now()
	id := fmt.Sprintf("INC-%d", now.UnixNano())
	body, err := json.Marshal(map[string]any{"type": "incident.created", "data": callcentre.Incident{
		ID: id, CallType: callcentre.CallNormal, Description: "Pohon tumbang menutup jalan.", ReceivedAt: now,
	}})
	if err != nil {
		return 0, err
	}
	request, err := callcentre.Request(ctx, "http://hotline-worker.depok.svc/hooks/hotline", secret, id, now, body)
	if err != nil {
		return 0, err
	}
	transport := &http.Transport{DialContext: c.Node.DialContext}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport, Timeout: 15 * time.Second}).Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

// callIn delivers incidents until the context ends.
func (c *city) callIn(ctx context.Context, secret string) {
	for {
		_, _ = c.deliver(ctx, secret) // what comes of it, the metrics say
		select {
		case <-ctx.Done():
			return
		case <-time.After(2 * time.Second):
		}
	}
}

// openHotline applies the channel and waits until it takes a delivery.
func (c *city) openHotline(t *testing.T) {
	t.Helper()
	if err := c.applyFile(t.Context(), "hotline.yaml", nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, patience, "the hotline takes a delivery", func(ctx context.Context) error {
		status, err := c.deliver(ctx, hookSecret)
		if err == nil && status/100 != 2 {
			err = fmt.Errorf("it answered %d", status)
		}
		return err
	})
}
