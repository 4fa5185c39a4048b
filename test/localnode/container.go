package localnode

import (
	"context"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
)

const (
	firstBackOff = 200 * time.Millisecond
	maxBackOff   = 10 * time.Second
	// steadyAfter is how long a process has to run for its next end to be treated as the first.
	steadyAfter = 30 * time.Second
	configRetry = 500 * time.Millisecond
)

// container runs one container of a Pod: a process that is started again when it ends.
type container struct {
	spec *corev1.Container
	pod  *podRunner

	mu       sync.Mutex
	view     containerView
	process  *process
	restarts int32 // carried over from the Pod's status when the node adopts a Pod
}

// containerView is what the Pod's status tells about a container.
type containerView struct {
	state    corev1.ContainerState
	last     corev1.ContainerState // the latest termination
	started  bool
	ready    bool
	restarts int32
	finished bool // it will not be started again
	failed   bool // its latest end was a failure
}

func newContainer(pod *podRunner, spec *corev1.Container, restarts int32) *container {
	c := &container{spec: spec, pod: pod, restarts: restarts}
	c.view.state.Waiting = &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}
	return c
}

func (c *container) snapshot() containerView {
	c.mu.Lock()
	defer c.mu.Unlock()
	view := c.view
	view.restarts = c.restarts
	return view
}

// change alters the view and tells the Pod, whose status follows.
func (c *container) change(alter func(view *containerView)) {
	c.mu.Lock()
	alter(&c.view)
	c.mu.Unlock()
	c.pod.changed()
}

func (c *container) waiting(reason, message string) {
	c.change(func(v *containerView) {
		v.state = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
		v.started, v.ready = false, false
	})
}

// run starts the program again and again, as the policy says, until the context ends; then it stops
// the program. It returns whether the last end was a success.
func (c *container) run(ctx context.Context, policy corev1.RestartPolicy) bool {
	backOff := firstBackOff
	for {
		started := time.Now()
		ended, ok := c.runOnce(ctx)
		if !ended {
			return false // never started: the context ended first
		}
		if ctx.Err() != nil || policy == corev1.RestartPolicyNever || policy == corev1.RestartPolicyOnFailure && ok {
			c.change(func(v *containerView) { v.finished, v.failed = true, !ok })
			return ok
		}
		if time.Since(started) > steadyAfter {
			backOff = firstBackOff
		}
		c.waiting("CrashLoopBackOff", "waiting "+backOff.String()+" before the next start")
		if !sleep(ctx, backOff) {
			c.change(func(v *containerView) {
				v.state, v.finished, v.failed = v.last, true, !ok
			})
			return ok
		}
		backOff = min(2*backOff, maxBackOff)
		c.mu.Lock()
		c.restarts++
		c.mu.Unlock()
	}
}

// runOnce runs the program until it ends by itself, by its liveness probe or with the context. ended is
// false when there was nothing to run before the context ended.
func (c *container) runOnce(ctx context.Context) (ended, ok bool) {
	p, launch, output := c.start(ctx)
	if p == nil {
		return false, false
	}
	startedAt := time.Now()
	probing, stopProbing := context.WithCancel(ctx)
	unhealthy := make(chan struct{})
	var probes sync.WaitGroup
	probes.Go(func() { c.probe(probing, launch.probes, unhealthy) })
	select {
	case <-p.done:
	case <-unhealthy:
		p.stop(c.pod.gracePeriod(), c.pod.killing.Done())
	case <-ctx.Done():
		p.stop(c.pod.gracePeriod(), c.pod.killing.Done())
	}
	stopProbing()
	probes.Wait()
	output.close()
	c.ended(p, startedAt)
	return true, p.exitCode == 0
}

// start tries until the program runs. It returns nil when the context ended first.
func (c *container) start(ctx context.Context) (*process, launch, *outputWriter) {
	for ctx.Err() == nil {
		launch, err := c.pod.prepareLaunch(c.spec)
		if err != nil {
			c.waiting("CreateContainerConfigError", err.Error())
			sleep(ctx, configRetry)
			continue
		}
		output, err := c.pod.openOutput(c.spec.Name)
		if err != nil {
			c.waiting("CreateContainerError", err.Error())
			sleep(ctx, configRetry)
			continue
		}
		p, err := c.pod.node.spawner.start(launch.argv, launch.env, launch.dir, output)
		if err != nil {
			output.close()
			c.waiting("RunContainerError", err.Error())
			sleep(ctx, configRetry)
			continue
		}
		c.change(func(v *containerView) {
			c.process = p
			v.state = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now()}}
			v.started, v.ready, v.finished = false, false, false
		})
		return p, launch, output
	}
	return nil, launch{}, nil
}

func (c *container) ended(p *process, startedAt time.Time) {
	reason := "Completed"
	if p.exitCode != 0 {
		reason = "Error"
	}
	end := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: int32(p.exitCode), Signal: int32(p.signal), Reason: reason,
		StartedAt: timestamp(startedAt), FinishedAt: now(),
	}}
	c.change(func(v *containerView) {
		c.process = nil
		v.state, v.last = end, end
		v.started, v.ready = false, false
	})
}

// probe runs the startup probe, then readiness and liveness side by side. It closes unhealthy when the
// program is to be restarted.
func (c *container) probe(ctx context.Context, probes probeSet, unhealthy chan<- struct{}) {
	if probes.startup != nil && !probes.startup.untilPassing(ctx) {
		if ctx.Err() == nil {
			close(unhealthy)
		}
		return
	}
	c.change(func(v *containerView) { v.started, v.ready = true, probes.readiness == nil })
	var running sync.WaitGroup
	if probes.readiness != nil {
		running.Go(func() {
			probes.readiness.watch(ctx, func(passing bool) { c.change(func(v *containerView) { v.ready = passing }) })
		})
	}
	if probes.liveness != nil {
		running.Go(func() {
			if probes.liveness.untilFailing(ctx) {
				close(unhealthy)
			}
		})
	}
	running.Wait()
}

// pid is the id of the running process; 0 when there is none.
func (c *container) pid() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.process == nil {
		return 0
	}
	return c.process.pid
}

// signal sends a signal to the running process.
func (c *container) signal(signal syscall.Signal) error {
	c.mu.Lock()
	p := c.process
	c.mu.Unlock()
	if p == nil {
		return errNotRunning
	}
	return p.send(signal)
}
