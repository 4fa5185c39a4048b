package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/test/site"
)

// patience is how long anything may take to come back once a fault is over.
const patience = 2 * time.Minute

// channels are those that are delivered to.
var channels = []string{"dsw", "sigap", "112"}

// sendersPerChannel deliver at once.
const sendersPerChannel = 4

// storage is one kind of storage: how a ledger is started on it, and what can befall it.
type storage interface {
	name() string
	// flags name the storage to the ledger.
	flags() []string
	// open opens it for reading, beside the ledger.
	open(ctx context.Context) (store.Store, error)
	// faults are those that the storage has of its own.
	faults() []fault
}

// fault is something that fails. strike makes it fail; mend, which may be nil, ends that.
type fault struct {
	name   string
	strike func(ctx context.Context, w *world) error
	mend   func(ctx context.Context, w *world) error
}

// world is a ledger, a worker and those who deliver. A new one is made now and then, so that reading all
// of it after every round stays cheap.
type world struct {
	storage storage
	site    *site.Site
	// between is the proxy between worker and ledger.
	between *proxy
	senders []*sender
	random  *rand.Rand
	// outage is how long the last fault kept deliveries from being acknowledged.
	outage time.Duration
}

func newWorld(t *testing.T, tanggap string, s storage, random *rand.Rand) *world {
	t.Helper()
	w := &world{storage: s, random: random, between: newProxy(t, "127.0.0.1")}
	var err error
	w.site, err = site.New(site.Options{
		Tanggap: tanggap, Dir: t.TempDir(), Storage: s.flags(), Policy: site.Policy(channels...),
		Channels: site.Channels(channels...), Secrets: site.Secrets(),
		LedgerURL: "https://" + w.between.address(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.site.Close(); err != nil {
			t.Error(err)
		}
	})
	starting, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := w.site.StartLedger(starting); err != nil {
		t.Fatal(err)
	}
	w.between.lead(w.site.Ledger.Address("api"))
	if err := errors.Join(w.site.PutPolicy(starting, site.Policy(channels...)), w.site.StartWorker(starting)); err != nil {
		t.Fatal(err)
	}
	for _, channel := range channels {
		for i := range sendersPerChannel {
			w.senders = append(w.senders, newSender(channel, fmt.Sprint(i), random.Uint64()))
		}
	}
	return w
}

// round lets deliveries come in, makes one thing fail, and waits until they come in again.
func (w *world) round(ctx context.Context, f fault) error {
	for _, s := range w.senders {
		s.url = w.site.Hook(s.channel)
	}
	delivering, stop := context.WithCancel(ctx)
	errs := make([]error, len(w.senders)+1)
	var running sync.WaitGroup
	for i, s := range w.senders {
		running.Go(func() { errs[i] = s.run(delivering) })
	}
	errs[len(w.senders)] = w.fail(ctx, f)
	stop()
	running.Wait()
	return errors.Join(errs...)
}

func (w *world) fail(ctx context.Context, f fault) error {
	wait(time.Duration(w.random.IntN(400)) * time.Millisecond)
	struck := time.Now()
	if err := f.strike(ctx, w); err != nil {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	wait(time.Duration(w.random.IntN(400)) * time.Millisecond)
	if f.mend != nil {
		if err := f.mend(ctx, w); err != nil {
			return fmt.Errorf("mending %s: %w", f.name, err)
		}
	}
	mended := time.Now()
	for _, s := range w.senders {
		for !s.heardSince(mended) {
			if time.Since(mended) > patience {
				return fmt.Errorf("%s: nothing was acknowledged to %s within %s after it was over\n%s\n%s", f.name, s.channel, patience, w.site.Ledger.Tail(), w.site.Worker.Tail())
			}
			if !pause(ctx, 5*time.Millisecond) {
				return ctx.Err()
			}
		}
	}
	w.outage = time.Since(struck)
	wait(time.Duration(w.random.IntN(150)) * time.Millisecond)
	for _, p := range []*site.Process{w.site.Ledger, w.site.Worker} {
		select {
		case <-p.Ended():
			return fmt.Errorf("%s: a process ended by itself\n%s", f.name, p.Tail())
		default:
		}
	}
	return nil
}

// commonFaults can befall a ledger on any storage.
func commonFaults() []fault {
	killLedger := func(_ context.Context, w *world) error { w.site.Ledger.Kill(); return nil }
	killWorker := func(_ context.Context, w *world) error { w.site.Worker.Kill(); return nil }
	startLedger := func(ctx context.Context, w *world) error { return w.site.StartLedger(ctx) }
	startWorker := func(ctx context.Context, w *world) error { return w.site.StartWorker(ctx) }
	both := func(first, second func(context.Context, *world) error) func(context.Context, *world) error {
		return func(ctx context.Context, w *world) error { return errors.Join(first(ctx, w), second(ctx, w)) }
	}
	return []fault{
		{"the ledger is killed", killLedger, startLedger},
		{"the worker is killed", killWorker, startWorker},
		{
			"connections are cut",
			func(_ context.Context, w *world) error { w.between.cut(); return nil },
			func(_ context.Context, w *world) error { w.between.restore(); return nil },
		},
		{"ledger and worker are killed", both(killLedger, killWorker), both(startLedger, startWorker)},
	}
}

// onDisk is the fault that a disk is full. It lasts until the ledger has met it: what a storage has set aside
// may carry it for a while.
func onDisk(d *disk) fault {
	return fault{
		"the disk is full",
		func(ctx context.Context, w *world) error {
			before := strings.Count(w.site.Ledger.Log(), "Could not store")
			if err := d.fill(w.random.Int64N(256 << 10)); err != nil {
				return err
			}
			for full := time.Now(); strings.Count(w.site.Ledger.Log(), "Could not store") == before; {
				if time.Since(full) > patience {
					return errors.New("the ledger did not meet it")
				}
				if !pause(ctx, 10*time.Millisecond) {
					return ctx.Err()
				}
			}
			return nil
		},
		func(context.Context, *world) error { return d.empty() },
	}
}

// root is the folder of the repository.
var root = filepath.Join("..", "..")

// folder makes a folder on the disk, or a temporary one.
func folder(t *testing.T, d *disk) string {
	t.Helper()
	if d == nil {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(d.dir, "data-") //nolint:usetesting // it has to be on this disk
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
