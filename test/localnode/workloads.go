package localnode

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/workqueue"
)

// workload names an object that the node works on.
type workload struct {
	kind string
	key  types.NamespacedName
}

const (
	kindDeployment  = "Deployment"
	kindStatefulSet = "StatefulSet"
	kindClaim       = "PersistentVolumeClaim"
)

// workloads makes the Pods that Deployments and StatefulSets ask for. It reads the API server and not
// a cache before it decides, so that it never makes a Pod twice.
type workloads struct {
	client   kubernetes.Interface
	nodeName string
	claims   *claims
	queue    workqueue.TypedRateLimitingInterface[workload]
}

func newQueue() workqueue.TypedRateLimitingInterface[workload] {
	return workqueue.NewTypedRateLimitingQueue(
		workqueue.NewTypedItemExponentialFailureRateLimiter[workload](20*time.Millisecond, 2*time.Second))
}

// observePod wakes the owner of a Pod, and the claims that it mounts.
func (w *workloads) observePod(pod *corev1.Pod) {
	if owner := metav1.GetControllerOf(pod); owner != nil && (owner.Kind == kindDeployment || owner.Kind == kindStatefulSet) {
		w.queue.Add(workload{owner.Kind, types.NamespacedName{Namespace: pod.Namespace, Name: owner.Name}})
	}
	for _, claim := range claimsOf(pod) {
		w.queue.Add(workload{kindClaim, types.NamespacedName{Namespace: pod.Namespace, Name: claim}})
	}
}

// run works off the queue until it is shut down.
func (w *workloads) run(ctx context.Context, failed func(workload, error)) {
	for {
		item, shutdown := w.queue.Get()
		if shutdown {
			return
		}
		again, err := w.reconcile(ctx, item)
		switch {
		case err != nil && ctx.Err() == nil:
			if !apierrors.IsConflict(err) {
				failed(item, err)
			}
			w.queue.AddRateLimited(item)
		default:
			w.queue.Forget(item)
			if again > 0 {
				w.queue.AddAfter(item, again)
			}
		}
		w.queue.Done(item)
	}
}

func (w *workloads) reconcile(ctx context.Context, item workload) (again time.Duration, err error) {
	switch item.kind {
	case kindDeployment:
		return w.reconcileDeployment(ctx, item.key)
	case kindStatefulSet:
		return w.reconcileStatefulSet(ctx, item.key)
	default:
		return 0, w.claims.reconcile(ctx, item.key)
	}
}

func (w *workloads) reconcileDeployment(ctx context.Context, key types.NamespacedName) (time.Duration, error) {
	d, err := w.client.AppsV1().Deployments(key.Namespace).Get(ctx, key.Name, metav1.GetOptions{})
	if err != nil {
		return 0, ignoreNotFound(err)
	}
	hash, err := templateHash(&d.Spec.Template)
	if err != nil {
		return 0, err
	}
	pods, err := w.podsOf(ctx, d, d.Spec.Selector)
	if err != nil {
		return 0, err
	}
	var createErr, removeErr error
	if d.DeletionTimestamp == nil {
		plan := planDeployment(d, pods, hash, time.Now())
		createErr = w.createPods(ctx, plan.create, func() *corev1.Pod {
			pod := podFromTemplate(&d.Spec.Template, d.Namespace, w.nodeName, controllerOf(d, kindDeployment),
				map[string]string{appsv1.DefaultDeploymentUniqueLabelKey: hash})
			pod.GenerateName = d.Name + "-" + hash + "-"
			return pod
		})
		removeErr = w.removePods(ctx, plan.remove)
		if pods, err = w.podsOf(ctx, d, d.Spec.Selector); err != nil {
			return 0, errors.Join(createErr, removeErr, err)
		}
	}
	now := time.Now()
	status := deploymentStatus(d, pods, hash, createErr, now)
	if !equality.Semantic.DeepEqual(d.Status, status) {
		again := recheckDeployment(d, pods, status, now)
		d.Status = status
		_, err = w.client.AppsV1().Deployments(key.Namespace).UpdateStatus(ctx, d, metav1.UpdateOptions{})
		return again, errors.Join(createErr, removeErr, ignoreNotFound(err))
	}
	return recheckDeployment(d, pods, status, now), errors.Join(createErr, removeErr)
}

func (w *workloads) reconcileStatefulSet(ctx context.Context, key types.NamespacedName) (time.Duration, error) {
	set, err := w.client.AppsV1().StatefulSets(key.Namespace).Get(ctx, key.Name, metav1.GetOptions{})
	if err != nil {
		return 0, ignoreNotFound(err)
	}
	hash, err := templateHash(&set.Spec.Template)
	if err != nil {
		return 0, err
	}
	pods, err := w.podsOf(ctx, set, set.Spec.Selector)
	if err != nil {
		return 0, err
	}
	var stepErr error
	if set.DeletionTimestamp == nil {
		plan := planStatefulSet(set, pods, hash, time.Now())
		for _, ordinal := range plan.create {
			stepErr = errors.Join(stepErr, w.createOrdinal(ctx, set, ordinal, hash))
		}
		stepErr = errors.Join(stepErr, w.removePods(ctx, plan.remove))
		if pods, err = w.podsOf(ctx, set, set.Spec.Selector); err != nil {
			return 0, errors.Join(stepErr, err)
		}
	}
	now := time.Now()
	again := nextAvailability(pods, set.Spec.MinReadySeconds, now)
	status := statefulSetStatus(set, pods, hash, now)
	if equality.Semantic.DeepEqual(set.Status, status) {
		return again, stepErr
	}
	set.Status = status
	_, err = w.client.AppsV1().StatefulSets(key.Namespace).UpdateStatus(ctx, set, metav1.UpdateOptions{})
	return again, errors.Join(stepErr, ignoreNotFound(err))
}

// podsOf lists the Pods that a workload controls.
func (w *workloads) podsOf(ctx context.Context, owner metav1.Object, selector *metav1.LabelSelector) ([]*corev1.Pod, error) {
	list, err := w.client.CoreV1().Pods(owner.GetNamespace()).List(ctx, metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(selector)})
	if err != nil {
		return nil, fmt.Errorf("listing Pods: %w", err)
	}
	var pods []*corev1.Pod
	for i := range list.Items {
		if metav1.IsControlledBy(&list.Items[i], owner) {
			pods = append(pods, &list.Items[i])
		}
	}
	return pods, nil
}

func (w *workloads) createPods(ctx context.Context, count int, newPod func() *corev1.Pod) error {
	for range count {
		pod := newPod()
		if _, err := w.client.CoreV1().Pods(pod.Namespace).Create(ctx, pod, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("creating a Pod: %w", err)
		}
	}
	return nil
}

func (w *workloads) createOrdinal(ctx context.Context, set *appsv1.StatefulSet, ordinal int, hash string) error {
	for _, claim := range claimsOfStatefulSet(set, ordinal) {
		_, err := w.client.CoreV1().PersistentVolumeClaims(claim.Namespace).Create(ctx, claim, metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("creating a claim: %w", err)
		}
	}
	return w.createPods(ctx, 1, func() *corev1.Pod { return podOfStatefulSet(set, ordinal, hash, w.nodeName) })
}

func (w *workloads) removePods(ctx context.Context, pods []*corev1.Pod) error {
	var errs []error
	for _, pod := range pods {
		err := w.client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{
			Preconditions: &metav1.Preconditions{UID: &pod.UID},
		})
		if ignoreNotFound(err) != nil && !apierrors.IsConflict(err) {
			errs = append(errs, fmt.Errorf("deleting a Pod: %w", err))
		}
	}
	return errors.Join(errs...)
}
