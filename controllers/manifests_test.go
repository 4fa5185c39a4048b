package controllers_test

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tanggap/tanggap/api/v1alpha1"
)

const ledgerManifest = `
apiVersion: tanggap.dev/v1alpha1
kind: ComplaintLedger
metadata: {name: ledger}
spec: {}
`

const calendarManifest = `
apiVersion: tanggap.dev/v1alpha1
kind: WorkCalendar
metadata: {name: office}
spec:
  timeZone: Asia/Jakarta
  weekly: [{days: [Monday, Tuesday, Wednesday, Thursday, Friday], hours: [{start: "08:00", end: "16:00"}]}]
  coversUntil: "2026-12-31"
`

const taxonomyManifest = `
apiVersion: tanggap.dev/v1alpha1
kind: ComplaintTaxonomy
metadata: {name: depok}
spec:
  departments: [{name: dpupr}]
  categories: [{name: flood, department: dpupr, keywords: [banjir]}]
`

const slaManifest = `
apiVersion: tanggap.dev/v1alpha1
kind: ResponseSLA
metadata: {name: city}
spec:
  calendarRef: {name: office}
  objective: {ratio: "0.95", window: 720h}
  rules:
    - name: all
      clocks: [{name: answer, measures: FirstAnswer, target: {within: 1h}}, {name: resolution, measures: FirstResolution, target: {workingDays: 3}}]
`

// brokenSLAManifest has an expression that does not compile.
const brokenSLAManifest = `
apiVersion: tanggap.dev/v1alpha1
kind: ResponseSLA
metadata: {name: city}
spec:
  calendarRef: {name: office}
  rules:
    - name: all
      match: "complaint.category ==\n  nonsense"
      clocks: [{name: answer, measures: FirstAnswer, target: {within: 1h}}]
`

// portalManifest is a polled channel; extra are further lines of its spec.
func portalManifest(name, secret, key, extra string) string {
	return fmt.Sprintf(`
apiVersion: tanggap.dev/v1alpha1
kind: ComplaintChannel
metadata: {name: %s}
spec:
  slaRef: {name: city}
  taxonomyRef: {name: depok}
  %s
  source:
    type: rest
    rest:
      url: https://portal.example/complaints
      auth: {type: Bearer, bearer: {tokenSecretRef: {name: %s, key: %s}}}
      mapping:
        caseID: string(item.id)
        events: [{kind: Received, at: item.created}]
`, name, extra, secret, key)
}

// hookManifest is a pushed channel.
func hookManifest(name, verification string) string {
	return fmt.Sprintf(`
apiVersion: tanggap.dev/v1alpha1
kind: ComplaintChannel
metadata: {name: %s}
spec:
  source:
    type: webhook
    webhook:
      verification: %s
      mapping:
        caseID: string(item.id)
        events: [{kind: Received, at: item.created}]
`, name, verification)
}

func secretManifest(name string, data map[string]string) string {
	manifest := "apiVersion: v1\nkind: Secret\nmetadata: {name: " + name + "}\nstringData:\n"
	for key, value := range data {
		manifest += fmt.Sprintf("  %s: %q\n", key, value)
	}
	return manifest
}

// furnish applies everything a channel needs but its Secret.
func furnish(t *testing.T, namespace string) {
	t.Helper()
	apply(t, namespace, ledgerManifest+"\n---\n"+calendarManifest+"\n---\n"+taxonomyManifest+"\n---\n"+slaManifest)
}

// condition says what is wrong with a condition, "" when it is as wanted; an empty reason is any.
func condition(list []metav1.Condition, generation int64, kind string, status metav1.ConditionStatus, reason string) string {
	c := meta.FindStatusCondition(list, kind)
	switch {
	case c == nil:
		return "there is no condition " + kind
	case c.Status != status || reason != "" && c.Reason != reason:
		return fmt.Sprintf("%s is %s, %s: %s", kind, c.Status, c.Reason, c.Message)
	case c.ObservedGeneration != generation:
		return fmt.Sprintf("%s speaks of generation %d of %d", kind, c.ObservedGeneration, generation)
	}
	return ""
}

// channelHas waits for a condition of a channel and returns its message.
func channelHas(t *testing.T, namespace, name, kind string, status metav1.ConditionStatus, reason string) string {
	t.Helper()
	var message string
	eventually(t, fmt.Sprintf("channel %s should be %s=%s, %s", name, kind, status, reason), func() string {
		channel := get(t, namespace, name, &v1alpha1.ComplaintChannel{})
		wrong := condition(channel.Status.Conditions, channel.Generation, kind, status, reason)
		if wrong == "" {
			message = meta.FindStatusCondition(channel.Status.Conditions, kind).Message
		}
		return wrong
	})
	return message
}

// slaHas waits for a condition of an SLA and returns its message.
func slaHas(t *testing.T, namespace, name, kind string, status metav1.ConditionStatus, reason string) string {
	t.Helper()
	var message string
	eventually(t, fmt.Sprintf("SLA %s should be %s=%s, %s", name, kind, status, reason), func() string {
		sla := get(t, namespace, name, &v1alpha1.ResponseSLA{})
		wrong := condition(sla.Status.Conditions, sla.Generation, kind, status, reason)
		if wrong == "" {
			message = meta.FindStatusCondition(sla.Status.Conditions, kind).Message
		}
		return wrong
	})
	return message
}

// ledgerHas waits for a condition of a ledger and returns its message.
func ledgerHas(t *testing.T, namespace, name, kind string, status metav1.ConditionStatus, reason string) string {
	t.Helper()
	var message string
	eventually(t, fmt.Sprintf("ledger %s should be %s=%s, %s", name, kind, status, reason), func() string {
		ledger := get(t, namespace, name, &v1alpha1.ComplaintLedger{})
		wrong := condition(ledger.Status.Conditions, ledger.Generation, kind, status, reason)
		if wrong == "" {
			message = meta.FindStatusCondition(ledger.Status.Conditions, kind).Message
		}
		return wrong
	})
	return message
}

// deployed waits for the Deployment of a channel's worker.
func deployed(t *testing.T, namespace, channel string) *appsv1.Deployment {
	t.Helper()
	deployment := &appsv1.Deployment{}
	eventually(t, "the worker of "+channel, func() string {
		if !exists(t, namespace, channel+"-worker", deployment) {
			return "there is no Deployment"
		}
		return ""
	})
	return deployment
}

// available says of a worker's Deployment what the Deployment controller would.
func available(t *testing.T, namespace, channel string, status corev1.ConditionStatus) {
	t.Helper()
	deployment := deployed(t, namespace, channel)
	before := deployment.DeepCopy()
	deployment.Status.ObservedGeneration = deployment.Generation
	deployment.Status.Conditions = []appsv1.DeploymentCondition{{
		Type: appsv1.DeploymentAvailable, Status: status, Reason: "Test", LastUpdateTime: metav1.Now(), LastTransitionTime: metav1.Now(),
	}}
	if err := admin.Status().Patch(t.Context(), deployment, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
}

func parseCertificate(t *testing.T, content []byte) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(content)
	if block == nil {
		t.Fatal("there is no certificate")
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// portalCity is a city's namespace with an operator and a portal.
func portalCity(t *testing.T, name string) (namespace string) {
	t.Helper()
	namespace = city(t, name)
	operate(t, namespace)
	furnish(t, namespace)
	applyPortal(t, namespace)
	return namespace
}

// applyPortal makes the channel dsw of a portal, with its Secret.
func applyPortal(t *testing.T, namespace string) {
	t.Helper()
	apply(t, namespace, secretManifest("dsw", map[string]string{"token": "x"})+"\n---\n"+portalManifest("dsw", "dsw", "token", ""))
}
