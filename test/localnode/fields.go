package localnode

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// podFacts is what the downward API tells a container about its Pod.
type podFacts struct {
	pod    *corev1.Pod
	podIP  string
	hostIP string
}

// field resolves a fieldRef.
func (f podFacts) field(path string) (string, error) {
	if key, ok := subscript(path, "metadata.labels"); ok {
		return f.pod.Labels[key], nil
	}
	if key, ok := subscript(path, "metadata.annotations"); ok {
		return f.pod.Annotations[key], nil
	}
	switch path {
	case "metadata.name":
		return f.pod.Name, nil
	case "metadata.namespace":
		return f.pod.Namespace, nil
	case "metadata.uid":
		return string(f.pod.UID), nil
	case "metadata.labels":
		return formatMap(f.pod.Labels), nil
	case "metadata.annotations":
		return formatMap(f.pod.Annotations), nil
	case "spec.nodeName":
		return f.pod.Spec.NodeName, nil
	case "spec.serviceAccountName":
		return serviceAccountName(f.pod), nil
	case "status.podIP", "status.podIPs":
		return f.podIP, nil
	case "status.hostIP", "status.hostIPs":
		return f.hostIP, nil
	}
	return "", fmt.Errorf("the local node does not know the field %q", path)
}

// subscript takes the key out of path['key'].
func subscript(path, name string) (string, bool) {
	rest, ok := strings.CutPrefix(path, name+"['")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(rest, "']")
}

// formatMap renders labels and annotations as the kubelet does: one quoted value a line, sorted.
func formatMap(values map[string]string) string {
	lines := make([]string, 0, len(values))
	for key, value := range values {
		lines = append(lines, key+"="+strconv.Quote(value))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// resourceField resolves a resourceFieldRef of a container. A limit that is not set is the node's own
// capacity, as in a cluster.
func resourceField(containers []corev1.Container, self string, ref *corev1.ResourceFieldSelector) (string, error) {
	name := self
	if ref.ContainerName != "" {
		name = ref.ContainerName
	}
	i := slices.IndexFunc(containers, func(c corev1.Container) bool { return c.Name == name })
	if i < 0 {
		return "", fmt.Errorf("resourceFieldRef names an unknown container %q", name)
	}
	kind, resourceName, _ := strings.Cut(ref.Resource, ".")
	list := containers[i].Resources.Limits
	if kind == "requests" {
		list = containers[i].Resources.Requests
	}
	quantity, found := list[corev1.ResourceName(resourceName)]
	if !found && kind == "limits" {
		quantity, found = capacity()[corev1.ResourceName(resourceName)]
	}
	if !found && kind != "requests" {
		return "", fmt.Errorf("the local node does not know the resource %q", ref.Resource)
	}
	return divide(quantity, ref.Divisor, resourceName == string(corev1.ResourceCPU)), nil
}

func divide(quantity, divisor resource.Quantity, milli bool) string {
	if divisor.IsZero() {
		divisor = resource.MustParse("1")
	}
	if milli {
		return strconv.FormatInt(ceilDivide(quantity.MilliValue(), divisor.MilliValue()), 10)
	}
	return strconv.FormatInt(ceilDivide(quantity.Value(), divisor.Value()), 10)
}

func ceilDivide(a, b int64) int64 { return int64(math.Ceil(float64(a) / float64(b))) }

// capacity is what this machine has.
func capacity() corev1.ResourceList {
	list := corev1.ResourceList{
		corev1.ResourceCPU:  *resource.NewQuantity(int64(runtime.NumCPU()), resource.DecimalSI),
		corev1.ResourcePods: *resource.NewQuantity(lastPod-firstPod+1, resource.DecimalSI),
	}
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err == nil {
		list[corev1.ResourceMemory] = *resource.NewQuantity(int64(info.Totalram)*int64(info.Unit), resource.BinarySI)
	}
	return list
}

// serviceAccountName is the account that a Pod runs as. The admission plugin that fills in the default
// is off where no controller makes that account.
func serviceAccountName(pod *corev1.Pod) string {
	if pod.Spec.ServiceAccountName == "" {
		return "default"
	}
	return pod.Spec.ServiceAccountName
}
