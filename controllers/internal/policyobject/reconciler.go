// Package policyobject reconciles the kinds that make up the ledgers' policy: SLAs, calendars and
// taxonomies. Nothing is built for them; they are judged, handed to the ledgers by the ledgers' own
// controller, and their statuses say how far that has got.
package policyobject

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tanggap/tanggap/api/v1alpha1"
	apiac "github.com/tanggap/tanggap/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/tanggap/tanggap/controllers/internal/apply"
	"github.com/tanggap/tanggap/controllers/internal/conditions"
	"github.com/tanggap/tanggap/controllers/internal/judge"
	"github.com/tanggap/tanggap/controllers/internal/ledgers"
	"github.com/tanggap/tanggap/internal/policy"
)

// +kubebuilder:rbac:groups="";events.k8s.io,resources=events,verbs=create;patch

// Kind is what the kinds do not have in common.
type Kind[T client.Object] struct {
	// Of is the kind's place in a policy.
	Of ledgers.PolicyOf
	// New makes an empty object.
	New func() T
	// Judge judges an object.
	Judge func(ctx context.Context, objects *judge.Objects, object T) (judge.Verdict, error)
	// Status is the object's.
	Status func(object T) *v1alpha1.PolicyStatus
	// Ledgers are the names of the ledgers of the channels that use the object, by way of an SLA too.
	Ledgers func(ctx context.Context, object T) (map[string]bool, error)
	// InPolicy says whether a policy has an object of that name, and whether in the form it has now.
	InPolicy func(document *policy.Document, object T) (has, same bool)
	// Configuration is an apply configuration of the object's version with that status.
	Configuration func(object T, status *apiac.PolicyStatusApplyConfiguration) runtime.ApplyConfiguration
}

// Reconciler reconciles the objects of one kind.
type Reconciler[T client.Object] struct {
	Kind[T]
	Options
}

// Options are what a Reconciler needs from outside.
type Options struct {
	// Client reads from the operator's cache and writes to the API server.
	Client   client.Client
	Judge    *judge.Judge
	Set      *ledgers.Set
	Recorder events.EventRecorder
	Now      func() time.Time
}

// standing is how far an object has got on its way into the ledgers.
type standing struct {
	// used says that a ledger is to run it; pending names one that does not yet, unheard one that has not
	// been heard of since the operator started.
	used             bool
	pending, unheard string
	rederiving       bool
	done, toGo       int64
}

// Reconcile implements reconcile.Reconciler.
func (r *Reconciler[T]) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	object := r.New()
	if err := r.Client.Get(ctx, request.NamespacedName, object); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if object.GetDeletionTimestamp() != nil {
		return ctrl.Result{}, nil
	}
	objects := judge.NewObjects(r.Client, request.Namespace)
	verdict, judgeErr := r.Kind.Judge(ctx, objects, object)
	reached, reachErr := r.reached(ctx, objects, object)
	failure := errors.Join(judgeErr, reachErr)
	switch err := r.writeStatus(ctx, object, verdict, reached, failure == nil); {
	case errors.Is(err, apply.ErrStale):
		return ctrl.Result{RequeueAfter: apply.StaleRetry}, nil
	case err != nil:
		failure = errors.Join(failure, fmt.Errorf("writing the status: %w", err))
	}
	return ctrl.Result{}, failure
}

// reached finds out how far the object has got.
func (r *Reconciler[T]) reached(ctx context.Context, objects *judge.Objects, object T) (standing, error) {
	var s standing
	referring, err := r.Kind.Ledgers(ctx, object)
	if err != nil {
		return s, err
	}
	names := maps.Clone(referring)
	for _, key := range r.Set.InNamespace(object.GetNamespace()) {
		names[key.Name] = true // its policy may hold the object after the last channel has let go of it
	}
	for name := range names {
		ledger, err := objects.Ledger(ctx, name)
		if err != nil {
			return s, err
		}
		if ledger != nil {
			r.reachedLedger(&s, object, types.NamespacedName{Namespace: object.GetNamespace(), Name: name}, referring[name])
		}
	}
	return s, nil
}

func (r *Reconciler[T]) reachedLedger(s *standing, object T, key types.NamespacedName, referred bool) {
	wanted, applied := r.Set.Running(key)
	if wanted == nil {
		if referred {
			s.used, s.unheard = true, key.Name
		}
		return
	}
	if has, _ := r.InPolicy(wanted, object); !has {
		return
	}
	s.used = true
	switch {
	case applied != nil:
		if _, same := r.InPolicy(applied, object); !same {
			s.pending = key.Name
		}
	case r.heard(key):
		s.pending = key.Name
	default:
		s.unheard = key.Name
	}
	if view, ok := r.Set.Policy(r.Of, key, object.GetName()); ok && view.Rederiving {
		s.rederiving = true
		s.done += view.Done
		s.toGo += view.ToGo
	}
}

func (r *Reconciler[T]) heard(key types.NamespacedName) bool {
	_, heard := r.Set.Ledger(key)
	return heard
}

// writeStatus writes what the pass found, unless the status says it already.
func (r *Reconciler[T]) writeStatus(ctx context.Context, object T, verdict judge.Verdict, reached standing, complete bool) error {
	before := r.Status(object)
	set := conditions.New(object.GetGeneration(), before.Conditions, metav1.NewTime(r.Now()))
	after := decideStatus(before, set, verdict, reached, object.GetGeneration(), complete)
	if sameStatus(before, after) {
		return nil
	}
	status := apiac.PolicyStatus().WithConditions(conditions.Apply(after.Conditions)...)
	if after.ObservedGeneration != 0 {
		status.WithObservedGeneration(after.ObservedGeneration)
	}
	status.CasesRederived, status.CasesToRederive = after.CasesRederived, after.CasesToRederive
	if err := apply.Status(ctx, r.Client, r.Configuration(object, status)); err != nil {
		return err
	}
	apply.Announce(r.Recorder, object, set)
	return nil
}

// decideStatus is what the status should say after a pass.
func decideStatus(before *v1alpha1.PolicyStatus, set *conditions.Set, verdict judge.Verdict, reached standing, generation int64, complete bool) *v1alpha1.PolicyStatus {
	after := &v1alpha1.PolicyStatus{ObservedGeneration: before.ObservedGeneration}
	if complete {
		after.ObservedGeneration = generation
	}
	switch {
	case verdict.Reason == "":
		set.Unknown(v1alpha1.ConditionAccepted, v1alpha1.ReasonPending, "The specification could not be judged; the operator tries again.")
	case verdict.Accepted():
		set.True(v1alpha1.ConditionAccepted, verdict.Reason, verdict.Message)
	default:
		set.False(v1alpha1.ConditionAccepted, verdict.Reason, verdict.Message)
	}
	setReady(set, verdict, reached, before.ObservedGeneration == generation)
	after.Conditions = set.List()
	switch {
	case reached.rederiving:
		after.CasesRederived, after.CasesToRederive = new(reached.done), new(reached.toGo)
	case reached.unheard != "":
		after.CasesRederived, after.CasesToRederive = before.CasesRederived, before.CasesToRederive
	}
	return after
}

func setReady(set *conditions.Set, verdict judge.Verdict, reached standing, sameGeneration bool) {
	const condition = v1alpha1.ConditionReady
	before := set.Before(condition)
	switch {
	case verdict.Reason == "":
		set.Unknown(condition, v1alpha1.ReasonPending, "The specification could not be judged; the operator tries again.")
	case !verdict.Accepted() && reached.used:
		set.False(condition, v1alpha1.ReasonNotAccepted, "The specification is not accepted; the ledger goes on with the last one that was.")
	case !verdict.Accepted():
		set.False(condition, v1alpha1.ReasonNotAccepted, "The specification is not accepted; see the condition Accepted.")
	case reached.pending != "":
		set.False(condition, v1alpha1.ReasonPolicyPending, "The ledger "+reached.pending+" has not taken this specification over yet.")
	case reached.unheard != "" && before != nil && sameGeneration && before.Reason != v1alpha1.ReasonNotAccepted:
		set.Set(condition, before.Status, before.Reason, before.Message)
	case reached.unheard != "":
		set.False(condition, v1alpha1.ReasonPolicyPending, "The ledger "+reached.unheard+" has not taken this specification over yet.")
	case !reached.used:
		set.True(condition, v1alpha1.ReasonReady, "The specification is valid; no accepted channel uses it.")
	default:
		set.True(condition, v1alpha1.ReasonReady, "The specification is in force.")
	}
}

func sameStatus(a, b *v1alpha1.PolicyStatus) bool {
	left, right := *a, *b
	left.Conditions, right.Conditions = nil, nil
	return equality.Semantic.DeepEqual(left, right) && conditions.Same(a.Conditions, b.Conditions)
}

// Holds is InPolicy for a kind whose entries in a policy are given, and the object's pure form.
func Holds[S any](entries map[string]S, name string, spec S, err error) (has, same bool) {
	entry, has := entries[name]
	return has, has && err == nil && equality.Semantic.DeepEqual(entry, spec)
}
