package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

// take has a reply taken, a second after the one before.
func (f *fixture) take(id string, dryRun bool) time.Time {
	f.t.Helper()
	f.clock.move(time.Second)
	r := cleaned
	r.ID, r.DryRun = id, dryRun
	status, err := f.reply(r)
	if err != nil {
		f.t.Fatalf("Taking a reply: %v", err)
	}
	return status.CreatedAt
}

// TestManyRepliesThatWaitKeepNoOtherFromItsEnd has more replies wait at one channel than are looked at together, and
// its worker, and that of another channel, not come back from what they were given.
func TestManyRepliesThatWaitKeepNoOtherFromItsEnd(t *testing.T) {
	f := replying(t)
	for i := range maintenanceCases + outboxReplies {
		f.take(fmt.Sprint("waits", i), false)
	}
	given := f.outbox()
	d := f.ledger.document
	sigap := d.Channels["sigap"]
	sigap.Replies = true
	d.Channels["sigap"] = sigap
	f.policy(d)
	f.append("sigap", received("1", monday))
	if _, err := f.ledger.Reply(t.Context(), "sigap", cleaned); err != nil {
		t.Fatalf("Taking a reply: %v", err)
	}
	if box, err := f.ledger.Outbox(t.Context(), "sigap", 0); err != nil || len(box.Replies) != 1 {
		t.Fatalf("The outbox has %v (%v), want the reply", box, err)
	}
	f.clock.move(ledgerapi.ReplyPatience)
	if err := f.ledger.Expire(t.Context()); err != nil {
		t.Fatalf("Expiring: %v", err)
	}
	if got, err := f.ledger.ReplyStatus(t.Context(), "sigap", cleaned.ID); err != nil || got.State != ledgerapi.ReplyUnconfirmed {
		t.Errorf("The reply that no worker came back from is %s (%v), want %s", got.State, err, ledgerapi.ReplyUnconfirmed)
	}
	for i := range given {
		f.wantReply(given[i].ID, ledgerapi.ReplyUnconfirmed)
	}
	f.wantReply(fmt.Sprint("waits", maintenanceCases+outboxReplies-1), ledgerapi.ReplyPending)
}

func (f *fixture) wantReplies(when string, want ledgerapi.ReplySummary) {
	f.t.Helper()
	if diff := cmp.Diff(&want, f.summary().Channels["dsw"].Replies); diff != "" {
		f.t.Errorf("%s: replies (-want +got):\n%s", when, diff)
	}
	f.verify()
}

func TestRepliesAreCountedUntilTheyAreDoneAndByWhatBecameOfThem(t *testing.T) {
	f := replying(t)
	if got := f.summary().Channels["dsw"].Replies; got != nil {
		t.Fatalf("Before any: %+v", got)
	}
	var at []time.Time
	for i := range 5 {
		at = append(at, f.take(fmt.Sprint("r", i), i == 4))
	}
	f.take("r0", false) // the same again
	f.wantReplies("After five were taken", ledgerapi.ReplySummary{Waiting: 5, OldestWaitingAt: &at[0]})
	if handed := f.outbox(); len(handed) != outboxReplies {
		t.Fatalf("%d were handed out", len(handed))
	}
	f.wantReplies("While a worker has them", ledgerapi.ReplySummary{Waiting: 5, OldestWaitingAt: &at[0]})
	sent := func(id string) {
		f.done(id, ledgerapi.ReplyResult{State: ledgerapi.ReplySent, Event: "platform/" + id, At: f.clock.now()})
	}
	sent("r1")
	f.wantReplies("After one that is not the oldest", ledgerapi.ReplySummary{Waiting: 4, OldestWaitingAt: &at[0], Sent: 1})
	f.done("r0", ledgerapi.ReplyResult{State: ledgerapi.ReplyFailed, Reason: ledgerapi.ReasonReplyRefused})
	f.wantReplies("After the oldest failed", ledgerapi.ReplySummary{Waiting: 3, OldestWaitingAt: &at[2], Sent: 1, Failed: 1})
	f.done("r2", ledgerapi.ReplyResult{State: ledgerapi.ReplyPending, Reason: ledgerapi.ReasonRateLimited})
	f.done("r3", ledgerapi.ReplyResult{State: ledgerapi.ReplyUnconfirmed, Reason: ledgerapi.ReasonTimeout})
	want := ledgerapi.ReplySummary{Waiting: 2, OldestWaitingAt: &at[2], Sent: 1, Failed: 1, Unconfirmed: 1}
	f.wantReplies("After one is to be tried again and one is unconfirmed", want)
	f.restart()
	f.wantReplies("After a restart", want)
	f.move()
	f.wantReplies("On another storage", want)
	sent("r3")
	if f.outbox()[0].ID != "r4" {
		t.Fatal("The dry run was not handed out")
	}
	f.done("r4", ledgerapi.ReplyResult{State: ledgerapi.ReplyChecked})
	f.wantReplies("After the dry run, and word that one was sent after all",
		ledgerapi.ReplySummary{Waiting: 1, OldestWaitingAt: &at[2], Sent: 2, Failed: 1, Unconfirmed: 1})
	f.pass(replyAttempts)
	if err := f.ledger.Expire(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.wantReplies("After the last was given up", ledgerapi.ReplySummary{Sent: 2, Failed: 2, Unconfirmed: 1})
	f.pass(replyKept + time.Second)
	if err := f.ledger.Expire(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.wantReplies("After all were forgotten", ledgerapi.ReplySummary{Sent: 2, Failed: 2, Unconfirmed: 1})
}

// TestRepliesTakenByAnEarlierVersionAreCountedOnceTheyAreHandedOut has one that no figures know of.
func TestRepliesTakenByAnEarlierVersionAreCountedOnceTheyAreHandedOut(t *testing.T) {
	f := replying(t)
	at := f.clock.now()
	early, err := json.Marshal(replyState{ReplyStatus: ledgerapi.ReplyStatus{ID: "early", Case: "1", State: ledgerapi.ReplyPending, CreatedAt: at}, Text: "Sudah"})
	if err != nil {
		t.Fatal(err)
	}
	err = f.store.Update(t.Context(), func(tx store.Tx) error {
		return tx.PutReplies(t.Context(), []store.Reply{{Channel: "dsw", ID: "early", NextAt: at, State: early}})
	})
	if err != nil {
		t.Fatal(err)
	}
	f.restart()
	later := f.take("later", false)
	f.wantReplies("Before", ledgerapi.ReplySummary{Waiting: 1, OldestWaitingAt: &later})
	f.outbox()
	f.wantReplies("Once it is handed out", ledgerapi.ReplySummary{Waiting: 2, OldestWaitingAt: &at})
	f.done("early", ledgerapi.ReplyResult{State: ledgerapi.ReplyFailed})
	f.wantReplies("Once it is done", ledgerapi.ReplySummary{Waiting: 1, OldestWaitingAt: &later, Failed: 1})
}

// TestAWorkerHearsOfWhatAnotherReplicaTook has nothing but the figures of replies tell.
func TestAWorkerHearsOfWhatAnotherReplicaTook(t *testing.T) {
	f := testReplicas(t, 2)
	d := samplePolicy()
	dsw := d.Channels["dsw"]
	dsw.Replies = true
	d.Channels["dsw"] = dsw
	f.policy(d)
	f.append("dsw", received("1", monday))
	other := f.replicas[1].Ledger
	other.outboxes.look = time.Hour
	got := make(chan []ledgerapi.OutgoingReply, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for i := range 3 {
		go func() {
			box, err := other.Outbox(ctx, "dsw", time.Hour)
			if err != nil {
				t.Errorf("Waiting: %v", err)
			}
			got <- box.Replies
		}()
		eventually(t, "a worker waits at the other replica", func() bool {
			other.outboxes.mu.Lock()
			defer other.outboxes.mu.Unlock()
			return other.outboxes.waiting["dsw"] != nil
		})
		f.take(fmt.Sprint("r", i), i == 2)
		if box := <-got; len(box) != 1 || box[0].ID != fmt.Sprint("r", i) {
			t.Fatalf("It was given %+v", box)
		}
	}
}
