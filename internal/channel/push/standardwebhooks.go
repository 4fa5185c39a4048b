package push

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/mac"
)

// The headers and prefixes of Standard Webhooks 1.0.0.
const (
	headerID        = "Webhook-Id"
	headerTimestamp = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"

	prefixSecret     = "whsec_"
	prefixPublicKey  = "whpk_"
	prefixPrivateKey = "whsk_"

	// minSecretBytes is what the specification asks for.
	minSecretBytes = 24
)

// standardWebhooks verifies by Standard Webhooks 1.0.0.
type standardWebhooks struct {
	secrets []*mac.Key
	keys    []ed25519.PublicKey
	window  Window
}

// NewStandardWebhooks reads the secrets and public keys of a verifier.
func NewStandardWebhooks(spec *v1alpha1.StandardWebhooksVerification, credential Credential, now func() time.Time) (Verifier, error) {
	v := &standardWebhooks{window: Window{Tolerance: channel.Duration(spec.Tolerance, DefaultTolerance), Now: now}}
	for _, ref := range spec.SecretRefs {
		value, err := credential(ref)
		if err != nil {
			return nil, err
		}
		if err := v.add(ref, strings.TrimSpace(string(value))); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func (v *standardWebhooks) add(ref v1alpha1.SecretKeyReference, value string) error {
	if strings.HasPrefix(value, prefixPrivateKey) {
		return Unusable(ref, "holds a private key (whsk_…), which only the sender may have; give the public key (whpk_…)")
	}
	encoded, public := strings.CutPrefix(value, prefixPublicKey)
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(encoded, prefixSecret))
	switch {
	case err != nil:
		return Unusable(ref, "holds no signing secret: whsec_ or whpk_ and base64 are expected")
	case public && len(key) != ed25519.PublicKeySize:
		return Unusable(ref, "holds no ed25519 public key of 32 bytes")
	case public:
		v.keys = append(v.keys, key)
	case len(key) < minSecretBytes:
		return Unusable(ref, "holds a secret of less than 24 bytes, which is too weak")
	default:
		v.secrets = append(v.secrets, mac.New(sha256.New, key))
	}
	return nil
}

// Verify implements Verifier.
func (v *standardWebhooks) Verify(header http.Header, body []byte) *channel.Error {
	id, timestamp, list := header.Get(headerID), header.Get(headerTimestamp), header.Get(headerSignature)
	for _, h := range [...]struct{ name, value string }{{"webhook-id", id}, {"webhook-timestamp", timestamp}, {"webhook-signature", list}} {
		if h.value == "" {
			return Refused("the header %s is missing", h.name)
		}
	}
	// A dot would let one signature stand for two ways of cutting the signed content.
	if strings.Contains(id, ".") {
		return Refused("the header webhook-id must not contain a dot")
	}
	at, ok := ParseTimestamp(timestamp)
	if !ok {
		return Refused("the header webhook-timestamp must be unix seconds")
	}
	signatures := strings.Fields(list)
	if len(signatures) > MaxSignatures {
		return Refused("the header webhook-signature lists more than %d signatures", MaxSignatures)
	}
	if !v.signed(signatures, []byte(id+"."+timestamp+"."), body) {
		return Refused("the signature does not verify")
	}
	return v.window.Check(at)
}

// signed reports whether one of the signatures is of one of the keys.
func (v *standardWebhooks) signed(signatures []string, prefix, body []byte) bool {
	found := false
	for _, secret := range v.secrets {
		want := base64.StdEncoding.AppendEncode(nil, secret.Sum(prefix, body))
		for _, signature := range signatures {
			if got, ok := strings.CutPrefix(signature, "v1,"); ok {
				found = hmac.Equal([]byte(got), want) || found
			}
		}
	}
	if len(v.keys) == 0 {
		return found
	}
	content := append(append([]byte(nil), prefix...), body...)
	for _, signature := range signatures {
		encoded, ok := strings.CutPrefix(signature, "v1a,")
		if !ok {
			continue
		}
		raw, err := base64.StdEncoding.Strict().DecodeString(encoded)
		if err != nil {
			continue
		}
		for _, key := range v.keys {
			found = ed25519.Verify(key, content, raw) || found
		}
	}
	return found
}
