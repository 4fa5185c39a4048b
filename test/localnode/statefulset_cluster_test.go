package localnode_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// storing is a StatefulSet whose Pods keep a file on their claims.
func storing(app string, replicas int32) *appsv1.StatefulSet {
	set := statefulSet(app, replicas)
	c := &set.Spec.Template.Spec.Containers[0]
	c.VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: "/data", SubPath: "store"}}
	c.Env = append(c.Env, variable("FILE", "/data/file"))
	return set
}

func (s *space) pod(name string) corev1.Pod {
	s.t.Helper()
	pod, err := s.client.CoreV1().Pods(s.name).Get(s.t.Context(), name, metav1.GetOptions{})
	s.check(err)
	return *pod
}

// store writes the file of a Pod.
func (s *space) store(pod corev1.Pod, content string) {
	s.t.Helper()
	path := s.mustAsk(pod, "/env?name=FILE")
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodPut,
		"http://"+pod.Status.PodIP+":8080"+query("/file", map[string]string{"path": path}), strings.NewReader(content))
	s.check(err)
	_, err = read(http.DefaultClient.Do(request))
	s.check(err)
}

func TestStatefulSetKeepsNamesAndVolumes(t *testing.T) {
	s := newSpace(t)
	s.createService(service("db", true))
	s.createSet(storing("db", 2))
	s.setReady("db")
	first, second := s.pod("db-0"), s.pod("db-1")
	s.store(first, "first")
	s.store(second, "second")

	s.check(s.client.CoreV1().Pods(s.name).Delete(t.Context(), "db-0", metav1.DeleteOptions{}))
	eventually(t, "the new Pod", func() error {
		pod, err := s.client.CoreV1().Pods(s.name).Get(t.Context(), "db-0", metav1.GetOptions{})
		if err == nil && pod.UID == first.UID {
			err = errors.New("the old Pod is still there")
		}
		return err
	})
	s.setReady("db")
	s.eventuallyReads(s.pod("db-0"), "FILE", "first")
	s.eventuallyReads(s.pod("db-1"), "FILE", "second")
	if s.pod("db-1").UID != second.UID {
		t.Error("the other Pod was replaced too")
	}

	body, err := read(throughProxy(s.node).Get("http://db-1.db." + s.name + ".svc.cluster.local:8080/env?name=HOSTNAME"))
	if err != nil || body != "db-1" {
		t.Errorf("the name of db-1 leads to %q (%v)", body, err)
	}
	claim, err := s.client.CoreV1().PersistentVolumeClaims(s.name).Get(t.Context(), "data-db-0", metav1.GetOptions{})
	s.check(err)
	if claim.Status.Phase != corev1.ClaimBound {
		t.Errorf("the claim is %s", claim.Status.Phase)
	}
}

func TestStatefulSetRollsFromTheLastToTheFirst(t *testing.T) {
	s := newSpace(t)
	s.createSet(storing("db", 2))
	s.setReady("db")
	before := map[string]corev1.Pod{"db-0": s.pod("db-0"), "db-1": s.pod("db-1")}
	eventually(t, "changing the template", func() error {
		set, err := s.client.AppsV1().StatefulSets(s.name).Get(t.Context(), "db", metav1.GetOptions{})
		s.check(err)
		set.Spec.Template.Annotations = map[string]string{"version": "two"}
		_, err = s.client.AppsV1().StatefulSets(s.name).Update(t.Context(), set, metav1.UpdateOptions{})
		return err
	})
	s.setReady("db")
	first, last := s.pod("db-0"), s.pod("db-1")
	if first.UID == before["db-0"].UID || last.UID == before["db-1"].UID {
		t.Fatal("a Pod was not replaced")
	}
	if first.CreationTimestamp.Before(&last.CreationTimestamp) {
		t.Error("db-0 was replaced before db-1")
	}
}

func TestScalingDownAStatefulSetKeepsTheClaim(t *testing.T) {
	s := newSpace(t)
	s.createSet(storing("db", 2))
	s.setReady("db")
	pid := s.pid("db-1")
	s.scaleSet("db", 1)
	s.setReady("db")
	eventually(t, "the end of db-1", func() error { return isGone(pid) })
	if _, err := s.client.CoreV1().PersistentVolumeClaims(s.name).Get(t.Context(), "data-db-1", metav1.GetOptions{}); err != nil {
		t.Errorf("the claim of db-1: %v", err)
	}
}

func (s *space) scaleSet(name string, replicas int32) {
	s.t.Helper()
	eventually(s.t, "scaling", func() error {
		set, err := s.client.AppsV1().StatefulSets(s.name).Get(s.t.Context(), name, metav1.GetOptions{})
		s.check(err)
		set.Spec.Replicas = &replicas
		_, err = s.client.AppsV1().StatefulSets(s.name).Update(s.t.Context(), set, metav1.UpdateOptions{})
		return err
	})
}

func TestDeletedClaimGoesWhenNobodyUsesIt(t *testing.T) {
	s := newSpace(t)
	s.createSet(storing("db", 1))
	s.setReady("db")
	s.store(s.pod("db-0"), "old")
	folder := s.node.ClaimDir(s.name, "data-db-0")
	s.check(s.client.CoreV1().PersistentVolumeClaims(s.name).Delete(t.Context(), "data-db-0", metav1.DeleteOptions{}))
	s.eventuallyReads(s.pod("db-0"), "FILE", "old")
	s.scaleSet("db", 0)
	eventually(t, "the end of the claim", func() error {
		_, err := s.client.CoreV1().PersistentVolumeClaims(s.name).Get(t.Context(), "data-db-0", metav1.GetOptions{})
		if !apierrors.IsNotFound(err) {
			return fmt.Errorf("the claim is still there (%w)", err)
		}
		if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("its folder is still there (%w)", err)
		}
		return nil
	})
	s.scaleSet("db", 1)
	s.setReady("db")
	if content, err := s.fileOf(s.pod("db-0"), "FILE"); err == nil {
		t.Errorf("the new claim has the old content %q", content)
	}
}

func TestStopLeavesNoProcessAndTheNextNodeGoesOn(t *testing.T) {
	c, err := startCluster(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.stop(); err != nil {
			t.Errorf("stopping: %v", err)
		}
	})
	s := spaceOn(t, c)
	s.createSet(storing("db", 1))
	s.deploy(deployment("web", 1, "--deaf"))
	s.setReady("db")
	web := s.rolledOut("web")[0]
	s.store(s.pod("db-0"), "kept")
	pids := []int{s.pid("db-0"), s.pid(web.Name)}

	// The stubborn process would take its five seconds; the context does not grant them.
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if err := c.node.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("stopping gave %v, want the context's error", err)
	}
	for _, pid := range pids {
		s.check(isGone(pid))
	}
	for _, name := range []string{"db-0", web.Name} {
		for _, condition := range s.pod(name).Status.Conditions {
			if condition.Type == corev1.PodReady && condition.Status != corev1.ConditionFalse {
				t.Errorf("Pod %s is reported as ready", name)
			}
		}
	}

	stale := filepath.Join(c.stateDir, "pods", "of-an-earlier-cluster")
	s.check(os.Mkdir(stale, 0o700))
	s.check(c.startNode(t.Context()))
	s.setReady("db")
	s.rolledOut("web")
	s.eventuallyReads(s.pod("db-0"), "FILE", "kept")
	if _, err := os.Stat(stale); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder of a Pod that does not exist is still there (%v)", err)
	}
	if restarts := s.pod("db-0").Status.ContainerStatuses[0].RestartCount; restarts != 1 {
		t.Errorf("%d restarts are reported, want 1", restarts)
	}
}
