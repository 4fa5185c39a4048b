package fetch

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

var monday = time.Date(2026, 11, 2, 2, 0, 0, 0, time.UTC)

// rig is a client and the server that it asks.
type rig struct {
	t      *testing.T
	clock  *channeltest.Clock
	client *Client
	url    *url.URL
}

func newRig(t *testing.T, handler http.HandlerFunc, change func(*Config)) *rig {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	r := &rig{t: t, clock: channeltest.NewClock(monday)}
	config := Config{Transport: server.Client().Transport, Now: r.clock.Now, After: r.clock.After}
	if change != nil {
		change(&config)
	}
	var err error
	if r.client, err = New(config); err != nil {
		t.Fatal(err)
	}
	if r.url, err = url.Parse(server.URL + "/list"); err != nil {
		t.Fatal(err)
	}
	return r
}

// failure is the *channel.Error of an error, which must be one.
func failure(t *testing.T, err error) *channel.Error {
	t.Helper()
	var e *channel.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is no *channel.Error", err)
	}
	return e
}

func TestAnswersAreBounded(t *testing.T) {
	compressed := func(n int) []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write(bytes.Repeat([]byte("x"), n))
		_ = z.Close()
		return b.Bytes()
	}
	tests := map[string]struct {
		bytes int
		gzip  bool
		ok    bool
	}{
		"as many bytes as may be":      {bytes: 1000, ok: true},
		"one more":                     {bytes: 1001},
		"few when compressed":          {bytes: 1000, gzip: true, ok: true},
		"a bomb of few bytes on wires": {bytes: 10 << 20, gzip: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(w http.ResponseWriter, _ *http.Request) {
				if tt.gzip {
					w.Header().Set("Content-Encoding", "gzip")
					_, _ = w.Write(compressed(tt.bytes))
					return
				}
				_, _ = w.Write(bytes.Repeat([]byte("x"), tt.bytes))
			}, func(c *Config) { c.MaxBodyBytes = 1000 })
			answer, err := r.client.Get(t.Context(), r.url, nil)
			switch {
			case tt.ok && (err != nil || len(answer.Body) != tt.bytes):
				t.Errorf("got %v", err)
			case !tt.ok && failure(t, err).Reason != ledgerapi.ReasonInvalidResponse:
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestRequestsHaveATimeLimit(t *testing.T) {
	for name, begin := range map[string]bool{"before the answer": false, "in the middle of it": true} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(w http.ResponseWriter, r *http.Request) {
				if begin {
					_, _ = w.Write([]byte("["))
					w.(http.Flusher).Flush()
				}
				<-r.Context().Done()
			}, func(c *Config) { c.Timeout = 20 * time.Millisecond })
			_, err := r.client.Get(t.Context(), r.url, nil)
			if e := failure(t, err); e.Reason != ledgerapi.ReasonTimeout || e.Message != r.url.Host+" did not answer in time" {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestPollThatIsCalledOffIsNobodysFault(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r := newRig(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}, nil)
	_, err := r.client.Get(ctx, r.url, nil)
	if !errors.Is(err, context.Canceled) || failure(t, err).Reason != ledgerapi.ReasonInternal {
		t.Errorf("got %v", err)
	}
	if _, err = r.client.Get(ctx, r.url, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	late, cancelLate := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancelLate()
	if _, err = r.client.Get(late, r.url, nil); failure(t, err).Reason != ledgerapi.ReasonTimeout {
		t.Errorf("got %v", err)
	}
}

// authorizer sends a key in the query, which is where it is easiest to leak.
type authorizer struct {
	key      string
	sent     int
	renewals int
}

func (a *authorizer) Authorize(_ context.Context, request *http.Request) error {
	a.sent++
	request.URL.RawQuery = "key=" + a.key
	return nil
}

func (a *authorizer) Refused() bool {
	a.renewals++
	return a.renewals <= 1
}

func TestKeysDoNotGetIntoErrors(t *testing.T) {
	handlers := map[string]http.HandlerFunc{
		"status": func(w http.ResponseWriter, r *http.Request) { http.Error(w, r.URL.String(), http.StatusBadRequest) },
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.9.9.9/?"+r.URL.RawQuery, http.StatusFound)
		},
		"broken connection": func(w http.ResponseWriter, _ *http.Request) {
			connection, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_ = connection.Close()
			}
		},
		"nonsense": func(w http.ResponseWriter, r *http.Request) {
			connection, buffer, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_, _ = buffer.WriteString(r.URL.RawQuery + "\r\n\r\n")
				_ = buffer.Flush()
				_ = connection.Close()
			}
		},
	}
	for name, handler := range handlers {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, handler, func(c *Config) { c.Authorizer = &authorizer{key: "rahasia"} })
			_, err := r.client.Get(t.Context(), r.url, nil)
			if e := failure(t, err); strings.Contains(e.Error(), "rahasia") || strings.Contains(e.Message, "127.9.9.9") {
				t.Errorf("the key got into %q", e.Error())
			}
		})
	}
}

func TestCredentialsAreRenewedOnce(t *testing.T) {
	for name, tt := range map[string]struct{ refusals, sent int }{"which helps": {1, 2}, "which does not": {9, 2}} {
		t.Run(name, func(t *testing.T) {
			requests := 0
			keys := &authorizer{key: "k"}
			r := newRig(t, func(w http.ResponseWriter, _ *http.Request) {
				if requests++; requests <= tt.refusals {
					w.WriteHeader(http.StatusUnauthorized)
				}
			}, func(c *Config) { c.Authorizer = keys })
			_, err := r.client.Get(t.Context(), r.url, nil)
			if requests != tt.sent || keys.sent != tt.sent || (err == nil) != (tt.refusals == 1) {
				t.Errorf("%d requests, %d authorized: %v", requests, keys.sent, err)
			}
			if _, err = r.client.With(nil).Get(t.Context(), r.url, nil); keys.sent != tt.sent {
				t.Errorf("a request without credentials got some: %v", err)
			}
		})
	}
}

func TestRedirectsOnTheSameHostAreFollowed(t *testing.T) {
	r := newRig(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/list" {
			http.Redirect(w, r, "/v2/list", http.StatusTemporaryRedirect)
		}
	}, nil)
	answer, err := r.client.Do(t.Context(), Request{Method: http.MethodPost, URL: r.url, Body: []byte("x")})
	if err != nil || answer.URL.Path != "/v2/list" {
		t.Errorf("got %v", err)
	}
}

func TestSameHost(t *testing.T) {
	tests := map[string]struct {
		from, to string
		want     bool
	}{
		"another path":             {"https://a.example/x", "https://a.example/y?z", true},
		"the port written out":     {"https://a.example/x", "https://a.example:443/x", true},
		"from http to https":       {"http://a.example/x", "https://a.example/x", true},
		"from https to http":       {"https://a.example/x", "http://a.example/x", false},
		"another port":             {"https://a.example/x", "https://a.example:8443/x", false},
		"another host":             {"https://a.example/x", "https://b.example/x", false},
		"a host below":             {"https://a.example/x", "https://a.a.example/x", false},
		"from http:81 to https":    {"http://a.example:81/x", "https://a.example/x", false},
		"a file":                   {"http://a.example/x", "file:///etc/passwd", false},
		"a user name like the one": {"https://a.example/x", "https://a.example@b.example/x", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			from, err := url.Parse(tt.from)
			if err != nil {
				t.Fatal(err)
			}
			to, err := url.Parse(tt.to)
			if err != nil {
				t.Fatal(err)
			}
			if got := SameHost(from, to); got != tt.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "120": 2 * time.Minute, " 120 ": 2 * time.Minute, "-1": 0, "1.5": 0, "soon": 0,
		"99999999999999999999": 0, "9223372036854775807": MaxRetryAfter, "86400": MaxRetryAfter,
		"Mon, 02 Nov 2026 02:00:30 GMT": 30 * time.Second, "Mon, 02 Nov 2026 01:00:00 GMT": 0, "Mon, 02 Nov 2099 01:00:00 GMT": MaxRetryAfter,
	} {
		t.Run(value, func(t *testing.T) {
			if got := RetryAfter(http.Header{"Retry-After": {value}}, monday); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func TestBackoff(t *testing.T) {
	asked := &channel.Error{RetryAfter: time.Minute}
	tests := map[string]struct {
		failures int
		random   float64
		err      error
		want     time.Duration
	}{
		"the first, at least half":              {1, 0, nil, time.Second / 2},
		"the first, nearly the whole":           {1, 0.5, nil, 3 * time.Second / 4},
		"the fourth is eight times as long":     {4, 0, nil, 4 * time.Second},
		"the hundredth is the longest":          {100, 0, nil, 150 * time.Second},
		"never before what was asked for":       {1, 0, asked, time.Minute},
		"a little later, each another":          {1, 0.5, asked, time.Minute + time.Second/2},
		"what was asked for is wrapped":         {1, 0, fmt.Errorf("polling: %w", asked), time.Minute},
		"later anyway than what was asked for":  {100, 0, asked, 150 * time.Second},
		"no failure is treated as the first is": {0, 0, nil, time.Second / 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := Backoff{Initial: time.Second, Max: 5 * time.Minute, Random: func() float64 { return tt.random }}
			if got := b.Delay(tt.failures, tt.err); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestWaitKeepsToTheRate(t *testing.T) {
	r := newRig(t, func(http.ResponseWriter, *http.Request) {}, func(c *Config) { c.RequestsPerMinute = 120 })
	for range 10 {
		if err := r.client.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.clock.Waited(); got != 4500*time.Millisecond {
		t.Errorf("waited %s, want 9 times half a second", got)
	}
}

func TestWhatCertainlyDidNothing(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		url     string
		want    bool
	}{
		"a request that is refused":         {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) }, "", true},
		"a request too many":                {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) }, "", true},
		"no connection":                     {nil, closed.URL, true},
		"a failure of the server":           {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, "", false},
		"a connection that is cut":          {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "", false},
		"a time-out of what is in between":  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusRequestTimeout) }, "", false},
		"a success that is not as expected": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bytes.Repeat([]byte("x"), 100)) }, "", false},
		"a redirect to where nobody will go": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://other.invalid/", http.StatusFound)
		}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, test.handler, func(c *Config) { c.MaxBodyBytes = 10 })
			if test.url != "" {
				var err error
				if r.url, err = url.Parse(test.url); err != nil {
					t.Fatal(err)
				}
			}
			_, err := r.client.Get(t.Context(), r.url, nil)
			if err == nil {
				t.Fatal("The request succeeded")
			}
			marked := NotSent(err)
			if _, certain := errors.AsType[*channel.NotSentError](marked); certain != test.want {
				t.Errorf("%v: certain is %v, want %v", err, certain, test.want)
			}
			if failure(t, marked).Reason != failure(t, err).Reason {
				t.Errorf("The mark hides the cause: %v", marked)
			}
		})
	}
}

// A reply whose turn does not come in time must be tried again, and must not stand in the way of who comes next.
func TestARequestWhoseTurnDoesNotComeWasNotSent(t *testing.T) {
	var waits []time.Duration
	asked := 0
	r := newRig(t, func(http.ResponseWriter, *http.Request) { asked++ }, func(c *Config) {
		c.RequestsPerMinute = 1
		c.After = func(d time.Duration) <-chan time.Time {
			waits = append(waits, d)
			return nil
		}
	})
	if _, err := r.client.Get(t.Context(), r.url, nil); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	for range 3 {
		_, err := r.client.Get(ended, r.url, nil)
		if _, certain := errors.AsType[*channel.NotSentError](NotSent(err)); !certain || failure(t, err).Reason != ledgerapi.ReasonTimeout {
			t.Errorf("certain is %v: %v", certain, err)
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
	for _, d := range waits {
		if d != time.Minute {
			t.Errorf("waited for %s", d)
		}
	}
}

func TestARequestWithoutCredentialsWasNotSent(t *testing.T) {
	r := newRig(t, func(http.ResponseWriter, *http.Request) { t.Error("It was sent") }, func(c *Config) { c.Authorizer = keyless{} })
	_, err := r.client.Get(t.Context(), r.url, nil)
	if _, certain := errors.AsType[*channel.NotSentError](NotSent(err)); !certain || failure(t, err).Reason != ledgerapi.ReasonServerError {
		t.Errorf("certain is %v: %v", certain, err)
	}
}

// keyless is an Authorizer whose server of tokens fails.
type keyless struct{}

func (keyless) Authorize(context.Context, *http.Request) error {
	return &channel.Error{Reason: ledgerapi.ReasonServerError, Message: "the server of tokens failed", Err: &StatusError{Status: http.StatusBadGateway}}
}

func (keyless) Refused() bool { return false }
