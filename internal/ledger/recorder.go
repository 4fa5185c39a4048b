package ledger

import (
	"context"
	"time"

	"github.com/tanggap/tanggap/internal/ledger/store"
)

// recorder notes whether a transaction writes anything.
type recorder struct {
	store.Tx
	wrote bool
}

// InsertEvents implements store.Tx.
func (r *recorder) InsertEvents(ctx context.Context, events []store.Event) ([]bool, error) {
	r.wrote = r.wrote || len(events) > 0
	return r.Tx.InsertEvents(ctx, events)
}

// ReplaceEvents implements store.Tx.
func (r *recorder) ReplaceEvents(ctx context.Context, events []store.Event) error {
	r.wrote = r.wrote || len(events) > 0
	return r.Tx.ReplaceEvents(ctx, events)
}

// PutCases implements store.Tx.
func (r *recorder) PutCases(ctx context.Context, cases []store.Case) error {
	r.wrote = r.wrote || len(cases) > 0
	return r.Tx.PutCases(ctx, cases)
}

// AddFigures implements store.Tx.
func (r *recorder) AddFigures(ctx context.Context, figures []store.Figures) error {
	r.wrote = r.wrote || len(figures) > 0
	return r.Tx.AddFigures(ctx, figures)
}

// PutChannels implements store.Tx.
func (r *recorder) PutChannels(ctx context.Context, channels []store.Channel) error {
	r.wrote = r.wrote || len(channels) > 0
	return r.Tx.PutChannels(ctx, channels)
}

// PutSetting implements store.Tx.
func (r *recorder) PutSetting(ctx context.Context, name string, value []byte) error {
	r.wrote = true
	return r.Tx.PutSetting(ctx, name, value)
}

// PutReplies implements store.Tx.
func (r *recorder) PutReplies(ctx context.Context, replies []store.Reply) error {
	r.wrote = r.wrote || len(replies) > 0
	return r.Tx.PutReplies(ctx, replies)
}

// DropReplies implements store.Tx.
func (r *recorder) DropReplies(ctx context.Context, doneBefore time.Time, limit int) (int, error) {
	n, err := r.Tx.DropReplies(ctx, doneBefore, limit)
	r.wrote = r.wrote || n > 0
	return n, err
}
