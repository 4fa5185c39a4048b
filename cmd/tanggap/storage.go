package main

import (
	"github.com/spf13/cobra"

	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/internal/ledger/store/sqlite"
)

// storageFlags say where a ledger is kept, for the commands that work on its storage.
type storageFlags struct {
	data string
}

// add adds the flags to a command.
func (f *storageFlags) add(command *cobra.Command) {
	command.Flags().StringVar(&f.data, "data", "", "directory of the embedded storage (required)")
	if err := command.MarkFlagRequired("data"); err != nil {
		panic(err) // the flag was defined above
	}
}

// read opens the storage for reading; a ledger may be running on it.
func (f *storageFlags) read() (store.Store, error) {
	return sqlite.Open(f.data, sqlite.Options{Shared: true})
}

// write opens the storage for writing, which it makes when it is not there.
func (f *storageFlags) write() (store.Store, error) {
	return sqlite.Open(f.data, sqlite.Options{})
}
