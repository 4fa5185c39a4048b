package open311

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/tanggap/tanggap/internal/complaint"
)

// transitions remembers which requests were seen closed, and how often they were closed and opened
// again. A server tells its present state only: that an open request was closed before, and is now open
// again, is for the reader to know. It holds the maxTransitions that changed last, as part of the cursor
// and thus in one transaction with the events.
type transitions struct {
	known map[requestHash]transition
	// next orders the entries by their last change.
	next int
}

// maxTransitions keeps the cursor well within its bound of 64 KiB: an entry takes 9 bytes.
const maxTransitions = 4096

// requestHash stands for a request's identifier; among some thousands two are the same with a
// probability of one in ten million.
type requestHash [6]byte

// transition is where a request stands. An odd count is closed, an even one open again.
type transition struct {
	count int
	order int
}

func hashOf(r *request) requestHash {
	sum := sha256.Sum256([]byte(r.ID))
	return requestHash(sum[:6])
}

// change is a change of status: the count-th of the request, as far as is remembered.
type change struct {
	to    complaint.Status
	count int
}

// change notes the request's status and returns what changed, if anything did. Of requests that it does
// not know it takes for granted that they were open.
func (t *transitions) change(r *request, status complaint.Status) (change, bool) {
	key := hashOf(r)
	count := t.known[key].count
	closed, wasClosed := status != complaint.StatusOpen, count%2 == 1
	if closed == wasClosed {
		return change{}, false
	}
	if count++; count >= len(countDigits) {
		count -= 2 // keeps whether it is closed
	}
	if t.known == nil {
		t.known = map[requestHash]transition{}
	}
	t.next++
	t.known[key] = transition{count, t.next}
	if closed {
		return change{status, count}, true
	}
	return change{complaint.StatusReopened, count}, true
}

// countDigits write a count as one character.
const countDigits = "0123456789abcdefghijklmnopqrstuvwxyz"

const entryLength = 8 + 1

// encode writes the entries from the oldest to the latest change, and forgets those over the bound.
func (t *transitions) encode() string {
	keys := make([]requestHash, 0, len(t.known))
	for key := range t.known {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b requestHash) int { return cmp.Compare(t.known[a].order, t.known[b].order) })
	for len(keys) > maxTransitions {
		delete(t.known, keys[0])
		keys = keys[1:]
	}
	var out strings.Builder
	out.Grow(len(keys) * entryLength)
	for _, key := range keys {
		out.WriteString(base64.RawURLEncoding.EncodeToString(key[:]))
		out.WriteByte(countDigits[t.known[key].count])
	}
	return out.String()
}

// decodeTransitions reads what encode wrote; entries that make no sense are passed over.
func decodeTransitions(s string) *transitions {
	t := &transitions{known: map[requestHash]transition{}}
	for ; len(s) >= entryLength; s = s[entryLength:] {
		key, err := base64.RawURLEncoding.DecodeString(s[:8])
		count := strings.IndexByte(countDigits, s[8])
		if err != nil || count < 1 {
			continue
		}
		t.next++
		t.known[requestHash(key)] = transition{count, t.next}
	}
	return t
}
