package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/test/cluster"
)

// operatorUser is who the operator is towards the API server.
const operatorUser = "system:serviceaccount:" + cluster.OperatorNamespace + ":tanggap-operator"

// quietTime is how long the operator must leave the API server alone.
const quietTime = time.Minute

// TestQuietTown has a town in which nothing happens, and then takes away first the operator and then the
// ledger. It does not run beside other tests, whose channels would give the operator something to write.
func TestQuietTown(t *testing.T) {
	c := newTown(t, "quiet")
	want := c.settle(t)
	t.Run("the operator writes nothing to the API server as long as nothing happens", func(t *testing.T) { c.operatorIsSilent(t) })
	t.Run("a killed operator comes back with every figure, and never with another", func(t *testing.T) { c.killOperator(t, want) })
	t.Run("a ledger that is down is unknown and never zero", func(t *testing.T) { c.keepLedgerDown(t, want) })
	t.Run("a ledger that hangs is unknown and never zero", func(t *testing.T) { c.freezeLedger(t, want) })
}

// settle gives the town some complaints and waits until everything that shows them does.
func (c *town) settle(t *testing.T) map[string]figures {
	t.Helper()
	p := c.startPortal(t, "portal")
	if err := answer(p, report(p, 5)[:2]...); err != nil {
		t.Fatal(err)
	}
	c.apply(t, "hotline.yaml", "channel", "hotline", "hookSecret", hookSecret)
	c.awaitReady(t, "portal", "hotline")
	sender := c.sender(t, "hotline")
	for i := range 3 {
		if err := sender.Send(t.Context(), "incident.created", incident(i)); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]figures{"portal": {Received: 5, Answered: 2, Unanswered: 3}, "hotline": {Received: 3, Answered: 0, Unanswered: 3}}
	for channel, figures := range want {
		c.awaitFigures(t, channel, figures)
	}
	eventually(t, patience, "the statuses show the figures", func(ctx context.Context) error { return c.statusesShow(ctx, want) })
	return want
}

// statusesShow is an error for every status that does not show the figures yet.
func (c *town) statusesShow(ctx context.Context, want map[string]figures) error {
	var faults []error
	total := 0
	for name, figures := range want {
		total += figures.Unanswered
		channel, err := c.channel(ctx, name)
		if err != nil {
			return err
		}
		if got := channel.Status.Unanswered; got == nil || int(*got) != figures.Unanswered {
			faults = append(faults, fmt.Errorf("%s does not show %d unanswered yet", name, figures.Unanswered))
		}
	}
	var ledger v1alpha1.ComplaintLedger
	if err := world.Client.Get(ctx, c.key("ledger"), &ledger); err != nil {
		return err
	}
	if got := ledger.Status.Unanswered; got == nil || int(*got) != total {
		faults = append(faults, fmt.Errorf("the ledger does not show %d unanswered yet", total))
	}
	return errors.Join(faults...)
}

// operatorWrites are the operator's requests since an instant that change something. The one exception is
// the Lease by which the replicas agree on a leader: it is renewed every few seconds in any cluster.
func operatorWrites(since time.Time) ([]cluster.Write, error) {
	all, err := cluster.Writes(world.audit, operatorUser, since)
	var writes []cluster.Write
	for _, write := range all {
		if write.Resource != "leases" {
			writes = append(writes, write)
		}
	}
	return writes, err
}

func (c *town) operatorIsSilent(t *testing.T) {
	const calm = 5 * time.Second
	started := time.Now()
	// The events of what has just happened are sent in the background.
	eventually(t, patience, "the operator has come to rest", func(context.Context) error {
		writes, err := operatorWrites(time.Now().Add(-calm))
		if err == nil && (len(writes) > 0 || time.Since(started) < calm) {
			err = fmt.Errorf("it has just written: %v", writes)
		}
		return err
	})
	since := time.Now()
	throughout(t, quietTime, "the operator writes nothing", func(context.Context) error {
		writes, err := operatorWrites(since)
		if err != nil {
			return err
		}
		return differ(nil, writes)
	})
	all, err := cluster.Writes(world.audit, operatorUser, since)
	if err != nil {
		t.Fatal(err)
	}
	leases := len(all)
	if leases == 0 {
		t.Error("not even the lease was renewed, so that the log proves nothing")
	}
	measured.note(fmt.Sprintf("writes of an idle operator in %s (beside %d renewals of its lease)", quietTime, leases), 0)
}

// rightOrAbsent is an error for a figure that is neither what it should be nor absent.
func (c *town) rightOrAbsent(metrics cluster.Metrics, want map[string]figures) error {
	for channel, right := range want {
		got := c.figuresOf(metrics, channel)
		for _, pair := range [][2]int{{right.Received, got.Received}, {right.Answered, got.Answered}, {right.Unanswered, got.Unanswered}} {
			if pair[1] != absent && pair[1] != pair[0] {
				return fmt.Errorf("%s: %w", channel, differ(right, got))
			}
		}
	}
	return nil
}

// watch scrapes until the condition holds, and fails at any figure that is neither right nor absent.
func (c *town) watch(t *testing.T, want map[string]figures, what string, holds func(cluster.Metrics) error) {
	t.Helper()
	eventually(t, 2*time.Minute, what, func(ctx context.Context) error {
		metrics, err := world.Scrape(ctx)
		if err != nil {
			return err // nobody leads just now, so nothing is said at all
		}
		if err := c.rightOrAbsent(metrics, want); err != nil {
			t.Fatal(err)
		}
		return holds(metrics)
	})
}

// allRight is an error as long as a figure is absent.
func (c *town) allRight(want map[string]figures) func(cluster.Metrics) error {
	return func(metrics cluster.Metrics) error {
		for channel, right := range want {
			if err := differ(right, c.figuresOf(metrics, channel)); err != nil {
				return fmt.Errorf("%s: %w", channel, err)
			}
		}
		return nil
	}
}

// nothingKnown is an error until the ledger counts as unreadable and no figure of it is shown.
func (c *town) nothingKnown(want map[string]figures) func(cluster.Metrics) error {
	return func(metrics cluster.Metrics) error {
		if up, found := metrics.Sum("tanggap_summary_up", "namespace="+c.namespace); !found || up != 0 {
			return fmt.Errorf("tanggap_summary_up is %v (found: %v)", up, found)
		}
		for channel := range want {
			if err := differ(unknown, c.figuresOf(metrics, channel)); err != nil {
				return fmt.Errorf("%s: %w", channel, err)
			}
		}
		return nil
	}
}

func (c *town) killOperator(t *testing.T, want map[string]figures) {
	pods, err := world.Node.Pods(cluster.OperatorNamespace)
	if err != nil {
		t.Fatal(err)
	}
	if len(pods) != 2 {
		t.Fatalf("%d operators run, not 2", len(pods))
	}
	started := time.Now()
	for _, pod := range pods {
		if err := world.Node.Kill(pod.Namespace, pod.Name, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := world.Scrape(t.Context()); err == nil {
		t.Error("metrics are still served although every operator was killed")
	}
	c.watch(t, want, "the figures are back", c.allRight(want))
	measured.note("from the SIGKILL of both operators to every figure", time.Since(started))
}

// ledgerPod is the name of the ledger's Pod.
const ledgerPod = "ledger-ledger-0"

func (c *town) keepLedgerDown(t *testing.T, want map[string]figures) {
	down, restart := context.WithCancel(t.Context())
	killed := make(chan int)
	go func() { killed <- c.killAgainAndAgain(down, ledgerPod) }()
	started := time.Now()
	c.watch(t, want, "nothing is known of the ledger's channels", c.nothingKnown(want))
	measured.note("from the SIGKILL of a ledger to absent figures", time.Since(started))
	c.sendAgainLater(t)
	throughout(t, 3*time.Second, "nothing is known while the ledger is down", func(ctx context.Context) error {
		metrics, err := world.Scrape(ctx)
		if err != nil {
			return err
		}
		return c.nothingKnown(want)(metrics)
	})
	restart()
	if kills := <-killed; kills < 1 {
		t.Fatal("the ledger was never killed")
	}
	started = time.Now()
	c.watch(t, want, "the figures are back", c.allRight(want))
	measured.note("from the restart of a ledger to every figure", time.Since(started))
}

// sendAgainLater delivers while the ledger is away: the sender is asked to come again, and is not told
// that its complaint has been taken.
func (c *town) sendAgainLater(t *testing.T) {
	t.Helper()
	response, err := caller(t).Do(c.signed(t, "hotline", time.Now(), body(t, incident(1))))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" {
		t.Errorf("a delivery was answered %s, Retry-After %q", response.Status, response.Header.Get("Retry-After"))
	}
}

// killAgainAndAgain keeps a Pod's process from living longer than a moment until the context ends.
func (c *town) killAgainAndAgain(ctx context.Context, pod string) (kills int) {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		if world.Node.Kill(c.namespace, pod, syscall.SIGKILL) == nil {
			kills++
		}
		select {
		case <-ctx.Done():
			return kills
		case <-ticker.C:
		}
	}
}

func (c *town) freezeLedger(t *testing.T, want map[string]figures) {
	if err := world.Node.Kill(c.namespace, ledgerPod, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	started := time.Now()
	c.watch(t, want, "nothing is known of the ledger's channels", c.nothingKnown(want))
	measured.note("from a ledger that hangs to absent figures", time.Since(started))
	if err := world.Node.Kill(c.namespace, ledgerPod, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	c.watch(t, want, "the figures are back", c.allRight(want))
}
