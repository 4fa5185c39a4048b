package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/tanggap/tanggap/internal/ledger"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// fail answers with an error.
func fail(w http.ResponseWriter, status int, message string) {
	answer(w, status, ledgerapi.Error{Message: message})
}

func unavailable(w http.ResponseWriter, seconds int, message string) {
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
	fail(w, http.StatusServiceUnavailable, message)
}

// answer writes a JSON document. A failure to write is the caller's: it has gone.
func answer(w http.ResponseWriter, status int, body any) {
	encoded, err := json.Marshal(body)
	if err != nil {
		// The documents are plain data.
		panic(fmt.Sprintf("encoding an answer: %v", err))
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(encoded)))
	w.WriteHeader(status)
	_, _ = w.Write(encoded)
}

// refused answers with the reason for which the ledger did not do a request.
func (s *Server) refused(w http.ResponseWriter, r *http.Request, err error) {
	var refusal *ledger.RefusalError
	if !errors.As(err, &refusal) {
		if r.Context().Err() != nil {
			return // who asked has gone
		}
		s.log.Error("Failed at a request", "method", r.Method, "route", r.Pattern, "error", err)
		fail(w, http.StatusInternalServerError, "the ledger failed at this request")
		return
	}
	switch refusal.Reason {
	case ledger.Invalid:
		fail(w, http.StatusBadRequest, refusal.Message)
	case ledger.Forbidden:
		fail(w, http.StatusForbidden, refusal.Message)
	case ledger.NotFound:
		fail(w, http.StatusNotFound, refusal.Message)
	case ledger.Conflict:
		fail(w, http.StatusConflict, refusal.Message)
	default:
		if refusal.Cause != nil {
			// The storage failed, and another replica may reach it: who asks again makes a connection anew.
			w.Header().Set("Connection", "close")
		}
		unavailable(w, int((refusal.RetryAfter+time.Second-1)/time.Second), refusal.Message)
	}
}

// body reads a JSON document of at most limit bytes, or answers the request and returns false. The
// messages name fields and never values, which are content.
func (s *Server) body(w http.ResponseWriter, r *http.Request, limit int64, strict bool, into any) bool {
	weight := r.ContentLength
	if weight < 0 || weight > limit {
		weight = limit
	}
	if weight > smallBody {
		if !s.bodies.TryAcquire(weight) {
			unavailable(w, 1, "the ledger reads as many requests as it can hold, try again")
			return false
		}
		defer s.bodies.Release(weight)
	}
	// What is set aside before it arrives is bounded; MinRead is what finds the end.
	content := bytes.NewBuffer(make([]byte, 0, min(weight, maxGrow)+bytes.MinRead))
	_, err := content.ReadFrom(http.MaxBytesReader(w, r.Body, limit))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		fail(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body has more than the %d bytes that are allowed", limit))
		return false
	case err != nil:
		fail(w, http.StatusBadRequest, "the body ended early")
		return false
	}
	if message := decode(content.Bytes(), strict, into); message != "" {
		fail(w, http.StatusBadRequest, message)
		return false
	}
	return true
}
