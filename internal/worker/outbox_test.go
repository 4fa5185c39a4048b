package worker

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// fakeReplier is a poller that also answers.
type fakeReplier struct {
	fakePoller
	check func(channel.Reply) error
	reply func(context.Context, channel.Reply) (channel.Sent, error)

	mu   sync.Mutex
	sent []string
}

func newReplier() *fakeReplier {
	r := &fakeReplier{}
	r.interval = time.Hour
	r.poll = func(context.Context, json.RawMessage, channel.Sink) error { return nil }
	return r
}

func (r *fakeReplier) CheckReply(reply channel.Reply) error {
	if r.check != nil {
		return r.check(reply)
	}
	return nil
}

func (r *fakeReplier) Reply(ctx context.Context, reply channel.Reply) (channel.Sent, error) {
	r.mu.Lock()
	r.sent = append(r.sent, reply.ID)
	r.mu.Unlock()
	if r.reply != nil {
		return r.reply(ctx, reply)
	}
	return channel.Sent{EventID: "platform/" + reply.ID, At: noon}, nil
}

func (r *fakeReplier) hasSent() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.sent)
}

var noon = time.Date(2026, 11, 2, 5, 0, 0, 0, time.UTC)

// runReplier runs a worker of one channel that may reply. It returns what tells it to stop, and what tells it
// and waits for the end.
func runReplier(t *testing.T, ledger *fakeLedger, replier channel.Source, allowed bool, log *strings.Builder) (tell, stop func()) {
	t.Helper()
	config := configOf("wa:poll")
	if allowed {
		config.Channels[0].Source.Telegram = &v1alpha1.TelegramSource{Reply: &v1alpha1.TelegramReply{}}
	}
	options := listen(t, optionsOf(ledger, opens(pollType, replier)))
	if log != nil {
		options.Logger = logTo(log)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- New(config, options).Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Running: %v", err)
		}
	})
	t.Cleanup(stop)
	return cancel, stop
}

func TestWhatBecomesOfReplies(t *testing.T) {
	notSent := func(reason ledgerapi.Reason, after time.Duration) error {
		return &channel.NotSentError{Err: &channel.Error{Reason: reason, Message: "no", RetryAfter: after}}
	}
	for name, test := range map[string]struct {
		dryRun bool
		check  error
		reply  func(context.Context, channel.Reply) (channel.Sent, error)
		want   ledgerapi.ReplyResult
		sent   int
	}{
		"it is sent":                   {want: ledgerapi.ReplyResult{State: ledgerapi.ReplySent, Event: "platform/r1", At: noon}, sent: 1},
		"a dry run sends nothing":      {dryRun: true, want: ledgerapi.ReplyResult{State: ledgerapi.ReplyChecked}},
		"a dry run finds what is bad":  {dryRun: true, check: &channel.Error{Reason: ledgerapi.ReasonReplyRefused, Message: "too long"}, want: ledgerapi.ReplyResult{State: ledgerapi.ReplyFailed, Reason: ledgerapi.ReasonReplyRefused, Message: "too long"}},
		"what is bad is not sent":      {check: &channel.Error{Reason: ledgerapi.ReasonReplyRefused, Message: "too long"}, want: ledgerapi.ReplyResult{State: ledgerapi.ReplyFailed, Reason: ledgerapi.ReasonReplyRefused, Message: "too long"}},
		"a platform that is busy":      {reply: fails(notSent(ledgerapi.ReasonRateLimited, 90*time.Second)), want: ledgerapi.ReplyResult{State: ledgerapi.ReplyPending, Reason: ledgerapi.ReasonRateLimited, Message: "no", RetryAfterSeconds: 90}, sent: 1},
		"a platform that refuses it":   {reply: fails(notSent(ledgerapi.ReasonReplyRefused, 0)), want: ledgerapi.ReplyResult{State: ledgerapi.ReplyFailed, Reason: ledgerapi.ReasonReplyRefused, Message: "no"}, sent: 1},
		"a platform that did not say":  {reply: fails(&channel.Error{Reason: ledgerapi.ReasonTimeout, Message: "no"}), want: ledgerapi.ReplyResult{State: ledgerapi.ReplyUnconfirmed, Reason: ledgerapi.ReasonTimeout, Message: "no"}, sent: 1},
		"a source that breaks":         {reply: func(context.Context, channel.Reply) (channel.Sent, error) { panic("banjir") }, want: ledgerapi.ReplyResult{State: ledgerapi.ReplyUnconfirmed, Reason: ledgerapi.ReasonInternal, Message: "the source failed in an unexpected way; the worker's log has the place"}, sent: 1},
		"an error that is not as said": {reply: fails(errors.New("banjir")), want: ledgerapi.ReplyResult{State: ledgerapi.ReplyUnconfirmed, Reason: ledgerapi.ReasonInternal}, sent: 1},
	} {
		t.Run(name, func(t *testing.T) {
			ledger, replier := newFakeLedger(), newReplier()
			replier.reply, replier.check = test.reply, func(channel.Reply) error { return test.check }
			ledger.outbox = []ledgerapi.OutgoingReply{{ID: "r1", Case: "c1", Text: "Petugas RAHASIA menuju lokasi", DryRun: test.dryRun}}
			var log strings.Builder
			_, stop := runReplier(t, ledger, replier, true, &log)
			eventually(t, "an outcome", func() bool { return ledger.outcome("r1").State != "" })
			stop()
			got := ledger.outcome("r1")
			if test.want.Reason == ledgerapi.ReasonInternal && test.want.Message == "" {
				got.Message = ""
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("the outcome (-want +got):\n%s", diff)
			}
			if n := len(replier.hasSent()); n != test.sent {
				t.Errorf("It was sent %d times, want %d", n, test.sent)
			}
			if text := log.String(); strings.Contains(text, "RAHASIA") || strings.Contains(text, "banjir") {
				t.Errorf("The log has the text: %s", text)
			}
		})
	}
}

func fails(err error) func(context.Context, channel.Reply) (channel.Sent, error) {
	return func(context.Context, channel.Reply) (channel.Sent, error) { return channel.Sent{}, err }
}

// The outcome is offered until the ledger takes it, and the reply is not sent again for it.
func TestALedgerThatIsAwayHearsTheOutcomeLater(t *testing.T) {
	ledger, replier := newFakeLedger(), newReplier()
	ledger.outbox = []ledgerapi.OutgoingReply{{ID: "r1", Case: "c1", Text: "Petugas menuju lokasi"}}
	failures := 3
	ledger.fate = func(_ int, operation string) fate {
		if operation == "outcome" && failures > 0 {
			failures--
			return unavailable
		}
		return carriedOut
	}
	runReplier(t, ledger, replier, true, nil)
	eventually(t, "an outcome", func() bool { return ledger.outcome("r1").State == ledgerapi.ReplySent })
	if got := replier.hasSent(); len(got) != 1 {
		t.Errorf("Sent %v", got)
	}
}

func TestOnlyAChannelThatAllowsRepliesAsksForThem(t *testing.T) {
	ledger, replier := newFakeLedger(), newReplier()
	ledger.outbox = []ledgerapi.OutgoingReply{{ID: "r1", Case: "c1", Text: "Petugas menuju lokasi"}}
	asked := make(chan struct{}, 100)
	ledger.fate = func(_ int, operation string) fate {
		if operation == "outbox" {
			asked <- struct{}{}
		}
		return carriedOut
	}
	_, stop := runReplier(t, ledger, replier, false, nil)
	eventually(t, "a report", func() bool { return ledger.lastReport("wa").State == ledgerapi.SourceConnected })
	stop()
	if len(asked) > 0 || len(replier.hasSent()) > 0 {
		t.Errorf("It asked %d times and sent %v", len(asked), replier.hasSent())
	}
}

// A worker that has to stop finishes what it sends, and gives back what it has not begun.
func TestStoppingFinishesTheReplyThatIsSent(t *testing.T) {
	ledger, replier := newFakeLedger(), newReplier()
	sending, finish := make(chan struct{}), make(chan struct{})
	replier.reply = func(ctx context.Context, reply channel.Reply) (channel.Sent, error) {
		close(sending)
		<-finish
		return channel.Sent{EventID: "platform/" + reply.ID, At: noon}, ctx.Err()
	}
	ledger.outbox = []ledgerapi.OutgoingReply{{ID: "r1", Case: "c1", Text: "satu"}, {ID: "r2", Case: "c1", Text: "dua"}}
	tell, stop := runReplier(t, ledger, replier, true, nil)
	<-sending
	tell()
	close(finish)
	stop()
	if got := ledger.outcome("r1").State; got != ledgerapi.ReplySent {
		t.Errorf("What was being sent is %q", got)
	}
	if got := ledger.outcome("r2").State; got != ledgerapi.ReplyPending {
		t.Errorf("What was not begun is %q", got)
	}
}
