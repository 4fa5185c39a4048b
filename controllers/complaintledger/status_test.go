package complaintledger

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/controllers/internal/conditions"
	"github.com/tanggap/tanggap/controllers/internal/ledgers"
)

func TestReady(t *testing.T) {
	stands := time.Date(2027, 11, 2, 3, 0, 0, 0, time.UTC)
	for sentence, c := range map[string]struct {
		trouble, reason string
		view            ledgers.LedgerView
		status          metav1.ConditionStatus
		message         string
	}{
		"a ledger that answers is ready":                {reason: v1alpha1.ReasonReady, view: ledgers.LedgerView{Connected: true}, status: "True"},
		"one that does not answer is not":               {reason: v1alpha1.ReasonLedgerUnavailable, view: ledgers.LedgerView{Problem: "It cannot be reached."}, status: "False"},
		"one whose time stands still says until when":   {reason: v1alpha1.ReasonTimeStandsStill, view: ledgers.LedgerView{Connected: true, StandsAt: stands}, status: "False", message: "2027-11-02T03:00:00Z"},
		"what keeps it from its policy is told instead": {trouble: "The policy is refused.", reason: v1alpha1.ReasonPolicyRefused, view: ledgers.LedgerView{Connected: true, StandsAt: stands}, status: "False"},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := &scope{ledger: &v1alpha1.ComplaintLedger{}, conditions: conditions.New(1, nil, metav1.Now()), trouble: c.trouble, troubleReason: v1alpha1.ReasonPolicyRefused}
			decideStatus(s, c.view, true, true)
			got := s.conditions.Get(v1alpha1.ConditionReady)
			if got == nil || got.Status != c.status || got.Reason != c.reason || !strings.Contains(got.Message, c.message) {
				t.Errorf("Ready is %+v, want %s, %s and %q in the message", got, c.status, c.reason, c.message)
			}
			if available := s.conditions.Get(v1alpha1.ConditionLedgerAvailable); (available.Status == "True") != c.view.Connected {
				t.Errorf("LedgerAvailable is %+v, and the ledger answers: %v", available, c.view.Connected)
			}
		})
	}
}
