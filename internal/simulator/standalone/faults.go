package standalone

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Faults are what goes wrong on request. The zero value lets everything through.
type Faults struct {
	mu      sync.Mutex
	waiting []Fault
	limiter *rate.Limiter
}

// Fault takes the place of the next things that go right.
type Fault struct {
	// Times is how often; 0 is once.
	Times int `json:"times"`
	// Status is what the source is answered, with Retry-After in seconds if that is not 0. It is for a system
	// that a source asks.
	Status            int `json:"status"`
	RetryAfterSeconds int `json:"retryAfterSeconds"`
	// Delivery is what becomes of a delivery, for a system that delivers.
	Delivery DeliveryFault `json:"delivery"`
}

// DeliveryFault is what becomes of a delivery.
type DeliveryFault string

// What becomes of a delivery: its signature is left out, its body is changed after it was signed, it comes
// twice, or its answer gets lost so that it is sent again.
const (
	Unsigned DeliveryFault = "unsigned"
	Tampered DeliveryFault = "tampered"
	Twice    DeliveryFault = "twice"
	Lost     DeliveryFault = "lost"
)

// valid says what is wrong with a fault.
func (f *Fault) valid() error {
	switch f.Delivery {
	case "", Unsigned, Tampered, Twice, Lost:
	default:
		return errors.New("delivery: must be one of unsigned, tampered, twice and lost")
	}
	switch {
	case (f.Status == 0) == (f.Delivery == ""):
		return errors.New("exactly one of status and delivery must be set")
	case f.Status != 0 && (f.Status < 400 || f.Status > 599):
		return errors.New("status: must be 400 to 599")
	case f.Times < 0 || f.Times > 1_000_000 || f.RetryAfterSeconds < 0:
		return errors.New("times and retryAfterSeconds: must not be negative")
	}
	return nil
}

// Add lets something go wrong, after what was added before.
func (f *Faults) Add(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fault.Times = max(fault.Times, 1)
	f.waiting = append(f.waiting, fault)
}

// Limit lets a source ask so many times a minute; 0 is any number.
func (f *Faults) Limit(perMinute int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.limiter = nil
	if perMinute > 0 {
		f.limiter = rate.NewLimiter(rate.Limit(float64(perMinute)/60), max(perMinute/6, 1))
	}
}

// next takes the next fault of answers, or of deliveries.
func (f *Faults) next(ofDelivery bool) (Fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.waiting {
		if (f.waiting[i].Delivery != "") != ofDelivery {
			continue
		}
		fault := f.waiting[i]
		if f.waiting[i].Times--; f.waiting[i].Times == 0 {
			f.waiting = append(f.waiting[:i:i], f.waiting[i+1:]...)
		}
		return fault, true
	}
	return Fault{}, false
}

// allow reports whether a source may ask now.
func (f *Faults) allow(now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.limiter == nil || f.limiter.AllowN(now, 1)
}

// handler answers with what goes wrong, and else as the system does.
func (f *Faults) handler(system http.Handler, now func() time.Time) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fault, ok := f.next(false)
		if !ok && !f.allow(now()) {
			fault, ok = Fault{Status: http.StatusTooManyRequests, RetryAfterSeconds: 1}, true
		}
		if !ok {
			system.ServeHTTP(w, r)
			return
		}
		if fault.RetryAfterSeconds > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(fault.RetryAfterSeconds))
		}
		http.Error(w, "simulated: "+http.StatusText(fault.Status), fault.Status)
	})
}

// transport carries deliveries, and does to them what goes wrong.
type transport struct {
	http.RoundTripper
	faults *Faults
}

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method != http.MethodPost {
		return t.RoundTripper.RoundTrip(request)
	}
	fault, ok := t.faults.next(true)
	if !ok {
		return t.RoundTripper.RoundTrip(request)
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	_ = request.Body.Close()
	again := func() *http.Request {
		copied := request.Clone(request.Context())
		copied.Body = io.NopCloser(bytes.NewReader(body))
		copied.ContentLength = int64(len(body))
		return copied
	}
	sent := again()
	switch fault.Delivery {
	case Unsigned:
		for name := range sent.Header {
			if strings.Contains(strings.ToLower(name), "signature") {
				sent.Header.Del(name)
			}
		}
	case Tampered:
		changed := bytes.Replace(body, []byte("e"), []byte("E"), 1)
		sent.Body, sent.ContentLength = io.NopCloser(bytes.NewReader(changed)), int64(len(changed))
	case Twice, Lost:
		first, err := t.RoundTripper.RoundTrip(sent)
		if err != nil {
			return nil, err
		}
		_ = first.Body.Close()
		if fault.Delivery == Lost {
			return nil, errors.New("simulated: the answer got lost")
		}
		sent = again()
	}
	return t.RoundTripper.RoundTrip(sent)
}
