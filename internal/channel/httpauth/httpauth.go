// Package httpauth adds credentials to the requests of sources that are read over HTTP, in the ways
// that a channel's specification offers. Credentials come from Secrets and never get into an error.
package httpauth

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/fetch"
	"github.com/tanggap/tanggap/internal/expr"
	"github.com/tanggap/tanggap/internal/field"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// Options are what an authorizer needs besides its specification.
type Options struct {
	// Credential returns the value of a Secret's key.
	Credential func(ref v1alpha1.SecretKeyReference) ([]byte, error)
	// Client sends the requests that get a token; it has no authorizer of its own.
	Client *fetch.Client
	// Timeout of such a request; 0 is fetch.DefaultTimeout.
	Timeout time.Duration
	// Now is the clock by which tokens expire.
	Now func() time.Time
}

// Validate checks what of a specification a schema cannot: that the login's expression compiles over the
// variable `response` of env. The error is of field.Errors with paths such as `login.token`.
func Validate(env *expr.Env, auth *v1alpha1.HTTPAuth) error {
	if auth == nil || auth.Type != v1alpha1.HTTPAuthLogin || auth.Login == nil {
		return nil
	}
	if _, err := env.Compile(string(auth.Login.Token), expr.String); err != nil {
		return field.Errorf("login.token", "%v", err)
	}
	return nil
}

// New makes the authorizer of a specification that Validate accepts; nil for none. It reads credentials
// and sends nothing yet.
func New(env *expr.Env, auth *v1alpha1.HTTPAuth, options Options) (fetch.Authorizer, error) {
	if auth == nil {
		return nil, nil
	}
	read := reader{credential: options.Credential}
	var made fetch.Authorizer
	switch {
	case auth.Type == v1alpha1.HTTPAuthBasic && auth.Basic != nil:
		made = &basic{username: read.secret(auth.Basic.UsernameSecretRef), password: read.secret(auth.Basic.PasswordSecretRef)}
	case auth.Type == v1alpha1.HTTPAuthBearer && auth.Bearer != nil:
		made = &header{name: "Authorization", value: "Bearer " + read.printable(auth.Bearer.TokenSecretRef)}
	case auth.Type == v1alpha1.HTTPAuthAPIKey && auth.APIKey != nil && auth.APIKey.Header != "":
		made = &header{name: auth.APIKey.Header, value: auth.APIKey.Prefix + read.printable(auth.APIKey.KeySecretRef)}
	case auth.Type == v1alpha1.HTTPAuthAPIKey && auth.APIKey != nil:
		made = &query{name: auth.APIKey.QueryParameter, value: read.secret(auth.APIKey.KeySecretRef)}
	case auth.Type == v1alpha1.HTTPAuthOAuth2 && auth.OAuth2 != nil:
		made = &token{get: newClientCredentials(&read, auth.OAuth2, options), now: options.Now}
	case auth.Type == v1alpha1.HTTPAuthLogin && auth.Login != nil:
		get, err := newLogin(env, &read, auth.Login, options)
		if err != nil {
			return nil, err
		}
		made = &token{get: get, now: options.Now}
	default:
		return nil, field.Errorf("type", "must be one of Basic, Bearer, APIKey, OAuth2 and Login, with the member of that name")
	}
	return made, read.err
}

// reader reads credentials and keeps the first error.
type reader struct {
	credential func(v1alpha1.SecretKeyReference) ([]byte, error)
	err        error
}

func (r *reader) secret(ref v1alpha1.SecretKeyReference) string {
	value, err := r.credential(ref)
	if err != nil && r.err == nil {
		r.err = err
	}
	return string(value)
}

// printable is a credential that becomes a part of a header.
func (r *reader) printable(ref v1alpha1.SecretKeyReference) string {
	value := r.secret(ref)
	if !sendable(value) && r.err == nil {
		r.err = &channel.Error{Reason: ledgerapi.ReasonCredentialMissing,
			Message: "the key " + ref.Key + " of the Secret " + ref.Name + " holds a character that a header cannot carry, such as a line break"}
	}
	return value
}

// sendable reports whether the text may stand in a header.
func sendable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

// basic is RFC 7617.
type basic struct{ username, password string }

// Authorize implements fetch.Authorizer.
func (b *basic) Authorize(_ context.Context, request *http.Request) error {
	request.SetBasicAuth(b.username, b.password)
	return nil
}

// Refused implements fetch.Authorizer.
func (b *basic) Refused() bool { return false }

// header is a fixed header.
type header struct{ name, value string }

// Authorize implements fetch.Authorizer.
func (h *header) Authorize(_ context.Context, request *http.Request) error {
	request.Header.Set(h.name, h.value)
	return nil
}

// Refused implements fetch.Authorizer.
func (h *header) Refused() bool { return false }

// query is a fixed query parameter.
type query struct{ name, value string }

// Authorize implements fetch.Authorizer.
func (q *query) Authorize(_ context.Context, request *http.Request) error {
	values := request.URL.Query()
	values.Set(q.name, q.value)
	request.URL.RawQuery = values.Encode()
	return nil
}

// Refused implements fetch.Authorizer.
func (q *query) Refused() bool { return false }
