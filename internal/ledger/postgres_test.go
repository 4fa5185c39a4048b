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

// TestEveryHistoryOfReplicasOnPostgreSQLCountsLikeARecount does so with a store for each replica, as
// processes have, on a real database.
func TestEveryHistoryOfReplicasOnPostgreSQLCountsLikeARecount(t *testing.T) {
	t.Parallel()
	server, err := postgres.Start(t.Context(), postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Errorf("Ending PostgreSQL: %v", err)
		}
	})
	run, failed := 0, false
	rapid.Check(t, func(rt *rapid.T) {
		// A database for each history is dear: there are fewer, but for one that fails and is made shorter.
		if run++; run > postgresHistories && !failed {
			return
		}
		defer func() { failed = failed || rt.Failed() }()
		ctx := context.Background()
		name, err := server.NewDatabase(ctx)
		if err != nil {
			rt.Fatalf("Making a database: %v", err)
		}
		f := makeFixture(rt, t.TempDir(), 3)
		f.connect = func() (store.Store, error) {
			return postgresstore.Open(ctx, postgresstore.Options{URL: server.URLAs(name, name)})
		}
		runMachine(rt, f)
		if err := server.DropDatabase(ctx, name); err != nil {
			rt.Fatalf("Removing the database: %v", err)
		}
	})
}
