package x

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/tanggap/tanggap/internal/channel"
)

// maxThreads bounds the cursor: 1,500 ids are about 35 KB of the 64 KB that the ledger takes.
const maxThreads = 1500

// cursor is where the source stands; its JSON is kept by the ledger.
type cursor struct {
	// Account is whose timelines the rest speaks of.
	Account string `json:"account"`
	// Posts is the timeline of the account's own posts, Mentions that of the posts that mention it.
	Posts    feed `json:"posts,omitzero"`
	Mentions feed `json:"mentions,omitzero"`
	// Threads are the ids, ascending, of posts by the city that began a conversation: below each of them
	// every citizen has a case of his own.
	Threads []id `json:"threads,omitempty"`
}

// feed is where a timeline stands.
type feed struct {
	// Since is the newest post before which everything has been read.
	Since id `json:"since"`
	// Through is when the last complete reading began.
	Through time.Time `json:"through,omitzero"`
	// Window is set while a reading is unfinished.
	Window *window `json:"window,omitempty"`
}

// window is a reading of a timeline from its newest post backwards, possibly in several polls.
type window struct {
	// Started is when it began.
	Started time.Time `json:"started"`
	// Newest and Oldest are the extremes of what has been read; 0 is nothing yet.
	Newest id `json:"newest,omitempty"`
	Oldest id `json:"oldest,omitempty"`
	// Read counts the entries.
	Read int `json:"read,omitempty"`
}

// open reads a saved cursor, or begins with the lookback.
func (s *source) open(saved json.RawMessage, now time.Time) cursor {
	start := firstID(now.Add(-s.lookback))
	fresh := cursor{Account: s.account, Posts: feed{Since: start}, Mentions: feed{Since: start}}
	c := channel.OpenCursor(saved, fresh, func(c *cursor) string { return c.Account }, s.logger)
	if c.Posts.Since == 0 || c.Mentions.Since == 0 { // it says nothing of where the reading stands
		return fresh
	}
	return c
}

// ours reports whether the city began the conversation.
func (c *cursor) ours(conversation id) bool {
	_, found := slices.BinarySearch(c.Threads, conversation)
	return found
}

// began notes a conversation that the city began. The oldest is forgotten for it when there are many.
func (c *cursor) began(conversation id) {
	at, found := slices.BinarySearch(c.Threads, conversation)
	if found {
		return
	}
	c.Threads = slices.Insert(c.Threads, at, conversation)
	if len(c.Threads) > maxThreads {
		c.Threads = slices.Delete(c.Threads, 0, 1)
	}
}
