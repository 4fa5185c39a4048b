package controllers_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// scraped is what the operator exports now.
func (o *operator) scraped(t *testing.T) string {
	t.Helper()
	families, err := o.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	for _, family := range families {
		if _, err := expfmt.MetricFamilyToText(&text, family); err != nil {
			t.Fatal(err)
		}
	}
	return text.String()
}

// exports waits until the metrics have all of some lines and none of others.
func (o *operator) exports(t *testing.T, present []string, absent ...string) {
	t.Helper()
	eventually(t, "the metrics", func() string {
		text := o.scraped(t)
		for _, line := range present {
			if !strings.Contains(text, line) {
				return "there is no " + line
			}
		}
		for _, line := range absent {
			if strings.Contains(text, line) {
				return "there still is " + line
			}
		}
		return ""
	})
}

// running is a city whose channel dsw works: a ledger that runs, a worker that reports.
func running(t *testing.T, namespace string) (*operator, *ledgerPod, *worker) {
	t.Helper()
	city(t, namespace)
	o := operate(t, namespace)
	furnish(t, namespace)
	applyPortal(t, namespace)
	available(t, namespace, "dsw", corev1.ConditionTrue)
	ledger := runLedger(t, namespace, "ledger")
	worker := ledger.runWorker(t, "dsw")
	worker.connected(t)
	channelHas(t, namespace, "dsw", v1alpha1.ConditionSourceConnected, yes, "")
	return o, ledger, worker
}

func TestALedgerGetsThePolicyAndKeepsIt(t *testing.T) {
	const namespace = "policy"
	_, ledger, worker := running(t, namespace)
	ledgerHas(t, namespace, "ledger", v1alpha1.ConditionReady, yes, v1alpha1.ReasonReady)
	if message := slaHas(t, namespace, "city", v1alpha1.ConditionReady, yes, v1alpha1.ReasonReady); message != "The specification is in force." {
		t.Errorf("the SLA says %q", message)
	}
	eventually(t, "the calendar and the taxonomy", func() string {
		calendar, taxonomy := get(t, namespace, "office", &v1alpha1.WorkCalendar{}), get(t, namespace, "depok", &v1alpha1.ComplaintTaxonomy{})
		return condition(calendar.Status.Conditions, calendar.Generation, v1alpha1.ConditionReady, yes, "") +
			condition(taxonomy.Status.Conditions, taxonomy.Generation, v1alpha1.ConditionReady, yes, "")
	})
	status := get(t, namespace, "ledger", &v1alpha1.ComplaintLedger{}).Status
	if status.PolicyRevision == "" || status.Channels == nil || *status.Channels != 1 {
		t.Errorf("the ledger's status is %+v", status)
	}
	if !mayReview(t, namespace) {
		t.Error("the ledger may not review tokens")
	}

	// A ledger that lost its volume gets the policy again, and takes complaints again.
	ledger.stop()
	ledgerHas(t, namespace, "ledger", v1alpha1.ConditionLedgerAvailable, no, v1alpha1.ReasonLedgerUnavailable)
	ledgerHas(t, namespace, "ledger", v1alpha1.ConditionReady, no, v1alpha1.ReasonLedgerUnavailable)
	ledger.data = t.TempDir()
	ledger.start(t)
	ledgerHas(t, namespace, "ledger", v1alpha1.ConditionReady, yes, v1alpha1.ReasonReady)
	worker.connected(t)
	worker.complain(t, 1, time.Now())
}

func TestAnInvalidSLATakesNothingDown(t *testing.T) {
	const namespace = "invalid"
	o, _, worker := running(t, namespace)
	revision := get(t, namespace, "ledger", &v1alpha1.ComplaintLedger{}).Status.PolicyRevision
	template := deployed(t, namespace, "dsw").Generation

	apply(t, namespace, brokenSLAManifest)
	message := slaHas(t, namespace, "city", v1alpha1.ConditionAccepted, no, v1alpha1.ReasonInvalidExpression)
	if !strings.HasPrefix(message, "spec.rules[0].match: line 2, column 3: ") || !strings.Contains(message, "nonsense") {
		t.Errorf("the SLA says %q", message)
	}
	message = slaHas(t, namespace, "city", v1alpha1.ConditionReady, no, v1alpha1.ReasonNotAccepted)
	if !strings.Contains(message, "goes on with the last one") {
		t.Errorf("the SLA says %q", message)
	}
	channelHas(t, namespace, "dsw", v1alpha1.ConditionAccepted, no, v1alpha1.ReasonReferenceNotAccepted)
	channelHas(t, namespace, "dsw", v1alpha1.ConditionWorkerAvailable, yes, "")
	worker.connected(t)
	worker.complain(t, 1, time.Now().Add(-2*time.Hour)) // overdue by the old promise of an hour
	o.exports(t, []string{`tanggap_complaints_overdue{category="flood",channel="dsw",clock="answer",department="dpupr",namespace="invalid",priority="normal",sla="city"} 1`})
	if got := get(t, namespace, "ledger", &v1alpha1.ComplaintLedger{}).Status.PolicyRevision; got != revision {
		t.Error("the ledger runs another policy")
	}

	// Neither does an operator that starts now forget the last form.
	o.stop()
	operate(t, namespace)
	apply(t, namespace, secretManifest("second", map[string]string{"token": "x"}))
	apply(t, namespace, strings.Replace(portalManifest("second", "second", "token", ""), "slaRef: {name: city}", "", 1))
	channelHas(t, namespace, "second", v1alpha1.ConditionAccepted, yes, "")
	eventually(t, "a policy with both channels", func() string {
		status := get(t, namespace, "ledger", &v1alpha1.ComplaintLedger{}).Status
		if status.PolicyRevision == revision || status.Channels == nil || *status.Channels != 2 {
			return "is not there"
		}
		return ""
	})
	worker.connected(t) // refused if the policy did not have the channel any more
	worker.complain(t, 1, time.Now().Add(-2*time.Hour))

	// A rotated Secret still reaches the worker of a channel whose SLA is invalid.
	apply(t, namespace, secretManifest("dsw", map[string]string{"token": "rotated"}))
	eventually(t, "the rotated Secret", func() string {
		if deployed(t, namespace, "dsw").Generation == template {
			return "does not restart the worker"
		}
		return ""
	})
	apply(t, namespace, slaManifest)
	channelHas(t, namespace, "dsw", v1alpha1.ConditionAccepted, yes, "")
	slaHas(t, namespace, "city", v1alpha1.ConditionReady, yes, "")
}

// TestTheRecordOfThePolicyIsKept: by it an operator that starts knows the last form of what has become invalid since.
func TestTheRecordOfThePolicyIsKept(t *testing.T) {
	const namespace, name, key = "record", "ledger-ledger-policy", "policy.json.gz"
	running(t, namespace)
	record := &corev1.ConfigMap{}
	eventually(t, "the record", func() string {
		if !exists(t, namespace, name, record) {
			return "is not written"
		}
		return ""
	})
	want := record.BinaryData[key]
	kept := func(when string) {
		t.Helper()
		eventually(t, "the record "+when, func() string {
			now := &corev1.ConfigMap{}
			if !exists(t, namespace, name, now) || !bytes.Equal(now.BinaryData[key], want) {
				return "is not written again"
			}
			return ""
		})
	}
	if err := admin.Delete(t.Context(), record); err != nil {
		t.Fatal(err)
	}
	kept("that was deleted")
	record = get(t, namespace, name, &corev1.ConfigMap{})
	record.BinaryData[key] = []byte("damaged")
	if err := admin.Update(t.Context(), record, client.FieldOwner("somebody")); err != nil {
		t.Fatal(err)
	}
	kept("that was damaged")
}

func TestAnEditedSLAIsPutInForce(t *testing.T) {
	const namespace = "edited"
	o, _, worker := running(t, namespace)
	worker.complain(t, 2, time.Now().Add(-30*time.Minute))
	worker.connected(t)
	overdue := `tanggap_complaints_overdue{category="flood",channel="dsw",clock="answer",department="dpupr",namespace="edited",priority="normal",sla="city"} `
	o.exports(t, []string{`tanggap_complaints_unanswered{category="flood",channel="dsw",department="dpupr",namespace="edited",priority="normal"} 2`}, overdue+"2")
	apply(t, namespace, strings.Replace(slaManifest, "within: 1h", "within: 15m", 1))
	o.exports(t, []string{overdue + "2"})
	slaHas(t, namespace, "city", v1alpha1.ConditionReady, yes, "")
	eventually(t, "the progress", func() string {
		status := get(t, namespace, "city", &v1alpha1.ResponseSLA{}).Status
		if status.CasesRederived == nil || *status.CasesRederived != 2 || status.CasesToRederive == nil || *status.CasesToRederive != 0 {
			return "is not 2 done and 0 to go"
		}
		return ""
	})
}

func TestADeletedChannelTakesItsSeriesAlong(t *testing.T) {
	const namespace = "deleted"
	o, ledger, worker := running(t, namespace)
	worker.complain(t, 2, time.Now().Add(-time.Minute))
	worker.connected(t)
	unanswered := `tanggap_complaints_unanswered{category="flood",channel="dsw",department="dpupr",namespace="deleted",priority="normal"} 2`
	o.exports(t, []string{unanswered, `tanggap_channel_up{channel="dsw",namespace="deleted"} 1`})

	// The ledger is away: what it knows is unknown.
	ledger.stop()
	o.exports(t, []string{`tanggap_summary_up{ledger="ledger",namespace="deleted"} 0`}, "tanggap_complaints_unanswered{", "tanggap_complaints_received_total{", "tanggap_channel_up{")
	ledger.start(t)
	o.exports(t, []string{unanswered, `tanggap_summary_up{ledger="ledger",namespace="deleted"} 1`})

	if err := admin.Delete(t.Context(), get(t, namespace, "dsw", &v1alpha1.ComplaintChannel{})); err != nil {
		t.Fatal(err)
	}
	o.exports(t, []string{`tanggap_summary_up{ledger="ledger",namespace="deleted"} 1`}, `channel="dsw"`, "tanggap_sla_objective_ratio{")
	eventually(t, "the ledger", func() string {
		report := ledgerapi.Report{Instance: "life-1", State: ledgerapi.SourceConnected, Reason: ledgerapi.ReasonConnected}
		if worker.client.Report(t.Context(), "dsw", report) == nil {
			return "still takes reports of a channel that is gone"
		}
		return ""
	})
	slaHas(t, namespace, "city", v1alpha1.ConditionReady, yes, "")

	if err := admin.Delete(t.Context(), get(t, namespace, "ledger", &v1alpha1.ComplaintLedger{})); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a ledger that is gone", func() string {
		if text := o.scraped(t); strings.Contains(text, "namespace=") {
			return "still exports " + text
		}
		if mayReview(t, namespace) {
			return "may still review tokens"
		}
		return ""
	})
	if owner := metav1.GetControllerOf(get(t, namespace, "ledger-ledger-pseudonym", &corev1.Secret{})); owner != nil {
		t.Error("the key of the pseudonyms goes with the ledger")
	}
}

func TestCertificatesAreReplacedWithoutAnInterruption(t *testing.T) {
	const namespace = "certificates"
	o, ledger, _ := running(t, namespace)
	first := servingCertificate(t, namespace, "ledger")
	authority := get(t, namespace, "ledger-ledger-authority", &corev1.Secret{}).ResourceVersion

	// Two months later, the server's certificate is another one of the same authority, also where somebody has taken the
	// operator's labels from the Secret.
	serving := get(t, namespace, "ledger-ledger-tls", &corev1.Secret{})
	before := serving.DeepCopy()
	serving.Labels = nil
	if err := admin.Patch(t.Context(), serving, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	o.clock.advance(61 * 24 * time.Hour)
	poke(t, namespace)
	eventually(t, "the certificate", func() string {
		if servingCertificate(t, namespace, "ledger").Equal(first) {
			return "is the old one"
		}
		return ""
	})
	if again := get(t, namespace, "ledger-ledger-authority", &corev1.Secret{}).ResourceVersion; again != authority {
		t.Error("the authority was touched")
	}

	// Two years later, there is a second authority. Everybody is told of it a day before it signs.
	trusted := func() int {
		return strings.Count(get(t, namespace, "ledger-ledger-ca", &corev1.ConfigMap{}).Data["ca.crt"], "BEGIN CERTIFICATE")
	}
	o.clock.advance(2 * 365 * 24 * time.Hour)
	poke(t, namespace)
	eventually(t, "a second authority", func() string {
		if trusted() != 2 {
			return "is not there"
		}
		return ""
	})
	ledger.mount(t) // the kubelet's part
	signer := servingCertificate(t, namespace, "ledger").AuthorityKeyId
	o.clock.advance(25 * time.Hour)
	poke(t, namespace)
	eventually(t, "the new authority", func() string {
		if bytes.Equal(servingCertificate(t, namespace, "ledger").AuthorityKeyId, signer) {
			return "does not sign yet"
		}
		return ""
	})
}

// poke has the ledger reconciled, as the passing of time would.
func poke(t *testing.T, namespace string) {
	t.Helper()
	ledger := get(t, namespace, "ledger-ledger", &corev1.ServiceAccount{})
	before := ledger.DeepCopy()
	if ledger.Annotations == nil {
		ledger.Annotations = map[string]string{}
	}
	ledger.Annotations["example.org/poked"] = time.Now().Format(time.RFC3339Nano)
	if err := admin.Patch(t.Context(), ledger, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
}

func TestThePseudonymKeyIsMadeOnce(t *testing.T) {
	namespace := city(t, "pseudonyms")
	operate(t, namespace)
	apply(t, namespace, ledgerManifest)
	stateful := &appsv1.StatefulSet{}
	eventually(t, "the ledger", func() string {
		if !exists(t, namespace, "ledger-ledger", stateful) {
			return "has no StatefulSet"
		}
		return ""
	})
	key := get(t, namespace, "ledger-ledger-pseudonym", &corev1.Secret{})
	if len(key.Data["key"]) != 64 {
		t.Errorf("the key has %d characters", len(key.Data["key"]))
	}

	// A person adds a key before the old one: the ledger is restarted with both.
	rotated := key.DeepCopy()
	rotated.Data["key"] = append([]byte(strings.Repeat("0", 64)+"\n"), key.Data["key"]...)
	if err := admin.Patch(t.Context(), rotated, client.MergeFrom(key)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the ledger with a rotated key", func() string {
		if get(t, namespace, "ledger-ledger", &appsv1.StatefulSet{}).Generation == stateful.Generation {
			return "is not restarted"
		}
		return ""
	})
	generation := get(t, namespace, "ledger-ledger", &appsv1.StatefulSet{}).Generation

	if err := admin.Delete(t.Context(), rotated); err != nil {
		t.Fatal(err)
	}
	message := ledgerHas(t, namespace, "ledger", v1alpha1.ConditionReady, no, v1alpha1.ReasonPseudonymKeyMissing)
	if !strings.Contains(message, "Restore it from a backup") {
		t.Errorf("the condition says %q", message)
	}
	if exists(t, namespace, "ledger-ledger-pseudonym", &corev1.Secret{}) {
		t.Error("a key was made by which nobody is recognised")
	}
	if got := get(t, namespace, "ledger-ledger", &appsv1.StatefulSet{}).Generation; got != generation {
		t.Error("the ledger that runs was touched")
	}
	restored := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: key.Name, Labels: key.Labels}, Data: rotated.Data}
	if err := admin.Create(t.Context(), restored); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the ledger whose key was restored", func() string {
		ledger := get(t, namespace, "ledger", &v1alpha1.ComplaintLedger{})
		for _, c := range ledger.Status.Conditions {
			if c.Reason == v1alpha1.ReasonPseudonymKeyMissing {
				return c.Message
			}
		}
		return ""
	})
}
