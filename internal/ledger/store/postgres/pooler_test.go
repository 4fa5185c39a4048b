package postgres

import (
	"testing"

	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/internal/ledger/storetest"
)

// TestConformanceBehindAPooler: a database is used through PgBouncer as docs/ledger.md says. A new version is
// started once past it, for the migration.
func TestConformanceBehindAPooler(t *testing.T) {
	for mode, parameter := range map[string]string{"session": "", "transaction": "&default_query_exec_mode=exec"} {
		t.Run(mode, func(t *testing.T) {
			pooler, err := server.StartPooler(t.Context(), mode)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := pooler.Close(); err != nil {
					t.Error(err)
				}
			})
			factory := func(t *testing.T) (open func() store.Store) {
				t.Helper()
				name := database(t, server)
				past, err := Open(t.Context(), Options{URL: server.URLAs(name, name)})
				if err != nil {
					t.Fatalf("Migrating: %v", err)
				}
				if err := past.Close(); err != nil {
					t.Fatalf("Closing: %v", err)
				}
				return func() store.Store {
					s, err := Open(t.Context(), Options{URL: pooler.URLAs(name, name) + parameter})
					if err != nil {
						t.Fatalf("Opening: %v", err)
					}
					return s
				}
			}
			storetest.RunShared(t, factory)
			if mode == "transaction" { // a session through the pooler is one like any other
				storetest.Run(t, factory)
			}
		})
	}
}
