package localnode

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

const (
	// maxGrace caps terminationGracePeriodSeconds, so that a test never waits for minutes.
	maxGrace      = 10 * time.Second
	volumeRetry   = 500 * time.Millisecond
	publishRetry  = 500 * time.Millisecond
	noRenewalTick = time.Hour
)

// podRunner runs one Pod from the first sight of it to its end.
type podRunner struct {
	node *Node
	key  types.NamespacedName
	uid  types.UID
	dir  string
	ip   string
	log  *slog.Logger

	wake    chan struct{} // the status may have changed
	renew   chan struct{} // an object that a volume may come from has changed
	mounted chan struct{} // closed when the volumes are there for the first time

	stopping context.Context // done: stop the containers
	stop     context.CancelFunc
	killing  context.Context // done: do not wait for them any longer
	kill     context.CancelFunc
	grace    atomic.Int64 // nanoseconds
	gone     atomic.Bool  // the Pod object does not exist any more

	volumesMu sync.Mutex
	volumes   *podVolumes

	mu      sync.Mutex
	pod     *corev1.Pod
	trouble string // why the containers cannot be started yet

	init       []*container
	containers []*container
	status     statusWriter
}

func newPodRunner(node *Node, pod *corev1.Pod, ip string) *podRunner {
	r := &podRunner{
		node: node, key: types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}, uid: pod.UID,
		dir: filepath.Join(node.options.StateDir, "pods", string(pod.UID)), ip: ip, pod: pod,
		log:  node.log.With("namespace", pod.Namespace, "pod", pod.Name),
		wake: make(chan struct{}, 1), renew: make(chan struct{}, 1), mounted: make(chan struct{}),
	}
	r.stopping, r.stop = context.WithCancel(context.Background())
	r.killing, r.kill = context.WithCancel(context.Background())
	r.grace.Store(int64(graceOf(pod.Spec.TerminationGracePeriodSeconds)))
	r.volumes = &podVolumes{
		dir: r.dir, objects: node.objects, claims: node.claims, apiServer: node.options.Config, wantsAPI: node.caches.wantsAPIAccess,
		tokens: &podTokens{client: node.client, now: time.Now},
	}
	for i := range pod.Spec.InitContainers {
		spec := &pod.Spec.InitContainers[i]
		r.init = append(r.init, newContainer(r, spec, restartsBefore(pod.Status.InitContainerStatuses, spec.Name)))
	}
	for i := range pod.Spec.Containers {
		spec := &pod.Spec.Containers[i]
		r.containers = append(r.containers, newContainer(r, spec, restartsBefore(pod.Status.ContainerStatuses, spec.Name)))
	}
	r.status = statusWriter{client: node.client, last: pod.Status.DeepCopy()}
	r.observe(pod)
	return r
}

// restartsBefore continues the count of a Pod that an earlier node has run.
func restartsBefore(statuses []corev1.ContainerStatus, name string) int32 {
	for _, status := range statuses {
		if status.Name == name && (status.State.Running != nil || status.State.Terminated != nil || status.RestartCount > 0) {
			return status.RestartCount + 1
		}
	}
	return 0
}

func graceOf(seconds *int64) time.Duration {
	if seconds == nil {
		return maxGrace
	}
	return min(time.Duration(*seconds)*time.Second, maxGrace)
}

// observe takes in a newer version of the Pod object.
func (r *podRunner) observe(pod *corev1.Pod) {
	r.mu.Lock()
	r.pod = pod
	r.mu.Unlock()
	if pod.DeletionTimestamp != nil {
		r.grace.Store(int64(graceOf(pod.DeletionGracePeriodSeconds)))
		r.stop()
	}
	r.objectsChanged()
}

// objectsChanged makes the volumes follow what they are made from.
func (r *podRunner) objectsChanged() { signal(r.renew) }

// changed makes the status follow the containers.
func (r *podRunner) changed() { signal(r.wake) }

// signal wakes whoever waits on the channel, or will wait next.
func signal(channel chan struct{}) {
	select {
	case channel <- struct{}{}:
	default:
	}
}

func (r *podRunner) gracePeriod() time.Duration { return time.Duration(r.grace.Load()) }

func (r *podRunner) latest() *corev1.Pod {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pod
}

func (r *podRunner) facts() podFacts {
	return podFacts{pod: r.latest(), podIP: r.ip, hostIP: r.node.addresses.nodeIP()}
}

func (r *podRunner) setTrouble(trouble string) {
	r.mu.Lock()
	changed := r.trouble != trouble
	r.trouble = trouble
	r.mu.Unlock()
	if changed && trouble != "" {
		r.log.Info("Pod cannot start yet", "reason", trouble)
	}
	r.changed()
}

// run runs the Pod and returns when every process of it is gone. What is known last is in its status.
func (r *podRunner) run() {
	worked := make(chan struct{})
	go func() {
		defer close(worked)
		r.work()
	}()
	for ended := false; !ended; {
		retry := r.publish()
		select {
		case <-r.wake:
		case <-retry:
		case <-worked:
			ended = true
		}
	}
	r.publish()
}

// work mounts the volumes, runs the containers and ends when they were told to stop and have ended.
func (r *podRunner) work() {
	var keeping sync.WaitGroup
	keeping.Go(r.keepVolumes)
	defer keeping.Wait()
	select {
	case <-r.mounted:
	case <-r.stopping.Done():
		return
	}
	if !r.initialize() {
		<-r.stopping.Done()
		return
	}
	policy := r.latest().Spec.RestartPolicy
	var running sync.WaitGroup
	for _, c := range r.containers {
		running.Go(func() { c.run(r.stopping, policy) })
	}
	running.Wait()
	<-r.stopping.Done()
}

// initialize runs the init containers one after the other.
func (r *podRunner) initialize() bool {
	policy := corev1.RestartPolicyOnFailure
	if r.latest().Spec.RestartPolicy == corev1.RestartPolicyNever {
		policy = corev1.RestartPolicyNever
	}
	for _, c := range r.init {
		if !c.run(r.stopping, policy) || r.stopping.Err() != nil {
			return false
		}
	}
	return true
}

// keepVolumes makes the volumes and keeps them up to date until the Pod stops.
func (r *podRunner) keepVolumes() {
	var once sync.Once
	for {
		pause := noRenewalTick
		if err := r.refreshVolumes(); err != nil {
			r.setTrouble(err.Error())
			pause = volumeRetry
		} else {
			r.setTrouble("")
			once.Do(func() { close(r.mounted) })
			if renewal := r.volumes.tokens.nextRenewal(); !renewal.IsZero() {
				pause = max(time.Until(renewal), volumeRetry)
			}
		}
		timer := time.NewTimer(pause)
		select {
		case <-r.renew:
		case <-timer.C:
		case <-r.stopping.Done():
		}
		timer.Stop()
		if r.stopping.Err() != nil {
			return
		}
	}
}

func (r *podRunner) refreshVolumes() error {
	r.volumesMu.Lock()
	defer r.volumesMu.Unlock()
	return r.volumes.refresh(r.stopping, r.facts())
}

// publish writes the status if it has changed. The channel says when to try again after a failure; it
// is nil otherwise.
func (r *podRunner) publish() <-chan time.Time {
	r.mu.Lock()
	pod, trouble := r.pod, r.trouble
	r.mu.Unlock()
	status := podStatus(pod, podView{
		podIP: r.ip, hostIP: r.node.addresses.nodeIP(), trouble: trouble, now: now(), previous: r.status.last,
		init: snapshots(r.init), containers: snapshots(r.containers),
	})
	if err := r.status.write(r.key, r.uid, status); err != nil {
		r.log.Warn("Failed to write the Pod's status", "error", err)
		return time.After(publishRetry)
	}
	return nil
}

func snapshots(containers []*container) []namedView {
	views := make([]namedView, 0, len(containers))
	for _, c := range containers {
		views = append(views, namedView{spec: c.spec, containerView: c.snapshot()})
	}
	return views
}

// openOutput opens the log of one of the Pod's containers.
func (r *podRunner) openOutput(containerName string) (*outputWriter, error) {
	path := filepath.Join(r.node.options.StateDir, "logs", r.key.Namespace+"_"+r.key.Name+"_"+containerName+".log")
	var sink func(line []byte)
	if r.node.options.LogSink != nil {
		sink = func(line []byte) { r.node.options.LogSink(r.key.String(), containerName, line) }
	}
	return openOutput(path, sink)
}
