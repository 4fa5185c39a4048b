package whatsapp

import (
	"context"
	"net/http"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/push"
)

// Handler implements channel.Pusher.
func (s *source) Handler(sink channel.Sink) http.Handler {
	return &push.Receiver{
		Endpoint: s.endpoint, Verifier: s.signature, Handshake: push.HubHandshake(s.tokens), Sink: sink,
		Translate: func(_ context.Context, body []byte) (*push.Result, error) {
			r, err := s.translator.translate(body)
			if err != nil {
				return nil, err
			}
			return &push.Result{Events: r.events, Returned: r.returned, Problems: r.problems}, nil
		},
	}
}
