// Package push is what the endpoints of all sources have in common that platforms deliver to: bodies and
// rates are bounded, the sender is verified over the raw bytes, and an answer means the same everywhere.
package push

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

const (
	// defaultRetryAfter is what a sender is asked to wait when the ledger does not say.
	defaultRetryAfter = 5 * time.Second
	// maxGrow bounds the memory that is set aside for a body before it arrives.
	maxGrow = 64 << 10
	// maxArriving bounds what has arrived of all bodies that are larger than that, as anybody can begin to send one.
	maxArriving = 32 << 20
)

// Endpoint bounds what one source is delivered. It is safe for concurrent use.
type Endpoint struct {
	limiter   *rate.Limiter
	maxBody   int64
	perSecond int
	now       func() time.Time
	// arriving is how much has arrived of large bodies, which is bounded by maxArriving.
	arriving atomic.Int64
}

// NewEndpoint takes deliveries of at most maxBody bytes, perSecond of them in a second.
func NewEndpoint(maxBody, perSecond int, now func() time.Time) *Endpoint {
	// A second's worth at once: senders that were held up deliver in bursts.
	return &Endpoint{limiter: rate.NewLimiter(rate.Limit(perSecond), perSecond), maxBody: int64(maxBody), perSecond: perSecond, now: now}
}

// PerSecond is how many deliveries are taken in a second.
func (e *Endpoint) PerSecond() int { return e.perSecond }

// Admit reports whether one more delivery may be taken now, or answers.
func (e *Endpoint) Admit(w http.ResponseWriter, sink channel.Sink) bool {
	if e.limiter.AllowN(e.now(), 1) {
		return true
	}
	w.Header().Set("Retry-After", "1")
	Refuse(w, sink, http.StatusTooManyRequests, ledgerapi.ReasonRateLimited, fmt.Sprintf("more than %d deliveries in a second", e.perSecond))
	return false
}

// Read reads the body within its bounds, or answers.
func (e *Endpoint) Read(w http.ResponseWriter, r *http.Request, sink channel.Sink) ([]byte, bool) {
	var body bytes.Buffer
	if r.ContentLength <= e.maxBody {
		// No more is set aside than what a claim may cost.
		body.Grow(int(min(max(r.ContentLength, 0), maxGrow)) + bytes.MinRead)
		arriving := &arriving{from: http.MaxBytesReader(w, r.Body, e.maxBody), all: &e.arriving}
		defer arriving.end()
		_, err := io.Copy(&body, arriving)
		_, tooLarge := errors.AsType[*http.MaxBytesError](err)
		switch {
		case err == nil:
			return body.Bytes(), true
		case errors.Is(err, errTooMuch):
			w.Header().Set("Retry-After", "1")
			w.Header().Set("Connection", "close")
			Refuse(w, sink, http.StatusServiceUnavailable, ledgerapi.ReasonRateLimited, "more large bodies arrive at once than can be held")
			return nil, false
		case !tooLarge:
			Refuse(w, sink, http.StatusBadRequest, ledgerapi.ReasonInvalidBody, "the body did not arrive whole")
			return nil, false
		}
	}
	w.Header().Set("Connection", "close")
	Refuse(w, sink, http.StatusRequestEntityTooLarge, ledgerapi.ReasonBodyTooLarge, fmt.Sprintf("the body has more than %d bytes", e.maxBody))
	return nil, false
}

// errTooMuch ends the reading of a large body while too many others arrive.
var errTooMuch = errors.New("too many large bodies arrive at once")

// arriving reads a body and counts what is large of it. Its first maxGrow bytes are not counted: deliveries are smaller as
// a rule, and are taken however many large ones somebody has begun to send.
type arriving struct {
	from          io.Reader
	all           *atomic.Int64
	read, counted int64
}

// Read implements io.Reader.
func (a *arriving) Read(p []byte) (int, error) {
	n, err := a.from.Read(p)
	a.read += int64(n)
	if more := a.read - maxGrow - a.counted; more > 0 {
		a.counted += more
		if a.all.Add(more) > maxArriving {
			return n, errTooMuch
		}
	}
	return n, err
}

// end takes back what was counted.
func (a *arriving) end() { a.all.Add(-a.counted) }

// Refuse counts a delivery that never became events, and says why.
func Refuse(w http.ResponseWriter, sink channel.Sink, status int, reason ledgerapi.Reason, message string) {
	sink.Problem(reason, message, 1)
	Say(w, status, message)
}

// NotTaken answers a delivery that the ledger refused, or did not take for now: then it is to be sent
// again.
func NotTaken(w http.ResponseWriter, err error) {
	wait := defaultRetryAfter
	if failure, ok := errors.AsType[*channel.Error](err); ok {
		if failure.Reason == ledgerapi.ReasonInvalidEvent {
			Say(w, http.StatusBadRequest, failure.Message)
			return
		}
		if failure.RetryAfter > 0 {
			wait = failure.RetryAfter
		}
	}
	w.Header().Set("Retry-After", strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10))
	Say(w, http.StatusServiceUnavailable, "the complaints cannot be stored now; send them again later")
}

// Say answers with a sentence, as the ledger's API does.
func Say(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// A sender that has gone away need not be told.
	_ = json.NewEncoder(w).Encode(ledgerapi.Error{Message: message}) //nolint:errchkjson // see above
}
