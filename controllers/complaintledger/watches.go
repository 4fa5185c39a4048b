package complaintledger

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/controllers/internal/index"
	"github.com/tanggap/tanggap/controllers/internal/names"
)

// bySecret reconciles the ledger that one of the operator's own Secrets belongs to, and those whose
// database's credentials are in a person's. The key of the pseudonyms has no owner, so the label says
// whose it is.
func (r *Reconciler) bySecret() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, secret client.Object) []reconcile.Request {
		labels := secret.GetLabels()
		if labels[names.ManagedByLabel] == names.ManagedBy && labels[names.ComponentLabel] == names.ComponentLedger {
			return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: secret.GetNamespace(), Name: labels[names.InstanceLabel]}}}
		}
		return r.ledgers(ctx, client.InNamespace(secret.GetNamespace()), client.MatchingFields{index.LedgerSecret: secret.GetName()})
	})
}

// byChannel reconciles the ledger of a channel; of one that moves, the old ledger and the new one.
func byChannel() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(_ context.Context, channel client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: index.Ledger(channel.(*v1alpha1.ComplaintChannel))}}
	})
}

// inNamespace reconciles the ledgers of an object's namespace, which may use it.
func (r *Reconciler) inNamespace() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []reconcile.Request {
		return r.ledgers(ctx, client.InNamespace(object.GetNamespace()))
	})
}

// ledgers are the requests for the ledgers that the options select.
func (r *Reconciler) ledgers(ctx context.Context, options ...client.ListOption) []reconcile.Request {
	var list v1alpha1.ComplaintLedgerList
	if err := r.Client.List(ctx, &list, append(options, client.UnsafeDisableDeepCopy)...); err != nil {
		log.FromContext(ctx).Error(err, "Failed to list the ledgers of a namespace")
		return nil
	}
	requests := make([]reconcile.Request, len(list.Items))
	for i := range list.Items {
		requests[i].NamespacedName = client.ObjectKeyFromObject(&list.Items[i])
	}
	return requests
}
