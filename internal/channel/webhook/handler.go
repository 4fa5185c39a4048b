package webhook

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/mapping"
	"github.com/tanggap/tanggap/internal/channel/push"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// maxOriginBytes bounds what a handshake is answered with.
const maxOriginBytes = 253

// handler serves the deliveries of one channel.
type handler struct {
	*source
	sink channel.Sink
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodPost:
	case http.MethodOptions:
		h.handshake(w, r)
		return
	default:
		w.Header().Set("Allow", "POST, OPTIONS")
		push.Say(w, http.StatusMethodNotAllowed, "deliveries are POST requests")
		return
	}
	if !h.endpoint.Admit(w, h.sink) {
		return
	}
	of, ok := formOf(r.Header)
	if !ok {
		w.Header().Set("Accept", "application/json, application/cloudevents+json, application/cloudevents-batch+json")
		push.Refuse(w, h.sink, http.StatusUnsupportedMediaType, ledgerapi.ReasonInvalidBody,
			"the body must be JSON in UTF-8, or CloudEvents in JSON, and not be compressed; check Content-Type and Content-Encoding")
		return
	}
	if of == cloudEventBinary && h.signed {
		push.Refuse(w, h.sink, http.StatusUnsupportedMediaType, ledgerapi.ReasonInvalidBody,
			"the attributes of the CloudEvent are in headers, which the signature does not cover; send it as application/cloudevents+json")
		return
	}
	if body, ok := h.endpoint.Read(w, r, h.sink); ok {
		h.deliver(w, r, of, body)
	}
}

// deliver verifies the sender, understands the body, hands it to the ledger, and only then says so.
func (h *handler) deliver(w http.ResponseWriter, r *http.Request, of form, body []byte) {
	if err := h.verifier.Verify(r.Header, body); err != nil {
		if _, ok := h.verifier.(*bearer); ok {
			w.Header().Set("WWW-Authenticate", "Bearer")
		}
		push.Refuse(w, h.sink, http.StatusUnauthorized, err.Reason, err.Message)
		return
	}
	documents, err := payloads(of, r.Header, body)
	if err != nil {
		push.Refuse(w, h.sink, http.StatusBadRequest, ledgerapi.ReasonInvalidBody, err.Error())
		return
	}
	var events []complaint.Event
	var problems []mapping.Problem
	for _, document := range documents {
		result, err := h.mapping.Apply(document)
		if err != nil {
			problems = append(problems, mapping.Problem{Reason: ledgerapi.ReasonMappingFailed, Message: err.Error(), Items: 1})
		}
		events = append(events, result.Events...)
		problems = append(problems, result.Problems...)
	}
	// A delivery that asks for nothing is one all the same: it shows that the sender is there.
	if len(events) > 0 || len(problems) == 0 {
		if err := h.sink.Append(r.Context(), channel.Batch{Events: events}); err != nil {
			push.NotTaken(w, err)
			return
		}
	}
	if len(problems) == 0 {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	h.complain(w, len(events), problems)
}

// complain tells the sender of a delivery what could not be understood of it.
func (h *handler) complain(w http.ResponseWriter, events int, problems []mapping.Problem) {
	texts := make([]string, len(problems))
	for i, p := range problems {
		h.sink.Problem(p.Reason, p.Message, p.Items)
		texts[i] = p.Message
	}
	status, said := http.StatusOK, "a part of the delivery could not be understood: "
	if events == 0 {
		status, said = http.StatusBadRequest, "the delivery could not be understood: "
	}
	push.Say(w, status, said+strings.Join(texts, "; "))
}

// handshake answers the abuse protection of CloudEvents' web hooks: this endpoint wants deliveries.
// A callback URL is never called; the answer itself grants what was asked.
func (h *handler) handshake(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Allow", "POST")
	origin := r.Header.Get("WebHook-Request-Origin")
	if origin == "" || len(origin) > maxOriginBytes {
		w.Header().Set("Allow", "POST, OPTIONS")
		w.WriteHeader(http.StatusNoContent)
		return
	}
	rate := h.endpoint.PerSecond() * 60
	if asked, err := strconv.Atoi(r.Header.Get("WebHook-Request-Rate")); err == nil && asked > 0 {
		rate = min(rate, asked)
	}
	w.Header().Set("WebHook-Allowed-Origin", origin)
	w.Header().Set("WebHook-Allowed-Rate", strconv.Itoa(rate))
	w.WriteHeader(http.StatusOK)
}
