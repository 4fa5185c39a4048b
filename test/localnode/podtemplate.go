package localnode

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
)

// templateHash names a version of a Pod template, in characters that a label and a name may have.
func templateHash(template *corev1.PodTemplateSpec) (string, error) {
	rendered, err := json.Marshal(template)
	if err != nil {
		return "", fmt.Errorf("rendering a Pod template: %w", err)
	}
	sum := sha256.Sum256(rendered)
	return rand.SafeEncodeString(fmt.Sprintf("%x", sum[:5])), nil
}

// podFromTemplate makes the Pod that a workload asks for, bound to the node.
func podFromTemplate(template *corev1.PodTemplateSpec, namespace, nodeName string, owner *metav1.OwnerReference, labels map[string]string) *corev1.Pod {
	template = template.DeepCopy()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       namespace,
			Labels:          maps.Clone(template.Labels),
			Annotations:     template.Annotations,
			Finalizers:      template.Finalizers,
			OwnerReferences: []metav1.OwnerReference{*owner},
		},
		Spec: template.Spec,
	}
	if pod.Labels == nil {
		pod.Labels = map[string]string{}
	}
	maps.Copy(pod.Labels, labels)
	pod.Spec.NodeName = nodeName
	// The admission plugin that would do this is off; a token can be bound to a Pod only if it is done.
	pod.Spec.ServiceAccountName = serviceAccountName(pod)
	return pod
}

func isReady(pod *corev1.Pod) bool {
	_, ready := readySince(pod)
	return ready
}

func readySince(pod *corev1.Pod) (time.Time, bool) {
	if pod.Status.Phase != corev1.PodRunning {
		return time.Time{}, false
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.LastTransitionTime.Time, c.Status == corev1.ConditionTrue
		}
	}
	return time.Time{}, false
}

// availableIn says how long it takes until a ready Pod counts as available: ready for minReadySeconds.
// The second result is false for a Pod that is not ready.
func availableIn(pod *corev1.Pod, minReadySeconds int32, now time.Time) (time.Duration, bool) {
	since, ready := readySince(pod)
	if !ready {
		return 0, false
	}
	if minReadySeconds == 0 {
		return 0, true
	}
	return max(0, since.Add(time.Duration(minReadySeconds)*time.Second).Sub(now)), true
}

func isAvailable(pod *corev1.Pod, minReadySeconds int32, now time.Time) bool {
	wait, ready := availableIn(pod, minReadySeconds, now)
	return ready && wait == 0
}

// nextAvailability is the shortest time until one of the Pods becomes available; zero when none will.
func nextAvailability(pods []*corev1.Pod, minReadySeconds int32, now time.Time) time.Duration {
	var next time.Duration
	for _, pod := range pods {
		if wait, ready := availableIn(pod, minReadySeconds, now); ready && wait > 0 && (next == 0 || wait < next) {
			next = wait
		}
	}
	return next
}
