package complaintchannel

import (
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/tanggap/tanggap/controllers/internal/index"
	"github.com/tanggap/tanggap/controllers/internal/names"
)

// mustWait reports whether a worker of another image has to be left as it is because its ledger is not of
// the operator's image yet: a ledger knows what older workers say, and not what newer ones may. A worker that
// is not to run at all waits for nothing.
func (r *Reconciler) mustWait(ctx context.Context, s *scope) (bool, error) {
	if s.deployment == nil || runs(&s.deployment.Spec.Template, r.Image) || s.worker.Replicas != nil && *s.worker.Replicas == 0 {
		return false, nil
	}
	ledger := index.Ledger(s.channel)
	key := types.NamespacedName{Namespace: ledger.Namespace, Name: names.Ledger(ledger.Name)}
	for _, workload := range []client.Object{&appsv1.StatefulSet{}, &appsv1.Deployment{}} {
		err := r.Client.Get(ctx, key, workload)
		if client.IgnoreNotFound(err) != nil {
			return false, fmt.Errorf("looking how far the ledger is: %w", err)
		}
		if err == nil && !isCurrent(workload, r.Image) {
			return true, nil
		}
	}
	return false, nil
}

// isCurrent reports whether no pod of a StatefulSet or Deployment is of another template, and that runs the image.
func isCurrent(workload client.Object, image string) bool {
	replaced := func(template *corev1.PodTemplateSpec, observed int64, pods, updated int32) bool {
		// The first template of all replaces nothing.
		seen := observed >= workload.GetGeneration() || workload.GetGeneration() == 1
		return runs(template, image) && seen && pods <= updated
	}
	switch w := workload.(type) {
	case *appsv1.StatefulSet:
		return replaced(&w.Spec.Template, w.Status.ObservedGeneration, w.Status.Replicas, w.Status.UpdatedReplicas)
	case *appsv1.Deployment:
		return replaced(&w.Spec.Template, w.Status.ObservedGeneration, w.Status.Replicas, w.Status.UpdatedReplicas)
	}
	return true
}

func runs(template *corev1.PodTemplateSpec, image string) bool {
	return slices.ContainsFunc(template.Spec.Containers, func(c corev1.Container) bool { return c.Image == image })
}

// becameCurrent lets through that the last pod of another version of a ledger has gone, and nothing else that
// happens to its workload.
func becameCurrent(image string) predicate.Predicate {
	isLedger := func(object client.Object) bool {
		return object.GetLabels()[names.ComponentLabel] == names.ComponentLedger
	}
	return predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			return isLedger(e.ObjectNew) && isCurrent(e.ObjectNew, image) && !isCurrent(e.ObjectOld, image)
		},
		DeleteFunc:  func(e event.DeleteEvent) bool { return isLedger(e.Object) },
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
}
