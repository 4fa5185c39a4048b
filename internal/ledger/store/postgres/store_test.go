package postgres

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/internal/ledger/storetest"
	"github.com/tanggap/tanggap/test/postgres"
)

// server is the PostgreSQL of all tests that do not harm it; each test has a database of its own.
var server *postgres.Server

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var err error
	if server, err = postgres.Start(context.Background(), postgres.Options{}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		if err := server.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	return m.Run()
}

// database is an empty database of the test on a server.
func database(t testing.TB, server *postgres.Server) string {
	t.Helper()
	name, err := server.NewDatabase(t.Context())
	if err != nil {
		t.Fatalf("Making a database: %v", err)
	}
	return name
}

// open opens a store that is closed with the test.
func open(t testing.TB, options Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), options)
	if err != nil {
		t.Fatalf("Opening: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestConformance(t *testing.T) {
	for mode, parameter := range map[string]string{"prepared": "", "unprepared": "&default_query_exec_mode=exec"} {
		t.Run(mode, func(t *testing.T) {
			storetest.Run(t, factory(parameter))
			storetest.RunShared(t, factory(parameter))
		})
	}
}

// factory makes databases of their own, reached by an address with the parameter.
func factory(parameter string) storetest.Factory {
	return func(t *testing.T) (open func() store.Store) {
		t.Helper()
		name := database(t, server)
		return func() store.Store {
			s, err := Open(t.Context(), Options{URL: server.URLAs(name, name) + parameter})
			if err != nil {
				t.Fatalf("Opening: %v", err)
			}
			return s
		}
	}
}
