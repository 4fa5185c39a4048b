// Package postgres keeps a ledger in a PostgreSQL database, for any number of ledgers at once. A
// transaction is durable when it is committed, by the server's own rules.
package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/puddle/v2"

	"github.com/tanggap/tanggap/internal/ledger/store"
)

// Store is a ledger in a database.
type Store struct {
	options Options
	// id stands for this Store in the tables ledger and writers.
	id []byte
	// outcomeLimit is how long is tried to learn the outcome of a commit whose connection was cut.
	outcomeLimit time.Duration
	// left is how the last Update has left the head, nil when that is not known; strangers counts down the
	// Updates for which others are expected to write. Who holds the writer's connection uses them.
	left      *head
	strangers int
	// writer has one connection, so that the Updates of a Store wait for each other here.
	writer, readers *pgxpool.Pool
}

// Open connects to the database and brings its schema up.
func Open(ctx context.Context, options Options) (_ *Store, err error) {
	if err := options.check(); err != nil {
		return nil, fmt.Errorf("opening the ledger's database: %w", err)
	}
	s := &Store{options: options, outcomeLimit: outcomeLimit, id: make([]byte, 16)}
	if _, err := rand.Read(s.id); err != nil {
		return nil, fmt.Errorf("opening the ledger's database: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	readers := options.Readers
	if readers == 0 {
		readers = defaultReaders
	}
	if s.writer, err = s.pool(ctx, 1, false); err != nil {
		return nil, err
	}
	if s.readers, err = s.pool(ctx, readers, true); err != nil {
		return nil, err
	}
	if err := s.prepare(ctx); err != nil {
		return nil, fmt.Errorf("opening the ledger's database: %w", err)
	}
	return s, nil
}

// pool is a pool of connections; none is made before it is wanted.
func (s *Store) pool(ctx context.Context, connections int, ping bool) (*pgxpool.Pool, error) {
	current, err := s.options.config()
	if err != nil {
		return nil, fmt.Errorf("opening the ledger's database: %w", err)
	}
	config, err := pgxpool.ParseConfig("")
	if err != nil {
		return nil, fmt.Errorf("configuring connections: %w", err)
	}
	config.ConnConfig = current
	config.MaxConns = int32(min(connections, 1000)) //nolint:gosec // G115: it is bounded
	config.MaxConnLifetime, config.MaxConnLifetimeJitter = connectionLife, connectionLife/10
	config.MaxConnIdleTime = connectionRest
	if ping {
		// A View is not begun again: a connection that has broken since its last use is found before.
		config.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return true }
	}
	config.BeforeConnect = func(_ context.Context, connection *pgx.ConnConfig) error {
		latest, err := s.options.config()
		if err == nil {
			*connection = *latest
		}
		return err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("configuring connections: %w", err)
	}
	return pool, nil
}

// prepare migrates, or checks that it need not.
func (s *Store) prepare(ctx context.Context) error {
	connection, err := s.acquire(ctx, s.writer)
	if err != nil {
		return err
	}
	defer connection.Release()
	c := connection.Conn()
	if encoding := c.PgConn().ParameterStatus("server_encoding"); encoding != "UTF8" {
		return fmt.Errorf("the database has the encoding %s: it must be made with ENCODING 'UTF8'", encoding)
	}
	if err := s.migrate(ctx, c); err != nil || s.options.Shared {
		return err
	}
	// Rows of processes that have long ended; whoever still commits puts its own back.
	if _, err := c.Exec(ctx, "DELETE FROM writers WHERE revision < (SELECT revision FROM ledger) - 1000000"); err != nil {
		return fmt.Errorf("removing old writers: %w", classify(err))
	}
	return nil
}

// Exclusive implements store.Store: any number of Stores may be open on a database.
func (s *Store) Exclusive() bool { return false }

// Close implements store.Store.
func (s *Store) Close() error {
	for _, pool := range []*pgxpool.Pool{s.writer, s.readers} {
		if pool != nil {
			pool.Close()
		}
	}
	return nil
}

// errClosed is the answer of a store that was closed.
var errClosed = errors.New("the ledger's storage is closed")

// acquire is a connection of the pool, which is made when there is none.
func (s *Store) acquire(ctx context.Context, pool *pgxpool.Pool) (*pgxpool.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	connection, err := pool.Acquire(ctx)
	switch {
	case err == nil:
		return connection, nil
	case errors.Is(err, puddle.ErrClosedPool):
		return nil, errClosed
	case ctx.Err() != nil:
		return nil, ctx.Err()
	default:
		return nil, fmt.Errorf("connecting to the database: %w", classify(err))
	}
}

// View implements store.Store.
func (s *Store) View(ctx context.Context, f func(store.Reader) error) error {
	connection, err := s.acquire(ctx, s.readers)
	if err != nil {
		return err
	}
	defer connection.Release()
	x, detach := connOf(connection).converse(ctx, beginView, false)
	defer x.end()
	defer detach()
	defer x.rollback()
	x.store, x.now = s.id, s.options.Now
	if err := f(&reader{x}); err != nil {
		return ended(ctx, x, err)
	}
	return x.failed
}

// ended is an error of a transaction, or that of its context if that is why it failed.
func ended(ctx context.Context, x *exchange, err error) error {
	if x.failed != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

const (
	// maxAttempts is how often an Update is begun when it meets another one, or its connection was cut
	// before the commit.
	maxAttempts = 6
	// outcomeLimit is a Store's, outside of tests.
	outcomeLimit = 15 * time.Second
	pause        = 10 * time.Millisecond
)

// outcome is what became of an attempt.
type outcome int

const (
	done outcome = iota
	// again: nothing was committed, and another attempt may do it.
	again
	// moved: the same, at once.
	moved
	// unknown: the connection was cut in the commit.
	unknown
)

// Update implements store.Store.
func (s *Store) Update(ctx context.Context, f func(store.Tx) error) error {
	if s.options.Shared {
		return fmt.Errorf("%w: it was opened for reading only", store.ErrInUse)
	}
	for attempt := 1; ; attempt++ {
		outcome, revision, err := s.attempt(ctx, f)
		if outcome == unknown {
			committed, known := s.learn(ctx, revision)
			if known && committed {
				return nil
			}
			if !known {
				return fmt.Errorf("the connection was cut in a commit, and its outcome is not known: %w", err)
			}
			outcome = again
		}
		if outcome == moved && ctx.Err() == nil {
			continue
		}
		if outcome == done || attempt >= maxAttempts {
			return err
		}
		if wait(ctx, time.Duration(attempt)*pause) != nil {
			return err
		}
	}
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// attempt runs f in one transaction.
func (s *Store) attempt(ctx context.Context, f func(store.Tx) error) (_ outcome, revision int64, err error) {
	connection, err := s.acquire(ctx, s.writer)
	if err != nil {
		return done, 0, err
	}
	defer connection.Release()
	x, detach := connOf(connection).converse(ctx, beginUpdate, true)
	defer x.end()
	defer detach()
	x.store, x.guess, x.now = s.id, s.guess(), s.options.Now
	t := newTx(x)
	committed := false
	defer func() {
		if !committed {
			t.rollback()
		}
	}()
	err = f(t)
	if x.guessed() && (err != nil || !t.wrote) && ctx.Err() == nil {
		// Nothing is going to be committed, which would show a wrong guess: what f found is checked here.
		if begun := t.begun(); err == nil {
			err = begun
		}
	}
	switch {
	case ctx.Err() != nil || !detach():
		if err == nil || x.failed != nil {
			err = ctx.Err()
		}
		return done, 0, err
	case x.moved:
		s.strangers = caution
		return moved, 0, errMoved
	case x.failed != nil:
		return retry(x.failed), 0, x.failed
	case x.amiss != nil:
		return done, 0, x.amiss
	case err != nil:
		return done, 0, err
	case !t.wrote:
		s.left = x.head
		return done, 0, nil
	}
	err = t.commit(s.id)
	switch {
	case err == nil:
		committed = true
		s.left = x.head
		return done, 0, nil
	case x.moved:
		s.strangers = caution
		return moved, 0, errMoved
	case x.failed != nil && broken(x.failed):
		return unknown, t.revision(), err
	default:
		return retry(x.failed), 0, err
	}
}

// caution is for how many Updates nothing is guessed after somebody else has written.
const caution = 64

// guess is what the head is taken for at the beginning of an Update: as the Update before it has left it.
// That saves the round trip in which it would be read before anything else; it is read with the first answer.
func (s *Store) guess() *head {
	left := s.left
	s.left = nil
	if s.strangers > 0 {
		s.strangers--
		return nil
	}
	return left
}

// retry says whether a transaction that failed can be run again.
func retry(failed error) outcome {
	if failed != nil && (conflicts(failed) || broken(failed)) {
		return again
	}
	return done
}

// learn finds out whether this Store's transaction of a revision was committed. It locks what the
// transaction had locked, and so waits for its end.
func (s *Store) learn(ctx context.Context, revision int64) (committed, known bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.outcomeLimit)
	defer cancel()
	for wait(ctx, pause) == nil {
		last, err := s.lastCommit(ctx)
		if err == nil {
			return last == revision, true
		}
	}
	return false, false
}

func (s *Store) lastCommit(ctx context.Context) (revision int64, err error) {
	connection, err := s.acquire(ctx, s.writer)
	if err != nil {
		return 0, err
	}
	defer connection.Release()
	x, detach := connOf(connection).converse(ctx, beginUpdate, true)
	defer x.end()
	defer detach()
	defer x.rollback()
	x.store = s.id
	return x.Committed(ctx)
}
