package localnode_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

func createOptions() metav1.CreateOptions { return metav1.CreateOptions{} }

func TestDeploymentRunsReadyPods(t *testing.T) {
	s := newSpace(t)
	s.deploy(deployment("web", 2))
	pods := s.rolledOut("web")
	if len(pods) != 2 {
		t.Fatalf("got %d Pods, want 2", len(pods))
	}
	if pods[0].Status.PodIP == pods[1].Status.PodIP {
		t.Errorf("both Pods have the address %s", pods[0].Status.PodIP)
	}
	for _, pod := range pods {
		if !strings.HasPrefix(pod.Status.PodIP, "127.77.") || pod.Status.Phase != corev1.PodRunning || pod.Spec.NodeName != "local" {
			t.Errorf("Pod %s: address %s, phase %s, node %s", pod.Name, pod.Status.PodIP, pod.Status.Phase, pod.Spec.NodeName)
		}
		s.mustAsk(pod, "/healthz")
	}
	d, err := s.client.AppsV1().Deployments(s.name).Get(t.Context(), "web", metav1.GetOptions{})
	s.check(err)
	wantCondition(t, d, appsv1.DeploymentAvailable, corev1.ConditionTrue, "MinimumReplicasAvailable")
	wantCondition(t, d, appsv1.DeploymentProgressing, corev1.ConditionTrue, "NewReplicaSetAvailable")

	lines := s.lines.of(s.name+"/"+pods[0].Name, "main")
	if len(lines) == 0 || lines[0] != "listening on "+pods[0].Status.PodIP+":8080" {
		t.Errorf("the sink got %q", lines)
	}
}

func TestDeploymentTellsTheTruthAboutReadiness(t *testing.T) {
	s := newSpace(t)
	s.deploy(deployment("web", 1))
	s.createService(service("web", false))
	pod := s.rolledOut("web")[0]
	s.mustAsk(pod, "/sick")
	eventually(t, "the Deployment to become unavailable", func() error {
		d, err := s.client.AppsV1().Deployments(s.name).Get(t.Context(), "web", metav1.GetOptions{})
		s.check(err)
		if d.Status.ReadyReplicas != 0 || d.Status.AvailableReplicas != 0 || d.Status.UnavailableReplicas != 1 {
			return fmt.Errorf("status %+v", d.Status)
		}
		return conditionIs(d, appsv1.DeploymentAvailable, corev1.ConditionFalse, "MinimumReplicasUnavailable")
	})
	eventually(t, "the Service to have no endpoint", func() error {
		response, err := throughProxy(s.node).Get(s.serviceURL("web", "/healthz"))
		s.check(err)
		_ = response.Body.Close()
		if response.StatusCode != http.StatusServiceUnavailable {
			return fmt.Errorf("status %d", response.StatusCode)
		}
		return nil
	})
	if got := s.pods("web"); len(got) != 1 || got[0].Name != pod.Name {
		t.Error("an unready Pod was replaced")
	}
}

func TestKilledProcessIsRestarted(t *testing.T) {
	s := newSpace(t)
	s.deploy(deployment("web", 1))
	pod := s.rolledOut("web")[0]
	before := s.pid(pod.Name)
	s.check(s.node.Kill(s.name, pod.Name, syscall.SIGKILL))
	eventually(t, "the restart", func() error {
		now := s.livePods("web")[0].Status.ContainerStatuses[0]
		if now.RestartCount != 1 || !now.Ready || now.LastTerminationState.Terminated == nil {
			return fmt.Errorf("container status %+v", now)
		}
		if code := now.LastTerminationState.Terminated.ExitCode; code != 137 {
			return fmt.Errorf("exit code %d, want 137", code)
		}
		return nil
	})
	if after := s.pid(pod.Name); after == before {
		t.Errorf("process %d is said to have been restarted", after)
	}
	s.check(isGone(before))
}

func TestDescendantsEndWithTheirContainer(t *testing.T) {
	s := newSpace(t)
	s.deploy(deployment("web", 1))
	pod := s.rolledOut("web")[0]
	var child int
	_, err := fmt.Sscan(s.mustAsk(pod, "/child"), &child)
	s.check(err)
	if isGone(child) == nil {
		t.Fatal("the child has not been started")
	}
	s.check(s.node.Kill(s.name, pod.Name, syscall.SIGTERM))
	eventually(t, "the end of the child", func() error { return isGone(child) })
}

func TestFailedLivenessRestarts(t *testing.T) {
	s := newSpace(t)
	d := deployment("web", 1)
	d.Spec.Template.Spec.Containers[0].LivenessProbe = httpProbe()
	s.deploy(d)
	pod := s.rolledOut("web")[0]
	s.mustAsk(pod, "/sick")
	eventually(t, "the restart", func() error {
		if now := s.livePods("web")[0].Status.ContainerStatuses[0]; now.RestartCount == 0 || !now.Ready {
			return fmt.Errorf("container status %+v", now)
		}
		return nil
	})
}

func TestCrashingContainerBacksOff(t *testing.T) {
	s := newSpace(t)
	s.deploy(deployment("web", 1, "--no-such-flag"))
	eventually(t, "the crash loop", func() error {
		for _, pod := range s.pods("web") {
			for _, c := range pod.Status.ContainerStatuses {
				if c.RestartCount >= 2 && c.State.Waiting != nil && c.State.Waiting.Reason == "CrashLoopBackOff" {
					return nil
				}
			}
		}
		return errors.New(s.describe())
	})
}

func TestNoReplicasStop(t *testing.T) {
	s := newSpace(t)
	s.deploy(deployment("web", 2))
	pods := s.rolledOut("web")
	pids := []int{s.pid(pods[0].Name), s.pid(pods[1].Name)}
	s.change("web", func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32) })
	s.rolledOut("web")
	eventually(t, "the end of the Pods", func() error {
		if left := s.pods("web"); len(left) != 0 {
			return fmt.Errorf("%d Pods are left", len(left))
		}
		return errors.Join(isGone(pids[0]), isGone(pids[1]))
	})
	output, err := os.ReadFile(s.node.LogPath(s.name, pods[0].Name, "main"))
	if want := "listening on " + pods[0].Status.PodIP + ":8080\ngoodbye"; err != nil || string(output) != want {
		t.Errorf("the log is %q (%v), want %q", output, err, want)
	}
	if lines := s.lines.of(s.name+"/"+pods[0].Name, "main"); len(lines) != 2 || lines[1] != "goodbye" {
		t.Errorf("the sink got %q", lines)
	}
}

func TestStubbornProcessIsKilled(t *testing.T) {
	s := newSpace(t)
	d := deployment("web", 1, "--deaf")
	d.Spec.Template.Spec.TerminationGracePeriodSeconds = new(int64(1))
	s.deploy(d)
	pid := s.pid(s.rolledOut("web")[0].Name)
	s.change("web", func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32) })
	eventually(t, "the end of the process", func() error { return isGone(pid) })
}

func TestTemplateChangeRollsWithoutInterruption(t *testing.T) {
	s := newSpace(t)
	s.deploy(deployment("web", 1))
	s.createService(service("web", false))
	old := s.rolledOut("web")[0]

	client, url := throughProxy(s.node), s.serviceURL("web", "/env?name=VERSION")
	done, failures := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-done:
				failures <- nil
				return
			default:
			}
			// A request may fall on the instant at which its Pod goes, as in a cluster; that nobody is
			// ready must not happen.
			if _, err := read(client.Get(url)); err != nil && strings.Contains(err.Error(), "status 503") {
				failures <- err
				return
			}
		}
	}()
	s.change("web", func(d *appsv1.Deployment) {
		c := &d.Spec.Template.Spec.Containers[0]
		c.Env = append(c.Env, corev1.EnvVar{Name: "VERSION", Value: "two"})
	})
	renewed := s.rolledOut("web")
	close(done)
	if err := <-failures; err != nil {
		t.Errorf("the Service was interrupted: %v", err)
	}
	if len(renewed) != 1 || renewed[0].Name == old.Name {
		t.Fatalf("the Pod %s was not replaced: %s", old.Name, s.describe())
	}
	if version := s.mustAsk(renewed[0], "/env?name=VERSION"); version != "two" {
		t.Errorf("the new Pod has version %q", version)
	}
}

func TestRecreateNeverRunsTwoVersionsAtOnce(t *testing.T) {
	s := newSpace(t)
	d := deployment("web", 1)
	d.Spec.Strategy.Type = appsv1.RecreateDeploymentStrategyType
	s.deploy(d)
	old := s.rolledOut("web")[0]
	events, err := s.client.CoreV1().Pods(s.name).Watch(t.Context(), metav1.ListOptions{ResourceVersion: old.ResourceVersion})
	s.check(err)
	defer events.Stop()
	s.change("web", func(d *appsv1.Deployment) { d.Spec.Template.Annotations = map[string]string{"version": "two"} })
	s.rolledOut("web")
	gone := false
	for event := range events.ResultChan() {
		pod, ok := event.Object.(*corev1.Pod)
		if !ok {
			t.Fatalf("got the event %+v", event)
		}
		switch {
		case pod.Name == old.Name && event.Type == watch.Deleted:
			gone = true
		case pod.Name != old.Name && !gone:
			t.Fatalf("Pod %s was made before %s was gone", pod.Name, old.Name)
		case pod.Name != old.Name:
			return
		}
	}
}

func TestRefusedPodsAreReported(t *testing.T) {
	s := newSpace(t)
	namespace, err := s.client.CoreV1().Namespaces().Get(t.Context(), s.name, metav1.GetOptions{})
	s.check(err)
	namespace.Labels["pod-security.kubernetes.io/enforce"] = "restricted"
	_, err = s.client.CoreV1().Namespaces().Update(t.Context(), namespace, metav1.UpdateOptions{})
	s.check(err)
	s.deploy(deployment("web", 1)) // without the security context that the namespace demands
	eventually(t, "the failure in the status", func() error {
		d, err := s.client.AppsV1().Deployments(s.name).Get(t.Context(), "web", metav1.GetOptions{})
		s.check(err)
		return conditionIs(d, appsv1.DeploymentReplicaFailure, corev1.ConditionTrue, "FailedCreate")
	})
}

func wantCondition(t *testing.T, d *appsv1.Deployment, kind appsv1.DeploymentConditionType, status corev1.ConditionStatus, reason string) {
	t.Helper()
	if err := conditionIs(d, kind, status, reason); err != nil {
		t.Error(err)
	}
}

func conditionIs(d *appsv1.Deployment, kind appsv1.DeploymentConditionType, status corev1.ConditionStatus, reason string) error {
	for _, c := range d.Status.Conditions {
		if c.Type == kind && c.Status == status && c.Reason == reason {
			return nil
		}
	}
	return fmt.Errorf("conditions %+v, want %s=%s (%s)", d.Status.Conditions, kind, status, reason)
}
