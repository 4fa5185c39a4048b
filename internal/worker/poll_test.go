package worker

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
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

// present is when the simulated clock of these tests begins.
func present() time.Time { return time.Date(2026, 11, 2, 3, 0, 0, 0, time.UTC) }

// beginAtPresent sets the simulated clock of a test, which begins long before anybody complained.
func beginAtPresent() { <-time.After(time.Until(present())) }

// start runs the sources of a worker without its servers; they stop at the end of the test.
func start(t *testing.T, config Config, options Options) *Worker {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	w := New(config, options)
	drained := make(chan struct{})
	stopped := w.start(ctx, drained)
	t.Cleanup(func() {
		stop()
		close(drained)
		<-stopped
	})
	return w
}

// after lets time go by and everything come to rest.
func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestPollsStartAtTheirIntervalWithJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		beginAtPresent()
		var starts []time.Duration
		begin := time.Now()
		source := &fakePoller{interval: time.Minute}
		source.poll = func(context.Context, json.RawMessage, channel.Sink) error {
			starts = append(starts, time.Since(begin))
			<-time.After(20 * time.Second) // the time a poll takes does not come on top
			return nil
		}
		options := optionsOf(newFakeLedger(), opens(pollType, source))
		randoms := []float64{0, 0.5, 1, 0.5}
		options.Random = func() float64 { defer func() { randoms = append(randoms[1:], randoms[0]) }(); return randoms[0] }
		start(t, configOf("dsw:poll"), options)
		after(4*time.Minute + time.Second)
		want := []time.Duration{0, 54 * time.Second, 114 * time.Second, 180 * time.Second, 240 * time.Second}
		if diff := cmp.Diff(want, starts); diff != "" {
			t.Errorf("starts (-want +got):\n%s", diff)
		}
	})
}

func TestFailedPollsBackOffUntilOneSucceeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		beginAtPresent()
		var starts []time.Duration
		last := time.Now()
		outcomes := []error{
			&channel.Error{Reason: ledgerapi.ReasonServerError},
			&channel.Error{Reason: ledgerapi.ReasonServerError},
			&channel.Error{Reason: ledgerapi.ReasonServerError},
			&channel.Error{Reason: ledgerapi.ReasonRateLimited, RetryAfter: 10 * time.Minute},
			nil,
			&channel.Error{Reason: ledgerapi.ReasonServerError},
			nil,
		}
		source := &fakePoller{interval: time.Minute}
		source.poll = func(context.Context, json.RawMessage, channel.Sink) error {
			starts = append(starts, time.Since(last).Round(100*time.Millisecond))
			last = time.Now()
			if len(outcomes) == 0 {
				return nil
			}
			outcome := outcomes[0]
			outcomes = outcomes[1:]
			return outcome
		}
		ledger := newFakeLedger()
		start(t, configOf("dsw:poll"), optionsOf(ledger, opens(pollType, source)))
		after(12*time.Minute + 10*time.Second)
		want := []time.Duration{
			0, 750 * time.Millisecond, 1500 * time.Millisecond, 3 * time.Second, // doubling, three quarters of 1, 2 and 4 s
			10*time.Minute + 500*time.Millisecond, time.Minute, 750 * time.Millisecond,
		}
		for i := range want {
			want[i] = want[i].Round(100 * time.Millisecond)
		}
		if diff := cmp.Diff(want, starts[:len(want)]); diff != "" {
			t.Errorf("waits (-want +got):\n%s", diff)
		}
		wantErrors := map[ledgerapi.Reason]int64{ledgerapi.ReasonServerError: 4, ledgerapi.ReasonRateLimited: 1}
		if diff := cmp.Diff(wantErrors, ledger.lastReport("dsw").Errors); diff != "" {
			t.Errorf("errors (-want +got):\n%s", diff)
		}
	})
}

func TestBackOffEndsAtFiveMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		beginAtPresent()
		var polls atomic.Int64
		source := &fakePoller{interval: time.Second}
		source.poll = func(context.Context, json.RawMessage, channel.Sink) error {
			polls.Add(1)
			return &channel.Error{Reason: ledgerapi.ReasonUnreachable}
		}
		start(t, configOf("dsw:poll"), optionsOf(newFakeLedger(), opens(pollType, source)))
		after(time.Hour)
		before := polls.Load()
		after(15 * time.Minute)
		if got := polls.Load() - before; got != 4 { // three quarters of five minutes apart
			t.Errorf("%d polls in 15 minutes, want 4", got)
		}
	})
}

func TestAPollBeginsWhereTheLedgerSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		beginAtPresent()
		ledger := newFakeLedger()
		ledger.cursors["dsw"], ledger.generation["dsw"] = json.RawMessage(`3`), 7
		ledger.fate = func(n int, operation string) fate {
			if operation == "channel" && n < 6 {
				return unknownChannel // the operator has not put the policy yet
			}
			return carriedOut
		}
		source := newLogPoller(2, func() int { return 8 }, present())
		start(t, configOf("dsw:poll"), optionsOf(ledger, opens(pollType, source)))
		after(2 * time.Minute)
		if diff := cmp.Diff(ids(8)[3:], ledger.stored("dsw")); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if got := string(ledger.cursors["dsw"]); got != "8" {
			t.Errorf("the position is %s, want 8", got)
		}
	})
}

func TestTheLedgerIsAwayAtAnyMoment(t *testing.T) {
	for name, away := range map[string]fate{
		"it says so":                              unavailable,
		"the connection breaks":                   brokenBefore,
		"the connection breaks before the answer": brokenAfter,
		"it does not know the channel":            unknownChannel,
	} {
		t.Run(name, func(t *testing.T) {
			// One run for each moment at which the ledger goes away, for five requests.
			for moment := range 25 {
				synctest.Test(t, func(t *testing.T) {
					beginAtPresent()
					ledger := newFakeLedger()
					ledger.fate = func(n int, operation string) fate {
						if n >= moment && n < moment+5 {
							return away
						}
						return carriedOut
					}
					source := newLogPoller(3, func() int { return 30 }, present())
					start(t, configOf("dsw:poll"), optionsOf(ledger, opens(pollType, source)))
					after(10 * time.Minute)
					if diff := cmp.Diff(ids(30), ledger.stored("dsw")); diff != "" {
						t.Errorf("away from request %d on: events (-want +got):\n%s", moment, diff)
					}
					if got := ledger.lastReport("dsw"); got.State != ledgerapi.SourceConnected || got.Reason != ledgerapi.ReasonConnected {
						t.Errorf("away from request %d on: %s %s in the end", moment, got.State, got.Reason)
					}
					if away != brokenAfter && ledger.doubled > 0 {
						t.Errorf("away from request %d on: %d events were sent twice", moment, ledger.doubled)
					}
				})
			}
		})
	}
}

func TestAWorkerWhosePositionWasMovedGoesOnFromThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		beginAtPresent()
		ledger := newFakeLedger()
		var length atomic.Int64
		length.Store(4)
		source := newLogPoller(10, func() int { return int(length.Load()) }, present())
		start(t, configOf("dsw:poll"), optionsOf(ledger, opens(pollType, source)))
		after(500 * time.Millisecond)
		// Another worker has read on.
		length.Store(9)
		other := newLogPoller(10, func() int { return 7 }, present())
		sink := New(configOf("dsw:poll"), optionsOf(ledger)).runners[0].newPollSink()
		if err := sink.begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := other.Poll(t.Context(), sink.position.cursor, sink); err != nil {
			t.Fatal(err)
		}
		after(10 * time.Second)
		if diff := cmp.Diff(ids(9), ledger.stored("dsw")); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if got := ledger.lastReport("dsw"); got.State != ledgerapi.SourceConnected || len(got.Errors) != 0 {
			t.Errorf("a moved position counts as trouble of the source: %+v", got)
		}
	})
}

func TestTroubleOfOneChannelLeavesTheOthersAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		beginAtPresent()
		panicking := &fakePoller{interval: time.Second, poll: func(context.Context, json.RawMessage, channel.Sink) error { panic("0812-0000-0000") }}
		wedged := make(chan struct{})
		stuck := &fakePoller{interval: time.Second, poll: func(context.Context, json.RawMessage, channel.Sink) error { <-wedged; return nil }}
		panickingOpen := fakeType{"open", func(channel.Settings) (channel.Source, error) { panic("x") }}
		good := newLogPoller(1, func() int { return 3 }, present())
		ledger := newFakeLedger()
		start(t, configOf("a:panicking", "b:stuck", "c:open", "d:nosuch", "e:good"), optionsOf(ledger,
			opens("panicking", panicking), opens("stuck", stuck), panickingOpen, opens("good", good)))
		after(time.Minute)
		if diff := cmp.Diff(ids(3), ledger.stored("e")); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		for name, want := range map[string]ledgerapi.Reason{
			"a": ledgerapi.ReasonInternal, "b": ledgerapi.ReasonWaitingForFirst, "c": ledgerapi.ReasonInternal, "d": ledgerapi.ReasonInternal, "e": ledgerapi.ReasonConnected,
		} {
			got := ledger.lastReport(name)
			if got.Reason != want || strings.Contains(got.Message, "0812") {
				t.Errorf("channel %s: %s %q, want %s and nothing of what was panicked with", name, got.Reason, got.Message, want)
			}
		}
		close(wedged)
	})
}

func TestAPollIsCalledOffCleanly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		beginAtPresent()
		source := &fakePoller{interval: time.Second, closed: make(chan struct{})}
		source.poll = func(ctx context.Context, _ json.RawMessage, _ channel.Sink) error {
			<-ctx.Done()
			return &channel.Error{Reason: ledgerapi.ReasonInternal, Message: "the poll was called off"}
		}
		ledger := newFakeLedger()
		ctx, stop := context.WithCancel(t.Context())
		drained := make(chan struct{})
		stopped := New(configOf("dsw:poll"), optionsOf(ledger, opens(pollType, source))).start(ctx, drained)
		after(time.Minute)
		stop()
		close(drained)
		<-stopped
		<-source.closed
		if got := ledger.lastReport("dsw"); len(got.Errors) > 0 || got.State == ledgerapi.SourceDisconnected {
			t.Errorf("stopping counts as an error: %+v", got)
		}
	})
}

func TestAnOpenFailureIsReportedAndMendsItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		beginAtPresent()
		var mended atomic.Bool
		source := newLogPoller(1, func() int { return 1 }, present())
		kind := fakeType{pollType, func(channel.Settings) (channel.Source, error) {
			if mended.Load() {
				return source, nil
			}
			return nil, &channel.Error{Reason: ledgerapi.ReasonCredentialMissing, Message: `Secret "dsw", key "token": is missing`}
		}}
		ledger := newFakeLedger()
		start(t, configOf("dsw:poll"), optionsOf(ledger, kind))
		after(time.Minute)
		got := ledger.lastReport("dsw")
		if got.State != ledgerapi.SourceDisconnected || got.Reason != ledgerapi.ReasonCredentialMissing || got.Message != `Secret "dsw", key "token": is missing` {
			t.Errorf("report: %+v", got)
		}
		mended.Store(true)
		after(time.Minute)
		if got := ledger.lastReport("dsw"); got.State != ledgerapi.SourceConnected {
			t.Errorf("report after mending: %+v", got)
		}
	})
}

func TestTheMessageOfASpecificationsFaultIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		beginAtPresent()
		kind := fakeType{pollType, func(channel.Settings) (channel.Source, error) {
			return nil, errors.New("mapping.events[0].at: undeclared reference")
		}}
		ledger := newFakeLedger()
		config := configOf("dsw:poll", "zone:poll")
		config.Channels[1].AssumeTimeZone = "Asia/Nowhere"
		start(t, config, optionsOf(ledger, kind))
		after(time.Second)
		for name, want := range map[string]string{"dsw": "mapping.events[0].at: undeclared reference", "zone": `assumeTimeZone: "Asia/Nowhere" is not a known time zone`} {
			if got := ledger.lastReport(name); got.State != ledgerapi.SourceDisconnected || got.Message != want {
				t.Errorf("report of %s: %+v", name, got)
			}
		}
	})
}

// batchPoller hands over one batch per poll.
func batchPoller(batches ...channel.Batch) *fakePoller {
	p := &fakePoller{interval: time.Minute}
	p.poll = func(ctx context.Context, _ json.RawMessage, sink channel.Sink) error {
		if len(batches) == 0 {
			return nil
		}
		batch := batches[0]
		batches = batches[1:]
		return sink.Append(ctx, batch)
	}
	return p
}

func TestALargeBatchIsSplitAndItsPositionComesLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		beginAtPresent()
		events := make([]complaint.Event, 2500)
		for i := range events {
			events[i] = received(i, present())
		}
		long := make([]complaint.Event, 200) // each of 100 kB once escaped
		for i := range long {
			long[i] = received(5000+i, present())
			long[i].Text = strings.Repeat("\x01", complaint.MaxTextBytes+5)
		}
		ledger := newFakeLedger()
		ledger.fate = func(_ int, operation string) fate {
			if operation == "append" && len(ledger.appends) == 2 {
				return unavailable
			}
			return carriedOut
		}
		options := optionsOf(ledger, opens(pollType, batchPoller(
			channel.Batch{Events: events, Cursor: json.RawMessage(`"all"`)}, channel.Batch{Events: long, Cursor: json.RawMessage(`"long"`)},
		)))
		start(t, configOf("dsw:poll"), options)
		after(time.Second)
		if got := len(ledger.stored("dsw")); got != 2000 || ledger.cursors["dsw"] != nil {
			t.Errorf("%d events and the position %s before the last part, want 2000 and none", got, ledger.cursors["dsw"])
		}
		ledger.setFate(nil)
		after(2 * time.Minute)
		if got := len(ledger.stored("dsw")); got != 2700 || string(ledger.cursors["dsw"]) != `"long"` {
			t.Errorf("%d events and the position %s in the end", got, ledger.cursors["dsw"])
		}
		for _, sent := range ledger.appends {
			if len(sent) > ledgerapi.MaxBatchEvents {
				t.Errorf("a request had %d events", len(sent))
			}
		}
	})
}

func TestRepliesThatCameBackGoWithThePosition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		beginAtPresent()
		events := make([]complaint.Event, ledgerapi.MaxBatchEvents+1)
		for i := range events {
			events[i] = received(i, present())
		}
		ledger := newFakeLedger()
		options := optionsOf(ledger, opens(pollType, batchPoller(
			channel.Batch{Events: events, Returned: []ledgerapi.ReturnedReply{{Event: "platform/1"}}, Cursor: json.RawMessage(`"all"`)},
			channel.Batch{Returned: []ledgerapi.ReturnedReply{{Event: "platform/2"}}},
		)))
		start(t, configOf("dsw:poll"), options)
		after(2 * time.Minute)
		if diff := cmp.Diff([]string{"platform/1", "platform/2"}, ledger.returned); diff != "" || len(ledger.appends) != 3 {
			t.Errorf("in %d requests came back (-want +got):\n%s", len(ledger.appends), diff)
		}
	})
}

func TestEventsThatBreakARuleAreCountedAndTheOthersKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		beginAtPresent()
		bad := received(1, present())
		bad.CaseID = ""
		refused := received(2, present())
		ledger := newFakeLedger()
		ledger.refuse = func(e *complaint.Event) string {
			if e.ID == refused.ID {
				return "case: is not known"
			}
			return ""
		}
		batch := channel.Batch{Events: []complaint.Event{received(0, present()), bad, refused, received(3, present())}}
		start(t, configOf("dsw:poll"), optionsOf(ledger, opens(pollType, batchPoller(batch))))
		after(15 * time.Second)
		if diff := cmp.Diff([]string{"event-000000", "event-000003"}, ledger.stored("dsw")); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		got := ledger.lastReport("dsw")
		// The ledger counts as rejected what it refused itself.
		if got.Rejected != 1 || got.Errors[ledgerapi.ReasonInvalidEvent] != 2 || got.State != ledgerapi.SourceConnected || got.Reason != ledgerapi.ReasonInvalidEvent {
			t.Errorf("report: %+v", got)
		}
	})
}

func TestASourceOfWhichNothingIsUnderstoodIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		beginAtPresent()
		source := &fakePoller{interval: time.Minute}
		source.poll = func(_ context.Context, _ json.RawMessage, sink channel.Sink) error {
			sink.Problem(ledgerapi.ReasonMappingFailed, "events[0].at: no such key", 3)
			return nil
		}
		ledger := newFakeLedger()
		begun := time.Now()
		start(t, configOf("dsw:poll"), optionsOf(ledger, opens(pollType, source)))
		after(30 * time.Second)
		if got := ledger.lastReport("dsw"); got.State != ledgerapi.SourceConnected || got.Reason != ledgerapi.ReasonMappingFailed {
			t.Errorf("after one poll: %+v", got)
		}
		after(5 * time.Minute)
		got := ledger.lastReport("dsw")
		if got.State != ledgerapi.SourceDisconnected || got.Reason != ledgerapi.ReasonMappingFailed {
			t.Errorf("after more: %+v", got)
		}
		if got.ObservedThrough != nil && got.ObservedThrough.After(begun) {
			t.Error("what was not understood counts as observed")
		}
	})
}

func TestWhatAPollHasObserved(t *testing.T) {
	for name, test := range map[string]struct {
		source func() channel.Source
		want   *time.Time
		state  ledgerapi.SourceState
		// succeeded says whether the poll counts as a success.
		succeeded bool
	}{
		"a complete poll, up to its start": {
			source: func() channel.Source { return batchPoller() }, want: new(present()), state: ledgerapi.SourceConnected, succeeded: true},
		"a poll that left something, nothing": {
			source: func() channel.Source {
				return &fakePoller{interval: time.Minute, poll: func(context.Context, json.RawMessage, channel.Sink) error {
					return &channel.Error{Reason: ledgerapi.ReasonConnected, Message: "there is more"}
				}}
			}, state: ledgerapi.SourceConnected},
		"a failed poll, nothing": {
			source: func() channel.Source {
				return &fakePoller{interval: time.Minute, poll: func(context.Context, json.RawMessage, channel.Sink) error {
					return errors.New("citizen's words")
				}}
			}, state: ledgerapi.SourceDisconnected},
		"a source that says so itself": {
			source: func() channel.Source { return &observingPoller{batchPoller(), present().Add(-time.Hour)} }, want: new(present().Add(-time.Hour)),
			state: ledgerapi.SourceConnected, succeeded: true},
		"a batch that says so": {
			source: func() channel.Source {
				return &observingPoller{batchPoller(channel.Batch{ObservedThrough: new(present().Add(-time.Minute))}), time.Time{}}
			}, want: new(present().Add(-time.Minute)), state: ledgerapi.SourceConnected, succeeded: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				beginAtPresent()
				ledger := newFakeLedger()
				start(t, configOf("dsw:poll"), optionsOf(ledger, opens(pollType, test.source())))
				after(2 * time.Second)
				got := ledger.lastReport("dsw")
				if diff := cmp.Diff(test.want, got.ObservedThrough); diff != "" {
					t.Errorf("observed through (-want +got):\n%s", diff)
				}
				if got.State != test.state || (got.LastSuccessAt != nil) != test.succeeded || strings.Contains(got.Message, "citizen") {
					t.Errorf("report: %+v", got)
				}
			})
		})
	}
}

func TestOpenCasesOfAllPagesAreListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		beginAtPresent()
		ledger := newFakeLedger()
		ledger.open["dsw"] = []string{"a", "b", "c", "d", "e"}
		var got []string
		source := &fakePoller{interval: time.Minute, poll: func(ctx context.Context, _ json.RawMessage, sink channel.Sink) (err error) {
			got, err = sink.OpenCases(ctx)
			return err
		}}
		ledger.fate = func(n int, operation string) fate {
			if operation == "cases" && n%2 == 0 {
				return unavailable
			}
			return carriedOut
		}
		start(t, configOf("dsw:poll"), optionsOf(ledger, opens(pollType, source)))
		after(30 * time.Second)
		if diff := cmp.Diff(ledger.open["dsw"], got); diff != "" {
			t.Errorf("open cases (-want +got):\n%s", diff)
		}
	})
}

func TestAPositionThatIsTooLargeIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		beginAtPresent()
		ledger := newFakeLedger()
		cursor, err := json.Marshal(strings.Repeat("x", ledgerapi.MaxCursorBytes))
		if err != nil {
			t.Fatal(err)
		}
		start(t, configOf("dsw:poll"), optionsOf(ledger, opens(pollType, batchPoller(channel.Batch{Cursor: cursor}))))
		after(time.Second)
		if got := ledger.lastReport("dsw"); got.Errors[ledgerapi.ReasonInternal] != 1 || len(ledger.appends) > 0 {
			t.Errorf("report: %+v, %d appends", got, len(ledger.appends))
		}
	})
}

// TestTwoWorkersOverAFlakyLedger runs everything over HTTP with the real client: two workers with the
// same channels, as during a roll-out, and a ledger that breaks every third request in one way or another.
func TestTwoWorkersOverAFlakyLedger(t *testing.T) {
	ledger := newFakeLedger()
	var flaky atomic.Bool
	flaky.Store(true)
	ledger.fate = func(n int, _ string) fate {
		if !flaky.Load() || n%3 != 0 {
			return carriedOut
		}
		return []fate{unavailable, brokenBefore, brokenAfter}[n/3%3]
	}
	var length atomic.Int64
	url := serveLedger(t, ledger)
	for range 2 {
		source := newLogPoller(7, func() int { return int(length.Load()) }, time.Now())
		source.interval = 5 * time.Millisecond
		options := optionsOf(url, opens(pollType, source))
		options.After = func(d time.Duration) <-chan time.Time { return time.After(d / 50) }
		start(t, configOf("dsw:poll"), options)
	}
	for n := range 40 {
		length.Store(int64(n * 5))
		eventually(t, "the next event", func() bool { return len(ledger.stored("dsw")) >= n*3 })
	}
	flaky.Store(false)
	eventually(t, "every event", func() bool { return slices.Equal(ids(195), ledger.stored("dsw")) })
}
