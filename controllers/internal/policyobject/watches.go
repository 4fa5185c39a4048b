package policyobject

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/controllers/internal/index"
)

// Changed passes what a new specification brings, and not what a status does.
func Changed() builder.Predicates {
	return builder.WithPredicates(predicate.GenerationChangedPredicate{})
}

// ByChannel reconciles what a channel refers to, before and after a change.
func ByChannel(referred func(*v1alpha1.ComplaintChannel) *v1alpha1.LocalReference) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(_ context.Context, object client.Object) []reconcile.Request {
		channel := object.(*v1alpha1.ComplaintChannel)
		reference := referred(channel)
		if reference == nil {
			return nil
		}
		return []reconcile.Request{{NamespacedName: client.ObjectKey{Namespace: channel.Namespace, Name: reference.Name}}}
	})
}

// SLAsByCalendar reconciles the SLAs that refer to a calendar.
func SLAsByCalendar(reader client.Reader) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, calendar client.Object) []reconcile.Request {
		requests, err := index.SLAs(ctx, reader, calendar.GetNamespace(), calendar.GetName())
		if err != nil {
			log.FromContext(ctx).Error(err, "Failed to find what refers to a calendar", "calendar", calendar.GetName())
		}
		return requests
	})
}
