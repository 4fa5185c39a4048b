package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

func TestAppendRefusesWithAReason(t *testing.T) {
	for name, test := range map[string]struct {
		channel string
		request ledgerapi.AppendRequest
		reason  Reason
		message string
	}{
		"a channel that the policy does not name": {"none", ledgerapi.AppendRequest{}, NotFound, "does not name the channel"},
		"a suspended channel":                     {"closed", ledgerapi.AppendRequest{}, Forbidden, "suspended"},
		"too many events":                         {"dsw", ledgerapi.AppendRequest{Events: make([]complaint.Event, ledgerapi.MaxBatchEvents+1)}, Invalid, "events: has 1001"},
		"too long a cursor":                       {"dsw", ledgerapi.AppendRequest{Cursor: make(json.RawMessage, ledgerapi.MaxCursorBytes+1)}, Invalid, "cursor: has"},
		"a cursor that is no JSON":                {"dsw", ledgerapi.AppendRequest{Cursor: json.RawMessage("{")}, Invalid, "cursor: must be JSON"},
		"a cursor that another worker has moved":  {"dsw", ledgerapi.AppendRequest{Cursor: json.RawMessage("1"), PreviousGeneration: 7}, Conflict, "generation 0"},
	} {
		t.Run(name, func(t *testing.T) {
			f := testFixture(t)
			d := samplePolicy()
			closed := d.Channels["dsw"]
			closed.Suspended = true
			d.Channels["closed"] = closed
			f.policy(d)
			_, err := f.ledger.Append(t.Context(), test.channel, test.request)
			var refusal *RefusalError
			if !errors.As(err, &refusal) || refusal.Reason != test.reason || !strings.Contains(refusal.Message, test.message) {
				t.Errorf("The error is %v; want reason %d with %q", err, test.reason, test.message)
			}
		})
	}
}

func TestOneBadEventDoesNotHoldUpTheOthers(t *testing.T) {
	f := testFixture(t)
	bad := received("C2", monday)
	bad.Kind = ""
	foreign := received("C3", monday)
	foreign.Channel = "sigap"
	nul := received("C4\x00", monday)
	tooOld := received("C5", time.Time{})
	out := f.append("dsw", received("C1", monday), bad, foreign, received("C1", monday), nul, tooOld)
	if out.Accepted != 1 || out.Duplicate != 1 || len(out.Rejected) != 4 {
		t.Fatalf("The response is %+v; want one accepted, one duplicate, four rejected", out)
	}
	for i, want := range []struct {
		index int
		text  string
	}{{1, "kind: must be one of"}, {2, "channel: must be"}, {4, "NUL"}, {5, "at: must be"}} {
		if got := out.Rejected[i]; got.Index != want.index || !strings.Contains(got.Message, want.text) {
			t.Errorf("Rejection %d is %+v; want index %d and %q", i, got, want.index, want.text)
		}
	}
	if c := f.summary().Channels["dsw"]; c.Accepted != 1 || c.Duplicate != 1 || c.Rejected != 4 {
		t.Errorf("The channel counts %d, %d, %d; want 1, 1, 4", c.Accepted, c.Duplicate, c.Rejected)
	}
	f.verify()
}

func TestTheCursorIsStoredWithItsBatchOrNotAtAll(t *testing.T) {
	f := testFixture(t)
	put := func(cursor string, previous int64, events ...complaint.Event) (ledgerapi.AppendResponse, error) {
		return f.ledger.Append(t.Context(), "dsw", ledgerapi.AppendRequest{Cursor: json.RawMessage(cursor), PreviousGeneration: previous, Events: events})
	}
	first, err := put(`{"page":1}`, 0, received("C1", monday))
	if err != nil || first.CursorGeneration != 1 {
		t.Fatalf("The first append gives %+v, error %v", first, err)
	}
	if _, err = put(`{"page":9}`, 0, received("C2", monday)); err == nil {
		t.Fatal("A second worker moved the cursor from the same generation")
	}
	if _, err = put(`{"page":2}`, 1, received("C3", monday)); err != nil {
		t.Fatal(err)
	}
	f.restart()
	state, err := f.ledger.State(t.Context(), "dsw")
	if err != nil || string(state.Cursor) != `{"page":2}` || state.CursorGeneration != 2 {
		t.Errorf("The channel is %+v, error %v; want page 2 of generation 2", state, err)
	}
	if got := f.summary().Channels["dsw"].Received; got != 2 {
		t.Errorf("%d cases were received; want 2, without the refused one's", got)
	}
	f.verify()
}

func TestACaseThatIsFullStillTakesAnAnswer(t *testing.T) {
	f := testFixture(t)
	f.append("dsw", received("C1", monday))
	for n := 1; n < maxCitizenEvents; {
		var batch []complaint.Event
		for ; n < maxCitizenEvents && len(batch) < ledgerapi.MaxBatchEvents; n++ {
			at := monday.Add(time.Duration(n) * time.Millisecond)
			batch = append(batch, event("C1", at.Format(time.StampMilli), complaint.KindCitizenMessage, complaint.ActorCitizen, at))
		}
		f.append("dsw", batch...)
	}
	f.clock.move(time.Minute)
	out := f.append("dsw", event("C1", "one more", complaint.KindCitizenMessage, complaint.ActorCitizen, monday), answered("C1", monday.Add(time.Minute)))
	if out.Accepted != 1 || len(out.Rejected) != 1 || out.Rejected[0].Index != 0 {
		t.Errorf("The response is %+v; want the message rejected and the answer taken", out)
	}
	f.wantClock("Answered", "dsw", "FirstAnswer", ledgerapi.ClockSeries{Met: 1})
	f.verify()
}

func TestAFutureEventIsNotKnownBeforeItsTime(t *testing.T) {
	f := testFixture(t)
	f.append("dsw", received("C1", monday), answered("C1", monday.Add(time.Minute)))
	if got := f.summary().Channels["dsw"].Unanswered; got != 1 {
		t.Errorf("%d are unanswered before the answer's time; want 1", got)
	}
	f.pass(time.Minute)
	if got := f.summary().Channels["dsw"].Unanswered; got != 0 {
		t.Errorf("%d are unanswered at the answer's time; want 0", got)
	}
	out := f.append("dsw", received("C2", monday.Add(time.Hour)))
	if out.Accepted != 1 || f.summary().Channels["dsw"].Unanswered != 1 {
		t.Error("An event far ahead was not taken as of now")
	}
	f.verify()
}

func TestARequestThatCannotBeDoneHarmsNoOther(t *testing.T) {
	f := testFixture(t)
	poisoned := errors.New("poisoned")
	jobs := []func(context.Context, *transaction) error{
		func(context.Context, *transaction) error { return poisoned },
		func(context.Context, *transaction) error { panic("a mistake") },
	}
	// Hold the ledger up, so that all of it waits for one transaction.
	hold, held := make(chan struct{}), make(chan struct{})
	go func() {
		_ = f.ledger.do(context.Background(), &request{job: func(context.Context, *transaction) error {
			close(held)
			<-hold
			return nil
		}})
	}()
	<-held
	results := make(chan error, len(jobs)+1)
	for _, job := range jobs {
		go func() { results <- f.ledger.do(context.Background(), &request{job: job}) }()
	}
	go func() {
		_, err := f.ledger.Append(context.Background(), "dsw", ledgerapi.AppendRequest{Events: []complaint.Event{received("C1", monday)}})
		results <- err
	}()
	deadline := time.After(20 * time.Second)
	for f.ledger.Stats().Waiting < int64(len(jobs)+2) {
		select {
		case <-deadline:
			t.Fatal("The requests were not queued")
		case <-time.After(time.Millisecond): // nothing signals it
		}
	}
	close(hold)
	failed := 0
	for range len(jobs) + 1 {
		if err := <-results; err != nil {
			failed++
			var refusal *RefusalError
			if !errors.As(err, &refusal) || refusal.Reason != Unavailable || refusal.RetryAfter == 0 {
				t.Errorf("The error is %v; want one to retry", err)
			}
		}
	}
	if failed != len(jobs) {
		t.Errorf("%d requests failed; want just the %d that cannot be done", failed, len(jobs))
	}
	if got := f.summary().Channels["dsw"].Accepted; got != 1 {
		t.Errorf("%d events were accepted; want 1", got)
	}
	f.verify()
}
