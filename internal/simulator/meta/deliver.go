package meta

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/tanggap/tanggap/internal/simulator/whatsapp"
)

// body is a delivery about one entry, written as Meta writes JSON.
func body(object string, entry Object) []byte {
	encoded, err := json.Marshal(Object{"object": object, "entry": []any{entry}})
	if err != nil {
		panic(err) // maps of texts and numbers
	}
	return whatsapp.Escape(encoded)
}

// Sign is the value of X-Hub-Signature-256.
func Sign(secret string, body []byte) string { return whatsapp.Sign(secret, body) }

// Sender delivers to an endpoint, and again until it is acknowledged.
type Sender struct{ hub whatsapp.Sender }

// NewSender delivers to a URL; verifyToken is shown in the handshake.
func NewSender(url, appSecret, verifyToken string, client *http.Client) *Sender {
	return &Sender{hub: whatsapp.Sender{URL: url, AppSecret: appSecret, VerifyToken: verifyToken, Client: client}}
}

// Handshake sets the webhook up, as somebody does in the app's dashboard.
func (s *Sender) Handshake(ctx context.Context) error { return s.hub.Subscribe(ctx) }

// Send delivers a body until it is acknowledged or the context ends.
func (s *Sender) Send(ctx context.Context, body []byte) error { return s.hub.Send(ctx, body) }
