package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

// earlyKept is how long it is remembered that a message came back which no reply is known to have become: longer
// than a worker takes to say what became of a reply.
const earlyKept = 24 * time.Hour

// returnReplies notes that replies which were sent did not reach the citizens. Their answers stay: that the city
// answered is a fact, and a clock that has stopped does not run again.
func (t *transaction) returnReplies(ctx context.Context, channel string, returned []ledgerapi.ReturnedReply) error {
	why := make(map[string]string, len(returned))
	for i := range returned {
		if findable(returned[i].Event) {
			why[returned[i].Event] = returned[i].Message
		}
	}
	events := slices.Sorted(maps.Keys(why))
	found, err := t.tx.RepliesOfEvents(ctx, channel, events)
	if err != nil {
		return err
	}
	var unknown []ledgerapi.ReturnedReply
	for i, row := range found {
		message := cut(why[events[i]], maxReplyMessage)
		if row == nil {
			unknown = append(unknown, ledgerapi.ReturnedReply{Event: events[i], Message: message})
			continue
		}
		s, err := readReply(row)
		if err != nil {
			return err
		}
		if s.State != ledgerapi.ReplySent {
			continue
		}
		s.Returned, s.State, s.Reason, s.Message = true, ledgerapi.ReplyFailed, ledgerapi.ReasonReplyRefused, message
		if err := t.putReply(ctx, channel, &s, time.Time{}); err != nil {
			return err
		}
	}
	return t.keepEarly(ctx, channel, unknown)
}

// keepEarly keeps for a while what came back and is no known reply. Most of it others sent, but a platform may be
// faster than the worker that says which message a reply has become. It stands among the channel's replies, where
// every replica finds it and whence it goes by itself, as one that is done and that no client can ask for.
func (t *transaction) keepEarly(ctx context.Context, channel string, returned []ledgerapi.ReturnedReply) error {
	if t.figure(channelKey(familyReply, channel)) == (values{}) {
		return nil // the channel never had a reply that could come back
	}
	returned = slices.DeleteFunc(returned, func(r ledgerapi.ReturnedReply) bool {
		return r.Event == "" || len(r.Event) > complaint.MaxIDBytes // it can be no event
	})
	places := make([]string, len(returned))
	for i := range returned {
		places[i] = earlyPlace(returned[i].Event)
	}
	found, err := t.tx.Replies(ctx, channel, places)
	if err != nil {
		return err
	}
	var rows []store.Reply
	for i := range returned {
		if known, err := readEarly(found[i]); err != nil {
			return err
		} else if known.Event == returned[i].Event {
			continue // a source that reads a list again tells of it again
		}
		state, err := json.Marshal(&returned[i])
		if err != nil {
			return fmt.Errorf("encoding a reply that came back: %w", err)
		}
		rows = append(rows, store.Reply{Channel: channel, ID: places[i], DoneAt: t.at.Add(earlyKept - replyKept), State: state})
	}
	return t.tx.PutReplies(ctx, rows)
}

// returnEarly has a reply that is now known to have been sent have come back, if it came back before.
func (t *transaction) returnEarly(ctx context.Context, channel, event string) error {
	found, err := t.tx.Replies(ctx, channel, []string{earlyPlace(event)})
	if err != nil {
		return err
	}
	early, err := readEarly(found[0])
	if err != nil || early.Event != event {
		return err
	}
	return t.returnReplies(ctx, channel, []ledgerapi.ReturnedReply{early})
}

// earlyPlace is where it is kept among the replies of a channel that a message came back: one of 65,536 places, so
// that somebody whose messages all come back cannot fill the storage. No reply has an identifier of this form.
func earlyPlace(event string) string {
	sum := sha256.Sum256([]byte(event))
	return fmt.Sprintf("returned/%x", sum[:2])
}

func readEarly(row *store.Reply) (early ledgerapi.ReturnedReply, err error) {
	if row == nil {
		return early, nil
	}
	if err := json.Unmarshal(row.State, &early); err != nil {
		return early, fmt.Errorf("%w: a reply that came back cannot be read", store.ErrDamaged)
	}
	return early, nil
}
