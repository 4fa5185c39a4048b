package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/internal/policy"
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

	mu sync.RWMutex
	mirror
	// grown is closed when the sequence grows.
	grown chan struct{}

	stats stats
}

// mirror is in memory what the store holds, apart from events and cases: it changes after a commit,
// and only so.
type mirror struct {
	policy   *policy.Policy // nil before the first
	document policy.Document
	channels map[string]*channelState
	figures  ledgerFigures
	rederive rederivation
	// watermark is the instant through which due and warning instants have been looked at; latest is the
	// latest instant at which anything was judged.
	watermark, latest time.Time
	// advanced are the channels whose observedThrough has moved since their verdicts were looked at.
	advanced map[string]bool
	sequence int64
	trouble  error // why the last transaction failed, nil when it did not
}

// The names of the settings.
const (
	settingPolicy   = "policy"
	settingRederive = "rederive"
)

// Open reads what the store holds.
func Open(ctx context.Context, options Options) (*Ledger, error) {
	l := &Ledger{
		store: options.Store, pseudonyms: options.Pseudonyms, now: options.Now, log: options.Log,
		queue: newQueue(), grown: make(chan struct{}),
	}
	if l.now == nil {
		l.now = time.Now
	}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	if err := options.Store.View(ctx, func(r store.Reader) error { return l.mirror.load(ctx, r) }); err != nil {
		return nil, fmt.Errorf("reading the ledger: %w", err)
	}
	if err := l.restorePolicy(); err != nil {
		// A newer version of the program may refuse what an older one took. Until the operator has sent the
		// policy again, and was told why it is refused, no channel is known and no case is judged.
		l.log.Error("Could not use the stored policy", "error", err)
	}
	for name := range l.channels {
		l.advanced[name] = true
	}
	// The position in the stream of summaries goes on after a restart.
	l.sequence = l.now().UnixMicro()
	return l, nil
}

func (m *mirror) load(ctx context.Context, r store.Reader) error {
	*m = mirror{
		channels: map[string]*channelState{}, figures: ledgerFigures{byKey: tally{}}, advanced: map[string]bool{},
	}
	if err := setting(ctx, r, settingPolicy, &m.document); err != nil {
		return err
	}
	head, err := r.Head(ctx)
	if err != nil {
		return err
	}
	m.latest = head.At
	if err := setting(ctx, r, settingRederive, &m.rederive); err != nil {
		return err
	}
	channels, err := r.Channels(ctx, 0)
	if err != nil {
		return err
	}
	for i := range channels {
		c, err := loadChannel(channels[i])
		if err != nil {
			return err
		}
		m.channels[c.row.Name] = c
	}
	return r.Figures(ctx, 0, func(f store.Figures) error {
		m.figures.add(tally{decodeKey(f.Key): &f.Values})
		return nil
	})
}

func (m *mirror) restorePolicy() error {
	if m.document.Revision == "" {
		return nil
	}
	document := m.document
	// The digest of one version of the program need not be that of another.
	document.Revision = ""
	compiled, err := policy.Compile(document)
	if err != nil {
		return fmt.Errorf("compiling the stored policy: %w", err)
	}
	m.policy = compiled
	return nil
}

// setting reads a document; one that is not there leaves into as it is.
func setting(ctx context.Context, r store.Reader, name string, into any) error {
	value, err := r.Setting(ctx, name)
	if err != nil || value == nil {
		return err
	}
	if err := json.Unmarshal(value, into); err != nil {
		return fmt.Errorf("%w: the setting %q cannot be read", store.ErrDamaged, name)
	}
	return nil
}

func putSetting(ctx context.Context, tx store.Tx, name string, value any) error {
	encoded, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encoding the setting %q: %w", name, err)
	}
	return tx.PutSetting(ctx, name, encoded)
}

// Run does what is requested until ctx ends, and then what still waits.
func (l *Ledger) Run(ctx context.Context) {
	stop := context.AfterFunc(ctx, l.queue.close)
	defer stop()
	// What waits when ctx ends is still done.
	working := context.WithoutCancel(ctx)
	for {
		group := l.queue.take()
		if group == nil {
			return
		}
		l.commit(working, group)
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

// Healthy is nil while the store takes what it is given.
func (l *Ledger) Healthy() error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.trouble
}

// State is what a worker of the channel starts from.
func (l *Ledger) State(channel string) (ledgerapi.ChannelState, error) {
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
	return errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrDamaged) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
