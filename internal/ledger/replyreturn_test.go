package ledger

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

func (f *fixture) returned(events ...string) {
	f.t.Helper()
	in := ledgerapi.AppendRequest{}
	for _, e := range events {
		in.Returned = append(in.Returned, ledgerapi.ReturnedReply{Event: e, Message: "the message came back: there is no such address (5.1.1)"})
	}
	if _, err := f.ledger.Append(context.Background(), "dsw", in); err != nil {
		f.t.Fatalf("Saying that replies came back: %v", err)
	}
}

func TestAReplyThatCameBackHasFailed(t *testing.T) {
	f := replying(t)
	for _, id := range []string{"r1", "r2", "r3"} {
		f.take(id, false)
	}
	f.outbox()
	for _, id := range []string{"r1", "r2"} {
		f.done(id, ledgerapi.ReplyResult{State: ledgerapi.ReplySent, Event: "platform/" + id, At: f.clock.now()})
	}
	for range 2 { // the answer to the first was lost
		f.returned("platform/r1", "platform/of-somebody-else")
	}
	f.done("r1", ledgerapi.ReplyResult{State: ledgerapi.ReplySent, Event: "platform/r1", At: f.clock.now()})
	if got := f.wantReply("r1", ledgerapi.ReplyFailed); got.Reason != ledgerapi.ReasonReplyRefused || got.Message != "the message came back: there is no such address (5.1.1)" {
		t.Errorf("The status is %+v", got)
	}
	f.wantReply("r2", ledgerapi.ReplySent)
	third := f.wantReply("r3", ledgerapi.ReplySending).CreatedAt
	f.wantReplies("After one came back", ledgerapi.ReplySummary{Waiting: 1, OldestWaitingAt: &third, Sent: 2, Returned: 1})
	f.wantClock("The answer stays one", "dsw", "FirstAnswer", ledgerapi.ClockSeries{Met: 1})
}

// A platform may say that a message came back before the worker has said which message the reply became.
func TestAReplyThatCameBackBeforeItWasNotedAsSentHasFailed(t *testing.T) {
	sent := func(f *fixture, at time.Time) {
		for range 2 { // the answer to the first was lost
			f.done("r1", ledgerapi.ReplyResult{State: ledgerapi.ReplySent, Event: "platform/r1", At: at})
		}
	}
	for name, between := range map[string]func(f *fixture){
		"at once":                     func(*fixture) {},
		"after the ledger restarted":  func(f *fixture) { f.restart() },
		"after it was taken for lost": func(f *fixture) { f.pass(ledgerapi.ReplyPatience + time.Second); f.expire() },
		"after hours":                 func(f *fixture) { f.pass(earlyKept - time.Hour); f.expire() },
		"told of again, and of others": func(f *fixture) {
			f.returned("platform/r1", "platform/of-somebody-else")
			f.returned("", "a\x00b", string(make([]byte, 2*complaint.MaxIDBytes)), "platform/of-another")
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := replying(t)
			f.take("r1", false)
			f.outbox()
			at := f.clock.now()
			f.returned("platform/r1")
			between(f)
			unconfirmed := f.summary().Channels["dsw"].Replies.Unconfirmed
			sent(f, at)
			if got := f.wantReply("r1", ledgerapi.ReplyFailed); got.Reason != ledgerapi.ReasonReplyRefused || got.Event != "platform/r1" ||
				got.Message != "the message came back: there is no such address (5.1.1)" {
				t.Errorf("The status is %+v", got)
			}
			f.returned("platform/r1")
			f.wantReplies("After it came back", ledgerapi.ReplySummary{Sent: 1, Returned: 1, Unconfirmed: unconfirmed})
			f.wantClock("The answer is one", "dsw", "FirstAnswer", ledgerapi.ClockSeries{Met: 1})
			f.verify()
		})
	}
}

func TestWhatCameBackAndIsNoReplyIsKeptForADay(t *testing.T) {
	f := testFixture(t)
	f.returned("platform/0")
	f.wantEarly("On a channel that never had a reply", 0)
	f = replying(t)
	f.take("r1", false)
	f.outbox()
	var many []string
	for i := range 100 {
		many = append(many, fmt.Sprint("platform/", i))
	}
	f.returned(many...)
	f.wantEarly("After they came back", len(many))
	f.verify()
	f.pass(earlyKept)
	f.expire()
	f.wantEarly("After a day", len(many))
	f.pass(time.Second)
	f.expire()
	f.wantEarly("After more than a day", 0)
	f.wantReply("r1", ledgerapi.ReplyUnconfirmed)
}

// wantEarly checks how many messages that came back and are no known reply are kept.
func (f *fixture) wantEarly(when string, want int) {
	f.t.Helper()
	got := 0
	err := f.store.View(context.Background(), func(r store.Reader) error {
		replies, err := r.RepliesAfter(context.Background(), "dsw", "", 1000)
		for i := range replies {
			if !replyID.MatchString(replies[i].ID) {
				got++
			}
		}
		return err
	})
	if err != nil || got != want {
		f.t.Errorf("%s %d are kept (%v); want %d", when, got, err, want)
	}
}
