// Package complaintledger turns a ComplaintLedger into the process that keeps complaints, hands it the
// namespace's specifications as one policy, and shows how it fares.
package complaintledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/controllers/internal/apply"
	"github.com/tanggap/tanggap/controllers/internal/conditions"
	"github.com/tanggap/tanggap/controllers/internal/ledgers"
	"github.com/tanggap/tanggap/controllers/internal/pki"
	"github.com/tanggap/tanggap/controllers/internal/secrets"
)

// +kubebuilder:rbac:groups=tanggap.dev,resources=complaintledgers;complaintchannels;responseslas;workcalendars;complainttaxonomies,verbs=get;list;watch
// +kubebuilder:rbac:groups=tanggap.dev,resources=complaintledgers/status,verbs=patch
// +kubebuilder:rbac:groups=apps,resources=statefulsets;deployments,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups=policy,resources=poddisruptionbudgets,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups="",resources=services;serviceaccounts;configmaps,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups=networking.k8s.io,resources=networkpolicies,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups="";events.k8s.io,resources=events,verbs=create;patch

// Reconciler reconciles ledgers. Make it with NewReconciler.
type Reconciler struct {
	Options
	authorities *secrets.Reader[authority]
	servings    *secrets.Reader[serving]
	pseudonyms  *secrets.Reader[secrets.Digests]
	faults      *secrets.Reader[string]
	clients     *clients
	policies    *policies
}

// Options are what a Reconciler needs from outside.
type Options struct {
	// Client reads from the operator's cache and writes to the API server; Live reads from the API server.
	Client client.Client
	Live   client.Reader
	// Ledgers keeps the connections to the ledgers.
	Ledgers  *ledgers.Set
	Recorder events.EventRecorder
	// Image that ledgers run.
	Image string
	// Namespace is the operator's own, from which it may reach the ledgers.
	Namespace string
	// Namespaces are those that the operator looks after; none is all.
	Namespaces []string
	Now        func() time.Time
}

// NewReconciler makes a Reconciler.
func NewReconciler(options Options) *Reconciler {
	return &Reconciler{
		Options:     options,
		authorities: secrets.NewReader[authority](options.Client, options.Live),
		servings:    secrets.NewReader[serving](options.Client, options.Live),
		pseudonyms:  secrets.NewReader[secrets.Digests](options.Client, options.Live),
		faults:      secrets.NewReader[string](options.Client, options.Live),
		clients:     newClients(options.Now),
		policies:    newPolicies(),
	}
}

// scope is what one pass over a ledger gathers and decides.
type scope struct {
	ledger     *v1alpha1.ComplaintLedger
	key        types.NamespacedName
	conditions *conditions.Set

	authorities pki.Authorities
	// hashKey is what values of Secrets are hashed with, pseudonymHash such a hash of the pseudonym key; ""
	// while that is missing.
	hashKey       []byte
	pseudonymHash string
	// databaseHash is a hash of the credentials of the database; "" while one is missing or cannot be used,
	// which missing then says in a sentence, and missingReason as a reason.
	databaseHash, missing, missingReason string
	// again is when a certificate or a refused policy has to be looked at again.
	again time.Time
	// refused is why the API server did not take an object of the ledger; "" is that it took all.
	refused string
	// trouble is why the ledger cannot be ready, with its reason; "" is nothing.
	trouble, troubleReason string
	channels               int32
}

// lookAgain has the next pass at an instant at the latest.
func (s *scope) lookAgain(at time.Time) {
	if s.again.IsZero() || at.Before(s.again) {
		s.again = at
	}
}

// SetupWithManager registers the controller, and the one of the binding that all ledgers share.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	changed := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	err := ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.ComplaintLedger{}, changed).
		Owns(&appsv1.StatefulSet{}).
		Owns(&appsv1.Deployment{}).
		Owns(&policyv1.PodDisruptionBudget{}).
		Owns(&corev1.Service{}).
		Owns(&corev1.ServiceAccount{}).
		Owns(&corev1.ConfigMap{}).
		Owns(&networkingv1.NetworkPolicy{}).
		WatchesMetadata(&corev1.Secret{}, r.bySecret()).
		Watches(&v1alpha1.ComplaintChannel{}, byChannel(), changed).
		Watches(&v1alpha1.ResponseSLA{}, r.inNamespace(), changed).
		Watches(&v1alpha1.WorkCalendar{}, r.inNamespace(), changed).
		Watches(&v1alpha1.ComplaintTaxonomy{}, r.inNamespace(), changed).
		WatchesRawSource(r.Ledgers.Ledgers.Source()).
		Complete(r)
	if err != nil {
		return err
	}
	return setupBinding(mgr, r.Client, r.Live, r.Namespaces)
}

// Reconcile implements reconcile.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	ledger := &v1alpha1.ComplaintLedger{}
	err := r.Client.Get(ctx, request.NamespacedName, ledger)
	if apierrors.IsNotFound(err) || err == nil && !ledger.DeletionTimestamp.IsZero() {
		r.forget(request.NamespacedName)
		return ctrl.Result{}, nil // its objects go with their owner; its volume and its key stay
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	s := &scope{
		ledger:     ledger,
		key:        request.NamespacedName,
		conditions: conditions.New(ledger.Generation, ledger.Status.Conditions, metav1.NewTime(r.Now())),
	}
	var failure error
	for _, phase := range []struct {
		doing string
		run   func(context.Context, *scope) error
	}{
		{"keeping the certificate authority", r.keepAuthority},
		{"keeping the server certificate", r.keepServing},
		{"keeping the pseudonym key", r.keepPseudonymKey},
		{"reading the database's credentials", r.readCredentials},
		{"running the ledger", r.run},
		{"connecting to the ledger", r.connect},
		{"handing over the policy", r.handOverPolicy},
	} {
		if err := phase.run(ctx, s); err != nil {
			if err := r.unlessRefused(s, err); err != nil {
				failure = fmt.Errorf("%s: %w", phase.doing, err)
			}
			break // what follows builds on it
		}
	}
	switch err := r.writeStatus(ctx, s, failure == nil && s.refused == ""); {
	case errors.Is(err, apply.ErrStale):
		return ctrl.Result{RequeueAfter: apply.StaleRetry}, nil
	case err != nil:
		failure = errors.Join(failure, fmt.Errorf("writing the status: %w", err))
	}
	if failure != nil || s.again.IsZero() {
		return ctrl.Result{}, failure
	}
	return ctrl.Result{RequeueAfter: max(s.again.Sub(r.Now()), time.Second)}, nil
}

func (r *Reconciler) forget(key types.NamespacedName) {
	r.Ledgers.Forget(key)
	r.clients.forget(key)
	r.policies.forget(key)
}
