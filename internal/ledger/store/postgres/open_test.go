package postgres

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/internal/ledger/tlstest"
	"github.com/tanggap/tanggap/test/postgres"
)

func TestManyStartersMigrateOnce(t *testing.T) {
	t.Parallel()
	name := database(t, server)
	var running sync.WaitGroup
	for range 4 {
		running.Go(func() {
			s, err := Open(t.Context(), Options{URL: server.URLAs(name, name)})
			if err != nil {
				t.Errorf("Opening: %v", err)
				return
			}
			if err := s.Update(t.Context(), func(tx store.Tx) error { return tx.PutSetting(t.Context(), "s", []byte("v")) }); err != nil {
				t.Errorf("Updating: %v", err)
			}
			_ = s.Close()
		})
	}
	running.Wait()
	c, err := server.Connect(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	var versions, different int
	err = c.QueryRow(t.Context(), "SELECT count(*), count(DISTINCT version_id) FROM goose_db_version WHERE version_id > 0").Scan(&versions, &different)
	if err != nil || versions == 0 || versions != different {
		t.Errorf("%d migrations were applied, %d different ones (%v)", versions, different, err)
	}
}

func TestOpenRefusesWhatItCannotUse(t *testing.T) {
	t.Parallel()
	current := func(t *testing.T, statements ...string) Options {
		t.Helper()
		name := database(t, server)
		options := Options{URL: server.URLAs(name, name)}
		_ = open(t, options).Close()
		if err := server.Execute(t.Context(), name, statements...); err != nil {
			t.Fatal(err)
		}
		return options
	}
	for name, test := range map[string]struct {
		options func(t *testing.T) Options
		is      error
		message string
	}{
		"a newer schema": {func(t *testing.T) Options {
			t.Helper()
			return current(t, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, true)")
		}, store.ErrNewer, "version 999"},
		"an empty database, to read from": {func(t *testing.T) Options {
			t.Helper()
			name := database(t, server)
			return Options{URL: server.URLAs(name, name), Shared: true}
		}, nil, "start the ledger once"},
		"a database of another program": {func(t *testing.T) Options {
			t.Helper()
			name := database(t, server)
			if err := server.Execute(t.Context(), name, "CREATE TABLE events (n int)", "GRANT ALL ON events TO "+name); err != nil {
				t.Fatal(err)
			}
			return Options{URL: server.URLAs(name, name)}
		}, nil, "already exists"},
		"another encoding": {func(t *testing.T) Options {
			t.Helper()
			name := database(t, server)
			if err := server.Execute(t.Context(), "postgres", "CREATE DATABASE "+name+"_latin ENCODING 'LATIN1' TEMPLATE template0"); err != nil {
				t.Fatal(err)
			}
			return Options{URL: server.URLAs(name, name+"_latin")}
		}, nil, "ENCODING 'UTF8'"},
		"a database that is not there": {func(t *testing.T) Options {
			t.Helper()
			return Options{URL: server.URLAs(database(t, server), "none")}
		}, store.ErrUnavailable, "none"},
		"no address at all":   {func(*testing.T) Options { return Options{} }, nil, "exactly one"},
		"a file that is away": {func(t *testing.T) Options { t.Helper(); return Options{URLFile: t.TempDir() + "/none"} }, nil, "reading the connection string"},
		"an empty file": {func(t *testing.T) Options {
			t.Helper()
			return Options{URLFile: tlstest.Write(t, t.TempDir(), "url", []byte("\n"))}
		}, nil, "is empty"},
		"an address with a mistake": {func(*testing.T) Options { return Options{URL: "postgres://ledger:hunter2%zz@db/ledger"} }, nil, "percent-encoded"},
		"an authority that is none": {func(t *testing.T) Options {
			t.Helper()
			return Options{URL: "postgres://ledger:hunter2@db/ledger", CAFile: tlstest.Write(t, t.TempDir(), "ca.crt", []byte("put it here"))}
		}, nil, "the authority of the server's certificate must be certificates in PEM"},
		"TLS or none": {func(*testing.T) Options { return Options{URL: "host=db user=ledger password=hunter2 sslmode=allow"} }, nil, "sslmode=allow"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := Open(t.Context(), test.options(t))
			if err == nil {
				_ = s.Close()
				t.Fatal("It was opened")
			}
			if test.is != nil && !errors.Is(err, test.is) || !strings.Contains(err.Error(), test.message) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("The error is %v; want %v with %q, and no password", err, test.is, test.message)
			}
		})
	}
}

// TestAConnectionStringIsCheckedWithoutReadingFiles has files that the connection string may be read with, so that a
// refusal is not for want of them.
func TestAConnectionStringIsCheckedWithoutReadingFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := tlstest.Write(t, dir, "ca.crt", tlstest.New(t).PEM)
	service := tlstest.Write(t, dir, "service", []byte("[x]\nhost=elsewhere\n"))
	for connection, refused := range map[string]bool{
		"postgres://u:hunter2@a,b:5433/ledger?target_session_attrs=read-write&search_path=x&application_name=y": false,
		"host=db user=u password='hunter2 = sslcert' dbname=ledger connect_timeout=3":                           false,
		"postgres://u:hunter2@db/ledger?sslrootcert=" + file:                                                    true,
		"postgres://u:hunter2@db/ledger?ssl%72ootcert=" + file:                                                  true,
		"postgres://u:hunter2@db/ledger?passfile=" + file:                                                       true,
		"postgres://u:hunter2@db/ledger?service=x&servicefile=" + service:                                       true,
		"host=db user=u password=hunter2 sslrootcert = '" + file + "'":                                          true,
	} {
		err := CheckURL(connection)
		if (err != nil) != refused || refused && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), dir)) {
			t.Errorf("%s: got %v", connection, err)
		}
	}
}

// TestLeastPrivileges: who migrates need not be who writes, and who verifies need not write.
func TestLeastPrivileges(t *testing.T) {
	t.Parallel()
	name := database(t, server)
	_ = open(t, Options{URL: server.URLAs(name, name)}).Close()
	err := server.Execute(t.Context(), name,
		"CREATE ROLE "+name+"_writer LOGIN", "CREATE ROLE "+name+"_reader LOGIN",
		"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO "+name+"_writer",
		"GRANT SELECT ON ALL TABLES IN SCHEMA public TO "+name+"_reader",
		"ALTER ROLE "+name+"_writer SET synchronous_commit = off")
	if err != nil {
		t.Fatal(err)
	}
	writer := open(t, Options{URL: server.URLAs(name+"_writer", name)})
	err = writer.Update(t.Context(), func(transaction store.Tx) error {
		if err := count(t.Context(), transaction, "C1"); err != nil {
			return err
		}
		return transaction.(*tx).query("SELECT current_setting('synchronous_commit')", nil, func(r *row) error {
			if got := r.text(); got != "on" {
				t.Errorf("A commit is %s; want it durable", got)
			}
			return nil
		})
	})
	if err != nil {
		t.Errorf("Writing: %v", err)
	}
	reader := open(t, Options{URL: server.URLAs(name+"_reader", name), Shared: true})
	if figure, _, _ := counted(t, reader); figure != 1 {
		t.Errorf("The reader sees %d; want 1", figure)
	}
	if err := reader.Update(t.Context(), func(store.Tx) error { return nil }); !errors.Is(err, store.ErrInUse) {
		t.Errorf("An update of a store for reading gives %v", err)
	}
}

// TestTLSAndRotation: the server is known by its authority, and the files are read again for a new
// connection.
func TestTLSAndRotation(t *testing.T) {
	t.Parallel()
	authority, dir := tlstest.New(t), t.TempDir()
	cert, key := authority.Issue(t, dir, "database")
	own, err := postgres.Start(t.Context(), postgres.Options{CertFile: cert, KeyFile: key})
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	name := database(t, own)
	options := Options{
		URLFile:      tlstest.Write(t, dir, "url", []byte(fmt.Sprintf("postgres://%s@%s/%s\n", name, own.Address(), name))),
		PasswordFile: tlstest.Write(t, dir, "password", []byte(own.Password()+"\n")),
		CAFile:       tlstest.Write(t, dir, "ca.crt", authority.PEM),
	}
	s := open(t, options)
	update := func() error {
		return s.Update(t.Context(), func(tx store.Tx) error { return tx.PutSetting(t.Context(), "s", []byte("v")) })
	}
	if err := update(); err != nil {
		t.Fatalf("With TLS: %v", err)
	}

	if err := own.Execute(t.Context(), name, "ALTER ROLE "+name+" PASSWORD 'rotated-secret'"); err != nil {
		t.Fatal(err)
	}
	if err := update(); err != nil {
		t.Errorf("On a connection from before the rotation: %v", err)
	}
	s.writer.Reset()
	err = update()
	if !errors.Is(err, store.ErrUnavailable) || strings.Contains(err.Error(), own.Password()) {
		t.Errorf("With the old password the error is %v; want %v without the password", err, store.ErrUnavailable)
	}
	tlstest.Write(t, dir, "password", []byte("rotated-secret\n"))
	if err := update(); err != nil {
		t.Errorf("With the new password: %v", err)
	}

	other := options
	other.CAFile = tlstest.Write(t, dir, "other.crt", tlstest.New(t).PEM)
	if s, err := Open(t.Context(), other); err == nil {
		_ = s.Close()
		t.Error("A server of another authority was spoken to")
	}
	if log := serverLog(t, own); strings.Contains(log, "rotated-secret") {
		t.Error("The server's log holds the password")
	}
}

// TestARestoredDatabaseIsReadAnew: what a connection has learned of a database is not true of an earlier one.
func TestARestoredDatabaseIsReadAnew(t *testing.T) {
	t.Parallel()
	name := database(t, server)
	s := open(t, Options{URL: server.URLAs(name, name)})
	for _, channel := range []string{"dsw", "sigap"} {
		err := s.Update(t.Context(), func(tx store.Tx) error { return tx.PutChannels(t.Context(), []store.Channel{{Name: channel}}) })
		if err != nil {
			t.Fatal(err)
		}
	}
	// The state of another history, in which the channels came in another order.
	err := server.Execute(t.Context(), name, "UPDATE ledger SET revision = 1", "UPDATE channels SET id = -id", "UPDATE channels SET id = 3 + id")
	if err != nil {
		t.Fatal(err)
	}
	err = s.Update(t.Context(), func(tx store.Tx) error {
		return tx.PutChannels(t.Context(), []store.Channel{{Name: "dsw", Generation: 7}})
	})
	if err != nil {
		t.Fatal(err)
	}
	err = s.View(t.Context(), func(r store.Reader) error {
		channels, err := r.Channels(t.Context(), 0)
		if err == nil && (channels[0].Generation != 7 || channels[1].Generation != 0) {
			t.Errorf("The channels are %+v; want the change in the first", channels)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
