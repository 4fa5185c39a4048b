package rest

import (
	"encoding/json"
	"time"
)

// cursor is where the source stands, as the ledger keeps it.
type cursor struct {
	// Plan is the fingerprint of the specification it was written under.
	Plan string `json:"plan"`
	// Since is where the next window begins.
	Since time.Time `json:"since"`
	// Window is set while one is being read.
	Window *window `json:"window,omitempty"`
}

// window is a stretch of time that is read page by page, possibly in several polls.
type window struct {
	// Until is when the first poll of the window began; the source is read through it at the end.
	Until time.Time `json:"until"`
	// Newest is the newest updatedAt so far.
	Newest time.Time `json:"newest,omitzero"`
	// Position is the page to be read next.
	Position position `json:"position"`
	// Second says that the window is read a second time, as items moved during the first.
	Second bool `json:"second,omitempty"`
}

// position is a page: its number, the number of items before it, or what the source calls it.
type position struct {
	Number int64  `json:"number,omitempty"`
	Token  string `json:"token,omitempty"`
}

// open reads a saved cursor; nil is the first poll. One of another specification, or that cannot be
// read, begins again as far back as the first poll did: what was not understood before may be now, and
// what was is dropped by the ledger as known.
func (s *source) open(saved json.RawMessage, now time.Time) cursor {
	fresh := cursor{Plan: s.fingerprint, Since: now.Add(-s.timing.lookback)}
	if len(saved) == 0 {
		return fresh
	}
	var c cursor
	if err := json.Unmarshal(saved, &c); err != nil || c.Since.IsZero() {
		s.logger.Warn("Began from the lookback as the saved cursor could not be read")
		return fresh
	}
	if c.Plan != s.fingerprint {
		s.logger.Info("Began from the lookback as the request or the mapping has changed")
		if c.Since.Before(fresh.Since) {
			fresh.Since = c.Since
		}
		return fresh
	}
	return c
}

// after is the cursor when the window has been read: from the newest item or the start of the poll,
// whichever is earlier, less the overlap. Items that changed while the window was read lie after it.
func (s *source) after(c cursor) cursor {
	w, next := c.Window, cursor{Plan: c.Plan, Since: c.Since}
	from := w.Until
	if s.tracked {
		from = w.Newest
	}
	if from.After(w.Until) {
		from = w.Until
	}
	if from = from.Add(-s.timing.overlap); from.After(next.Since) {
		next.Since = from
	}
	return next
}
