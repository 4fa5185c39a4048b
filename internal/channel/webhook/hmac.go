package webhook

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // some vendors sign with nothing better; HMAC-SHA1 is not broken
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"net/http"
	"strings"
	"time"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
)

// hmacVerifier verifies a header with an HMAC, in the shape that the specification says.
type hmacVerifier struct {
	spec     v1alpha1.HMACVerification
	hash     func() hash.Hash
	secrets  [][]byte
	template []segment
	window   window
}

// segment is a part of the signed content: a literal text, or what its name stands for.
type segment struct{ literal, name string }

func newHMAC(spec *v1alpha1.HMACVerification, credential func(v1alpha1.SecretKeyReference) ([]byte, error), now func() time.Time) (verifier, error) {
	v := &hmacVerifier{spec: *spec, hash: sha256.New, template: segments(spec.SignedContent), window: window{tolerance: defaultTolerance, now: now}}
	switch spec.Algorithm {
	case "SHA512":
		v.hash = sha512.New
	case "SHA1":
		v.hash = sha1.New
	}
	if spec.Tolerance != nil {
		v.window.tolerance = spec.Tolerance.Duration
	}
	for _, ref := range spec.SecretRefs {
		secret, err := credential(ref)
		if err != nil {
			return nil, err
		}
		if len(secret) == 0 {
			return nil, unusable(ref, "is empty")
		}
		v.secrets = append(v.secrets, secret)
	}
	return v, nil
}

// segments cuts a template such as `{id}.{timestamp}.{body}` once, so that nothing of a delivery is
// ever taken for a part of the template.
func segments(template string) []segment {
	if template == "" {
		template = "{body}"
	}
	var parts []segment
	for template != "" {
		at, name := len(template), ""
		for _, candidate := range [...]string{"body", "timestamp", "id"} {
			if i := strings.Index(template, "{"+candidate+"}"); i >= 0 && i < at {
				at, name = i, candidate
			}
		}
		if at > 0 {
			parts = append(parts, segment{literal: template[:at]})
			template = template[at:]
		}
		if name != "" {
			parts = append(parts, segment{name: name})
			template = template[len(name)+2:]
		}
	}
	return parts
}

// verify implements verifier.
func (v *hmacVerifier) verify(header http.Header, body []byte) *channel.Error {
	value := header.Get(v.spec.Header)
	if value == "" {
		return refused("the header %s is missing", v.spec.Header)
	}
	signatures, timestamp := []string{value}, ""
	if v.spec.SignatureField != "" {
		signatures, timestamp = fields(value, v.spec.SignatureField, v.spec.TimestampField)
	} else if v.spec.TimestampHeader != "" {
		timestamp = header.Get(v.spec.TimestampHeader)
	}
	timed := v.spec.TimestampHeader != "" || v.spec.TimestampField != ""
	at, ok := parseTimestamp(timestamp)
	if timed && !ok {
		return refused("the delivery's timestamp is missing or is not in unix seconds")
	}
	id := ""
	if v.spec.IDHeader != "" {
		if id = header.Get(v.spec.IDHeader); id == "" {
			return refused("the header %s is missing", v.spec.IDHeader)
		}
	}
	if len(signatures) > maxSignatures {
		return refused("the header %s lists more than %d signatures", v.spec.Header, maxSignatures)
	}
	if !v.signed(signatures, timestamp, id, body) {
		return refused("the signature does not verify")
	}
	if !timed {
		return nil
	}
	return v.window.check(at)
}

// fields reads `t=…,s=…`: the values of every field of the signature's name, and of the first of the
// timestamp's.
func fields(value, signatureField, timestampField string) (signatures []string, timestamp string) {
	for part := range strings.SplitSeq(value, ",") {
		name, text, ok := strings.Cut(strings.TrimSpace(part), "=")
		switch {
		case !ok:
		case name == signatureField:
			signatures = append(signatures, text)
		case name == timestampField && timestamp == "":
			timestamp = text
		}
	}
	return signatures, timestamp
}

// signed reports whether one of the signatures is of one of the secrets.
func (v *hmacVerifier) signed(signatures []string, timestamp, id string, body []byte) bool {
	found := false
	for _, secret := range v.secrets {
		mac := hmac.New(v.hash, secret)
		for _, part := range v.template {
			switch part.name {
			case "body":
				mac.Write(body)
			case "timestamp":
				mac.Write([]byte(timestamp))
			case "id":
				mac.Write([]byte(id))
			default:
				mac.Write([]byte(part.literal))
			}
		}
		want := mac.Sum(nil)
		for _, signature := range signatures {
			found = v.equal(signature, want) || found
		}
	}
	return found
}

func (v *hmacVerifier) equal(signature string, want []byte) bool {
	encoded, ok := strings.CutPrefix(signature, v.spec.Prefix)
	if !ok {
		return false
	}
	var got []byte
	var err error
	if v.spec.Encoding == "Base64" {
		got, err = base64.StdEncoding.Strict().DecodeString(encoded)
	} else {
		got, err = hex.DecodeString(encoded)
	}
	return err == nil && hmac.Equal(got, want)
}
