package ledger

import (
	"context"
	"testing"

	"pgregory.net/rapid"

	"github.com/tanggap/tanggap/internal/ledger/store"
	postgresstore "github.com/tanggap/tanggap/internal/ledger/store/postgres"
	"github.com/tanggap/tanggap/test/postgres"
)

// postgresHistories is how many histories are run on PostgreSQL.
const postgresHistories = 25

// onPostgres has a fixture's ledgers use a new database, each with a store of its own, as processes have.
func onPostgres(f *fixture, server *postgres.Server) (name string) {
	f.t.Helper()
	ctx := context.Background()
	name, err := server.NewDatabase(ctx)
	if err != nil {
		f.t.Fatalf("Making a database: %v", err)
	}
	f.connect = func() (store.Store, error) {
		return postgresstore.Open(ctx, postgresstore.Options{URL: server.URLAs(name, name)})
	}
	return name
}

// startPostgres starts a server that ends with the test.
func startPostgres(t *testing.T) *postgres.Server {
	t.Helper()
	server, err := postgres.Start(t.Context(), postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Errorf("Ending PostgreSQL: %v", err)
		}
	})
	return server
}

// TestEveryHistoryOfReplicasOnPostgreSQLCountsLikeARecount does so with a store for each replica, as
// processes have, on a real database.
func TestEveryHistoryOfReplicasOnPostgreSQLCountsLikeARecount(t *testing.T) {
	t.Parallel()
	server := startPostgres(t)
	run, failed := 0, false
	rapid.Check(t, func(rt *rapid.T) {
		// A database for each history is dear: there are fewer, but for one that fails and is made shorter.
		if run++; run > postgresHistories && !failed {
			return
		}
		defer func() { failed = failed || rt.Failed() }()
		f := makeFixture(rt, t.TempDir(), 3)
		name := onPostgres(f, server)
		runMachine(rt, f)
		if err := server.DropDatabase(context.Background(), name); err != nil {
			rt.Fatalf("Removing the database: %v", err)
		}
	})
}
