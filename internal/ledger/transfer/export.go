package transfer

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

// pageCases is how many cases are read at once.
const pageCases = 500

// Export writes everything that the storage holds, as one snapshot, of which it has a few cases in memory
// at a time. A ledger may use the storage meanwhile; what it stores later is not in the export. progress,
// which may be nil, is told how many cases have been written.
func Export(ctx context.Context, s store.Store, out io.Writer, now time.Time, progress func(cases int)) (Totals, error) {
	w := newWriter(out)
	err := s.View(ctx, func(r store.Reader) error {
		state, err := stateOf(ctx, r)
		if err != nil {
			return err
		}
		if state != nil && !state.Complete {
			return ErrUnfinished
		}
		return w.everything(ctx, r, now, progress)
	})
	if err != nil {
		return Totals{}, fmt.Errorf("exporting the ledger: %w", err)
	}
	return w.totals, nil
}

// writer writes lines and adds them up.
type writer struct {
	out     *bufio.Writer
	encoder *json.Encoder
	totals  Totals
	// all is the sum of what was written.
	all interface {
		io.Writer
		Sum(b []byte) []byte
	}
}

func newWriter(out io.Writer) *writer {
	w := &writer{out: bufio.NewWriterSize(out, 1<<18), all: sha256.New()}
	w.encoder = json.NewEncoder(io.MultiWriter(w.out, w.all))
	w.encoder.SetEscapeHTML(false)
	return w
}

func (w *writer) write(l line) error {
	if err := w.encoder.Encode(l); err != nil {
		return fmt.Errorf("writing the export: %w", err)
	}
	return nil
}

func (w *writer) everything(ctx context.Context, r store.Reader, now time.Time, progress func(int)) error {
	head, err := r.Head(ctx)
	if err != nil {
		return err
	}
	id := make([]byte, 16)
	rand.Read(id)
	err = w.write(line{Header: &header{
		Format: format, Version: version, ID: hex.EncodeToString(id), ExportedAt: now.UTC(), At: optional(head.At),
	}})
	if err != nil {
		return err
	}
	if err := w.small(ctx, r); err != nil {
		return err
	}
	if err := w.replies(ctx, r); err != nil {
		return err
	}
	if err := w.cases(ctx, r, progress); err != nil {
		return err
	}
	sum := hex.EncodeToString(w.all.Sum(nil))
	if err := w.write(line{End: &end{Totals: w.totals, SHA256: sum}}); err != nil {
		return err
	}
	if err := w.out.Flush(); err != nil {
		return fmt.Errorf("writing the export: %w", err)
	}
	return nil
}

// small writes what there is a bounded number of.
func (w *writer) small(ctx context.Context, r store.Reader) error {
	settings, err := r.Settings(ctx, 0)
	if err != nil {
		return err
	}
	for _, s := range settings {
		if local(s.Name) {
			continue
		}
		w.totals.Settings++
		if err := w.write(line{Setting: &settingLine{Name: s.Name, Value: s.Value}}); err != nil {
			return err
		}
	}
	channels, err := r.Channels(ctx, 0)
	if err != nil {
		return err
	}
	for i := range channels {
		w.totals.Channels++
		if err := w.write(line{Channel: lineOfChannel(&channels[i])}); err != nil {
			return err
		}
	}
	return r.Figures(ctx, 0, func(f store.Figures) error {
		w.totals.Figures++
		return w.write(line{Figures: &figuresLine{Key: f.Key, Values: f.Values}})
	})
}

// replies writes those of all channels, also what is done: it is how a reply is recognised that is asked for
// again.
func (w *writer) replies(ctx context.Context, r store.Reader) error {
	channels, err := r.Channels(ctx, 0)
	if err != nil {
		return err
	}
	for i := range channels {
		for last := ""; ; {
			replies, err := r.RepliesAfter(ctx, channels[i].Name, last, pageCases)
			if err != nil {
				return err
			}
			for j := range replies {
				one := &replies[j]
				last = one.ID
				w.totals.Replies++
				err := w.write(line{Reply: &replyLine{
					Channel: one.Channel, ID: one.ID, Case: one.CaseID, NextAt: optional(one.NextAt), EndsAt: optional(one.EndsAt),
					DoneAt: optional(one.DoneAt), Event: one.Event, State: one.State,
				}})
				if err != nil {
					return err
				}
			}
			if len(replies) < pageCases {
				break
			}
		}
	}
	return nil
}

// local reports whether a setting is about one storage, and no part of what is kept there: where its
// content came from, and which processes have run on it and since which of its revisions.
func local(setting string) bool {
	return setting == settingImport || setting == "lives" || setting == "watch"
}

func (w *writer) cases(ctx context.Context, r store.Reader, progress func(int)) error {
	query := store.PageQuery{Limit: pageCases, Scan: pageCases}
	for {
		rows, next, err := r.Page(ctx, query)
		if err != nil {
			return err
		}
		err = store.EachPortion(ctx, r, rows, func(some []store.Case, events [][]store.Event) error {
			err := w.portion(some, events)
			if err == nil && progress != nil {
				progress(w.totals.Cases)
			}
			return err
		})
		if err != nil {
			return err
		}
		if next == nil {
			return nil
		}
		query.After = next
	}
}

func (w *writer) portion(rows []store.Case, events [][]store.Event) error {
	for i := range rows {
		slices.SortFunc(events[i], func(a, b store.Event) int { return complaint.Compare(&a.Event, &b.Event) })
		w.totals.Cases++
		w.totals.Events += len(events[i])
		if err := w.write(line{Case: lineOfCase(&rows[i], len(events[i]))}); err != nil {
			return err
		}
		for j := range events[i] {
			e := &events[i][j]
			if err := w.write(line{Event: &eventLine{Event: e.Event, Pseudonym: e.Pseudonym, ReceivedAt: e.ReceivedAt}}); err != nil {
				return err
			}
		}
	}
	return nil
}
