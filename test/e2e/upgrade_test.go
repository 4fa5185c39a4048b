package e2e

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// nextImage stands for the same program as the operator's image: that of the next version.
const nextImage = "ghcr.io/tanggap/tanggap:next"

// TestAnUpgradeUnderLoadLosesNothing changes the operator's image while complaints flow, and nothing else. It runs before the
// tests that share the operator.
func TestAnUpgradeUnderLoadLosesNothing(t *testing.T) {
	c := newTown(t, "upgrade")
	c.underLoad(t, func(f *traffic) {
		inOrder := c.watchOrder(t)
		started := time.Now()
		upgradeOperator(t)
		eventually(t, 2*patience, "operator, ledger and workers are of the next version", func(ctx context.Context) error {
			return errors.Join(runsNext(ctx, client.InNamespace("tanggap-system")), runsNext(ctx, client.InNamespace(c.namespace)))
		})
		inOrder()
		measured.note("upgrade: from the operator's new image to the last new worker", time.Since(started))
		f.awaitMore(t, 20)
		c.awaitReady(t, "portal", "hotline")
	})
}

// upgradeOperator does what `kustomize edit set image` does in config/manager.
func upgradeOperator(t *testing.T) {
	t.Helper()
	operator := &appsv1.Deployment{}
	if err := world.Client.Get(t.Context(), types.NamespacedName{Namespace: "tanggap-system", Name: "tanggap-operator"}, operator); err != nil {
		t.Fatal(err)
	}
	before := client.MergeFrom(operator.DeepCopy())
	container := &operator.Spec.Template.Spec.Containers[0]
	container.Image = nextImage
	for i := range container.Env {
		if container.Env[i].Name == "TANGGAP_IMAGE" {
			container.Env[i].Value = nextImage
		}
	}
	if err := world.Client.Patch(t.Context(), operator, before); err != nil {
		t.Fatal(err)
	}
}

// watchOrder follows the town's Pods until what it returns is called, which fails the test if a worker of the next version
// was there with a ledger of the one before.
func (c *town) watchOrder(t *testing.T) (check func()) {
	t.Helper()
	watching, stop := context.WithCancel(t.Context())
	pods, err := world.Client.Watch(watching, &corev1.PodList{}, client.InNamespace(c.namespace))
	if err != nil {
		stop()
		t.Fatal(err)
	}
	// images are those of the Pods that are there, by component and name.
	images := map[string]map[string]string{"worker": {}, "ledger": {}}
	var wrong []string
	done := make(chan struct{})
	go func() {
		defer close(done)
		for event := range pods.ResultChan() {
			pod, ok := event.Object.(*corev1.Pod)
			if !ok {
				continue
			}
			there := images[pod.Labels["app.kubernetes.io/component"]]
			if event.Type == watch.Deleted {
				delete(there, pod.Name)
			} else if there != nil {
				there[pod.Name] = pod.Spec.Containers[0].Image
			}
			for worker, image := range images["worker"] {
				for ledger, of := range images["ledger"] {
					if image == nextImage && of != nextImage {
						wrong = append(wrong, fmt.Sprintf("%s was there with %s of the version before", worker, ledger))
					}
				}
			}
		}
	}()
	return func() {
		t.Helper()
		stop()
		<-done
		if len(images["worker"]) == 0 || len(images["ledger"]) == 0 {
			t.Errorf("of the Pods %v were seen", images)
		}
		if len(wrong) > 0 {
			t.Error(wrong[0])
		}
	}
}

// runsNext is an error unless Pods run and are ready, all of the next version.
func runsNext(ctx context.Context, where client.InNamespace) error {
	var pods corev1.PodList
	if err := world.Client.List(ctx, &pods, where); err != nil {
		return err
	}
	if len(pods.Items) == 0 {
		return fmt.Errorf("%s has no Pods", where)
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		if image := pod.Spec.Containers[0].Image; image != nextImage {
			return fmt.Errorf("%s runs %s", pod.Name, image)
		}
		for _, status := range pod.Status.ContainerStatuses {
			if !status.Ready {
				return fmt.Errorf("%s is not ready", pod.Name)
			}
		}
		if len(pod.Status.ContainerStatuses) == 0 {
			return fmt.Errorf("%s does not run yet", pod.Name)
		}
	}
	return nil
}
