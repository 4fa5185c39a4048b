package open311

import (
	"encoding/json"
	"fmt"
	"time"
)

// cursor is where the source stands; its JSON is kept by the ledger.
type cursor struct {
	// Through is the instant up to which the list has been read: requests made before it are known, but
	// for those that become visible late.
	Through time.Time `json:"through,omitzero"`
	// Next is set while a reading of the list is unfinished: it goes on from there.
	Next time.Time `json:"next,omitzero"`
	// Swept is when the list was last read again from far back.
	Swept time.Time `json:"swept,omitzero"`
	// Round is when the round of asking for open requests began that is under way, RoundAfter the last
	// request it has asked for.
	Round      time.Time `json:"round,omitzero"`
	RoundAfter string    `json:"roundAfter,omitempty"`
	// Rechecked is when the last complete round began.
	Rechecked time.Time `json:"rechecked,omitzero"`
	// Transitions are those of type transitions.
	Transitions string `json:"transitions,omitempty"`
}

// decodeCursor reads a cursor; nil is the very first one.
func decodeCursor(data json.RawMessage) (cursor, error) {
	var c cursor
	if len(data) == 0 {
		return c, nil
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return cursor{}, fmt.Errorf("reading the cursor: %w", err)
	}
	return c, nil
}
