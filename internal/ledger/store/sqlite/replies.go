package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/tanggap/tanggap/internal/ledger/store"
)

// Replies implements store.Reader.
func (r reader) Replies(_ context.Context, channel string, ids []string) ([]*store.Reply, error) {
	replies := make([]*store.Reply, len(ids))
	channelID, err := r.channel(channel)
	if err != nil {
		return nil, fmt.Errorf("reading replies: %w", err)
	}
	for i, id := range ids {
		err := r.query("SELECT next_at, done_at, event, state FROM replies WHERE channel = ? AND id = ?",
			func(b *binder) { b.int(channelID); b.text(id) },
			func(row *row) error {
				replies[i] = &store.Reply{Channel: channel, ID: id, NextAt: row.time(), DoneAt: row.time(), Event: row.text(), State: row.blob()}
				return nil
			})
		if err != nil {
			return nil, fmt.Errorf("reading replies: %w", err)
		}
	}
	return replies, nil
}

// RepliesOfEvents implements store.Reader.
func (r reader) RepliesOfEvents(_ context.Context, channel string, events []string) ([]*store.Reply, error) {
	replies := make([]*store.Reply, len(events))
	channelID, err := r.channel(channel)
	if err != nil {
		return nil, fmt.Errorf("looking for replies by their answers: %w", err)
	}
	for i, event := range events {
		err := r.query("SELECT id, next_at, done_at, state FROM replies WHERE channel = ? AND event = ? ORDER BY id LIMIT 1",
			func(b *binder) { b.int(channelID); b.text(event) },
			func(row *row) error {
				replies[i] = &store.Reply{Channel: channel, ID: row.text(), NextAt: row.time(), DoneAt: row.time(), Event: event, State: row.blob()}
				return nil
			})
		if err != nil {
			return nil, fmt.Errorf("looking for replies by their answers: %w", err)
		}
	}
	return replies, nil
}

// OpenReplies implements store.Reader.
func (r reader) OpenReplies(_ context.Context, channel string, until time.Time, limit int) (replies []store.Reply, err error) {
	condition, channelID := "", int64(0)
	if channel != "" {
		condition = " AND channel = ?"
		if channelID, err = r.channel(channel); err != nil {
			return nil, fmt.Errorf("looking for replies: %w", err)
		}
	}
	var of []int64
	err = r.query("SELECT channel, id, next_at, event, state FROM replies WHERE next_at IS NOT NULL AND next_at <= ?"+condition+" ORDER BY next_at LIMIT ?",
		func(b *binder) {
			b.int(until.UnixMicro())
			if channel != "" {
				b.int(channelID)
			}
			b.int(int64(limit))
		},
		func(row *row) error {
			of = append(of, row.int())
			replies = append(replies, store.Reply{ID: row.text(), NextAt: row.time(), Event: row.text(), State: row.blob()})
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("looking for replies: %w", err)
	}
	for i := range replies {
		if replies[i].Channel, err = r.channelName(of[i]); err != nil {
			return nil, fmt.Errorf("looking for replies: %w", err)
		}
	}
	return replies, nil
}

// RepliesAfter implements store.Reader.
func (r reader) RepliesAfter(_ context.Context, channel, id string, limit int) (replies []store.Reply, err error) {
	of, err := r.channel(channel)
	if err == nil && of != 0 {
		err = r.query("SELECT id, next_at, done_at, event, state FROM replies WHERE channel = ? AND id > ? ORDER BY id LIMIT ?",
			func(b *binder) { b.int(of); b.text(id); b.int(int64(limit)) },
			func(row *row) error {
				replies = append(replies, store.Reply{
					Channel: channel, ID: row.text(), NextAt: row.time(), DoneAt: row.time(), Event: row.text(), State: row.blob(),
				})
				return nil
			})
	}
	if err != nil {
		return nil, fmt.Errorf("listing replies: %w", err)
	}
	return replies, nil
}

// PutReplies implements store.Tx.
func (t *tx) PutReplies(_ context.Context, replies []store.Reply) error {
	for i := range replies {
		reply := &replies[i]
		t.wrote, t.cleared = true, t.cleared || !reply.DoneAt.IsZero()
		channel, err := t.channelForInsert(reply.Channel)
		if err == nil {
			err = t.query(`INSERT INTO replies (channel, id, next_at, done_at, event, state) VALUES (?, ?, ?, ?, ?, ?)
				ON CONFLICT (channel, id) DO UPDATE SET next_at = excluded.next_at, done_at = excluded.done_at, event = excluded.event,
				state = excluded.state`,
				func(b *binder) {
					b.int(channel)
					b.text(reply.ID)
					b.time(reply.NextAt)
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
