package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"encoding/json"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// answered is how a delivery was answered.
type answered struct {
	status     int
	retryAfter string
	body       string
}

// post delivers events to a path of the worker, without a network.
func post(w *Worker, path string, events ...complaint.Event) answered {
	body, _ := json.Marshal(events) // events can always be written
	return postBody(w, path, string(body))
}

func postBody(w *Worker, path, body string) answered {
	recorder := httptest.NewRecorder()
	w.hooks.ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, path, strings.NewReader(body)))
	return answered{recorder.Code, recorder.Header().Get("Retry-After"), strings.TrimSpace(recorder.Body.String())}
}

// startPusher starts a worker with one push source called 112.
func startPusher(t *testing.T, ledger Ledger, change func(*Options)) *Worker {
	t.Helper()
	options := optionsOf(ledger, opens(pushType, &plainPusher{delay: time.Minute}))
	if change != nil {
		change(&options)
	}
	w := start(t, configOf("112:push"), options)
	synctest.Wait()
	return w
}

// startHeldPusher starts a worker whose ledger holds each append until its gate lets it go.
func startHeldPusher(t *testing.T) (*Worker, *fakeLedger) {
	t.Helper()
	beginAtPresent()
	ledger := newFakeLedger()
	ledger.gate = make(chan struct{})
	return startPusher(t, ledger, nil), ledger
}

func TestADeliveryIsAnsweredOnceTheLedgerHasIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, ledger := startHeldPusher(t)
		done := make(chan answered, 1)
		go func() { done <- post(w, "/hooks/112", received(0, present())) }()
		after(time.Second)
		select {
		case got := <-done:
			t.Fatalf("answered %+v before the ledger had it", got)
		default:
		}
		ledger.gate <- struct{}{}
		if got := <-done; got.status != http.StatusNoContent {
			t.Errorf("answered %+v", got)
		}
		if diff := cmp.Diff(ids(1), ledger.stored("112")); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestDeliveriesThatWaitTravelTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, ledger := startHeldPusher(t)
		var deliveries sync.WaitGroup
		delivered := 0
		for i, step := range []struct {
			lands    bool // one of the requests under way does
			arrive   int
			underWay int32
			why      string
		}{
			{false, 1, 1, "the first travels alone"},
			{false, few - 1, 1, "very few wait"},
			{false, 1, 2, "few need not"},
			{false, 20, maxRequests, "no more are under way"},
			{true, 0, 2, "what waits goes when one has landed"},
			{true, 19, 1, "as fewer than the one under way has wait"},
			{false, 1, 2, "as many as it has need not"},
			{false, 100, maxRequests, "no more are under way"},
		} {
			if step.lands {
				ledger.gate <- struct{}{}
			}
			for range step.arrive {
				n := delivered
				delivered++
				deliveries.Go(func() {
					if got := post(w, "/hooks/112", received(n, present())); got.status != http.StatusNoContent {
						t.Errorf("delivery %d: %+v", n, got)
					}
				})
			}
			synctest.Wait()
			if n := ledger.atGate.Load(); n != step.underWay {
				t.Errorf("After step %d (%s) %d requests are under way, want %d", i+1, step.why, n, step.underWay)
			}
		}
		close(ledger.gate)
		deliveries.Wait()
		if got := len(ledger.appends); got != 5 {
			t.Errorf("took %d requests, want 5", got)
		}
		if diff := cmp.Diff(ids(delivered), ledger.stored("112")); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestADeliveryTellsOfRepliesThatCameBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		beginAtPresent()
		ledger := newFakeLedger()
		w := startPusher(t, ledger, nil)
		ledger.setFate(func(int, string) fate { return unavailable })
		back := complaint.Event{ID: "platform/1", Kind: "Returned"}
		if got := post(w, "/hooks/112", back); got.status != http.StatusServiceUnavailable || len(ledger.returned) > 0 {
			t.Errorf("answered %+v while the ledger is away, and %v came back", got, ledger.returned)
		}
		ledger.setFate(nil)
		if got := post(w, "/hooks/112", back, received(0, present())); got.status != http.StatusNoContent {
			t.Errorf("answered %+v", got)
		}
		if diff := cmp.Diff([]string{"platform/1"}, ledger.returned); diff != "" {
			t.Errorf("came back (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(ids(1), ledger.stored("112")); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestPlatformsAreToldToComeAgainWhileTheLedgerIsAway(t *testing.T) {
	for name, away := range map[string]fate{"it says so": unavailable, "the connection breaks": brokenBefore, "it does not know the channel": unknownChannel} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				beginAtPresent()
				ledger := newFakeLedger()
				ledger.fate = func(int, string) fate { return away }
				w := startPusher(t, ledger, nil)
				begun := time.Now()
				got := post(w, "/hooks/112", received(0, present()))
				if got.status != http.StatusServiceUnavailable || got.retryAfter == "" || got.retryAfter == "0" {
					t.Errorf("answered %+v, want 503 with Retry-After", got)
				}
				if took := time.Since(begun); took > 6*time.Second {
					t.Errorf("took %s to say so", took)
				}
				ledger.setFate(nil)
				if got := post(w, "/hooks/112", received(0, present())); got.status != http.StatusNoContent {
					t.Errorf("the next attempt was answered %+v", got)
				}
				if diff := cmp.Diff(ids(1), ledger.stored("112")); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestALedgerThatHangsIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		beginAtPresent()
		ledger := newFakeLedger()
		ledger.gate = make(chan struct{}) // nobody opens it
		w := startPusher(t, ledger, nil)
		var deliveries sync.WaitGroup
		for i := range 50 {
			deliveries.Go(func() {
				begun := time.Now()
				got := post(w, "/hooks/112", received(i, present()))
				if took := time.Since(begun); got.status != http.StatusServiceUnavailable || took > 7*time.Second {
					t.Errorf("delivery %d was answered %+v after %s", i, got, took)
				}
			})
		}
		deliveries.Wait()
	})
}

func TestAShortOutageIsNotNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		beginAtPresent()
		ledger := newFakeLedger()
		until := time.Now().Add(1500 * time.Millisecond)
		ledger.fate = func(int, string) fate {
			if time.Now().Before(until) {
				return brokenAfter // stored, but nobody knows
			}
			return carriedOut
		}
		w := startPusher(t, ledger, nil)
		if got := post(w, "/hooks/112", received(0, present())); got.status != http.StatusNoContent {
			t.Errorf("answered %+v", got)
		}
		if diff := cmp.Diff(ids(1), ledger.stored("112")); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestADelivererLearnsThatItsEventWasRefused(t *testing.T) {
	invalid := received(1, present())
	invalid.Kind = "Shouted"
	unknown := received(2, present())
	for name, test := range map[string]struct {
		events []complaint.Event
		status int
		body   string
		stored []string
	}{
		"by the rules of an event": {
			[]complaint.Event{invalid}, http.StatusBadRequest, "event 0: kind: must be one of", nil},
		"by the ledger, beside one that is kept": {
			[]complaint.Event{received(0, present()), unknown}, http.StatusBadRequest, "event 1: case: is not known", ids(1)},
		"by both": {
			[]complaint.Event{received(0, present()), unknown, invalid}, http.StatusBadRequest, "event 1: case: is not known (and 1 more)", ids(1)},
		"by nobody": {
			[]complaint.Event{received(0, present())}, http.StatusNoContent, "", ids(1)},
		"nothing was delivered": {nil, http.StatusNoContent, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				beginAtPresent()
				ledger := newFakeLedger()
				ledger.gate = make(chan struct{})
				ledger.refuse = func(e *complaint.Event) string {
					if e.ID == unknown.ID {
						return "case: is not known"
					}
					return ""
				}
				w := startPusher(t, ledger, nil)
				// The delivery shares its append with others, which must not be told what it is told.
				var others sync.WaitGroup
				for i := range 20 {
					others.Go(func() {
						if got := post(w, "/hooks/112", received(100+i, present())); got.status != http.StatusNoContent {
							t.Errorf("another delivery was answered %+v", got)
						}
					})
				}
				var got answered
				others.Go(func() { got = post(w, "/hooks/112", test.events...) })
				synctest.Wait()
				close(ledger.gate)
				others.Wait()
				if got.status != test.status || !strings.HasPrefix(got.body, test.body) {
					t.Errorf("answered %+v, want %d %q", got, test.status, test.body)
				}
				stored := slices.DeleteFunc(ledger.stored("112"), func(id string) bool { return id >= "event-000100" })
				if diff := cmp.Diff(test.stored, slices.Clip(stored)); diff != "" && len(test.stored)+len(stored) > 0 {
					t.Errorf("events (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// Only the race detector sees it if what becomes of such a delivery is looked at while it is being settled.
func TestADeliveryThatWasBrokenOffIsSettledAllTheSame(t *testing.T) {
	ledger := newFakeLedger()
	ledger.refuse = func(*complaint.Event) string { return "case: is not known" }
	metrics := newProcessMetrics().of("112")
	ctx, breakOff := context.WithCancel(t.Context())
	breakOff()
	for i := range 50 {
		tr := newTracker(time.Now, slog.New(slog.DiscardHandler))
		sink := &pushSink{
			channel: "112", ledger: ledger, tracker: tr, health: &pushHealth{tracker: tr, now: time.Now}, metrics: metrics,
			now: time.Now, wake: make(chan struct{}, 1),
		}
		var committed sync.WaitGroup
		committed.Go(func() { sink.run(t.Context()) })
		if err := sink.Append(ctx, channel.Batch{Events: []complaint.Event{received(i, present())}}); err == nil {
			t.Fatal("It was taken")
		}
		sink.close()
		committed.Wait()
		if got := tr.report("").Errors[ledgerapi.ReasonInvalidEvent]; got != 1 {
			t.Fatalf("%d events were counted as refused", got)
		}
	}
}

func TestADeliveryThatTheLedgerCannotTakeLeavesTheOthersAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		beginAtPresent()
		ledger := newFakeLedger()
		ledger.gate = make(chan struct{})
		ledger.malformed = func(e *complaint.Event) bool { return e.ID == "poison" }
		w := startPusher(t, ledger, nil)
		poison := received(0, present())
		poison.ID = "poison"
		var deliveries sync.WaitGroup
		for i := range 20 {
			deliveries.Go(func() {
				if got := post(w, "/hooks/112", received(i, present())); got.status != http.StatusNoContent {
					t.Errorf("delivery %d was answered %+v", i, got)
				}
			})
		}
		deliveries.Go(func() {
			if got := post(w, "/hooks/112", poison); got.status != http.StatusInternalServerError {
				t.Errorf("the odd delivery was answered %+v", got)
			}
		})
		synctest.Wait()
		close(ledger.gate)
		deliveries.Wait()
		if diff := cmp.Diff(ids(20), ledger.stored("112")); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestTooManyDeliveriesAreTurnedAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, ledger := startHeldPusher(t)
		var deliveries sync.WaitGroup
		var mu sync.Mutex
		statuses := map[int]int{}
		for i := range maxInFlight + 10 {
			deliveries.Go(func() {
				got := post(w, "/hooks/112", received(i, present()))
				mu.Lock()
				defer mu.Unlock()
				statuses[got.status]++
			})
		}
		synctest.Wait()
		close(ledger.gate)
		deliveries.Wait()
		want := map[int]int{http.StatusNoContent: maxInFlight, http.StatusServiceUnavailable: 10}
		if diff := cmp.Diff(want, statuses); diff != "" {
			t.Errorf("statuses (-want +got):\n%s", diff)
		}
	})
}

func TestTheQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		beginAtPresent()
		ledger := newFakeLedger()
		ledger.gate = make(chan struct{})
		w := New(configOf("112:push"), optionsOf(ledger))
		r := w.runners[0]
		sink := &pushSink{
			channel: "112", ledger: ledger, tracker: r.tracker, metrics: r.metrics, now: time.Now, sleep: r.sleep,
			health: &pushHealth{tracker: r.tracker, now: time.Now}, wake: make(chan struct{}, 1),
		}
		large := received(0, present())
		large.Text = strings.Repeat("x", complaint.MaxTextBytes)
		batch := slices.Repeat([]complaint.Event{large}, 100)
		var waiting sync.WaitGroup
		ctx, stop := context.WithCancel(t.Context())
		for range 30 {
			waiting.Go(func() { _ = sink.Append(ctx, channel.Batch{Events: batch}) })
		}
		synctest.Wait()
		err := sink.Append(ctx, channel.Batch{Events: batch})
		var e *channel.Error
		if !errors.As(err, &e) || e.Reason != ledgerapi.ReasonLedgerUnavailable || e.RetryAfter == 0 {
			t.Errorf("Append: %v, want that too many wait", err)
		}
		if sink.bytes > maxQueuedBytes {
			t.Errorf("%d bytes are queued, at most %d may be", sink.bytes, maxQueuedBytes)
		}
		stop()
		waiting.Wait()
	})
}

func TestPathsOfTheWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		beginAtPresent()
		closedType := fakeType{"closed", func(channel.Settings) (channel.Source, error) {
			return nil, &channel.Error{Reason: ledgerapi.ReasonCredentialMissing, Message: "missing"}
		}}
		options := optionsOf(newFakeLedger(), opens(pushType, &plainPusher{}), opens(pollType, batchPoller()), closedType)
		w := start(t, configOf("112:push", "dsw:poll", "later:closed"), options)
		synctest.Wait()
		for path, want := range map[string]int{
			"/hooks/112": http.StatusNoContent, "/hooks/112/": http.StatusNotFound, "/hooks/113": http.StatusNotFound, "/hooks/": http.StatusNotFound,
			"/": http.StatusNotFound, "/metrics": http.StatusNotFound, "/hooks/dsw": http.StatusNotFound, "/hooks/later": http.StatusServiceUnavailable,
		} {
			if got := post(w, path); got.status != want {
				t.Errorf("%s was answered %+v, want %d", path, got, want)
			}
		}
	})
}

func TestAPanicOfAHandlerIsAnsweredAndHidesWhatItSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		beginAtPresent()
		ledger := newFakeLedger()
		var log strings.Builder
		w := startPusher(t, ledger, func(o *Options) { o.Logger = logTo(&log) })
		got := post(w, "/hooks/112", complaint.Event{ID: "panic", Text: "0812-0000-0000"})
		if got.status != http.StatusInternalServerError || strings.Contains(got.body+log.String(), "0812") {
			t.Errorf("answered %+v and logged %s", got, log.String())
		}
		after(2 * time.Second)
		if got := ledger.lastReport("112"); got.Errors[ledgerapi.ReasonInternal] != 1 {
			t.Errorf("report: %+v", got)
		}
		if got := post(w, "/hooks/112", received(0, present())); got.status != http.StatusNoContent {
			t.Errorf("the next delivery was answered %+v", got)
		}
	})
}

func TestHowAPushSourceFares(t *testing.T) {
	type step struct {
		after time.Duration
		// do delivers something; nil only waits.
		do func(w *Worker, l *fakeLedger)
		// want after it, and how far back from now the channel has been observed then.
		state    ledgerapi.SourceState
		reason   ledgerapi.Reason
		observed time.Duration
	}
	good := func(w *Worker, _ *fakeLedger) { post(w, "/hooks/112", received(int(time.Now().Unix()), time.Now())) }
	junk := func(w *Worker, _ *fakeLedger) { postBody(w, "/hooks/112", "junk") }
	var refused complaint.Event
	away := func(w *Worker, l *fakeLedger) {
		l.setFate(func(_ int, operation string) fate {
			if operation == "append" {
				return unavailable
			}
			return carriedOut
		})
		refused = received(int(time.Now().Unix()), time.Now())
		post(w, "/hooks/112", refused)
	}
	back := func(w *Worker, l *fakeLedger) { l.setFate(nil); good(w, l) }
	again := func(w *Worker, _ *fakeLedger) { post(w, "/hooks/112", refused) }
	const (
		unknown, connected, disconnected = ledgerapi.SourceUnknown, ledgerapi.SourceConnected, ledgerapi.SourceDisconnected
		waiting, fine, invalid           = ledgerapi.ReasonWaitingForFirst, ledgerapi.ReasonConnected, ledgerapi.ReasonInvalidBody
	)
	for name, steps := range map[string][]step{
		"nobody has delivered yet": {
			{0, nil, unknown, waiting, time.Minute}, {time.Hour, nil, unknown, waiting, time.Minute}},
		"deliveries that work": {
			{0, good, connected, fine, time.Minute}, {time.Hour, nil, connected, fine, time.Minute}},
		"a first delivery that is of no use": {
			{time.Minute, junk, disconnected, invalid, time.Minute}, {10 * time.Minute, nil, disconnected, invalid, 11 * time.Minute},
			{time.Minute, good, connected, fine, time.Minute}},
		"junk beside a channel that works": {
			{0, good, connected, fine, time.Minute}, {5 * time.Minute, junk, connected, fine, time.Minute}},
		"deliveries that have stopped to work": {
			{0, good, connected, fine, time.Minute}, {time.Hour, junk, disconnected, invalid, time.Minute}, {30 * time.Minute, nil, disconnected, invalid, 31 * time.Minute}},
		"a single piece of junk is forgotten in the end": {
			{0, good, connected, fine, time.Minute}, {time.Hour, junk, disconnected, invalid, time.Minute}, {61 * time.Minute, nil, connected, fine, time.Minute}},
		"so is it where nobody ever delivered": {
			{0, junk, disconnected, invalid, time.Minute}, {61 * time.Minute, nil, unknown, waiting, time.Minute}},
		"a delivery that the ledger could not take is still to come": {
			{0, good, connected, fine, time.Minute}, {time.Minute, away, connected, fine, 66 * time.Second},
			{5 * time.Minute, back, connected, fine, 66*time.Second + 5*time.Minute}, // another one says nothing of it
			{0, again, connected, fine, time.Minute}},
		"but not for ever": {
			{0, away, unknown, waiting, 66 * time.Second}, {11 * time.Minute, nil, unknown, waiting, time.Minute}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				beginAtPresent()
				ledger := newFakeLedger()
				w := startPusher(t, ledger, nil)
				for i, s := range steps {
					after(s.after)
					if s.do != nil {
						s.do(w, ledger)
					}
					after(10 * time.Second) // the next report
					got := ledger.lastReport("112")
					if got.State != s.state || got.Reason != s.reason {
						t.Errorf("step %d: %s %s, want %s %s", i, got.State, got.Reason, s.state, s.reason)
					}
					if got.ObservedThrough == nil {
						t.Fatalf("step %d: nothing observed", i)
					}
					// A report is up to ten seconds old, and a step takes ten.
					if lag := time.Since(*got.ObservedThrough); lag < s.observed || lag > s.observed+21*time.Second {
						t.Errorf("step %d: observed through %s ago, want %s", i, lag, s.observed)
					}
				}
			})
		})
	}
}

func TestDeliveriesUnderWayAreFinishedWhenTheWorkerStops(t *testing.T) {
	ledger := newFakeLedger()
	ledger.gate = make(chan struct{})
	options := listen(t, optionsOf(ledger, opens(pushType, &plainPusher{})))
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	w := New(configOf("112:push"), options)
	go func() { ran <- w.Run(ctx) }()
	url := "http://" + options.Hooks.Addr().String() + "/hooks/112"
	eventually(t, "the endpoint", func() bool { return send(t, url, "[]") == http.StatusNoContent })
	status := make(chan int, 1)
	go func() {
		body, _ := json.Marshal([]complaint.Event{received(0, time.Now())}) // can always be written
		status <- send(t, url, string(body))
	}()
	eventually(t, "the delivery", func() bool {
		w.hooks.mu.RLock()
		defer w.hooks.mu.RUnlock()
		return len(w.hooks.known["112"].inFlight) == 1
	})
	stop()
	eventually(t, "the end of readiness", func() bool { return !w.ready.Load() })
	ledger.gate <- struct{}{}
	if got := <-status; got != http.StatusNoContent {
		t.Errorf("the delivery under way was answered %d", got)
	}
	if err := <-ran; err != nil {
		t.Errorf("Run: %v", err)
	}
	if diff := cmp.Diff(ids(1), ledger.stored("112")); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if got := ledger.lastReport("112"); got.State != ledgerapi.SourceConnected {
		t.Errorf("the last report: %+v", got)
	}
}

// send posts a body over the network and returns the status, 0 without an answer.
func send(t testing.TB, url, body string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return 0
	}
	answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}).Do(req)
	if err != nil {
		return 0
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode
}

func TestProbesAndMetrics(t *testing.T) {
	ledger := newFakeLedger()
	ledger.fate = func(int, string) fate { return unavailable } // no probe depends on it
	options := listen(t, optionsOf(ledger, opens(pushType, &plainPusher{}), opens(pollType, batchPoller())))
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	w := New(configOf("112:push", "dsw:poll"), options)
	get := func(path string) (int, string) {
		recorder := httptest.NewRecorder()
		w.healthHandler().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, nil))
		return recorder.Code, recorder.Body.String()
	}
	if status, _ := get("/readyz"); status != http.StatusServiceUnavailable {
		t.Errorf("ready before it runs: %d", status)
	}
	go func() { ran <- w.Run(ctx) }()
	eventually(t, "readiness", func() bool { status, _ := get("/readyz"); return status == http.StatusOK })
	if status, _ := get("/healthz"); status != http.StatusOK {
		t.Errorf("/healthz: %d", status)
	}
	url := "http://" + options.Hooks.Addr().String()
	eventually(t, "the endpoint", func() bool { return send(t, url+"/hooks/112", "[]") == http.StatusNoContent })
	_, metrics := get("/metrics")
	for _, want := range []string{
		`tanggap_worker_deliveries_total{channel="112",code="204"} 1`, `tanggap_worker_polls_total{channel="dsw",outcome="complete"} 0`, "go_goroutines", "process_start_time_seconds",
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("/metrics has no %s:\n%s", want, metrics)
		}
	}
	stop()
	if err := <-ran; err != nil {
		t.Errorf("Run: %v", err)
	}
	if _, err := options.Health.Accept(); err == nil {
		t.Error("the listener for probes is still open")
	}
}

// TestAWorkerThatCannotOpenItsSourceIsNotReady: else it would replace one that takes deliveries.
func TestAWorkerThatCannotOpenItsSourceIsNotReady(t *testing.T) {
	mended, reopen := atomic.Bool{}, make(chan time.Time)
	kind := fakeType{v1alpha1.SourceWebhook, func(channel.Settings) (channel.Source, error) {
		if !mended.Load() {
			return nil, &channel.Error{Reason: ledgerapi.ReasonCredentialMissing, Message: "holds no secret"}
		}
		return &plainPusher{}, nil
	}}
	ledger := newFakeLedger()
	options := listen(t, optionsOf(ledger, kind, opens(pollType, batchPoller())))
	options.After = func(d time.Duration) <-chan time.Time {
		if d == reopenInterval {
			return reopen
		}
		return time.After(d)
	}
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	w := New(configOf("112:webhook", "dsw:poll"), options)
	go func() { ran <- w.Run(ctx) }()
	ready := func() bool {
		recorder := httptest.NewRecorder()
		w.healthHandler().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		return recorder.Code == http.StatusOK
	}
	eventually(t, "the report", func() bool { return ledger.lastReport("112").Reason == ledgerapi.ReasonCredentialMissing })
	eventually(t, "that it serves", w.ready.Load)
	if ready() {
		t.Error("it is ready, and answers every delivery 503")
	}
	mended.Store(true)
	reopen <- time.Time{}
	eventually(t, "readiness", ready)
	stop()
	if err := <-ran; err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestAListenerThatFailsEndsTheWorker(t *testing.T) {
	options := listen(t, optionsOf(newFakeLedger()))
	if err := options.Hooks.Close(); err != nil {
		t.Fatal(err)
	}
	if err := New(configOf(), options).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "serving") {
		t.Errorf("Run: %v, want that it cannot serve", err)
	}
}

// BenchmarkDeliveries measures what the worker itself costs a delivery: 256 at once, a ledger in memory
// behind the real client.
func BenchmarkDeliveries(b *testing.B) {
	ledger := newFakeLedger()
	options := optionsOf(serveLedger(b, ledger), opens(pushType, &plainPusher{}))
	ctx, stop := context.WithCancel(b.Context())
	w := New(configOf("112:push"), options)
	drained := make(chan struct{})
	stopped := w.start(ctx, drained)
	for post(w, "/hooks/112").status != http.StatusNoContent {
		<-time.After(time.Millisecond)
	}
	b.SetParallelism(128)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			event := received(i, present())
			event.ID = fmt.Sprintf("%p-%d", pb, i)
			if got := post(w, "/hooks/112", event); got.status != http.StatusNoContent {
				b.Errorf("answered %+v", got)
			}
		}
	})
	b.StopTimer()
	b.ReportMetric(float64(b.N)/float64(max(len(ledger.appends), 1)), "events/append")
	stop()
	close(drained)
	<-stopped
}
