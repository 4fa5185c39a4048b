package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/simulator/callcentre"
	"github.com/tanggap/tanggap/internal/simulator/portal"
)

// Credentials of the simulated systems.
const (
	portalKey  = "key-of-the-portal"
	hookSecret = "whsec_ZW5kLXRvLWVuZC1zaWduaW5nLXNlY3JldC0wMDAx"
)

// startPortal serves a portal until the test ends, and applies the channel that polls it.
func (c *town) startPortal(t *testing.T, channel string) *portal.Portal {
	t.Helper()
	p := portal.New(portal.Options{APIKey: portalKey, ByUpdate: true, Now: time.Now})
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	c.apply(t, "portal.yaml", "channel", channel, "portalURL", server.URL, "portalKey", portalKey)
	return p
}

// report files complaints at a portal and returns their numbers.
func report(p *portal.Portal, complaints int) []string {
	numbers := make([]string, 0, complaints)
	for range complaints {
		numbers = append(numbers, p.AddTicket(portal.Report{Title: "Sampah menumpuk", Text: "Sudah seminggu tidak diangkut.", Category: "Sampah"}))
	}
	return numbers
}

// answer answers the tickets.
func answer(p *portal.Portal, numbers ...string) error {
	for _, number := range numbers {
		if err := p.Answer(number, "Admin OPD", "Truk pengangkut datang besok pagi pukul tujuh, mohon ditunggu."); err != nil {
			return err
		}
	}
	return nil
}

// hookURL is where a webhook channel's deliveries go.
func (c *town) hookURL(channel string) string {
	return "http://" + channel + "-worker." + c.namespace + ".svc/hooks/" + channel
}

// caller is a client that reaches Services, as whatever runs in the cluster does.
func caller(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{DialContext: world.Node.DialContext, MaxIdleConnsPerHost: 16}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 15 * time.Second}
}

// sender delivers incidents to a webhook channel until each is acknowledged.
func (c *town) sender(t *testing.T, channel string) *callcentre.Sender {
	t.Helper()
	return &callcentre.Sender{URL: c.hookURL(channel), Secret: hookSecret, Client: caller(t), Backoff: 100 * time.Millisecond}
}

// incident is number i of those that a call centre reports.
func incident(i int) callcentre.Incident {
	return callcentre.Incident{
		ID: fmt.Sprintf("INC-%06d", i), CallType: callcentre.CallNormal, Description: "Pohon tumbang menutup jalan.", ReceivedAt: time.Now(),
	}
}

// body is the body of an incident's delivery.
func body(t *testing.T, of callcentre.Incident) []byte {
	t.Helper()
	encoded, err := json.Marshal(map[string]any{"type": "incident.created", "data": of})
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

// signed is a request that is right in every way.
func (c *town) signed(t *testing.T, channel string, at time.Time, content []byte) *http.Request {
	t.Helper()
	request, err := callcentre.Request(t.Context(), c.hookURL(channel), hookSecret, fmt.Sprintf("msg_%d", at.UnixNano()), at, content)
	if err != nil {
		t.Fatal(err)
	}
	return request
}

// post sends a request and returns what it is answered with.
func post(ctx context.Context, client *http.Client, request *http.Request) (status int, answer string, err error) {
	response, err := client.Do(request.WithContext(ctx))
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	return response.StatusCode, string(bytes.TrimSpace(content)), err
}
