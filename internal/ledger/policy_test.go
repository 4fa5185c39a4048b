package ledger

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/policy"
	"github.com/tanggap/tanggap/internal/sla"
)

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
