package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

// selectReplies begins what row.reply reads.
const selectReplies = "SELECT channel, id, case_id, next_at, ends_at, done_at, event, state FROM replies "

// replies are those that the rest of selectReplies finds. Without statistics SQLite takes the primary key for the best index,
// unless one is named.
func (r reader) replies(where string, bind func(*binder)) (replies []store.Reply, err error) {
	var of []int64
	err = r.query(selectReplies+where, bind, func(row *row) error {
		of = append(of, row.int())
		replies = append(replies, store.Reply{
			ID: row.text(), CaseID: row.text(), NextAt: row.time(), EndsAt: row.time(), DoneAt: row.time(), Event: row.text(), State: row.blob(),
		})
		return nil
	})
	for i := range replies {
		if err == nil {
			replies[i].Channel, err = r.channelName(of[i])
		}
	}
	if err != nil {
		return nil, fmt.Errorf("reading replies: %w", err)
	}
	return replies, nil
}

// Replies implements store.Reader.
func (r reader) Replies(_ context.Context, channel string, ids []string) ([]*store.Reply, error) {
	return r.repliesBy("", "id", channel, ids)
}

// RepliesOfEvents implements store.Reader.
func (r reader) RepliesOfEvents(_ context.Context, channel string, events []string) ([]*store.Reply, error) {
	return r.repliesBy("INDEXED BY replies_event ", "event", channel, events)
}

// repliesBy are the replies of a channel by one value each of a column; index names it where it is not the primary key.
func (r reader) repliesBy(index, column, channel string, by []string) ([]*store.Reply, error) {
	replies := make([]*store.Reply, len(by))
	of, err := r.channel(channel)
	if err != nil {
		return nil, fmt.Errorf("reading replies: %w", err)
	}
	for i := range by {
		found, err := r.replies(index+"WHERE channel = ? AND "+column+" = ? LIMIT 1", func(b *binder) { b.int(of); b.text(by[i]) })
		if err != nil {
			return nil, err
		}
		if len(found) > 0 {
			replies[i] = &found[0]
		}
	}
	return replies, nil
}

// OpenReplies implements store.Reader.
func (r reader) OpenReplies(_ context.Context, channel string, until time.Time, limit int) ([]store.Reply, error) {
	of, err := r.channel(channel)
	if err != nil {
		return nil, fmt.Errorf("looking for replies: %w", err)
	}
	return r.replies("WHERE channel = ? AND next_at IS NOT NULL AND next_at <= ? ORDER BY next_at LIMIT ?",
		func(b *binder) { b.int(of); b.int(until.UnixMicro()); b.int(int64(limit)) })
}

// EndingReplies implements store.Reader.
func (r reader) EndingReplies(_ context.Context, until time.Time, limit int) ([]store.Reply, error) {
	return r.replies("WHERE ends_at IS NOT NULL AND ends_at <= ? ORDER BY ends_at LIMIT ?",
		func(b *binder) { b.int(until.UnixMicro()); b.int(int64(limit)) })
}

// OpenRepliesOf implements store.Reader.
func (r reader) OpenRepliesOf(_ context.Context, keys []complaint.CaseKey) (replies []store.Reply, err error) {
	for _, k := range keys {
		of, err := r.channel(k.Channel)
		if err != nil {
			return nil, fmt.Errorf("looking for replies: %w", err)
		}
		found, err := r.replies("INDEXED BY replies_case WHERE channel = ? AND case_id = ? AND next_at IS NOT NULL", func(b *binder) { b.int(of); b.text(k.CaseID) })
		if err != nil {
			return nil, err
		}
		replies = append(replies, found...)
	}
	return replies, nil
}

// RepliesAfter implements store.Reader.
func (r reader) RepliesAfter(_ context.Context, channel, id string, limit int) ([]store.Reply, error) {
	of, err := r.channel(channel)
	if err != nil {
		return nil, fmt.Errorf("listing replies: %w", err)
	}
	return r.replies("WHERE channel = ? AND id > ? ORDER BY id LIMIT ?", func(b *binder) { b.int(of); b.text(id); b.int(int64(limit)) })
}

// PutReplies implements store.Tx.
func (t *tx) PutReplies(_ context.Context, replies []store.Reply) error {
	for i := range replies {
		reply := &replies[i]
		t.wrote, t.cleared = true, t.cleared || !reply.DoneAt.IsZero()
		channel, err := t.channelForInsert(reply.Channel)
		if err == nil {
			err = t.query(`INSERT INTO replies (channel, id, case_id, next_at, ends_at, done_at, event, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
				ON CONFLICT (channel, id) DO UPDATE SET case_id = excluded.case_id, next_at = excluded.next_at, ends_at = excluded.ends_at,
				done_at = excluded.done_at, event = excluded.event, state = excluded.state`,
				func(b *binder) {
					b.int(channel)
					b.text(reply.ID)
					b.optional(reply.CaseID)
					b.time(reply.NextAt)
					b.time(reply.EndsAt)
					b.time(reply.DoneAt)
					b.optional(reply.Event)
					b.blob(reply.State)
				}, nil)
		}
		if err != nil {
			return fmt.Errorf("writing replies: %w", err)
		}
	}
	return nil
}

// DropReplies implements store.Tx.
func (t *tx) DropReplies(_ context.Context, doneBefore time.Time, limit int) (n int, err error) {
	err = t.query(`DELETE FROM replies WHERE (channel, id) IN
		(SELECT channel, id FROM replies WHERE done_at IS NOT NULL AND done_at < ? ORDER BY done_at LIMIT ?) RETURNING 1`,
		func(b *binder) { b.int(doneBefore.UnixMicro()); b.int(int64(limit)) },
		func(*row) error { n++; return nil })
	if err != nil {
		return 0, fmt.Errorf("dropping replies: %w", err)
	}
	t.wrote = t.wrote || n > 0
	return n, nil
}
