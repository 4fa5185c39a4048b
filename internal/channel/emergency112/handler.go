package emergency112

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/mapping"
	"github.com/tanggap/tanggap/internal/channel/push"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// The types of deliveries. Each carries the whole incident as it is now, so that a delivery that never
// came is made good by the next one.
const (
	typeCreated = "incident.created"
	typeUpdated = "incident.updated"
	typeClosed  = "incident.closed"
)

// endpoint is a source that a call centre delivers to. It implements channel.Pusher.
type endpoint struct {
	*push.Endpoint
	reader     reader
	verifier   push.Verifier
	usualDelay time.Duration
}

// Handler implements channel.Pusher.
func (e *endpoint) Handler(sink channel.Sink) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { e.serve(w, r, sink) })
}

// UsualDelay implements channel.Pusher.
func (e *endpoint) UsualDelay() time.Duration { return e.usualDelay }

// Close implements channel.Source.
func (e *endpoint) Close() error { return nil }

// serve verifies the sender, understands the body, hands it to the ledger, and only then says so.
func (e *endpoint) serve(w http.ResponseWriter, r *http.Request, sink channel.Sink) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		push.Say(w, http.StatusMethodNotAllowed, "deliveries are POST requests")
		return
	}
	if !e.Admit(w, sink) {
		return
	}
	body, ok := e.Read(w, r, sink)
	if !ok {
		return
	}
	if err := e.verifier.Verify(r.Header, body); err != nil {
		push.Refuse(w, sink, http.StatusUnauthorized, err.Reason, err.Message)
		return
	}
	rec, err := decode(body)
	if err != nil {
		push.Refuse(w, sink, http.StatusBadRequest, ledgerapi.ReasonInvalidBody, err.Error())
		return
	}
	u := e.reader.read(rec)
	if u.problem != nil && len(u.events) == 0 {
		push.Refuse(w, sink, http.StatusBadRequest, u.problem.Reason, u.problem.Message)
		return
	}
	batch := channel.Batch{Events: u.events}
	if u.skipped {
		batch.Skipped = 1
	}
	if err := sink.Append(r.Context(), batch); err != nil {
		push.NotTaken(w, err)
		return
	}
	if u.problem != nil {
		push.Refuse(w, sink, http.StatusOK, u.problem.Reason, "a part of the delivery could not be understood: "+u.problem.Message)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// decode reads the body of a delivery. The error says what is wrong and holds no content.
func decode(body []byte) (*record, error) {
	document, err := mapping.Decode(body)
	if err != nil {
		return nil, fmt.Errorf("the body is %w", err)
	}
	envelope, _ := document.(map[string]any)
	switch envelope["type"] {
	case typeCreated, typeUpdated, typeClosed:
	default:
		return nil, errors.New("type must be one of incident.created, incident.updated and incident.closed")
	}
	data, ok := envelope["data"].(map[string]any)
	if !ok {
		return nil, errors.New("data must be an object with the incident")
	}
	rec := &record{}
	for m, column := range standardColumns() {
		within, name := data, column.standard
		switch member(m) {
		case callerPhone:
			within, name = object(data, "caller"), "phone"
		case latitude, longitude:
			within = object(data, "location")
		default:
		}
		rec.values[m], ok = text(within[name])
		rec.strange[m] = !ok
	}
	return rec, nil
}

// memberName is how a member is called in messages: by its place in a delivery.
func memberName(m member) string {
	switch m {
	case callerPhone:
		return "data.caller.phone"
	case latitude, longitude:
		return "data.location." + standardColumns()[m].standard
	default:
		return "data." + standardColumns()[m].standard
	}
}

func object(of map[string]any, name string) map[string]any {
	within, _ := of[name].(map[string]any)
	return within
}

// text is a value as a text; null is "".
func text(value any) (string, bool) {
	switch v := value.(type) {
	case nil:
		return "", true
	case string:
		return trim(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	}
	return "", false
}
