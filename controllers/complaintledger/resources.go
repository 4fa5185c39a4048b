package complaintledger

import (
	"cmp"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"
	rbacv1ac "k8s.io/client-go/applyconfigurations/rbac/v1"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/controllers/internal/names"
	"github.com/tanggap/tanggap/controllers/internal/pods"
)

// Where the ledger finds its files.
const (
	dataDir      = "/var/lib/tanggap"
	servingDir   = "/var/run/tanggap/serving"
	trustDir     = "/var/run/tanggap/ca"
	pseudonymDir = "/var/run/tanggap/pseudonym"
	databaseDir  = "/var/run/tanggap/database"
	adminDir     = "/var/run/tanggap/admin"
)

const (
	dataVolume  = "data"
	apiPortName = "https"
	// defaultSize of the volume; it cannot grow by itself.
	defaultSize = "10Gi"
)

func labels(ledger *v1alpha1.ComplaintLedger) map[string]string {
	return names.Labels(names.ComponentLedger, ledger.Name)
}

func selector(ledger *v1alpha1.ComplaintLedger) map[string]string {
	return names.Selector(names.ComponentLedger, ledger.Name)
}

func owner(ledger *v1alpha1.ComplaintLedger) *metav1ac.OwnerReferenceApplyConfiguration {
	return metav1ac.OwnerReference().WithAPIVersion(v1alpha1.GroupVersion.String()).WithKind("ComplaintLedger").
		WithName(ledger.Name).WithUID(ledger.UID).WithController(true)
}

// buildServiceAccount is who asks the API server whose token a worker presents.
func buildServiceAccount(ledger *v1alpha1.ComplaintLedger) *corev1ac.ServiceAccountApplyConfiguration {
	return corev1ac.ServiceAccount(names.Ledger(ledger.Name), ledger.Namespace).
		WithLabels(labels(ledger)).WithOwnerReferences(owner(ledger))
}

// buildService is where workers and the operator reach the ledger.
func buildService(ledger *v1alpha1.ComplaintLedger) *corev1ac.ServiceApplyConfiguration {
	return corev1ac.Service(names.Ledger(ledger.Name), ledger.Namespace).
		WithLabels(labels(ledger)).WithOwnerReferences(owner(ledger)).
		WithSpec(corev1ac.ServiceSpec().
			WithType(corev1.ServiceTypeClusterIP).
			WithSelector(selector(ledger)).
			WithPorts(corev1ac.ServicePort().WithName(apiPortName).WithProtocol(corev1.ProtocolTCP).
				WithPort(names.LedgerPort).WithTargetPort(intstr.FromString(apiPortName))))
}

// buildNetworkPolicy lets the workers of the namespace and the operator in, and nobody else. The
// kubelet's probes come from the node and need no rule.
func buildNetworkPolicy(ledger *v1alpha1.ComplaintLedger, operatorNamespace string) *networkingv1ac.NetworkPolicyApplyConfiguration {
	workers := networkingv1ac.NetworkPolicyPeer().WithPodSelector(metav1ac.LabelSelector().WithMatchLabels(map[string]string{
		names.NameLabel: names.Name, names.ComponentLabel: names.ComponentWorker,
	}))
	operator := networkingv1ac.NetworkPolicyPeer().
		WithNamespaceSelector(metav1ac.LabelSelector().WithMatchLabels(map[string]string{corev1.LabelMetadataName: operatorNamespace})).
		WithPodSelector(metav1ac.LabelSelector().WithMatchLabels(map[string]string{
			names.NameLabel: names.Name, names.ComponentLabel: names.ComponentOperator,
		}))
	return networkingv1ac.NetworkPolicy(names.Ledger(ledger.Name), ledger.Namespace).
		WithLabels(labels(ledger)).WithOwnerReferences(owner(ledger)).
		WithSpec(networkingv1ac.NetworkPolicySpec().
			WithPodSelector(metav1ac.LabelSelector().WithMatchLabels(selector(ledger))).
			WithPolicyTypes(networkingv1.PolicyTypeIngress).
			WithIngress(networkingv1ac.NetworkPolicyIngressRule().
				WithFrom(workers, operator).
				WithPorts(networkingv1ac.NetworkPolicyPort().WithProtocol(corev1.ProtocolTCP).WithPort(intstr.FromInt32(names.LedgerPort)))))
}

// buildTrust publishes the certificates of the ledger's authority to the ledger and its workers.
func buildTrust(ledger *v1alpha1.ComplaintLedger, certificates []byte) *corev1ac.ConfigMapApplyConfiguration {
	return corev1ac.ConfigMap(names.LedgerTrust(ledger.Name), ledger.Namespace).
		WithLabels(labels(ledger)).WithOwnerReferences(owner(ledger)).
		WithData(map[string]string{names.TrustKey: string(certificates)})
}

// buildAuthority holds the keys of the ledger's authority.
func buildAuthority(ledger *v1alpha1.ComplaintLedger, data map[string][]byte) *corev1ac.SecretApplyConfiguration {
	return corev1ac.Secret(names.LedgerAuthority(ledger.Name), ledger.Namespace).
		WithLabels(labels(ledger)).WithOwnerReferences(owner(ledger)).
		WithType(corev1.SecretTypeOpaque).WithData(data)
}

// buildServing holds the ledger's server certificate.
func buildServing(ledger *v1alpha1.ComplaintLedger, certificate, key []byte) *corev1ac.SecretApplyConfiguration {
	return corev1ac.Secret(names.LedgerServing(ledger.Name), ledger.Namespace).
		WithLabels(labels(ledger)).WithOwnerReferences(owner(ledger)).
		WithType(corev1.SecretTypeTLS).
		WithData(map[string][]byte{corev1.TLSCertKey: certificate, corev1.TLSPrivateKeyKey: key})
}

// buildStatefulSet runs the ledger on a volume of its own, which outlives the StatefulSet: what
// citizens reported is not deleted with a manifest. Another pseudonym key is another pod template, as the
// ledger reads it when it starts.
func buildStatefulSet(ledger *v1alpha1.ComplaintLedger, image, pseudonymHash string) *appsv1ac.StatefulSetApplyConfiguration {
	return appsv1ac.StatefulSet(names.Ledger(ledger.Name), ledger.Namespace).
		WithLabels(labels(ledger)).WithOwnerReferences(owner(ledger)).
		WithSpec(appsv1ac.StatefulSetSpec().
			WithReplicas(1).
			// Of a single replica this says only that a pod which does not become ready is replaced by a pod of the
			// next template, and not waited for: an upgrade that failed is mended by another image.
			WithPodManagementPolicy(appsv1.ParallelPodManagement).
			WithServiceName(names.Ledger(ledger.Name)).
			WithRevisionHistoryLimit(2).
			WithSelector(metav1ac.LabelSelector().WithMatchLabels(selector(ledger))).
			WithVolumeClaimTemplates(claim(ledger)).
			WithTemplate(corev1ac.PodTemplateSpec().
				WithLabels(labels(ledger)).
				WithAnnotations(map[string]string{names.CredentialsHash: pseudonymHash}).
				WithSpec(podSpec(ledger, container(ledger, image, []string{"--data=" + dataDir}).
					WithVolumeMounts(corev1ac.VolumeMount().WithName(dataVolume).WithMountPath(dataDir))))))
}

func claim(ledger *v1alpha1.ComplaintLedger) *corev1ac.PersistentVolumeClaimApplyConfiguration {
	size := resource.MustParse(defaultSize)
	spec := corev1ac.PersistentVolumeClaimSpec().WithAccessModes(corev1.ReadWriteOnce)
	if embedded := ledger.Spec.Storage.Embedded; embedded != nil {
		if embedded.Size != nil {
			size = *embedded.Size
		}
		if embedded.StorageClassName != nil {
			spec.WithStorageClassName(*embedded.StorageClassName)
		}
	}
	spec.WithResources(corev1ac.VolumeResourceRequirements().WithRequests(corev1.ResourceList{corev1.ResourceStorage: size}))
	template := corev1ac.PersistentVolumeClaim(dataVolume, "").WithLabels(selector(ledger)).WithSpec(spec)
	// A template is no object: its namespace is the StatefulSet's, its kind is known.
	template.Namespace, template.APIVersion, template.Kind = nil, nil, nil
	return template
}

func podSpec(ledger *v1alpha1.ComplaintLedger, ledgers *corev1ac.ContainerApplyConfiguration) *corev1ac.PodSpecApplyConfiguration {
	return corev1ac.PodSpec().
		WithServiceAccountName(names.Ledger(ledger.Name)).
		WithEnableServiceLinks(false).
		WithTerminationGracePeriodSeconds(60).
		WithSecurityContext(pods.Security()).
		WithContainers(ledgers).
		WithVolumes(
			corev1ac.Volume().WithName("serving").WithSecret(corev1ac.SecretVolumeSource().
				WithSecretName(names.LedgerServing(ledger.Name)).WithDefaultMode(0o440)),
			corev1ac.Volume().WithName("ca").WithConfigMap(corev1ac.ConfigMapVolumeSource().
				WithName(names.LedgerTrust(ledger.Name))),
			corev1ac.Volume().WithName("pseudonym").WithSecret(corev1ac.SecretVolumeSource().
				WithSecretName(names.LedgerPseudonym(ledger.Name)).WithDefaultMode(0o440)),
			corev1ac.Volume().WithName("admin").WithEmptyDir(corev1ac.EmptyDirVolumeSource().
				WithMedium(corev1.StorageMediumMemory).WithSizeLimit(resource.MustParse("1Mi"))),
		)
}

// container runs the ledger on the storage that the arguments say.
func container(ledger *v1alpha1.ComplaintLedger, image string, storage []string) *corev1ac.ContainerApplyConfiguration {
	return corev1ac.Container().
		WithName("ledger").
		WithImage(image).
		WithArgs("ledger",
			"--listen=$(POD_IP):8443",
			"--health-listen=$(POD_IP):8081").
		WithArgs(storage...).
		WithArgs(
			"--tls-cert="+servingDir+"/"+corev1.TLSCertKey,
			"--tls-key="+servingDir+"/"+corev1.TLSPrivateKeyKey,
			"--client-ca="+trustDir+"/"+names.TrustKey,
			"--pseudonym-key="+pseudonymDir+"/"+names.PseudonymKey,
			// `tanggap ledger erase` in the pod asks here.
			"--admin-socket="+adminDir+"/ledger.sock",
		).
		WithEnv(pods.Environment()...).
		WithPorts(pods.Port(apiPortName, names.LedgerPort), pods.Port(pods.HealthPortName, names.HealthPort)).
		WithSecurityContext(pods.ContainerSecurity()).
		WithResources(pods.Resources(ledger.Spec.Resources,
			corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("256Mi")},
			corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("2Gi")})).
		// Reading a large log at start may take minutes; it must not be killed for it.
		WithStartupProbe(pods.Probe("/healthz", 2, 300)).
		WithLivenessProbe(pods.Probe("/healthz", 10, 6)).
		WithReadinessProbe(pods.Probe("/readyz", 2, 3)).
		WithVolumeMounts(mount("serving", servingDir), mount("ca", trustDir), mount("pseudonym", pseudonymDir),
			corev1ac.VolumeMount().WithName("admin").WithMountPath(adminDir))
}

func mount(name, path string) *corev1ac.VolumeMountApplyConfiguration {
	return corev1ac.VolumeMount().WithName(name).WithMountPath(path).WithReadOnly(true)
}

// buildTokenReviewBinding lets every ledger ask the API server whose token a worker presents. It has no
// owner, as an object of the whole cluster cannot have one in a namespace.
func buildTokenReviewBinding(ledgers []types.NamespacedName) *rbacv1ac.ClusterRoleBindingApplyConfiguration {
	binding := rbacv1ac.ClusterRoleBinding(names.TokenReviewBinding).
		WithLabels(map[string]string{names.NameLabel: names.Name, names.ManagedByLabel: names.ManagedBy}).
		WithRoleRef(rbacv1ac.RoleRef().WithAPIGroup(rbacv1.GroupName).WithKind("ClusterRole").WithName(names.TokenReviewRole))
	slices.SortFunc(ledgers, func(a, b types.NamespacedName) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	for _, ledger := range ledgers {
		binding.WithSubjects(rbacv1ac.Subject().WithKind(rbacv1.ServiceAccountKind).
			WithNamespace(ledger.Namespace).WithName(names.Ledger(ledger.Name)))
	}
	return binding
}
