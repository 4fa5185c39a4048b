package ledger

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/mac"
)

func TestObservedThroughNeverMovesBackNorAheadOfNow(t *testing.T) {
	f := testFixture(t)
	want := func(at time.Time) {
		t.Helper()
		state, err := f.ledger.State(t.Context(), "dsw")
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
			Instance: instance, State: ledgerapi.SourceDisconnected, Reason: ledgerapi.ReasonUnauthorized, Rejected: rejected, Skipped: 2 * rejected,
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
	if c.Rejected != 7 || c.Skipped != 14 || c.Errors[ledgerapi.ReasonUnauthorized] != 10 || c.Errors[ledgerapi.ReasonInternal] != 2 {
		t.Errorf("The channel counts %d rejected, %d skipped and errors %v; want 7, 14, and 10 unauthorized", c.Rejected, c.Skipped, c.Errors)
	}
	if c.State != ledgerapi.SourceDisconnected || c.Reason != ledgerapi.ReasonUnauthorized || c.ReportedAt == nil {
		t.Errorf("The channel is %+v", c)
	}
}

// TestManyWorkersAreEachCountedOnce has as many replicas as a channel may have, and then lives that come and go.
func TestManyWorkersAreEachCountedOnce(t *testing.T) {
	const replicas = 32
	f := testFixture(t)
	report := func(instance int) {
		t.Helper()
		err := f.ledger.Report(t.Context(), "dsw", ledgerapi.Report{
			Instance: fmt.Sprint(instance), State: ledgerapi.SourceConnected, Reason: ledgerapi.ReasonConnected, Rejected: 1,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		for i := range replicas {
			report(i)
		}
		f.clock.move(10 * time.Second)
	}
	if got := f.summary().Channels["dsw"].Rejected; got != replicas {
		t.Errorf("%d are rejected, want one of each of %d workers", got, replicas)
	}
	remembered := func() int { return len(f.ledger.channels["dsw"].reported.Instances) }
	f.clock.move(silentFor)
	report(replicas)
	if n := remembered(); n > maxInstances {
		t.Errorf("%d lives are remembered once most are silent, want at most %d", n, maxInstances)
	}
	for i := range mostInstances + 10 {
		report(replicas + i)
	}
	if n := remembered(); n > mostInstances {
		t.Errorf("%d lives are remembered, want at most %d", n, mostInstances)
	}
}

// TestSeveralWorkersAreSummedUp has two replicas report in turn: what is shown must not change with whose turn it is.
func TestSeveralWorkersAreSummedUp(t *testing.T) {
	type says struct {
		state   ledgerapi.SourceState
		reason  ledgerapi.Reason
		success time.Duration // ago; 0 is never
		leaving bool
	}
	well := func(ago time.Duration) says {
		return says{state: ledgerapi.SourceConnected, reason: ledgerapi.ReasonConnected, success: ago}
	}
	left := says{state: ledgerapi.SourceConnected, reason: ledgerapi.ReasonConnected, success: time.Minute, leaving: true}
	nothing := says{state: ledgerapi.SourceUnknown, reason: ledgerapi.ReasonWaitingForFirst}
	junk := says{state: ledgerapi.SourceDisconnected, reason: ledgerapi.ReasonSignatureInvalid}
	odd := says{state: ledgerapi.SourceDisconnected, reason: ledgerapi.ReasonInvalidBody}
	broken := says{state: ledgerapi.SourceDisconnected, reason: ledgerapi.ReasonUnreachable}
	for name, tt := range map[string]struct {
		one, other says
		want       ledgerapi.Reason
	}{
		"nobody has delivered to one of them":           {well(time.Hour), nothing, ledgerapi.ReasonConnected},
		"nobody has delivered to either":                {nothing, nothing, ledgerapi.ReasonWaitingForFirst},
		"one got junk while the other works":            {junk, well(time.Minute), ledgerapi.ReasonConnected},
		"one got junk and the other nothing for long":   {junk, well(time.Hour), ledgerapi.ReasonSignatureInvalid},
		"one got junk and the other nothing at all":     {junk, nothing, ledgerapi.ReasonSignatureInvalid},
		"one cannot be reached while the other works":   {broken, well(time.Minute), ledgerapi.ReasonUnreachable},
		"both are at fault, a delivery says less":       {junk, broken, ledgerapi.ReasonUnreachable},
		"both got junk, the first by name tells of it":  {junk, odd, ledgerapi.ReasonSignatureInvalid},
		"one has left and the other is at fault":        {left, broken, ledgerapi.ReasonUnreachable},
		"one has left and nobody came to the other yet": {left, nothing, ledgerapi.ReasonWaitingForFirst},
	} {
		t.Run(name, func(t *testing.T) {
			f := testFixture(t)
			report := func(instance string, s says) {
				t.Helper()
				r := ledgerapi.Report{Instance: instance, State: s.state, Reason: s.reason, Leaving: s.leaving}
				if s.success != 0 {
					r.LastSuccessAt = new(f.clock.now().Add(-s.success))
				}
				if err := f.ledger.Report(t.Context(), "dsw", r); err != nil {
					t.Fatal(err)
				}
			}
			report("a", tt.one)
			for i := range 4 {
				f.clock.move(5 * time.Second)
				if i%2 == 0 {
					report("b", tt.other)
				} else {
					report("a", tt.one)
				}
				if got := f.summary().Channels["dsw"]; got.Reason != tt.want {
					t.Errorf("After report %d the source is %s, %s; want %s", i, got.State, got.Reason, tt.want)
				}
			}
			f.clock.move(heardFor + time.Second)
			report("b", tt.other)
			if got := f.summary().Channels["dsw"]; got.Reason != tt.other.reason {
				t.Errorf("Once the other is silent the source is %s, want %s", got.Reason, tt.other.reason)
			}
		})
	}
}

func TestAReportThatCannotBeCountedIsRefused(t *testing.T) {
	f := testFixture(t)
	report := func(r ledgerapi.Report) error {
		r.Instance, r.State, r.Reason = "a", ledgerapi.SourceConnected, ledgerapi.ReasonConnected
		return f.ledger.Report(t.Context(), "dsw", r)
	}
	for what, r := range map[string]ledgerapi.Report{
		"rejected below 0":  {Rejected: -5},
		"skipped below 0":   {Skipped: -1},
		"an error below 0":  {Errors: map[ledgerapi.Reason]int64{ledgerapi.ReasonTimeout: -1}},
		"too many rejected": {Rejected: math.MaxInt64},
		"too many errors":   {Errors: map[ledgerapi.Reason]int64{"made up": math.MaxInt64, "likewise": math.MaxInt64}},
	} {
		var refusal *RefusalError
		if err := report(r); !errors.As(err, &refusal) || refusal.Reason != Invalid {
			t.Errorf("A report with %s gives %v, want a refusal", what, err)
		}
	}
	if err := report(ledgerapi.Report{}); err != nil {
		t.Fatal(err)
	}
	if c := f.summary().Channels["dsw"]; c.Rejected != 0 || c.Skipped != 0 || len(c.Errors) != 0 {
		t.Errorf("The channel counts %d rejected, %d skipped and errors %v, want none", c.Rejected, c.Skipped, c.Errors)
	}
}

// TestTheLastSuccessIsNeverAheadOfNow has a worker whose clock was ahead: the age of the last success would be
// negative until then, and no alert would say that the source has none.
func TestTheLastSuccessIsNeverAheadOfNow(t *testing.T) {
	f := testFixture(t)
	report := func(success time.Time) {
		t.Helper()
		err := f.ledger.Report(t.Context(), "dsw", ledgerapi.Report{
			Instance: "a", State: ledgerapi.SourceConnected, Reason: ledgerapi.ReasonConnected, LastSuccessAt: &success,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	want := func(when string, at time.Time) {
		t.Helper()
		if got := f.summary().Channels["dsw"].LastSuccessAt; got == nil || !got.Equal(at) {
			t.Errorf("%s the last success is %v, want %v", when, got, at)
		}
	}
	report(monday.Add(365 * 24 * time.Hour))
	want("With a clock that is ahead", monday)
	f.clock.move(time.Hour)
	report(monday.Add(time.Minute))
	want("With a clock that was put right", monday.Add(time.Minute))
	report(monday)
	want("With an older report", monday.Add(time.Minute))
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

// byPhone is an event with a telephone number of its reporter.
func byPhone(e complaint.Event, phone string) complaint.Event {
	e.Reporter = &complaint.Reporter{Phone: phone}
	return e
}

func TestSpilloverIsCountedOnceACase(t *testing.T) {
	f := testFixture(t)
	f.clock.set(monday.Add(100 * time.Hour))
	f.append("dsw", byPhone(received("old", monday), "0812-3456-789"), byPhone(received("answered", monday), "0812-1111-111"), answered("answered", monday))
	f.append("sigap", byPhone(received("later", monday.Add(time.Hour)), "+62 812 3456 789"))
	f.append("wa",
		byPhone(received("spilled", monday.Add(2*time.Hour)), "628123456789"),
		byPhone(received("was answered", monday.Add(2*time.Hour)), "0812-1111-111"),
		byPhone(received("stranger", monday.Add(2*time.Hour)), "0899-9999-999"),
		byPhone(received("too late", monday.Add(75*time.Hour)), "628123456789"),
	)
	f.append("wa", event("spilled", "again", complaint.KindCitizenMessage, complaint.ActorCitizen, monday.Add(3*time.Hour)))
	f.wantSpillovers(map[string]int64{"dsw>sigap": 1, "sigap>wa": 1})
}

// wantSpillovers compares the counters of spill-overs, by "from>to".
func (f *fixture) wantSpillovers(want map[string]int64) {
	f.t.Helper()
	got := map[string]int64{}
	for _, s := range f.summary().Spillover {
		got[s.From+">"+s.To] = s.Count
	}
	if diff := cmp.Diff(want, got); diff != "" {
		f.t.Errorf("Spillovers (-want +got):\n%s", diff)
	}
	f.verify()
}

// TestSpilloverIsFoundFromACaseThatComesLate has messages come at once, and what the portal was told before only with
// its next reading.
func TestSpilloverIsFoundFromACaseThatComesLate(t *testing.T) {
	f := testFixture(t)
	f.clock.set(monday.Add(100 * time.Hour))
	f.append("wa",
		byPhone(received("waited", monday.Add(2*time.Hour)), "0812-1111-111"),
		byPhone(received("was answered", monday.Add(2*time.Hour)), "0812-2222-222"),
		byPhone(received("too late", monday.Add(75*time.Hour)), "0812-1111-111"),
		byPhone(received("before", monday.Add(-time.Hour)), "0812-1111-111"),
	)
	f.append("dsw",
		byPhone(received("W", monday), "+62 812 1111 111"),
		byPhone(received("A", monday), "+62 812 2222 222"), answered("A", monday.Add(time.Hour)),
	)
	f.append("sigap", byPhone(received("later than W", monday.Add(time.Hour)), "0812-1111-111"))
	f.wantSpillovers(map[string]int64{"dsw>sigap": 1, "dsw>wa": 1, "wa>dsw": 1})
}

// TestSpilloverIsToldByTheRulesInForce changes the policy so that a case begins whose older one, on a channel that
// the change comes to later, was only thanked by the rules before, and is answered by those in force.
func TestSpilloverIsToldByTheRulesInForce(t *testing.T) {
	f := testFixture(t)
	thanks := answered("W1", monday.Add(-30*time.Minute))
	thanks.Text = "terima kasih"
	f.append("wa", byPhone(received("W1", monday.Add(-time.Hour)), "0812-1111-111"), thanks, byPhone(received("W2", monday.Add(-time.Hour)), "0812-2222-222"))
	soon := monday.Add(time.Minute)
	f.append("sigap", byPhone(received("S1", soon), "0812-1111-111"), byPhone(received("S2", soon), "0812-2222-222"))
	withoutSigap, withoutPromise := policies()[2], policies()[4]
	f.policy(withoutSigap)
	f.advance()
	f.pass(10 * time.Minute)
	f.policy(withoutPromise)
	f.advance()
	f.wantSpillovers(map[string]int64{"wa>sigap": 1})
}

func TestSpilloverIsFoundByAnEarlierKey(t *testing.T) {
	f := testFixture(t)
	complain := func(channel, id string, at time.Time) {
		e := received(id, at)
		e.Reporter = &complaint.Reporter{Email: " Warga@Example.org"}
		f.append(channel, e)
	}
	complain("dsw", "C1", monday.Add(-time.Hour))
	f.names = &Pseudonyms{keys: []*mac.Key{pseudonymKey("a new key of the city"), f.names.keys[0]}}
	f.restart()
	complain("wa", "W1", monday)
	f.wantSpillovers(map[string]int64{"dsw>wa": 1})
}

// TestSpilloverIsFoundWhereACaseBeganByAnEarlierKey has a case whose first word came before the key was changed, and its
// complaint after another one by the new key.
func TestSpilloverIsFoundWhereACaseBeganByAnEarlierKey(t *testing.T) {
	f := testFixture(t)
	word := event("W1", "word", complaint.KindCitizenMessage, complaint.ActorCitizen, monday.Add(-2*time.Hour))
	f.append("wa", byPhone(word, "0812-1111-111"))
	f.names = &Pseudonyms{keys: []*mac.Key{pseudonymKey("a new key of the city"), f.names.keys[0]}}
	f.restart()
	f.append("dsw", byPhone(received("C1", monday.Add(-time.Hour)), "0812-1111-111"))
	f.append("wa", byPhone(received("W1", monday), "0812-1111-111"))
	f.wantSpillovers(map[string]int64{"dsw>wa": 1})
}
