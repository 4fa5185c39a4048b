package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5"

	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/internal/ledger/store/postgres"
	"github.com/tanggap/tanggap/internal/ledger/store/sqlite"
	"github.com/tanggap/tanggap/test/site"
)

// storage is what a ledger is on.
type storage struct {
	name  string
	flags []string
	// open opens it for reading, beside the ledger.
	open func(ctx context.Context) (store.Store, error)
	// sizes are what it has of its own to be measured.
	sizes func(ctx context.Context) (map[string]float64, error)
	close func() error
}

// What storages have to be measured. The sizes of their files are in bytes.
const (
	dataFiles = "data"
	logFiles  = "log of writes"
	deadRows  = "dead rows"
)

func newStorage(ctx context.Context, o *options, variant string) (*storage, error) {
	if variant == "postgres" {
		return newDatabase(ctx, o)
	}
	dir := filepath.Join(o.Dir, variant+"-data")
	return &storage{
		name: "embedded", flags: []string{"--data", dir},
		open: func(context.Context) (store.Store, error) { return sqlite.Open(dir, sqlite.Options{Shared: true}) },
		sizes: func(context.Context) (map[string]float64, error) {
			data, err := os.Stat(filepath.Join(dir, "ledger.db"))
			if err != nil {
				return nil, fmt.Errorf("measuring the storage: %w", err)
			}
			sizes := map[string]float64{dataFiles: float64(data.Size()), logFiles: 0}
			log, err := os.Stat(filepath.Join(dir, "ledger.db-wal"))
			if err == nil {
				sizes[logFiles] = float64(log.Size())
			} else if !errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("measuring the storage: %w", err)
			}
			return sizes, nil
		},
		close: func() error { return nil },
	}, nil
}

// newDatabase starts a server whose log of writes comes to its bound, and is used again, within the first third.
func newDatabase(ctx context.Context, o *options) (_ *storage, err error) {
	settings := site.DatabaseSettings()
	settings["max_wal_size"], settings["min_wal_size"], settings["checkpoint_timeout"] = "256MB", "80MB", "1min"
	server, err := site.StartDatabase(ctx, filepath.Join(o.Dir, "database"), settings)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, server.Close())
		}
	}()
	name, err := server.NewDatabase(ctx)
	if err != nil {
		return nil, err
	}
	flags, err := server.Flags(name, server.Address())
	if err != nil {
		return nil, err
	}
	c, err := server.Connect(ctx, name)
	if err != nil {
		return nil, err
	}
	return &storage{
		name: "PostgreSQL", flags: flags,
		open: func(ctx context.Context) (store.Store, error) {
			options := server.Options(name, server.Address())
			options.Shared = true
			return postgres.Open(ctx, options)
		},
		sizes: func(ctx context.Context) (map[string]float64, error) { return databaseSizes(ctx, c) },
		close: func() error { return errors.Join(c.Close(context.WithoutCancel(ctx)), server.Close()) },
	}, nil
}

func databaseSizes(ctx context.Context, c *pgx.Conn) (map[string]float64, error) {
	var data, log, dead float64
	err := c.QueryRow(ctx, `SELECT pg_database_size(current_database()), (SELECT sum(size) FROM pg_ls_waldir()),
		(SELECT coalesce(sum(n_dead_tup), 0) FROM pg_stat_user_tables)`).Scan(&data, &log, &dead)
	if err != nil {
		return nil, fmt.Errorf("measuring the database: %w", err)
	}
	return map[string]float64{dataFiles: data, logFiles: log, deadRows: dead}, nil
}
