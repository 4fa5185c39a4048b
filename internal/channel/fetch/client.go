// Package fetch sends the HTTP requests of sources that are read: one at a time, at a bounded rate,
// each with a time limit and a bounded answer, never to another host than the one it was asked for,
// and with every failure as a *channel.Error whose sentence holds nothing of the answer.
package fetch

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/time/rate"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// Defaults of a Config, which are those of the API.
const (
	DefaultTimeout           = 30 * time.Second
	DefaultRequestsPerMinute = 60
	DefaultMaxBodyBytes      = 16 << 20
	maxRedirects             = 5
)

// Config is what a Client is made of.
type Config struct {
	// Transport carries the requests.
	Transport http.RoundTripper
	// CA is PEM to trust instead of the system's; it needs a Transport that is an *http.Transport.
	CA []byte
	// Timeout of one request, its answer included; 0 is DefaultTimeout.
	Timeout time.Duration
	// RequestsPerMinute at most; 0 is DefaultRequestsPerMinute.
	RequestsPerMinute int
	// MaxBodyBytes of an answer, after decompression; 0 is DefaultMaxBodyBytes.
	MaxBodyBytes int64
	// Authorizer adds the credentials; nil sends none.
	Authorizer Authorizer
	// Now is the clock and After waits on it.
	Now   func() time.Time
	After func(time.Duration) <-chan time.Time
}

// Authorizer adds the credentials to requests.
type Authorizer interface {
	// Authorize adds them to the request; it may ask for a token first. The error is an *channel.Error.
	Authorize(ctx context.Context, request *http.Request) error
	// Refused is told that a request it authorized was answered 401. It reports whether another attempt
	// has a chance, because credentials will be got anew.
	Refused() bool
}

// Bearer is an Authorizer of one token, for which there is no other (RFC 6750).
type Bearer string

// Authorize implements Authorizer.
func (b Bearer) Authorize(_ context.Context, request *http.Request) error {
	request.Header.Set("Authorization", "Bearer "+string(b))
	return nil
}

// Refused implements Authorizer.
func (Bearer) Refused() bool { return false }

// Request is one request.
type Request struct {
	// Method; "" is GET.
	Method string
	URL    *url.URL
	// Header may be nil. An Accept header and the User-Agent are added where they are missing.
	Header http.Header
	// Body may be nil.
	Body []byte
}

// Response is an answer with a status of 200 to 299.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
	// URL that answered in the end, by which relative links are resolved.
	URL *url.URL
}

// Client sends requests. It is safe for concurrent use.
type Client struct {
	http    *http.Client
	config  Config
	limiter *rate.Limiter
	// own says that nobody else uses the transport.
	own bool
}

// New makes a client. It does no I/O; the error is an *channel.Error.
func New(config Config) (*Client, error) {
	if config.Timeout == 0 {
		config.Timeout = DefaultTimeout
	}
	if config.RequestsPerMinute == 0 {
		config.RequestsPerMinute = DefaultRequestsPerMinute
	}
	if config.MaxBodyBytes == 0 {
		config.MaxBodyBytes = DefaultMaxBodyBytes
	}
	transport, err := trusting(config.Transport, config.CA)
	if err != nil {
		return nil, err
	}
	return &Client{
		http:    &http.Client{Transport: transport, CheckRedirect: checkRedirect},
		config:  config,
		limiter: rate.NewLimiter(rate.Every(time.Minute/time.Duration(config.RequestsPerMinute)), 1),
		own:     len(config.CA) > 0,
	}, nil
}

// trusting is the transport with the certificates to trust, if there are some.
func trusting(transport http.RoundTripper, ca []byte) (http.RoundTripper, error) {
	if len(ca) == 0 {
		return transport, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, &channel.Error{Reason: ledgerapi.ReasonCredentialMissing, Message: "the key that caSecretRef names holds no PEM certificate"}
	}
	base, ok := transport.(*http.Transport)
	if !ok {
		return nil, &channel.Error{Reason: ledgerapi.ReasonInternal, Message: "certificates cannot be added to this transport"}
	}
	own := base.Clone()
	if own.TLSClientConfig == nil {
		own.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	own.TLSClientConfig.RootCAs = pool
	return own, nil
}

// With is a client of the same rate limit, trust and bounds with other credentials, or none: for the
// requests that get a token.
func (c *Client) With(authorizer Authorizer) *Client {
	other := *c
	other.config.Authorizer = authorizer
	return &other
}

// HTTP is the underlying client with its trust and its rule on redirects, for libraries that ask for one.
// Its requests are not limited in rate or time; see Wait.
func (c *Client) HTTP() *http.Client { return c.http }

// Close closes the client's idle connections, unless they are of a transport that others use as well.
func (c *Client) Close() error {
	if c.own {
		c.http.CloseIdleConnections()
	}
	return nil
}

// Get reads the URL.
func (c *Client) Get(ctx context.Context, u *url.URL, header http.Header) (*Response, error) {
	return c.Do(ctx, Request{URL: u, Header: header})
}

// Do sends the request when the rate allows and reads the answer. Every error is an *channel.Error,
// which tells an answer of 401 (after one attempt to get new credentials), 429, 5xx and so on by its
// Reason; nothing is tried again here.
func (c *Client) Do(ctx context.Context, request Request) (*Response, error) {
	response, err := c.once(ctx, request)
	if c.config.Authorizer == nil || !refused(err) || !c.config.Authorizer.Refused() {
		return response, err
	}
	return c.once(ctx, request)
}

// refused reports whether the error is an answer of 401, not a login that failed.
func refused(err error) bool {
	var status *StatusError
	return errors.As(err, &status) && status.Status == http.StatusUnauthorized && !status.login
}

func (c *Client) once(ctx context.Context, request Request) (*Response, error) {
	if err := c.Wait(ctx); err != nil {
		return nil, unsent(err)
	}
	limited, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	sent, err := c.prepare(limited, request)
	if err != nil {
		return nil, unsent(err)
	}
	answer, err := c.http.Do(sent)
	if err != nil {
		return nil, Unreached(ctx, request.URL.Host, err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return nil, StatusFailure(answer, c.config.Now())
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, c.config.MaxBodyBytes+1))
	if err != nil {
		return nil, Unreached(ctx, request.URL.Host, err)
	}
	if int64(len(body)) > c.config.MaxBodyBytes {
		return nil, &channel.Error{Reason: ledgerapi.ReasonInvalidResponse,
			Message: fmt.Sprintf("the answer is larger than %d bytes; ask for smaller pages", c.config.MaxBodyBytes)}
	}
	return &Response{Status: answer.StatusCode, Header: answer.Header, Body: body, URL: answer.Request.URL}, nil
}

func (c *Client) prepare(ctx context.Context, request Request) (*http.Request, error) {
	method := request.Method
	if method == "" {
		method = http.MethodGet
	}
	var body io.Reader
	if request.Body != nil {
		body = bytes.NewReader(request.Body)
	}
	sent, err := http.NewRequestWithContext(ctx, method, request.URL.String(), body)
	if err != nil {
		return nil, &channel.Error{Reason: ledgerapi.ReasonInternal, Message: "the request cannot be made of this url and method"}
	}
	maps.Copy(sent.Header, request.Header)
	if sent.Header.Get("User-Agent") == "" {
		sent.Header.Set("User-Agent", "tanggap")
	}
	if sent.Header.Get("Accept") == "" {
		sent.Header.Set("Accept", "application/json")
	}
	if c.config.Authorizer == nil {
		return sent, nil
	}
	return sent, c.config.Authorizer.Authorize(ctx, sent)
}

// Wait returns when the rate allows another request, or with an *channel.Error when ctx ends before.
func (c *Client) Wait(ctx context.Context) error {
	now := c.config.Now()
	turn := c.limiter.ReserveN(now, 1)
	delay := turn.DelayFrom(now)
	if delay == 0 {
		if ctx.Err() != nil {
			return stopped(ctx)
		}
		return nil
	}
	select {
	case <-c.config.After(delay):
		return nil
	case <-ctx.Done():
		turn.CancelAt(now) // the turn is for whoever comes next
		return stopped(ctx)
	}
}

// SameHost reports whether following a link from one URL to the other stays where the credentials
// belong: scheme, host and port are equal, or it leads from http to https on the same name.
func SameHost(from, to *url.URL) bool {
	if from.Scheme == to.Scheme {
		return from.Hostname() == to.Hostname() && port(from) == port(to)
	}
	return from.Scheme == "http" && to.Scheme == "https" && from.Hostname() == to.Hostname() && port(from) == "80" && port(to) == "443"
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	if u.Scheme == "https" {
		return "443"
	}
	return "80"
}

func checkRedirect(request *http.Request, via []*http.Request) error {
	switch {
	case len(via) > maxRedirects:
		return errTooManyRedirects
	case !SameHost(via[len(via)-1].URL, request.URL):
		return errOtherHost
	}
	return nil
}
