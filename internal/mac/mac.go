// Package mac makes keyed hashes (HMAC, RFC 2104) of many messages under one key. Making an HMAC anew costs more
// than a short message does, as the key is hashed twice: a Key keeps what it has made.
package mac

import (
	"crypto/hmac"
	"hash"
	"sync"
)

// Key is a key with its hash. It is safe for concurrent use.
type Key struct{ idle sync.Pool }

// New keeps a key for HMACs of a hash such as sha256.New. The key must not be changed afterwards.
func New(h func() hash.Hash, key []byte) *Key {
	return &Key{idle: sync.Pool{New: func() any { return hmac.New(h, key) }}}
}

// Sum is the HMAC of the parts put together.
func (k *Key) Sum(parts ...[]byte) []byte {
	m, _ := k.idle.Get().(hash.Hash) // it holds nothing else
	defer k.idle.Put(m)
	m.Reset()
	for _, part := range parts {
		m.Write(part)
	}
	return m.Sum(nil)
}
