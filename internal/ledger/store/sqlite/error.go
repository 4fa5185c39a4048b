package sqlite

import (
	"errors"
	"fmt"

	"github.com/ncruces/go-sqlite3"

	"github.com/tanggap/tanggap/internal/ledger/store"
)

var errDamaged = store.ErrDamaged

// classify says in the store's words what a database error means. SQLite's own text holds no values
// of rows, only names of tables and columns.
func classify(err error) error {
	var code sqlite3.ErrorCode
	if err == nil || !errors.As(err, &code) {
		return err
	}
	switch code {
	case sqlite3.FULL:
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	case sqlite3.CORRUPT, sqlite3.NOTADB, sqlite3.FORMAT:
		return fmt.Errorf("%w, restore it from a backup: %w", store.ErrDamaged, err)
	default:
		return err
	}
}
