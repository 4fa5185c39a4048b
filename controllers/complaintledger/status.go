package complaintledger

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/tanggap/tanggap/api/v1alpha1"
	apiac "github.com/tanggap/tanggap/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/tanggap/tanggap/controllers/internal/apply"
	"github.com/tanggap/tanggap/controllers/internal/conditions"
	"github.com/tanggap/tanggap/controllers/internal/ledgers"
)

// writeStatus writes what the pass found, unless the status says it already.
func (r *Reconciler) writeStatus(ctx context.Context, s *scope, complete bool) error {
	view, heard := r.Ledgers.Ledger(s.key)
	after := decideStatus(s, view, heard, complete)
	if sameStatus(&s.ledger.Status, after) {
		return nil
	}
	status := apiac.ComplaintLedgerStatus().WithConditions(conditions.Apply(after.Conditions)...)
	if after.ObservedGeneration != 0 {
		status.WithObservedGeneration(after.ObservedGeneration)
	}
	if after.PolicyRevision != "" {
		status.WithPolicyRevision(after.PolicyRevision)
	}
	status.Channels, status.Unanswered, status.Overdue = after.Channels, after.Unanswered, after.Overdue
	err := apply.Status(ctx, r.Client, apiac.ComplaintLedger(s.key.Name, s.key.Namespace).
		WithResourceVersion(s.ledger.ResourceVersion).WithStatus(status))
	if err != nil {
		return err
	}
	apply.Announce(r.Recorder, s.ledger, s.conditions)
	return nil
}

// decideStatus is what the status should say after a pass.
func decideStatus(s *scope, view ledgers.LedgerView, heard, complete bool) *v1alpha1.ComplaintLedgerStatus {
	before := &s.ledger.Status
	after := &v1alpha1.ComplaintLedgerStatus{
		ObservedGeneration: before.ObservedGeneration, PolicyRevision: before.PolicyRevision, Channels: before.Channels,
	}
	if complete {
		after.ObservedGeneration = s.ledger.Generation
		after.Channels = new(s.channels)
	}
	switch {
	case !heard: // not since the operator started: as it was
		after.Unanswered, after.Overdue = before.Unanswered, before.Overdue
	case view.Connected:
		after.PolicyRevision = view.Revision
		if view.FiguresKnown {
			after.Unanswered, after.Overdue = new(view.Unanswered), new(view.Overdue)
		}
	}
	if s.missing != "" {
		s.conditions.False(v1alpha1.ConditionAccepted, s.missingReason, s.missing)
	} else {
		s.conditions.True(v1alpha1.ConditionAccepted, v1alpha1.ReasonAccepted, "The specification is valid.")
	}
	setLedgerAvailable(s, view, heard)
	setReady(s, view)
	after.Conditions = s.conditions.List()
	return after
}

func setLedgerAvailable(s *scope, view ledgers.LedgerView, heard bool) {
	const condition = v1alpha1.ConditionLedgerAvailable
	before := s.conditions.Before(condition)
	switch {
	case heard && view.Connected:
		s.conditions.True(condition, v1alpha1.ReasonLedgerAvailable, "The ledger answers the operator.")
	case heard:
		s.conditions.False(condition, v1alpha1.ReasonLedgerUnavailable, view.Problem)
	case before != nil:
		s.conditions.Set(condition, before.Status, before.Reason, before.Message)
	default:
		s.conditions.Unknown(condition, v1alpha1.ReasonPending, "The ledger has not been read yet.")
	}
}

func setReady(s *scope, view ledgers.LedgerView) {
	available := s.conditions.Get(v1alpha1.ConditionLedgerAvailable)
	switch {
	case s.missing != "":
		s.conditions.False(v1alpha1.ConditionReady, v1alpha1.ReasonNotAccepted, s.missing)
	case s.refused != "":
		s.conditions.False(v1alpha1.ConditionReady, v1alpha1.ReasonLedgerRefused, s.refused)
	case s.trouble != "":
		s.conditions.False(v1alpha1.ConditionReady, s.troubleReason, s.trouble)
	case !view.StandsAt.IsZero():
		s.conditions.False(v1alpha1.ConditionReady, v1alpha1.ReasonTimeStandsStill, "Nothing becomes due until the clock of the ledger's node shows "+
			view.StandsAt.Format(time.RFC3339)+", at which the ledger has judged already: the clock is behind, or was ahead then.")
	case available.Status == "True":
		s.conditions.True(v1alpha1.ConditionReady, v1alpha1.ReasonReady, "The ledger is accepted and answers.")
	default:
		s.conditions.Set(v1alpha1.ConditionReady, available.Status, available.Reason, available.Message)
	}
}

func sameStatus(a, b *v1alpha1.ComplaintLedgerStatus) bool {
	left, right := *a, *b
	left.Conditions, right.Conditions = nil, nil
	return equality.Semantic.DeepEqual(left, right) && conditions.Same(a.Conditions, b.Conditions)
}
