package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// replying is a ledger whose channel dsw allows replies, with one complaint.
func replying(t *testing.T) *fixture {
	t.Helper()
	f := testFixture(t)
	d := samplePolicy()
	d.Retention.StoreHandles = true
	dsw := d.Channels["dsw"]
	dsw.Replies = true
	d.Channels["dsw"] = dsw
	f.policy(d)
	first, second := received("1", monday), event("1", "1/more", complaint.KindCitizenMessage, complaint.ActorCitizen, monday.Add(time.Minute))
	second.Reporter, second.Attributes = &complaint.Reporter{Phone: "+6281277770001"}, map[string]string{"number": "7"}
	f.clock.move(time.Minute)
	f.append("dsw", first, second)
	return f
}

func (f *fixture) reply(in ledgerapi.ReplyRequest) (ledgerapi.ReplyStatus, error) {
	return f.ledger.Reply(context.Background(), "dsw", in)
}

func (f *fixture) outbox() []ledgerapi.OutgoingReply {
	f.t.Helper()
	box, err := f.ledger.Outbox(context.Background(), "dsw", 0)
	if err != nil {
		f.t.Fatalf("Reading the outbox: %v", err)
	}
	return box.Replies
}

func (f *fixture) done(id string, result ledgerapi.ReplyResult) {
	f.t.Helper()
	if err := f.ledger.ReplyDone(context.Background(), "dsw", id, result); err != nil {
		f.t.Fatalf("Saying what became of %s: %v", id, err)
	}
}

func (f *fixture) wantReply(id string, want ledgerapi.ReplyState) ledgerapi.ReplyStatus {
	f.t.Helper()
	status, err := f.ledger.ReplyStatus(context.Background(), "dsw", id)
	if err != nil || status.State != want {
		f.t.Errorf("The reply %s is %s (%v), want %s", id, status.State, err, want)
	}
	return status
}

var cleaned = ledgerapi.ReplyRequest{ID: "r1", Case: "1", Text: "Petugas sudah membersihkan saluran air RAHASIAJAWAB"}

// A worker that is stopped, as its channel is suspended, still says what it has just sent.
func TestReplyThatWasSentAnswersItsCaseOnAChannelSuspendedMeanwhile(t *testing.T) {
	f := replying(t)
	f.take("r1", false)
	f.outbox()
	d := samplePolicy()
	dsw := d.Channels["dsw"]
	dsw.Replies, dsw.Suspended = true, true
	d.Channels["dsw"] = dsw
	f.policy(d)
	f.done("r1", ledgerapi.ReplyResult{State: ledgerapi.ReplySent, Event: "platform/r1", At: f.clock.now()})
	f.wantReply("r1", ledgerapi.ReplySent)
	f.wantClock("Once it was sent", "dsw", "FirstAnswer", ledgerapi.ClockSeries{Met: 1})
	f.verify()
}

func TestReplyIsSentOnceAndAnswersItsCase(t *testing.T) {
	f := replying(t)
	for range 2 { // the second is the same request again
		status, err := f.reply(cleaned)
		if err != nil || status.State != ledgerapi.ReplyPending || status.Case != "1" {
			t.Fatalf("got %+v, %v", status, err)
		}
	}
	want := []ledgerapi.OutgoingReply{{
		ID: "r1", Case: "1", Text: cleaned.Text, Message: "1/more", At: monday.Add(time.Minute),
		Reporter: &complaint.Reporter{Phone: "+6281277770001"}, Attributes: map[string]string{"number": "7"},
	}}
	if diff := cmp.Diff(want, f.outbox()); diff != "" {
		t.Fatalf("the outbox (-want +got):\n%s", diff)
	}
	if again := f.outbox(); len(again) != 0 {
		t.Fatalf("It was handed out a second time: %+v", again)
	}
	f.wantReply("r1", ledgerapi.ReplySending)
	sentAt := monday.Add(2 * time.Minute)
	f.clock.set(sentAt)
	for range 2 { // the answer to the first was lost
		f.done("r1", ledgerapi.ReplyResult{State: ledgerapi.ReplySent, Event: "platform/9", At: sentAt})
	}
	status := f.wantReply("r1", ledgerapi.ReplySent)
	if status.Event != "platform/9" || status.Attempts != 1 {
		t.Errorf("The status is %+v", status)
	}
	f.wantClock("After the reply", "dsw", "FirstAnswer", ledgerapi.ClockSeries{Met: 1})
	// The platform tells of the same message.
	echo := answered("1", sentAt)
	echo.ID = "platform/9"
	if out := f.append("dsw", echo); out.Duplicate != 1 {
		t.Errorf("The platform's own account of it was taken as another answer: %+v", out)
	}
	if _, err := f.reply(cleaned); err != nil {
		t.Errorf("Asking again after it was sent: %v", err)
	}
	if out := f.outbox(); len(out) != 0 {
		t.Errorf("It is sent again: %+v", out)
	}
	f.verify()
}

func TestTheTextOfAReplyStaysOnlyInItsCase(t *testing.T) {
	f := replying(t)
	if _, err := f.reply(cleaned); err != nil {
		t.Fatal(err)
	}
	f.outbox()
	f.done("r1", ledgerapi.ReplyResult{State: ledgerapi.ReplyFailed, Reason: ledgerapi.ReasonReplyRefused, Message: "the window has closed"})
	if status := f.wantReply("r1", ledgerapi.ReplyFailed); status.Message != "the window has closed" {
		t.Errorf("The status is %+v", status)
	}
	if found := f.stored("RAHASIAJAWAB"); len(found) > 0 {
		t.Errorf("After it failed: found %v", found)
	}
	f.pass(replyKept + time.Second)
	if err := f.ledger.Expire(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := f.ledger.ReplyStatus(t.Context(), "dsw", "r1"); refusalReason(err) != NotFound {
		t.Errorf("After a month: %v", err)
	}
}

// A worker that was killed may have sent it. Whatever happens then, the citizen does not hear it twice.
func TestReplyOfAWorkerThatDidNotComeBackIsNotSentAgain(t *testing.T) {
	f := replying(t)
	if _, err := f.reply(cleaned); err != nil {
		t.Fatal(err)
	}
	f.outbox()
	f.restart()
	f.clock.move(ledgerapi.ReplyPatience)
	if out := f.outbox(); len(out) != 0 {
		t.Errorf("It was handed out again: %+v", out)
	}
	f.wantReply("r1", ledgerapi.ReplyUnconfirmed)
	// The worker was only slow.
	f.done("r1", ledgerapi.ReplyResult{State: ledgerapi.ReplySent, Event: "platform/9", At: f.clock.now()})
	f.wantReply("r1", ledgerapi.ReplySent)
	f.wantClock("After the late word", "dsw", "FirstAnswer", ledgerapi.ClockSeries{Met: 1})
	f.verify()
}

func TestReplyThatCouldNotBeSentIsTriedForADay(t *testing.T) {
	f := replying(t)
	if _, err := f.reply(cleaned); err != nil {
		t.Fatal(err)
	}
	attempts := 0
	busy := ledgerapi.ReplyResult{State: ledgerapi.ReplyPending, Reason: ledgerapi.ReasonRateLimited, Message: "not now", RetryAfterSeconds: 3600}
	for hour := range 30 {
		if out := f.outbox(); len(out) > 0 {
			attempts++
			f.done("r1", busy)
			if again := f.outbox(); len(again) != 0 {
				t.Fatalf("In the hour %d it was handed out before its time", hour)
			}
		}
		f.clock.move(time.Hour)
		if err := f.ledger.Expire(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if status := f.wantReply("r1", ledgerapi.ReplyFailed); attempts != 24 || status.Attempts != 24 || status.Reason != ledgerapi.ReasonRateLimited {
		t.Errorf("%d attempts, then %+v", attempts, status)
	}
}

func TestRepliesThatAreRefused(t *testing.T) {
	f := replying(t)
	if _, err := f.reply(cleaned); err != nil {
		t.Fatal(err)
	}
	other := func(change func(*ledgerapi.ReplyRequest)) ledgerapi.ReplyRequest {
		r := cleaned
		change(&r)
		return r
	}
	for name, test := range map[string]struct {
		channel string
		request ledgerapi.ReplyRequest
		want    Reason
		message string
	}{
		"a name that is no name":             {"dsw", other(func(r *ledgerapi.ReplyRequest) { r.ID = "a b" }), Invalid, "id:"},
		"no text":                            {"dsw", other(func(r *ledgerapi.ReplyRequest) { r.ID, r.Text = "r2", " \n" }), Invalid, "text:"},
		"a text that is too long":            {"dsw", other(func(r *ledgerapi.ReplyRequest) { r.ID, r.Text = "r2", strings.Repeat("a", 16<<10+1) }), Invalid, "text:"},
		"a text that is not UTF-8":           {"dsw", other(func(r *ledgerapi.ReplyRequest) { r.ID, r.Text = "r2", "\xff" }), Invalid, "text:"},
		"a case that there is not":           {"dsw", other(func(r *ledgerapi.ReplyRequest) { r.ID, r.Case = "r2", "404" }), NotFound, "case:"},
		"a name that was used for another":   {"dsw", other(func(r *ledgerapi.ReplyRequest) { r.Text = "Lain" }), Conflict, "id:"},
		"a dry run of what is to be sent":    {"dsw", other(func(r *ledgerapi.ReplyRequest) { r.DryRun = true }), Conflict, "id:"},
		"a channel that allows none":         {"sigap", other(func(*ledgerapi.ReplyRequest) {}), Forbidden, "allows no replies"},
		"a channel that the policy does not": {"none", other(func(*ledgerapi.ReplyRequest) {}), NotFound, "channel"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := f.ledger.Reply(t.Context(), test.channel, test.request)
			if refusalReason(err) != test.want || !strings.Contains(err.Error(), test.message) || strings.Contains(err.Error(), "RAHASIA") {
				t.Errorf("got %v, want reason %d with %q", err, test.want, test.message)
			}
		})
	}
}

func refusalReason(err error) Reason {
	if refusal, ok := errors.AsType[*RefusalError](err); ok {
		return refusal.Reason
	}
	return 0
}

func TestWorkersThatWaitAreWokenAndEachReplyIsHandedOutOnce(t *testing.T) {
	f := replying(t)
	const replies, workers = 20, 4
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	got := make(chan string, 2*replies)
	var waiting sync.WaitGroup
	for range workers {
		waiting.Go(func() {
			for ctx.Err() == nil {
				box, err := f.ledger.Outbox(ctx, "dsw", time.Minute)
				if err != nil && ctx.Err() == nil {
					t.Errorf("Reading the outbox: %v", err)
				}
				for _, r := range box.Replies {
					got <- r.ID
				}
			}
		})
	}
	seen := map[string]int{}
	for i := range replies {
		r := cleaned
		r.ID = fmt.Sprint("r", i)
		if _, err := f.reply(r); err != nil {
			t.Fatal(err)
		}
	}
	deadline := time.After(time.Minute)
	for len(seen) < replies {
		select {
		case id := <-got:
			seen[id]++
		case <-deadline:
			t.Fatalf("After a minute %d of %d were handed out", len(seen), replies)
		}
	}
	cancel()
	waiting.Wait()
	close(got)
	for id := range got {
		seen[id]++
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("%s was handed out %d times", id, n)
		}
	}
}

// fill has a case have so many events as officials may bring it to.
func (f *fixture) fill(caseID string, has, events int) {
	f.t.Helper()
	for has < events {
		var batch []complaint.Event
		for ; has < events && len(batch) < ledgerapi.MaxBatchEvents; has++ {
			batch = append(batch, event(caseID, fmt.Sprint(caseID, "/fill/", has), complaint.KindAssigned, complaint.ActorOfficial, monday))
		}
		if out := f.append("dsw", batch...); out.Accepted != len(batch) {
			f.t.Fatalf("Filling a case: %+v", out)
		}
	}
}

// What the citizen was told is an answer, however many events others have added to the case meanwhile. Nothing that the
// case has no room for is sent.
func TestAReplyToACaseThatIsFullIsRefusedAndOneThatWasSentStored(t *testing.T) {
	f := replying(t)
	f.fill("1", 2, maxCaseEvents-1)
	for _, id := range []string{"r1", "r2"} {
		f.take(id, false)
	}
	f.outbox()
	f.fill("1", maxCaseEvents-1, maxCaseEvents)
	late := cleaned
	late.ID = "r3"
	_, err := f.reply(late)
	if refusalReason(err) != Forbidden || err.Error() != "case: has 4000 events already, no more are taken: answer on the platform itself" {
		t.Errorf("Replying to a case that is full: %v", err)
	}
	for _, id := range []string{"r1", "r2"} {
		f.done(id, ledgerapi.ReplyResult{State: ledgerapi.ReplySent, Event: "platform/" + id, At: f.clock.now()})
		f.wantReply(id, ledgerapi.ReplySent)
	}
	f.wantClock("After the replies", "dsw", "FirstAnswer", ledgerapi.ClockSeries{Met: 1})
	echo := answered("1", f.clock.now())
	echo.ID = "platform/r2"
	if out := f.append("dsw", echo); out.Accepted != 0 {
		t.Errorf("The platform's own account was taken as another answer: %+v", out)
	}
	f.verify()
}
