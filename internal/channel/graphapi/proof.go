// Package graphapi is what channels that ask Meta's Graph API have in common.
package graphapi

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/fetch"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

const (
	// parameter is the name of the proof in a request's query.
	parameter = "appsecret_proof"
	// codeParameter is the code of the error of a parameter that is wrong.
	codeParameter = 100
)

// proof is what shows that whoever has the access token knows the app's secret too.
// https://developers.facebook.com/docs/graph-api/guides/secure-requests
func proof(token, secret string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(token))
	return hex.EncodeToString(mac.Sum(nil))
}

// prover adds the proof to each request with an access token, so that the app may demand it ("Require App
// Secret") and a token that was stolen is of no use to anybody else.
type prover struct {
	next    http.RoundTripper
	secrets []string
	// fits is the index of the secret whose proof was taken last.
	fits atomic.Int64
}

// Prove is next with the proof. While the app's secret is being changed any of several may be the right one:
// those of a request that is refused for its proof are tried in turn.
func Prove(next http.RoundTripper, refs []v1alpha1.SecretKeyReference, credential func(v1alpha1.SecretKeyReference) ([]byte, error)) (http.RoundTripper, error) {
	p := &prover{next: next}
	for _, ref := range refs {
		secret, err := credential(ref)
		if err != nil {
			return nil, err
		}
		p.secrets = append(p.secrets, string(secret))
	}
	if len(p.secrets) == 0 {
		return next, nil
	}
	return p, nil
}

// RoundTrip implements http.RoundTripper.
func (p *prover) RoundTrip(request *http.Request) (*http.Response, error) {
	token, ok := strings.CutPrefix(request.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return p.next.RoundTrip(request)
	}
	if request.Body != nil {
		defer func() { _ = request.Body.Close() }()
	}
	first := int(p.fits.Load())
	for i := range p.secrets {
		at := (first + i) % len(p.secrets)
		proven, err := prove(request, proof(token, p.secrets[at]))
		if err != nil {
			return nil, err
		}
		response, err := p.next.RoundTrip(proven)
		if err != nil {
			return nil, err
		}
		if disproved(response) {
			continue
		}
		if response.StatusCode < http.StatusBadRequest {
			p.fits.Store(int64(at))
		}
		return response, nil
	}
	return nil, &channel.Error{Reason: ledgerapi.ReasonUnauthorized, Err: &fetch.StatusError{Status: http.StatusBadRequest},
		Message: "the Graph API refused the proof of the app secret (error 100): none of appSecretSecretRefs is the secret of the app that the access token was made for"}
}

// prove is the request with a proof, and with a body of its own.
func prove(request *http.Request, proof string) (*http.Request, error) {
	proven := request.Clone(request.Context())
	query := proven.URL.Query()
	query.Set(parameter, proof)
	proven.URL.RawQuery = query.Encode()
	if request.GetBody == nil {
		return proven, nil
	}
	var err error
	proven.Body, err = request.GetBody()
	return proven, err
}

// disproved reports whether an answer refuses the proof. It can still be read.
func disproved(response *http.Response) bool {
	if response.StatusCode != http.StatusBadRequest {
		return false
	}
	said := ReadError(response)
	return said.Code == codeParameter && strings.Contains(said.Message, parameter)
}

// CloseIdleConnections lets the client close what the transport holds.
func (p *prover) CloseIdleConnections() {
	if closer, ok := p.next.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}
