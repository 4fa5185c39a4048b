package sqlite

import (
	"embed"
	"fmt"
	"io/fs"

	"github.com/tanggap/tanggap/internal/ledger/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// applicationID marks the file as a ledger of this program ("TNGG"), so that another program's
// database is not taken for an empty one.
const applicationID = 0x544e4747

// migrate brings the database to the newest version of the schema: user_version counts the files of
// migrations that were applied. Each is applied in a transaction of its own.
func (c *conn) migrate(mayWrite bool) error {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return fmt.Errorf("listing the migrations: %w", err)
	}
	version, err := c.pragma("user_version")
	if err != nil {
		return err
	}
	id, err := c.pragma("application_id")
	if err != nil {
		return err
	}
	switch {
	case id != applicationID && (id != 0 || version != 0):
		return fmt.Errorf("%w: the file is another program's database", store.ErrDamaged)
	case version > int64(len(files)):
		return fmt.Errorf("%w: its schema is version %d, this program knows %d", store.ErrNewer, version, len(files))
	case version == int64(len(files)):
		return nil
	case !mayWrite:
		return fmt.Errorf("the ledger's schema is version %d of %d: start the ledger once to bring it up", version, len(files))
	}
	for n := version; n < int64(len(files)); n++ {
		script, err := migrations.ReadFile(files[n])
		if err != nil {
			return fmt.Errorf("reading a migration: %w", err)
		}
		all := fmt.Sprintf("BEGIN IMMEDIATE; %s; PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT", script, applicationID, n+1)
		if err := c.db.Exec(all); err != nil {
			if !c.db.GetAutocommit() {
				_ = c.db.Exec("ROLLBACK")
			}
			return fmt.Errorf("applying %s: %w", files[n], classify(err))
		}
	}
	return nil
}

func (c *conn) pragma(name string) (value int64, err error) {
	err = c.query("PRAGMA "+name, nil, func(r *row) error {
		value = r.int()
		return nil
	})
	return value, err
}
