// Package pods holds what the pods of workers and ledgers have in common: the restricted Pod Security
// standard, the addresses they learn, their probes.
package pods

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/tanggap/tanggap/api/v1alpha1"
)

// User is the user and group of every process; the image has no other.
const User = 65532

// HealthPortName is the name of the container port of the probes.
const HealthPortName = "health"

// Security is the pod's part of the restricted Pod Security standard. fsGroup lets the process read
// what is mounted, and write to a volume.
func Security() *corev1ac.PodSecurityContextApplyConfiguration {
	return corev1ac.PodSecurityContext().
		WithRunAsNonRoot(true).WithRunAsUser(User).WithRunAsGroup(User).WithFSGroup(User).
		WithFSGroupChangePolicy(corev1.FSGroupChangeOnRootMismatch).
		WithSeccompProfile(corev1ac.SeccompProfile().WithType(corev1.SeccompProfileTypeRuntimeDefault))
}

// ContainerSecurity is the container's part of it.
func ContainerSecurity() *corev1ac.SecurityContextApplyConfiguration {
	return corev1ac.SecurityContext().
		WithAllowPrivilegeEscalation(false).WithReadOnlyRootFilesystem(true).
		WithCapabilities(corev1ac.Capabilities().WithDrop("ALL"))
}

// Environment tells the process who it is, and how much memory it may use, so that it collects garbage
// more often before it would be ended. It listens on its own address only.
func Environment() []*corev1ac.EnvVarApplyConfiguration {
	fromField := func(name, path string) *corev1ac.EnvVarApplyConfiguration {
		return corev1ac.EnvVar().WithName(name).WithValueFrom(
			corev1ac.EnvVarSource().WithFieldRef(corev1ac.ObjectFieldSelector().WithFieldPath(path)))
	}
	return []*corev1ac.EnvVarApplyConfiguration{
		fromField("POD_IP", "status.podIP"),
		fromField("POD_NAME", "metadata.name"),
		fromField("POD_NAMESPACE", "metadata.namespace"),
		corev1ac.EnvVar().WithName("GOMEMLIMIT").WithValueFrom(corev1ac.EnvVarSource().WithResourceFieldRef(
			corev1ac.ResourceFieldSelector().WithResource("limits.memory").WithDivisor(resource.MustParse("1")))),
	}
}

// Port is a named TCP port of a container.
func Port(name string, port int32) *corev1ac.ContainerPortApplyConfiguration {
	return corev1ac.ContainerPort().WithName(name).WithContainerPort(port).WithProtocol(corev1.ProtocolTCP)
}

// Probe asks for a path on the health port.
func Probe(path string, periodSeconds, failures int32) *corev1ac.ProbeApplyConfiguration {
	return corev1ac.Probe().
		WithHTTPGet(corev1ac.HTTPGetAction().WithPath(path).WithPort(intstr.FromString(HealthPortName))).
		WithPeriodSeconds(periodSeconds).WithFailureThreshold(failures).WithTimeoutSeconds(5)
}

// Resources are what a specification asks for, all of it, or else the defaults.
func Resources(asked *v1alpha1.Resources, requests, limits corev1.ResourceList) *corev1ac.ResourceRequirementsApplyConfiguration {
	if asked != nil {
		requests, limits = quantities(asked.Requests), quantities(asked.Limits)
	}
	requirements := corev1ac.ResourceRequirements()
	if len(requests) > 0 {
		requirements.WithRequests(requests)
	}
	if len(limits) > 0 {
		requirements.WithLimits(limits)
	}
	return requirements
}

func quantities(asked map[string]resource.Quantity) corev1.ResourceList {
	list := make(corev1.ResourceList, len(asked))
	for name, quantity := range asked {
		list[corev1.ResourceName(name)] = quantity
	}
	return list
}
