// Package complaintchannel turns a ComplaintChannel into the worker that reads its source, and shows
// how the source fares.
package complaintchannel

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/controllers/internal/apply"
	"github.com/tanggap/tanggap/controllers/internal/conditions"
	"github.com/tanggap/tanggap/controllers/internal/index"
	"github.com/tanggap/tanggap/controllers/internal/judge"
	"github.com/tanggap/tanggap/controllers/internal/ledgers"
	"github.com/tanggap/tanggap/controllers/internal/secrets"
)

// +kubebuilder:rbac:groups=tanggap.dev,resources=complaintchannels,verbs=get;list;watch
// +kubebuilder:rbac:groups=tanggap.dev,resources=complaintchannels/status,verbs=patch
// +kubebuilder:rbac:groups=tanggap.dev,resources=responseslas;workcalendars;complainttaxonomies;complaintledgers,verbs=get;list;watch
// +kubebuilder:rbac:groups=apps,resources=deployments,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=apps,resources=statefulsets,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=services,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=serviceaccounts;configmaps,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups=networking.k8s.io,resources=networkpolicies,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;list;watch
// +kubebuilder:rbac:groups="";events.k8s.io,resources=events,verbs=create;patch

// retryRefused is when an object is applied again whose name is taken, or which a quota or an admission policy
// does not let in: nothing tells when somebody else's object is gone or their policy has changed.
const retryRefused = time.Minute

// concurrency is how many channels are reconciled at once.
const concurrency = 4

// Reconciler reconciles channels.
type Reconciler struct {
	// Client reads from the operator's cache and writes to the API server; Live reads from the API server.
	Client client.Client
	Live   client.Reader
	Judge  *judge.Judge
	// Ledgers is what is known of the channels at run time.
	Ledgers *ledgers.Set
	// Digests reads the Secrets that channels use, HashKeys the key that their values are hashed with.
	Digests  *secrets.Reader[secrets.Digests]
	HashKeys *secrets.Reader[[]byte]
	Recorder events.EventRecorder
	// Image that workers run.
	Image string
	Now   func() time.Time
}

// scope is what one pass over a channel gathers and decides.
type scope struct {
	channel    *v1alpha1.ComplaintChannel
	conditions *conditions.Set
	objects    *judge.Objects
	worker     *Worker

	// source and promise are the verdicts on what a worker needs and on what complaints are judged by.
	source, promise judge.Verdict
	// waiting is what the worker waits for that will come by itself; "" is nothing.
	waiting string
	// refused is why the API server did not take an object of the worker; retry says that it may take it
	// later, though nothing will tell when.
	refused string
	retry   bool
	// held says that the worker is left as it is until no older ledger answers it.
	held bool
	// deployment is the worker's as the cache knows it; nil is none.
	deployment *appsv1.Deployment
}

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	changed := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.ComplaintChannel{}, changed).
		Owns(&appsv1.Deployment{}).
		Owns(&corev1.Service{}).
		Owns(&corev1.ServiceAccount{}).
		Owns(&corev1.ConfigMap{}).
		Owns(&networkingv1.NetworkPolicy{}).
		WatchesMetadata(&corev1.Secret{}, r.channelsBy(index.ChannelSecret)).
		Watches(&v1alpha1.ComplaintLedger{}, r.channelsBy(index.ChannelLedger), changed).
		Watches(&appsv1.StatefulSet{}, r.channelsByWorkload(), builder.WithPredicates(becameCurrent(r.Image))).
		Watches(&appsv1.Deployment{}, r.channelsByWorkload(), builder.WithPredicates(becameCurrent(r.Image))).
		Watches(&v1alpha1.ComplaintTaxonomy{}, r.channelsBy(index.ChannelTaxonomy), changed).
		Watches(&v1alpha1.ResponseSLA{}, r.channelsBy(index.ChannelSLA), changed).
		Watches(&v1alpha1.WorkCalendar{}, r.channelsByCalendar(), changed).
		WatchesRawSource(r.Ledgers.Channels.Source()).
		WithOptions(controller.Options{MaxConcurrentReconciles: concurrency}).
		Complete(r)
}

// Reconcile implements reconcile.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	channel := &v1alpha1.ComplaintChannel{}
	if err := r.Client.Get(ctx, request.NamespacedName, channel); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !channel.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil // the worker's objects go with their owner
	}
	s := &scope{
		channel:    channel,
		objects:    judge.NewObjects(r.Client, channel.Namespace),
		conditions: conditions.New(channel.Generation, channel.Status.Conditions, metav1.NewTime(r.Now())),
		worker:     workerOf(channel, r.Image),
	}
	var failures []error
	for _, phase := range []struct {
		doing string
		run   func(context.Context, *scope) error
	}{
		{"finding the worker", r.findDeployment},
		{"judging the specification", r.judge},
		{"reading credentials", r.credentials},
		{"running the worker", r.run},
	} {
		if err := phase.run(ctx, s); err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", phase.doing, err))
			break // what follows builds on it
		}
	}
	failure := errors.Join(failures...)
	switch err := r.writeStatus(ctx, s, failure == nil && !s.held); {
	case errors.Is(err, apply.ErrStale):
		return ctrl.Result{RequeueAfter: apply.StaleRetry}, nil
	case err != nil: // what was refused for good is to be told all the same
		return ctrl.Result{}, errors.Join(failure, fmt.Errorf("writing the status: %w", err))
	}
	switch {
	case s.retry:
		return ctrl.Result{RequeueAfter: retryRefused}, nil // the condition tells of it
	case s.refused != "":
		return ctrl.Result{}, reconcile.TerminalError(failure)
	}
	return ctrl.Result{}, failure
}
