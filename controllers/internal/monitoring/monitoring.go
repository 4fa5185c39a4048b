// Package monitoring tells where the operator can see that nobody would be alerted: nothing scrapes its
// metrics, or the Prometheus Operator has not accepted the shipped ServiceMonitor or PrometheusRule.
package monitoring

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// +kubebuilder:rbac:groups=monitoring.coreos.com,resources=servicemonitors;prometheusrules,verbs=get
// +kubebuilder:rbac:groups="";events.k8s.io,resources=events,verbs=create;patch

const (
	// interval is the time between two looks; the first is after the first interval.
	interval = 5 * time.Minute
	// patience is how long nothing may have scraped the metrics.
	patience = 10 * time.Minute
)

// The reasons of the events.
const (
	// ReasonNotScraped is of a ServiceMonitor through which nothing scrapes.
	ReasonNotScraped = "NotScraped"
	// ReasonNotAccepted is of an object that the Prometheus Operator says it has not accepted.
	ReasonNotAccepted = "NotAccepted"
)

// objects are the shipped ones of config/prometheus.
var objects = []struct{ kind, name string }{{"ServiceMonitor", "tanggap-operator"}, {"PrometheusRule", "tanggap"}}

// Watch looks now and then. It is a Runnable of the leader, which alone has anything to be scraped.
type Watch struct {
	// Reader reads from the API server itself: an object that is not there is asked for and not watched.
	Reader   client.Reader
	Recorder events.EventRecorder
	// Namespace is the operator's own, where config/prometheus is installed too.
	Namespace string
	// Scraped says when the metrics were last scraped; zero is never.
	Scraped func() time.Time
	Now     func() time.Time
	After   func(time.Duration) <-chan time.Time
	Logger  logr.Logger

	said []string
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (w *Watch) NeedLeaderElection() bool { return true }

// Start looks until ctx ends.
func (w *Watch) Start(ctx context.Context) error {
	since := w.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.After(interval):
			w.look(ctx, since)
		}
	}
}

// fault is something that keeps alerts from being raised.
type fault struct {
	// object is what the event is about; nil is nothing that exists, and then there is no event.
	object       *unstructured.Unstructured
	reason, note string
}

// look says what has become wrong since the last look, once, and that everything is right again.
func (w *Watch) look(ctx context.Context, since time.Time) {
	var faults []fault
	for _, o := range objects {
		object, err := w.get(ctx, o.kind, o.name)
		if err != nil {
			w.Logger.Error(err, "Failed to see whether the monitoring is accepted", "kind", o.kind)
			return
		}
		if o.kind == "ServiceMonitor" && w.unscraped(since) {
			faults = append(faults, fault{object, ReasonNotScraped, fmt.Sprintf("Nothing has scraped the operator's metrics for %s, so that no alert can fire", patience)})
		}
		if object != nil {
			for _, note := range refusals(object) {
				faults = append(faults, fault{object, ReasonNotAccepted, note})
			}
		}
	}
	w.say(faults)
}

func (w *Watch) unscraped(since time.Time) bool {
	last := w.Scraped()
	if last.Before(since) {
		last = since
	}
	return w.Now().Sub(last) > patience
}

// say tells each fault once, as a log line and, on an object that exists, as an event.
func (w *Watch) say(faults []fault) {
	var now []string
	for _, f := range faults {
		now = append(now, f.reason+f.note)
		if slices.Contains(w.said, f.reason+f.note) {
			continue
		}
		w.Logger.Info("Found that alerts may not be raised", "reason", f.reason, "note", f.note)
		if f.object != nil {
			w.Recorder.Eventf(f.object, nil, "Warning", f.reason, "Watch", "%s", f.note)
		}
	}
	if len(w.said) > 0 && len(now) == 0 {
		w.Logger.Info("Found nothing any more that keeps alerts from being raised")
	}
	w.said = now
}

// get is one of the shipped objects; nil where it is not installed, or its kind is not.
func (w *Watch) get(ctx context.Context, kind, name string) (*unstructured.Unstructured, error) {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(schema.GroupVersionKind{Group: "monitoring.coreos.com", Version: "v1", Kind: kind})
	err := w.Reader.Get(ctx, types.NamespacedName{Namespace: w.Namespace, Name: name}, object)
	switch {
	case meta.IsNoMatchError(err) || apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading %s %s: %w", kind, name, err)
	default:
		return object, nil
	}
}

// refusals are what the Prometheus Operator has to say against an object: its status has, for each Prometheus
// that selects the object, a condition Accepted. Where it writes no status, nothing is known.
func refusals(object *unstructured.Unstructured) []string {
	bindings, _, err := unstructured.NestedSlice(object.Object, "status", "bindings")
	if err != nil {
		return nil // a status of another shape says nothing
	}
	var notes []string
	for _, entry := range bindings {
		binding, _ := entry.(map[string]any)
		conditions, _, err := unstructured.NestedSlice(binding, "conditions")
		if err != nil {
			continue
		}
		for _, entry := range conditions {
			condition, _ := entry.(map[string]any)
			if condition["type"] == "Accepted" && condition["status"] == "False" {
				notes = append(notes, fmt.Sprintf("%v %v/%v has not accepted it (%v); its own message is in the status",
					binding["resource"], binding["namespace"], binding["name"], condition["reason"]))
			}
		}
	}
	return notes
}
