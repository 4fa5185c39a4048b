package worker

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/fetch"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

const (
	// reopenInterval is between attempts to open a source whose specification or credentials are not
	// right: a Secret's key may yet appear, and the kubelet takes about a minute to show it.
	reopenInterval = 30 * time.Second
	// maxBackoff is the longest wait of a source that fails, unless it asks for more.
	maxBackoff = 5 * time.Minute
	// farewellTimeout is for the last report.
	farewellTimeout = 2 * time.Second
)

// runner runs the source of one channel.
type runner struct {
	channel  string
	config   ChannelConfig
	types    map[v1alpha1.SourceType]channel.Type
	ledger   Ledger
	hooks    *hooks
	settings channel.Settings
	instance string
	tracker  *tracker
	metrics  *channelMetrics
	logger   *slog.Logger
	backoff  fetch.Backoff
	now      func() time.Time
	after    func(time.Duration) <-chan time.Time
	random   func() float64
}

// run opens the source and runs it until ctx ends. A source that is delivered to goes on until drained
// is closed, which is when no delivery is under way any more.
func (r *runner) run(ctx context.Context, drained <-chan struct{}) {
	reporting, stopReporting := context.WithCancel(context.WithoutCancel(ctx))
	reported := make(chan struct{})
	go func() {
		defer close(reported)
		r.report(reporting)
	}()
	defer func() {
		stopReporting()
		<-reported
		r.farewell(ctx)
	}()

	source := r.open(ctx)
	if source == nil {
		return
	}
	answering := make(chan struct{})
	go func() {
		defer close(answering)
		if replier, ok := source.(channel.Replier); ok && r.config.Source.Replies() {
			r.sendReplies(ctx, replier)
		}
	}()
	switch s := source.(type) {
	case channel.Pusher: // and possibly a Poller besides
		r.push(ctx, s, drained)
	case channel.Poller:
		r.hooks.serve(r.channel, nil)
		r.poll(ctx, s, r.tracker)
	default:
		r.tracker.disconnected(&channel.Error{Reason: ledgerapi.ReasonInternal, Message: "the source can neither be read nor be delivered to"})
		<-ctx.Done()
	}
	<-answering
	if err := r.closeSource(source); err != nil {
		r.logger.Warn("Could not close the source", "message", asError(err).Message)
	}
}

// open makes the source; it tries until it succeeds, or returns nil when ctx ends.
func (r *runner) open(ctx context.Context) channel.Source {
	for {
		source, err := r.openOnce()
		if err == nil {
			return source
		}
		e := asError(err)
		r.tracker.count(e.Reason, 1)
		r.tracker.disconnected(e)
		if !r.sleep(ctx, reopenInterval) {
			return nil
		}
	}
}

func (r *runner) openOnce() (source channel.Source, err error) {
	defer r.recovered(&err)
	return open(r.types, r.config, r.settings)
}

// open makes a channel's source. The error is an *channel.Error.
func open(types map[v1alpha1.SourceType]channel.Type, config ChannelConfig, settings channel.Settings) (channel.Source, error) {
	kind, ok := types[config.Source.Type]
	if !ok {
		return nil, &channel.Error{Reason: ledgerapi.ReasonInternal, Message: fmt.Sprintf("this worker knows no source of type %q", config.Source.Type)}
	}
	settings.Channel, settings.Spec = config.Name, config.Source
	if config.AssumeTimeZone != "" {
		zone, err := time.LoadLocation(config.AssumeTimeZone)
		if err != nil {
			return nil, &channel.Error{Reason: ledgerapi.ReasonInternal, Message: fmt.Sprintf("assumeTimeZone: %q is not a known time zone", config.AssumeTimeZone)}
		}
		settings.AssumeTimeZone = zone
	}
	source, err := kind.Open(settings)
	if err == nil {
		return source, nil
	}
	e := asError(err)
	if e.Err == err { //nolint:errorlint // whether asError wrapped it, not what it is
		// What Open says of a specification is about a specification, and safe to show.
		e.Message = err.Error()
	}
	return nil, e
}

// closeSource closes the source even if it panics.
func (r *runner) closeSource(source channel.Source) (err error) {
	defer r.recovered(&err)
	return source.Close()
}

// push serves deliveries until drained is closed, and polls a source that is a Poller as well until ctx ends.
func (r *runner) push(ctx context.Context, source channel.Pusher, drained <-chan struct{}) {
	poller, polled := source.(channel.Poller)
	health := &pushHealth{tracker: r.tracker, now: r.now, usualDelay: source.UsualDelay(), polled: polled}
	sink := &pushSink{
		channel: r.channel, ledger: r.ledger, tracker: r.tracker, health: health, metrics: r.metrics,
		backoff: fetch.Backoff{Initial: 200 * time.Millisecond, Max: time.Second, Random: r.random},
		now:     r.now, sleep: r.sleep, wake: make(chan struct{}, 1),
	}
	handler, err := r.handler(source, sink)
	if err != nil {
		r.tracker.disconnected(asError(err))
		<-ctx.Done()
		return
	}
	r.tracker.beforeReport(health.refresh)
	defer r.tracker.beforeReport(nil)

	committed := make(chan struct{})
	go func() {
		defer close(committed)
		sink.run(context.WithoutCancel(ctx))
	}()
	r.hooks.serve(r.channel, &hook{
		handler: handler, problem: sink.Problem, metrics: r.metrics, logger: r.logger, inFlight: make(chan struct{}, maxInFlight),
	})
	var polls sync.WaitGroup
	if polled {
		polls.Go(func() { r.poll(ctx, poller, health) })
	}
	<-drained
	r.hooks.serve(r.channel, nil)
	sink.close()
	<-committed
	polls.Wait()
}

func (r *runner) handler(source channel.Pusher, sink channel.Sink) (handler http.Handler, err error) {
	defer r.recovered(&err)
	return source.Handler(sink), nil
}

func (r *runner) newPollSink() *pollSink {
	return &pollSink{
		channel: r.channel, ledger: r.ledger, tracker: r.tracker, metrics: r.metrics, logger: r.logger,
		backoff: fetch.Backoff{Initial: time.Second, Max: ledgerPatience, Random: r.random},
		now:     r.now, sleep: r.sleep,
	}
}

// farewell sends what was counted since the last report.
func (r *runner) farewell(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewellTimeout)
	defer cancel()
	if err := r.reportOnce(ctx, true); err != nil {
		r.logger.Info("Could not send the last report", "message", ledgerError(err).Message)
	}
}

// stack is where a panic came from. The value is added only if it is the runtime's own, which holds
// indices and types; anything else may hold what a citizen wrote.
func stack(cause any) string {
	if e, ok := cause.(runtime.Error); ok {
		return e.Error() + "\n" + string(debug.Stack())
	}
	return fmt.Sprintf("%T\n%s", cause, debug.Stack())
}
