package meta

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/fetch"
	"github.com/tanggap/tanggap/internal/channel/graphapi"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

const (
	// spent is the share, in per cent, of what Meta allows beyond which no more is asked for: the rest is left to
	// whoever else uses the app, such as to answer.
	spent = 95
	// pause is how long it is then waited where Meta does not say. Its hour is a sliding one.
	pause = 5 * time.Minute
)

// quota obeys the headers in which Meta says how much of what it allows is used up, and puts what it says of a
// request that it refuses into a sentence.
type quota struct {
	next http.RoundTripper
	now  func() time.Time

	mu    sync.Mutex
	until time.Time
}

// RoundTrip implements http.RoundTripper.
func (q *quota) RoundTrip(request *http.Request) (*http.Response, error) {
	if wait := q.wait(); wait > 0 {
		return nil, &channel.Error{Reason: ledgerapi.ReasonRateLimited, RetryAfter: wait,
			Message: "the app has used up what Meta allows it; raise reconcile.interval if that happens again"}
	}
	response, err := q.next.RoundTrip(request)
	if err != nil {
		return response, err
	}
	q.note(usage(response.Header))
	if response.StatusCode < http.StatusBadRequest {
		return response, nil
	}
	said := graphapi.ReadError(response)
	if said.Code == 0 {
		return response, nil // the status says enough
	}
	failure := explain(said.Code, response.StatusCode)
	if failure.Reason == ledgerapi.ReasonRateLimited {
		q.note(pause)
		failure.RetryAfter = max(q.wait(), pause)
	}
	return nil, failure
}

// note has nothing asked for a while.
func (q *quota) note(wait time.Duration) {
	if wait <= 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if until := q.now().Add(min(wait, fetch.MaxRetryAfter)); until.After(q.until) {
		q.until = until
	}
}

func (q *quota) wait() time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.until.Sub(q.now())
}

// CloseIdleConnections lets the client close what the transport holds.
func (q *quota) CloseIdleConnections() {
	if closer, ok := q.next.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}

// share is what Meta says of one limit: parts of it in per cent, and in minutes how long it will be closed.
type share struct {
	CallCount float64 `json:"call_count"`
	TotalTime float64 `json:"total_time"`
	CPUTime   float64 `json:"total_cputime"`
	Regain    float64 `json:"estimated_time_to_regain_access"`
}

func (s share) wait() time.Duration {
	switch {
	case s.Regain > 0:
		return time.Duration(min(s.Regain, fetch.MaxRetryAfter.Minutes()) * float64(time.Minute))
	case max(s.CallCount, s.TotalTime, s.CPUTime) >= spent:
		return pause
	}
	return 0
}

// usage is how long nothing more may be asked for, by the headers of an answer; 0 is not at all.
func usage(header http.Header) time.Duration {
	var wait time.Duration
	for _, name := range [...]string{"X-App-Usage", "X-Page-Usage"} {
		var s share
		if json.Unmarshal([]byte(header.Get(name)), &s) == nil {
			wait = max(wait, s.wait())
		}
	}
	var business map[string][]share
	if json.Unmarshal([]byte(header.Get("X-Business-Use-Case-Usage")), &business) == nil {
		for _, shares := range business {
			for _, s := range shares {
				wait = max(wait, s.wait())
			}
		}
	}
	return wait
}

// explain puts what Meta means by the code of an error into a sentence. Nothing else of the error is shown, as it
// may hold anything.
// https://developers.facebook.com/docs/graph-api/guides/error-handling
func explain(code, status int) *channel.Error {
	e := &channel.Error{Reason: ledgerapi.ReasonInvalidResponse, Err: &fetch.StatusError{Status: status},
		Message: fmt.Sprintf("the Graph API refused the request with the error %d; Meta's list of error codes explains it", code)}
	switch {
	case code == 1 || code == 2:
		e.Reason, e.Message = ledgerapi.ReasonServerError, fmt.Sprintf("the Graph API failed (error %d)", code)
	case code == 4 || code == 17 || code == 32 || code == 613 || code >= 80000 && code < 80100:
		e.Reason, e.Message = ledgerapi.ReasonRateLimited, fmt.Sprintf("Meta takes no more requests of this app for now (error %d); raise reconcile.interval if that happens again", code)
	case code == 102 || code == 190:
		e.Reason, e.Message = ledgerapi.ReasonUnauthorized, fmt.Sprintf("the access token has ended or was taken back (error %d); make a new one", code)
	case code == 3 || code == 10 || code >= 200 && code < 300:
		e.Reason, e.Message = ledgerapi.ReasonUnauthorized, fmt.Sprintf("the access token lacks a permission (error %d); the documentation of the channel lists those that are needed", code)
	case code == 100 || code == 803:
		e.Reason, e.Message = ledgerapi.ReasonNotFound, fmt.Sprintf("the Graph API knows no such object, or the access token may not see it (error %d); check appID, pageID and instagramAccountID", code)
	case code == 2635:
		e.Message = "this version of the Graph API has ended (error 2635); raise version"
	}
	return e
}
