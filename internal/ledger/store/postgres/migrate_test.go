package postgres

import (
	"context"
	"io/fs"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/internal/ledger/storetest"
)

// TestADatabaseOfTheFirstVersionIsBroughtUp: a ledger of the first version has written, and one of it goes on
// while this one begins.
func TestADatabaseOfTheFirstVersionIsBroughtUp(t *testing.T) {
	t.Parallel()
	name := databaseOfFirstVersion(t)
	// As the first version ends a transaction.
	commit := func() {
		t.Helper()
		err := server.Execute(t.Context(), name,
			"UPDATE ledger SET revision = revision + 1, at = 1000000, last_ref = last_ref + 1",
			"INSERT INTO writers (id, revision) SELECT '\\xaa', revision FROM ledger ON CONFLICT (id) DO UPDATE SET revision = excluded.revision")
		if err != nil {
			t.Fatal(err)
		}
	}
	commit()
	commit()
	s := open(t, Options{URL: server.URLAs(name, name)})
	update := func(id string, want int64) {
		t.Helper()
		if err := s.Update(t.Context(), func(tx store.Tx) error { return count(t.Context(), tx, id) }); err != nil {
			t.Fatal(err)
		}
		if _, _, head := counted(t, s); head.Revision != want {
			t.Errorf("The revision is %d; want %d", head.Revision, want)
		}
	}
	last := func(want int64) {
		t.Helper()
		if got, err := s.lastCommit(t.Context()); err != nil || got != want {
			t.Errorf("The last own transaction is %d (%v); want %d", got, err, want)
		}
	}
	last(0)
	update("C1", 3)
	last(3)
	commit()
	last(3)
	update("C2", 5)
	last(5)
	other := open(t, Options{URL: server.URLAs(name, name)})
	if err := other.Update(t.Context(), func(tx store.Tx) error { return count(t.Context(), tx, "C3") }); err != nil {
		t.Fatal(err)
	}
	commit()
	last(5)
	update("C4", 8)
	last(8)
	if figure, cases, _ := counted(t, s); figure != 4 || len(cases) != 4 {
		t.Errorf("The figure is %d, the cases are %v; want 4 of each", figure, cases)
	}
	// Only who was not alone has a row: the first version, and the two here as they took turns.
	if n := rowsOf(t, name, "writers"); n != 3 {
		t.Errorf("There are %d writers; want 3", n)
	}
}

// TestEarlierRepliesAreFound: replies of the first version have no columns for what they are found by.
func TestEarlierRepliesAreFound(t *testing.T) {
	t.Parallel()
	name := databaseOfFirstVersion(t)
	err := server.Execute(t.Context(), name, "INSERT INTO channels (id, name, revision) VALUES (1, 'dsw', 1)",
		"UPDATE ledger SET last_channel = 1",
		`INSERT INTO replies (channel, id, next_at, done_at, state) VALUES (1, 'a', NULL, 9, NULL),
			(1, 'sent', NULL, 9, convert_to('{"case":"C\"é","state":"Sent","event":"platform/\"\u00e9é\""}', 'UTF8')),
			(1, 'sending', 7, NULL, convert_to('{"case":"C1","state":"Sending","text":"baik"}', 'UTF8')),
			(1, 'waits', 8, NULL, convert_to('{"case":"C1","state":"Pending","text":"baik"}', 'UTF8'))`)
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, Options{URL: server.URLAs(name, name)})
	storetest.WantReplies(t, s, "dsw",
		store.Reply{Channel: "dsw", ID: "a", DoneAt: time.UnixMicro(9).UTC()},
		store.Reply{Channel: "dsw", ID: "sending", CaseID: "C1", NextAt: time.UnixMicro(7).UTC(), EndsAt: time.UnixMicro(7).UTC()},
		store.Reply{Channel: "dsw", ID: "sent", CaseID: `C"é`, DoneAt: time.UnixMicro(9).UTC(), Event: `platform/"éé"`},
		store.Reply{Channel: "dsw", ID: "waits", CaseID: "C1", NextAt: time.UnixMicro(8).UTC(), EndsAt: time.UnixMicro(8).UTC().Add(24 * time.Hour)})
}

// databaseOfFirstVersion is a database as the first version left it.
func databaseOfFirstVersion(t *testing.T) string {
	t.Helper()
	name := database(t, server)
	before, err := (&Options{URL: server.URLAs(name, name)}).config()
	if err != nil {
		t.Fatal(err)
	}
	db := stdlib.OpenDB(*before)
	defer db.Close()
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestAMigrationThatWaitsHoldsNobodyUp: a dump has the tables open for an hour, and ledgers of the version before
// go on meanwhile.
func TestAMigrationThatWaitsHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	name := databaseOfFirstVersion(t)
	dump, err := server.Connect(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer dump.Close(context.WithoutCancel(t.Context()))
	if _, err := dump.Exec(t.Context(), "BEGIN; SELECT 1 FROM ledger"); err != nil {
		t.Fatal(err)
	}
	said := make(chan string, 16)
	opened := make(chan error, 1)
	go func() {
		s, err := Open(t.Context(), Options{URL: server.URLAs(name, name), Log: slog.New(announcer(said)), migratePause: 10 * time.Millisecond})
		if err == nil {
			err = s.Close()
		}
		opened <- err
	}()
	for heard := ""; !strings.Contains(heard, "such as a dump"); {
		select {
		case heard = <-said:
		case err := <-opened:
			t.Fatalf("It was opened beside the dump, error %v", err)
		}
	}
	// In the worst case this begins just after an attempt, and waits as long as that may.
	limited, cancel := context.WithTimeout(t.Context(), 10*tablePatience)
	defer cancel()
	if err := server.Execute(limited, name, "UPDATE ledger SET revision = revision + 1"); err != nil {
		t.Errorf("A transaction of the version before: %v", err)
	}
	if _, err := dump.Exec(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if err := <-opened; err != nil {
		t.Errorf("After the dump: %v", err)
	}
}

// announcer is a log handler that passes messages on.
type announcer chan<- string

func (announcer) Enabled(context.Context, slog.Level) bool { return true }

func (a announcer) Handle(_ context.Context, r slog.Record) error {
	select {
	case a <- r.Message:
	default: // nobody listens any more
	}
	return nil
}

func (a announcer) WithAttrs([]slog.Attr) slog.Handler { return a }

func (a announcer) WithGroup(string) slog.Handler { return a }

// rowsOf counts the rows of a table.
func rowsOf(t *testing.T, name, table string) (n int) {
	t.Helper()
	c, err := server.Connect(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	if err := c.QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestALedgerAloneKeepsNoWriters: what a commit writes for its outcome to be known is in the row that it changes anyway.
func TestALedgerAloneKeepsNoWriters(t *testing.T) {
	t.Parallel()
	name := database(t, server)
	s := open(t, Options{URL: server.URLAs(name, name)})
	for _, id := range []string{"C1", "C2", "C3"} {
		if err := s.Update(t.Context(), func(tx store.Tx) error { return count(t.Context(), tx, id) }); err != nil {
			t.Fatal(err)
		}
	}
	if n := rowsOf(t, name, "writers"); n != 0 {
		t.Errorf("There are %d writers; want none", n)
	}
	if last, err := s.lastCommit(t.Context()); err != nil || last != 3 {
		t.Errorf("The last own transaction is %d (%v); want 3", last, err)
	}
}
