package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/mapping"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

const (
	// defaultRetryAfter is what a sender is asked to wait when the ledger does not say.
	defaultRetryAfter = 5 * time.Second
	// maxGrow bounds the memory that is set aside for a body before it arrives.
	maxGrow = 64 << 10
	// maxOriginBytes bounds what a handshake is answered with.
	maxOriginBytes = 253
)

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
		say(w, http.StatusMethodNotAllowed, "deliveries are POST requests")
		return
	}
	if !h.limiter.AllowN(h.now(), 1) {
		w.Header().Set("Retry-After", "1")
		h.refuse(w, http.StatusTooManyRequests, ledgerapi.ReasonRateLimited, fmt.Sprintf("more than %d deliveries in a second", h.perSecond))
		return
	}
	of, ok := formOf(r.Header)
	if !ok {
		w.Header().Set("Accept", "application/json, application/cloudevents+json, application/cloudevents-batch+json")
		h.refuse(w, http.StatusUnsupportedMediaType, ledgerapi.ReasonInvalidBody,
			"the body must be JSON in UTF-8, or CloudEvents in JSON, and not be compressed; check Content-Type and Content-Encoding")
		return
	}
	if body, ok := h.read(w, r); ok {
		h.deliver(w, r, of, body)
	}
}

// read reads the body within its bounds, or answers.
func (h *handler) read(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	var body bytes.Buffer
	if r.ContentLength <= h.maxBody {
		// No more is set aside than what a claim may cost.
		body.Grow(int(min(max(r.ContentLength, 0), maxGrow)) + bytes.MinRead)
		_, err := io.Copy(&body, http.MaxBytesReader(w, r.Body, h.maxBody))
		if err == nil {
			return body.Bytes(), true
		}
		if _, ok := errors.AsType[*http.MaxBytesError](err); !ok {
			h.refuse(w, http.StatusBadRequest, ledgerapi.ReasonInvalidBody, "the body did not arrive whole")
			return nil, false
		}
	}
	w.Header().Set("Connection", "close")
	h.refuse(w, http.StatusRequestEntityTooLarge, ledgerapi.ReasonBodyTooLarge, fmt.Sprintf("the body has more than %d bytes", h.maxBody))
	return nil, false
}

// deliver verifies the sender, understands the body, hands it to the ledger, and only then says so.
func (h *handler) deliver(w http.ResponseWriter, r *http.Request, of form, body []byte) {
	if err := h.verifier.verify(r.Header, body); err != nil {
		if _, ok := h.verifier.(*bearer); ok {
			w.Header().Set("WWW-Authenticate", "Bearer")
		}
		h.refuse(w, http.StatusUnauthorized, err.Reason, err.Message)
		return
	}
	documents, err := payloads(of, r.Header, body)
	if err != nil {
		h.refuse(w, http.StatusBadRequest, ledgerapi.ReasonInvalidBody, err.Error())
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
			notTaken(w, err)
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
	say(w, status, said+strings.Join(texts, "; "))
}

// refuse counts a delivery that never became events, and says why.
func (h *handler) refuse(w http.ResponseWriter, status int, reason ledgerapi.Reason, message string) {
	h.sink.Problem(reason, message, 1)
	say(w, status, message)
}

// notTaken answers a delivery that the ledger refused, or did not take for now: then it is to be sent
// again.
func notTaken(w http.ResponseWriter, err error) {
	wait := defaultRetryAfter
	if failure, ok := errors.AsType[*channel.Error](err); ok {
		if failure.Reason == ledgerapi.ReasonInvalidEvent {
			say(w, http.StatusBadRequest, failure.Message)
			return
		}
		if failure.RetryAfter > 0 {
			wait = failure.RetryAfter
		}
	}
	w.Header().Set("Retry-After", strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10))
	say(w, http.StatusServiceUnavailable, "the complaints cannot be stored now; send them again later")
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
	rate := h.perSecond * 60
	if asked, err := strconv.Atoi(r.Header.Get("WebHook-Request-Rate")); err == nil && asked > 0 {
		rate = min(rate, asked)
	}
	w.Header().Set("WebHook-Allowed-Origin", origin)
	w.Header().Set("WebHook-Allowed-Rate", strconv.Itoa(rate))
	w.WriteHeader(http.StatusOK)
}

// say answers with a sentence, as the ledger's API does.
func say(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// A sender that has gone away need not be told.
	_ = json.NewEncoder(w).Encode(ledgerapi.Error{Message: message}) //nolint:errchkjson // see above
}
