package ledger

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

// fullStore has no room for anything that is written while it is full, as a disk.
type fullStore struct {
	store.Store
	full atomic.Bool
}

func (s *fullStore) Update(ctx context.Context, f func(store.Tx) error) error {
	return s.Store.Update(ctx, func(tx store.Tx) error {
		written := &recorder{Tx: tx}
		if err := f(written); err != nil {
			return err
		}
		if written.wrote && s.full.Load() {
			return store.ErrFull
		}
		return nil
	})
}

// TestAFullStorageIsNotTakenForWellByWhatWritesNothing has ticks go on in which nothing is due.
func TestAFullStorageIsNotTakenForWellByWhatWritesNothing(t *testing.T) {
	f := testFixture(t)
	var log bytes.Buffer
	f.ledger.log = slog.New(slog.NewTextHandler(&log, nil))
	disk := &fullStore{Store: f.store.Store}
	f.store.Store = disk
	disk.full.Store(true)
	for range 3 {
		_, err := f.ledger.Append(t.Context(), "dsw", ledgerapi.AppendRequest{Events: []complaint.Event{received("C1", monday)}})
		if !errors.Is(err, store.ErrFull) {
			t.Fatalf("The error is %v; want that the storage is full", err)
		}
		f.advance()
		if err := f.ledger.Healthy(); !errors.Is(err, store.ErrFull) {
			t.Errorf("After a tick the ledger says of its storage: %v; want that it is full", err)
		}
	}
	if n := strings.Count(log.String(), "level="); n != 1 {
		t.Errorf("The log has %d lines; want that it is full said once:\n%s", n, log.String())
	}
	disk.full.Store(false)
	f.append("dsw", received("C1", monday))
	if err := f.ledger.Healthy(); err != nil || !strings.Contains(log.String(), "Stored again") {
		t.Errorf("With room again the ledger says %v, and in its log:\n%s", err, log.String())
	}
}
