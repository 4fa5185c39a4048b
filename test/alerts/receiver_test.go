package alerts

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// receiver is who is told. It keeps the first notification that an alert fires and the last that it is
// resolved.
type receiver struct {
	*httptest.Server

	mu    sync.Mutex
	heard map[string]*told
	// wrong are notifications that reached the wrong receiver or lack what a person needs.
	wrong []string
}

// told is what was notified of one alert.
type told struct{ firing, resolved time.Time }

func startReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{heard: map[string]*told{}}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

// ServeHTTP takes what Alertmanager posts.
func (r *receiver) ServeHTTP(_ http.ResponseWriter, request *http.Request) {
	var body struct {
		Alerts []struct {
			Status              string
			Labels, Annotations map[string]string
		}
	}
	if err := json.NewDecoder(request.Body).Decode(&body); err != nil {
		return // Alertmanager tries again
	}
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, alert := range body.Alerts {
		name := nameOf(alert.Labels)
		if want := map[string]string{"page": "/on-call", "ticket": "/city-desk"}[alert.Labels["severity"]]; request.URL.Path != want {
			r.wrong = append(r.wrong, fmt.Sprintf("%s went to %s", name, request.URL.Path))
		}
		for _, annotation := range []string{"summary", "description", "runbook_url", "dashboard_url"} {
			if alert.Annotations[annotation] == "" {
				r.wrong = append(r.wrong, fmt.Sprintf("%s has no %s", name, annotation))
			}
		}
		entry := r.heard[name]
		if entry == nil {
			entry = &told{}
			r.heard[name] = entry
		}
		if alert.Status == "resolved" {
			entry.resolved = now
			continue
		}
		if entry.firing.IsZero() {
			entry.firing = now
		}
		entry.resolved = time.Time{}
	}
}

// nameOf is an alert and what it is about, such as "TanggapChannelDown depok/worker".
func nameOf(labels map[string]string) string {
	about := []string{}
	for _, label := range []string{"namespace", "ledger", "channel", "sla", "clock", "department", "calendar"} {
		if value := labels[label]; value != "" {
			about = append(about, value)
		}
	}
	return strings.TrimSpace(labels["alertname"] + " " + strings.Join(about, "/"))
}

// of is what was told of an alert so far.
func (r *receiver) of(name string) told {
	r.mu.Lock()
	defer r.mu.Unlock()
	if entry := r.heard[name]; entry != nil {
		return *entry
	}
	return told{}
}

// names are the alerts that were told of so far.
func (r *receiver) names() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	names := []string{}
	for name := range r.heard {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// faults are the notifications that were not as they should be.
func (r *receiver) faults() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.wrong)
}
