package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/internal/ledger/store/postgres"
	"github.com/tanggap/tanggap/internal/ledger/store/sqlite"
)

// storageFlags say where a ledger is kept, for the commands that work on its storage.
type storageFlags struct {
	data     string
	postgres postgres.Options
}

// The names of the flags.
const (
	flagData             = "data"
	flagPostgresURLFile  = "postgres-url-file"
	flagPostgresPassword = "postgres-password-file"
	flagPostgresCA       = "postgres-ca"
)

// add adds the flags to a command; exactly one of them names a storage.
func (f *storageFlags) add(command *cobra.Command) {
	f.define(command)
	command.MarkFlagsOneRequired(flagData, flagPostgresURLFile)
}

// given reports whether one of the flags names a storage.
func (f *storageFlags) given() bool { return f.data != "" || f.postgres.URLFile != "" }

// define adds the flags to a command; at most one of them names a storage.
func (f *storageFlags) define(command *cobra.Command) {
	flags := command.Flags()
	flags.StringVar(&f.data, flagData, "", "directory of the embedded storage (this or --"+flagPostgresURLFile+" is required)")
	flags.StringVar(&f.postgres.URLFile, flagPostgresURLFile, "",
		"file with the connection string of a PostgreSQL database, postgres://user:password@host:5432/database; read again for every connection")
	flags.StringVar(&f.postgres.PasswordFile, flagPostgresPassword, "", "file with the password, if it is not in the connection string; read again for every connection")
	flags.StringVar(&f.postgres.CAFile, flagPostgresCA, "", "PEM file with the CA of the database's certificate; by default the system's")
	command.MarkFlagsMutuallyExclusive(flagData, flagPostgresURLFile)
	command.MarkFlagsMutuallyExclusive(flagData, flagPostgresPassword)
	command.MarkFlagsMutuallyExclusive(flagData, flagPostgresCA)
}

// read opens the storage for reading; a ledger may be running on it.
func (f *storageFlags) read(ctx context.Context) (store.Store, error) {
	if f.postgres.URLFile == "" {
		return sqlite.Open(f.data, sqlite.Options{Shared: true})
	}
	options := f.postgres
	options.Shared = true
	return postgres.Open(ctx, options)
}

// write opens the storage for writing, which it makes when it is not there. log, which may be nil, receives
// what is done to bring it up.
func (f *storageFlags) write(ctx context.Context, log *slog.Logger) (store.Store, error) {
	if f.postgres.URLFile == "" {
		return sqlite.Open(f.data, sqlite.Options{})
	}
	options := f.postgres
	options.Log, options.Now = log, time.Now
	return postgres.Open(ctx, options)
}
