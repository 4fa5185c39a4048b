package webhook

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/field"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// verifier decides whether a delivery comes from the sender, by its headers and its raw body. It
// returns nil, or a *channel.Error whose sentence may be sent back: it names what is missing or does
// not fit and nothing that would help to make it fit.
type verifier interface {
	verify(header http.Header, body []byte) *channel.Error
}

func newVerifier(spec *v1alpha1.WebhookVerification, credential func(v1alpha1.SecretKeyReference) ([]byte, error), now func() time.Time) (verifier, error) {
	switch {
	case spec.Type == v1alpha1.VerificationStandardWebhooks && spec.StandardWebhooks != nil:
		return newStandardWebhooks(spec.StandardWebhooks, credential, now)
	case spec.Type == v1alpha1.VerificationHMAC && spec.HMAC != nil:
		return newHMAC(spec.HMAC, credential, now)
	case spec.Type == v1alpha1.VerificationBearer && spec.Bearer != nil:
		return newBearer(spec.Bearer, credential)
	case spec.Type == v1alpha1.VerificationNone:
		return none{}, nil
	}
	return nil, field.Errorf("webhook.verification.type", "must be one of StandardWebhooks, HMAC, Bearer and None, with the member of that name")
}

// none takes every delivery.
type none struct{}

func (none) verify(http.Header, []byte) *channel.Error { return nil }

// bearer compares the Authorization header with tokens.
type bearer struct{ tokens [][sha256.Size]byte }

func newBearer(spec *v1alpha1.BearerVerification, credential func(v1alpha1.SecretKeyReference) ([]byte, error)) (verifier, error) {
	b := &bearer{}
	for _, ref := range spec.TokenSecretRefs {
		token, err := credential(ref)
		if err != nil {
			return nil, err
		}
		if len(token) == 0 {
			return nil, unusable(ref, "is empty")
		}
		b.tokens = append(b.tokens, sha256.Sum256(token))
	}
	return b, nil
}

func (b *bearer) verify(header http.Header, _ []byte) *channel.Error {
	scheme, token, ok := strings.Cut(header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return refused("the Authorization header with a bearer token is missing")
	}
	// Hashes have one length, so that the comparison takes as long whatever was sent.
	sent, match := sha256.Sum256([]byte(strings.TrimSpace(token))), 0
	for i := range b.tokens {
		match |= subtle.ConstantTimeCompare(sent[:], b.tokens[i][:])
	}
	if match == 0 {
		return refused("the bearer token is not the right one")
	}
	return nil
}

// window is the time that a delivery may take.
type window struct {
	tolerance time.Duration
	now       func() time.Time
}

// check refuses a timestamp too far from now, either way. It is asked after the signature has been
// verified, so that only a delivery that was once genuine counts as replayed.
func (w window) check(at time.Time) *channel.Error {
	if apart := w.now().Sub(at); apart > w.tolerance || apart < -w.tolerance {
		return &channel.Error{Reason: ledgerapi.ReasonReplayed,
			Message: fmt.Sprintf("the delivery's timestamp is more than %s away from the time here; check the clock, or send it anew", w.tolerance)}
	}
	return nil
}

// parseTimestamp reads unix seconds: digits only, since anything else may be read in two ways.
func parseTimestamp(text string) (time.Time, bool) {
	const longest = 12 // beyond the year 9999
	if text == "" || len(text) > longest || strings.Trim(text, "0123456789") != "" {
		return time.Time{}, false
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	return time.Unix(seconds, 0), err == nil
}

// refused is the error of a delivery that is not the sender's.
func refused(format string, args ...any) *channel.Error {
	return &channel.Error{Reason: ledgerapi.ReasonSignatureInvalid, Message: fmt.Sprintf(format, args...)}
}

// unusable is the error of a credential that cannot be used.
func unusable(ref v1alpha1.SecretKeyReference, what string) *channel.Error {
	return &channel.Error{Reason: ledgerapi.ReasonCredentialMissing, Message: fmt.Sprintf("the key %s of the Secret %s %s", ref.Key, ref.Name, what)}
}
