package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tanggap/tanggap/api/v1alpha1"
)

// town is a namespace of its own with a ledger.
type town struct {
	namespace string
	// values stand for ${name} in the manifests of testdata.
	values map[string]string
}

// newTown makes a namespace with the ledger and the promise of testdata/town.yaml, both new.
func newTown(t *testing.T, namespace string) *town {
	t.Helper()
	c := &town{namespace: namespace, values: map[string]string{"namespace": namespace}}
	c.removeAtTheEnd(t)
	c.apply(t, "town.yaml")
	return c
}

// removeAtTheEnd removes the channels and the ledger when the test ends, and then what the ledger has
// kept, so that the test can be run again.
func (c *town) removeAtTheEnd(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		// The test's own context has ended by now.
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := c.remove(ctx); err != nil {
			t.Errorf("removing %s: %v", c.namespace, err)
		}
	})
}

func (c *town) remove(ctx context.Context) error {
	here := client.InNamespace(c.namespace)
	for _, kind := range []client.Object{&v1alpha1.ComplaintChannel{}, &v1alpha1.ComplaintLedger{}, &appsv1.Deployment{}} {
		if err := world.Client.DeleteAllOf(ctx, kind, here); err != nil {
			return err
		}
	}
	for {
		pods, err := world.Node.Pods(c.namespace)
		if err != nil {
			return err
		}
		if len(pods) == 0 {
			return world.Client.DeleteAllOf(ctx, &corev1.PersistentVolumeClaim{}, here)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d Pods still run", len(pods))
		case <-time.After(glance):
		}
	}
}

// apply applies a manifest of testdata; further values are name, value, name, value ...
func (c *town) apply(t *testing.T, file string, values ...string) {
	t.Helper()
	if err := world.ApplyManifest(t.Context(), c.manifest(t, file, values...)); err != nil {
		t.Fatal(err)
	}
}

// manifest is a file of testdata with its values filled in.
func (c *town) manifest(t *testing.T, file string, values ...string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	return os.Expand(string(content), func(name string) string {
		for i := 0; i < len(values); i += 2 {
			if values[i] == name {
				return values[i+1]
			}
		}
		value, ok := c.values[name]
		if !ok {
			t.Fatalf("%s: nothing stands for ${%s}", file, name)
		}
		return value
	})
}

// secret makes or changes a Secret.
func (c *town) secret(t *testing.T, name string, keys map[string]string) {
	t.Helper()
	secret := &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: name}, StringData: keys,
	}
	err := world.Client.Create(t.Context(), secret)
	if client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	}
	if err == nil {
		return
	}
	current := &corev1.Secret{}
	if err := world.Client.Get(t.Context(), c.key(name), current); err != nil {
		t.Fatal(err)
	}
	before := client.MergeFrom(current.DeepCopy())
	current.StringData = keys
	if err := world.Client.Patch(t.Context(), current, before); err != nil {
		t.Fatal(err)
	}
}

func (c *town) key(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: c.namespace, Name: name}
}

func (c *town) channel(ctx context.Context, name string) (*v1alpha1.ComplaintChannel, error) {
	channel := &v1alpha1.ComplaintChannel{}
	return channel, world.Client.Get(ctx, c.key(name), channel)
}

// edit changes a channel's specification.
func (c *town) edit(t *testing.T, name string, change func(*v1alpha1.ComplaintChannelSpec)) {
	t.Helper()
	channel, err := c.channel(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	before := client.MergeFrom(channel.DeepCopy())
	change(&channel.Spec)
	if err := world.Client.Patch(t.Context(), channel, before); err != nil {
		t.Fatal(err)
	}
}

// awaitCondition waits until a channel's condition says that of the channel's current generation; an
// empty reason is any.
func (c *town) awaitCondition(t *testing.T, channel, condition string, status metav1.ConditionStatus, reason string) metav1.Condition {
	t.Helper()
	var found metav1.Condition
	eventually(t, time.Minute, fmt.Sprintf("the condition %s of %s is %s %s", condition, channel, status, reason), func(ctx context.Context) error {
		object, err := c.channel(ctx, channel)
		if err != nil {
			return err
		}
		current := meta.FindStatusCondition(object.Status.Conditions, condition)
		if current == nil {
			return fmt.Errorf("there is no condition %s", condition)
		}
		found = *current
		if current.Status != status || reason != "" && current.Reason != reason || current.ObservedGeneration != object.Generation {
			return fmt.Errorf("it is %s %s of generation %d: %s", current.Status, current.Reason, current.ObservedGeneration, current.Message)
		}
		return nil
	})
	return found
}

// awaitReady waits until channels are ready, and the sources of those that are polled connected.
func (c *town) awaitReady(t *testing.T, channels ...string) {
	t.Helper()
	for _, channel := range channels {
		c.awaitCondition(t, channel, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
		if object, err := c.channel(t.Context(), channel); err == nil && object.Spec.Source.Type != v1alpha1.SourceWebhook {
			c.awaitCondition(t, channel, v1alpha1.ConditionSourceConnected, metav1.ConditionTrue, "")
		}
	}
}

// pods lists the Pods of a channel's worker, or of the ledger.
func (c *town) pods(ctx context.Context, component, instance string) ([]corev1.Pod, error) {
	var pods corev1.PodList
	err := world.Client.List(ctx, &pods, client.InNamespace(c.namespace), client.MatchingLabels{
		"app.kubernetes.io/component": component, "app.kubernetes.io/instance": instance,
	})
	return pods.Items, err
}

// pod is the one Pod of a channel's worker, or of the ledger.
func (c *town) pod(t *testing.T, component, instance string) corev1.Pod {
	t.Helper()
	pods, err := c.pods(t.Context(), component, instance)
	if err != nil {
		t.Fatal(err)
	}
	if len(pods) != 1 {
		t.Fatalf("%d Pods run the %s %s, not 1", len(pods), component, instance)
	}
	return pods[0]
}

// restarts is how often the processes of a Pod were started again.
func restarts(pod corev1.Pod) int32 {
	var sum int32
	for _, status := range pod.Status.ContainerStatuses {
		sum += status.RestartCount
	}
	return sum
}
