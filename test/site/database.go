package site

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	store "github.com/tanggap/tanggap/internal/ledger/store/postgres"
	"github.com/tanggap/tanggap/test/postgres"
)

// Database is a PostgreSQL server for ledgers, reached over TLS with a password as in a cluster.
type Database struct {
	*postgres.Server
	dir string
}

// StartDatabase starts a server with further settings; dir is a folder for certificates.
func StartDatabase(ctx context.Context, dir string, settings map[string]string) (*Database, error) {
	authority, err := newAuthority()
	if err != nil {
		return nil, err
	}
	issued, err := authority.issue("database", "127.0.0.1")
	if err != nil {
		return nil, err
	}
	d := &Database{dir: dir}
	files := map[string][]byte{"database-ca.crt": authority.pem, "database.crt": issued.certificate, "database.key": issued.key}
	for name, content := range files {
		if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, name), content, 0o600)); err != nil {
			return nil, fmt.Errorf("preparing a database: %w", err)
		}
	}
	d.Server, err = postgres.Start(ctx, postgres.Options{
		Settings: settings, CertFile: filepath.Join(dir, "database.crt"), KeyFile: filepath.Join(dir, "database.key"),
	})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "database-password"), []byte(d.Password()+"\n"), 0o600); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// Options are how the store reaches a database of the server at an address, such as that of a proxy.
func (d *Database) Options(name, address string) store.Options {
	return store.Options{
		URL:          fmt.Sprintf("postgres://%s@%s/%s", name, address, name),
		PasswordFile: filepath.Join(d.dir, "database-password"), CAFile: filepath.Join(d.dir, "database-ca.crt"),
	}
}

// Flags are those that lead a ledger there.
func (d *Database) Flags(name, address string) ([]string, error) {
	options := d.Options(name, address)
	// Ledgers on one database may reach it by different addresses.
	file := filepath.Join(d.dir, "database-url-"+name+"-"+strings.ReplaceAll(address, ":", "-"))
	if err := os.WriteFile(file, []byte(options.URL+"\n"), 0o600); err != nil {
		return nil, fmt.Errorf("preparing a database: %w", err)
	}
	return []string{"--postgres-url-file", file, "--postgres-password-file", options.PasswordFile, "--postgres-ca", options.CAFile}, nil
}

// DatabaseSettings are those of a server that a city would run on a machine of some gigabytes: larger
// memory and a longer log than PostgreSQL's cautious defaults, and nothing that gives up durability.
func DatabaseSettings() map[string]string {
	return map[string]string{
		"shared_buffers": "1GB", "max_wal_size": "8GB", "wal_compression": "off", "checkpoint_timeout": "15min",
	}
}
