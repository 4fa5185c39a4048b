package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/simulator/callcentre"
	"github.com/tanggap/tanggap/internal/simulator/portal"
	"github.com/tanggap/tanggap/test/cluster"
)

const (
	// kills is how many processes are killed while complaints arrive.
	kills = 24
	// senders is how many deliveries are under way at once.
	senders = 4
)

// traffic is complaints that arrive without a pause on both channels.
type traffic struct {
	sender *callcentre.Sender
	portal *portal.Portal

	mu        sync.Mutex
	incidents int
	// open are tickets that nobody has answered yet, answered how many were.
	open     []string
	answered int
	// written is what has been filed and acknowledged.
	written atomic.Int64
}

// run sends until the context ends, and then until what was begun is acknowledged.
func (f *traffic) run(until context.Context, t *testing.T) error {
	for until.Err() == nil {
		f.mu.Lock()
		f.incidents++
		i := f.incidents
		f.mu.Unlock()
		if err := f.sender.Send(t.Context(), "incident.created", incident(i)); err != nil {
			return err
		}
		f.written.Add(1)
		if i%4 != 0 {
			continue
		}
		if err := f.file(); err != nil {
			return err
		}
	}
	return nil
}

// file files a ticket, and answers every other one a little later.
func (f *traffic) file() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open = append(f.open, report(f.portal, 1)...)
	if len(f.open) <= f.answered+8 {
		return nil
	}
	number := f.open[0]
	f.open = f.open[1:]
	f.answered++
	return answer(f.portal, number)
}

// victim is a process that may be killed.
type victim struct{ component, instance string }

func TestKilledProcessesLoseNothingAndDoubleNothing(t *testing.T) {
	t.Parallel()
	c := newTown(t, "kills")
	c.underLoad(t, func(f *traffic) { c.killAtRandom(t, f) })
}

// underLoad has complaints flow on two channels while something is done, and checks then that each was counted once.
func (c *town) underLoad(t *testing.T, do func(*traffic)) {
	t.Helper()
	f := &traffic{portal: c.startPortal(t, "portal")}
	c.apply(t, "hotline.yaml", "channel", "hotline", "hookSecret", hookSecret)
	c.awaitReady(t, "portal", "hotline")
	f.sender = c.sender(t, "hotline")

	sending, stop := context.WithCancel(t.Context())
	defer stop()
	failures := make(chan error, senders)
	for range senders {
		go func() { failures <- f.run(sending, t) }()
	}
	do(f)
	stop()
	for range senders {
		if err := <-failures; err != nil {
			t.Error(err)
		}
	}

	tickets, acknowledged := len(f.portal.Numbers()), int(f.sender.Acknowledged())
	c.awaitFigures(t, "hotline", figures{Received: acknowledged, Answered: 0, Unanswered: acknowledged})
	c.awaitFigures(t, "portal", figures{Received: tickets, Answered: f.answered, Unanswered: tickets - f.answered})
	c.eachEventOnce(t, map[string]int{"hotline": acknowledged, "portal": tickets + f.answered})
	c.verifyLedger(t)
	measured.note(c.namespace+": deliveries acknowledged (requests sent)", fmt.Sprintf("%d (%d)", acknowledged, f.sender.Attempts()))
	measured.note(c.namespace+": tickets and answers polled", tickets+f.answered)
}

// awaitMore waits until n further complaints are acknowledged.
func (f *traffic) awaitMore(t *testing.T, n int64) {
	t.Helper()
	goal := f.written.Load() + n
	eventually(t, patience, "complaints flow", func(context.Context) error {
		if now := f.written.Load(); now < goal {
			return fmt.Errorf("%d of %d have been acknowledged", now, goal)
		}
		return nil
	})
}

// killAtRandom kills processes at moments that chance decides while complaints flow.
func (c *town) killAtRandom(t *testing.T, f *traffic) {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("the seed of the kills is %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	victims := []victim{{"ledger", "ledger"}, {"worker", "hotline"}, {"worker", "portal"}}
	counts := map[victim]int{}
	started := time.Now()
	for i := range kills {
		// Every third kill each, in an order of chance.
		if i%len(victims) == 0 {
			random.Shuffle(len(victims), func(i, j int) { victims[i], victims[j] = victims[j], victims[i] })
		}
		f.awaitMore(t, 1+random.Int64N(60))
		target := victims[i%len(victims)]
		c.kill(t, target)
		counts[target]++
	}
	measured.note("kills: SIGKILLs of ledger and workers while complaints flow", fmt.Sprintf("%d in %s", kills, time.Since(started).Round(time.Second)))
}

// kill kills a process as soon as it runs.
func (c *town) kill(t *testing.T, target victim) {
	t.Helper()
	eventually(t, patience, fmt.Sprintf("the %s %s can be killed", target.component, target.instance), func(ctx context.Context) error {
		pods, err := c.pods(ctx, target.component, target.instance)
		if err != nil {
			return err
		}
		if len(pods) != 1 {
			return fmt.Errorf("%d Pods", len(pods))
		}
		return world.Node.Kill(c.namespace, pods[0].Name, syscall.SIGKILL)
	})
}

// eachEventOnce checks that the ledger has taken just that many events of each channel.
func (c *town) eachEventOnce(t *testing.T, want map[string]int) {
	t.Helper()
	metrics, err := world.Scrape(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for channel, events := range want {
		if got := c.ingested(metrics, channel, "accepted"); got != events {
			t.Errorf("%s: %d events were accepted, %d happened", channel, got, events)
		}
		measured.note(c.namespace+": duplicates dropped of the channel "+channel, c.ingested(metrics, channel, "duplicate"))
	}
}

// ingested is how many of a channel's events had that result.
func (c *town) ingested(metrics cluster.Metrics, channel, result string) int {
	return c.figure(metrics, "tanggap_ingest_events_total", channel, "result="+result)
}

// verifyLedger has the ledger's own tool recount everything from the events.
func (c *town) verifyLedger(t *testing.T) {
	t.Helper()
	command := exec.CommandContext(t.Context(), world.tanggap, "ledger", "verify", "--data", world.Node.ClaimDir(c.namespace, "data-"+ledgerPod))
	output, err := command.CombinedOutput()
	if err != nil || !strings.HasPrefix(string(output), "no difference") {
		t.Error(errors.Join(fmt.Errorf("the ledger's figures are not those of its events: %s", output), err))
	}
}
