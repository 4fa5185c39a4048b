package postgres

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tanggap/tanggap/internal/ledger/store"
)

// classify says in the store's words what an error of the server, or of the way to it, means. The server's
// message names tables and columns; its detail, in which values may stand, is left out.
func classify(err error) error {
	var refused *pgconn.PgError
	if !errors.As(err, &refused) {
		// Not wrapped: the end of the conversation's own context is not the end of the caller's.
		return fmt.Errorf("%w: %s", store.ErrUnavailable, err.Error())
	}
	switch code := refused.Code; {
	case code == "53100": // disk_full
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	case code == "XX001", code == "XX002": // data_corrupted, index_corrupted
		return fmt.Errorf("%w, restore it from a backup: %w", store.ErrDamaged, err)
	case unavailable(code):
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	default:
		return err
	}
}

// unavailable reports whether a code says that the server cannot work now, whatever it is asked: lost
// connections (08), refused sign-ins (28), resources other than the disk (53), a standby in place of the
// primary (25006), locks that were not given in time (55P03), and interventions (57).
func unavailable(code string) bool {
	for _, class := range []string{"08", "28", "53", "57", "25006", "55P03", "3D000"} {
		if strings.HasPrefix(code, class) {
			return true
		}
	}
	return false
}

// broken reports whether an error of the server or of the connection has made the connection useless.
func broken(err error) bool {
	var refused *pgconn.PgError
	if !errors.As(err, &refused) {
		return true
	}
	switch refused.Code {
	case "25006": // read_only_sql_transaction: the server has become a standby
		return true
	case "0A000", "26000": // a prepared statement is of a schema before a migration, or behind a pooler of another connection
		return true
	}
	return refused.SeverityUnlocalized == "FATAL" || refused.SeverityUnlocalized == "PANIC"
}

// conflicts reports whether the transaction met another one (serialization_failure, deadlock_detected).
func conflicts(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && (refused.Code == "40001" || refused.Code == "40P01")
}
