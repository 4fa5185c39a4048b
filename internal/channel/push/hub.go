package push

import (
	"net/http"
	"time"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// maxChallengeBytes bounds what a handshake is answered with.
const maxChallengeBytes = 256

// NewHubSignature verifies the header by which Meta signs the deliveries of an app (X-Hub-Signature-256). Any
// of the secrets may match, so that the app's can be changed.
func NewHubSignature(secrets []v1alpha1.SecretKeyReference, credential Credential, now func() time.Time) (*HMAC, error) {
	return NewHMAC(&v1alpha1.HMACVerification{
		Header: "X-Hub-Signature-256", Algorithm: "SHA256", Encoding: "Hex", Prefix: "sha256=", SecretRefs: secrets,
	}, credential, now)
}

// HubHandshake shows Meta that this is the endpoint it was told of: the challenge goes back as it came, to
// whom shows one of the tokens.
func HubHandshake(tokens Tokens) func(w http.ResponseWriter, r *http.Request, sink channel.Sink) {
	return func(w http.ResponseWriter, r *http.Request, sink channel.Sink) {
		query := r.URL.Query()
		challenge := query.Get("hub.challenge")
		switch {
		case query.Get("hub.mode") != "subscribe" || challenge == "" || len(challenge) > maxChallengeBytes:
			Say(w, http.StatusBadRequest, "hub.mode must be subscribe, and hub.challenge must be there")
		case !tokens.Has(query.Get("hub.verify_token")):
			Refuse(w, sink, http.StatusForbidden, ledgerapi.ReasonSignatureInvalid, "the verify token is not the right one")
		default:
			// It is never taken for a page, whatever somebody makes it hold.
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			w.Header().Set("X-Content-Type-Options", "nosniff")
			// Meta tries again if it has gone away.
			_, _ = w.Write([]byte(challenge)) //nolint:gosec // plain text, for whom knows the token
		}
	}
}
