package ledger

import (
	"context"
	"testing"

	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
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
	f.returned("platform/r1") // before it was sent: nobody knows of it
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
