package policyobject

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/controllers/internal/conditions"
	"github.com/tanggap/tanggap/controllers/internal/judge"
)

func TestDecideStatus(t *testing.T) {
	now := metav1.NewTime(time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC))
	good := judge.Verdict{Reason: v1alpha1.ReasonAccepted, Message: "fine"}
	bad := judge.Verdict{Reason: v1alpha1.ReasonInvalidExpression, Message: "line 1, column 1: no"}
	inForce := []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonReady, LastTransitionTime: now}}
	for sentence, c := range map[string]struct {
		verdict judge.Verdict
		reached standing
		before  v1alpha1.PolicyStatus
		ready   metav1.ConditionStatus
		reason  string
	}{
		"nobody uses it": {good, standing{}, v1alpha1.PolicyStatus{}, metav1.ConditionTrue, v1alpha1.ReasonReady},
		"every ledger that is to run it does": {
			good, standing{used: true}, v1alpha1.PolicyStatus{}, metav1.ConditionTrue, v1alpha1.ReasonReady,
		},
		"a ledger does not run it yet": {
			good, standing{used: true, pending: "ledger"}, v1alpha1.PolicyStatus{}, metav1.ConditionFalse, v1alpha1.ReasonPolicyPending,
		},
		"it is not accepted and an older form is in force": {
			bad, standing{used: true}, v1alpha1.PolicyStatus{}, metav1.ConditionFalse, v1alpha1.ReasonNotAccepted,
		},
		"it could not be judged": {
			judge.Verdict{}, standing{}, v1alpha1.PolicyStatus{}, metav1.ConditionUnknown, v1alpha1.ReasonPending,
		},
		"the operator has just started and it was in force": {
			good, standing{used: true, unheard: "ledger"}, v1alpha1.PolicyStatus{ObservedGeneration: 3, Conditions: inForce}, metav1.ConditionTrue, v1alpha1.ReasonReady,
		},
		"the operator has just started and it was changed meanwhile": {
			good, standing{used: true, unheard: "ledger"}, v1alpha1.PolicyStatus{ObservedGeneration: 2, Conditions: inForce}, metav1.ConditionFalse, v1alpha1.ReasonPolicyPending,
		},
		"the ledger was never heard of": {
			good, standing{used: true, unheard: "ledger"}, v1alpha1.PolicyStatus{}, metav1.ConditionFalse, v1alpha1.ReasonPolicyPending,
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			set := conditions.New(3, c.before.Conditions, now)
			decideStatus(&c.before, set, c.verdict, c.reached, 3, true)
			if got := set.Get(v1alpha1.ConditionReady); got.Status != c.ready || got.Reason != c.reason {
				t.Errorf("Ready is %s, %s, want %s, %s", got.Status, got.Reason, c.ready, c.reason)
			}
		})
	}

	t.Run("progress stays while the ledger is not heard of, and goes when there is none", func(t *testing.T) {
		before := v1alpha1.PolicyStatus{CasesRederived: new(int64(5)), CasesToRederive: new(int64(0))}
		for reached, want := range map[standing]bool{
			{used: true, unheard: "ledger"}:           true,
			{used: true}:                              false,
			{used: true, rederiving: true, done: 100}: true,
		} {
			after := decideStatus(&before, conditions.New(3, nil, now), good, reached, 3, true)
			if (after.CasesRederived != nil) != want {
				t.Errorf("%+v: progress is %v", reached, after.CasesRederived)
			}
		}
	})
}
