package httpauth

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/fetch"
	"github.com/tanggap/tanggap/internal/channel/mapping"
	"github.com/tanggap/tanggap/internal/expr"
	"github.com/tanggap/tanggap/internal/field"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

const (
	// defaultLifetime is that of a token whose server does not say.
	defaultLifetime = time.Hour
	// leeway is how long before its end a token is replaced, so that none expires on the way; short-lived
	// ones are replaced after nine tenths of their time.
	leeway = 30 * time.Second
)

// token sends a bearer token that it gets when it needs one.
type token struct {
	get func(ctx context.Context) (value string, lifetime time.Duration, err error)
	now func() time.Time

	mu    sync.Mutex
	value string
	until time.Time
}

// Tokens are access tokens for a protocol other than HTTP. They are safe for concurrent use.
type Tokens struct{ token }

// NewTokens gets them by the client credentials grant (RFC 6749 section 4.4). It reads credentials and sends
// nothing yet; its error is that of the credential.
func NewTokens(spec *v1alpha1.OAuth2Auth, options Options) (*Tokens, error) {
	read := reader{credential: options.Credential}
	return &Tokens{token{get: newClientCredentials(&read, spec, options), now: options.Now}}, read.err
}

// Token is a token that is valid now. Its error is an *channel.Error.
func (t *Tokens) Token(ctx context.Context) (string, error) { return t.current(ctx) }

// current is a token that is valid now.
func (t *token) current(ctx context.Context) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.value == "" || !t.now().Before(t.until) {
		value, lifetime, err := t.get(ctx)
		if err != nil {
			return "", err
		}
		t.value, t.until = value, t.now().Add(lifetime-min(leeway, lifetime/10))
	}
	return t.value, nil
}

// Authorize implements fetch.Authorizer.
func (t *token) Authorize(ctx context.Context, request *http.Request) error {
	value, err := t.current(ctx)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+value)
	return nil
}

// Refused implements fetch.Authorizer: the next request gets a new token.
func (t *token) Refused() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.value = ""
	return true
}

// newLogin makes the function that posts the credentials.
func newLogin(env *expr.Env, read *reader, spec *v1alpha1.LoginAuth, options Options) (func(context.Context) (string, time.Duration, error), error) {
	program, err := env.Compile(string(spec.Token), expr.String)
	if err != nil {
		return nil, field.Errorf("login.token", "%v", err)
	}
	address, err := url.Parse(string(spec.URL))
	if err != nil {
		return nil, field.Errorf("login.url", "must be an absolute URL")
	}
	userField, passwordField := spec.UsernameField, spec.PasswordField
	if userField == "" {
		userField = "username"
	}
	if passwordField == "" {
		passwordField = "password"
	}
	body, err := json.Marshal(map[string]string{
		userField:     read.secret(spec.UsernameSecretRef),
		passwordField: read.secret(spec.PasswordSecretRef),
	})
	if err != nil {
		return nil, &channel.Error{Reason: ledgerapi.ReasonInternal, Message: "the credentials cannot be written as JSON"}
	}
	lifetime := channel.Duration(spec.Lifetime, defaultLifetime)
	return func(ctx context.Context) (string, time.Duration, error) {
		answer, err := options.Client.Do(ctx, fetch.Request{
			Method: http.MethodPost,
			URL:    address,
			Header: http.Header{"Content-Type": {"application/json"}},
			Body:   body,
		})
		if err != nil {
			return "", 0, fetch.OfLogin(err, "auth.login")
		}
		value, err := loginToken(program, answer.Body)
		return value, lifetime, err
	}, nil
}

func loginToken(program *expr.Program, body []byte) (string, error) {
	document, err := mapping.Decode(body)
	if err != nil {
		return "", &channel.Error{Reason: ledgerapi.ReasonInvalidResponse, Message: "auth.login: the answer is " + err.Error()}
	}
	value, err := program.String(map[string]any{"response": document})
	// Many servers say 200 to a wrong password, and just leave the token out.
	switch {
	case err != nil:
		return "", &channel.Error{Reason: ledgerapi.ReasonUnauthorized, Message: "auth.login.token finds no token in the answer to the login: " + err.Error()}
	case value == "":
		return "", &channel.Error{Reason: ledgerapi.ReasonUnauthorized, Message: "auth.login.token finds no token in the answer to the login"}
	case !sendable(value):
		return "", &channel.Error{Reason: ledgerapi.ReasonInvalidResponse, Message: "auth.login.token yields what no header can carry"}
	}
	return value, nil
}

// newClientCredentials makes the function that gets a token by RFC 6749 section 4.4.
func newClientCredentials(read *reader, spec *v1alpha1.OAuth2Auth, options Options) func(context.Context) (string, time.Duration, error) {
	config := &clientcredentials.Config{
		ClientID:     read.secret(spec.ClientIDSecretRef),
		ClientSecret: read.secret(spec.ClientSecretSecretRef),
		TokenURL:     string(spec.TokenURL),
		Scopes:       spec.Scopes,
	}
	timeout := options.Timeout
	if timeout == 0 {
		timeout = fetch.DefaultTimeout
	}
	return func(ctx context.Context) (string, time.Duration, error) {
		if err := options.Client.Wait(ctx); err != nil {
			return "", 0, err
		}
		limited, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		granted, err := config.Token(context.WithValue(limited, oauth2.HTTPClient, options.Client.HTTP()))
		if err != nil {
			return "", 0, fetch.OfLogin(tokenFailure(ctx, err, spec, options.Now()), "auth.oauth2")
		}
		if !sendable(granted.AccessToken) {
			return "", 0, &channel.Error{Reason: ledgerapi.ReasonInvalidResponse, Message: "auth.oauth2: the token holds what no header can carry"}
		}
		return granted.AccessToken, lifetimeOf(granted), nil
	}
}

// tokenFailure takes from the library's error what holds nothing of the answer.
func tokenFailure(ctx context.Context, err error, spec *v1alpha1.OAuth2Auth, now time.Time) error {
	if refusal, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		switch refusal.ErrorCode {
		case "invalid_client", "unauthorized_client", "access_denied", "invalid_grant":
			return &channel.Error{Reason: ledgerapi.ReasonUnauthorized, Message: "the authorization server refused the client"}
		case "invalid_scope":
			return &channel.Error{Reason: ledgerapi.ReasonUnauthorized, Message: "the authorization server refused the scopes"}
		}
		if refusal.Response.StatusCode < 200 || refusal.Response.StatusCode > 299 {
			return fetch.StatusFailure(refusal.Response, now)
		}
	}
	var sent *url.Error
	if errors.As(err, &sent) || ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) {
		host := ""
		if address, parseErr := url.Parse(string(spec.TokenURL)); parseErr == nil {
			host = address.Host
		}
		return fetch.Unreached(ctx, host, err)
	}
	return &channel.Error{Reason: ledgerapi.ReasonInvalidResponse, Message: "the answer holds no token"}
}

// lifetimeOf reads expires_in, a number or its text, by the server's word alone: the library counts it
// from a clock of its own.
func lifetimeOf(granted *oauth2.Token) time.Duration {
	var seconds float64
	switch v := granted.Extra("expires_in").(type) {
	case float64:
		seconds = v
	case int64:
		seconds = float64(v)
	case string:
		seconds, _ = strconv.ParseFloat(v, 64) // what is no number is as good as absent
	}
	const most = 366 * 24 * time.Hour
	if !(seconds >= 1) {
		return defaultLifetime
	}
	if seconds > most.Seconds() {
		return most
	}
	return time.Duration(seconds * float64(time.Second))
}
