package push

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
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

const (
	// DefaultTolerance is how far a delivery's timestamp may be away from now.
	DefaultTolerance = 5 * time.Minute
	// MaxSignatures bounds the work that one delivery can cause.
	MaxSignatures = 16
)

// Verifier decides whether a delivery comes from the sender, by its headers and its raw body. It
// returns nil, or a *channel.Error whose sentence may be sent back: it names what is missing or does
// not fit and nothing that would help to make it fit.
type Verifier interface {
	Verify(header http.Header, body []byte) *channel.Error
}

// Credential returns the value of a Secret's key, as channel.Settings has it.
type Credential func(ref v1alpha1.SecretKeyReference) ([]byte, error)

// Tokens are secrets that a sender shows as they are. What is sent is compared with all of them in a
// time that tells nothing.
type Tokens [][sha256.Size]byte

// NewTokens reads the tokens.
func NewTokens(credential Credential, refs ...v1alpha1.SecretKeyReference) (Tokens, error) {
	var tokens Tokens
	for _, ref := range refs {
		token, err := credential(ref)
		if err != nil {
			return nil, err
		}
		if len(token) == 0 {
			return nil, Unusable(ref, "is empty")
		}
		tokens = append(tokens, sha256.Sum256(token))
	}
	return tokens, nil
}

// Has reports whether what was sent is one of the tokens.
func (t Tokens) Has(text string) bool {
	// Hashes have one length, so that the comparison takes as long whatever was sent.
	sent, match := sha256.Sum256([]byte(text)), 0
	for i := range t {
		match |= subtle.ConstantTimeCompare(sent[:], t[i][:])
	}
	return match != 0
}

// Window is the time that a delivery may take.
type Window struct {
	Tolerance time.Duration
	Now       func() time.Time
}

// Check refuses a timestamp too far from now, either way. It is asked after the signature has been
// verified, so that only a delivery that was once genuine counts as replayed.
func (w Window) Check(at time.Time) *channel.Error {
	if apart := w.Now().Sub(at); apart > w.Tolerance || apart < -w.Tolerance {
		return &channel.Error{Reason: ledgerapi.ReasonReplayed,
			Message: fmt.Sprintf("the delivery's timestamp is more than %s away from the time here; check the clock, or send it anew", w.Tolerance)}
	}
	return nil
}

// ParseTimestamp reads unix seconds: digits only, since anything else may be read in two ways.
func ParseTimestamp(text string) (time.Time, bool) {
	const longest = 12 // beyond the year 9999
	if text == "" || len(text) > longest || strings.Trim(text, "0123456789") != "" {
		return time.Time{}, false
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	return time.Unix(seconds, 0), err == nil
}

// Refused is the error of a delivery that is not the sender's.
func Refused(format string, args ...any) *channel.Error {
	return &channel.Error{Reason: ledgerapi.ReasonSignatureInvalid, Message: fmt.Sprintf(format, args...)}
}

// Unusable is the error of a credential that cannot be used.
func Unusable(ref v1alpha1.SecretKeyReference, what string) *channel.Error {
	return &channel.Error{Reason: ledgerapi.ReasonCredentialMissing, Message: fmt.Sprintf("the key %s of the Secret %s %s", ref.Key, ref.Name, what)}
}
