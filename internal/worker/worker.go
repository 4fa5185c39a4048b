package worker

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/fetch"
)

// Time limits of the servers and of the end.
const (
	headerTimeout  = 10 * time.Second
	readTimeout    = 30 * time.Second
	writeTimeout   = 60 * time.Second
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 32 << 10
	// drainTimeout is for deliveries under way, stopTimeout for the sources after them; together they stay
	// below the 30 s after which a pod is killed.
	drainTimeout = 12 * time.Second
	stopTimeout  = 10 * time.Second
)

// Options are what a worker reaches the outside by. Every field must be set, but for those whose doc
// says otherwise.
type Options struct {
	// Types are the types of source that the worker knows.
	Types []channel.Type
	// Ledger takes the events.
	Ledger Ledger
	// Credential reads the key of a Secret; see Credentials.Read.
	Credential func(ref v1alpha1.SecretKeyReference) ([]byte, error)
	// Files are the directories of the channels that read files, by the channel's name, and Quarantines those that
	// they may write to; nil where there are none.
	Files, Quarantines map[string]string
	// Transport carries the requests to sources.
	Transport http.RoundTripper
	// Hooks is where platforms deliver to; Health is for probes and metrics. The worker closes them.
	Hooks, Health net.Listener
	// Now is the clock, After waits on it, Random yields numbers in [0, 1).
	Now    func() time.Time
	After  func(time.Duration) <-chan time.Time
	Random func() float64
	Logger *slog.Logger
}

// Worker runs the sources of some channels.
type Worker struct {
	options Options
	runners []*runner
	hooks   *hooks
	metrics *processMetrics
	// ready is true while the listeners are served.
	ready atomic.Bool
}

// ParseConfig reads and checks what the operator rendered. Members that this version does not know are
// passed over, for the operator may be newer for a moment; a strict reading, of what a person may have written, refuses
// them, and a configuration without a channel.
func ParseConfig(data []byte, strict bool) (Config, error) {
	var config Config
	if err := json.Unmarshal(data, &config); err != nil {
		return Config{}, fmt.Errorf("reading the configuration: %w", err)
	}
	if strict {
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&Config{}); err != nil {
			return Config{}, fmt.Errorf("reading the configuration: %w", err)
		}
		if len(config.Channels) == 0 {
			return Config{}, errors.New("channels: must not be empty")
		}
	}
	seen := map[string]bool{}
	for i := range config.Channels {
		name := config.Channels[i].Name
		switch {
		case name == "":
			return Config{}, fmt.Errorf("channels[%d].name: must not be empty", i)
		case seen[name]:
			return Config{}, fmt.Errorf("channels[%d].name: %q occurs twice", i, name)
		}
		seen[name] = true
	}
	return config, nil
}

// New makes a worker; nothing runs yet.
func New(config Config, options Options) *Worker {
	w := &Worker{options: options, hooks: newHooks(config.Channels), metrics: newProcessMetrics()}
	types := typesByName(options.Types)
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	instance := hex.EncodeToString(id[:])
	for _, c := range config.Channels {
		logger := options.Logger.With("channel", c.Name)
		w.runners = append(w.runners, &runner{
			channel: c.Name, config: c, types: types, ledger: options.Ledger, hooks: w.hooks, instance: instance,
			settings: options.settings(c.Name, logger),
			tracker:  newTracker(options.Now, logger), metrics: w.metrics.of(c.Name), logger: logger,
			backoff: fetch.Backoff{Initial: time.Second, Max: maxBackoff, Random: options.Random},
			now:     options.Now, after: options.After, random: options.Random,
		})
	}
	return w
}

func typesByName(types []channel.Type) map[v1alpha1.SourceType]channel.Type {
	byName := make(map[v1alpha1.SourceType]channel.Type, len(types))
	for _, t := range types {
		byName[t.Name()] = t
	}
	return byName
}

func (o *Options) settings(name string, logger *slog.Logger) channel.Settings {
	return channel.Settings{
		FilesDir: o.Files[name], QuarantineDir: o.Quarantines[name],
		Credential: o.Credential, Transport: o.Transport, Now: o.Now, After: o.After, Random: o.Random, Logger: logger,
	}
}

// Run runs every source until ctx ends, then finishes the deliveries under way. It returns an error when
// a listener fails or a source does not stop in time; the sources' own trouble is reported to the ledger
// and ends nothing.
func (w *Worker) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	push, health := w.server(w.hooks), w.server(w.healthHandler())
	failed := make(chan error, 2)
	serve := func(server *http.Server, listener net.Listener) {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			failed <- fmt.Errorf("serving %s: %w", listener.Addr(), err)
		}
	}
	go serve(push, w.options.Hooks)
	go serve(health, w.options.Health)
	w.ready.Store(true)

	drained := make(chan struct{})
	stopped := w.start(ctx, drained)

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
		stop()
	}
	w.ready.Store(false)
	w.options.Logger.Info("Stopped taking deliveries")
	w.shutDown(ctx, push, drainTimeout)
	close(drained)
	select {
	case <-stopped:
	case <-w.options.After(stopTimeout):
		err = errors.Join(err, errors.New("a source did not stop in time"))
	}
	w.shutDown(ctx, health, time.Second)
	return err
}

// start runs every runner; the channel is closed when all have returned.
func (w *Worker) start(ctx context.Context, drained <-chan struct{}) (stopped <-chan struct{}) {
	var running sync.WaitGroup
	for _, r := range w.runners {
		running.Go(func() { r.run(ctx, drained) })
	}
	done := make(chan struct{})
	go func() {
		running.Wait()
		close(done)
	}()
	return done
}

func (w *Worker) server(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(w.options.Logger.Handler(), slog.LevelDebug),
	}
}

// shutDown lets requests under way end; what takes longer is broken off.
func (w *Worker) shutDown(ctx context.Context, server *http.Server, limit time.Duration) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		_ = server.Close()
	}
}

// healthHandler serves probes and the process's own metrics. Readiness says that deliveries can be
// taken: a worker that cannot open its source, for its Secret does not hold what it should, does not replace one that
// could. The ledger has no part in it, nor has how a source fares.
func (w *Worker) healthHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", func(rw http.ResponseWriter, _ *http.Request) {
		if !w.ready.Load() || !w.hooks.open() {
			http.Error(rw, "not serving", http.StatusServiceUnavailable)
			return
		}
		_, _ = rw.Write([]byte("ok\n"))
	})
	mux.Handle("GET /metrics", w.metrics.handler())
	return mux
}
