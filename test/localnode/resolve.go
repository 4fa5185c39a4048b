package localnode

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	corelisters "k8s.io/client-go/listers/core/v1"
)

var (
	// ErrForbiddenHost says that a host is neither a Service of the cluster nor on the loopback network.
	ErrForbiddenHost = errors.New("the local node reaches nothing but Services and the loopback network")
	// ErrNoEndpoint says that no ready Pod stands behind a Service.
	ErrNoEndpoint = errors.New("no ready Pod")
)

// resolver turns the names of Services into addresses of ready Pods.
type resolver struct {
	services corelisters.ServiceLister
	pods     corelisters.PodLister

	mu   sync.Mutex
	next map[string]int // by Service: whose turn it is
}

// serviceName is a name in the cluster's DNS.
type serviceName struct{ pod, service, namespace string }

// parseServiceName reads [<pod>.]<service>.<namespace>.svc[.cluster.local].
func parseServiceName(host string) (serviceName, bool) {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	host = strings.TrimSuffix(host, ".cluster.local")
	parts := strings.Split(host, ".")
	if slices.Contains(parts, "") || parts[len(parts)-1] != "svc" {
		return serviceName{}, false
	}
	switch len(parts) {
	case 3:
		return serviceName{service: parts[0], namespace: parts[1]}, true
	case 4:
		return serviceName{pod: parts[0], service: parts[1], namespace: parts[2]}, true
	}
	return serviceName{}, false
}

// resolve returns the address to connect to for a host and port. Only names of Services and loopback
// addresses have one; no other name is ever looked up.
func (r *resolver) resolve(hostport string) (string, error) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrForbiddenHost, err)
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
		return net.JoinHostPort(host, port), nil
	}
	name, ok := parseServiceName(host)
	if !ok {
		return "", ErrForbiddenHost
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return "", fmt.Errorf("%w: port %q of service %s/%s", ErrNoEndpoint, port, name.namespace, name.service)
	}
	return r.endpoint(name, int32(number))
}

func (r *resolver) endpoint(name serviceName, port int32) (string, error) {
	service, err := r.services.Services(name.namespace).Get(name.service)
	if err != nil {
		return "", fmt.Errorf("%w: there is no service %s/%s", ErrNoEndpoint, name.namespace, name.service)
	}
	pods, err := r.ready(service, name.pod)
	if err != nil {
		return "", err
	}
	if len(pods) == 0 {
		return "", fmt.Errorf("%w behind service %s/%s", ErrNoEndpoint, name.namespace, name.service)
	}
	pod := pods[r.turn(name, len(pods))]
	target, err := targetPort(service, pod, port)
	if err != nil {
		return "", err
	}
	return net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(int(target))), nil
}

// ready lists the Pods behind a Service that may be talked to, sorted by name. A Pod's own name is
// known only below a headless Service, as in a cluster.
func (r *resolver) ready(service *corev1.Service, podName string) ([]*corev1.Pod, error) {
	if len(service.Spec.Selector) == 0 || podName != "" && !isHeadless(service) {
		return nil, nil
	}
	selected, err := r.pods.Pods(service.Namespace).List(labels.SelectorFromSet(service.Spec.Selector))
	if err != nil {
		return nil, fmt.Errorf("listing the Pods of a service: %w", err)
	}
	selected = slices.DeleteFunc(selected, func(pod *corev1.Pod) bool {
		named := podName == "" || pod.Spec.Hostname == podName && pod.Spec.Subdomain == service.Name
		usable := isReady(pod) || service.Spec.PublishNotReadyAddresses && !isOver(pod)
		return !named || !usable || pod.DeletionTimestamp != nil || pod.Status.PodIP == ""
	})
	slices.SortFunc(selected, func(a, b *corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	return selected, nil
}

func (r *resolver) turn(name serviceName, count int) int {
	key := name.namespace + "/" + name.service + "/" + name.pod
	r.mu.Lock()
	defer r.mu.Unlock()
	turn := r.next[key] % count
	r.next[key] = turn + 1
	return turn
}

func isHeadless(service *corev1.Service) bool { return service.Spec.ClusterIP == corev1.ClusterIPNone }

// targetPort is the Pod's port behind a Service's port. The name of a headless Service stands for the
// Pod itself, so its ports are the Pod's.
func targetPort(service *corev1.Service, pod *corev1.Pod, port int32) (int32, error) {
	if isHeadless(service) {
		return port, nil
	}
	i := slices.IndexFunc(service.Spec.Ports, func(p corev1.ServicePort) bool { return p.Port == port && p.Protocol == corev1.ProtocolTCP })
	if i < 0 {
		return 0, fmt.Errorf("%w: service %s/%s has no port %d", ErrNoEndpoint, service.Namespace, service.Name, port)
	}
	target := service.Spec.Ports[i].TargetPort
	if target.Type == intstr.Int {
		if target.IntVal == 0 {
			return port, nil
		}
		return target.IntVal, nil
	}
	for _, container := range pod.Spec.Containers {
		if number, err := containerPort(&container, target); err == nil {
			return int32(number), nil
		}
	}
	return 0, fmt.Errorf("%w: Pod %s/%s has no port named %q", ErrNoEndpoint, pod.Namespace, pod.Name, target.StrVal)
}
