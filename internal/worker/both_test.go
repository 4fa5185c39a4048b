package worker

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// both is delivered to and polled.
type both struct {
	plainPusher
	fakePoller
}

func (*both) Close() error { return nil }

// newBoth is one whose polls say what verdict holds, after they have found what missed says.
func newBoth(verdict *atomic.Pointer[channel.Error], missed *atomic.Int64) *both {
	b := &both{plainPusher: plainPusher{delay: time.Minute}, fakePoller: fakePoller{interval: time.Hour}}
	b.poll = func(ctx context.Context, _ json.RawMessage, sink channel.Sink) error {
		started := time.Now()
		batch := channel.Batch{Cursor: json.RawMessage(`1`)}
		if n := missed.Swap(0); n != 0 {
			batch.Events = []complaint.Event{received(int(n), started)}
			batch.ObservedThrough = &started
		}
		if err := sink.Append(ctx, batch); err != nil {
			return err
		}
		if failure := verdict.Load(); failure != nil {
			return failure
		}
		return nil
	}
	return b
}

var errUnsubscribed = &channel.Error{Reason: ledgerapi.ReasonNotSubscribed, Message: "the platform delivers no longer"}

// TestHowASourceFaresThatIsDeliveredToAndPolled goes through the hours of such a source.
func TestHowASourceFaresThatIsDeliveredToAndPolled(t *testing.T) {
	type step struct {
		after time.Duration
		do    func(deliver func(body string), verdict *atomic.Pointer[channel.Error], missed *atomic.Int64)
		// want after it, and how far back from now the channel has been observed then.
		state    ledgerapi.SourceState
		reason   ledgerapi.Reason
		observed time.Duration
	}
	type verdict = *atomic.Pointer[channel.Error]
	type number = *atomic.Int64
	good := func(deliver func(string), _ verdict, _ number) { deliver("[]") }
	junk := func(deliver func(string), _ verdict, _ number) { deliver("junk") }
	lost := func(_ func(string), v verdict, _ number) { v.Store(errUnsubscribed) }
	found := func(_ func(string), v verdict, missed number) { v.Store(errUnsubscribed); missed.Store(7) }
	mended := func(_ func(string), v verdict, _ number) { v.Store(nil) }
	const (
		connected, disconnected = ledgerapi.SourceConnected, ledgerapi.SourceDisconnected
		fine, unsubscribed      = ledgerapi.ReasonConnected, ledgerapi.ReasonNotSubscribed
	)
	for name, steps := range map[string][]step{
		"a poll says that all is well before anybody delivers": {
			{0, nil, connected, fine, 0}, {50 * time.Minute, nil, connected, fine, time.Minute}},
		"a platform that delivers no longer": {
			{0, lost, connected, fine, 0},
			{70 * time.Minute, nil, disconnected, unsubscribed, 11 * time.Minute},
			{10 * time.Minute, good, disconnected, unsubscribed, 21 * time.Minute}, // what comes all the same proves nothing
			{time.Minute, mended, disconnected, unsubscribed, 22 * time.Minute},
			{6 * time.Minute, nil, connected, fine, time.Minute}},
		"what polls read meanwhile counts": {
			{0, found, connected, fine, 0}, {65 * time.Minute, nil, disconnected, unsubscribed, 5 * time.Minute}},
		"junk beside a platform that says that it delivers": {
			{0, junk, disconnected, ledgerapi.ReasonInvalidBody, 0}, {61 * time.Minute, nil, connected, fine, time.Minute}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				beginAtPresent()
				ledger := newFakeLedger()
				var verdict atomic.Pointer[channel.Error]
				var missed atomic.Int64
				w := start(t, configOf("x:push"), optionsOf(ledger, opens(pushType, newBoth(&verdict, &missed))))
				synctest.Wait()
				for i, s := range steps {
					after(s.after)
					if s.do != nil {
						s.do(func(body string) { postBody(w, "/hooks/x", body) }, &verdict, &missed)
					}
					after(10 * time.Second) // the next report
					got := ledger.lastReport("x")
					if got.State != s.state || got.Reason != s.reason {
						t.Errorf("step %d: %s %s, want %s %s", i, got.State, got.Reason, s.state, s.reason)
					}
					if got.ObservedThrough == nil {
						t.Fatalf("step %d: nothing observed", i)
					}
					if lag := time.Since(*got.ObservedThrough); lag < s.observed || lag > s.observed+2*time.Minute {
						t.Errorf("step %d: observed through %s ago, want %s", i, lag, s.observed)
					}
				}
			})
		})
	}
}

func TestNothingIsObservedBeforeTheFirstCompletePoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		beginAtPresent()
		ledger := newFakeLedger()
		var verdict atomic.Pointer[channel.Error]
		verdict.Store(&channel.Error{Reason: ledgerapi.ReasonUnreachable, Message: "the connection failed"})
		w := start(t, configOf("x:push"), optionsOf(ledger, opens(pushType, newBoth(&verdict, &atomic.Int64{}))))
		synctest.Wait()
		if got := post(w, "/hooks/x", received(0, present())); got.status != http.StatusNoContent {
			t.Errorf("answered %+v: deliveries are taken whatever polls say", got)
		}
		after(time.Hour)
		if got := ledger.lastReport("x"); got.ObservedThrough != nil || got.State != ledgerapi.SourceDisconnected {
			t.Errorf("observed through %v, %s", got.ObservedThrough, got.State)
		}
		if diff := cmp.Diff(ids(1), ledger.stored("x")); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

// TestJunkOfStrangersSaysNothingOfPolls delivers what is of no use for hours: the source was read all the same.
func TestJunkOfStrangersSaysNothingOfPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		beginAtPresent()
		ledger := newFakeLedger()
		w := start(t, configOf("x:push"), optionsOf(ledger, opens(pushType, newBoth(&atomic.Pointer[channel.Error]{}, &atomic.Int64{}))))
		synctest.Wait()
		for range 10 {
			postBody(w, "/hooks/x", "junk")
			after(30 * time.Minute)
			post(w, "/hooks/x")
		}
		after(10 * time.Second)
		got := ledger.lastReport("x")
		if got.State != ledgerapi.SourceConnected || got.Errors[ledgerapi.ReasonInvalidBody] != 10 || got.Rejected != 10 {
			t.Errorf("%s %s with %v", got.State, got.Reason, got.Errors)
		}
	})
}

func TestCheckOfASourceThatIsDeliveredToAndPolled(t *testing.T) {
	var verdict atomic.Pointer[channel.Error]
	source := newBoth(&verdict, &atomic.Int64{})
	options := optionsOf(nil, opens(pushType, source))
	for name, tc := range map[string]struct {
		verdict *channel.Error
		problem bool
		want    string
	}{
		"well":          {nil, false, "x (push): answers and has nothing to read. It waits for deliveries at /hooks/x."},
		"unsubscribed":  {errUnsubscribed, false, "x (push): NotSubscribed: the platform delivers no longer. It waits for deliveries at /hooks/x."},
		"only a notice": {nil, true, "x (push): answers, but NotSubscribed: the platform delivers no longer. It waits for deliveries at /hooks/x."},
	} {
		verdict.Store(tc.verdict)
		poll := source.poll
		if tc.problem {
			source.poll = func(ctx context.Context, cursor json.RawMessage, sink channel.Sink) error {
				sink.Problem(errUnsubscribed.Reason, errUnsubscribed.Message, 0)
				return poll(ctx, cursor, sink)
			}
		}
		var out strings.Builder
		ok, err := Check(t.Context(), configOf("x:push"), options, &out)
		if got := strings.TrimSpace(out.String()); err != nil || ok != (name == "well") || got != tc.want {
			t.Errorf("%s: %v %v\n%s\nwant\n%s", name, ok, err, got, tc.want)
		}
		source.poll = poll
	}
}
