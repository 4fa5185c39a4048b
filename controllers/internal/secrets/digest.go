package secrets

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// Digests are keyed digests of a Secret's values by key. A value that is empty is not there.
type Digests map[string]string

// Digest makes the digests of a Secret's values. Who does not have the key can tell nothing of a value,
// not even by trying likely ones. Without a key the digests are empty and say just which values there are.
func Digest(key []byte, secret *corev1.Secret) Digests {
	digests := make(Digests, len(secret.Data))
	for name, value := range secret.Data {
		if len(value) == 0 {
			continue
		}
		if len(key) == 0 {
			digests[name] = ""
			continue
		}
		mac := hmac.New(sha256.New, key)
		// The name of the Secret is part of it, so that equal values in two Secrets do not show.
		fmt.Fprintf(mac, "%d:%s%d:%s", len(secret.Name), secret.Name, len(name), name)
		mac.Write(value)
		digests[name] = hex.EncodeToString(mac.Sum(nil))
	}
	return digests
}

// Combine makes one digest of several, in any order.
func Combine(digests []string) string {
	sorted := slices.Sorted(slices.Values(digests))
	sum := sha256.New()
	for _, digest := range slices.Compact(sorted) {
		fmt.Fprintln(sum, digest)
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// Variant tells apart the digests by different keys, and says nothing of the key.
func Variant(key []byte) string {
	if len(key) == 0 {
		return ""
	}
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:])
}
