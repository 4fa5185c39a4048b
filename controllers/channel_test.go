package controllers_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

const (
	yes     = metav1.ConditionTrue
	no      = metav1.ConditionFalse
	unknown = metav1.ConditionUnknown
)

func TestWhatAChannelRefersToMayComeLater(t *testing.T) {
	namespace := city(t, "later")
	operate(t, namespace)
	apply(t, namespace, portalManifest("dsw", "dsw", "token", ""))
	missing := func(reason, what string) {
		t.Helper()
		eventually(t, "missing "+what, func() string {
			message := channelHas(t, namespace, "dsw", v1alpha1.ConditionAccepted, no, reason)
			if !strings.Contains(message, what) {
				return message
			}
			return ""
		})
	}
	missing(v1alpha1.ReasonReferenceNotFound, `spec.ledgerRef: there is no ComplaintLedger "ledger"`)
	channelHas(t, namespace, "dsw", v1alpha1.ConditionReady, no, v1alpha1.ReasonNotAccepted)
	apply(t, namespace, ledgerManifest)
	missing(v1alpha1.ReasonReferenceNotFound, `spec.source.rest.auth.bearer.tokenSecretRef: there is no Secret "dsw"`)
	apply(t, namespace, secretManifest("dsw", map[string]string{"wrong": "x", "empty": ""}))
	missing(v1alpha1.ReasonReferenceNotFound, `the Secret "dsw" has no key "token", or it is empty`)
	apply(t, namespace, secretManifest("dsw", map[string]string{"token": "s3cret-value"}))
	missing(v1alpha1.ReasonReferenceNotFound, `spec.taxonomyRef: there is no ComplaintTaxonomy "depok"`)
	apply(t, namespace, taxonomyManifest)
	missing(v1alpha1.ReasonReferenceNotFound, `spec.slaRef: there is no ResponseSLA "city"`)
	if exists(t, namespace, "dsw-worker", &appsv1.Deployment{}) {
		t.Error("a channel that was never accepted has a worker")
	}
	apply(t, namespace, slaManifest)
	missing(v1alpha1.ReasonReferenceNotAccepted, `the ResponseSLA "city" is not accepted`)
	if message := slaHas(t, namespace, "city", v1alpha1.ConditionAccepted, no, v1alpha1.ReasonReferenceNotFound); !strings.Contains(message, `spec.calendarRef: there is no WorkCalendar "office"`) {
		t.Errorf("the SLA says %q", message)
	}
	apply(t, namespace, calendarManifest)
	channelHas(t, namespace, "dsw", v1alpha1.ConditionAccepted, yes, v1alpha1.ReasonAccepted)
	slaHas(t, namespace, "city", v1alpha1.ConditionAccepted, yes, v1alpha1.ReasonAccepted)

	channelHas(t, namespace, "dsw", v1alpha1.ConditionWorkerAvailable, no, v1alpha1.ReasonDeploymentUnavailable)
	available(t, namespace, "dsw", corev1.ConditionTrue)
	channelHas(t, namespace, "dsw", v1alpha1.ConditionReady, yes, v1alpha1.ReasonReady)
	channelHas(t, namespace, "dsw", v1alpha1.ConditionSourceConnected, unknown, v1alpha1.ReasonNotReported)
	available(t, namespace, "dsw", corev1.ConditionFalse)
	channelHas(t, namespace, "dsw", v1alpha1.ConditionReady, no, v1alpha1.ReasonDeploymentUnavailable)

	for _, object := range []client.Object{&appsv1.Deployment{}, &corev1.ServiceAccount{}, &corev1.ConfigMap{}, &networkingv1.NetworkPolicy{}} {
		owner := metav1.GetControllerOf(get(t, namespace, "dsw-worker", object))
		if owner == nil || owner.Kind != "ComplaintChannel" || owner.Name != "dsw" {
			t.Errorf("%T is owned by %v, so it does not go with its channel", object, owner)
		}
	}
	if exists(t, namespace, "dsw-worker", &corev1.Service{}) {
		t.Error("a polled channel has a Service")
	}
	if config := get(t, namespace, "dsw-worker", &corev1.ConfigMap{}).Data["config.json"]; strings.Contains(config, "s3cret") {
		t.Error("the configuration holds a secret")
	}
}

func TestAChangedSecretRestartsJustTheWorkersThatUseTheChangedKeys(t *testing.T) {
	namespace := city(t, "rotation")
	operate(t, namespace)
	furnish(t, namespace)
	apply(t, namespace, secretManifest("shared", map[string]string{"one": "a", "two": "b", "unused": "c"}))
	apply(t, namespace, portalManifest("first", "shared", "one", "")+"\n---\n"+portalManifest("second", "shared", "two", ""))
	first, second := deployed(t, namespace, "first"), deployed(t, namespace, "second")

	apply(t, namespace, secretManifest("shared", map[string]string{"one": "a", "two": "b", "unused": "changed"}))
	apply(t, namespace, secretManifest("shared", map[string]string{"one": "rotated", "two": "b", "unused": "changed"}))
	eventually(t, "the worker that uses the key is restarted", func() string {
		if deployed(t, namespace, "first").Generation == first.Generation {
			return "its pod template is the same"
		}
		return ""
	})
	if again := deployed(t, namespace, "second"); again.Generation != second.Generation {
		t.Error("the worker that uses another key is restarted too")
	}
	if changed := deployed(t, namespace, "first").Generation - first.Generation; changed != 1 {
		t.Errorf("the Deployment was changed %d times", changed)
	}

	// Gone is not changed: the worker goes on with what it has, and its channel says what is missing.
	before := deployed(t, namespace, "second").Generation
	if err := admin.Delete(t.Context(), get(t, namespace, "shared", &corev1.Secret{})); err != nil {
		t.Fatal(err)
	}
	channelHas(t, namespace, "second", v1alpha1.ConditionAccepted, no, v1alpha1.ReasonReferenceNotFound)
	if deployed(t, namespace, "second").Generation != before {
		t.Error("the worker of a channel whose Secret is gone was changed")
	}
}

func TestSuspend(t *testing.T) {
	namespace := portalCity(t, "suspension")
	deployed(t, namespace, "dsw")
	available(t, namespace, "dsw", corev1.ConditionTrue)
	channelHas(t, namespace, "dsw", v1alpha1.ConditionReady, yes, v1alpha1.ReasonReady)

	replicas := func(want int32) {
		t.Helper()
		eventually(t, "the worker's replicas", func() string {
			if got := *deployed(t, namespace, "dsw").Spec.Replicas; got != want {
				return fmt.Sprintf("there are %d", got)
			}
			return ""
		})
	}
	replicas(1)
	apply(t, namespace, portalManifest("dsw", "dsw", "token", "suspend: true"))
	replicas(0)
	channelHas(t, namespace, "dsw", v1alpha1.ConditionReady, no, v1alpha1.ReasonSuspended)
	channelHas(t, namespace, "dsw", v1alpha1.ConditionSourceConnected, unknown, v1alpha1.ReasonSuspended)
	channelHas(t, namespace, "dsw", v1alpha1.ConditionAccepted, yes, v1alpha1.ReasonAccepted)
	apply(t, namespace, portalManifest("dsw", "dsw", "token", "suspend: false"))
	replicas(1)
	channelHas(t, namespace, "dsw", v1alpha1.ConditionReady, yes, v1alpha1.ReasonReady)

	// To suspend works even when nothing else of the specification does.
	apply(t, namespace, portalManifest("dsw", "other", "token", "suspend: true"))
	eventually(t, "the worker of a channel that is suspended and invalid", func() string {
		if exists(t, namespace, "dsw-worker", &appsv1.Deployment{}) {
			return "is still there"
		}
		return ""
	})
}

func TestAPushedChannel(t *testing.T) {
	namespace := city(t, "pushed")
	operate(t, namespace)
	apply(t, namespace, ledgerManifest+"\n---\n"+hookManifest("hook", "{type: None}"))
	deployment := deployed(t, namespace, "hook")
	channelHas(t, namespace, "hook", v1alpha1.ConditionUnauthenticated, yes, v1alpha1.ReasonVerificationDisabled)
	if got, want := get(t, namespace, "hook", &v1alpha1.ComplaintChannel{}).Status.Endpoint, "http://hook-worker.pushed.svc/hooks/hook"; got != want {
		t.Errorf("the endpoint is %q, want %q", got, want)
	}
	service := get(t, namespace, "hook-worker", &corev1.Service{})
	if service.Spec.Ports[0].Port != 80 || service.Spec.Selector["app.kubernetes.io/instance"] != "hook" {
		t.Errorf("the Service is %+v", service.Spec)
	}

	// An autoscaler's number of replicas is its own.
	before := deployment.DeepCopy()
	deployment.Spec.Replicas = new(int32(5))
	if err := admin.Patch(t.Context(), deployment, client.MergeFrom(before), client.FieldOwner("autoscaler")); err != nil {
		t.Fatal(err)
	}
	apply(t, namespace, secretManifest("hook", map[string]string{"token": "x"}))
	apply(t, namespace, hookManifest("hook", "{type: Bearer, bearer: {tokenSecretRefs: [{name: hook, key: token}]}}"))
	channelHas(t, namespace, "hook", v1alpha1.ConditionUnauthenticated, no, v1alpha1.ReasonVerificationEnabled)
	eventually(t, "the worker gets its token", func() string {
		if sources := deployed(t, namespace, "hook").Spec.Template.Spec.Volumes[1].Projected.Sources; len(sources) != 1 {
			return "it does not"
		}
		return ""
	})
	if got := *deployed(t, namespace, "hook").Spec.Replicas; got != 5 {
		t.Errorf("the autoscaler asked for 5 replicas, there are %d", got)
	}

	// Suspended it has none; resumed it begins with one, and the autoscaler goes on from there.
	replicas := func(want int32) {
		t.Helper()
		eventually(t, "the replicas of a pushed channel", func() string {
			return unless(fmt.Sprint(want), fmt.Sprint(*deployed(t, namespace, "hook").Spec.Replicas))
		})
	}
	apply(t, namespace, strings.Replace(hookManifest("hook", "{type: None}"), "spec:\n", "spec:\n  suspend: true\n", 1))
	replicas(0)
	apply(t, namespace, hookManifest("hook", "{type: None}"))
	replicas(1)

	// A channel that is polled from now on needs no Service.
	apply(t, namespace, calendarManifest+"\n---\n"+taxonomyManifest+"\n---\n"+slaManifest)
	if err := admin.Delete(t.Context(), get(t, namespace, "hook", &v1alpha1.ComplaintChannel{})); err != nil {
		t.Fatal(err)
	}
	apply(t, namespace, portalManifest("hook", "hook", "token", ""))
	eventually(t, "the Service of a channel that polls", func() string {
		if exists(t, namespace, "hook-worker", &corev1.Service{}) {
			return "is still there"
		}
		return ""
	})
}

func TestWhatSomebodyElseChangesIsPutRight(t *testing.T) {
	namespace := portalCity(t, "drift")
	deployment := deployed(t, namespace, "dsw")
	channelHas(t, namespace, "dsw", v1alpha1.ConditionAccepted, yes, "")

	before := deployment.DeepCopy()
	deployment.Spec.Template.Spec.Containers[0].Image = "example.org/evil:latest"
	deployment.Spec.Template.Labels["team"] = "city" // this is nobody's but theirs
	if err := admin.Patch(t.Context(), deployment, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the image", func() string {
		return unless(image, deployed(t, namespace, "dsw").Spec.Template.Spec.Containers[0].Image)
	})
	if deployed(t, namespace, "dsw").Spec.Template.Labels["team"] != "city" {
		t.Error("a label of somebody else was removed")
	}
	if err := admin.Delete(t.Context(), get(t, namespace, "dsw-worker", &networkingv1.NetworkPolicy{})); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the NetworkPolicy that was deleted", func() string {
		if !exists(t, namespace, "dsw-worker", &networkingv1.NetworkPolicy{}) {
			return "is not back"
		}
		return ""
	})
}

// TestAnObjectThatLostItsLabelsIsLabelledAgain, as by these the operator finds its own.
func TestAnObjectThatLostItsLabelsIsLabelledAgain(t *testing.T) {
	namespace := portalCity(t, "unlabelled")
	deployed(t, namespace, "dsw")
	policy := get(t, namespace, "dsw-worker", &networkingv1.NetworkPolicy{})
	before := policy.DeepCopy()
	policy.Labels = nil
	if err := admin.Patch(t.Context(), policy, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the labels", func() string {
		if len(get(t, namespace, "dsw-worker", &networkingv1.NetworkPolicy{}).Labels) == 0 {
			return "are gone"
		}
		return ""
	})
}

// unless is "" if the two are equal.
func unless(want, got string) string {
	if want == got {
		return ""
	}
	return "got " + got + ", want " + want
}

func TestAnObjectOfSomebodyElseIsNotTakenOver(t *testing.T) {
	namespace := city(t, "foreign")
	apply(t, namespace, `
apiVersion: v1
kind: ConfigMap
metadata: {name: dsw-worker}
data: {config.json: "somebody's own"}`)
	operate(t, namespace)
	furnish(t, namespace)
	applyPortal(t, namespace)
	message := channelHas(t, namespace, "dsw", v1alpha1.ConditionWorkerAvailable, no, v1alpha1.ReasonWorkerRefused)
	if !strings.Contains(message, "dsw-worker") || !strings.Contains(message, "conflict") {
		t.Errorf("the condition says %q", message)
	}
	if got := get(t, namespace, "dsw-worker", &corev1.ConfigMap{}).Data["config.json"]; got != "somebody's own" {
		t.Errorf("it holds %q", got)
	}
}

// TestAnObjectOfSomebodyElseIsNotJoined has objects of the names that a worker's have, of which no field is in the way:
// an owner that they were given would take them along when the channel is deleted.
func TestAnObjectOfSomebodyElseIsNotJoined(t *testing.T) {
	namespace := city(t, "joined")
	apply(t, namespace, `
apiVersion: v1
kind: ServiceAccount
metadata: {name: dsw-worker}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: hook-worker}
data: {own: "somebody's"}`)
	operate(t, namespace)
	furnish(t, namespace)
	applyPortal(t, namespace)
	apply(t, namespace, hookManifest("hook", "{type: None}"))
	for name, object := range map[string]client.Object{"dsw": &corev1.ServiceAccount{}, "hook": &corev1.ConfigMap{}} {
		message := channelHas(t, namespace, name, v1alpha1.ConditionWorkerAvailable, no, v1alpha1.ReasonWorkerRefused)
		if !strings.Contains(message, name+"-worker") || !strings.Contains(message, "conflict") {
			t.Errorf("the condition says %q", message)
		}
		if get(t, namespace, name+"-worker", object); len(object.GetOwnerReferences()) > 0 || len(object.GetLabels()) > 0 {
			t.Errorf("%s-worker has the owners %v and the labels %v", name, object.GetOwnerReferences(), object.GetLabels())
		}
	}
}

func TestWhatTheAPIServerRefusesIsSaid(t *testing.T) {
	namespace := city(t, "refused")
	operate(t, namespace)
	furnish(t, namespace)
	limits := "worker: {resources: {requests: {memory: 2Gi}, limits: {memory: 1Gi}}}"
	apply(t, namespace, secretManifest("dsw", map[string]string{"token": "x"})+"\n---\n"+portalManifest("dsw", "dsw", "token", limits))
	message := channelHas(t, namespace, "dsw", v1alpha1.ConditionWorkerAvailable, no, v1alpha1.ReasonWorkerRefused)
	if !strings.Contains(message, "must be less than or equal to memory limit") {
		t.Errorf("the condition says %q", message)
	}
	apply(t, namespace, portalManifest("dsw", "dsw", "token", "worker: {resources: {limits: {memory: 1Gi}}}"))
	deployed(t, namespace, "dsw")
	want := "The worker's Deployment has too few ready pods; kubectl -n " + namespace +
		" describe pods -l app.kubernetes.io/component=worker,app.kubernetes.io/instance=dsw says why."
	eventually(t, "where to look for why there is no pod", func() string {
		return unless(want, channelHas(t, namespace, "dsw", v1alpha1.ConditionWorkerAvailable, no, v1alpha1.ReasonDeploymentUnavailable))
	})
}

func TestExpressionsOfASourceThatDoNotCompile(t *testing.T) {
	namespace := city(t, "expressions")
	operate(t, namespace)
	furnish(t, namespace)
	broken := strings.Replace(portalManifest("dsw", "dsw", "token", ""), "string(item.id)", `'item.id +\n  +'`, 1)
	apply(t, namespace, broken)
	message := channelHas(t, namespace, "dsw", v1alpha1.ConditionAccepted, no, v1alpha1.ReasonInvalidExpression)
	if !strings.HasPrefix(message, "spec.source.rest.mapping.caseID: line ") || !strings.Contains(message, "column ") {
		t.Errorf("the condition says %q", message)
	}
	apply(t, namespace, portalManifest("zone", "dsw", "token", "assumeTimeZone: Asia/Atlantis"))
	message = channelHas(t, namespace, "zone", v1alpha1.ConditionAccepted, no, v1alpha1.ReasonInvalidSpec)
	if want := `spec.assumeTimeZone: there is no time zone "Asia/Atlantis"`; message != want {
		t.Errorf("the condition says %q, want %q", message, want)
	}
}

func TestWhatAWorkerReportsIsShown(t *testing.T) {
	namespace := portalCity(t, "reports")
	available(t, namespace, "dsw", corev1.ConditionTrue)
	ledger := runLedger(t, namespace, "ledger")
	worker := ledger.runWorker(t, "dsw")
	worker.report(t, ledgerapi.SourceDisconnected, ledgerapi.ReasonUnauthorized, "The portal refuses the token (401).")
	message := channelHas(t, namespace, "dsw", v1alpha1.ConditionSourceConnected, no, "Unauthorized")
	if message != "The portal refuses the token (401)." {
		t.Errorf("the condition says %q", message)
	}
	// What happens to the source at run time is not the readiness of the channel.
	channelHas(t, namespace, "dsw", v1alpha1.ConditionReady, yes, v1alpha1.ReasonReady)
	worker.connected(t)
	channelHas(t, namespace, "dsw", v1alpha1.ConditionSourceConnected, yes, "Connected")

	received := time.Now().Add(-2 * time.Hour).Truncate(time.Second)
	worker.complain(t, 3, received)
	worker.report(t, ledgerapi.SourceUnknown, ledgerapi.ReasonWaitingForFirst, "") // figures show with the next news
	eventually(t, "the figures", func() string {
		status := get(t, namespace, "dsw", &v1alpha1.ComplaintChannel{}).Status
		switch {
		case status.Unanswered == nil || *status.Unanswered != 3 || status.Overdue == nil || *status.Overdue != 3:
			return "unanswered or overdue are not 3"
		case status.OldestUnansweredAt == nil || !status.OldestUnansweredAt.Time.Equal(received):
			return "the oldest is not the one received first"
		case status.LastEventAt == nil:
			return "there is no last event"
		}
		return ""
	})
}
