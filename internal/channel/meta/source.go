package meta

import (
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/push"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// source is one channel's endpoint and what is read for it. Deliveries come from many goroutines, polls from
// one at a time. It implements channel.Pusher and channel.Poller.
type source struct {
	graph      *graph
	signature  push.Verifier
	tokens     push.Tokens
	endpoint   *push.Endpoint
	translator translator
	// app, page and instagram are ids; page or instagram may be "".
	app, page, instagram string

	usualDelay, interval, overlap, lookback time.Duration
	maxPages                                int
	now                                     func() time.Time
	logger                                  *slog.Logger
}

// cursor is where the reading of the Graph API stands; its JSON is kept by the ledger.
type cursor struct {
	// Accounts are whose things the rest speaks of.
	Accounts string `json:"accounts"`
	// Through is when the last complete reading began, Messages when the last one of messages did.
	Through  time.Time `json:"through,omitzero"`
	Messages time.Time `json:"messages,omitzero"`
	// Window is set while a reading is unfinished.
	Window *window `json:"window,omitempty"`
}

// window is a reading, possibly in several polls.
type window struct {
	// Started is when it began.
	Started time.Time `json:"started"`
	// List is the name of the list that is being read; "" is the first.
	List string `json:"list,omitempty"`
	// After is the page of the list, Done the last entry of it that was read to its end.
	After string `json:"after,omitempty"`
	Done  string `json:"done,omitempty"`
}

// open reads a saved cursor, or begins with the lookback.
func (s *source) open(saved json.RawMessage) cursor {
	fresh := cursor{Accounts: strings.Join(s.translator.accounts, "/")}
	return channel.OpenCursor(saved, fresh, func(c *cursor) string { return c.Accounts }, s.logger)
}

// asError is err as an *channel.Error.
func asError(err error) *channel.Error {
	if e, ok := errors.AsType[*channel.Error](err); ok {
		return e
	}
	return &channel.Error{Reason: ledgerapi.ReasonInternal, Message: "the source failed in an unexpected way", Err: err}
}
