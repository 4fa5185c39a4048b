package ledger

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"

	"github.com/tanggap/tanggap/internal/mac"
)

// Pseudonyms makes pseudonyms of reporters: what stands for one person everywhere and tells nobody
// without the key who it is. A nil Pseudonyms makes none.
type Pseudonyms struct {
	// keys are the current one and, after it, those that were in use before.
	keys []*mac.Key
}

const (
	minKeyBytes    = 16
	pseudonymBytes = 16
)

// ReadPseudonymKeys reads a file with one key a line. The first is used from now on; the others were
// used before and still find what was stored then. A key is any text of at least 16 bytes.
func ReadPseudonymKeys(path string) (*Pseudonyms, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the pseudonym key: %w", err)
	}
	p := &Pseudonyms{}
	for line := range bytes.Lines(content) {
		key := bytes.TrimSpace(line)
		switch {
		case len(key) == 0:
		case len(key) < minKeyBytes:
			return nil, fmt.Errorf("reading the pseudonym key: a key needs at least %d bytes", minKeyBytes)
		default:
			p.keys = append(p.keys, mac.New(sha256.New, key))
		}
	}
	if len(p.keys) == 0 {
		return nil, errors.New("reading the pseudonym key: the file holds none")
	}
	return p, nil
}

// of is the pseudonym of an identity and, by the earlier keys, what it was before; nil for no identity.
func (p *Pseudonyms) of(identity string) (current []byte, earlier [][]byte) {
	if p == nil || identity == "" {
		return nil, nil
	}
	for i, key := range p.keys {
		sum := key.Sum([]byte(identity))[:pseudonymBytes]
		if i == 0 {
			current = sum
		} else {
			earlier = append(earlier, sum)
		}
	}
	return current, earlier
}
