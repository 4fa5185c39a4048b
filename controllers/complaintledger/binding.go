package complaintledger

import (
	"cmp"
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
type bindingReconciler struct{ client client.Client }

func setupBinding(mgr ctrl.Manager, c client.Client) error {
	one := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: names.TokenReviewBinding}}}
	})
	return ctrl.NewControllerManagedBy(mgr).
		Named("token-review-binding").
		Watches(&v1alpha1.ComplaintLedger{}, one, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&rbacv1.ClusterRoleBinding{}, one).
		Complete(&bindingReconciler{client: c})
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
	slices.SortFunc(ledgers, func(a, b types.NamespacedName) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return ctrl.Result{}, apply.Object(ctx, r.client, buildTokenReviewBinding(ledgers), &rbacv1.ClusterRoleBinding{})
}
