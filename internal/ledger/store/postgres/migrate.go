package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/tanggap/tanggap/internal/ledger/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// lockID is the advisory lock under which one process of many migrates ("TNGG").
const lockID = 0x544e4747

// migrate brings the schema to the newest version. A schema that has it is not locked, so that ledgers
// start while others run, and behind a pooler.
func (s *Store) migrate(ctx context.Context, c *pgx.Conn) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("reading the migrations: %w", err)
	}
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return fmt.Errorf("reading the migrations: %w", err)
	}
	newest := int64(len(names)) // they are numbered from 1 without gaps
	version, err := schemaVersion(ctx, c)
	switch {
	case err != nil:
		return err
	case version > newest:
		return fmt.Errorf("%w: its schema is version %d, this program knows %d", store.ErrNewer, version, newest)
	case version == newest:
		return nil
	case s.options.Shared:
		return fmt.Errorf("the ledger's schema is version %d of %d: start the ledger once to bring it up", version, newest)
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(lockID), lock.WithLockTimeout(1, 300))
	if err != nil {
		return fmt.Errorf("preparing the migrations: %w", err)
	}
	db := stdlib.OpenDB(*c.Config(), stdlib.OptionAfterConnect(func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, fmt.Sprintf("SET lock_timeout = %d", tablePatience.Milliseconds()))
		return err
	}))
	defer db.Close()
	log := s.options.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithSessionLocker(locker), goose.WithSlog(log), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("preparing the migrations: %w", err)
	}
	if err := s.bringUp(ctx, provider, log); err != nil {
		return fmt.Errorf("migrating the database: %w", refusedOnly(err))
	}
	return nil
}

// tablePatience is how long a migration waits for a table: as long do the transactions of all ledgers wait behind
// it. migratePause is the time between two attempts, outside of tests.
const (
	tablePatience = time.Second
	migratePause  = 5 * time.Second
)

// bringUp applies the migrations. Who has a table open for long, as a dump or a verification, is waited for in
// pauses, in which the ledgers of the version before go on.
func (s *Store) bringUp(ctx context.Context, provider *goose.Provider, log *slog.Logger) error {
	pause := s.options.migratePause
	if pause == 0 {
		pause = migratePause
	}
	for waited := false; ; waited = true {
		_, err := provider.Up(ctx)
		if refused, is := errors.AsType[*pgconn.PgError](err); !is || refused.Code != lockNotAvailable {
			return err
		}
		if !waited {
			log.Warn("Waited for a transaction that has the ledger's tables open, such as a dump or a verification, to migrate them")
		}
		if err := wait(ctx, pause); err != nil {
			return err
		}
	}
}

// lockNotAvailable is the server's code for a lock that was not given in time.
const lockNotAvailable = "55P03"

// refusedOnly is a migration's error without the statement, which the server's words suffice for.
func refusedOnly(err error) error {
	if refused, is := errors.AsType[*pgconn.PgError](err); is {
		return classify(refused)
	}
	return err
}

// schemaVersion is how many migrations the database has.
func schemaVersion(ctx context.Context, c *pgx.Conn) (version int64, err error) {
	err = c.QueryRow(ctx, "SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied").Scan(&version)
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == "42P01" { // undefined_table: an empty database
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading the version of the schema: %w", classify(err))
	}
	return version, nil
}
