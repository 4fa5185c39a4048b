package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/internal/ledger/transfer"
)

// Options are what a Ledger needs from outside.
type Options struct {
	Store store.Store
	// Pseudonyms stands reporters' names in; nil stores neither names nor pseudonyms.
	Pseudonyms *Pseudonyms
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	Log *slog.Logger
}

// Ledger is one ledger on a store. It is safe for concurrent use. Requests are done while Run runs.
type Ledger struct {
	store      store.Store
	pseudonyms *Pseudonyms
	now        func() time.Time
	log        *slog.Logger
	queue      *queue
	outboxes   outboxes

	// shared says that other replicas may write to the storage.
	shared bool
	// own are of the ledger's own keys of pseudonyms.
	own keyMarks

	mu sync.RWMutex
	mirror
	// life names this run of the ledger on the storage as it is; it changes when that is put back. lostRevision is the
	// first that may have been lost then, 0 for none.
	life         string
	lostRevision int64
	// syncedAt is when the mirror last was that of the storage, watchedAt when another replica last was
	// seen to watch.
	syncedAt, watchedAt time.Time
	// trouble is why the last transaction failed, lost why following did; nil when they did not.
	trouble, lost error
	// still says that time stands still. Only Open and the goroutine of Run use it.
	still bool
	// grown is closed when a summary shows something new.
	grown chan struct{}
	// sweeping is where the search for traces of who was erased stands.
	sweeping sweep

	stats stats
}

// Open reads what the store holds.
func Open(ctx context.Context, options Options) (*Ledger, error) {
	l := &Ledger{
		store: options.Store, pseudonyms: options.Pseudonyms, now: options.Now, log: options.Log,
		queue: newQueue(), grown: make(chan struct{}), outboxes: outboxes{look: outboxLook},
		life: newLife(), shared: !options.Store.Exclusive(), own: options.Pseudonyms.marks(), mirror: newMirror(),
	}
	if l.now == nil {
		l.now = time.Now
	}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	// A replica that has just come may only watch when no other has for a while.
	l.watchedAt = l.now()
	err := options.Store.View(ctx, func(r store.Reader) error {
		if err := transfer.Check(ctx, r); err != nil {
			return err
		}
		return l.catchUp(ctx, r)
	})
	if err != nil {
		return nil, fmt.Errorf("reading the ledger: %w", err)
	}
	l.noteTime()
	return l, nil
}

// lifeLetters is how many random letters name a run.
const lifeLetters = 16

// Run does what is requested until ctx ends, and then what still waits.
func (l *Ledger) Run(ctx context.Context) {
	stop := context.AfterFunc(ctx, l.queue.close)
	defer stop()
	// What waits when ctx ends is still done.
	working := context.WithoutCancel(ctx)
	idle := followEvery
	if !l.shared {
		idle = 0
	}
	for {
		switch group, closed := l.queue.take(idle); {
		case len(group) > 0:
			l.commit(working, group)
		case closed:
			return
		default:
			l.follow(working)
		}
	}
}

// do puts a request into the queue and waits for its outcome.
func (l *Ledger) do(ctx context.Context, r *request) error {
	r.done = make(chan struct{})
	l.stats.waiting.Add(1)
	if err := l.queue.put(r); err != nil {
		l.stats.waiting.Add(-1)
		return err
	}
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		// It may still be done; who gave up does not know.
		return ctx.Err()
	}
}

// Healthy is nil while the store takes what it is given, and shows what other replicas gave it.
func (l *Ledger) Healthy() error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return errors.Join(l.trouble, l.lost)
}

// Current is nil while the ledger knows what is stored; a replica that has lost the storage does not
// know what others have done since.
func (l *Ledger) Current() error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.current()
}

// Superseded is why everything has to be asked of another replica, of a newer version, or nil.
func (l *Ledger) Superseded() error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if !l.superseded() {
		return nil
	}
	return l.current()
}

// State is what a worker of the channel starts from.
func (l *Ledger) State(ctx context.Context, channel string) (ledgerapi.ChannelState, error) {
	if l.shared {
		if err := l.sync(ctx); err != nil {
			return ledgerapi.ChannelState{}, err
		}
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.policy.Channel(channel) == nil {
		return ledgerapi.ChannelState{}, unknownChannel()
	}
	c := l.channels[channel]
	if c == nil {
		return ledgerapi.ChannelState{}, nil
	}
	return ledgerapi.ChannelState{
		Cursor: c.row.Cursor, CursorGeneration: c.row.Generation, ObservedThrough: optional(c.row.ObservedThrough),
	}, nil
}

func unknownChannel() *RefusalError {
	return refuse(NotFound, "the policy of this ledger does not name the channel")
}

// Writer is the user that may write the channel; false when the policy does not name the channel.
func (l *Ledger) Writer(channel string) (user string, known bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	r := l.policy.Channel(channel)
	if r == nil {
		return "", false
	}
	return r.Channel.Writer, true
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// storageWide reports whether an error would meet every request alike.
func storageWide(err error) bool {
	return errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrDamaged) || errors.Is(err, store.ErrUnavailable) ||
		errors.Is(err, store.ErrClock) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
