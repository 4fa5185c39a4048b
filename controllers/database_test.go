package controllers_test

import (
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/ledger/tlstest"
)

const databaseLedger = `
apiVersion: tanggap.dev/v1alpha1
kind: ComplaintLedger
metadata: {name: ledger}
spec:
  storage:
    type: postgres
    postgres:
      urlSecretRef: {name: db, key: url}
      caSecretRef: {name: db, key: ca.crt}
      replicas: %d
`

// database is the Deployment of a ledger on a database, once it is there.
func database(t *testing.T, namespace string) *appsv1.Deployment {
	t.Helper()
	deployment := &appsv1.Deployment{}
	eventually(t, "the ledger's Deployment", func() string {
		if !exists(t, namespace, "ledger-ledger", deployment) {
			return "is not there"
		}
		return ""
	})
	return deployment
}

func TestALedgerOnADatabase(t *testing.T) {
	namespace := city(t, "database")
	operate(t, namespace)
	apply(t, namespace, fmt.Sprintf(databaseLedger, 3))

	// Nothing runs before there is something to run with.
	message := ledgerHas(t, namespace, "ledger", v1alpha1.ConditionAccepted, no, v1alpha1.ReasonReferenceNotFound)
	if !strings.Contains(message, `spec.storage.postgres.urlSecretRef: there is no Secret "db"`) {
		t.Errorf("the condition says %q", message)
	}
	apply(t, namespace, secretManifest("db", map[string]string{"url": "postgres://u:RAHASIA@h/d"}))
	eventually(t, "the missing key", func() string {
		message := ledgerHas(t, namespace, "ledger", v1alpha1.ConditionAccepted, no, v1alpha1.ReasonReferenceNotFound)
		return unless(`spec.storage.postgres.caSecretRef: the Secret "db" has no key "ca.crt", or it is empty`, message)
	})
	if exists(t, namespace, "ledger-ledger", &appsv1.Deployment{}) {
		t.Error("a ledger runs without its credentials")
	}
	apply(t, namespace, secretManifest("db", map[string]string{"url": "mysql://u:RAHASIA@h/d", "ca.crt": "authority"}))
	message = ledgerHas(t, namespace, "ledger", v1alpha1.ConditionAccepted, no, v1alpha1.ReasonInvalidSpec)
	if !strings.Contains(message, `the key "url" of the Secret "db"`) || strings.Contains(message, "RAHASIA") {
		t.Errorf("the condition says %q", message)
	}
	values := map[string]string{"url": "postgres://u:RAHASIA@h/d", "ca.crt": "authority", "unused": "a"}
	apply(t, namespace, secretManifest("db", values))
	eventually(t, "the authority that is none", func() string {
		message := ledgerHas(t, namespace, "ledger", v1alpha1.ConditionAccepted, no, v1alpha1.ReasonInvalidSpec)
		return unless(`spec.storage.postgres.caSecretRef: the key "ca.crt" of the Secret "db": the authority of the server's certificate must be certificates in PEM, `+
			"which begin with -----BEGIN CERTIFICATE-----", message)
	})
	// One key of a Secret may be wrong for the one and right for the other.
	apply(t, namespace, `
apiVersion: tanggap.dev/v1alpha1
kind: ComplaintLedger
metadata: {name: same}
spec: {storage: {type: postgres, postgres: {urlSecretRef: {name: db, key: url}, caSecretRef: {name: db, key: url}}}}`)
	if message := ledgerHas(t, namespace, "same", v1alpha1.ConditionAccepted, no, v1alpha1.ReasonInvalidSpec); !strings.Contains(message, "spec.storage.postgres.caSecretRef") {
		t.Errorf("the condition says %q", message)
	}
	values["ca.crt"] = string(tlstest.New(t).PEM)
	apply(t, namespace, secretManifest("db", values))
	deployment := database(t, namespace)
	ledgerHas(t, namespace, "ledger", v1alpha1.ConditionAccepted, yes, v1alpha1.ReasonAccepted)
	if *deployment.Spec.Replicas != 3 || exists(t, namespace, "ledger-ledger", &appsv1.StatefulSet{}) {
		t.Errorf("there are %d replicas, or a StatefulSet too", *deployment.Spec.Replicas)
	}
	budget := get(t, namespace, "ledger-ledger", &policyv1.PodDisruptionBudget{})
	for key, value := range budget.Spec.Selector.MatchLabels {
		if deployment.Spec.Template.Labels[key] != value {
			t.Errorf("the budget selects pods of %s=%s, which the ledger's are not", key, value)
		}
	}
	if strings.Contains(deployment.String(), "RAHASIA") {
		t.Error("a credential stands in the Deployment")
	}

	// What is used and changes restarts the ledger, and nothing else does.
	values["unused"] = "b"
	apply(t, namespace, secretManifest("db", values))
	values["url"] = "postgres://u:ROTATED@h/d"
	apply(t, namespace, secretManifest("db", values))
	eventually(t, "the ledger with a rotated password", func() string {
		if database(t, namespace).Generation == deployment.Generation {
			return "is not restarted"
		}
		return ""
	})
	if again := database(t, namespace).Generation; again != deployment.Generation+1 {
		t.Errorf("the Deployment was changed %d times", again-deployment.Generation)
	}
	apply(t, namespace, fmt.Sprintf(databaseLedger, 5))
	eventually(t, "more replicas", func() string {
		if n := *database(t, namespace).Spec.Replicas; n != 5 {
			return fmt.Sprintf("there are %d", n)
		}
		return ""
	})

	// Gone is not changed: the ledger goes on with what it has.
	before := database(t, namespace).Generation
	if err := admin.Delete(t.Context(), get(t, namespace, "db", &corev1.Secret{})); err != nil {
		t.Fatal(err)
	}
	ledgerHas(t, namespace, "ledger", v1alpha1.ConditionReady, no, v1alpha1.ReasonNotAccepted)
	if database(t, namespace).Generation != before {
		t.Error("the ledger whose Secret is gone was changed")
	}
}
