package csvdrop

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/tanggap/tanggap/internal/channel"
)

// maxRemembered bounds how many contents the cursor remembers, so that it fits into the ledger.
const maxRemembered = 2000

// digest is the beginning of the SHA-256 of a file's content: enough to tell any two files apart.
type digest [16]byte

func digestOf(content []byte) digest {
	sum := sha256.Sum256(content)
	return digest(sum[:16])
}

// MarshalText implements encoding.TextMarshaler.
func (d digest) MarshalText() ([]byte, error) {
	return base64.RawURLEncoding.AppendEncode(nil, d[:]), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *digest) UnmarshalText(text []byte) error {
	raw, err := base64.RawURLEncoding.DecodeString(string(text))
	if err != nil || len(raw) != len(d) {
		return fmt.Errorf("a digest has %d bytes", len(d))
	}
	*d = digest(raw)
	return nil
}

// cursor is where the source stands, as the ledger keeps it.
type cursor struct {
	// Plan is the fingerprint of the specification it was written under.
	Plan string `json:"plan"`
	// Read are the contents that were read, the oldest first.
	Read []digest `json:"read,omitempty"`
	// Reading is the content of which Rows rows have been read; it is set between two batches of a file.
	Reading *digest `json:"reading,omitempty"`
	Rows    int     `json:"rows,omitempty"`
}

// restore reads a saved cursor, or begins with every file.
func (s *Source) restore(saved json.RawMessage) cursor {
	return channel.OpenCursor(saved, cursor{Plan: s.fingerprint}, func(c *cursor) string { return c.Plan }, s.config.Logger)
}

// remember adds a content that has been read. When there are too many, those go first whose files are
// gone, and then the oldest.
func (c *cursor) remember(of digest, present map[digest]bool) {
	c.Reading, c.Rows = nil, 0
	c.Read = append(c.Read, of)
	for len(c.Read) > maxRemembered {
		gone := slices.IndexFunc(c.Read, func(d digest) bool { return !present[d] })
		c.Read = slices.Delete(c.Read, max(gone, 0), max(gone, 0)+1)
	}
}

func fingerprint(parts ...any) string {
	encoded, _ := json.Marshal(parts) //nolint:errchkjson // texts and lists of texts
	sum := sha256.Sum256(encoded)
	return hex.EncodeToString(sum[:8])
}
