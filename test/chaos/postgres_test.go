package chaos

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/internal/ledger/store/postgres"
	"github.com/tanggap/tanggap/test/site"
)

// database is a ledger's database in a server that others use too.
type database struct {
	server *site.Database
	// between are the proxies between each ledger and the server, disk the server's.
	between []*proxy
	disk    *disk
	schema  string
	ledgers [][]string // the flags of each
}

// postgresKind makes databases for one ledger, and replicatedKind for two.
func postgresKind(t *testing.T) func(*testing.T) storage {
	t.Helper()
	return databaseKind(t, "postgres", 1)
}

func replicatedKind(t *testing.T) func(*testing.T) storage {
	t.Helper()
	return databaseKind(t, "replicas", 2)
}

// databaseKind makes databases for so many ledgers in one server on one small disk.
func databaseKind(t *testing.T, name string, ledgers int) func(*testing.T) storage {
	t.Helper()
	d := newDisk(t, name, 512)
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
		s := &database{server: server, disk: d}
		var err error
		if s.schema, err = server.NewDatabase(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := server.DropDatabase(context.WithoutCancel(t.Context()), s.schema); err != nil {
				t.Error(err)
			}
		})
		for range ledgers {
			between := newProxy(t, "127.0.0.1")
			between.lead(server.Address())
			flags, err := server.Flags(s.schema, between.address())
			if err != nil {
				t.Fatal(err)
			}
			s.between, s.ledgers = append(s.between, between), append(s.ledgers, flags)
		}
		return s
	}
}

func (s *database) name() string {
	if s.replicas() > 1 {
		return "PostgreSQL, two ledgers"
	}
	return "PostgreSQL"
}

func (s *database) replicas() int { return len(s.ledgers) }

func (s *database) flags(i int) []string { return s.ledgers[i] }

func (s *database) open(ctx context.Context) (store.Store, error) {
	options := s.server.Options(s.schema, s.server.Address())
	options.Shared = true
	return postgres.Open(ctx, options)
}

func (s *database) faults() []fault {
	own := []fault{
		{
			name:   "PostgreSQL is stopped immediately",
			strike: func(context.Context, *world) error { return s.server.Crash() },
			mend:   s.restart,
		},
		{
			name:   "connections to PostgreSQL are cut",
			strike: func(context.Context, *world) error { s.each((*proxy).cut); return nil },
			mend:   func(context.Context, *world) error { s.each((*proxy).restore); return nil },
		},
		{
			name:   "PostgreSQL's first process is killed",
			strike: func(context.Context, *world) error { return s.server.Kill() },
			mend:   s.restart,
		},
	}
	if s.disk != nil {
		full := onDisk(s.disk)
		empty := full.mend
		full.mend = func(ctx context.Context, w *world) error { return errors.Join(empty(ctx, w), s.restart(ctx, w)) }
		own = append(own, full)
	}
	if s.replicas() > 1 {
		return append(s.replicaFaults(), own...)
	}
	// What the storage has of its own comes second, so that a short run has it.
	return slices.Insert(commonFaults(), 1, own...)
}

func (s *database) each(do func(*proxy)) {
	for _, p := range s.between {
		do(p)
	}
}

// restart starts the server where it has ended, and waits until it takes connections: one whose disk was
// full may have ended by itself, may be about to, or may recover.
func (s *database) restart(ctx context.Context, _ *world) error {
	var err error
	for began := time.Now(); time.Since(began) < patience; {
		if failed := s.server.Restart(ctx); failed == nil {
			s.each(func(p *proxy) { p.lead(s.server.Address()) })
		}
		if err = s.server.Execute(ctx, "postgres", "CHECKPOINT"); err == nil {
			return nil
		}
		if !site.Pause(ctx, 50*time.Millisecond) {
			return ctx.Err()
		}
	}
	return err
}
