package chaos

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/internal/ledger/store/postgres"
	"github.com/tanggap/tanggap/test/site"
)

// database is a ledger's database in a server that others use too.
type database struct {
	server *site.Database
	// between is the proxy between ledger and server, disk the server's.
	between *proxy
	disk    *disk
	schema  string
	ledger  []string
}

// postgresKind makes databases in one server on one small disk.
func postgresKind(t *testing.T) func(*testing.T) storage {
	t.Helper()
	d := newDisk(t, "postgres", 512)
	if d != nil {
		t.Setenv("TMPDIR", d.dir) // where the server is put
	}
	starting, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	server, err := site.StartDatabase(starting, folder(t, d), map[string]string{"max_wal_size": "64MB", "min_wal_size": "32MB"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return func(t *testing.T) storage {
		t.Helper()
		s := &database{server: server, between: newProxy(t, "127.0.0.1"), disk: d}
		s.between.lead(server.Address())
		var err error
		if s.schema, err = server.NewDatabase(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := server.DropDatabase(context.WithoutCancel(t.Context()), s.schema); err != nil {
				t.Error(err)
			}
		})
		if s.ledger, err = server.Flags(s.schema, s.between.address()); err != nil {
			t.Fatal(err)
		}
		return s
	}
}

func (*database) name() string { return "PostgreSQL" }

func (s *database) flags() []string { return s.ledger }

func (s *database) open(ctx context.Context) (store.Store, error) {
	options := s.server.Options(s.schema, s.server.Address())
	options.Shared = true
	return postgres.Open(ctx, options)
}

func (s *database) faults() []fault {
	faults := []fault{
		{
			"PostgreSQL is stopped immediately",
			func(context.Context, *world) error { return s.server.Crash() },
			s.restart,
		},
		{
			"connections to PostgreSQL are cut",
			func(context.Context, *world) error { s.between.cut(); return nil },
			func(context.Context, *world) error { s.between.restore(); return nil },
		},
		{
			"PostgreSQL's first process is killed",
			func(context.Context, *world) error { return s.server.Kill() },
			s.restart,
		},
	}
	if s.disk != nil {
		full := onDisk(s.disk)
		empty := full.mend
		full.mend = func(ctx context.Context, w *world) error { return errors.Join(empty(ctx, w), s.restart(ctx, w)) }
		faults = append(faults, full)
	}
	return faults
}

// restart starts the server where it has ended, and waits until it takes connections: one whose disk was
// full may have ended by itself, may be about to, or may recover.
func (s *database) restart(ctx context.Context, _ *world) error {
	var err error
	for began := time.Now(); time.Since(began) < patience; {
		if failed := s.server.Restart(ctx); failed == nil {
			s.between.lead(s.server.Address())
		}
		if err = s.server.Execute(ctx, "postgres", "CHECKPOINT"); err == nil {
			return nil
		}
		if !pause(ctx, 50*time.Millisecond) {
			return ctx.Err()
		}
	}
	return err
}
