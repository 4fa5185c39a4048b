package mac

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"hash"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// TestSumIsTheHMAC compares with the HMAC of the standard library, whatever was summed before, by many at once.
func TestSumIsTheHMAC(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := rapid.SampledFrom([]func() hash.Hash{sha1.New, sha256.New, sha512.New}).Draw(t, "hash")
		secret := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "key")
		key := New(h, secret)
		messages := rapid.SliceOfN(rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 300), 0, 4), 1, 8).Draw(t, "messages")
		var wg sync.WaitGroup
		for _, parts := range messages {
			wg.Go(func() {
				want := hmac.New(h, secret)
				want.Write(bytes.Join(parts, nil))
				if got := key.Sum(parts...); !bytes.Equal(got, want.Sum(nil)) {
					t.Errorf("the sum of %x is %x", parts, got)
				}
			})
		}
		wg.Wait()
	})
}

func BenchmarkSum(b *testing.B) {
	secret, message := make([]byte, 32), make([]byte, 700)
	b.Run("kept", func(b *testing.B) {
		key := New(sha256.New, secret)
		b.ReportAllocs()
		for b.Loop() {
			key.Sum(message)
		}
	})
	b.Run("made anew", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m := hmac.New(sha256.New, secret)
			m.Write(message)
			m.Sum(nil)
		}
	})
}
