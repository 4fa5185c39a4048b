// Package sqlite keeps a ledger in one SQLite file: the storage of a ledger with a single replica and
// a volume. A transaction is durable when it is committed (write-ahead log, synchronous=FULL).
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/tanggap/tanggap/internal/ledger/store"
)

// Options say how a directory is opened.
type Options struct {
	// Shared opens a ledger that may be in use by another process; only View may then be called.
	Shared bool
	// VFS names a registered virtual file system; "" is the operating system's.
	VFS string
	// flushEvery is how long after a vain attempt to empty the write-ahead log the next is made.
	flushEvery time.Duration
	// sweepAt is how many cases begin a sweep of the reporters, and sweepStep how many it takes at least.
	sweepAt, sweepStep int
}

const (
	fileName = "ledger.db"
	lockName = "ledger.lock"
	// maxReaders bounds the memory of reading: a connection has a cache of its own.
	maxReaders = 4
	// writerCache and readerCache are page caches in KiB.
	writerCache = 16 << 10
	readerCache = 8 << 10
	// checkpointPages is how long the write-ahead log may become before it is copied into the file, for which everybody
	// waits: twice as many are no cheaper by what can be measured, and hold up a hundredth of all deliveries for longer.
	checkpointPages = 2000
	// busyTimeout is how long a connection waits for a lock of another process, such as a verification.
	busyTimeout = 10 * time.Second
	// flushEvery is the usual time between attempts to empty the write-ahead log.
	flushEvery = time.Second
)

// Store is a ledger in a directory.
type Store struct {
	uri     string
	options Options
	lock    *os.File

	// write is held by the one Update that runs; it holds the writer while nobody does.
	write chan *conn
	// readers are the idle ones; a nil stands for one that is not open yet.
	readers chan *conn

	// lastRef is the highest case number given; stale says that what was cleared may still stand in the
	// write-ahead log, and flushed when it was last tried to empty it. The holder of the writer uses them.
	lastRef int64
	stale   bool
	flushed time.Time
	// pending is nil where nobody may write.
	pending *pending

	closing sync.Once
}

// Open opens the ledger in the directory, which it makes, with what it needs, when it is not there.
func Open(dir string, options Options) (_ *Store, err error) {
	s := &Store{options: options, write: make(chan *conn, 1), readers: make(chan *conn, maxReaders)}
	if options.flushEvery == 0 {
		s.options.flushEvery = flushEvery
	}
	if options.sweepAt == 0 {
		s.options.sweepAt, s.options.sweepStep = sweepAt, sweepStep
	}
	path := filepath.Join(dir, fileName)
	if options.Shared {
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("opening the ledger: %w", err)
		}
	} else if s.lock, err = prepare(dir, path); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.unlock()
		}
	}()
	s.uri = uri(path, options)
	writer, err := s.connect(writerCache)
	if err != nil {
		return nil, fmt.Errorf("opening the ledger: %w", err)
	}
	if err := s.start(writer, path); err != nil {
		return nil, fmt.Errorf("opening the ledger: %w", errors.Join(err, writer.close()))
	}
	s.write <- writer
	for range maxReaders {
		s.readers <- nil
	}
	return s, nil
}

// prepare makes the directory and the file, readable by nobody else, and takes the ledger's lock,
// which the system releases when the process ends, however it ends.
func prepare(dir, path string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the ledger's directory: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the ledger: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: %s", store.ErrInUse, dir)
		}
		return nil, fmt.Errorf("locking the ledger: %w", err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err == nil {
		err = file.Close()
	}
	if err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("making the ledger's file: %w", err)
	}
	return lock, nil
}

func uri(path string, options Options) string {
	query := url.Values{}
	if options.VFS != "" {
		query.Set("vfs", options.VFS)
	}
	return (&url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: query.Encode()}).String()
}

func (s *Store) connect(cacheKiB int) (*conn, error) {
	db, err := sqlite3.OpenFlags(s.uri, sqlite3.OPEN_READWRITE|sqlite3.OPEN_URI)
	if err != nil {
		return nil, classify(err)
	}
	c := newConn(db)
	// secure_delete overwrites what was deleted, so that a cleared text is nowhere in the file.
	err = db.Exec(fmt.Sprintf(`PRAGMA busy_timeout = %d; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;
		PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF; PRAGMA cache_size = -%d`, busyTimeout.Milliseconds(), cacheKiB))
	if err != nil {
		return nil, errors.Join(classify(err), c.close())
	}
	return c, nil
}

// start brings the file into its form and reads what the writer goes on from.
func (s *Store) start(c *conn, path string) error {
	if !s.options.Shared {
		if err := c.db.Exec("PRAGMA journal_mode = WAL"); err != nil {
			return classify(err)
		}
		if err := c.db.WALAutoCheckpoint(checkpointPages); err != nil {
			return classify(err)
		}
	}
	if err := c.migrate(!s.options.Shared); err != nil {
		return err
	}
	if !s.options.Shared {
		for _, suffix := range []string{"", "-wal", "-shm"} {
			if err := os.Chmod(path+suffix, 0o600); err != nil && !errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("keeping the file from other users: %w", err)
			}
		}
	}
	err := c.query("SELECT coalesce(max(ref), 0) FROM cases", nil, func(r *row) error {
		s.lastRef = r.int()
		return nil
	})
	if err != nil || s.options.Shared {
		return err
	}
	s.pending = &pending{}
	return s.pending.load(c)
}

// Exclusive implements store.Store: the file is locked.
func (s *Store) Exclusive() bool { return !s.options.Shared }

// Close implements store.Store.
func (s *Store) Close() (err error) {
	s.closing.Do(func() {
		var errs []error
		for range maxReaders {
			if c := <-s.readers; c != nil {
				errs = append(errs, c.close())
			}
		}
		close(s.readers)
		writer := <-s.write
		close(s.write)
		errs = append(errs, writer.close())
		s.unlock()
		err = errors.Join(errs...)
	})
	return err
}

func (s *Store) unlock() {
	if s.lock != nil {
		// Closing would not release the lock while a child that this process is about to start still has the descriptor. If
		// either fails, the lock ends with the process; nothing was written to the file.
		_ = syscall.Flock(int(s.lock.Fd()), syscall.LOCK_UN)
		_ = s.lock.Close()
	}
}

// errClosed is the answer of a store that was closed.
var errClosed = errors.New("the ledger's storage is closed")

// View implements store.Store.
func (s *Store) View(ctx context.Context, f func(store.Reader) error) (err error) {
	var c *conn
	var open bool
	select {
	case c, open = <-s.readers:
	case <-ctx.Done():
		return ctx.Err()
	}
	if !open {
		return errClosed
	}
	defer func() { s.readers <- c }()
	if c == nil {
		if c, err = s.connect(readerCache); err != nil {
			return fmt.Errorf("opening the ledger for reading: %w", err)
		}
	}
	return c.transaction(ctx, "BEGIN", "ROLLBACK", func() error { return f(reader{c}) })
}

// Update implements store.Store.
func (s *Store) Update(ctx context.Context, f func(store.Tx) error) error {
	var c *conn
	var open bool
	select {
	case c, open = <-s.write:
	case <-ctx.Done():
		return ctx.Err()
	}
	if !open {
		return errClosed
	}
	defer func() { s.write <- c }()
	if s.options.Shared {
		return fmt.Errorf("%w: it was opened for reading only", store.ErrInUse)
	}
	t := &tx{reader: reader{c}, store: s, known: map[key]*known{}}
	committed := false
	defer func() {
		s.pending.end(committed)
		if !committed {
			t.forget()
		}
	}()
	all := func() error {
		if err := t.begin(ctx); err != nil {
			return err
		}
		if err := f(t); err != nil {
			return err
		}
		return t.end()
	}
	if err := c.transaction(ctx, "BEGIN IMMEDIATE", "COMMIT", all); err != nil {
		return err
	}
	committed = true
	if t.cleared || s.stale && time.Since(s.flushed) >= s.options.flushEvery {
		s.flush(c)
	}
	return nil
}

// flush empties the write-ahead log, in which cleared texts still stand. A reader on an old snapshot
// hinders it; nobody waits for that reader: a later Update tries again.
func (s *Store) flush(c *conn) {
	s.flushed = time.Now()
	_ = c.db.BusyTimeout(0)
	_, _, err := c.db.WALCheckpoint("main", sqlite3.CHECKPOINT_TRUNCATE)
	_ = c.db.BusyTimeout(busyTimeout)
	s.stale = err != nil
}

// transaction runs f between the two statements, and rolls back when it fails or panics.
func (c *conn) transaction(ctx context.Context, begin, end string, f func() error) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.db.SetInterrupt(ctx)
	defer func() {
		// From here on nothing may be interrupted: the connection must be given back clean.
		c.db.SetInterrupt(context.Background())
		if !c.db.GetAutocommit() {
			if failed := c.db.Exec("ROLLBACK"); failed != nil && err == nil {
				err = classify(failed)
			}
		}
		if ctx.Err() != nil && errors.Is(err, sqlite3.INTERRUPT) {
			err = ctx.Err()
		}
	}()
	if err := c.query(begin, nil, nil); err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	return c.query(end, nil, nil)
}
