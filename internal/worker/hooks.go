package worker

import (
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// HookPath is where a push source's platform delivers to, followed by the channel's name.
const HookPath = "/hooks/"

// maxInFlight is how many requests of one channel are served at once; each may hold a body in memory.
const maxInFlight = 256

// hooks serves the push sources of a worker below HookPath.
type hooks struct {
	mu    sync.RWMutex
	known map[string]*hook
}

// hook is the endpoint of one channel.
type hook struct {
	// handler is nil while the source is not open; pushed says that it is to be delivered to.
	handler  http.Handler
	pushed   bool
	problem  func(reason ledgerapi.Reason, message string, items int)
	metrics  *channelMetrics
	logger   *slog.Logger
	inFlight chan struct{}
}

func newHooks(channels []ChannelConfig) *hooks {
	h := &hooks{known: make(map[string]*hook, len(channels))}
	for i := range channels {
		h.known[channels[i].Name] = &hook{pushed: channels[i].Source.Pushed()}
	}
	return h
}

// open reports whether every source that is to be delivered to can be.
func (h *hooks) open() bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, endpoint := range h.known {
		if endpoint.pushed && endpoint.handler == nil {
			return false
		}
	}
	return true
}

// serve sets the endpoint of a channel; nil is none.
func (h *hooks) serve(channelName string, endpoint *hook) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if endpoint == nil {
		delete(h.known, channelName)
		return
	}
	h.known[channelName] = endpoint
}

// ServeHTTP implements http.Handler.
func (h *hooks) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	name, ok := strings.CutPrefix(req.URL.Path, HookPath)
	h.mu.RLock()
	endpoint := h.known[name]
	h.mu.RUnlock()
	switch {
	case !ok || endpoint == nil:
		http.Error(w, "There is nothing here.", http.StatusNotFound)
	case endpoint.handler == nil:
		w.Header().Set("Retry-After", "30")
		http.Error(w, "The channel is not ready; its condition SourceConnected says why.", http.StatusServiceUnavailable)
	default:
		endpoint.serve(w, req)
	}
}

func (e *hook) serve(w http.ResponseWriter, req *http.Request) {
	recorder := &statusRecorder{ResponseWriter: w}
	defer func() { e.metrics.delivered(recorder.status) }()
	select {
	case e.inFlight <- struct{}{}:
		defer func() { <-e.inFlight }()
	default:
		recorder.Header().Set("Retry-After", "1")
		http.Error(recorder, "Too many deliveries at once.", http.StatusServiceUnavailable)
		return
	}
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		e.logger.Error("Recovered from a panic of the source", "stack", stack(cause))
		e.problem(ledgerapi.ReasonInternal, "the source failed in an unexpected way; the worker's log has the place", 1)
		if recorder.status != 0 {
			return
		}
		http.Error(recorder, "The delivery could not be processed.", http.StatusInternalServerError)
	}()
	e.handler.ServeHTTP(recorder, req)
	if recorder.status == 0 {
		recorder.status = http.StatusOK
	}
}

// statusRecorder notes the status of an answer.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (r *statusRecorder) WriteHeader(status int) {
	if r.status == 0 && status >= 200 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (r *statusRecorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
