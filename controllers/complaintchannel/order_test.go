package complaintchannel

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/tanggap/tanggap/controllers/internal/names"
)

func TestALedgerIsCurrentOnceNoPodOfItIsOfAnotherVersion(t *testing.T) {
	const latest, older = "tanggap:2", "tanggap:1"
	for sentence, c := range map[string]struct {
		image                string
		generation, observed int64
		pods, updated        int32
		want                 bool
	}{
		"a new ledger replaces nothing":                {latest, 1, 0, 0, 0, true},
		"one of the older template is not":             {older, 1, 1, 1, 1, false},
		"a template that was not looked at is not":     {latest, 2, 1, 1, 1, false},
		"a pod of the older template is left":          {latest, 2, 2, 2, 1, false},
		"all pods are of the latest template":          {latest, 2, 2, 2, 2, true},
		"the only pod has gone and the next comes":     {latest, 2, 2, 0, 0, true},
		"another change of a ledger that runs already": {latest, 3, 3, 1, 1, true},
	} {
		t.Run(sentence, func(t *testing.T) {
			meta := metav1.ObjectMeta{Generation: c.generation, Labels: names.Labels(names.ComponentLedger, "ledger")}
			template := corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Image: "mesh"}, {Image: c.image}}}}
			set := &appsv1.StatefulSet{ObjectMeta: meta, Spec: appsv1.StatefulSetSpec{Template: template},
				Status: appsv1.StatefulSetStatus{ObservedGeneration: c.observed, Replicas: c.pods, UpdatedReplicas: c.updated}}
			deployment := &appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{Template: template},
				Status: appsv1.DeploymentStatus{ObservedGeneration: c.observed, Replicas: c.pods, UpdatedReplicas: c.updated}}
			for _, workload := range []client.Object{set, deployment} {
				if got := isCurrent(workload, latest); got != c.want {
					t.Errorf("%T: it is %v, want %v", workload, got, c.want)
				}
			}
			// Only the step from not to is told.
			behind := set.DeepCopy()
			behind.Spec.Template.Spec.Containers[1].Image = older
			told := becameCurrent(latest)
			if got := told.Update(event.UpdateEvent{ObjectOld: behind, ObjectNew: set}); got != c.want {
				t.Errorf("the step is told: %v, want %v", got, c.want)
			}
			if told.Update(event.UpdateEvent{ObjectOld: set, ObjectNew: set}) {
				t.Error("no step is told")
			}
			worker := set.DeepCopy()
			worker.Labels = names.Labels(names.ComponentWorker, "ledger")
			if told.Update(event.UpdateEvent{ObjectOld: behind, ObjectNew: worker}) {
				t.Error("the step of a worker is told")
			}
		})
	}
}
