package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/internal/policy"
	"github.com/tanggap/tanggap/internal/sla"
)

func TestABreachIsShownAtItsInstantAndCountedOnceTheSourceWasObserved(t *testing.T) {
	f := testFixture(t)
	f.append("dsw", received("C1", monday))
	f.wantClock("At first", "dsw", "FirstAnswer", ledgerapi.ClockSeries{})
	f.pass(12 * time.Minute)
	f.wantClock("A fifth of the target before due", "dsw", "FirstAnswer", ledgerapi.ClockSeries{DueSoon: 1})
	f.pass(3 * time.Minute)
	f.wantClock("At the due instant itself", "dsw", "FirstAnswer", ledgerapi.ClockSeries{DueSoon: 1})
	f.pass(time.Microsecond)
	f.wantClock("Past due", "dsw", "FirstAnswer", ledgerapi.ClockSeries{Overdue: 1})
	f.through("dsw", monday.Add(15*time.Minute))
	f.advance()
	f.wantClock("Observed to the due instant", "dsw", "FirstAnswer", ledgerapi.ClockSeries{Overdue: 1})
	f.pass(time.Minute)
	f.through("dsw", monday.Add(16*time.Minute))
	f.advance()
	f.wantClock("Observed past the due instant", "dsw", "FirstAnswer", ledgerapi.ClockSeries{Overdue: 1, Breached: 1})
	f.append("dsw", answered("C1", monday.Add(15*time.Minute+30*time.Second)))
	f.wantClock("After the late answer", "dsw", "FirstAnswer", ledgerapi.ClockSeries{Breached: 1})
	f.verify()
}

func TestAnAnswerInTimeThatIsPolledLateIsMet(t *testing.T) {
	f := testFixture(t)
	f.append("dsw", received("C1", monday))
	f.pass(20 * time.Minute)
	f.wantClock("Past due, not observed", "dsw", "FirstAnswer", ledgerapi.ClockSeries{Overdue: 1})
	f.append("dsw", answered("C1", monday.Add(14*time.Minute)))
	f.through("dsw", monday.Add(20*time.Minute))
	f.advance()
	f.wantClock("After the poll", "dsw", "FirstAnswer", ledgerapi.ClockSeries{Met: 1})
	if c := f.summary().Channels["dsw"].Corrections; c != nil {
		t.Errorf("Corrections are %v; want none, as no verdict was final", c)
	}
	f.verify()
}

func TestEvidenceThatChangesAFinalVerdictIsCountedAsACorrection(t *testing.T) {
	f := testFixture(t)
	f.append("dsw", received("C1", monday))
	f.pass(20 * time.Minute)
	f.through("dsw", monday.Add(20*time.Minute))
	f.advance()
	f.wantClock("Final", "dsw", "FirstAnswer", ledgerapi.ClockSeries{Overdue: 1, Breached: 1})
	f.append("dsw", answered("C1", monday.Add(10*time.Minute)))
	f.wantClock("After older evidence", "dsw", "FirstAnswer", ledgerapi.ClockSeries{Breached: 1})
	if diff := cmp.Diff(map[string]int64{"FirstAnswer": 1}, f.summary().Channels["dsw"].Corrections); diff != "" {
		t.Errorf("Corrections (-want +got):\n%s", diff)
	}
	f.verify()
}

func TestFiguresOfACaseFromReceiptToResolution(t *testing.T) {
	f := testFixture(t)
	series := func() ledgerapi.Series {
		all := f.summary().Series
		if len(all) != 1 {
			t.Fatalf("There are %d series; want 1: %v", len(all), all)
		}
		return all[0]
	}
	want := ledgerapi.Series{
		Channel: "dsw", Dimensions: complaint.Dimensions{Category: "flood", Department: "dpupr", Priority: "high"},
		Unanswered: 1, AwaitingReply: 1, Received: 1,
	}
	check := func(when string) {
		t.Helper()
		if diff := cmp.Diff(want, series()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	f.append("dsw", received("C1", monday))
	check("Received")
	thanks := answered("C1", monday)
	thanks.ID, thanks.Text = "thanks", "terima kasih atas laporannya"
	f.append("dsw", thanks)
	check("Only thanked")
	f.append("dsw", answered("C1", monday.Add(time.Minute)))
	want.Unanswered, want.AwaitingReply, want.Answered = 0, 0, 1
	f.pass(time.Minute)
	check("Answered")
	f.pass(time.Minute)
	f.append("dsw", event("C1", "again", complaint.KindCitizenMessage, complaint.ActorCitizen, monday.Add(2*time.Minute)))
	want.AwaitingReply = 1
	check("The citizen wrote again")
	f.append("dsw", status("C1", complaint.StatusResolved, monday.Add(2*time.Minute)))
	want.AwaitingReply = 0
	check("Resolved")
	f.wantClock("Resolved", "dsw", "Done", ledgerapi.ClockSeries{Met: 1})
	channel := f.summary().Channels["dsw"]
	if channel.OldestUnansweredAt != nil || channel.Received != 1 || channel.Answered != 1 || channel.Accepted != 5 {
		t.Errorf("The channel is %+v", channel)
	}
	f.verify()
}

func TestHistogramsHoldTheTimeToTheStop(t *testing.T) {
	f := testFixture(t)
	// 16:00 in Depok is closing time: an hour of wall time later no working time has passed.
	closing := monday.Add(6 * time.Hour)
	f.clock.set(closing.Add(2 * time.Hour))
	f.append("dsw", received("C1", closing), answered("C1", closing.Add(time.Hour)))
	got := map[string]ledgerapi.HistogramSeries{}
	for _, h := range f.summary().Histogram {
		name := "wall"
		if h.Working {
			name = "working"
		}
		got[name] = h
	}
	bounds := ledgerapi.BucketBounds()
	for name, want := range map[string]float64{"wall": 3600, "working": 0} {
		h := got[name]
		if h.Clock != "FirstAnswer" || h.Priority != "high" || h.Count != 1 || h.Sum != want {
			t.Errorf("The histogram in %s time is %+v; want one time of %v s", name, h, want)
		}
		for i, bound := range bounds {
			if wantCount := int64(0); h.Buckets[i] != func() int64 {
				if want <= bound {
					wantCount = 1
				}
				return wantCount
			}() {
				t.Errorf("The bucket up to %v s in %s time holds %d", bound, name, h.Buckets[i])
			}
		}
	}
	f.verify()
}

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
	bad.Kind = "Shouted"
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
	state, err := f.ledger.State("dsw")
	if err != nil || string(state.Cursor) != `{"page":2}` || state.CursorGeneration != 2 {
		t.Errorf("The channel is %+v, error %v; want page 2 of generation 2", state, err)
	}
	if got := f.summary().Channels["dsw"].Received; got != 2 {
		t.Errorf("%d cases were received; want 2, without the refused one's", got)
	}
	f.verify()
}

func TestObservedThroughNeverMovesBackNorAheadOfNow(t *testing.T) {
	f := testFixture(t)
	want := func(at time.Time) {
		t.Helper()
		state, err := f.ledger.State("dsw")
		if err != nil || state.ObservedThrough == nil || !state.ObservedThrough.Equal(at) {
			t.Errorf("observedThrough is %v, error %v; want %v", state.ObservedThrough, err, at)
		}
	}
	f.through("dsw", monday.Add(-time.Hour))
	want(monday.Add(-time.Hour))
	f.through("dsw", monday.Add(-2*time.Hour))
	want(monday.Add(-time.Hour))
	f.through("dsw", monday.Add(time.Hour))
	want(monday)
	report := ledgerapi.Report{Instance: "a", State: ledgerapi.SourceConnected, Reason: ledgerapi.ReasonConnected}
	f.clock.move(time.Minute)
	later := monday.Add(30 * time.Second)
	report.ObservedThrough = &later
	if err := f.ledger.Report(t.Context(), "dsw", report); err != nil {
		t.Fatal(err)
	}
	want(later)
}

func TestReportsAddTheGrowthOfEachInstance(t *testing.T) {
	f := testFixture(t)
	report := func(instance string, rejected, unauthorized int64) {
		t.Helper()
		err := f.ledger.Report(t.Context(), "dsw", ledgerapi.Report{
			Instance: instance, State: ledgerapi.SourceDisconnected, Reason: ledgerapi.ReasonUnauthorized, Rejected: rejected,
			Errors: map[ledgerapi.Reason]int64{ledgerapi.ReasonUnauthorized: unauthorized, "made up": 1},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	report("a", 3, 5)
	report("a", 4, 5)
	report("b", 1, 1)
	f.restart()
	report("a", 6, 9)
	report("b", 1, 1)
	c := f.summary().Channels["dsw"]
	if c.Rejected != 7 || c.Errors[ledgerapi.ReasonUnauthorized] != 10 || c.Errors[ledgerapi.ReasonInternal] != 2 {
		t.Errorf("The channel counts %d rejected and errors %v; want 7, and 10 unauthorized", c.Rejected, c.Errors)
	}
	if c.State != ledgerapi.SourceDisconnected || c.Reason != ledgerapi.ReasonUnauthorized || c.ReportedAt == nil {
		t.Errorf("The channel is %+v", c)
	}
	for i := range 40 {
		report(string(rune('A'+i)), 1, 0)
	}
	if n := len(f.ledger.channels["dsw"].reported.Instances); n > maxInstances {
		t.Errorf("%d instances are remembered; want at most %d", n, maxInstances)
	}
}

func TestAPolicyWithAFaultChangesNothing(t *testing.T) {
	f := testFixture(t)
	before := f.ledger.PolicyStatus()
	bad := samplePolicy()
	spec := bad.SLAs["city"]
	spec.Rules = append([]sla.Rule{{Name: "broken", Match: "complaint.nothing ==", Clocks: spec.Rules[0].Clocks}}, spec.Rules...)
	bad.SLAs = map[string]sla.Spec{"city": spec}
	bad.Channels["new"] = policy.Channel{Type: "rest", SLA: "missing"}
	_, err := f.ledger.PutPolicy(t.Context(), bad.Seal())
	var refusal *RefusalError
	if !errors.As(err, &refusal) || refusal.Reason != Invalid ||
		!strings.Contains(refusal.Message, "slas.city.rules[0].match") || !strings.Contains(refusal.Message, "channels.new.sla") {
		t.Errorf("The error is %v; want both faults with their fields", err)
	}
	if diff := cmp.Diff(before, f.ledger.PolicyStatus()); diff != "" {
		t.Errorf("The policy changed (-before +after):\n%s", diff)
	}
	if _, known := f.ledger.Writer("new"); known {
		t.Error("The refused policy's channel is known")
	}
}

// shorter is the sample with FirstAnswer of floods within five minutes.
func shorter() policy.Document {
	d := samplePolicy()
	spec := d.SLAs["city"]
	clocks := append([]sla.Clock(nil), spec.Rules[0].Clocks...)
	clocks[0].Target.Within = "5m"
	spec.Rules = append([]sla.Rule(nil), spec.Rules...)
	spec.Rules[0].Clocks = clocks
	d.SLAs = map[string]sla.Spec{"city": spec}
	return d
}

func TestAPolicyJudgesOpenCasesAgainAndLeavesClosedOnes(t *testing.T) {
	f := testFixture(t)
	f.append("dsw", received("closed", monday), received("open", monday))
	f.pass(10 * time.Minute)
	f.append("dsw", answered("closed", monday.Add(10*time.Minute)), status("closed", complaint.StatusResolved, monday.Add(10*time.Minute)))
	f.through("dsw", monday.Add(10*time.Minute))
	f.advance()
	f.wantClock("Within 15 minutes", "dsw", "FirstAnswer", ledgerapi.ClockSeries{Met: 1})
	f.policy(shorter())
	if p := f.ledger.PolicyStatus().Rederive["city"]; p.ToGo != 1 || p.Done != 0 {
		t.Errorf("Progress is %+v; want one case to go", p)
	}
	f.restart() // the work goes on after a restart
	f.advance()
	if p := f.ledger.PolicyStatus().Rederive["city"]; p.ToGo != 0 || p.Done != 1 {
		t.Errorf("Progress is %+v; want one case done", p)
	}
	f.wantClock("Within 5 minutes", "dsw", "FirstAnswer", ledgerapi.ClockSeries{Met: 1, Breached: 1, Overdue: 1})
	// A citizen's thanks to the closed case changes nothing it closed with.
	f.append("dsw", event("closed", "thanks", complaint.KindEdited, complaint.ActorCitizen, monday.Add(10*time.Minute)))
	f.wantClock("After a word to the closed case", "dsw", "FirstAnswer", ledgerapi.ClockSeries{Met: 1, Breached: 1, Overdue: 1})
	if c := f.summary().Channels["dsw"].Corrections; c != nil {
		t.Errorf("Corrections are %v; want none, as it was the policy that changed", c)
	}
	f.verify()
}

func TestADeletedChannelLeavesTheSummaryAndGoesOnWhenItIsMadeAgain(t *testing.T) {
	f := testFixture(t)
	f.append("dsw", received("C1", monday))
	f.append("sigap", received("S1", monday))
	without := samplePolicy()
	delete(without.Channels, "dsw")
	f.policy(without)
	f.pass(20 * time.Minute)
	s := f.summary()
	if _, there := s.Channels["dsw"]; there || len(s.Series) != 1 || s.Series[0].Channel != "sigap" {
		t.Errorf("The summary still has the deleted channel: %+v", s.Series)
	}
	f.wantClock("Without the channel", "sigap", "FirstAnswer", ledgerapi.ClockSeries{Overdue: 1})
	f.restart()
	f.verify()
	f.policy(samplePolicy())
	f.advance()
	f.wantClock("With the channel again", "dsw", "FirstAnswer", ledgerapi.ClockSeries{Overdue: 1})
	if c := f.summary().Channels["dsw"]; c.Unanswered != 1 || c.Received != 1 || c.Accepted != 1 {
		t.Errorf("The channel goes on with %+v; want its history", c)
	}
	f.verify()
}

func TestSpilloverIsCountedOnceACase(t *testing.T) {
	f := testFixture(t)
	by := func(e complaint.Event, phone string) complaint.Event {
		e.Reporter = &complaint.Reporter{Phone: phone}
		return e
	}
	f.clock.set(monday.Add(100 * time.Hour))
	f.append("dsw", by(received("old", monday), "0812-3456-789"), by(received("answered", monday), "0812-1111-111"), answered("answered", monday))
	f.append("sigap", by(received("later", monday.Add(time.Hour)), "+62 812 3456 789"))
	f.append("wa",
		by(received("spilled", monday.Add(2*time.Hour)), "628123456789"),
		by(received("was answered", monday.Add(2*time.Hour)), "0812-1111-111"),
		by(received("stranger", monday.Add(2*time.Hour)), "0899-9999-999"),
		by(received("too late", monday.Add(75*time.Hour)), "628123456789"),
	)
	f.append("wa", event("spilled", "again", complaint.KindCitizenMessage, complaint.ActorCitizen, monday.Add(3*time.Hour)))
	want := map[string]int64{"dsw>sigap": 1, "sigap>wa": 1}
	got := map[string]int64{}
	for _, s := range f.summary().Spillover {
		got[s.From+">"+s.To] = s.Count
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Spillovers (-want +got):\n%s", diff)
	}
	f.verify()
}

func TestSpilloverIsFoundByAnEarlierKey(t *testing.T) {
	f := testFixture(t)
	complain := func(channel, id string, at time.Time) {
		e := received(id, at)
		e.Reporter = &complaint.Reporter{Email: " Warga@Example.org"}
		f.append(channel, e)
	}
	complain("dsw", "C1", monday.Add(-time.Hour))
	f.names = &Pseudonyms{keys: [][]byte{[]byte("a new key of the city"), f.names.keys[0]}}
	f.restart()
	complain("wa", "W1", monday)
	if s := f.summary().Spillover; len(s) != 1 || s[0].From != "dsw" {
		t.Errorf("Spillovers are %v; want one from dsw", s)
	}
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

func TestTheLedgersTimeNeverGoesBack(t *testing.T) {
	f := testFixture(t)
	f.append("dsw", received("C1", monday))
	f.pass(20 * time.Minute)
	f.append("dsw", received("C2", monday))
	f.clock.move(-time.Hour)
	f.restart()
	f.append("dsw", event("C1", "more", complaint.KindCitizenMessage, complaint.ActorCitizen, monday))
	f.wantClock("With the system's clock set back", "dsw", "FirstAnswer", ledgerapi.ClockSeries{Overdue: 2})
}

func TestSummaryWaitsForGrowth(t *testing.T) {
	f := testFixture(t)
	now := f.summary().Sequence
	if s, err := f.ledger.Summary(t.Context(), now, 0); s != nil || err != nil {
		t.Errorf("Without growth the summary is %v, error %v; want none", s, err)
	}
	if s, err := f.ledger.Summary(t.Context(), now+1000, time.Hour); s == nil || err != nil {
		t.Errorf("With a position of another life the summary is %v, error %v; want it at once", s, err)
	}
	got := make(chan int64, 1)
	go func() {
		s, err := f.ledger.Summary(context.WithoutCancel(t.Context()), now, time.Minute)
		if err != nil || s == nil {
			got <- -1
			return
		}
		got <- s.Sequence
	}()
	f.append("dsw", received("C1", monday))
	if grown := <-got; grown <= now {
		t.Errorf("The sequence went from %d to %d", now, grown)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.ledger.Summary(ended, f.summary().Sequence, time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("With an ended context the error is %v", err)
	}
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

func TestVerifyNamesWhatDiffers(t *testing.T) {
	f := testFixture(t)
	f.append("dsw", received("C1", monday))
	err := f.store.Update(t.Context(), func(tx store.Tx) error {
		k := seriesKey("dsw", &complaint.Dimensions{Category: "flood", Department: "dpupr", Priority: "high"})
		if err := tx.AddFigures(t.Context(), []store.Figures{{Key: k.encode(), Values: values{seriesUnanswered: 4}}}); err != nil {
			return err
		}
		rows, err := tx.Cases(t.Context(), []complaint.CaseKey{{Channel: "dsw", CaseID: "C1"}})
		if err != nil {
			return err
		}
		rows[0].DueAt = time.Time{}
		return tx.PutCases(t.Context(), []store.Case{*rows[0]})
	})
	if err != nil {
		t.Fatal(err)
	}
	differences, err := Verify(t.Context(), f.store, nil)
	if err != nil || len(differences) != 2 {
		t.Fatalf("Verify found %v, error %v; want two differences", differences, err)
	}
	if text := differences[1].String(); !strings.Contains(text, "series/dsw/flood") || !strings.Contains(text, "[5 1 1 0 0]") && !strings.Contains(text, "[5 1 0 0 0]") {
		t.Errorf("The difference reads %q", text)
	}
}
