// Package install tests that config/default installs as the documentation says: every object is
// accepted by a real API server, the operator's pod passes Pod Security restricted, and each role
// allows what it is for.
package install

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/go-logr/logr"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/tanggap/tanggap/test/controlplane"
)

const namespace = "tanggap-system"

func TestMain(m *testing.M) {
	ctrllog.SetLogger(logr.Discard())
	os.Exit(m.Run())
}

// install applies config/default to a new control plane with kubectl, as a platform team does.
func install(t *testing.T) *controlplane.ControlPlane {
	t.Helper()
	plane, err := controlplane.Start(t.Context(), controlplane.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := plane.Stop(); err != nil {
			t.Errorf("stopping the control plane: %v", err)
		}
	})
	kubectl(t, plane, "apply", "--server-side", "-k", "../../config/default")
	return plane
}

// kubectl runs kubectl as the administrator, which must not even warn.
func kubectl(t *testing.T, plane *controlplane.ControlPlane, arguments ...string) string {
	t.Helper()
	var output, complaints bytes.Buffer
	command := exec.CommandContext(t.Context(), plane.KubectlPath(), append([]string{"--kubeconfig", plane.KubeconfigPath()}, arguments...)...)
	command.Stdout, command.Stderr = &output, &complaints
	if err := command.Run(); err != nil {
		t.Fatalf("kubectl %s: %v: %s", strings.Join(arguments, " "), err, complaints.String())
	}
	if complaints.Len() > 0 {
		t.Errorf("kubectl %s warned: %s", strings.Join(arguments, " "), complaints.String())
	}
	return output.String()
}

// warnings collects what the API server warns about.
type warnings []string

func (w *warnings) HandleWarningHeader(_ int, _, text string) { *w = append(*w, text) }

func TestDefaultInstallation(t *testing.T) {
	config := install(t).Config()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	operator, err := client.AppsV1().Deployments(namespace).Get(t.Context(), "tanggap-operator", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}

	t.Run("the operator starts workers and ledgers from its own image", func(t *testing.T) {
		container := operator.Spec.Template.Spec.Containers[0]
		want := []corev1.EnvVar{{Name: "TANGGAP_IMAGE", Value: container.Image}}
		if diff := cmp.Diff(want, container.Env[:1]); diff != "" {
			t.Errorf("environment (-want +got):\n%s", diff)
		}
	})
	t.Run("the operator's pod is admitted under Pod Security restricted without a warning", func(t *testing.T) {
		createPod(t, config, operator)
	})
	t.Run("service, budget and network policy select the operator's pods", func(t *testing.T) {
		checkSelectors(t, client, labels.Set(operator.Spec.Template.Labels))
	})
	t.Run("each service account may do what its role is for and no more", func(t *testing.T) {
		checkAccess(t, client)
	})
}

// createPod creates a pod from the Deployment's template, as its controller would.
func createPod(t *testing.T, config *rest.Config, operator *appsv1.Deployment) {
	t.Helper()
	var warned warnings
	config = rest.CopyConfig(config)
	config.WarningHandler = &warned
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "probe", Labels: operator.Spec.Template.Labels},
		Spec:       operator.Spec.Template.Spec,
	}
	if _, err := client.CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Error(err)
	}
	if len(warned) > 0 {
		t.Errorf("warnings: %q", warned)
	}

	pod.Name, pod.Spec.SecurityContext = "unsafe", nil
	if _, err := client.CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{}); err == nil {
		t.Error("a pod without a security context was admitted: the namespace is not restricted")
	}
}

func checkSelectors(t *testing.T, client kubernetes.Interface, pod labels.Set) {
	t.Helper()
	service, err := client.CoreV1().Services(namespace).Get(t.Context(), "tanggap-operator-metrics", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	budget, err := client.PolicyV1().PodDisruptionBudgets(namespace).Get(t.Context(), "tanggap-operator", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	policy, err := client.NetworkingV1().NetworkPolicies(namespace).Get(t.Context(), "tanggap-operator", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, selector := range map[string]map[string]string{
		"service": service.Spec.Selector, "budget": budget.Spec.Selector.MatchLabels, "policy": policy.Spec.PodSelector.MatchLabels,
	} {
		if len(selector) == 0 || !labels.SelectorFromSet(selector).Matches(pod) {
			t.Errorf("%s selects %v, the pods are %v", name, selector, pod)
		}
	}
}

func checkAccess(t *testing.T, client kubernetes.Interface) {
	t.Helper()
	operator := "system:serviceaccount:" + namespace + ":tanggap-operator"
	tests := map[string]struct {
		group, resource, namespace, verb string
		name                             string // any, if empty
		want                             bool
	}{
		"takes the lead":                      {group: "coordination.k8s.io", resource: "leases", namespace: namespace, verb: "update", want: true},
		"takes the lead of nobody else":       {group: "coordination.k8s.io", resource: "leases", namespace: "kube-system", verb: "update"},
		"asks who scrapes":                    {group: "authentication.k8s.io", resource: "tokenreviews", verb: "create", want: true},
		"asks whether the scraper may":        {group: "authorization.k8s.io", resource: "subjectaccessreviews", verb: "create", want: true},
		"reads the channels everywhere":       {group: "tanggap.dev", resource: "complaintchannels", verb: "watch", want: true},
		"writes status everywhere":            {group: "tanggap.dev", resource: "complaintchannels/status", verb: "patch", want: true},
		"deletes nobody's channels":           {group: "tanggap.dev", resource: "complaintchannels", verb: "delete"},
		"makes itself no administrator":       {group: "rbac.authorization.k8s.io", resource: "clusterroles", verb: "create"},
		"binds the ledgers' role":             {group: "rbac.authorization.k8s.io", resource: "clusterroles", verb: "bind", name: "tanggap-ledger", want: true},
		"binds no other role":                 {group: "rbac.authorization.k8s.io", resource: "clusterroles", verb: "bind", name: "cluster-admin"},
		"makes no binding but the ledgers'":   {group: "rbac.authorization.k8s.io", resource: "clusterrolebindings", verb: "create", name: "other"},
		"runs nothing in other people's pods": {resource: "pods/exec", verb: "create"},
	}
	for name, test := range tests {
		t.Run("the operator "+name, func(t *testing.T) {
			resource, subresource, _ := strings.Cut(test.resource, "/")
			review, err := client.AuthorizationV1().SubjectAccessReviews().Create(t.Context(), &authorizationv1.SubjectAccessReview{
				Spec: authorizationv1.SubjectAccessReviewSpec{
					User: operator,
					ResourceAttributes: &authorizationv1.ResourceAttributes{
						Group: test.group, Resource: resource, Subresource: subresource, Namespace: test.namespace, Verb: test.verb, Name: test.name,
					},
				},
			}, metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if review.Status.Allowed != test.want {
				t.Errorf("got allowed=%t, want %t", review.Status.Allowed, test.want)
			}
		})
	}
}
