package x

import (
	"fmt"
	"net/http"
	"path"
	"strconv"
	"sync"
	"time"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/fetch"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// quota obeys the headers in which X says how many more requests an endpoint takes in this quarter of an
// hour: when none is left, none is sent before the next one begins.
type quota struct {
	next http.RoundTripper
	now  func() time.Time

	mu sync.Mutex
	// spent says by endpoint until when nothing is left.
	spent map[string]time.Time
}

// RoundTrip implements http.RoundTripper.
func (q *quota) RoundTrip(request *http.Request) (*http.Response, error) {
	endpoint := path.Base(request.URL.Path)
	if wait := q.wait(endpoint); wait > 0 {
		return nil, &channel.Error{
			Reason: ledgerapi.ReasonRateLimited, RetryAfter: wait,
			Message: fmt.Sprintf("X takes no more requests for %s of this app for now; raise polling.interval if that happens again", endpoint),
		}
	}
	response, err := q.next.RoundTrip(request)
	if err != nil {
		return response, err
	}
	reset, err := strconv.ParseInt(response.Header.Get("X-Rate-Limit-Reset"), 10, 64)
	if err != nil {
		return response, nil //nolint:nilerr // without the header there is nothing to obey
	}
	if response.StatusCode == http.StatusTooManyRequests || response.Header.Get("X-Rate-Limit-Remaining") == "0" {
		q.note(endpoint, time.Unix(reset, 0))
	}
	if wait := q.wait(endpoint); response.StatusCode == http.StatusTooManyRequests && wait > 0 {
		response.Header.Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
	}
	return response, nil
}

func (q *quota) note(endpoint string, until time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.spent[endpoint] = until
}

// wait is how long no request may be sent. It is bounded, whatever a header says.
func (q *quota) wait(endpoint string) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	return min(q.spent[endpoint].Sub(q.now()), fetch.MaxRetryAfter)
}

// CloseIdleConnections lets the client close what the transport holds.
func (q *quota) CloseIdleConnections() {
	if closer, ok := q.next.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}
