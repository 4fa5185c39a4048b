package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tanggap/tanggap/test/site"
)

// takeOver is how long the ledger that watches may be silent before another one does.
const takeOver = 3 * time.Second

// probeEvery is how often ledgers are asked whether they are ready: the cluster's 2 s would make rounds longer.
const probeEvery = 200 * time.Millisecond

// service is what a Service of Kubernetes is to the worker: a connection goes to any of the ledgers that
// were ready when they were last asked, and stays there.
type service struct {
	mu    sync.Mutex
	ready []bool
}

// balance lets the one address lead to all ledgers.
func balance(t *testing.T, w *world) {
	t.Helper()
	if len(w.replicas) == 1 {
		w.between.lead(w.replicas[0].address())
		return
	}
	s := &service{ready: make([]bool, len(w.replicas))}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var probing sync.WaitGroup
	t.Cleanup(func() { stop(); probing.Wait() })
	for i := range w.replicas {
		s.ready[i] = true
		url := "http://" + w.ledger(i).Address("probes") + "/readyz" // it is the same after a start
		probing.Go(func() {
			for site.Pause(ctx, probeEvery) {
				_, err := get(ctx, url)
				s.mu.Lock()
				s.ready[i] = err == nil
				s.mu.Unlock()
			}
		})
	}
	w.between.leadTo(func() string {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, i := range rand.Perm(len(s.ready)) {
			if s.ready[i] {
				return w.replicas[i].address()
			}
		}
		return ""
	})
}

// prober asks on a connection of its own each time, as the kubelet does.
var prober = &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

func get(ctx context.Context, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	response, err := prober.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answered %d", url, response.StatusCode)
	}
	return string(body), err
}

// watches reports whether a ledger says that it is the one that looks at due instants.
func (w *world) watches(ctx context.Context, i int) (bool, error) {
	text, err := get(ctx, "http://"+w.ledger(i).Address("probes")+"/metrics")
	return strings.Contains(text, "\ntanggap_ledger_watches 1\n"), err
}

// watching waits until exactly one ledger watches and says which. When not is a ledger, that one does not.
func (w *world) watching(ctx context.Context, not int) (holder int, err error) {
	for began := time.Now(); time.Since(began) < patience; {
		var holders []int
		for i := range w.replicas {
			if i == not {
				continue
			}
			if yes, failed := w.watches(ctx, i); failed != nil {
				err = failed
			} else if yes {
				holders = append(holders, i)
			}
		}
		if len(holders) == 1 {
			return holders[0], nil
		}
		if !site.Pause(ctx, 20*time.Millisecond) {
			return 0, ctx.Err()
		}
	}
	return 0, errors.Join(fmt.Errorf("for %s there was not one ledger that watched", patience), err)
}

// nobody is no ledger.
const nobody = -1

// replicaFaults can befall ledgers of which there are two.
func (s *database) replicaFaults() []fault {
	startStruck := func(ctx context.Context, w *world) error { return w.startLedger(ctx, w.struck) }
	startAll := func(ctx context.Context, w *world) error {
		return errors.Join(w.startLedger(ctx, 0), w.startLedger(ctx, 1))
	}
	killOne := func(_ context.Context, w *world) error {
		w.struck = w.random.IntN(2)
		w.ledger(w.struck).Kill()
		return nil
	}
	return []fault{
		{name: "one ledger is killed", strike: killOne, mend: startStruck, spares: true},
		{name: "the ledger that watches is frozen", strike: freeze(true), mend: thaw, spares: true, least: takeOver},
		{name: "both ledgers are killed", strike: killLedgers, mend: startAll},
		{
			name: "connections to one ledger are cut", spares: true,
			strike: func(_ context.Context, w *world) error {
				w.struck = w.random.IntN(2)
				w.replicas[w.struck].cut()
				return nil
			},
			mend: func(_ context.Context, w *world) error { w.replicas[w.struck].restore(); return nil },
		},
		{name: "the other ledger is frozen", strike: freeze(false), mend: thaw, spares: true, least: takeOver},
		{
			name: "one ledger loses the database", spares: true, least: takeOver,
			strike: func(_ context.Context, w *world) error {
				w.struck = w.random.IntN(2)
				s.between[w.struck].cut()
				return nil
			},
			mend: func(_ context.Context, w *world) error { s.between[w.struck].restore(); return nil },
		},
		{
			name: "the network of one ledger stands still", spares: true, least: takeOver,
			strike: func(_ context.Context, w *world) error {
				w.struck = w.random.IntN(2)
				w.replicas[w.struck].hold()
				s.between[w.struck].hold()
				return nil
			},
			mend: func(_ context.Context, w *world) error {
				s.between[w.struck].release()
				w.replicas[w.struck].release()
				return nil
			},
		},
		{name: "one ledger and the worker are killed", strike: both(killOne, killWorker), mend: both(startStruck, startWorker)},
		cutConnections(),
	}
}

// freeze stops the ledger that watches, or the other one, wherever it is: maybe in a transaction whose lock
// everybody waits for.
func freeze(watching bool) func(context.Context, *world) error {
	return func(ctx context.Context, w *world) (err error) {
		if w.struck, err = w.watching(ctx, nobody); err != nil {
			return err
		}
		if !watching {
			w.struck = 1 - w.struck
		}
		return w.ledger(w.struck).Freeze()
	}
}

// thaw lets it go on once another one watches.
func thaw(ctx context.Context, w *world) error {
	_, err := w.watching(ctx, w.struck)
	return errors.Join(err, w.ledger(w.struck).Thaw())
}
