package worker

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// maxCredentialBytes bounds a Secret's key as the API server bounds a whole Secret; a bundle of
// certificates is the largest that is useful.
const maxCredentialBytes = 1 << 20

// Credentials reads the keys of Secrets from files named <dir>/<name of the Secret>/<key>.
type Credentials struct {
	// Dir is where the Secrets are mounted.
	Dir string
}

// Read returns a key's value without the line breaks at its end, which editors and `echo` append. Its
// error is an *channel.Error of ReasonCredentialMissing that names the Secret and the key and nothing else.
func (c Credentials) Read(ref v1alpha1.SecretKeyReference) ([]byte, error) {
	missing := func(what string) error {
		return &channel.Error{
			Reason:  ledgerapi.ReasonCredentialMissing,
			Message: fmt.Sprintf("Secret %q, key %q: %s", ref.Name, ref.Key, what),
		}
	}
	// The API's validation refuses such names already; this one guards the file system.
	if !filepath.IsLocal(ref.Name) || !filepath.IsLocal(ref.Key) || filepath.Base(ref.Name) != ref.Name || filepath.Base(ref.Key) != ref.Key {
		return nil, missing("is not the name of a Secret's key")
	}
	file, err := os.Open(filepath.Join(c.Dir, ref.Name, ref.Key))
	if err != nil {
		return nil, missing("is missing")
	}
	defer func() { _ = file.Close() }()
	value, err := io.ReadAll(io.LimitReader(file, maxCredentialBytes+1))
	switch {
	case err != nil:
		return nil, missing("cannot be read")
	case len(value) > maxCredentialBytes:
		return nil, missing(fmt.Sprintf("is larger than %d bytes", maxCredentialBytes))
	}
	value = bytes.TrimRight(value, "\r\n")
	if len(value) == 0 {
		return nil, missing("is empty")
	}
	return value, nil
}
