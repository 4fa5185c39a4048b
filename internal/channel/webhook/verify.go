package webhook

import (
	"net/http"
	"strings"
	"time"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/push"
	"github.com/tanggap/tanggap/internal/field"
)

func newVerifier(spec *v1alpha1.WebhookVerification, credential push.Credential, now func() time.Time) (push.Verifier, error) {
	switch {
	case spec.Type == v1alpha1.VerificationStandardWebhooks && spec.StandardWebhooks != nil:
		return push.NewStandardWebhooks(spec.StandardWebhooks, credential, now)
	case spec.Type == v1alpha1.VerificationHMAC && spec.HMAC != nil:
		return push.NewHMAC(spec.HMAC, credential, now)
	case spec.Type == v1alpha1.VerificationBearer && spec.Bearer != nil:
		tokens, err := push.NewTokens(credential, spec.Bearer.TokenSecretRefs...)
		return &bearer{tokens}, err
	case spec.Type == v1alpha1.VerificationNone:
		return none{}, nil
	}
	return nil, field.Errorf("webhook.verification.type", "must be one of StandardWebhooks, HMAC, Bearer and None, with the member of that name")
}

// none takes every delivery.
type none struct{}

// Verify implements push.Verifier.
func (none) Verify(http.Header, []byte) *channel.Error { return nil }

// bearer compares the Authorization header with tokens.
type bearer struct{ tokens push.Tokens }

// Verify implements push.Verifier.
func (b *bearer) Verify(header http.Header, _ []byte) *channel.Error {
	scheme, token, ok := strings.Cut(header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return push.Refused("the Authorization header with a bearer token is missing")
	}
	if !b.tokens.Has(strings.TrimSpace(token)) {
		return push.Refused("the bearer token is not the right one")
	}
	return nil
}
