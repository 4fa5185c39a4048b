package email

import (
	"encoding/json"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/tanggap/tanggap/internal/channel"
)

// cursor is where the source stands; its JSON is kept by the ledger.
type cursor struct {
	// Account is a digest of the server's name and the user's.
	Account string `json:"account"`
	// Mailboxes are those that have been read, by their names.
	Mailboxes map[string]*position `json:"mailboxes,omitempty"`
	// Through is when the last complete reading began.
	Through time.Time `json:"through,omitzero"`
}

// position is where a mailbox stands. A UID means something together with UIDVALIDITY only.
type position struct {
	Validity uint32   `json:"validity"`
	Last     imap.UID `json:"last,omitempty"`
	// Since is the instant before which nothing is read that arrived earlier.
	Since time.Time `json:"since"`
}

// open reads a saved cursor, or begins with the lookback.
func (s *source) open(saved json.RawMessage) *cursor {
	c := channel.OpenCursor(saved, cursor{Account: s.account}, func(c *cursor) string { return c.Account }, s.logger)
	if c.Mailboxes == nil {
		c.Mailboxes = map[string]*position{}
	}
	return &c
}

// at is where a mailbox stands that has this UIDVALIDITY now. When that has changed, the UIDs of old mean
// nothing, and the mailbox is read again as far back as may matter: the lookback, or since everything had
// been read if that is longer ago.
func (s *source) at(c *cursor, name string, validity uint32, now time.Time) *position {
	p := c.Mailboxes[name]
	if p != nil && p.Validity == validity {
		return p
	}
	since := now.Add(-s.lookback)
	if p != nil {
		s.logger.Info("Read a mailbox again as its UIDVALIDITY has changed")
		if last := c.Through.Add(-overlap); !c.Through.IsZero() && last.Before(since) {
			since = last
		}
	}
	p = &position{Validity: validity, Since: since}
	c.Mailboxes[name] = p
	return p
}

// overlap is for clocks that differ.
const overlap = time.Hour
