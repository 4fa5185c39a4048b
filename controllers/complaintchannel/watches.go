package complaintchannel

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/tanggap/tanggap/controllers/internal/index"
	"github.com/tanggap/tanggap/controllers/internal/names"
)

// channelsBy reconciles the channels that refer to an object.
func (r *Reconciler) channelsBy(name string) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []reconcile.Request {
		return r.channels(ctx, object.GetNamespace(), name, object.GetName())
	})
}

// channelsByWorkload reconciles the channels of the ledger that a StatefulSet or Deployment runs.
func (r *Reconciler) channelsByWorkload() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []reconcile.Request {
		return r.channels(ctx, object.GetNamespace(), index.ChannelLedger, object.GetLabels()[names.InstanceLabel])
	})
}

// channelsByCalendar reconciles those that refer to a calendar, and those whose SLA does.
func (r *Reconciler) channelsByCalendar() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []reconcile.Request {
		requests := r.channels(ctx, object.GetNamespace(), index.ChannelCalendar, object.GetName())
		slas, err := index.SLAs(ctx, r.Client, object.GetNamespace(), object.GetName())
		if err != nil {
			log.FromContext(ctx).Error(err, "Failed to find what refers to a calendar", "calendar", object.GetName())
			return requests
		}
		for _, sla := range slas {
			requests = append(requests, r.channels(ctx, object.GetNamespace(), index.ChannelSLA, sla.Name)...)
		}
		return requests
	})
}

func (r *Reconciler) channels(ctx context.Context, namespace, name, value string) []reconcile.Request {
	requests, err := index.Channels(ctx, r.Client, namespace, name, value)
	if err != nil {
		log.FromContext(ctx).Error(err, "Failed to find the channels that refer to an object", "index", name, "name", value)
	}
	return requests
}
