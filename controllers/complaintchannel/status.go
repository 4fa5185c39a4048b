package complaintchannel

import (
	"context"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tanggap/tanggap/api/v1alpha1"
	apiac "github.com/tanggap/tanggap/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/tanggap/tanggap/controllers/internal/apply"
	"github.com/tanggap/tanggap/controllers/internal/conditions"
	"github.com/tanggap/tanggap/controllers/internal/index"
	"github.com/tanggap/tanggap/controllers/internal/ledgers"
	"github.com/tanggap/tanggap/controllers/internal/names"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// writeStatus writes what the pass found, unless the status says it already.
func (r *Reconciler) writeStatus(ctx context.Context, s *scope, complete bool) error {
	view, known := r.Ledgers.Channel(index.Ledger(s.channel), s.channel.Name)
	before := &s.channel.Status
	after := decideStatus(s, view, known, complete)
	if sameStatus(before, after) {
		return nil
	}
	status := apiac.ComplaintChannelStatus().WithConditions(conditions.Apply(after.Conditions)...)
	if after.ObservedGeneration != 0 {
		status.WithObservedGeneration(after.ObservedGeneration)
	}
	if after.Endpoint != "" {
		status.WithEndpoint(after.Endpoint)
	}
	status.Unanswered, status.Overdue = after.Unanswered, after.Overdue
	status.OldestUnansweredAt, status.LastEventAt = after.OldestUnansweredAt, after.LastEventAt
	err := apply.Status(ctx, r.Client, apiac.ComplaintChannel(s.channel.Name, s.channel.Namespace).
		WithResourceVersion(s.channel.ResourceVersion).WithStatus(status))
	if err != nil {
		return err
	}
	apply.Announce(r.Recorder, s.channel, s.conditions)
	return nil
}

// decideStatus is what the status should say after a pass.
func decideStatus(s *scope, view ledgers.ChannelView, known, complete bool) *v1alpha1.ComplaintChannelStatus {
	before := &s.channel.Status
	after := &v1alpha1.ComplaintChannelStatus{ObservedGeneration: before.ObservedGeneration, Endpoint: endpoint(s)}
	if complete {
		after.ObservedGeneration = s.channel.Generation
	}
	setAccepted(s)
	setWorkerAvailable(s)
	setSourceConnected(s, view, known)
	setUnauthenticated(s)
	setReady(s)
	after.Conditions = s.conditions.List()
	switch {
	case known && view.FiguresKnown:
		after.Unanswered, after.Overdue = new(view.Unanswered), new(view.Overdue)
		after.OldestUnansweredAt, after.LastEventAt = timestamp(view.OldestUnansweredAt), timestamp(view.LastEventAt)
	case !known && !s.rejected():
		// Not heard of since the operator started, or not yet in the ledger's policy: as it was.
		after.Unanswered, after.Overdue = before.Unanswered, before.Overdue
		after.OldestUnansweredAt, after.LastEventAt = before.OldestUnansweredAt, before.LastEventAt
	}
	return after
}

func setAccepted(s *scope) {
	verdict := s.source
	if verdict.Accepted() {
		verdict = s.promise
	}
	before := s.conditions.Before(v1alpha1.ConditionAccepted)
	switch {
	case verdict.Reason == "" && before != nil && before.ObservedGeneration == s.channel.Generation:
		// What was judged once has not become doubtful because the API server fails for a moment.
		s.conditions.Set(v1alpha1.ConditionAccepted, before.Status, before.Reason, before.Message)
	case verdict.Reason == "":
		s.conditions.Unknown(v1alpha1.ConditionAccepted, v1alpha1.ReasonPending, "The specification could not be judged; the operator tries again.")
	case verdict.Accepted():
		s.conditions.True(v1alpha1.ConditionAccepted, verdict.Reason, "The specification is valid and everything it refers to exists.")
	default:
		s.conditions.False(v1alpha1.ConditionAccepted, verdict.Reason, verdict.Message)
	}
}

// rejected says that the source is known to be at fault.
func (s *scope) rejected() bool { return s.source.Reason != "" && !s.source.Accepted() }

func setWorkerAvailable(s *scope) {
	const condition = v1alpha1.ConditionWorkerAvailable
	replicas := replicas(s.channel)
	switch {
	case replicas != nil && *replicas == 0 && s.channel.Spec.Suspend:
		s.conditions.False(condition, v1alpha1.ReasonSuspended, "The channel is suspended.")
	case replicas != nil && *replicas == 0:
		s.conditions.False(condition, v1alpha1.ReasonSuspended, "spec.worker.replicas is 0.")
	case s.refused != "":
		s.conditions.False(condition, v1alpha1.ReasonWorkerRefused, s.refused)
	case s.deployment == nil && s.waiting != "":
		s.conditions.False(condition, v1alpha1.ReasonLedgerUnavailable, s.waiting)
	case s.deployment == nil && (s.source.Reason == "" || s.promise.Reason == ""):
		s.conditions.Unknown(condition, v1alpha1.ReasonPending, "The specification could not be judged; the operator tries again.")
	case s.deployment == nil && !(s.source.Accepted() && s.promise.Accepted()):
		s.conditions.False(condition, v1alpha1.ReasonNotAccepted, "A worker starts once the specification is accepted.")
	case s.deployment == nil:
		s.conditions.False(condition, v1alpha1.ReasonDeploymentUnavailable, "The worker is being started.")
	default:
		available, message := deploymentAvailable(s.deployment)
		if s.held {
			message += " " + heldBack
		}
		if available {
			s.conditions.True(condition, v1alpha1.ReasonDeploymentAvailable, message)
		} else {
			s.conditions.False(condition, v1alpha1.ReasonDeploymentUnavailable, message)
		}
	}
}

// heldBack is added to the message of a worker that is left as it is.
const heldBack = "It is brought to the operator's version, and to the latest specification, once its ledger is of that version."

// deploymentAvailable sums up a Deployment's conditions.
func deploymentAvailable(deployment *appsv1.Deployment) (available bool, message string) {
	find := func(kind appsv1.DeploymentConditionType) *appsv1.DeploymentCondition {
		i := slices.IndexFunc(deployment.Status.Conditions, func(c appsv1.DeploymentCondition) bool { return c.Type == kind })
		if i < 0 {
			return nil
		}
		return &deployment.Status.Conditions[i]
	}
	if c := find(appsv1.DeploymentAvailable); c != nil && c.Status == corev1.ConditionTrue {
		return true, "The worker's Deployment is available."
	}
	if c := find(appsv1.DeploymentReplicaFailure); c != nil && c.Status == corev1.ConditionTrue {
		return false, "The worker's Deployment cannot make its pods: " + c.Message
	}
	// The Deployment does not say why: a volume that is not there, an image, a node that is full.
	return false, fmt.Sprintf("The worker's Deployment has too few ready pods; kubectl -n %s describe pods -l %s=%s,%s=%s says why.", deployment.Namespace,
		names.ComponentLabel, names.ComponentWorker, names.InstanceLabel, deployment.Labels[names.InstanceLabel])
}

func setSourceConnected(s *scope, view ledgers.ChannelView, known bool) {
	const condition = v1alpha1.ConditionSourceConnected
	replicas := replicas(s.channel)
	before := s.conditions.Before(condition)
	switch {
	case replicas != nil && *replicas == 0:
		s.conditions.Unknown(condition, v1alpha1.ReasonSuspended, "No worker is meant to run.")
	case !known && before != nil && !s.rejected():
		s.conditions.Set(condition, before.Status, before.Reason, before.Message)
	case !known:
		s.conditions.Unknown(condition, v1alpha1.ReasonNotReported, "No worker has reported yet.")
	case view.LedgerSilent:
		s.conditions.Unknown(condition, v1alpha1.ReasonLedgerUnavailable, "The ledger does not answer, so the worker's reports cannot be read.")
	case !view.Reported:
		s.conditions.Unknown(condition, v1alpha1.ReasonNotReported, "No worker has reported within the last two minutes.")
	default:
		s.conditions.Set(condition, connected(view.State), reasonOf(view.Reason), messageOf(view))
	}
}

func connected(state ledgerapi.SourceState) metav1.ConditionStatus {
	switch state {
	case ledgerapi.SourceConnected:
		return metav1.ConditionTrue
	case ledgerapi.SourceDisconnected:
		return metav1.ConditionFalse
	case ledgerapi.SourceUnknown:
	}
	return metav1.ConditionUnknown
}

// reasonOf keeps a condition valid whatever a worker reports.
func reasonOf(reason ledgerapi.Reason) string {
	if slices.Contains(ledgerapi.Reasons(), reason) {
		return string(reason)
	}
	return string(ledgerapi.ReasonInternal)
}

func messageOf(view ledgers.ChannelView) string {
	switch {
	case view.Message != "":
		return view.Message
	case view.State == ledgerapi.SourceConnected:
		return "The source is connected."
	case view.Reason == ledgerapi.ReasonWaitingForFirst:
		return "Nothing has been delivered yet."
	}
	return "The worker gives no message."
}

func setUnauthenticated(s *scope) {
	if !isPush(s.channel) {
		return
	}
	if webhook := s.channel.Spec.Source.Webhook; webhook != nil && webhook.Verification.Type == v1alpha1.VerificationNone {
		s.conditions.True(v1alpha1.ConditionUnauthenticated, v1alpha1.ReasonVerificationDisabled,
			"Anyone who can reach the endpoint can send complaints, as spec.source.webhook.verification.type is None.")
		return
	}
	s.conditions.False(v1alpha1.ConditionUnauthenticated, v1alpha1.ReasonVerificationEnabled, "The sender of every delivery is verified.")
}

// setReady sums up Accepted and WorkerAvailable. What happens to the source at run time is not in it.
func setReady(s *scope) {
	for _, part := range []string{v1alpha1.ConditionAccepted, v1alpha1.ConditionWorkerAvailable} {
		switch c := s.conditions.Get(part); {
		case c.Status == metav1.ConditionTrue:
		case part == v1alpha1.ConditionAccepted && c.Status == metav1.ConditionFalse:
			s.conditions.False(v1alpha1.ConditionReady, v1alpha1.ReasonNotAccepted, "The specification is not accepted; see the condition Accepted.")
			return
		default:
			s.conditions.Set(v1alpha1.ConditionReady, c.Status, c.Reason, c.Message)
			return
		}
	}
	s.conditions.True(v1alpha1.ConditionReady, v1alpha1.ReasonReady, "The channel is accepted and its worker is available.")
}

// endpoint is where a sender inside the cluster posts to; an Ingress or a Gateway leads there
// from outside.
func endpoint(s *scope) string {
	if !isPush(s.channel) {
		return ""
	}
	return "http://" + s.worker.Name + "." + s.worker.Namespace + ".svc/hooks/" + s.channel.Name
}

func timestamp(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return &metav1.Time{Time: t}
}

func sameStatus(a, b *v1alpha1.ComplaintChannelStatus) bool {
	left, right := *a, *b
	left.Conditions, right.Conditions = nil, nil
	return equality.Semantic.DeepEqual(left, right) && conditions.Same(a.Conditions, b.Conditions)
}
