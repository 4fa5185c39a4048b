package controllers_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/controllers/complaintchannel"
	"github.com/tanggap/tanggap/controllers/internal/judge"
	"github.com/tanggap/tanggap/controllers/internal/ledgers"
	"github.com/tanggap/tanggap/controllers/internal/secrets"
)

// lagging is a cache that has not heard of what was written to a channel since it was read.
type lagging struct {
	client.Client
	channel *v1alpha1.ComplaintChannel
}

// Get implements client.Reader.
func (l *lagging) Get(ctx context.Context, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
	if channel, ok := into.(*v1alpha1.ComplaintChannel); ok && l.channel != nil {
		l.channel.DeepCopyInto(channel)
		return nil
	}
	return l.Client.Get(ctx, key, into, options...)
}

// reconcilerOf is the reconciler of channels, for passes that a test makes itself.
func reconcilerOf(c client.Client, recorder events.EventRecorder, clock *clock) *complaintchannel.Reconciler {
	return &complaintchannel.Reconciler{
		Client: c, Live: admin, Judge: judge.New(func(*v1alpha1.ComplaintChannel) error { return nil }),
		Ledgers:  ledgers.New(ledgers.Options{Dial: ledgers.Dial, Now: clock.now, After: time.After, Logger: logr.Discard()}),
		Digests:  secrets.NewReader[secrets.Digests](c, admin),
		HashKeys: secrets.NewReader[[]byte](c, admin),
		Recorder: recorder, Image: image, Now: clock.now,
	}
}

// unwritable is an API server that takes no status.
type unwritable struct{ client.Client }

// Status implements client.StatusClient.
func (unwritable) Status() client.SubResourceWriter { return noStatus{} }

type noStatus struct{ client.SubResourceWriter }

// Apply implements client.SubResourceWriter.
func (noStatus) Apply(context.Context, runtime.ApplyConfiguration, ...client.SubResourceApplyOption) error {
	return apierrors.NewInternalError(errors.New("injected"))
}

// TestAStatusThatWasNotTakenIsWrittenAgain has an object be refused for good, which is not tried again by itself.
func TestAStatusThatWasNotTakenIsWrittenAgain(t *testing.T) {
	namespace := city(t, "unwritten")
	o := operate(t, namespace)
	furnish(t, namespace)
	eventually(t, "the ledger's authority", func() string {
		if !exists(t, namespace, "ledger-ledger-authority", &corev1.Secret{}) {
			return "is not there"
		}
		return ""
	})
	o.stop()
	limits := "worker: {resources: {requests: {memory: 2Gi}, limits: {memory: 1Gi}}}"
	apply(t, namespace, secretManifest("dsw", map[string]string{"token": "x"})+"\n---\n"+portalManifest("dsw", "dsw", "token", limits))
	request := ctrl.Request{NamespacedName: client.ObjectKey{Namespace: namespace, Name: "dsw"}}
	_, err := reconcilerOf(unwritable{admin}, events.NewFakeRecorder(16), &clock{}).Reconcile(t.Context(), request)
	if err == nil || errors.Is(err, reconcile.TerminalError(nil)) {
		t.Errorf("The pass ends with %v; want an error after which it is made again", err)
	}
	_, err = reconcilerOf(admin, events.NewFakeRecorder(16), &clock{}).Reconcile(t.Context(), request)
	if !errors.Is(err, reconcile.TerminalError(nil)) {
		t.Errorf("Once it is told the pass ends with %v; want that it is not made again", err)
	}
}

func TestATransitionIsToldOnceThoughTheCacheLags(t *testing.T) {
	namespace := city(t, "lagging")
	apply(t, namespace, portalManifest("dsw", "dsw", "token", ""))
	cache, recorder, clock := &lagging{Client: admin}, events.NewFakeRecorder(16), &clock{}
	reconciler := reconcilerOf(cache, recorder, clock)
	pass := func() ctrl.Result {
		t.Helper()
		result, err := reconciler.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKey{Namespace: namespace, Name: "dsw"}})
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	cache.channel = get(t, namespace, "dsw", &v1alpha1.ComplaintChannel{})
	pass()
	told, written := len(recorder.Events), get(t, namespace, "dsw", &v1alpha1.ComplaintChannel{})
	if told == 0 {
		t.Fatal("no transition is told")
	}
	clock.advance(time.Minute)
	if again := pass(); again.RequeueAfter == 0 {
		t.Error("a pass over an object that has changed is not made again")
	}
	if again := len(recorder.Events) - told; again != 0 {
		t.Errorf("%d events are told again", again)
	}
	if now := get(t, namespace, "dsw", &v1alpha1.ComplaintChannel{}); now.ResourceVersion != written.ResourceVersion {
		t.Errorf("the status is written again: %+v", now.Status.Conditions)
	}
	cache.channel = nil
	if result := pass(); result.RequeueAfter != 0 || len(recorder.Events) != told {
		t.Errorf("with the cache up to date there are %d events, want %d, and another pass after %s", len(recorder.Events), told, result.RequeueAfter)
	}
}

// TestAStatusThatWasRestoredIsBroughtUpToDate has a backup tool write statuses, which then are that tool's.
func TestAStatusThatWasRestoredIsBroughtUpToDate(t *testing.T) {
	namespace := portalCity(t, "restored")
	available(t, namespace, "dsw", corev1.ConditionTrue)
	channelHas(t, namespace, "dsw", v1alpha1.ConditionReady, yes, "")
	eventually(t, "the status is restored", func() string {
		channel := get(t, namespace, "dsw", &v1alpha1.ComplaintChannel{})
		for i := range channel.Status.Conditions {
			channel.Status.Conditions[i].Message = "restored"
			channel.Status.Conditions[i].LastTransitionTime = metav1.NewTime(time.Now().Add(-time.Hour))
		}
		if err := admin.Status().Update(t.Context(), channel, client.FieldOwner("backup")); err != nil {
			return err.Error()
		}
		return ""
	})
	apply(t, namespace, portalManifest("dsw", "dsw", "token", "suspend: true"))
	channelHas(t, namespace, "dsw", v1alpha1.ConditionReady, no, v1alpha1.ReasonSuspended)
}

func TestAnAPIServerThatFailsChangesNothingThatIsKnown(t *testing.T) {
	namespace := city(t, "failing")
	o := operate(t, namespace)
	furnish(t, namespace)
	applyPortal(t, namespace)
	available(t, namespace, "dsw", corev1.ConditionTrue)
	channelHas(t, namespace, "dsw", v1alpha1.ConditionReady, yes, "")

	o.requests.fail("GET /api/v1/namespaces/failing/secrets/dsw", http.StatusInternalServerError)
	apply(t, namespace, secretManifest("dsw", map[string]string{"token": "y"}))
	eventually(t, "passes that fail", func() string {
		if o.requests.failures() < 3 { // a pass writes its status before the next one begins
			return "are not made"
		}
		return ""
	})
	for _, kind := range []string{v1alpha1.ConditionAccepted, v1alpha1.ConditionWorkerAvailable, v1alpha1.ConditionReady} {
		channel := get(t, namespace, "dsw", &v1alpha1.ComplaintChannel{})
		if wrong := condition(channel.Status.Conditions, channel.Generation, kind, yes, ""); wrong != "" {
			t.Errorf("while a Secret cannot be read: %s", wrong)
		}
	}
	o.requests.fail("", 0)
	// A quota or an admission policy forbids.
	o.requests.fail("PATCH /apis/apps/v1/namespaces/failing/deployments/late-worker", http.StatusForbidden)
	apply(t, namespace, portalManifest("late", "dsw", "token", ""))
	if message := channelHas(t, namespace, "late", v1alpha1.ConditionWorkerAvailable, no, v1alpha1.ReasonWorkerRefused); !strings.Contains(message, "injected") {
		t.Errorf("the condition says %q", message)
	}
}

func TestARefusedObjectOfALedgerStopsNothingElse(t *testing.T) {
	namespace := city(t, "hindered")
	apply(t, namespace, `
apiVersion: v1
kind: Service
metadata: {name: ledger-ledger}
spec: {ports: [{name: https, port: 8443, targetPort: 9999}], selector: {app: other}}`)
	operate(t, namespace)
	furnish(t, namespace)
	runLedger(t, namespace, "ledger")
	ledgerHas(t, namespace, "ledger", v1alpha1.ConditionReady, no, v1alpha1.ReasonLedgerRefused)
	tells(t, namespace, "ledger", "Warning LedgerRefused Ready", "ledger-ledger")
	ledgerHas(t, namespace, "ledger", v1alpha1.ConditionLedgerAvailable, yes, "")
	eventually(t, "the policy", func() string {
		if get(t, namespace, "ledger", &v1alpha1.ComplaintLedger{}).Status.PolicyRevision == "" {
			return "is not handed over"
		}
		return ""
	})
}

func TestATakenNameOfALedgersSecretIsSaid(t *testing.T) {
	namespace := city(t, "taken")
	apply(t, namespace, secretManifest("ledger-ledger-tls", map[string]string{"tls.crt": "somebody's", "tls.key": "own"}))
	operate(t, namespace)
	apply(t, namespace, ledgerManifest)
	message := ledgerHas(t, namespace, "ledger", v1alpha1.ConditionReady, no, v1alpha1.ReasonLedgerRefused)
	if !strings.Contains(message, "ledger-ledger-tls") || strings.Contains(message, "somebody's") {
		t.Errorf("the condition says %q", message)
	}
	if got := string(get(t, namespace, "ledger-ledger-tls", &corev1.Secret{}).Data["tls.crt"]); got != "somebody's" {
		t.Errorf("it holds %q", got)
	}
}

// TestASecretOfSomebodyElseIsNotJoined has a Secret of the name that a ledger's has, with nothing in it that is in the way.
func TestASecretOfSomebodyElseIsNotJoined(t *testing.T) {
	namespace := city(t, "joined-secret")
	apply(t, namespace, secretManifest("ledger-ledger-authority", map[string]string{"own": "somebody's"}))
	operate(t, namespace)
	apply(t, namespace, ledgerManifest)
	if message := ledgerHas(t, namespace, "ledger", v1alpha1.ConditionReady, no, v1alpha1.ReasonLedgerRefused); !strings.Contains(message, "ledger-ledger-authority") {
		t.Errorf("the condition says %q", message)
	}
	if secret := get(t, namespace, "ledger-ledger-authority", &corev1.Secret{}); len(secret.OwnerReferences) > 0 || len(secret.Data) != 1 {
		t.Errorf("it has the owners %v and %d keys", secret.OwnerReferences, len(secret.Data))
	}
}

func TestTheKeysOfALedgerAreNoCredentials(t *testing.T) {
	namespace := city(t, "keys")
	operate(t, namespace)
	furnish(t, namespace)
	for _, name := range []string{"ledger-ledger-authority", "ledger-ledger-pseudonym"} {
		eventually(t, name, func() string {
			if !exists(t, namespace, name, &corev1.Secret{}) {
				return "is not there"
			}
			return ""
		})
	}
	apply(t, namespace, portalManifest("thief", "ledger-ledger-pseudonym", "key", "")+"\n---\n"+portalManifest("forger", "ledger-ledger-authority", "tls.key", ""))
	for _, name := range []string{"thief", "forger"} {
		message := channelHas(t, namespace, name, v1alpha1.ConditionAccepted, no, v1alpha1.ReasonInvalidSpec)
		if !strings.Contains(message, "tokenSecretRef") || !strings.Contains(message, "keys of a ledger") {
			t.Errorf("the condition says %q", message)
		}
	}
	// A key that was restored has no label that tells what it is.
	apply(t, namespace, secretManifest("old-ledger-pseudonym", map[string]string{"key": "restored"})+"\n---\n"+portalManifest("finder", "old-ledger-pseudonym", "key", ""))
	channelHas(t, namespace, "finder", v1alpha1.ConditionAccepted, no, v1alpha1.ReasonInvalidSpec)
	apply(t, namespace, `
apiVersion: tanggap.dev/v1alpha1
kind: ComplaintLedger
metadata: {name: robber}
spec: {storage: {type: postgres, postgres: {urlSecretRef: {name: ledger-ledger-pseudonym, key: key}}}}`)
	ledgerHas(t, namespace, "robber", v1alpha1.ConditionAccepted, no, v1alpha1.ReasonInvalidSpec)
}

// TestOperatorsOfDifferentNamespacesShareTheBinding has each keep to its own ledgers, as the binding is one for the
// whole cluster.
func TestOperatorsOfDifferentNamespacesShareTheBinding(t *testing.T) {
	namespaces := []string{city(t, "north"), city(t, "south")}
	operators := []*operator{operate(t, namespaces[0]), operate(t, namespaces[1])}
	has := func(namespace string, want bool) string {
		found := mayReview(t, namespace)
		if found != want {
			return fmt.Sprintf("%s: the ledger is bound: %t; want %t", namespace, found, want)
		}
		return ""
	}
	for _, namespace := range namespaces {
		apply(t, namespace, ledgerManifest)
	}
	eventually(t, "both ledgers", func() string { return has(namespaces[0], true) + has(namespaces[1], true) })
	for _, o := range operators {
		settle(t, o)
	}
	if wrong := has(namespaces[0], true) + has(namespaces[1], true); wrong != "" {
		t.Error(wrong)
	}
	if err := admin.Delete(t.Context(), get(t, namespaces[0], "ledger", &v1alpha1.ComplaintLedger{})); err != nil {
		t.Fatal(err)
	}
	eventually(t, "one ledger", func() string { return has(namespaces[0], false) + has(namespaces[1], true) })
}

// mayReview says whether the ledger of a namespace may review tokens.
func mayReview(t *testing.T, namespace string) bool {
	t.Helper()
	binding := &rbacv1.ClusterRoleBinding{}
	return exists(t, "", "tanggap-ledger-token-review", binding) &&
		slices.ContainsFunc(binding.Subjects, func(s rbacv1.Subject) bool { return s.Namespace == namespace && s.Name == "ledger-ledger" })
}
