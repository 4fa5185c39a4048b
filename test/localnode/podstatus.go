package localnode

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// writeTimeout bounds one write to the API server.
const writeTimeout = 10 * time.Second

// namedView is what is known of one container.
type namedView struct {
	spec *corev1.Container
	containerView
}

// podView is everything that a Pod's status is made from.
type podView struct {
	podIP, hostIP string
	trouble       string
	now           metav1.Time
	previous      *corev1.PodStatus
	init          []namedView
	containers    []namedView
}

// podStatus tells what is known of a Pod, in the kubelet's terms.
func podStatus(pod *corev1.Pod, view podView) *corev1.PodStatus {
	status := &corev1.PodStatus{
		Phase:  phaseOf(pod, view),
		HostIP: view.hostIP, HostIPs: []corev1.HostIP{{IP: view.hostIP}},
		PodIP: view.podIP, PodIPs: []corev1.PodIP{{IP: view.podIP}},
		StartTime:             view.previous.StartTime,
		QOSClass:              view.previous.QOSClass,
		InitContainerStatuses: containerStatuses(view.init, view.trouble),
		ContainerStatuses:     containerStatuses(view.containers, view.trouble),
	}
	if status.StartTime == nil {
		status.StartTime = &view.now
	}
	status.Conditions = podConditions(pod, view)
	return status
}

func phaseOf(pod *corev1.Pod, view podView) corev1.PodPhase {
	for _, c := range view.init {
		if c.finished && c.failed {
			return corev1.PodFailed
		}
	}
	finished, failed, begun := 0, 0, false
	for _, c := range view.containers {
		if c.finished {
			finished++
		}
		if c.finished && c.failed {
			failed++
		}
		begun = begun || c.state.Running != nil || c.state.Terminated != nil || c.last.Terminated != nil
	}
	// A Pod whose containers are always restarted is over only when it is being deleted: if the node
	// stops, the next one runs it again.
	over := finished == len(view.containers) && (pod.Spec.RestartPolicy != corev1.RestartPolicyAlways || pod.DeletionTimestamp != nil)
	switch {
	case over && failed > 0:
		return corev1.PodFailed
	case over:
		return corev1.PodSucceeded
	case begun:
		return corev1.PodRunning
	}
	return corev1.PodPending
}

func containerStatuses(views []namedView, trouble string) []corev1.ContainerStatus {
	statuses := make([]corev1.ContainerStatus, 0, len(views))
	for _, view := range views {
		status := corev1.ContainerStatus{
			Name: view.spec.Name, Image: view.spec.Image, ImageID: view.spec.Image,
			State: *view.state.DeepCopy(), LastTerminationState: *view.last.DeepCopy(),
			RestartCount: view.restarts, Ready: view.ready, Started: &view.started,
		}
		if status.State.Terminated != nil {
			status.LastTerminationState = corev1.ContainerState{}
		}
		if status.State.Waiting != nil && trouble != "" && status.State.Waiting.Message == "" {
			status.State.Waiting.Message = trouble
		}
		statuses = append(statuses, status)
	}
	return statuses
}

func podConditions(pod *corev1.Pod, view podView) []corev1.PodCondition {
	var pendingInit, unready []string
	for _, c := range view.init {
		if !c.finished || c.failed {
			pendingInit = append(pendingInit, c.spec.Name)
		}
	}
	for _, c := range view.containers {
		if !c.ready {
			unready = append(unready, c.spec.Name)
		}
	}
	initialized := condition(corev1.PodInitialized, len(pendingInit) == 0, "ContainersNotInitialized", "containers with incomplete status: ", pendingInit)
	ready := condition(corev1.PodReady, len(unready) == 0, "ContainersNotReady", "containers with unready status: ", unready)
	containersReady := ready
	containersReady.Type = corev1.ContainersReady
	conditions := []corev1.PodCondition{
		{Type: corev1.PodScheduled, Status: corev1.ConditionTrue}, initialized, containersReady, ready,
	}
	for i := range conditions {
		c := &conditions[i]
		c.ObservedGeneration = pod.Generation
		c.LastTransitionTime = view.now
		for _, previous := range view.previous.Conditions {
			if previous.Type == c.Type && previous.Status == c.Status {
				c.LastTransitionTime = previous.LastTransitionTime
			}
		}
	}
	return conditions
}

func condition(kind corev1.PodConditionType, yes bool, reason, message string, names []string) corev1.PodCondition {
	if yes {
		return corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue}
	}
	return corev1.PodCondition{Type: kind, Status: corev1.ConditionFalse, Reason: reason, Message: message + "[" + strings.Join(names, " ") + "]"}
}

// statusWriter writes the status of one Pod when it has changed. It is used by one goroutine.
type statusWriter struct {
	client kubernetes.Interface
	last   *corev1.PodStatus // what the API server has
}

func (w *statusWriter) write(key types.NamespacedName, uid types.UID, status *corev1.PodStatus) error {
	if equality.Semantic.DeepEqual(w.last, status) {
		return nil
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": uid}, "status": status})
	if err != nil {
		return fmt.Errorf("rendering a Pod's status: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	_, err = w.client.CoreV1().Pods(key.Namespace).Patch(ctx, key.Name, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	// Not found, or the name is already another Pod's (the uid differs): nobody is left to tell.
	if ignoreNotFound(err) != nil && !apierrors.IsConflict(err) {
		return fmt.Errorf("patching a Pod's status: %w", err)
	}
	w.last = status
	return nil
}

func now() metav1.Time { return timestamp(time.Now()) }

// timestamp has the precision that the API keeps.
func timestamp(t time.Time) metav1.Time { return metav1.Time{Time: t.Truncate(time.Second)} }
