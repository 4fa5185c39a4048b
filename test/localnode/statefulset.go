package localnode

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// statefulSetPlan is what brings a StatefulSet's Pods one step nearer to what it asks for.
type statefulSetPlan struct {
	create []int // ordinals
	remove []*corev1.Pod
}

// planStatefulSet decides the next step, with the StatefulSet controller's rules: in order, unless the
// Pods are managed in parallel, each Pod waits for its predecessors to be available, and a Pod that
// never gets ready holds up everything after it, a repaired template included. Unlike there, a missing
// Pod is always made from the newest template.
func planStatefulSet(set *appsv1.StatefulSet, pods []*corev1.Pod, hash string, now time.Time) statefulSetPlan {
	ordered := set.Spec.PodManagementPolicy != appsv1.ParallelPodManagement
	replicas, condemned := splitByOrdinal(set, pods)
	plan := statefulSetPlan{}
	for i, pod := range replicas {
		switch {
		case pod == nil:
			plan.create = append(plan.create, startOrdinal(set)+i)
		case isOver(pod) && pod.DeletionTimestamp == nil:
			plan.remove = append(plan.remove, pod)
		case pod.DeletionTimestamp == nil && isAvailable(pod, set.Spec.MinReadySeconds, now):
			continue
		}
		if ordered {
			return plan
		}
	}
	if plan.scaleDown(set, replicas, condemned, ordered, now) || set.Spec.UpdateStrategy.Type == appsv1.OnDeleteStatefulSetStrategyType {
		return plan
	}
	if outdated := nextOutdated(set, replicas, hash, now); outdated != nil {
		plan.remove = append(plan.remove, outdated)
	}
	return plan
}

// scaleDown removes the Pods beyond the replicas, the highest ordinal first, and says whether it holds
// up the rest.
func (plan *statefulSetPlan) scaleDown(set *appsv1.StatefulSet, replicas, condemned []*corev1.Pod, ordered bool, now time.Time) bool {
	for _, pod := range condemned {
		if pod.DeletionTimestamp == nil {
			if ordered && !isAvailable(pod, set.Spec.MinReadySeconds, now) && pod != firstUnavailable(set, replicas, condemned, now) {
				return true
			}
			plan.remove = append(plan.remove, pod)
		}
		if ordered {
			return true
		}
	}
	return false
}

func firstUnavailable(set *appsv1.StatefulSet, replicas, condemned []*corev1.Pod, now time.Time) *corev1.Pod {
	ascending := slices.Clone(condemned)
	slices.Reverse(ascending)
	for _, pod := range slices.Concat(replicas, ascending) {
		if pod != nil && (pod.DeletionTimestamp != nil || !isAvailable(pod, set.Spec.MinReadySeconds, now)) {
			return pod
		}
	}
	return nil
}

// nextOutdated is the highest Pod of an old template, if all above it are available.
func nextOutdated(set *appsv1.StatefulSet, replicas []*corev1.Pod, hash string, now time.Time) *corev1.Pod {
	partition := 0
	if rolling := set.Spec.UpdateStrategy.RollingUpdate; rolling != nil && rolling.Partition != nil {
		partition = int(*rolling.Partition)
	}
	for i := len(replicas) - 1; i >= partition; i-- {
		pod := replicas[i]
		if pod == nil || pod.DeletionTimestamp != nil {
			return nil
		}
		if pod.Labels[appsv1.ControllerRevisionHashLabelKey] != revision(set, hash) {
			return pod
		}
		if !isAvailable(pod, set.Spec.MinReadySeconds, now) {
			return nil
		}
	}
	return nil
}

// splitByOrdinal puts each Pod at its place; condemned are the others, the highest ordinal first.
func splitByOrdinal(set *appsv1.StatefulSet, pods []*corev1.Pod) (replicas, condemned []*corev1.Pod) {
	replicas = make([]*corev1.Pod, *set.Spec.Replicas)
	for _, pod := range pods {
		ordinal, ok := ordinalOf(set, pod)
		if !ok {
			continue
		}
		if i := ordinal - startOrdinal(set); i >= 0 && i < len(replicas) {
			replicas[i] = pod
		} else {
			condemned = append(condemned, pod)
		}
	}
	slices.SortFunc(condemned, func(a, b *corev1.Pod) int {
		ordinalA, _ := ordinalOf(set, a)
		ordinalB, _ := ordinalOf(set, b)
		return ordinalB - ordinalA
	})
	return replicas, condemned
}

func startOrdinal(set *appsv1.StatefulSet) int {
	if set.Spec.Ordinals == nil {
		return 0
	}
	return int(set.Spec.Ordinals.Start)
}

func ordinalOf(set *appsv1.StatefulSet, pod *corev1.Pod) (int, bool) {
	suffix, ok := strings.CutPrefix(pod.Name, set.Name+"-")
	if !ok {
		return 0, false
	}
	ordinal, err := strconv.Atoi(suffix)
	return ordinal, err == nil
}

// revision is the label value of a template's version.
func revision(set *appsv1.StatefulSet, hash string) string { return set.Name + "-" + hash }

// podOfStatefulSet makes the Pod of an ordinal, with its name, its host name and its claims.
func podOfStatefulSet(set *appsv1.StatefulSet, ordinal int, hash, nodeName string) *corev1.Pod {
	name := fmt.Sprintf("%s-%d", set.Name, ordinal)
	pod := podFromTemplate(&set.Spec.Template, set.Namespace, nodeName, controllerOf(set, "StatefulSet"), map[string]string{
		appsv1.ControllerRevisionHashLabelKey: revision(set, hash),
		appsv1.StatefulSetPodNameLabel:        name,
		appsv1.PodIndexLabel:                  strconv.Itoa(ordinal),
	})
	pod.Name = name
	pod.Spec.Hostname = name
	pod.Spec.Subdomain = set.Spec.ServiceName
	for _, template := range set.Spec.VolumeClaimTemplates {
		pod.Spec.Volumes = slices.DeleteFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == template.Name })
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{
			Name: template.Name,
			VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{
				ClaimName: template.Name + "-" + name,
			}},
		})
	}
	return pod
}

// claimsOfStatefulSet makes the claims of an ordinal. They belong to nobody, so they outlive the set,
// unless the set's retention policy says that they go with it.
func claimsOfStatefulSet(set *appsv1.StatefulSet, ordinal int) []*corev1.PersistentVolumeClaim {
	made := make([]*corev1.PersistentVolumeClaim, 0, len(set.Spec.VolumeClaimTemplates))
	for _, template := range set.Spec.VolumeClaimTemplates {
		claim := template.DeepCopy()
		claim.Name = fmt.Sprintf("%s-%s-%d", template.Name, set.Name, ordinal)
		claim.Namespace = set.Namespace
		claim.Labels = map[string]string{}
		maps.Copy(claim.Labels, template.Labels)
		maps.Copy(claim.Labels, set.Spec.Selector.MatchLabels)
		policy := set.Spec.PersistentVolumeClaimRetentionPolicy
		if policy != nil && policy.WhenDeleted == appsv1.DeletePersistentVolumeClaimRetentionPolicyType {
			claim.OwnerReferences = []metav1.OwnerReference{*controllerOf(set, "StatefulSet")}
		}
		claim.Status = corev1.PersistentVolumeClaimStatus{}
		made = append(made, claim)
	}
	return made
}

// statefulSetStatus reports the Pods that are there.
func statefulSetStatus(set *appsv1.StatefulSet, pods []*corev1.Pod, hash string, now time.Time) appsv1.StatefulSetStatus {
	status := appsv1.StatefulSetStatus{
		ObservedGeneration: set.Generation,
		CurrentRevision:    set.Status.CurrentRevision,
		UpdateRevision:     revision(set, hash),
		CollisionCount:     set.Status.CollisionCount,
		Conditions:         set.Status.Conditions,
	}
	if status.CurrentRevision == "" {
		status.CurrentRevision = status.UpdateRevision
	}
	for _, pod := range pods {
		status.Replicas++
		if isReady(pod) {
			status.ReadyReplicas++
		}
		if isAvailable(pod, set.Spec.MinReadySeconds, now) {
			status.AvailableReplicas++
		}
		if pod.DeletionTimestamp != nil {
			continue
		}
		switch pod.Labels[appsv1.ControllerRevisionHashLabelKey] {
		case status.UpdateRevision:
			status.UpdatedReplicas++
		case status.CurrentRevision:
			status.CurrentReplicas++
		}
	}
	updated := status.UpdatedReplicas == status.Replicas && status.ReadyReplicas == status.Replicas && status.Replicas == *set.Spec.Replicas
	if updated {
		status.CurrentRevision = status.UpdateRevision
	}
	if status.CurrentRevision == status.UpdateRevision {
		status.CurrentReplicas = status.UpdatedReplicas
	}
	return status
}
