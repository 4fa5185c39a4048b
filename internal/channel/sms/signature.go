package sms

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // Twilio signs with nothing better; HMAC-SHA1 is not broken
	"encoding/base64"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/push"
)

// signatureHeader carries the signature.
const signatureHeader = "X-Twilio-Signature"

// verifier verifies that a form was signed by Twilio.
// https://www.twilio.com/docs/usage/security#validating-requests
type verifier struct {
	// urls are the ways in which Twilio may have written the URL.
	urls   []string
	tokens [][]byte
}

// newVerifier reads the auth tokens.
func newVerifier(publicURL string, refs []v1alpha1.SecretKeyReference, credential push.Credential) (*verifier, error) {
	v := &verifier{urls: spellings(publicURL)}
	for _, ref := range refs {
		token, err := credential(ref)
		if err != nil {
			return nil, err
		}
		if len(token) == 0 {
			return nil, push.Unusable(ref, "is empty")
		}
		v.tokens = append(v.tokens, token)
	}
	return v, nil
}

// spellings are a URL as it was written, and with the port that it has by its scheme or without its port:
// Twilio signs some with and some without.
func spellings(address string) []string {
	scheme, rest, found := strings.Cut(address, "://")
	if !found {
		return []string{address}
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	host, tail := rest[:end], rest[end:]
	if colon := strings.LastIndexByte(host, ':'); colon > strings.LastIndexByte(host, ']') {
		return []string{address, scheme + "://" + host[:colon] + tail}
	}
	port := ":443"
	if strings.EqualFold(scheme, "http") {
		port = ":80"
	}
	return []string{address, scheme + "://" + host + port + tail}
}

// verify returns nil, or an error whose sentence may be sent back.
func (v *verifier) verify(signature string, form url.Values) *channel.Error {
	if signature == "" {
		return push.Refused("the header %s is missing", signatureHeader)
	}
	got, err := base64.StdEncoding.Strict().DecodeString(signature)
	if err != nil {
		return push.Refused("the signature does not verify")
	}
	signed, found := content(form), false
	for _, token := range v.tokens {
		for _, address := range v.urls {
			mac := hmac.New(sha1.New, token)
			mac.Write([]byte(address))
			mac.Write([]byte(signed))
			found = hmac.Equal(got, mac.Sum(nil)) || found
		}
	}
	if !found {
		return push.Refused("the signature does not verify: either this is not Twilio, or publicURL is not the URL that is set there, or the auth token is another")
	}
	return nil
}

// content is what is signed of a form: all parameters, whatever Twilio adds to them in future, in the order of
// their names. Of a repeated one the first value counts, as in Twilio's own libraries, and nothing here reads
// another.
func content(form url.Values) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(form)) {
		b.WriteString(name)
		b.WriteString(form.Get(name))
	}
	return b.String()
}
