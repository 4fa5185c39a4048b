package whatsapp

import (
	"errors"
	"net/http"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/push"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// maxChallengeBytes bounds what a handshake is answered with.
const maxChallengeBytes = 256

// handler serves the deliveries of one channel.
type handler struct {
	*source
	sink channel.Sink
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost && r.Method != http.MethodGet {
		w.Header().Set("Allow", "GET, POST")
		push.Say(w, http.StatusMethodNotAllowed, "deliveries are POST requests, and the handshake is a GET request")
		return
	}
	if !h.endpoint.Admit(w, h.sink) {
		return
	}
	if r.Method == http.MethodGet {
		h.handshake(w, r)
		return
	}
	if body, ok := h.endpoint.Read(w, r, h.sink); ok {
		h.deliver(w, r, body)
	}
}

// handshake shows Meta that this is the endpoint it was told of: the challenge goes back as it came, to
// whom shows the token.
func (h *handler) handshake(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	challenge := query.Get("hub.challenge")
	switch {
	case query.Get("hub.mode") != "subscribe" || challenge == "" || len(challenge) > maxChallengeBytes:
		push.Say(w, http.StatusBadRequest, "hub.mode must be subscribe, and hub.challenge must be there")
	case !h.tokens.Has(query.Get("hub.verify_token")):
		push.Refuse(w, h.sink, http.StatusForbidden, ledgerapi.ReasonSignatureInvalid, "the verify token is not the right one")
	default:
		// It is never taken for a page, whatever somebody makes it hold.
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		// Meta tries again if it has gone away.
		_, _ = w.Write([]byte(challenge)) //nolint:gosec // plain text, for whom knows the token
	}
}

// deliver verifies the sender, understands the body, hands it to the ledger, and only then says so.
//
// Meta sends everything again that is not answered with 200, for days. So that is said of what would be of
// no use a second time either, which is counted instead.
func (h *handler) deliver(w http.ResponseWriter, r *http.Request, body []byte) {
	if err := h.signature.Verify(r.Header, body); err != nil {
		push.Refuse(w, h.sink, http.StatusUnauthorized, err.Reason, err.Message)
		return
	}
	result, err := h.translator.translate(body)
	if err != nil {
		push.Refuse(w, h.sink, http.StatusBadRequest, ledgerapi.ReasonInvalidBody, err.Error())
		return
	}
	// A delivery that asks for nothing is one all the same: it shows that the sender is there.
	if len(result.events) > 0 || len(result.problems) == 0 {
		err := h.sink.Append(r.Context(), channel.Batch{Events: result.events})
		if failure, ok := errors.AsType[*channel.Error](err); err != nil && (!ok || failure.Reason != ledgerapi.ReasonInvalidEvent) {
			push.NotTaken(w, err)
			return
		}
	}
	for _, p := range result.problems {
		h.sink.Problem(p.reason, p.message, p.items)
	}
	w.WriteHeader(http.StatusOK)
}
