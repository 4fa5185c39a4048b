package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/ledger/client"
	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/internal/policy"
	"github.com/tanggap/tanggap/internal/sla"
	"github.com/tanggap/tanggap/test/site"
)

// patience is how long anything may take to come back once a fault is over.
const patience = 2 * time.Minute

// channels are those that are delivered to.
var channels = []string{"dsw", "sigap", callChannel}

// The channel whose complaints are due soon after they came, and its clock.
const (
	callChannel = "112"
	callClock   = "FirstAnswer"
)

// sendersPerChannel deliver at once.
const sendersPerChannel = 4

// storage is one kind of storage: how a ledger is started on it, and what can befall it.
type storage interface {
	name() string
	// replicas is how many ledgers there are on it; flags name it to each of them.
	replicas() int
	flags(replica int) []string
	// open opens it for reading, beside the ledger.
	open(ctx context.Context) (store.Store, error)
	// faults are those that can befall ledgers on it.
	faults() []fault
}

// fault is something that fails. strike makes it fail; mend, which may be nil, ends that.
type fault struct {
	name   string
	strike func(ctx context.Context, w *world) error
	mend   func(ctx context.Context, w *world) error
	// spares says that another replica goes on: deliveries are acknowledged again before it is mended.
	spares bool
	// least is how long it lasts at least.
	least time.Duration
}

// world is a ledger or its replicas, a worker, those who deliver and those who follow. A new one is made now
// and then, so that reading all of it after every round stays cheap.
type world struct {
	storage storage
	site    *site.Site
	// between is the address at which the worker finds the ledgers, replicas the proxies behind it, one for
	// each ledger.
	between   *proxy
	replicas  []*proxy
	senders   []*sender
	followers []*follower
	guard     *guard // nil where there is one ledger
	random    *rand.Rand
	// struck is the ledger that the last fault has chosen.
	struck int
	// outage is how long the last fault kept deliveries from being acknowledged.
	outage time.Duration
}

func newWorld(t *testing.T, tanggap string, s storage, random *rand.Rand) *world {
	t.Helper()
	w := &world{storage: s, random: random, between: newProxy(t, "127.0.0.1")}
	var err error
	w.site, err = site.New(site.Options{
		Tanggap: tanggap, Dir: t.TempDir(), Storage: s.flags(0), Policy: promises(),
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
	for i := range s.replicas() {
		if err := w.startLedger(starting, i); err != nil {
			t.Fatal(err)
		}
		w.replicas = append(w.replicas, newProxy(t, "127.0.0.1"))
		w.replicas[i].lead(w.ledger(i).Address("api"))
	}
	balance(t, w)
	if err := errors.Join(w.site.PutPolicy(starting, promises()), w.site.StartWorker(starting)); err != nil {
		t.Fatal(err)
	}
	for _, channel := range channels {
		for i := range sendersPerChannel {
			w.senders = append(w.senders, newSender(channel, fmt.Sprint(i), random.Uint64()))
		}
	}
	w.follow(t)
	if s.replicas() > 1 {
		w.keepGuard(t)
	}
	return w
}

// ledger is the process of a replica.
func (w *world) ledger(i int) *site.Process {
	if i == 0 {
		return w.site.Ledger
	}
	return w.site.Replicas[i-1].Process
}

func (w *world) ledgers() []*site.Process {
	processes := make([]*site.Process, w.storage.replicas())
	for i := range processes {
		processes[i] = w.ledger(i)
	}
	return processes
}

// operator speaks to a replica as the operator does.
func (w *world) operator(i int) *client.Client {
	if i == 0 {
		return w.site.Operator
	}
	return w.site.Replicas[i-1].Operator
}

func (w *world) startLedger(ctx context.Context, i int) error {
	if i == 0 {
		return w.site.StartLedger(ctx)
	}
	return w.site.StartReplica(ctx, i-1, w.storage.flags(i))
}

// promises are those of a city; what comes by 112 is to be answered within a second, so that due instants
// pass while things fail.
func promises() policy.Document {
	document := site.Policy(channels...)
	document.SLAs["call"] = sla.Spec{Rules: []sla.Rule{{Name: "all", Clocks: []sla.Clock{
		{Name: callClock, Measures: "FirstAnswer", Target: sla.Target{Within: "1s"}},
	}}}}
	calls := document.Channels[callChannel]
	calls.SLA = "call"
	document.Channels[callChannel] = calls
	return document.Seal()
}

// round lets deliveries come in, makes one thing fail, and waits until they come in again.
func (w *world) round(ctx context.Context, f fault) error {
	return w.delivering(ctx, func() error { return w.fail(ctx, f) })
}

// delivering lets deliveries come in until do returns.
func (w *world) delivering(ctx context.Context, do func() error) error {
	for _, s := range w.senders {
		s.url = w.site.Hook(s.channel)
	}
	running, stop := context.WithCancel(ctx)
	errs := make([]error, len(w.senders)+1)
	var senders sync.WaitGroup
	for i, s := range w.senders {
		senders.Go(func() { errs[i] = s.run(running) })
	}
	errs[len(w.senders)] = do()
	stop()
	senders.Wait()
	return errors.Join(errs...)
}

func (w *world) fail(ctx context.Context, f fault) error {
	wait(time.Duration(w.random.IntN(400)) * time.Millisecond)
	struck := time.Now()
	if err := f.strike(ctx, w); err != nil {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	if f.spares {
		if err := w.heard(ctx, struck); err != nil {
			return fmt.Errorf("%s, and another ledger goes on: %w", f.name, err)
		}
		w.outage = time.Since(struck)
	}
	wait(f.least + time.Duration(w.random.IntN(400))*time.Millisecond)
	if f.mend != nil {
		if err := f.mend(ctx, w); err != nil {
			return fmt.Errorf("mending %s: %w", f.name, err)
		}
	}
	mended := time.Now()
	if err := w.heard(ctx, mended); err != nil {
		return fmt.Errorf("%s, and is over: %w", f.name, err)
	}
	if !f.spares {
		w.outage = time.Since(struck)
	}
	wait(time.Duration(w.random.IntN(150)) * time.Millisecond)
	for _, p := range append(w.ledgers(), w.site.Worker) {
		select {
		case <-p.Ended():
			return fmt.Errorf("%s: a process ended by itself\n%s", f.name, p.Tail())
		default:
		}
	}
	return nil
}

// heard waits until every sender has sent something after the instant, and it was acknowledged.
func (w *world) heard(ctx context.Context, since time.Time) error {
	for _, s := range w.senders {
		for began := time.Now(); !s.heardSince(since); {
			if time.Since(began) > patience {
				err := fmt.Errorf("nothing was acknowledged to %s within %s\n%s", s.channel, patience, w.site.Worker.Tail())
				for _, p := range w.ledgers() {
					err = fmt.Errorf("%w\n%s", err, p.Tail())
				}
				return err
			}
			if !site.Pause(ctx, 5*time.Millisecond) {
				return ctx.Err()
			}
		}
	}
	return nil
}

// commonFaults can befall a single ledger on any storage.
func commonFaults() []fault {
	startLedger := func(ctx context.Context, w *world) error { return w.startLedger(ctx, 0) }
	return []fault{
		{name: "the ledger is killed", strike: killLedgers, mend: startLedger},
		{name: "the worker is killed", strike: killWorker, mend: startWorker},
		cutConnections(),
		{
			name:   "the ledger is frozen",
			strike: func(_ context.Context, w *world) error { return w.ledger(0).Freeze() },
			mend:   func(_ context.Context, w *world) error { return w.ledger(0).Thaw() },
		},
		{name: "ledger and worker are killed", strike: both(killLedgers, killWorker), mend: both(startLedger, startWorker)},
	}
}

func killLedgers(_ context.Context, w *world) error {
	for _, p := range w.ledgers() {
		p.Kill()
	}
	return nil
}

func killWorker(_ context.Context, w *world) error { w.site.Worker.Kill(); return nil }

func startWorker(ctx context.Context, w *world) error { return w.site.StartWorker(ctx) }

func both(first, second func(context.Context, *world) error) func(context.Context, *world) error {
	return func(ctx context.Context, w *world) error { return errors.Join(first(ctx, w), second(ctx, w)) }
}

func cutConnections() fault {
	return fault{
		name:   "connections are cut",
		strike: func(_ context.Context, w *world) error { w.between.cut(); return nil },
		mend:   func(_ context.Context, w *world) error { w.between.restore(); return nil },
	}
}

// onDisk is the fault that a disk is full. It lasts until the ledger has met it: what a storage has set aside
// may carry it for a while.
func onDisk(d *disk) fault {
	return fault{
		name: "the disk is full",
		strike: func(ctx context.Context, w *world) error {
			before := w.refusals()
			if err := d.fill(w.random.Int64N(256 << 10)); err != nil {
				return err
			}
			for full := time.Now(); w.refusals() == before; {
				if time.Since(full) > patience {
					return errors.New("the ledger did not meet it")
				}
				if !site.Pause(ctx, 10*time.Millisecond) {
					return ctx.Err()
				}
			}
			return nil
		},
		mend: func(context.Context, *world) error { return d.empty() },
	}
}

// refusals is how often ledgers have begun to meet a storage that takes nothing.
func (w *world) refusals() (n int) {
	for _, p := range w.ledgers() {
		n += strings.Count(p.Log(), "Could not store")
	}
	return n
}

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
