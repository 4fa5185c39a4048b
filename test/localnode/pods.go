package localnode

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// podManager runs the Pods that are bound to the node.
type podManager struct {
	node *Node

	mu      sync.Mutex
	runners map[types.UID]*podRunner
	closed  bool
	running sync.WaitGroup
}

// observe takes in a new or changed Pod object.
func (m *podManager) observe(pod *corev1.Pod) {
	if pod.Spec.NodeName != m.node.options.Name {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if runner, known := m.runners[pod.UID]; known {
		runner.observe(pod)
		return
	}
	if m.closed || isOver(pod) && pod.DeletionTimestamp == nil {
		return
	}
	ip, err := m.node.addresses.acquire()
	if err != nil && pod.DeletionTimestamp == nil {
		// The next resync of the cache asks again.
		m.node.log.Error("Cannot run a Pod", "namespace", pod.Namespace, "pod", pod.Name, "error", err)
		return
	}
	runner := newPodRunner(m.node, pod, ip)
	m.runners[pod.UID] = runner
	m.running.Go(func() { m.run(runner) })
}

func isOver(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

func (m *podManager) run(runner *podRunner) {
	runner.run()
	if runner.latest().DeletionTimestamp != nil || runner.gone.Load() {
		m.cleanUp(runner)
	}
	m.node.addresses.release(runner.ip)
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.runners, runner.uid)
}

// cleanUp ends the life of the Pod object, as the kubelet does once the processes are gone, and removes
// the Pod's files.
func (m *podManager) cleanUp(runner *podRunner) {
	if err := os.RemoveAll(runner.dir); err != nil {
		runner.log.Warn("Failed to remove the Pod's folder", "error", err)
	}
	for attempt := range 5 {
		err := m.deleteObject(runner)
		if err == nil {
			return
		}
		runner.log.Warn("Failed to delete the Pod object", "error", err)
		sleep(context.Background(), time.Duration(attempt+1)*publishRetry)
	}
}

func (m *podManager) deleteObject(runner *podRunner) error {
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	err := m.node.client.CoreV1().Pods(runner.key.Namespace).Delete(ctx, runner.key.Name, metav1.DeleteOptions{
		GracePeriodSeconds: new(int64),
		Preconditions:      &metav1.Preconditions{UID: &runner.uid},
	})
	// A conflict says that the name is already another Pod's.
	if apierrors.IsConflict(err) {
		return nil
	}
	return ignoreNotFound(err)
}

// forget ends a Pod whose object is gone: nobody waits for it any longer.
func (m *podManager) forget(uid types.UID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if runner, known := m.runners[uid]; known {
		runner.gone.Store(true)
		runner.kill()
		runner.stop()
	}
}

// objectsChanged tells the Pods of a namespace that a Secret, a ConfigMap or a claim has changed.
func (m *podManager) objectsChanged(namespace string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, runner := range m.runners {
		if runner.key.Namespace == namespace {
			runner.objectsChanged()
		}
	}
}

// close stops every Pod's processes and returns when they are gone; when the context ends they are
// killed. The Pod objects stay: they are the cluster's.
func (m *podManager) close(ctx context.Context) {
	m.mu.Lock()
	m.closed = true
	runners := make([]*podRunner, 0, len(m.runners))
	for _, runner := range m.runners {
		runners = append(runners, runner)
		runner.stop()
	}
	m.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		m.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return
	case <-ctx.Done():
	}
	for _, runner := range runners {
		runner.kill()
	}
	<-ended
}

// removeStaleFolders removes what an earlier node has left of Pods that do not exist any more: their
// volumes hold secrets.
func (m *podManager) removeStaleFolders() error {
	parent := filepath.Join(m.node.options.StateDir, "pods")
	folders, err := os.ReadDir(parent)
	if err != nil {
		return fmt.Errorf("reading the Pods' folders: %w", err)
	}
	pods, err := m.node.podsOf(metav1.NamespaceAll)
	if err != nil {
		return fmt.Errorf("listing Pods: %w", err)
	}
	for _, folder := range folders {
		if slices.ContainsFunc(pods, func(pod *corev1.Pod) bool { return string(pod.UID) == folder.Name() }) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(parent, folder.Name())); err != nil {
			return fmt.Errorf("removing the folder of an earlier Pod: %w", err)
		}
	}
	return nil
}

// find returns the runner of the youngest Pod of that name.
func (m *podManager) find(namespace, name string) (*podRunner, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found *podRunner
	for _, runner := range m.runners {
		if runner.key.Namespace != namespace || runner.key.Name != name {
			continue
		}
		if found == nil || found.stopping.Err() != nil {
			found = runner
		}
	}
	if found == nil {
		return nil, fmt.Errorf("no Pod %s/%s runs on this node", namespace, name)
	}
	return found, nil
}

// Pods lists the Pods of a namespace that run on the node, sorted by name, with their latest status.
// An empty namespace means all of them.
func (n *Node) Pods(namespace string) ([]*corev1.Pod, error) {
	pods, err := n.podsOf(namespace)
	if err != nil {
		return nil, fmt.Errorf("listing Pods: %w", err)
	}
	slices.SortFunc(pods, func(a, b *corev1.Pod) int {
		return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
	})
	return pods, nil
}

// PID is the process id of a Pod's first container. It is an error when that does not run.
func (n *Node) PID(namespace, pod string) (int, error) {
	runner, err := n.pods.find(namespace, pod)
	if err != nil {
		return 0, err
	}
	if pid := runner.containers[0].pid(); pid != 0 {
		return pid, nil
	}
	return 0, fmt.Errorf("finding the process of Pod %s/%s: %w", namespace, pod, errNotRunning)
}

// Kill sends a signal to the first container of a Pod.
func (n *Node) Kill(namespace, pod string, signal syscall.Signal) error {
	runner, err := n.pods.find(namespace, pod)
	if err != nil {
		return err
	}
	if err := runner.containers[0].signal(signal); err != nil {
		return errors.Join(fmt.Errorf("signalling Pod %s/%s", namespace, pod), err)
	}
	return nil
}
