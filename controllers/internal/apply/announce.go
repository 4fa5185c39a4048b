package apply

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/controllers/internal/conditions"
)

// Announce tells of the conditions that have become true or false, one event each. Ready sums up others, and is
// told of only where a person has to act and no other condition says so; what has become unknown is no news by
// itself.
func Announce(recorder events.EventRecorder, object runtime.Object, set *conditions.Set) {
	for _, c := range set.Transitions() {
		if c.Type == v1alpha1.ConditionReady && !saidByReady(c.Reason) || c.Status == metav1.ConditionUnknown {
			continue
		}
		good := c.Status == metav1.ConditionTrue
		if c.Type == v1alpha1.ConditionUnauthenticated {
			good = !good
		}
		kind := corev1.EventTypeNormal
		if !good && c.Reason != v1alpha1.ReasonSuspended {
			kind = corev1.EventTypeWarning
		}
		recorder.Eventf(object, nil, kind, c.Reason, c.Type, "%s", c.Message)
	}
}

// saidByReady says that a reason is one of Ready alone, and one that wants a person.
func saidByReady(reason string) bool {
	switch reason {
	case v1alpha1.ReasonLedgerRefused, v1alpha1.ReasonPolicyRefused, v1alpha1.ReasonPseudonymKeyMissing, v1alpha1.ReasonTimeStandsStill:
		return true
	}
	return false
}
