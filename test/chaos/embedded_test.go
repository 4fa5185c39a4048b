package chaos

import (
	"context"
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

func (e *embedded) flags() []string { return []string{"--data", e.dir} }

func (e *embedded) open(context.Context) (store.Store, error) {
	return sqlite.Open(e.dir, sqlite.Options{Shared: true})
}

func (e *embedded) faults() []fault {
	if e.disk == nil {
		return nil
	}
	return []fault{onDisk(e.disk)}
}
