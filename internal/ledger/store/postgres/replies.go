package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

const replyColumns = "p.id, p.case_id, p.next_at, p.ends_at, p.done_at, p.event, p.state"

var (
	repliesByID = "SELECT u.n, " + replyColumns + " FROM (SELECT " + numbered("id", "text") + `) u
	CROSS JOIN LATERAL (SELECT * FROM replies p WHERE p.channel = $2 AND p.id = u.id LIMIT 1) p`
	repliesOfEvents = "SELECT u.n, " + replyColumns + " FROM (SELECT " + numbered("event", "text") + `) u
	CROSS JOIN LATERAL (SELECT * FROM replies p WHERE p.channel = $2 AND p.event IS NOT NULL AND p.event = u.event LIMIT 1) p`
	openRepliesOf = "SELECT u.n, " + replyColumns + " FROM (SELECT " + numbered("channel, case_id", "integer, text") + `) u
	CROSS JOIN LATERAL (SELECT * FROM replies p WHERE p.channel = u.channel AND p.case_id = u.case_id AND p.next_at IS NOT NULL OFFSET 0) p`
	// As a range in the order of the index, so that no other one will do.
	openReplies = "SELECT " + replyColumns + ` FROM replies p WHERE p.next_at IS NOT NULL
	AND (p.channel, p.next_at) >= ($1, -9223372036854775808) AND (p.channel, p.next_at) <= ($1, $2) ORDER BY p.channel, p.next_at LIMIT $3`
	repliesAfter  = "SELECT " + replyColumns + " FROM replies p WHERE p.channel = $1 AND p.id > $2 ORDER BY p.id LIMIT $3"
	endingReplies = "SELECT c.name, " + replyColumns + ` FROM
	(SELECT * FROM replies p WHERE p.ends_at IS NOT NULL AND p.ends_at <= $1 ORDER BY p.ends_at LIMIT $2) p
	CROSS JOIN LATERAL (SELECT * FROM channels c WHERE c.id = p.channel LIMIT 1) c`
)

// reply reads replyColumns.
func (r *row) reply(channel string) store.Reply {
	return store.Reply{
		Channel: channel, ID: r.text(), CaseID: r.text(), NextAt: r.time(), EndsAt: r.time(), DoneAt: r.time(), Event: r.text(), State: r.bytea(),
	}
}

// Replies implements store.Reader.
func (r *reader) Replies(_ context.Context, channel string, ids []string) ([]*store.Reply, error) {
	replies, err := r.repliesBy(repliesByID, channel, ids)
	if err != nil {
		return nil, fmt.Errorf("reading replies: %w", err)
	}
	return replies, nil
}

// RepliesOfEvents implements store.Reader.
func (r *reader) RepliesOfEvents(_ context.Context, channel string, events []string) ([]*store.Reply, error) {
	replies, err := r.repliesBy(repliesOfEvents, channel, events)
	if err != nil {
		return nil, fmt.Errorf("looking for replies by their answers: %w", err)
	}
	return replies, nil
}

// repliesBy are the replies of a channel by one text each.
func (r *reader) repliesBy(sql, channel string, by []string) ([]*store.Reply, error) {
	replies := make([]*store.Reply, len(by))
	of, err := r.channel(channel)
	if err == nil && of != 0 && len(by) > 0 {
		err = r.query(sql,
			func(a *args) { texts(a, by, func(text *string) string { return *text }); a.int4(of) },
			func(row *row) error {
				place := row.int4() - 1
				found := row.reply(channel)
				replies[place] = &found
				return nil
			})
	}
	return replies, err
}

// OpenReplies implements store.Reader.
func (r *reader) OpenReplies(_ context.Context, channel string, until time.Time, limit int) ([]store.Reply, error) {
	replies, err := r.repliesOf(openReplies, channel, func(a *args) { a.int8(until.UnixMicro()) }, limit)
	if err != nil {
		return nil, fmt.Errorf("looking for replies: %w", err)
	}
	return replies, nil
}

// RepliesAfter implements store.Reader.
func (r *reader) RepliesAfter(_ context.Context, channel, id string, limit int) ([]store.Reply, error) {
	replies, err := r.repliesOf(repliesAfter, channel, func(a *args) { a.text(id) }, limit)
	if err != nil {
		return nil, fmt.Errorf("listing replies: %w", err)
	}
	return replies, nil
}

// repliesOf are at most limit replies of a channel; bind binds the statement's second argument.
func (r *reader) repliesOf(sql, channel string, bind func(*args), limit int) (replies []store.Reply, err error) {
	of, err := r.channel(channel)
	if err != nil || of == 0 {
		return nil, err
	}
	err = r.query(sql,
		func(a *args) { a.int4(of); bind(a); a.int8(int64(limit)) },
		func(row *row) error {
			replies = append(replies, row.reply(channel))
			return nil
		})
	return replies, err
}

// EndingReplies implements store.Reader.
func (r *reader) EndingReplies(_ context.Context, until time.Time, limit int) (replies []store.Reply, err error) {
	err = r.query(endingReplies,
		func(a *args) { a.int8(until.UnixMicro()); a.int8(int64(limit)) },
		func(row *row) error {
			replies = append(replies, row.reply(row.text()))
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("looking for replies that end: %w", err)
	}
	return replies, nil
}

// OpenRepliesOf implements store.Reader.
func (r *reader) OpenRepliesOf(_ context.Context, keys []complaint.CaseKey) (replies []store.Reply, err error) {
	names := make([]string, len(keys))
	for i := range keys {
		names[i] = keys[i].Channel
	}
	if err = r.findChannels(names); err == nil && len(keys) > 0 {
		err = r.query(openRepliesOf,
			func(a *args) {
				int4s(a, keys, func(k *complaint.CaseKey) int32 { return r.ids[k.Channel] })
				texts(a, keys, func(k *complaint.CaseKey) string { return k.CaseID })
			},
			func(row *row) error {
				replies = append(replies, row.reply(keys[row.int4()-1].Channel))
				return nil
			})
	}
	if err != nil {
		return nil, fmt.Errorf("looking for the replies of cases: %w", err)
	}
	return replies, nil
}

var putReplies = "INSERT INTO replies (channel, id, case_id, next_at, ends_at, done_at, event, state) SELECT " +
	columns("", "integer, text, text, bigint, bigint, bigint, text, bytea") + `
	ON CONFLICT (channel, id) DO UPDATE SET case_id = excluded.case_id, next_at = excluded.next_at, ends_at = excluded.ends_at,
	done_at = excluded.done_at, event = excluded.event, state = excluded.state`

// PutReplies implements store.Tx.
func (t *tx) PutReplies(_ context.Context, replies []store.Reply) error {
	if len(replies) == 0 {
		return nil
	}
	t.wrote = true
	replies = lastOf(replies, func(p *store.Reply) [2]string { return [2]string{p.Channel, p.ID} })
	names := make([]string, len(replies))
	for i := range replies {
		names[i] = replies[i].Channel
	}
	err := t.channelsForInsert(names)
	if err == nil {
		err = t.queue(putReplies, func(a *args) {
			int4s(a, replies, func(p *store.Reply) int32 { return t.ids[p.Channel] })
			texts(a, replies, func(p *store.Reply) string { return p.ID })
			optionals(a, replies, func(p *store.Reply) string { return p.CaseID })
			times(a, replies, func(p *store.Reply) time.Time { return p.NextAt })
			times(a, replies, func(p *store.Reply) time.Time { return p.EndsAt })
			times(a, replies, func(p *store.Reply) time.Time { return p.DoneAt })
			optionals(a, replies, func(p *store.Reply) string { return p.Event })
			byteas(a, replies, func(p *store.Reply) []byte { return p.State })
		}, nil)
	}
	if err != nil {
		return fmt.Errorf("writing replies: %w", err)
	}
	return nil
}

// DropReplies implements store.Tx.
func (t *tx) DropReplies(_ context.Context, doneBefore time.Time, limit int) (n int, err error) {
	ids := map[int32][]string{}
	err = t.query("SELECT p.channel, p.id FROM replies p WHERE p.done_at IS NOT NULL AND p.done_at < $1 ORDER BY p.done_at LIMIT $2",
		func(a *args) { a.int8(doneBefore.UnixMicro()); a.int8(int64(limit)) },
		func(row *row) error {
			n++
			channel := row.int4()
			ids[channel] = append(ids[channel], row.text())
			return nil
		})
	for channel, of := range ids {
		if err == nil {
			t.wrote = true
			err = t.queue("DELETE FROM replies WHERE channel = $1 AND id = ANY ($2::text[])",
				func(a *args) { a.int4(channel); texts(a, of, func(id *string) string { return *id }) }, nil)
		}
	}
	if err != nil {
		return 0, fmt.Errorf("dropping replies: %w", err)
	}
	return n, nil
}
