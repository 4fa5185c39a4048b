package localnode

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// deploymentPlan is what brings a Deployment's Pods one step nearer to what it asks for.
type deploymentPlan struct {
	create int
	remove []*corev1.Pod
}

// planDeployment decides the next step from the Pods that are there, terminating ones included.
func planDeployment(d *appsv1.Deployment, pods []*corev1.Pod, hash string, now time.Time) deploymentPlan {
	current, old := splitByHash(live(pods), hash)
	desired := int(*d.Spec.Replicas)
	if d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType {
		if _, lingering := splitByHash(pods, hash); len(lingering) > 0 {
			return deploymentPlan{remove: old}
		}
		return scale(current, desired)
	}
	return roll(d, current, old, now)
}

// roll makes new Pods within the surge and removes old ones within what may be unavailable.
func roll(d *appsv1.Deployment, current, old []*corev1.Pod, now time.Time) deploymentPlan {
	desired := int(*d.Spec.Replicas)
	if len(old) == 0 || len(current) > desired {
		plan := scale(current, desired)
		if desired == 0 {
			plan.remove = append(plan.remove, old...)
		}
		return plan
	}
	surge, unavailable := rollingLimits(d)
	plan := deploymentPlan{create: max(0, min(desired-len(current), desired+surge-len(current)-len(old)))}
	minAvailable := desired - unavailable
	available := countAvailable(current, d.Spec.MinReadySeconds, now) + countAvailable(old, d.Spec.MinReadySeconds, now)
	newUnavailable := len(current) - countAvailable(current, d.Spec.MinReadySeconds, now)
	// Never go below minAvailable, counting on nothing of the new Pods that are not available yet.
	removable := len(current) + len(old) - minAvailable - newUnavailable
	for _, pod := range sortForRemoval(old) {
		if removable <= 0 {
			break
		}
		if isAvailable(pod, d.Spec.MinReadySeconds, now) {
			if available <= minAvailable {
				break
			}
			available--
		}
		plan.remove = append(plan.remove, pod)
		removable--
	}
	return plan
}

func scale(pods []*corev1.Pod, desired int) deploymentPlan {
	if len(pods) <= desired {
		return deploymentPlan{create: desired - len(pods)}
	}
	return deploymentPlan{remove: sortForRemoval(pods)[:len(pods)-desired]}
}

// sortForRemoval puts first what is missed least: what is not ready, then the youngest.
func sortForRemoval(pods []*corev1.Pod) []*corev1.Pod {
	sorted := slices.Clone(pods)
	slices.SortFunc(sorted, func(a, b *corev1.Pod) int {
		if readyA, readyB := isReady(a), isReady(b); readyA != readyB {
			if readyB {
				return -1
			}
			return 1
		}
		return cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	return sorted
}

func live(pods []*corev1.Pod) []*corev1.Pod {
	var living []*corev1.Pod
	for _, pod := range pods {
		if pod.DeletionTimestamp == nil && !isOver(pod) {
			living = append(living, pod)
		}
	}
	return living
}

func splitByHash(pods []*corev1.Pod, hash string) (current, old []*corev1.Pod) {
	for _, pod := range pods {
		if pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey] == hash {
			current = append(current, pod)
		} else {
			old = append(old, pod)
		}
	}
	return current, old
}

func countAvailable(pods []*corev1.Pod, minReadySeconds int32, now time.Time) int {
	count := 0
	for _, pod := range pods {
		if isAvailable(pod, minReadySeconds, now) {
			count++
		}
	}
	return count
}

// rollingLimits resolves maxSurge (rounded up) and maxUnavailable (rounded down); not both are zero.
func rollingLimits(d *appsv1.Deployment) (surge, unavailable int) {
	desired := int(*d.Spec.Replicas)
	if rolling := d.Spec.Strategy.RollingUpdate; rolling != nil {
		surge = resolve(rolling.MaxSurge, desired, true)
		unavailable = min(resolve(rolling.MaxUnavailable, desired, false), desired)
	}
	if surge == 0 && unavailable == 0 {
		unavailable = 1
	}
	return surge, unavailable
}

func resolve(value *intstr.IntOrString, total int, roundUp bool) int {
	if value == nil {
		return 0
	}
	resolved, err := intstr.GetScaledValueFromIntOrPercent(value, total, roundUp)
	if err != nil {
		return 0 // the API server accepts numbers and percentages only
	}
	return resolved
}

// deploymentStatus reports the Pods that are there. createError is why the latest creation failed.
func deploymentStatus(d *appsv1.Deployment, pods []*corev1.Pod, hash string, createError error, now time.Time) appsv1.DeploymentStatus {
	living := live(pods)
	current, _ := splitByHash(living, hash)
	desired := *d.Spec.Replicas
	status := appsv1.DeploymentStatus{
		ObservedGeneration: d.Generation,
		Replicas:           int32(len(living)),
		UpdatedReplicas:    int32(len(current)),
		AvailableReplicas:  int32(countAvailable(living, d.Spec.MinReadySeconds, now)),
		CollisionCount:     d.Status.CollisionCount,
		Conditions:         slices.Clone(d.Status.Conditions),
	}
	terminating := int32(len(pods) - len(living))
	status.TerminatingReplicas = &terminating
	for _, pod := range living {
		if isReady(pod) {
			status.ReadyReplicas++
		}
	}
	status.UnavailableReplicas = max(0, max(desired, status.Replicas)-status.AvailableReplicas)
	setAvailable(d, &status, now)
	setProgressing(d, &status, now)
	setReplicaFailure(&status, createError, now)
	return status
}

func setAvailable(d *appsv1.Deployment, status *appsv1.DeploymentStatus, now time.Time) {
	unavailable := 0
	if d.Spec.Strategy.Type != appsv1.RecreateDeploymentStrategyType && *d.Spec.Replicas > 0 {
		_, unavailable = rollingLimits(d)
	}
	c := appsv1.DeploymentCondition{
		Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue,
		Reason: "MinimumReplicasAvailable", Message: "Deployment has minimum availability.",
	}
	if status.AvailableReplicas < *d.Spec.Replicas-int32(unavailable) {
		c.Status, c.Reason, c.Message = corev1.ConditionFalse, "MinimumReplicasUnavailable", "Deployment does not have minimum availability."
	}
	setCondition(status, c, now, false)
}

const (
	reasonComplete = "NewReplicaSetAvailable"
	reasonUpdated  = "ReplicaSetUpdated"
	reasonLate     = "ProgressDeadlineExceeded"
)

// setProgressing follows the Deployment controller: complete, else progressing while something moves,
// else failed once the progress deadline has passed. Completion lasts until the next rollout.
func setProgressing(d *appsv1.Deployment, status *appsv1.DeploymentStatus, now time.Time) {
	desired := *d.Spec.Replicas
	before := findCondition(d.Status.Conditions, appsv1.DeploymentProgressing)
	rolledOut := status.UpdatedReplicas == desired && status.Replicas == desired
	c := appsv1.DeploymentCondition{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue}
	switch {
	case rolledOut && (status.AvailableReplicas == desired || before != nil && before.Reason == reasonComplete):
		c.Reason, c.Message = reasonComplete, fmt.Sprintf("Deployment %q has successfully progressed.", d.Name)
		setCondition(status, c, now, false)
	case before == nil || before.Reason == reasonComplete || moved(&d.Status, status):
		c.Reason, c.Message = reasonUpdated, fmt.Sprintf("Deployment %q is progressing.", d.Name)
		setCondition(status, c, now, true)
	case d.Spec.ProgressDeadlineSeconds != nil && progressDeadline(d) <= now.Sub(before.LastUpdateTime.Time):
		c.Status, c.Reason = corev1.ConditionFalse, reasonLate
		c.Message = fmt.Sprintf("Deployment %q has timed out progressing.", d.Name)
		setCondition(status, c, now, false)
	}
}

func progressDeadline(d *appsv1.Deployment) time.Duration {
	return time.Duration(*d.Spec.ProgressDeadlineSeconds) * time.Second
}

func moved(before, after *appsv1.DeploymentStatus) bool {
	return after.ObservedGeneration != before.ObservedGeneration ||
		after.UpdatedReplicas > before.UpdatedReplicas ||
		after.Replicas-after.UpdatedReplicas < before.Replicas-before.UpdatedReplicas ||
		after.ReadyReplicas > before.ReadyReplicas ||
		after.AvailableReplicas > before.AvailableReplicas
}

func setReplicaFailure(status *appsv1.DeploymentStatus, createError error, now time.Time) {
	if createError == nil {
		status.Conditions = slices.DeleteFunc(status.Conditions, func(c appsv1.DeploymentCondition) bool {
			return c.Type == appsv1.DeploymentReplicaFailure
		})
		return
	}
	if findCondition(status.Conditions, appsv1.DeploymentReplicaFailure) != nil {
		return // the first message stays: each one names another Pod, and each write would wake us again
	}
	setCondition(status, appsv1.DeploymentCondition{
		Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue,
		Reason: "FailedCreate", Message: createError.Error(),
	}, now, false)
}

// setCondition writes a condition; its times move when it changed, or when it is touched.
func setCondition(status *appsv1.DeploymentStatus, c appsv1.DeploymentCondition, now time.Time, touch bool) {
	c.LastUpdateTime, c.LastTransitionTime = timestamp(now), timestamp(now)
	if before := findCondition(status.Conditions, c.Type); before != nil {
		if before.Status == c.Status {
			c.LastTransitionTime = before.LastTransitionTime
			if before.Reason == c.Reason && !touch {
				c.LastUpdateTime = before.LastUpdateTime
			}
		}
		*before = c
		return
	}
	status.Conditions = append(status.Conditions, c)
}

func findCondition(conditions []appsv1.DeploymentCondition, kind appsv1.DeploymentConditionType) *appsv1.DeploymentCondition {
	for i := range conditions {
		if conditions[i].Type == kind {
			return &conditions[i]
		}
	}
	return nil
}

// recheckDeployment says when the status will change by the clock alone; zero means never.
func recheckDeployment(d *appsv1.Deployment, pods []*corev1.Pod, status appsv1.DeploymentStatus, now time.Time) time.Duration {
	next := nextAvailability(live(pods), d.Spec.MinReadySeconds, now)
	progressing := findCondition(status.Conditions, appsv1.DeploymentProgressing)
	if progressing != nil && progressing.Reason == reasonUpdated && d.Spec.ProgressDeadlineSeconds != nil {
		late := progressing.LastUpdateTime.Add(progressDeadline(d) + time.Second).Sub(now)
		if next == 0 || late < next {
			next = max(late, time.Millisecond)
		}
	}
	return next
}

// controllerOf makes the owner reference of a Pod to its workload.
func controllerOf(object metav1.Object, kind string) *metav1.OwnerReference {
	return metav1.NewControllerRef(object, appsv1.SchemeGroupVersion.WithKind(kind))
}
