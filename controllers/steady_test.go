package controllers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tanggap/tanggap/api/v1alpha1"
)

// window is how long the steady state is watched. All that happens from time to time happens in it many
// times: reports, readings, resynchronisations, touched objects, scrapes; and by its own clock, which is
// set ahead, the operator sees several minutes.
const window = 20 * time.Second

func TestNothingIsWrittenWhileNothingChanges(t *testing.T) {
	const namespace = "steady"
	o, _, worker := running(t, namespace)
	apply(t, namespace, hookManifest("hook", "{type: None}")+"\n---\n"+portalManifest("stopped", "dsw", "token", "suspend: true"))
	apply(t, namespace, strings.Replace(portalManifest("broken", "missing", "token", ""), "slaRef: {name: city}", "slaRef: {name: nowhere}", 1))
	available(t, namespace, "hook", corev1.ConditionTrue)
	channelHas(t, namespace, "hook", v1alpha1.ConditionReady, yes, "")
	channelHas(t, namespace, "stopped", v1alpha1.ConditionReady, no, v1alpha1.ReasonSuspended)
	channelHas(t, namespace, "broken", v1alpha1.ConditionAccepted, no, v1alpha1.ReasonReferenceNotFound)
	slaHas(t, namespace, "city", v1alpha1.ConditionReady, yes, "")
	worker.complain(t, 2, time.Now())
	worker.connected(t)
	o.clock.advance(31 * time.Second) // the figures' turn
	settle(t, o)

	before := len(o.requests.written())
	deadline := time.After(window)
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-deadline:
			if written := o.requests.written()[before:]; len(written) > 0 {
				t.Errorf("%d writes in the steady state:\n%s", len(written), strings.Join(written, "\n"))
			}
			return
		case <-tick.C:
			worker.connected(t) // a report that says the same as ever
			touch(t, namespace, i)
			o.clock.advance(10 * time.Second)
			o.scraped(t)
		}
	}
}

// settle waits until the operator has written nothing for a while.
func settle(t *testing.T, o *operator) {
	t.Helper()
	quiet, last := time.Now(), -1
	eventually(t, "the operator should come to rest", func() string {
		if written := len(o.requests.written()); written != last {
			quiet, last = time.Now(), written
		}
		if time.Since(quiet) < 3*time.Second {
			return "it still writes"
		}
		return ""
	})
}

// touch has something reconciled without a change that matters: an annotation of each kind in turn, as
// a resynchronisation or somebody's tool would.
func touch(t *testing.T, namespace string, i int) {
	t.Helper()
	objects := map[int]func() client.Object{
		0: func() client.Object { return get(t, namespace, "dsw", &v1alpha1.ComplaintChannel{}) },
		1: func() client.Object { return get(t, namespace, "city", &v1alpha1.ResponseSLA{}) },
		2: func() client.Object { return get(t, namespace, "office", &v1alpha1.WorkCalendar{}) },
		3: func() client.Object { return get(t, namespace, "depok", &v1alpha1.ComplaintTaxonomy{}) },
		4: func() client.Object { return get(t, namespace, "ledger", &v1alpha1.ComplaintLedger{}) },
		5: func() client.Object { return get(t, namespace, "dsw", &corev1.Secret{}) },
		6: func() client.Object { return get(t, namespace, "ledger-ledger-tls", &corev1.Secret{}) },
		7: func() client.Object { return get(t, namespace, "dsw-worker", &corev1.ConfigMap{}) },
		8: func() client.Object { return deployed(t, namespace, "dsw") },
		9: func() client.Object { return get(t, namespace, "hook-worker", &corev1.Service{}) },
	}
	object := objects[i%len(objects)]()
	before := object.DeepCopyObject().(client.Object)
	annotations := object.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations["example.org/touched"] = fmt.Sprint(i)
	object.SetAnnotations(annotations)
	if err := admin.Patch(t.Context(), object, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
}

func TestAnOperatorThatStartsChangesNothingAndReadsEachObjectOnce(t *testing.T) {
	const namespace, channels = "start", 60
	o, _, worker := running(t, namespace)
	var manifests []string
	for i := range channels {
		name := fmt.Sprintf("portal-%d", i)
		manifests = append(manifests, secretManifest(name, map[string]string{"token": "x"}), portalManifest(name, name, "token", ""))
	}
	apply(t, namespace, strings.Join(manifests, "\n---\n"))
	for i := range channels {
		deployed(t, namespace, fmt.Sprintf("portal-%d", i))
	}
	worker.complain(t, 2, time.Now())
	worker.connected(t)
	o.clock.advance(31 * time.Second)
	settle(t, o)
	status := get(t, namespace, "dsw", &v1alpha1.ComplaintChannel{}).ResourceVersion
	o.stop()

	again := operate(t, namespace)
	again.exports(t, []string{`tanggap_summary_up{ledger="ledger",namespace="start"} 1`})
	settle(t, again)
	if written := again.requests.written(); len(written) > 0 {
		t.Errorf("%d writes by an operator that only starts:\n%s", len(written), strings.Join(written, "\n"))
	}
	if now := get(t, namespace, "dsw", &v1alpha1.ComplaintChannel{}).ResourceVersion; now != status {
		t.Error("the status of a channel was written")
	}
	// Values of Secrets are not cached: each that a channel uses is read once, and the ledger's own three.
	const own = 10
	if read := again.requests.read("get secrets"); read < channels || read > channels+own {
		t.Errorf("%d Secrets were read for %d channels", read, channels)
	}
	for kind, most := range map[string]int{"list complaintchannels": 1, "list deployments": 1, "list secrets": 1, "get deployments": 0, "get configmaps": 0} {
		if read := again.requests.read(kind); read > most {
			t.Errorf("%s: %d requests, want at most %d", kind, read, most)
		}
	}
}

func TestPrinterColumns(t *testing.T) {
	const namespace = "columns"
	o, _, worker := running(t, namespace)
	worker.complain(t, 3, time.Now().Add(-2*time.Hour))
	o.clock.advance(31 * time.Second)
	worker.connected(t)
	clientset, err := kubernetes.NewForConfig(plane.Config())
	if err != nil {
		t.Fatal(err)
	}
	// row is what kubectl get prints of the only object of a kind, by column.
	row := func(resource string) map[string]string {
		t.Helper()
		content, err := clientset.RESTClient().Get().AbsPath("/apis/tanggap.dev/v1alpha1/namespaces/"+namespace+"/"+resource).
			SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").DoRaw(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var table metav1.Table
		if err := json.Unmarshal(content, &table); err != nil {
			t.Fatal(err)
		}
		cells := map[string]string{}
		for i, column := range table.ColumnDefinitions {
			cells[column.Name] = fmt.Sprint(table.Rows[0].Cells[i])
		}
		return cells
	}
	for resource, want := range map[string]map[string]string{
		"complaintchannels":   {"Name": "dsw", "Type": "rest", "Ready": "True", "Connected": "True", "Unanswered": "3", "Overdue": "3", "Oldest": "120m"},
		"responseslas":        {"Name": "city", "Calendar": "office", "Accepted": "True"},
		"workcalendars":       {"Name": "office", "Time Zone": "Asia/Jakarta", "Covers Until": "2026-12-31", "Accepted": "True"},
		"complainttaxonomies": {"Name": "depok", "Accepted": "True"},
		"complaintledgers":    {"Name": "ledger", "Storage": "embedded", "Ready": "True", "Channels": "1", "Unanswered": "3", "Overdue": "3"},
	} {
		eventually(t, resource, func() string {
			cells := row(resource)
			for column, value := range want {
				if cells[column] != value {
					return fmt.Sprintf("%s is %q, want %q", column, cells[column], value)
				}
			}
			return ""
		})
	}
}

func TestTransitionsAreTold(t *testing.T) {
	const namespace = "events"
	_, _, worker := running(t, namespace)
	worker.report(t, "Disconnected", "Timeout", "The portal did not answer within 30s.")
	tells(t, namespace, "dsw", "Normal Accepted Accepted", "valid")
	tells(t, namespace, "dsw", "Normal DeploymentAvailable WorkerAvailable", "available")
	tells(t, namespace, "dsw", "Warning Timeout SourceConnected", "did not answer within 30s")
}

// tells waits for an event about an object, given by its type, reason and action and a part of its note.
func tells(t *testing.T, namespace, about, kind, note string) {
	t.Helper()
	eventually(t, "the event "+kind, func() string {
		var list eventsv1.EventList
		if err := admin.List(context.WithoutCancel(t.Context()), &list, client.InNamespace(namespace)); err != nil {
			t.Fatal(err)
		}
		var seen []string
		for _, event := range list.Items {
			if event.Type+" "+event.Reason+" "+event.Action == kind && strings.Contains(event.Note, note) && event.Regarding.Name == about {
				return ""
			}
			seen = append(seen, fmt.Sprintf("%s %s %s %s: %s", event.Regarding.Name, event.Type, event.Reason, event.Action, event.Note))
		}
		return "is not among\n" + strings.Join(seen, "\n")
	})
}
