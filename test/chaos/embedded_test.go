package chaos

import (
	"context"
	"slices"
	"testing"

	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/internal/ledger/store/sqlite"
)

// embedded is a ledger's own file.
type embedded struct {
	dir  string
	disk *disk
}

func newEmbedded(t *testing.T, d *disk) storage {
	t.Helper()
	return &embedded{dir: folder(t, d), disk: d}
}

func (*embedded) name() string { return "embedded" }

func (*embedded) replicas() int { return 1 }

func (e *embedded) flags(int) []string { return []string{"--data", e.dir} }

func (e *embedded) open(context.Context) (store.Store, error) {
	return sqlite.Open(e.dir, sqlite.Options{Shared: true})
}

func (e *embedded) faults() []fault {
	faults := commonFaults()
	if e.disk == nil {
		return faults
	}
	// What the storage has of its own comes second, so that a short run has it.
	return slices.Insert(faults, 1, onDisk(e.disk))
}
