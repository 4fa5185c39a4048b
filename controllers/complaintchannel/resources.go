package complaintchannel

import (
	"crypto/sha256"
	"encoding/hex"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"

	"github.com/tanggap/tanggap/controllers/internal/names"
	"github.com/tanggap/tanggap/controllers/internal/pods"
	"github.com/tanggap/tanggap/controllers/internal/secrets"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// Where the worker finds its files.
const (
	configDir      = "/etc/tanggap/worker"
	credentialsDir = "/var/run/tanggap/credentials"
	tokenDir       = "/var/run/tanggap/token"
	trustDir       = "/var/run/tanggap/ledger-ca"
	tokenFile      = "token"
	filesDir       = "/var/run/tanggap/files"
)

const (
	hooksPortName = "hooks"
	// tokenSeconds is the life of the token that the worker presents to the ledger.
	tokenSeconds = 3600
	// drainSeconds is how long a worker that is to stop goes on taking deliveries, until nothing sends it
	// any.
	drainSeconds = 5
)

func (w *Worker) labels() map[string]string { return names.Labels(names.ComponentWorker, w.Instance) }
func (w *Worker) selector() map[string]string {
	return names.Selector(names.ComponentWorker, w.Instance)
}

// buildServiceAccount is who the worker is towards the ledger. It has no rights in the cluster.
func buildServiceAccount(w *Worker) *corev1ac.ServiceAccountApplyConfiguration {
	return corev1ac.ServiceAccount(w.Name, w.Namespace).WithLabels(w.labels()).WithOwnerReferences(w.Owners...).
		WithAutomountServiceAccountToken(false)
}

// buildConfigMap is what the worker is told.
func buildConfigMap(w *Worker, config []byte) *corev1ac.ConfigMapApplyConfiguration {
	return corev1ac.ConfigMap(w.Name, w.Namespace).WithLabels(w.labels()).WithOwnerReferences(w.Owners...).
		WithData(map[string]string{names.ConfigKey: string(config)})
}

// buildService is where a platform delivers to.
func buildService(w *Worker) *corev1ac.ServiceApplyConfiguration {
	return corev1ac.Service(w.Name, w.Namespace).WithLabels(w.labels()).WithOwnerReferences(w.Owners...).
		WithSpec(corev1ac.ServiceSpec().
			WithType(corev1.ServiceTypeClusterIP).
			WithSelector(w.selector()).
			WithPorts(corev1ac.ServicePort().WithName(hooksPortName).WithProtocol(corev1.ProtocolTCP).
				WithPort(names.ServicePort).WithTargetPort(intstr.FromString(hooksPortName))))
}

// buildNetworkPolicy lets deliveries in, and nothing at all where the source is polled. The kubelet's
// probes come from the node and need no rule.
func buildNetworkPolicy(w *Worker) *networkingv1ac.NetworkPolicyApplyConfiguration {
	spec := networkingv1ac.NetworkPolicySpec().
		WithPodSelector(metav1ac.LabelSelector().WithMatchLabels(w.selector())).
		WithPolicyTypes(networkingv1.PolicyTypeIngress)
	if w.hasPush() {
		spec.WithIngress(networkingv1ac.NetworkPolicyIngressRule().WithPorts(
			networkingv1ac.NetworkPolicyPort().WithProtocol(corev1.ProtocolTCP).WithPort(intstr.FromInt32(names.HooksPort))))
	}
	return networkingv1ac.NetworkPolicy(w.Name, w.Namespace).WithLabels(w.labels()).WithOwnerReferences(w.Owners...).WithSpec(spec)
}

// buildDeployment runs the worker. A new configuration or new credentials are a new pod template, so
// that they reach just the workers that use them.
func buildDeployment(w *Worker, config []byte) *appsv1ac.DeploymentApplyConfiguration {
	sum := sha256.Sum256(config)
	spec := appsv1ac.DeploymentSpec().
		WithSelector(metav1ac.LabelSelector().WithMatchLabels(w.selector())).
		WithStrategy(strategy(w)).
		WithRevisionHistoryLimit(2).
		WithTemplate(corev1ac.PodTemplateSpec().
			WithLabels(w.labels()).
			WithAnnotations(map[string]string{
				names.ConfigHash:      hex.EncodeToString(sum[:16]),
				names.CredentialsHash: w.CredentialsHash,
			}).
			WithSpec(podSpec(w)))
	if w.Replicas != nil {
		spec.WithReplicas(*w.Replicas)
	}
	return appsv1ac.Deployment(w.Name, w.Namespace).WithLabels(w.labels()).WithOwnerReferences(w.Owners...).WithSpec(spec)
}

// strategy keeps two readers of one polled source from running at once; deliveries are never without
// a taker.
func strategy(w *Worker) *appsv1ac.DeploymentStrategyApplyConfiguration {
	if !w.onlyPush() {
		return appsv1ac.DeploymentStrategy().WithType(appsv1.RecreateDeploymentStrategyType)
	}
	return appsv1ac.DeploymentStrategy().WithType(appsv1.RollingUpdateDeploymentStrategyType).WithRollingUpdate(
		appsv1ac.RollingUpdateDeployment().WithMaxUnavailable(intstr.FromInt32(0)).WithMaxSurge(intstr.FromInt32(1)))
}

func podSpec(w *Worker) *corev1ac.PodSpecApplyConfiguration {
	return corev1ac.PodSpec().
		WithServiceAccountName(w.Name).
		WithAutomountServiceAccountToken(false).
		WithEnableServiceLinks(false).
		WithTerminationGracePeriodSeconds(30).
		WithSecurityContext(pods.Security()).
		WithContainers(container(w)).
		WithVolumes(volumes(w)...)
}

func container(w *Worker) *corev1ac.ContainerApplyConfiguration {
	mounts := append([]*corev1ac.VolumeMountApplyConfiguration{
		mount("config", configDir), mount("credentials", credentialsDir), mount("token", tokenDir), mount("ledger-ca", trustDir),
	}, fileMounts(w)...)
	c := corev1ac.Container().
		WithName("worker").
		WithImage(w.Image).
		WithArgs(
			"worker",
			"--config="+configDir+"/"+names.ConfigKey,
			"--credentials-dir="+credentialsDir,
			"--ledger-ca="+trustDir+"/"+names.TrustKey,
			"--token-file="+tokenDir+"/"+tokenFile,
			"--listen=$(POD_IP):8080",
			"--health-listen=$(POD_IP):8081",
		).
		WithEnv(pods.Environment()...).
		WithSecurityContext(pods.ContainerSecurity()).
		WithResources(pods.Resources(w.Resources,
			corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("32Mi")},
			corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("256Mi")})).
		WithLivenessProbe(pods.Probe("/healthz", 10, 3)).
		WithReadinessProbe(pods.Probe("/readyz", 5, 2)).
		WithVolumeMounts(mounts...)
	c.WithArgs(fileArguments(w)...)
	if w.hasPush() {
		c.WithPorts(pods.Port(hooksPortName, names.HooksPort)).
			WithLifecycle(corev1ac.Lifecycle().WithPreStop(
				corev1ac.LifecycleHandler().WithSleep(corev1ac.SleepAction().WithSeconds(drainSeconds))))
	}
	return c.WithPorts(pods.Port(pods.HealthPortName, names.HealthPort))
}

func mount(name, path string) *corev1ac.VolumeMountApplyConfiguration {
	return corev1ac.VolumeMount().WithName(name).WithMountPath(path).WithReadOnly(true)
}

func volumes(w *Worker) []*corev1ac.VolumeApplyConfiguration {
	return append([]*corev1ac.VolumeApplyConfiguration{
		corev1ac.Volume().WithName("config").WithConfigMap(corev1ac.ConfigMapVolumeSource().WithName(w.Name)),
		corev1ac.Volume().WithName("credentials").WithProjected(credentials(w)),
		corev1ac.Volume().WithName("token").WithProjected(corev1ac.ProjectedVolumeSource().WithSources(
			corev1ac.VolumeProjection().WithServiceAccountToken(corev1ac.ServiceAccountTokenProjection().
				WithAudience(ledgerapi.Audience).WithExpirationSeconds(tokenSeconds).WithPath(tokenFile)))),
		corev1ac.Volume().WithName("ledger-ca").WithConfigMap(corev1ac.ConfigMapVolumeSource().WithName(w.LedgerTrust)),
	}, claims(w)...)
}

// credentials holds each used key of each used Secret, and no other, as <secret>/<key>.
func credentials(w *Worker) *corev1ac.ProjectedVolumeSourceApplyConfiguration {
	references := w.references()
	projected := corev1ac.ProjectedVolumeSource().WithDefaultMode(0o440)
	for _, name := range secrets.Names(references) {
		projection := corev1ac.SecretProjection().WithName(name)
		seen := map[string]bool{}
		for _, reference := range references {
			if reference.Name == name && !seen[reference.Key] {
				seen[reference.Key] = true
				projection.WithItems(corev1ac.KeyToPath().WithKey(reference.Key).WithPath(name + "/" + reference.Key))
			}
		}
		projected.WithSources(corev1ac.VolumeProjection().WithSecret(projection))
	}
	return projected
}
