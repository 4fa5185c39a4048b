package complaint

import (
	"fmt"
	"time"
)

// Bounds of a Thread.
const (
	maxQuoted       = 8
	maxThreadWindow = 31 * 24 * time.Hour
)

// Thread asks the ledger to find the case of an event, on a channel that has messages of people and no
// cases. The ledger does so in the transaction that stores the event, so that two messages at once give
// one case; CaseID is then only the name of the case that begins with the event if there is none. It is
// not kept.
type Thread struct {
	// Quoted are the IDs of events that the event belongs to; the first that is known decides.
	Quoted []string `json:"quoted,omitempty"`
	// WindowSeconds is how long after a word of either side a message of the Reporter still belongs to the
	// same case; with 0 only a quoted event decides, as where people write in threads.
	WindowSeconds int64 `json:"windowSeconds"`
}

// Window is WindowSeconds as a duration.
func (t *Thread) Window() time.Duration { return time.Duration(t.WindowSeconds) * time.Second }

// validate says what is wrong with a thread.
func (t *Thread) validate() error {
	if t == nil {
		return nil
	}
	if t.WindowSeconds < 0 || t.WindowSeconds > int64(maxThreadWindow/time.Second) {
		return fmt.Errorf("thread: windowSeconds must be 0 to %d", int64(maxThreadWindow/time.Second))
	}
	if len(t.Quoted) > maxQuoted {
		return fmt.Errorf("thread: quoted has %d entries, at most %d are allowed", len(t.Quoted), maxQuoted)
	}
	for _, id := range t.Quoted {
		if id == "" || len(id) > MaxIDBytes {
			return fmt.Errorf("thread: an entry of quoted has 1 to %d bytes", MaxIDBytes)
		}
	}
	return nil
}
