package monitoring

import (
	"os/exec"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tanggap/tanggap/test/controlplane"
)

const namespace = "tanggap-system"

var start = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// installation is an API server, with the kinds of the Prometheus Operator or without them.
func installation(t *testing.T, kinds ...string) (client.Client, *controlplane.ControlPlane) {
	t.Helper()
	plane, err := controlplane.Start(t.Context(), controlplane.Options{CRDDirs: kinds})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := plane.Stop(); err != nil {
			t.Error(err)
		}
	})
	c, err := client.New(plane.Config(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
		t.Fatal(err)
	}
	return c, plane
}

// watch looks as the operator does that has been scraped at an instant.
func watch(c client.Client, scraped time.Time) (*Watch, *events.FakeRecorder) {
	recorder := events.NewFakeRecorder(10)
	return &Watch{
		Reader: c, Recorder: recorder, Namespace: namespace, Logger: logr.Discard(),
		Scraped: func() time.Time { return scraped }, Now: func() time.Time { return start.Add(time.Hour) },
	}, recorder
}

// told are the events so far.
func told(recorder *events.FakeRecorder) []string {
	var all []string
	for {
		select {
		case event := <-recorder.Events:
			all = append(all, event)
		default:
			return all
		}
	}
}

func TestWithoutThePrometheusOperatorThereIsNothingToSay(t *testing.T) {
	c, _ := installation(t)
	w, recorder := watch(c, time.Time{})
	w.look(t.Context(), start)
	if got := told(recorder); got != nil {
		t.Errorf("%q", got)
	}
	if len(w.said) != 1 {
		t.Errorf("the log has %q, not that nothing scrapes", w.said)
	}
}

func TestWhatIsNotAcceptedIsToldOnce(t *testing.T) {
	c, plane := installation(t, "testdata")
	apply := exec.CommandContext(t.Context(), plane.KubectlPath(), "--kubeconfig", plane.KubeconfigPath(), "apply", "-k", "../../../config/prometheus")
	if output, err := apply.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	w, recorder := watch(c, start.Add(59*time.Minute))
	w.look(t.Context(), start)
	if got := told(recorder); got != nil {
		t.Errorf("all is well, and yet: %q", got)
	}

	rules, err := w.get(t.Context(), "PrometheusRule", "tanggap")
	if err != nil || rules == nil {
		t.Fatalf("the shipped PrometheusRule is %v: %v", rules, err)
	}
	verdict := func(status string) {
		t.Helper()
		bindings := []any{map[string]any{
			"group": "monitoring.coreos.com", "resource": "prometheuses", "namespace": "monitoring", "name": "k8s",
			"conditions": []any{map[string]any{"type": "Accepted", "status": status, "reason": "InvalidConfiguration", "message": "something long"}},
		}}
		if err := unstructured.SetNestedSlice(rules.Object, bindings, "status", "bindings"); err != nil {
			t.Fatal(err)
		}
		if err := c.Status().Update(t.Context(), rules); err != nil {
			t.Fatal(err)
		}
	}
	verdict("False")
	w.look(t.Context(), start)
	w.look(t.Context(), start)
	want := []string{"Warning NotAccepted prometheuses monitoring/k8s has not accepted it (InvalidConfiguration); its own message is in the status"}
	if diff := cmp.Diff(want, told(recorder)); diff != "" {
		t.Errorf("after two looks: %s", diff)
	}
	verdict("True")
	w.look(t.Context(), start)
	if got := told(recorder); got != nil || w.said != nil {
		t.Errorf("once it is accepted: %q", got)
	}

	w, recorder = watch(c, start)
	w.look(t.Context(), start)
	want = []string{"Warning NotScraped Nothing has scraped the operator's metrics for 10m0s, so that no alert can fire"}
	if diff := cmp.Diff(want, told(recorder)); diff != "" {
		t.Errorf("nothing scrapes: %s", diff)
	}
	w.Now = func() time.Time { return start.Add(9 * time.Minute) }
	w.look(t.Context(), start)
	if w.said != nil {
		t.Errorf("soon after the start: %q", w.said)
	}
}
