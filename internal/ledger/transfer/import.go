package transfer

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/tanggap/tanggap/internal/ledger/store"
)

// batchEvents is about how many events one transaction of an import stores.
const batchEvents = 4000

// settingImport is the setting that says how far an import has come.
const settingImport = "import"

// state is kept as a setting in the transaction that stores what it speaks of.
type state struct {
	// Export is the id of what is imported, Cases how many of its cases are stored.
	Export   string `json:"export"`
	Cases    int    `json:"cases"`
	Complete bool   `json:"complete"`
}

func stateOf(ctx context.Context, r store.Reader) (*state, error) {
	value, err := r.Setting(ctx, settingImport)
	if err != nil || value == nil {
		return nil, err
	}
	s := &state{}
	if err := json.Unmarshal(value, s); err != nil {
		return nil, fmt.Errorf("%w: the setting %q cannot be read", store.ErrDamaged, settingImport)
	}
	return s, nil
}

// Check is ErrUnfinished while an import into the storage has not come to its end: what is there must
// not be used before.
func Check(ctx context.Context, r store.Reader) error {
	s, err := stateOf(ctx, r)
	if err == nil && s != nil && !s.Complete {
		return ErrUnfinished
	}
	return err
}

// Import reads an export into a storage that is empty, or that holds the beginning of the same export
// because an earlier import ended early; it then goes on from there. It has a few cases in memory at a
// time. When it returns nil, the whole export was there as it was written, and is stored. No ledger may use
// the storage meanwhile. progress, which may be nil, is told how many cases are stored.
func Import(ctx context.Context, s store.Store, in io.Reader, progress func(cases int)) (Totals, error) {
	i := &importer{store: s, lines: newReader(in), progress: progress}
	if err := i.run(ctx); err != nil {
		return Totals{}, fmt.Errorf("importing the ledger: %w", err)
	}
	return i.lines.totals, nil
}

type importer struct {
	store    store.Store
	lines    *reader
	progress func(int)
	header   *header
	// stored are the cases that an earlier attempt stored.
	stored int
}

func (i *importer) run(ctx context.Context) (err error) {
	if i.header, err = i.lines.header(); err != nil {
		return err
	}
	small, err := i.lines.small()
	if err != nil {
		return err
	}
	if err := i.begin(ctx, small); err != nil {
		return err
	}
	for {
		batch, more, err := i.lines.batch(i.stored)
		if err != nil {
			return err
		}
		if len(batch.cases)+len(batch.replies) > 0 {
			if err := i.put(ctx, batch); err != nil {
				return err
			}
		}
		if !more {
			break
		}
	}
	// Only now is it known that the stream was whole.
	return i.store.Update(ctx, func(tx store.Tx) error {
		return i.note(ctx, tx, state{Export: i.header.ID, Cases: i.lines.totals.Cases, Complete: true})
	})
}

// begin stores what stands before the cases, unless an earlier attempt has.
func (i *importer) begin(ctx context.Context, s *small) error {
	return i.store.Update(ctx, func(tx store.Tx) error {
		i.stored = 0
		before, err := stateOf(ctx, tx)
		switch {
		case err != nil:
			return err
		case before == nil:
		case before.Export != i.header.ID:
			return fmt.Errorf("%w: it holds another export", ErrNotEmpty)
		case before.Complete:
			return fmt.Errorf("%w: it holds the whole of this export already", ErrNotEmpty)
		default:
			i.stored = before.Cases
			return nil
		}
		if err := empty(ctx, tx); err != nil {
			return err
		}
		for _, setting := range s.settings {
			if err := tx.PutSetting(ctx, setting.Name, setting.Value); err != nil {
				return err
			}
		}
		if len(s.channels) > 0 {
			if err := tx.PutChannels(ctx, s.channels); err != nil {
				return err
			}
		}
		if len(s.figures) > 0 {
			if err := tx.AddFigures(ctx, s.figures); err != nil {
				return err
			}
		}
		return i.note(ctx, tx, state{Export: i.header.ID})
	})
}

// empty is ErrNotEmpty for a storage that holds anything.
func empty(ctx context.Context, r store.Reader) error {
	settings, err := r.Settings(ctx, 0)
	if err != nil {
		return err
	}
	channels, err := r.Channels(ctx, 0)
	if err != nil {
		return err
	}
	figures := 0
	if err := r.Figures(ctx, 0, func(store.Figures) error { figures++; return nil }); err != nil {
		return err
	}
	cases, _, err := r.Page(ctx, store.PageQuery{Limit: 1, Scan: 1})
	if err != nil {
		return err
	}
	if len(settings)+len(channels)+figures+len(cases) > 0 {
		return fmt.Errorf("%w: it holds a ledger already", ErrNotEmpty)
	}
	return nil
}

func (i *importer) put(ctx context.Context, b *batch) error {
	done := i.lines.totals.Cases
	err := i.store.Update(ctx, func(tx store.Tx) error {
		if err := tx.PutReplies(ctx, b.replies); err != nil {
			return err
		}
		inserted, err := tx.InsertEvents(ctx, b.events)
		if err != nil {
			return err
		}
		for _, fresh := range inserted {
			if !fresh {
				return fmt.Errorf("%w: an event stands in it twice", ErrInvalid)
			}
		}
		if err := tx.PutCases(ctx, b.cases); err != nil {
			return err
		}
		return i.note(ctx, tx, state{Export: i.header.ID, Cases: done})
	})
	if err == nil && i.progress != nil {
		i.progress(done)
	}
	return err
}

// note keeps how far the import has come, and the instant up to which the ledger had judged.
func (i *importer) note(ctx context.Context, tx store.Tx, s state) error {
	encoded, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encoding the state of the import: %w", err)
	}
	if i.header.At != nil {
		tx.Stamp(i.header.At.UTC())
	}
	return tx.PutSetting(ctx, settingImport, encoded)
}
