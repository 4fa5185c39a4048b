package email

import (
	"encoding/json"
	"time"

	"github.com/emersion/go-imap/v2"
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

// open reads a saved cursor; nil is the very first one. One that cannot be read, or of another account,
// begins again as far back as the first poll does: the ledger drops what it knows.
func (s *source) open(saved json.RawMessage) *cursor {
	fresh := &cursor{Account: s.account, Mailboxes: map[string]*position{}}
	if len(saved) == 0 {
		return fresh
	}
	var c cursor
	if err := json.Unmarshal(saved, &c); err != nil {
		s.logger.Warn("Began from the lookback as the saved cursor could not be read")
		return fresh
	}
	if c.Account != s.account {
		s.logger.Info("Began from the lookback as the account has changed")
		return fresh
	}
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

// encode is the cursor as the ledger keeps it.
func (c *cursor) encode() json.RawMessage {
	// A struct of strings, times and numbers always has a JSON form.
	raw, _ := json.Marshal(c) //nolint:errchkjson // see above
	return raw
}
