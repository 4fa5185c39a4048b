package controllers_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/controllers"
)

// rollOut does what the StatefulSet controller does: it says how many pods there are, and how many of the
// latest template.
func rollOut(t *testing.T, namespace, name string, pods, updated int32) {
	t.Helper()
	set := get(t, namespace, name, &appsv1.StatefulSet{})
	before := set.DeepCopy()
	set.Status.ObservedGeneration, set.Status.Replicas, set.Status.UpdatedReplicas = set.Generation, pods, updated
	if err := admin.Status().Patch(t.Context(), set, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
}

func imageOf(template corev1.PodTemplateSpec) string { return template.Spec.Containers[0].Image }

// TestAnUpgradeBringsTheLedgerFirst: no worker of the new version asks a ledger of the old one.
func TestAnUpgradeBringsTheLedgerFirst(t *testing.T) {
	const newer = "example.org/tanggap:newer"
	namespace := city(t, "upgrade")
	old := operate(t, namespace)
	furnish(t, namespace)
	apply(t, namespace, secretManifest("dsw", map[string]string{"token": "x"})+"\n---\n"+
		portalManifest("dsw", "dsw", "token", "")+"\n---\n"+portalManifest("idle", "dsw", "token", ""))
	deployed(t, namespace, "dsw")
	deployed(t, namespace, "idle")
	available(t, namespace, "dsw", corev1.ConditionTrue)
	eventually(t, "the ledger", func() string {
		if !exists(t, namespace, "ledger-ledger", &appsv1.StatefulSet{}) {
			return "there is no StatefulSet"
		}
		return ""
	})
	rollOut(t, namespace, "ledger-ledger", 1, 1)
	channelHas(t, namespace, "dsw", v1alpha1.ConditionWorkerAvailable, yes, v1alpha1.ReasonDeploymentAvailable)
	old.stop()

	operateOn(t, namespace, newer)
	eventually(t, "the ledger's new image", func() string {
		return wantImage(imageOf(get(t, namespace, "ledger-ledger", &appsv1.StatefulSet{}).Spec.Template), newer)
	})
	held := func(when string) {
		t.Helper()
		eventually(t, "the condition of the worker "+when, func() string {
			message := channelHas(t, namespace, "dsw", v1alpha1.ConditionWorkerAvailable, yes, v1alpha1.ReasonDeploymentAvailable)
			if !strings.Contains(message, "once its ledger is of that version") {
				return message
			}
			return ""
		})
		if wrong := wantImage(imageOf(deployed(t, namespace, "dsw").Spec.Template), image); wrong != "" {
			t.Errorf("%s, the worker: %s", when, wrong)
		}
	}
	held("before the ledger is replaced")
	rollOut(t, namespace, "ledger-ledger", 1, 0)
	// A specification that changes meanwhile waits; suspending does not.
	generation := get(t, namespace, "dsw", &v1alpha1.ComplaintChannel{}).Generation
	apply(t, namespace, portalManifest("dsw", "dsw", "token", "assumeTimeZone: Asia/Jakarta")+"\n---\n"+portalManifest("idle", "dsw", "token", "suspend: true"))
	eventually(t, "the suspended worker", func() string {
		if replicas := deployed(t, namespace, "idle").Spec.Replicas; replicas == nil || *replicas != 0 {
			return "it goes on"
		}
		return ""
	})
	held("while the old ledger runs")
	if seen := get(t, namespace, "dsw", &v1alpha1.ComplaintChannel{}).Status.ObservedGeneration; seen > generation {
		t.Errorf("the specification of generation %d is said to be observed, and no worker has it", seen)
	}

	rollOut(t, namespace, "ledger-ledger", 1, 1)
	eventually(t, "the worker's new image", func() string { return wantImage(imageOf(deployed(t, namespace, "dsw").Spec.Template), newer) })
	eventually(t, "the latest specification", func() string {
		if channel := get(t, namespace, "dsw", &v1alpha1.ComplaintChannel{}); channel.Status.ObservedGeneration != channel.Generation {
			return "it is not observed"
		}
		return ""
	})
}

func wantImage(got, want string) string {
	if got != want {
		return "it runs " + got + ", want " + want
	}
	return ""
}

// TestTheOperatorFindsItsDefinitions asks a real API server with the rights that are shipped.
func TestTheOperatorFindsItsDefinitions(t *testing.T) {
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := plane.WriteServiceAccountKubeconfig(t.Context(), operatorNamespace, "tanggap-operator", kubeconfig, time.Hour); err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	log := funcr.New(func(_, message string) { said = append(said, message) }, funcr.Options{})
	if err := controllers.CheckDefinitions(t.Context(), config, time.After, log); err != nil || len(said) > 0 {
		t.Errorf("the definitions that are shipped: %v, and in the log %q", err, said)
	}
}
