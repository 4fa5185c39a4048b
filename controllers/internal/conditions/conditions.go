// Package conditions builds the conditions of an object anew on every pass, keeping the times at which
// they changed.
package conditions

import (
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
)

// maxMessage is how long a message may be, in bytes; the API allows 32 KiB, a person reads less.
const maxMessage = 1024

// Set collects the conditions of one pass. A condition that the pass does not set is gone afterwards.
type Set struct {
	generation int64
	now        metav1.Time
	before     []metav1.Condition
	list       []metav1.Condition
}

// New begins a pass over an object of that generation whose conditions were before.
func New(generation int64, before []metav1.Condition, now metav1.Time) *Set {
	return &Set{generation: generation, before: before, now: metav1.NewTime(now.Truncate(1e9))}
}

// Set sets one condition.
func (s *Set) Set(conditionType string, status metav1.ConditionStatus, reason, message string) {
	condition := metav1.Condition{
		Type: conditionType, Status: status, Reason: reason, Message: shorten(message),
		ObservedGeneration: s.generation, LastTransitionTime: s.now,
	}
	if old := meta.FindStatusCondition(s.before, conditionType); old != nil && old.Status == status {
		condition.LastTransitionTime = old.LastTransitionTime
	}
	meta.RemoveStatusCondition(&s.list, conditionType)
	s.list = append(s.list, condition)
}

// True sets a condition that holds, False one that does not, Unknown one of which nothing is known.
func (s *Set) True(conditionType, reason, message string) {
	s.Set(conditionType, metav1.ConditionTrue, reason, message)
}

// False sets a condition that does not hold.
func (s *Set) False(conditionType, reason, message string) {
	s.Set(conditionType, metav1.ConditionFalse, reason, message)
}

// Unknown sets a condition of which nothing is known.
func (s *Set) Unknown(conditionType, reason, message string) {
	s.Set(conditionType, metav1.ConditionUnknown, reason, message)
}

// Get is a condition of this pass; nil if it has not been set.
func (s *Set) Get(conditionType string) *metav1.Condition {
	return meta.FindStatusCondition(s.list, conditionType)
}

// Before is a condition as it was before this pass; nil if it was not there.
func (s *Set) Before(conditionType string) *metav1.Condition {
	return meta.FindStatusCondition(s.before, conditionType)
}

// List are the conditions of this pass in the order in which they were set.
func (s *Set) List() []metav1.Condition { return s.list }

// Transitions are the conditions whose status or reason is not what it was before this pass.
func (s *Set) Transitions() []metav1.Condition {
	var changed []metav1.Condition
	for _, condition := range s.list {
		old := s.Before(condition.Type)
		if old == nil || old.Status != condition.Status || old.Reason != condition.Reason {
			changed = append(changed, condition)
		}
	}
	return changed
}

// Apply is the list as apply configurations.
func Apply(list []metav1.Condition) []*metav1ac.ConditionApplyConfiguration {
	applied := make([]*metav1ac.ConditionApplyConfiguration, len(list))
	for i, c := range list {
		applied[i] = metav1ac.Condition().WithType(c.Type).WithStatus(c.Status).WithReason(c.Reason).WithMessage(c.Message).
			WithObservedGeneration(c.ObservedGeneration).WithLastTransitionTime(c.LastTransitionTime)
	}
	return applied
}

func shorten(message string) string {
	if len(message) <= maxMessage {
		return message
	}
	cut := maxMessage - len("…")
	for cut > 0 && !utf8.RuneStart(message[cut]) {
		cut--
	}
	return message[:cut] + "…"
}

// Same says that two lists hold the same conditions, in whatever order.
func Same(a, b []metav1.Condition) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		other := meta.FindStatusCondition(b, a[i].Type)
		if other == nil || !a[i].LastTransitionTime.Equal(&other.LastTransitionTime) {
			return false
		}
		left, right := a[i], *other
		left.LastTransitionTime, right.LastTransitionTime = metav1.Time{}, metav1.Time{}
		if left != right {
			return false
		}
	}
	return true
}
