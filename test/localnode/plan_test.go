package localnode

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// podOf makes a Pod of a version in a state: "ready", "unready", "terminating", "over", or "fresh" (ready
// for a second only).
func podOf(name, version, state string) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
			appsv1.DefaultDeploymentUniqueLabelKey: version,
			appsv1.ControllerRevisionHashLabelKey:  "db-" + version,
		}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning},
	}
	ready := corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Time{Time: noon.Add(-time.Hour)}}
	switch state {
	case "unready":
		ready.Status = corev1.ConditionFalse
	case "terminating":
		pod.DeletionTimestamp = &metav1.Time{Time: noon}
	case "over":
		pod.Status.Phase = corev1.PodFailed
	case "fresh":
		ready.LastTransitionTime = metav1.Time{Time: noon.Add(-time.Second)}
	}
	pod.Status.Conditions = []corev1.PodCondition{ready}
	return pod
}

func podsOf(pods ...[3]string) []*corev1.Pod {
	made := make([]*corev1.Pod, 0, len(pods))
	for _, p := range pods {
		made = append(made, podOf(p[0], p[1], p[2]))
	}
	return made
}

func names(pods []*corev1.Pod) []string {
	var list []string
	for _, pod := range pods {
		list = append(list, pod.Name)
	}
	slices.Sort(list)
	return list
}

func TestPlanDeployment(t *testing.T) {
	percent, one, none := intstr.FromString("25%"), intstr.FromInt32(1), intstr.FromInt32(0)
	standard := appsv1.RollingUpdateDeployment{MaxSurge: &percent, MaxUnavailable: &percent}
	type plan struct {
		Create int
		Remove []string
	}
	cases := map[string]struct {
		replicas int32
		rolling  appsv1.RollingUpdateDeployment
		recreate bool
		minReady int32
		pods     []*corev1.Pod
		want     plan
	}{
		"nothing is there yet":                       {replicas: 2, rolling: standard, want: plan{Create: 2}},
		"all is well":                                {replicas: 1, rolling: standard, pods: podsOf([3]string{"a", "new", "ready"}), want: plan{}},
		"too many: the unready one goes":             {replicas: 1, rolling: standard, pods: podsOf([3]string{"a", "new", "ready"}, [3]string{"b", "new", "unready"}), want: plan{Remove: []string{"b"}}},
		"no replicas: old ones go too":               {replicas: 0, rolling: standard, pods: podsOf([3]string{"a", "new", "ready"}, [3]string{"b", "old", "ready"}), want: plan{Remove: []string{"a", "b"}}},
		"a terminating Pod does not count":           {replicas: 1, rolling: standard, pods: podsOf([3]string{"a", "new", "terminating"}), want: plan{Create: 1}},
		"a Pod that is over does not count":          {replicas: 1, rolling: standard, pods: podsOf([3]string{"a", "new", "over"}), want: plan{Create: 1}},
		"rolling one: first the new Pod":             {replicas: 1, rolling: standard, pods: podsOf([3]string{"a", "old", "ready"}), want: plan{Create: 1}},
		"rolling one: wait until it is ready":        {replicas: 1, rolling: standard, pods: podsOf([3]string{"a", "old", "ready"}, [3]string{"b", "new", "unready"}), want: plan{}},
		"rolling one: then the old Pod goes":         {replicas: 1, rolling: standard, pods: podsOf([3]string{"a", "old", "ready"}, [3]string{"b", "new", "ready"}), want: plan{Remove: []string{"a"}}},
		"rolling one: ready is not yet available":    {replicas: 1, rolling: standard, minReady: 10, pods: podsOf([3]string{"a", "old", "ready"}, [3]string{"b", "new", "fresh"}), want: plan{}},
		"an old Pod that is not ready is no loss":    {replicas: 2, rolling: standard, pods: podsOf([3]string{"a", "old", "unready"}, [3]string{"b", "old", "ready"}, [3]string{"c", "new", "ready"}), want: plan{Remove: []string{"a"}}},
		"rolling four: one surge, one unavailable":   {replicas: 4, rolling: standard, pods: podsOf([3]string{"a", "old", "ready"}, [3]string{"b", "old", "ready"}, [3]string{"c", "old", "ready"}, [3]string{"d", "old", "ready"}), want: plan{Create: 1, Remove: []string{"a"}}},
		"no surge: one goes before":                  {replicas: 2, rolling: appsv1.RollingUpdateDeployment{MaxSurge: &none, MaxUnavailable: &one}, pods: podsOf([3]string{"a", "old", "ready"}, [3]string{"b", "old", "ready"}), want: plan{Remove: []string{"a"}}},
		"neither surge nor unavailable: one goes":    {replicas: 1, rolling: appsv1.RollingUpdateDeployment{MaxSurge: &none, MaxUnavailable: &none}, pods: podsOf([3]string{"a", "old", "ready"}), want: plan{Remove: []string{"a"}}},
		"recreate: first the old Pod goes":           {replicas: 1, recreate: true, pods: podsOf([3]string{"a", "old", "ready"}), want: plan{Remove: []string{"a"}}},
		"recreate: wait until it is gone":            {replicas: 1, recreate: true, pods: podsOf([3]string{"a", "old", "terminating"}), want: plan{}},
		"recreate: a Pod of the same version may go": {replicas: 1, recreate: true, pods: podsOf([3]string{"a", "new", "terminating"}), want: plan{Create: 1}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: &c.replicas, MinReadySeconds: c.minReady}}
			d.Spec.Strategy = appsv1.DeploymentStrategy{Type: appsv1.RollingUpdateDeploymentStrategyType, RollingUpdate: &c.rolling}
			if c.recreate {
				d.Spec.Strategy = appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType}
			}
			got := planDeployment(d, c.pods, "new", noon)
			if diff := cmp.Diff(c.want, plan{got.create, names(got.remove)}); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRolloutKeepsItsPromise rolls Deployments of every shape, letting Pods become ready and end in a
// fixed but arbitrary order, and checks after every step what the strategy promises.
func TestRolloutKeepsItsPromise(t *testing.T) {
	for replicas := int32(1); replicas <= 5; replicas++ {
		for _, limits := range [][2]string{{"25%", "25%"}, {"1", "0"}, {"0", "1"}, {"100%", "0"}, {"50%", "50%"}} {
			t.Run(fmt.Sprintf("%d replicas, surge %s, unavailable %s", replicas, limits[0], limits[1]), func(t *testing.T) {
				surge, unavailable := intstr.Parse(limits[0]), intstr.Parse(limits[1])
				d := &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: &replicas, Strategy: appsv1.DeploymentStrategy{
					Type:          appsv1.RollingUpdateDeploymentStrategyType,
					RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: &surge, MaxUnavailable: &unavailable},
				}}}
				rollOut(t, d)
			})
		}
	}
}

func rollOut(t *testing.T, d *appsv1.Deployment) {
	t.Helper()
	desired := int(*d.Spec.Replicas)
	var pods []*corev1.Pod
	for i := range desired {
		pods = append(pods, podOf(fmt.Sprintf("old-%d", i), "old", "ready"))
	}
	maxSurge, maxUnavailable := rollingLimits(d)
	for step := range 50 {
		current, old := splitByHash(live(pods), "new")
		if len(old) == 0 && len(current) == desired && countAvailable(current, 0, noon) == desired {
			return
		}
		plan := planDeployment(d, pods, "new", noon)
		pods = slices.DeleteFunc(pods, func(pod *corev1.Pod) bool { return slices.Contains(plan.remove, pod) })
		for i := range plan.create {
			pods = append(pods, podOf(fmt.Sprintf("new-%d-%d", step, i), "new", "unready"))
		}
		if len(pods) > desired+maxSurge {
			t.Fatalf("step %d: %d Pods, at most %d are allowed", step, len(pods), desired+maxSurge)
		}
		if available := countAvailable(pods, 0, noon); available < desired-maxUnavailable {
			t.Fatalf("step %d: %d Pods are available, at least %d are promised", step, available, desired-maxUnavailable)
		}
		// One more Pod becomes ready.
		if i := slices.IndexFunc(pods, func(pod *corev1.Pod) bool { return !isReady(pod) }); i >= 0 {
			pods[i].Status.Conditions[0].Status = corev1.ConditionTrue
		}
	}
	t.Fatal("the rollout does not end")
}

func TestPlanStatefulSet(t *testing.T) {
	type plan struct {
		Create []int
		Remove []string
	}
	cases := map[string]struct {
		replicas  int32
		parallel  bool
		onDelete  bool
		partition *int32
		start     int32
		pods      []*corev1.Pod
		want      plan
	}{
		"the first Pod first":                          {replicas: 3, want: plan{Create: []int{0}}},
		"in parallel all at once":                      {replicas: 3, parallel: true, want: plan{Create: []int{0, 1, 2}}},
		"ordinals may start elsewhere":                 {replicas: 1, start: 5, want: plan{Create: []int{5}}},
		"the next waits for an unready one":            {replicas: 2, pods: podsOf([3]string{"db-0", "new", "unready"}), want: plan{}},
		"the next waits for a terminating one":         {replicas: 2, pods: podsOf([3]string{"db-0", "new", "terminating"}), want: plan{}},
		"the next follows a ready one":                 {replicas: 2, pods: podsOf([3]string{"db-0", "new", "ready"}), want: plan{Create: []int{1}}},
		"a gap is filled":                              {replicas: 2, pods: podsOf([3]string{"db-1", "new", "ready"}), want: plan{Create: []int{0}}},
		"a Pod that is over is replaced":               {replicas: 1, pods: podsOf([3]string{"db-0", "new", "over"}), want: plan{Remove: []string{"db-0"}}},
		"the highest goes first":                       {replicas: 1, pods: podsOf([3]string{"db-0", "new", "ready"}, [3]string{"db-1", "new", "ready"}, [3]string{"db-2", "new", "ready"}), want: plan{Remove: []string{"db-2"}}},
		"the next waits until it is gone":              {replicas: 1, pods: podsOf([3]string{"db-0", "new", "ready"}, [3]string{"db-1", "new", "ready"}, [3]string{"db-2", "new", "terminating"}), want: plan{}},
		"in parallel all go":                           {replicas: 0, parallel: true, pods: podsOf([3]string{"db-0", "new", "ready"}, [3]string{"db-1", "new", "ready"}), want: plan{Remove: []string{"db-0", "db-1"}}},
		"an unready one goes too":                      {replicas: 0, pods: podsOf([3]string{"db-0", "new", "unready"}), want: plan{Remove: []string{"db-0"}}},
		"a new template: the highest goes":             {replicas: 2, pods: podsOf([3]string{"db-0", "old", "ready"}, [3]string{"db-1", "old", "ready"}), want: plan{Remove: []string{"db-1"}}},
		"a new template: wait for the new one":         {replicas: 2, pods: podsOf([3]string{"db-0", "old", "ready"}, [3]string{"db-1", "new", "unready"}), want: plan{}},
		"a new template: then the next":                {replicas: 2, pods: podsOf([3]string{"db-0", "old", "ready"}, [3]string{"db-1", "new", "ready"}), want: plan{Remove: []string{"db-0"}}},
		"a new template: an unready one holds it up":   {replicas: 1, pods: podsOf([3]string{"db-0", "old", "unready"}), want: plan{}},
		"a new template: not so in parallel":           {replicas: 1, parallel: true, pods: podsOf([3]string{"db-0", "old", "unready"}), want: plan{Remove: []string{"db-0"}}},
		"a new template: below the partition all stay": {replicas: 2, partition: new(int32(1)), pods: podsOf([3]string{"db-0", "old", "ready"}, [3]string{"db-1", "new", "ready"}), want: plan{}},
		"on delete nothing is replaced":                {replicas: 1, onDelete: true, pods: podsOf([3]string{"db-0", "old", "ready"}), want: plan{}},
		"a Pod of another name is not ours":            {replicas: 0, pods: podsOf([3]string{"db-x", "new", "ready"}), want: plan{}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			set := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Name: "db"}, Spec: appsv1.StatefulSetSpec{
				Replicas: &c.replicas, Ordinals: &appsv1.StatefulSetOrdinals{Start: c.start},
				UpdateStrategy: appsv1.StatefulSetUpdateStrategy{
					Type:          appsv1.RollingUpdateStatefulSetStrategyType,
					RollingUpdate: &appsv1.RollingUpdateStatefulSetStrategy{Partition: c.partition},
				},
			}}
			if c.parallel {
				set.Spec.PodManagementPolicy = appsv1.ParallelPodManagement
			}
			if c.onDelete {
				set.Spec.UpdateStrategy = appsv1.StatefulSetUpdateStrategy{Type: appsv1.OnDeleteStatefulSetStrategyType}
			}
			got := planStatefulSet(set, c.pods, "new", noon)
			if diff := cmp.Diff(c.want, plan{got.create, names(got.remove)}); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

func TestProgressOfADeployment(t *testing.T) {
	one, deadline := int32(1), int32(600)
	progressing := func(status corev1.ConditionStatus, reason string, age time.Duration) appsv1.DeploymentCondition {
		at := metav1.Time{Time: noon.Add(-age)}
		return appsv1.DeploymentCondition{Type: appsv1.DeploymentProgressing, Status: status, Reason: reason, LastUpdateTime: at, LastTransitionTime: at}
	}
	waiting := appsv1.DeploymentStatus{Replicas: 1, UpdatedReplicas: 1}
	cases := map[string]struct {
		before   appsv1.DeploymentStatus
		previous []appsv1.DeploymentCondition
		pods     []*corev1.Pod
		want     string
	}{
		"a new Deployment":              {want: "True ReplicaSetUpdated", pods: nil},
		"a complete one":                {want: "True NewReplicaSetAvailable", pods: podsOf([3]string{"a", "new", "ready"})},
		"one that waits":                {before: waiting, previous: []appsv1.DeploymentCondition{progressing(corev1.ConditionTrue, reasonUpdated, time.Minute)}, pods: podsOf([3]string{"a", "new", "unready"}), want: "True ReplicaSetUpdated"},
		"one that waits for too long":   {before: waiting, previous: []appsv1.DeploymentCondition{progressing(corev1.ConditionTrue, reasonUpdated, time.Hour)}, pods: podsOf([3]string{"a", "new", "unready"}), want: "False ProgressDeadlineExceeded"},
		"late, but then complete":       {before: waiting, previous: []appsv1.DeploymentCondition{progressing(corev1.ConditionFalse, reasonLate, time.Hour)}, pods: podsOf([3]string{"a", "new", "ready"}), want: "True NewReplicaSetAvailable"},
		"complete, then a Pod is ill":   {before: waiting, previous: []appsv1.DeploymentCondition{progressing(corev1.ConditionTrue, reasonComplete, time.Hour)}, pods: podsOf([3]string{"a", "new", "unready"}), want: "True NewReplicaSetAvailable"},
		"complete, then a new template": {before: waiting, previous: []appsv1.DeploymentCondition{progressing(corev1.ConditionTrue, reasonComplete, time.Hour)}, pods: podsOf([3]string{"a", "old", "ready"}), want: "True ReplicaSetUpdated"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			c.before.Conditions = c.previous
			d := &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: &one, ProgressDeadlineSeconds: &deadline}, Status: c.before}
			status := deploymentStatus(d, c.pods, "new", nil, noon)
			got := findCondition(status.Conditions, appsv1.DeploymentProgressing)
			if text := fmt.Sprintf("%s %s", got.Status, got.Reason); text != c.want {
				t.Errorf("got %s, want %s", text, c.want)
			}
		})
	}
}
