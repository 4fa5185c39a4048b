package sms

import (
	"errors"
	"mime"
	"net/http"
	"net/url"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/push"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

const (
	formType = "application/x-www-form-urlencoded"
	// nothing is what Twilio is to do with a message that was taken.
	nothing = `<?xml version="1.0" encoding="UTF-8"?><Response></Response>`
)

// handler serves the deliveries of one channel.
type handler struct {
	*source
	sink channel.Sink
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		push.Say(w, http.StatusMethodNotAllowed, "deliveries are POST requests; set HTTP POST where the URL is set")
		return
	}
	if !h.endpoint.Admit(w, h.sink) {
		return
	}
	body, ok := h.endpoint.Read(w, r, h.sink)
	if !ok {
		return
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != formType {
		push.Refuse(w, h.sink, http.StatusUnsupportedMediaType, ledgerapi.ReasonInvalidBody, "the body must be "+formType)
		return
	}
	// What is signed are the decoded parameters, so that they are decoded first; nothing else is made of them.
	form, err := url.ParseQuery(string(body))
	if err != nil {
		push.Refuse(w, h.sink, http.StatusBadRequest, ledgerapi.ReasonInvalidBody, "the body is no form: an escape is broken")
		return
	}
	if err := h.signature.verify(r.Header.Get(signatureHeader), form); err != nil {
		push.Refuse(w, h.sink, http.StatusUnauthorized, err.Reason, err.Message)
		return
	}
	h.deliver(w, r, form)
}

// deliver hands a verified delivery to the ledger, and only then says so. What would be of no use a second
// time either is counted and taken all the same.
func (h *handler) deliver(w http.ResponseWriter, r *http.Request, form url.Values) {
	batch, sent, err := h.translator.translate(form)
	if err != nil {
		h.sink.Problem(ledgerapi.ReasonInvalidBody, err.Error(), 1)
		taken(w)
		return
	}
	// A delivery that asks for nothing is one all the same: it shows that the sender is there.
	if err := h.sink.Append(r.Context(), batch); err != nil {
		if failure, ok := errors.AsType[*channel.Error](err); !ok || failure.Reason != ledgerapi.ReasonInvalidEvent {
			push.NotTaken(w, err)
			return
		}
	}
	if sent {
		h.source.sent()
	}
	taken(w)
}

// taken answers a delivery with success, and sends nothing to the citizen.
func taken(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	// Twilio asks again, or is asked for what it has, if it has gone away.
	_, _ = w.Write([]byte(nothing))
}
