// Package client is the typed client of the ledger's API, for workers and the operator. It links
// neither a database nor Kubernetes.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/policy"
)

// DefaultTimeout is how long one request may take, the wait of a Summary not included.
const DefaultTimeout = 30 * time.Second

// maxResponseBytes bounds what is read of an answer: a summary of 100,000 series has some 30 MB.
const maxResponseBytes = 256 << 20

// Config says where the ledger is and who asks.
type Config struct {
	// BaseURL is the ledger's address, such as https://depok-ledger.depok.svc:8443.
	BaseURL string
	// Trust and identity; see TLS.
	TLS TLS
	// TokenFile holds the bearer token of a worker (a projected service-account token); it is read
	// again when it changes. "" sends none.
	TokenFile string
	// Timeout is for one request; 0 is DefaultTimeout.
	Timeout time.Duration
	// UserAgent is sent along; "" is "tanggap".
	UserAgent string
	// Transport replaces the client's own transport, and with it TLS; for tests.
	Transport http.RoundTripper
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Client talks to one ledger. It is safe for concurrent use. It never repeats a request by itself:
// the caller knows what waits behind it (see Retryable and RetryAfter).
type Client struct {
	base    *url.URL
	http    *http.Client
	token   *tokenFile
	timeout time.Duration
	agent   string
}

// New checks the configuration and reads the files it names; nothing is sent.
func New(config Config) (*Client, error) {
	base, err := url.Parse(config.BaseURL)
	if err != nil || (base.Scheme != "https" && base.Scheme != "http") || base.Host == "" {
		return nil, fmt.Errorf("the ledger's address must be a URL such as https://ledger.example.svc:8443")
	}
	base.Path = strings.TrimSuffix(base.Path, "/")
	now := config.Now
	if now == nil {
		now = time.Now
	}
	c := &Client{base: base, timeout: config.Timeout, agent: config.UserAgent}
	if c.timeout <= 0 {
		c.timeout = DefaultTimeout
	}
	if c.agent == "" {
		c.agent = "tanggap"
	}
	if config.TokenFile != "" {
		c.token = newTokenFile(config.TokenFile, now)
	}
	transport := config.Transport
	if transport == nil {
		if transport, err = newTransport(config.TLS, now); err != nil {
			return nil, err
		}
	}
	c.http = &http.Client{
		Transport: transport,
		// A redirect would carry the token to wherever an answer points.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// CloseIdleConnections closes the connections that no request uses.
func (c *Client) CloseIdleConnections() { c.http.CloseIdleConnections() }

// Append stores a batch of events of the channel, and the source's position after it, and returns
// once both are durable.
func (c *Client) Append(ctx context.Context, channel string, request ledgerapi.AppendRequest) (ledgerapi.AppendResponse, error) {
	var response ledgerapi.AppendResponse
	err := c.do(ctx, call{http.MethodPost, channelPath(channel) + "/events", nil, request, &response})
	return response, annotate("appending events", err)
}

// Report tells how the channel's source fares.
func (c *Client) Report(ctx context.Context, channel string, report ledgerapi.Report) error {
	return annotate("reporting", c.do(ctx, call{http.MethodPost, channelPath(channel) + "/report", nil, report, nil}))
}

// Channel is what a worker starts from.
func (c *Client) Channel(ctx context.Context, channel string) (ledgerapi.ChannelState, error) {
	var state ledgerapi.ChannelState
	err := c.do(ctx, call{http.MethodGet, channelPath(channel), nil, nil, &state})
	return state, annotate("reading a channel", err)
}

// Reply asks for an answer to be sent to the citizen of a case. The same request again is the same reply.
func (c *Client) Reply(ctx context.Context, channel string, request ledgerapi.ReplyRequest) (ledgerapi.ReplyStatus, error) {
	var status ledgerapi.ReplyStatus
	err := c.do(ctx, call{http.MethodPost, channelPath(channel) + "/replies", nil, request, &status})
	return status, annotate("replying", err)
}

// ReplyStatus is how a reply fares.
func (c *Client) ReplyStatus(ctx context.Context, channel, id string) (ledgerapi.ReplyStatus, error) {
	var status ledgerapi.ReplyStatus
	err := c.do(ctx, call{http.MethodGet, channelPath(channel) + "/replies/" + url.PathEscape(id), nil, nil, &status})
	return status, annotate("reading a reply", err)
}

// Outbox is what the channel's worker has to send, once there is something or wait has gone by. What it
// is given it is given once.
func (c *Client) Outbox(ctx context.Context, channel string, wait time.Duration) (ledgerapi.Outbox, error) {
	ctx, cancel := context.WithTimeout(ctx, wait+c.timeout)
	defer cancel()
	var box ledgerapi.Outbox
	err := c.send(ctx, call{http.MethodGet, channelPath(channel) + "/outbox", url.Values{"wait": {wait.String()}}, nil, &box})
	return box, annotate("reading the outbox", err)
}

// ReplyDone says what became of a reply of the outbox.
func (c *Client) ReplyDone(ctx context.Context, channel, id string, result ledgerapi.ReplyResult) error {
	return annotate("saying what became of a reply", c.do(ctx, call{http.MethodPost, channelPath(channel) + "/outbox/" + url.PathEscape(id), nil, result, nil}))
}

// Cases is a page of cases in the order of (channel, case): with a query.Channel by the route that
// a worker may use, else by the operator's. A page may have fewer cases than asked for; Next == ""
// is the end.
func (c *Client) Cases(ctx context.Context, query CasesQuery) (ledgerapi.CaseList, error) {
	path := "/v1/cases"
	if query.Channel != "" {
		path = channelPath(query.Channel) + "/cases"
	}
	var list ledgerapi.CaseList
	err := c.do(ctx, call{http.MethodGet, path, query.values(), nil, &list})
	return list, annotate("listing cases", err)
}

// PutPolicy replaces the policy. A document that does not compile is refused as a whole (400, every
// fault with its field in the message) and changes nothing.
func (c *Client) PutPolicy(ctx context.Context, document policy.Document) (ledgerapi.PolicyStatus, error) {
	var status ledgerapi.PolicyStatus
	err := c.do(ctx, call{http.MethodPut, "/v1/policy", nil, document, &status})
	return status, annotate("putting the policy", err)
}

// Summary is what has changed in the ledger after a position, once anything has or wait has gone by; or
// everything, at once, for the zero Position and where changes are not enough (see ledgerapi.Summary). wait
// is at most a minute.
func (c *Client) Summary(ctx context.Context, after ledgerapi.Position, wait time.Duration) (*ledgerapi.Summary, error) {
	query := url.Values{"wait": {wait.String()}}
	if after != (ledgerapi.Position{}) {
		query.Set("after", strconv.FormatInt(after.Sequence, 10))
		query.Set("epoch", after.Epoch)
	}
	summary := new(ledgerapi.Summary)
	ctx, cancel := context.WithTimeout(ctx, wait+c.timeout)
	defer cancel()
	if err := c.send(ctx, call{http.MethodGet, "/v1/summary", query, nil, summary}); err != nil {
		return nil, annotate("reading the summary", err)
	}
	return summary, nil
}

// Erase erases the personal data of a reporter; what remains to be looked at is done after it returns, and
// Erasure tells when.
func (c *Client) Erase(ctx context.Context, request ledgerapi.ErasureRequest) (ledgerapi.ErasureStatus, error) {
	var status ledgerapi.ErasureStatus
	err := c.do(ctx, call{http.MethodPost, "/v1/erasures", nil, request, &status})
	return status, annotate("erasing", err)
}

// Erasure says how far an erasure has come.
func (c *Client) Erasure(ctx context.Context, id string) (ledgerapi.ErasureStatus, error) {
	var status ledgerapi.ErasureStatus
	err := c.do(ctx, call{http.MethodGet, "/v1/erasures/" + url.PathEscape(id), nil, nil, &status})
	return status, annotate("reading an erasure", err)
}

// CasesQuery says which cases are wanted; the zero value is all of them.
type CasesQuery struct {
	// Channel, Category, Department and Priority are exact; "" is any.
	Channel, Category, Department, Priority string
	// State is one of ledgerapi.CaseStates; "" is any.
	State string
	// DueBefore takes the cases whose earliest running clock is due before it; nil is any.
	DueBefore *time.Time
	// After is the Next of the page before.
	After string
	// Limit is the size of the page; 0 is the ledger's default.
	Limit int
}

func (q CasesQuery) values() url.Values {
	values := url.Values{}
	for name, value := range map[string]string{
		"category": q.Category, "department": q.Department, "priority": q.Priority, "state": q.State, "after": q.After,
	} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if q.DueBefore != nil {
		values.Set("dueBefore", q.DueBefore.UTC().Format(time.RFC3339Nano))
	}
	if q.Limit > 0 {
		values.Set("limit", strconv.Itoa(q.Limit))
	}
	return values
}

// channelPath is the path of a channel; base.JoinPath takes escaped elements.
func channelPath(channel string) string { return "/v1/channels/" + url.PathEscape(channel) }

// call is one request: body is sent as JSON unless nil, the answer is read into result unless nil.
type call struct {
	method, path string
	query        url.Values
	body, result any
}

func (c *Client) do(ctx context.Context, r call) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	return c.send(ctx, r)
}

func (c *Client) send(ctx context.Context, r call) error {
	req, err := c.request(ctx, r)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return &transportError{cause: withoutURL(err)}
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return refusal(resp)
	}
	if r.result == nil {
		return nil
	}
	limited := &io.LimitedReader{R: resp.Body, N: maxResponseBytes}
	if err := json.NewDecoder(limited).Decode(r.result); err != nil {
		return &transportError{cause: fmt.Errorf("reading the answer: %w", err)}
	}
	// What follows the document is read so that the connection can be used again.
	_, _ = io.Copy(io.Discard, limited)
	return nil
}

func (c *Client) request(ctx context.Context, r call) (*http.Request, error) {
	var body io.Reader
	if r.body != nil {
		encoded, err := json.Marshal(r.body)
		if err != nil {
			return nil, fmt.Errorf("encoding a request: %w", err)
		}
		body = bytes.NewReader(encoded)
	}
	target := c.base.JoinPath(r.path)
	target.RawQuery = r.query.Encode()
	req, err := http.NewRequestWithContext(ctx, r.method, target.String(), body)
	if err != nil {
		return nil, fmt.Errorf("making a request: %w", err)
	}
	req.Header.Set("User-Agent", c.agent)
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != nil {
		token, err := c.token.read()
		if err != nil {
			return nil, &transportError{cause: err}
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return req, nil
}

// withoutURL drops the method and address that net/http puts before an error: the caller knows them,
// and a case's page position stands in the address.
func withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}

func annotate(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}
