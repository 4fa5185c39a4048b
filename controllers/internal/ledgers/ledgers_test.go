package ledgers

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/tanggap/tanggap/internal/ledger/client"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/policy"
	"github.com/tanggap/tanggap/internal/sla"
)

var (
	key  = types.NamespacedName{Namespace: "depok", Name: "ledger"}
	errX = errors.New("connection refused")
)

// ledgerStub is a ledger whose state the test sets. It holds a request as a ledger does: until the
// sequence changes or the wait is over.
type ledgerStub struct {
	mu      sync.Mutex
	summary ledgerapi.Summary
	err     error
	hang    bool
	refuse  error
	changed chan struct{}
	// gap has the next answer begin elsewhere, as if an answer before it had been lost.
	gap bool

	asked, put int
	// whole is how often everything was asked for.
	whole int
}

func newStub() *ledgerStub {
	return &ledgerStub{changed: make(chan struct{}), summary: ledgerapi.Summary{Channels: map[string]ledgerapi.ChannelSummary{}}}
}

// change alters the ledger's state and moves its sequence.
func (s *ledgerStub) change(alter func(*ledgerapi.Summary)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.summary.Channels = maps.Clone(s.summary.Channels)
	alter(&s.summary)
	s.summary.Sequence++
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *ledgerStub) fail(err error, hang bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err, s.hang = err, hang
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *ledgerStub) requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

func (s *ledgerStub) Summary(ctx context.Context, after ledgerapi.Position, wait time.Duration) (*ledgerapi.Summary, error) {
	s.mu.Lock()
	s.asked++
	if after == (ledgerapi.Position{}) {
		s.whole++
	}
	s.mu.Unlock()
	over, limit := time.After(wait), time.After(wait+requestTimeout)
	for {
		s.mu.Lock()
		state, err, hang, changed := s.summary, s.err, s.hang, s.changed
		s.mu.Unlock()
		switch {
		case hang:
		case err != nil:
			return nil, err
		case state.Sequence != after.Sequence:
			// A stub that remembers nothing says that every channel has changed.
			state.At, state.Since = time.Now(), after.Sequence
			s.mu.Lock()
			if s.gap {
				state.Since, s.gap = after.Sequence+1, false
			}
			s.mu.Unlock()
			return &state, nil
		}
		select {
		case <-changed:
		case <-over:
			if !hang {
				return &ledgerapi.Summary{Position: after, Since: after.Sequence, At: time.Now(), Watermark: state.Watermark, Policy: state.Policy}, nil
			}
		case <-limit:
			return nil, context.DeadlineExceeded
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (s *ledgerStub) PutPolicy(_ context.Context, document policy.Document) (ledgerapi.PolicyStatus, error) {
	s.mu.Lock()
	s.put++
	refuse := s.refuse
	s.mu.Unlock()
	if refuse != nil {
		return ledgerapi.PolicyStatus{}, refuse
	}
	s.change(func(summary *ledgerapi.Summary) { summary.Policy.Revision = document.Revision })
	return ledgerapi.PolicyStatus{Revision: document.Revision}, nil
}

func (s *ledgerStub) CloseIdleConnections() {}

// woken collects what a feed wakes.
type woken struct {
	queue workqueue.TypedRateLimitingInterface[reconcile.Request]
}

func listen(t *testing.T, feed *Feed) *woken {
	t.Helper()
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	if err := feed.Source().Start(t.Context(), queue); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(queue.ShutDown)
	return &woken{queue: queue}
}

// take are the names woken since the last time.
func (w *woken) take() []string {
	names := []string{}
	for w.queue.Len() > 0 {
		request, _ := w.queue.Get()
		w.queue.Done(request)
		names = append(names, request.Name)
	}
	slices.Sort(names)
	return names
}

// bench is a Set that runs on simulated time, connected to one ledger with one channel.
type bench struct {
	set                     *Set
	stub                    *ledgerStub
	ledgers, channels, slas *woken
	dialled                 int
}

func document() *policy.Document {
	sealed := policy.Document{
		Channels: map[string]policy.Channel{"dsw": {Type: "rest", SLA: "city"}},
		SLAs:     map[string]sla.Spec{"city": {}},
	}.Seal()
	return &sealed
}

func start(t *testing.T) *bench {
	t.Helper()
	b := &bench{stub: newStub()}
	b.set = New(Options{
		Dial:   func(Access) (API, error) { b.dialled++; return b.stub, nil },
		Now:    time.Now,
		After:  time.After,
		Logger: logr.Discard(),
	})
	b.ledgers, b.channels, b.slas = listen(t, &b.set.Ledgers), listen(t, &b.set.Channels), listen(t, &b.set.SLAs)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- b.set.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Start: %v", err)
		}
	})
	return b
}

// startHeard has heard of a ledger whose channel has three complaints that nobody has answered.
func startHeard(t *testing.T) *bench {
	t.Helper()
	b := start(t)
	b.stub.change(report(3))
	b.connect(t)
	pass(time.Second)
	return b
}

func (b *bench) connect(t *testing.T) {
	t.Helper()
	if err := b.set.Connect(key, Access{URL: "https://ledger-ledger.depok.svc:8443"}); err != nil {
		t.Fatal(err)
	}
	b.set.SetPolicy(key, document())
}

// report is what a worker that works reports.
func report(unanswered int64) func(*ledgerapi.Summary) {
	return func(summary *ledgerapi.Summary) {
		summary.Channels["dsw"] = ledgerapi.ChannelSummary{
			ReportedAt: new(time.Now()), State: ledgerapi.SourceConnected, Reason: ledgerapi.ReasonConnected, Unanswered: unanswered,
		}
	}
}

func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func want(t *testing.T, what string, got, want []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: %s", what, diff)
	}
}

func TestWhatAWorkerReportsShowsAtOnceAndFiguresInTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := startHeard(t)
		want(t, "the first reading", b.channels.take(), []string{"dsw"})
		if view, known := b.set.Channel(key, "dsw"); !known || !view.Reported || view.Unanswered != 3 {
			t.Errorf("known %v: %+v", known, view)
		}

		for i := range 20 { // a figure that moves every second moves the status every half minute
			b.stub.change(report(int64(4 + i)))
			pass(time.Second)
		}
		want(t, "figures alone within half a minute", b.channels.take(), []string{})
		pass(15 * time.Second)
		want(t, "figures alone after half a minute", b.channels.take(), []string{"dsw"})
		if view, _ := b.set.Channel(key, "dsw"); view.Unanswered != 23 {
			t.Errorf("%d unanswered are shown, want 23", view.Unanswered)
		}

		b.stub.change(func(summary *ledgerapi.Summary) {
			c := summary.Channels["dsw"]
			c.State, c.Reason, c.Unanswered = ledgerapi.SourceDisconnected, ledgerapi.ReasonUnauthorized, 24
			summary.Channels["dsw"] = c
		})
		pass(time.Second)
		want(t, "another state of the source", b.channels.take(), []string{"dsw"})
		if view, _ := b.set.Channel(key, "dsw"); view.Reason != ledgerapi.ReasonUnauthorized || view.Unanswered != 24 {
			t.Errorf("shown is %+v", view)
		}

		pass(3 * time.Minute)
		want(t, "a worker that fell silent", b.channels.take(), []string{"dsw"})
		if view, _ := b.set.Channel(key, "dsw"); view.Reported || view.FiguresKnown || view.LedgerSilent {
			t.Errorf("shown is %+v", view)
		}
	})
}

func TestChangesThatDoNotFitAreNotTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := startHeard(t)
		for n := range int64(5) {
			b.stub.change(report(4 + n))
			pass(time.Second)
			if got := b.set.Export()[0].Summary.Channels["dsw"].Unanswered; got != 4+n {
				t.Errorf("%d are unanswered, want %d", got, 4+n)
			}
		}
		if b.stub.whole != 1 {
			t.Errorf("everything was asked for %d times, want once", b.stub.whole)
		}
		b.stub.mu.Lock()
		b.stub.gap = true
		b.stub.mu.Unlock()
		before := b.set.Export()[0].Summary
		b.stub.change(func(s *ledgerapi.Summary) { report(9)(s); s.Channels["112"] = ledgerapi.ChannelSummary{} })
		pass(100 * time.Millisecond)
		if after := b.set.Export()[0].Summary; after != before {
			t.Errorf("taken over: %+v", after)
		}
		pass(time.Second)
		if got := b.set.Export()[0].Summary.Channels["dsw"].Unanswered; got != 9 || b.stub.whole != 2 {
			t.Errorf("%d are unanswered after everything was asked for %d times, want 9 after 2", got, b.stub.whole)
		}
		if len(before.Channels) != 1 {
			t.Errorf("what was exported has changed: %+v", before)
		}
	})
}

func TestALedgerThatHasNothingToSayIsAskedSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := startHeard(t)
		before := b.stub.requests()
		pass(time.Minute)
		if asked := b.stub.requests() - before; asked < 60/3 || asked > 60/2+5 {
			t.Errorf("%d requests in a minute without news", asked)
		}
		before = b.stub.requests()
		for range 100 { // one that never rests is not asked without a pause either
			b.stub.change(report(3))
			pass(100 * time.Millisecond)
		}
		if asked := b.stub.requests() - before; asked > 21 {
			t.Errorf("%d requests in ten seconds of news", asked)
		}
	})
}

func TestALedgerThatDoesNotAnswer(t *testing.T) {
	for sentence, c := range map[string]struct {
		err     error
		hang    bool
		problem string
	}{
		"refuses connections":      {err: errX, problem: "The ledger cannot be reached."},
		"takes no certificate":     {err: &client.Error{Status: 403, Message: "no"}, problem: "The ledger refuses the operator's certificate."},
		"answers with an error":    {err: &client.Error{Status: 500, Message: "no"}, problem: "The ledger answers with an error: Internal Server Error."},
		"takes requests and hangs": {hang: true, problem: "The ledger does not answer in time."},
	} {
		t.Run(sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := startHeard(t)
				b.ledgers.take()
				b.channels.take()

				b.stub.fail(c.err, c.hang)
				pass(3 * time.Second)
				want(t, "in the first seconds", b.ledgers.take(), []string{})
				pass(12 * time.Second)
				want(t, "after some seconds", b.ledgers.take(), []string{"ledger"})
				if view, _ := b.set.Ledger(key); view.Connected || view.Problem != c.problem || view.FiguresKnown {
					t.Errorf("shown is %+v", view)
				}
				if up := b.set.Export()[0]; up.Up(time.Now()) {
					t.Error("the metrics call it up")
				}
				want(t, "channels in the first half minute", b.channels.take(), []string{})
				pass(30 * time.Second)
				want(t, "channels after half a minute", b.channels.take(), []string{"dsw"})
				if view, _ := b.set.Channel(key, "dsw"); !view.LedgerSilent || view.FiguresKnown {
					t.Errorf("shown is %+v", view)
				}

				b.stub.fail(nil, false)
				b.stub.change(report(5))
				pass(8 * time.Second)
				want(t, "the ledger is back", b.ledgers.take(), []string{"ledger"})
				want(t, "its channels too", b.channels.take(), []string{"dsw"})
				if view, _ := b.set.Channel(key, "dsw"); view.Unanswered != 5 {
					t.Errorf("shown is %+v", view)
				}
			})
		})
	}
}

func TestTimeThatStandsStillIsShownOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := startHeard(t)
		b.ledgers.take()

		until := time.Now().UTC().Truncate(time.Second).Add(7 * time.Minute)
		b.stub.change(func(summary *ledgerapi.Summary) { summary.Watermark = until })
		pass(time.Second)
		want(t, "time that stands still", b.ledgers.take(), []string{"ledger"})
		if view, _ := b.set.Ledger(key); !view.Connected || !view.StandsAt.Equal(until) {
			t.Errorf("shown is %+v; want that it stands at %v", view, until)
		}
		pass(time.Minute)
		want(t, "a minute without news", b.ledgers.take(), []string{})
		pass(2 * time.Minute)
		want(t, "time that has all but come there", b.ledgers.take(), []string{"ledger"})
		if view, _ := b.set.Ledger(key); !view.StandsAt.IsZero() {
			t.Errorf("shown is %+v; want that time goes on", view)
		}
	})
}

func TestAnOperatorThatHasJustStartedSaysNothingYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		b.stub.fail(nil, true)
		b.connect(t)
		pass(5 * time.Second)
		if _, known := b.set.Ledger(key); known {
			t.Error("something is said of a ledger that had no time to answer")
		}
		if _, known := b.set.Channel(key, "dsw"); known {
			t.Error("something is said of a channel")
		}
		pass(patience + 10*time.Second)
		if view, known := b.set.Channel(key, "dsw"); !known || !view.LedgerSilent {
			t.Errorf("after a while: known %v, %+v", known, view)
		}
	})
}

func TestAPolicyIsKnownToRunOnceTheLedgerHasIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := startHeard(t)
		b.slas.take()
		if wanted, applied := b.set.Running(key); wanted == nil || applied != nil {
			t.Errorf("before: wanted %v, applied %v", wanted, applied)
		}
		if err := b.set.PutPolicy(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		want(t, "the SLA in it", b.slas.take(), []string{"city"})
		if view, _ := b.set.Ledger(key); view.Revision != document().Revision {
			t.Errorf("the revision shown is %q", view.Revision)
		}
		pass(time.Minute)
		if _, applied := b.set.Running(key); applied == nil {
			t.Error("forgotten after a while")
		}

		// Progress of judging cases again: the end shows at once, what lies between in its time.
		rederive := func(done, toGo int64) {
			b.stub.change(func(s *ledgerapi.Summary) {
				s.Policy.Rederive = map[string]ledgerapi.Progress{"city": {Done: done, ToGo: toGo}}
			})
			pass(time.Second)
		}
		rederive(0, 100)
		want(t, "the beginning", b.slas.take(), []string{"city"})
		rederive(10, 90)
		rederive(60, 40)
		want(t, "between", b.slas.take(), []string{})
		rederive(100, 0)
		want(t, "the end", b.slas.take(), []string{"city"})
		if view, _ := b.set.Policy(SLA, key, "city"); view.Done != 100 || view.ToGo != 0 {
			t.Errorf("shown is %+v", view)
		}

		// The ledger has lost its volume.
		b.stub.change(func(s *ledgerapi.Summary) { s.Policy = ledgerapi.PolicyStatus{} })
		pass(2 * time.Second)
		if _, applied := b.set.Running(key); applied != nil {
			t.Error("a policy that the ledger has lost counts as running")
		}
		if view, _ := b.set.Ledger(key); view.Revision != "" {
			t.Errorf("the revision shown is %q", view.Revision)
		}
	})
}

func TestARefusedPolicyIsNotRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		b.stub.change(report(3))
		b.stub.refuse = &client.Error{Status: 400, Message: "slas.city: no"}
		b.connect(t)
		pass(time.Second)
		if err := b.set.PutPolicy(t.Context(), key); err == nil {
			t.Error("no error")
		}
		if _, applied := b.set.Running(key); applied != nil {
			t.Error("counts as running")
		}
	})
}

func TestConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		b.stub.change(report(3))
		b.connect(t)
		b.connect(t)
		if b.dialled != 1 {
			t.Errorf("dialled %d times with the same access", b.dialled)
		}
		if err := b.set.Connect(key, Access{URL: "https://ledger-ledger.depok.svc:8443", Trust: []byte("new")}); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		if view, _ := b.set.Ledger(key); b.dialled != 2 || !view.Connected {
			t.Errorf("dialled %d times after a new certificate; %+v", b.dialled, view)
		}
		before := b.stub.requests()
		pass(10 * time.Second)
		if asked := b.stub.requests() - before; asked > 6 {
			t.Errorf("%d requests in ten seconds: the old connection is still used", asked)
		}

		b.channels.take()
		b.slas.take()
		b.set.Forget(key)
		want(t, "channels of a ledger that is gone", b.channels.take(), []string{"dsw"})
		want(t, "SLAs of a ledger that is gone", b.slas.take(), []string{"city"})
		if _, known := b.set.Channel(key, "dsw"); known || len(b.set.Export()) != 0 || len(b.set.InNamespace("depok")) != 0 {
			t.Error("a ledger that is gone is still known")
		}
		b.set.Forget(key)
		before = b.stub.requests()
		pass(10 * time.Second)
		if asked := b.stub.requests() - before; asked != 0 {
			t.Errorf("%d requests to a ledger that is gone", asked)
		}
	})
}

func TestAChannelThatLeavesThePolicyIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := startHeard(t)
		b.channels.take()
		empty := policy.Document{}.Seal()
		b.set.SetPolicy(key, &empty)
		want(t, "the channel", b.channels.take(), []string{"dsw"})
		if _, known := b.set.Channel(key, "dsw"); known {
			t.Error("it is still known")
		}
	})
}
