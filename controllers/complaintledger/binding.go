package complaintledger

import (
	"context"
	"fmt"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/controllers/internal/apply"
	"github.com/tanggap/tanggap/controllers/internal/names"
)

// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=clusterrolebindings,resourceNames=tanggap-ledger-token-review,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=clusterroles,resourceNames=tanggap-ledger,verbs=bind

// bindingReconciler keeps the one ClusterRoleBinding that lets all ledgers review tokens.
type bindingReconciler struct {
	client client.Client
	live   client.Reader
	// namespaces are those that the operator looks after; none is all.
	namespaces []string
}

func setupBinding(mgr ctrl.Manager, c client.Client, live client.Reader, namespaces []string) error {
	one := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: names.TokenReviewBinding}}}
	})
	return ctrl.NewControllerManagedBy(mgr).
		Named("token-review-binding").
		Watches(&v1alpha1.ComplaintLedger{}, one, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&rbacv1.ClusterRoleBinding{}, one).
		Complete(&bindingReconciler{client: c, live: live, namespaces: namespaces})
}

// Reconcile implements reconcile.Reconciler.
func (r *bindingReconciler) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	var list v1alpha1.ComplaintLedgerList
	if err := r.client.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return ctrl.Result{}, fmt.Errorf("listing ledgers: %w", err)
	}
	var ledgers []types.NamespacedName
	for _, ledger := range standing[v1alpha1.ComplaintLedger](list.Items) {
		ledgers = append(ledgers, client.ObjectKeyFromObject(ledger))
	}
	others, err := r.others(ctx)
	if err != nil {
		return ctrl.Result{}, err
	}
	binding := buildTokenReviewBinding(append(ledgers, others...))
	return ctrl.Result{}, apply.Object(ctx, r.client, r.live, binding, &rbacv1.ClusterRoleBinding{})
}

// others are the ledgers that are bound in namespaces which other operators look after: with each having its own
// ledgers bound only, they would never come to rest.
func (r *bindingReconciler) others(ctx context.Context) ([]types.NamespacedName, error) {
	if len(r.namespaces) == 0 {
		return nil, nil
	}
	var binding rbacv1.ClusterRoleBinding
	if err := r.client.Get(ctx, types.NamespacedName{Name: names.TokenReviewBinding}, &binding); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	var ledgers []types.NamespacedName
	for _, subject := range binding.Subjects {
		if ledger, ok := names.LedgerOf(subject.Name); ok && !slices.Contains(r.namespaces, subject.Namespace) {
			ledgers = append(ledgers, types.NamespacedName{Namespace: subject.Namespace, Name: ledger})
		}
	}
	return ledgers, nil
}
