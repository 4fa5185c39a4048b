package localnode

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// impatience is how often a container that is not ready yet is asked. The kubelet would wait for the
// probe's period each time, and every test with it.
const impatience = 200 * time.Millisecond

// probe asks a container one question.
type probe struct {
	spec  *corev1.Probe
	check func(ctx context.Context) error
	pause func(ctx context.Context, d time.Duration) bool // false: the context ended
}

// probeSet is what a container is asked; each may be nil.
type probeSet struct{ startup, readiness, liveness *probe }

func newProbeSet(container *corev1.Container, podIP string) (probeSet, error) {
	var set probeSet
	var err error
	if set.startup, err = newProbe(container.StartupProbe, container, podIP); err != nil {
		return probeSet{}, fmt.Errorf("startup probe: %w", err)
	}
	if set.readiness, err = newProbe(container.ReadinessProbe, container, podIP); err != nil {
		return probeSet{}, fmt.Errorf("readiness probe: %w", err)
	}
	if set.liveness, err = newProbe(container.LivenessProbe, container, podIP); err != nil {
		return probeSet{}, fmt.Errorf("liveness probe: %w", err)
	}
	return set, nil
}

// newProbe resolves a probe's address and port once.
func newProbe(spec *corev1.Probe, container *corev1.Container, podIP string) (*probe, error) {
	if spec == nil {
		return nil, nil
	}
	switch {
	case spec.HTTPGet != nil:
		port, err := containerPort(container, spec.HTTPGet.Port)
		if err != nil {
			return nil, err
		}
		return &probe{spec: spec, check: httpCheck(spec.HTTPGet, podIP, port), pause: sleep}, nil
	case spec.TCPSocket != nil:
		port, err := containerPort(container, spec.TCPSocket.Port)
		if err != nil {
			return nil, err
		}
		address := net.JoinHostPort(hostOr(spec.TCPSocket.Host, podIP), strconv.Itoa(port))
		return &probe{spec: spec, check: tcpCheck(address), pause: sleep}, nil
	}
	return nil, errors.New("the local node knows the probes httpGet and tcpSocket only")
}

// containerPort resolves a port that may be named.
func containerPort(container *corev1.Container, port intstr.IntOrString) (int, error) {
	if port.Type == intstr.Int {
		return port.IntValue(), nil
	}
	i := slices.IndexFunc(container.Ports, func(p corev1.ContainerPort) bool { return p.Name == port.StrVal })
	if i < 0 {
		return 0, fmt.Errorf("container %q has no port named %q", container.Name, port.StrVal)
	}
	return int(container.Ports[i].ContainerPort), nil
}

func hostOr(host, fallback string) string {
	if host == "" {
		return fallback
	}
	return host
}

func tcpCheck(address string) func(context.Context) error {
	return func(ctx context.Context) error {
		connection, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return connection.Close()
	}
}

func httpCheck(get *corev1.HTTPGetAction, podIP string, port int) func(context.Context) error {
	path, query, _ := strings.Cut(get.Path, "?")
	target := url.URL{
		Scheme:   strings.ToLower(hostOr(string(get.Scheme), "http")),
		Host:     net.JoinHostPort(hostOr(get.Host, podIP), strconv.Itoa(port)),
		Path:     path,
		RawQuery: query,
	}
	client := &http.Client{
		Transport: &http.Transport{
			// As the kubelet: a probe asks whether the server works, not who it is.
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
			DisableKeepAlives: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
		if err != nil {
			return err
		}
		request.Header.Set("User-Agent", "kube-probe/local")
		for _, header := range get.HTTPHeaders {
			if http.CanonicalHeaderKey(header.Name) == "Host" {
				request.Host = header.Value
				continue
			}
			request.Header.Add(header.Name, header.Value)
		}
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		defer func() { _ = response.Body.Close() }()
		_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 10<<10)) // the status is the answer
		if response.StatusCode < 200 || response.StatusCode >= 400 {
			return fmt.Errorf("status %d", response.StatusCode)
		}
		return nil
	}
}

// watch asks again and again until the context ends, and reports each change of the verdict, counted
// by the probe's thresholds. The first verdict is failing, and is not reported.
func (p *probe) watch(ctx context.Context, report func(passing bool)) {
	p.loop(ctx, false, func(passing bool) bool {
		report(passing)
		return true
	})
}

// untilPassing asks until the probe passes. It returns false when the context ended or when the
// failure threshold was reached at the probe's own period.
func (p *probe) untilPassing(ctx context.Context) bool {
	budget := time.Duration(max(p.spec.FailureThreshold, 1)) * p.period()
	limited, cancel := context.WithTimeout(ctx, time.Duration(p.spec.InitialDelaySeconds)*time.Second+budget)
	defer cancel()
	passed := false
	p.loop(limited, false, func(passing bool) bool {
		passed = passing
		return !passing
	})
	return passed
}

// untilFailing asks until the failure threshold is reached. It returns false when the context ended. The
// first question is asked after a period, so that a program that needs a moment to start is not killed
// for it.
func (p *probe) untilFailing(ctx context.Context) bool {
	if !p.pause(ctx, p.period()) {
		return false
	}
	failed := false
	p.loop(ctx, true, func(passing bool) bool {
		failed = !passing
		return !failed
	})
	return failed
}

// loop asks until the context ends or changed, called at each change of the verdict, returns false.
func (p *probe) loop(ctx context.Context, passing bool, changed func(passing bool) bool) {
	if !p.pause(ctx, time.Duration(p.spec.InitialDelaySeconds)*time.Second) {
		return
	}
	run := int32(0) // results in a row that contradict the verdict
	for {
		if ok := p.ask(ctx); ok == passing {
			run = 0
		} else {
			run++
		}
		if ctx.Err() != nil {
			return
		}
		if run >= p.threshold(passing) {
			passing, run = !passing, 0
			if !changed(passing) {
				return
			}
		}
		until := p.period()
		if !passing {
			until = min(until, impatience)
		}
		if !p.pause(ctx, until) {
			return
		}
	}
}

func (p *probe) ask(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(max(p.spec.TimeoutSeconds, 1))*time.Second)
	defer cancel()
	return p.check(ctx) == nil
}

func (p *probe) period() time.Duration {
	if p.spec.PeriodSeconds <= 0 {
		return 10 * time.Second
	}
	return time.Duration(p.spec.PeriodSeconds) * time.Second
}

func (p *probe) threshold(passing bool) int32 {
	if passing {
		return max(p.spec.FailureThreshold, 1)
	}
	return max(p.spec.SuccessThreshold, 1)
}

// sleep waits and returns false when the context ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
