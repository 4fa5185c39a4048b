package push

import (
	"context"
	"errors"
	"net/http"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// Result is what a delivery comes to.
type Result struct {
	Events []complaint.Event
	// Returned are replies that did not reach the citizen.
	Returned []ledgerapi.ReturnedReply
	Problems []Problem
}

// Problem is something of a delivery that never became an event.
type Problem struct {
	Reason ledgerapi.Reason
	// Message is a sentence that holds nothing of the delivery.
	Message string
	// Items are counted; 0 shows the reason and counts nothing.
	Items int
}

// Receiver serves the deliveries of a platform that sends everything again which is not answered with
// success, for hours or days. So success is said of what would be of no use a second time either, which is
// counted instead. It implements http.Handler and is safe for concurrent use.
type Receiver struct {
	Endpoint *Endpoint
	// Verifier decides about the raw bytes, before Translate sees them.
	Verifier Verifier
	// Handshake answers GET requests, by which a platform finds out whether the endpoint is ours; nil if it has
	// none.
	Handshake func(w http.ResponseWriter, r *http.Request, sink channel.Sink)
	// Translate says what has happened by a body. Its error is of a body that cannot be read at all and holds
	// nothing of it.
	Translate func(ctx context.Context, body []byte) (*Result, error)
	Sink      channel.Sink
}

// ServeHTTP implements http.Handler.
func (h *Receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	shake := r.Method == http.MethodGet && h.Handshake != nil
	if r.Method != http.MethodPost && !shake {
		h.allow(w)
		return
	}
	if !h.Endpoint.Admit(w, h.Sink) {
		return
	}
	if shake {
		h.Handshake(w, r, h.Sink)
		return
	}
	if body, ok := h.Endpoint.Read(w, r, h.Sink); ok {
		h.deliver(w, r, body)
	}
}

func (h *Receiver) allow(w http.ResponseWriter) {
	if h.Handshake == nil {
		w.Header().Set("Allow", "POST")
		Say(w, http.StatusMethodNotAllowed, "deliveries are POST requests")
		return
	}
	w.Header().Set("Allow", "GET, POST")
	Say(w, http.StatusMethodNotAllowed, "deliveries are POST requests, and the handshake is a GET request")
}

// deliver verifies the sender, understands the body, hands it to the ledger, and only then says so.
func (h *Receiver) deliver(w http.ResponseWriter, r *http.Request, body []byte) {
	if err := h.Verifier.Verify(r.Header, body); err != nil {
		Refuse(w, h.Sink, http.StatusUnauthorized, err.Reason, err.Message)
		return
	}
	result, err := h.Translate(r.Context(), body)
	if err != nil {
		Refuse(w, h.Sink, http.StatusBadRequest, ledgerapi.ReasonInvalidBody, err.Error())
		return
	}
	// A delivery that asks for nothing is one all the same: it shows that the sender is there.
	if len(result.Events)+len(result.Returned) > 0 || len(result.Problems) == 0 {
		err := h.Sink.Append(r.Context(), channel.Batch{Events: result.Events, Returned: result.Returned})
		if failure, ok := errors.AsType[*channel.Error](err); err != nil && (!ok || failure.Reason != ledgerapi.ReasonInvalidEvent) {
			NotTaken(w, err)
			return
		}
	}
	for _, p := range result.Problems {
		h.Sink.Problem(p.Reason, p.Message, p.Items)
	}
	w.WriteHeader(http.StatusOK)
}
