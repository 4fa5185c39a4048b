package push

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // some vendors sign with nothing better; HMAC-SHA1 is not broken
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/mac"
)

// HMAC verifies a header with an HMAC, in the shape that the specification says.
type HMAC struct {
	spec     v1alpha1.HMACVerification
	secrets  []*mac.Key
	template []segment
	window   Window
}

// segment is a part of the signed content: a literal text, or what its name stands for.
type segment struct{ literal, name string }

// NewHMAC reads the secrets of a verifier.
func NewHMAC(spec *v1alpha1.HMACVerification, credential Credential, now func() time.Time) (*HMAC, error) {
	v := &HMAC{spec: *spec, template: segments(spec.SignedContent), window: Window{Tolerance: channel.Duration(spec.Tolerance, DefaultTolerance), Now: now}}
	algorithm := sha256.New
	switch spec.Algorithm {
	case "SHA512":
		algorithm = sha512.New
	case "SHA1":
		algorithm = sha1.New
	}
	for _, ref := range spec.SecretRefs {
		secret, err := credential(ref)
		if err != nil {
			return nil, err
		}
		if len(secret) == 0 {
			return nil, Unusable(ref, "is empty")
		}
		v.secrets = append(v.secrets, mac.New(algorithm, secret))
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

// Verify implements Verifier.
func (v *HMAC) Verify(header http.Header, body []byte) *channel.Error {
	value := header.Get(v.spec.Header)
	if value == "" {
		return Refused("the header %s is missing", v.spec.Header)
	}
	signatures, timestamp := []string{value}, ""
	if v.spec.SignatureField != "" {
		signatures, timestamp = fields(value, v.spec.SignatureField, v.spec.TimestampField)
	} else if v.spec.TimestampHeader != "" {
		timestamp = header.Get(v.spec.TimestampHeader)
	}
	timed := v.spec.TimestampHeader != "" || v.spec.TimestampField != ""
	at, ok := ParseTimestamp(timestamp)
	if timed && !ok {
		return Refused("the delivery's timestamp is missing or is not in unix seconds")
	}
	id := ""
	if v.spec.IDHeader != "" {
		if id = header.Get(v.spec.IDHeader); id == "" {
			return Refused("the header %s is missing", v.spec.IDHeader)
		}
	}
	if len(signatures) > MaxSignatures {
		return Refused("the header %s lists more than %d signatures", v.spec.Header, MaxSignatures)
	}
	if !v.signed(signatures, timestamp, id, body) {
		return Refused("the signature does not verify")
	}
	if !timed {
		return nil
	}
	return v.window.Check(at)
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
func (v *HMAC) signed(signatures []string, timestamp, id string, body []byte) bool {
	var room [4][]byte
	content := room[:0]
	for _, part := range v.template {
		switch part.name {
		case "body":
			content = append(content, body)
		case "timestamp":
			content = append(content, []byte(timestamp))
		case "id":
			content = append(content, []byte(id))
		default:
			content = append(content, []byte(part.literal))
		}
	}
	found := false
	for _, secret := range v.secrets {
		want := secret.Sum(content...)
		for _, signature := range signatures {
			found = v.equal(signature, want) || found
		}
	}
	return found
}

func (v *HMAC) equal(signature string, want []byte) bool {
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
