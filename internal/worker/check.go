package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// Check opens each channel's source and reads once from those that are read, up to the first batch and
// without storing anything. It writes one sentence per channel to out and returns whether all are well.
// Of the options it needs neither Ledger nor listeners.
func Check(ctx context.Context, config Config, options Options, out io.Writer) (ok bool, err error) {
	types := typesByName(options.Types)
	ok = true
	for _, c := range config.Channels {
		verdict, well := checkChannel(ctx, types, c, options)
		ok = ok && well
		if _, err := fmt.Fprintf(out, "%s (%s): %s\n", c.Name, c.Source.Type, verdict); err != nil {
			return false, fmt.Errorf("writing the result: %w", err)
		}
	}
	return ok, nil
}

// checkChannel says in a sentence how one channel fares.
func checkChannel(ctx context.Context, types map[v1alpha1.SourceType]channel.Type, c ChannelConfig, options Options) (verdict string, ok bool) {
	r := &runner{logger: options.Logger.With("channel", c.Name), now: options.Now}
	source, err := func() (source channel.Source, err error) {
		defer r.recovered(&err)
		return open(types, c, options.settings(c.Name, r.logger))
	}()
	if err != nil {
		return failureSentence(asError(err)), false
	}
	defer func() { _ = r.closeSource(source) }()
	poller, isPoller := source.(channel.Poller)
	_, isPusher := source.(channel.Pusher)
	waits := "waits for deliveries at " + HookPath + c.Name + "."
	if !isPoller {
		return waits, true
	}
	defer func() {
		if isPusher {
			verdict += " It " + waits
		}
	}()
	sink := &checkSink{channel: c.Name, now: options.Now}
	err = func() (err error) {
		defer r.recovered(&err)
		return poller.Poll(ctx, nil, sink)
	}()
	if failure := asFailure(err); failure != nil && !sink.taken {
		return failureSentence(failure), false
	}
	return sink.verdict()
}

func failureSentence(e *channel.Error) string {
	return fmt.Sprintf("%s: %s.", e.Reason, strings.TrimSuffix(e.Message, "."))
}

// errChecked ends the poll of a check.
var errChecked = errors.New("one batch is enough")

// checkSink looks at the first batch and ends the poll.
type checkSink struct {
	channel string
	now     func() time.Time

	taken   bool
	events  int
	cases   map[string]struct{}
	latest  time.Time
	problem *channel.Error
	failed  int
}

// Append implements channel.Sink.
func (s *checkSink) Append(_ context.Context, batch channel.Batch) error {
	events, _, refused := prepare(s.channel, batch.Events, s.now())
	if len(refused) > 0 {
		s.Problem(ledgerapi.ReasonInvalidEvent, refused[0].message, len(refused))
	}
	s.cases = map[string]struct{}{}
	s.look(events)
	if len(batch.Events) == 0 {
		return nil // a page without news says nothing yet of the mapping
	}
	s.taken = true
	return errChecked
}

func (s *checkSink) look(events []complaint.Event) {
	s.events = len(events)
	for i := range events {
		s.cases[events[i].CaseID] = struct{}{}
		if events[i].OccurredAt.After(s.latest) {
			s.latest = events[i].OccurredAt
		}
	}
}

// Problem implements channel.Sink.
func (s *checkSink) Problem(reason ledgerapi.Reason, message string, items int) {
	s.failed += items
	s.problem = &channel.Error{Reason: reason, Message: message}
}

// OpenCases implements channel.Sink; the ledger is not asked.
func (s *checkSink) OpenCases(context.Context) ([]string, error) { return nil, nil }

// verdict is the sentence on a source that answered.
func (s *checkSink) verdict() (verdict string, ok bool) {
	switch {
	case s.problem != nil && s.failed == 0:
		return fmt.Sprintf("answers, but %s: %s.", s.problem.Reason, strings.TrimSuffix(s.problem.Message, ".")), false
	case s.problem != nil:
		return fmt.Sprintf("answers, but %d of its items are of no use, the last for %s: %s.",
			s.failed, s.problem.Reason, strings.TrimSuffix(s.problem.Message, ".")), false
	case s.events == 0:
		return "answers and has nothing to read.", true
	}
	return fmt.Sprintf("answers; its first batch has %d events of %d complaints, the latest of %s.",
		s.events, len(s.cases), s.latest.UTC().Format(time.RFC3339)), true
}

var _ channel.Sink = (*checkSink)(nil)
