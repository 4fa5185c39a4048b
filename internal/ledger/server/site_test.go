package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger"
	"github.com/tanggap/tanggap/internal/ledger/client"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/internal/ledger/store/sqlite"
	"github.com/tanggap/tanggap/internal/ledger/tlstest"
	"github.com/tanggap/tanggap/internal/policy"
)

// tokens knows the owners of some tokens; a token "away" cannot be reviewed.
type tokens map[string]string

func (k tokens) Review(_ context.Context, token string) (string, error) {
	if token == "away" {
		return "", errors.New("the API server is away")
	}
	user, ok := k[token]
	if !ok {
		return "", ErrUnauthenticated
	}
	return user, nil
}

// MayReply knows one token of the desk of dsw.
func (k tokens) MayReply(ctx context.Context, token, channel string) (bool, error) {
	user, err := k.Review(ctx, token)
	return user == "desk" && channel == "dsw", err
}

// site is a ledger that is served over TLS on a loopback address.
type site struct {
	ledger *ledger.Ledger
	url    string
	dir    string
	ca     *tlstest.Authority
	files  Files
	caFile string
	// begun are the requests that the server has begun to serve.
	begun atomic.Int64
	// stop ends the server as a signal does, and returns what Serve returned.
	stop func() error
}

// fragile is a store that can be made to fail.
type fragile struct {
	store.Store
	// shared says that other replicas may have the storage.
	shared bool
	mu     sync.Mutex
	err    error
}

// Exclusive implements store.Store.
func (f *fragile) Exclusive() bool { return !f.shared }

func (f *fragile) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *fragile) failing() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

func (f *fragile) Update(ctx context.Context, do func(store.Tx) error) error {
	if err := f.failing(); err != nil {
		return err
	}
	return f.Store.Update(ctx, do)
}

// View fails where the storage is elsewhere; a file that takes nothing can still be read.
func (f *fragile) View(ctx context.Context, do func(store.Reader) error) error {
	if err := f.failing(); f.shared && err != nil {
		return err
	}
	return f.Store.View(ctx, do)
}

func newSite(t *testing.T) (*site, *fragile) {
	t.Helper()
	return newSiteOn(t, false)
}

// newSiteOn is a site whose storage other replicas may have, or not.
func newSiteOn(t *testing.T, shared bool) (*site, *fragile) {
	t.Helper()
	dir := t.TempDir()
	storage, err := sqlite.Open(dir+"/data", sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{dir: dir, ca: tlstest.New(t)}
	f := &fragile{Store: storage, shared: shared}
	if s.ledger, err = ledger.Open(t.Context(), ledger.Options{Store: f}); err != nil {
		t.Fatal(err)
	}
	s.files.Cert, s.files.Key = s.ca.Issue(t, dir, "ledger")
	s.caFile = tlstest.Write(t, dir, "ca.crt", s.ca.PEM)
	s.files.ClientCA = s.caFile
	config, err := TLSConfig(s.files, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.url = "https://" + listener.Addr().String()
	log := slog.New(slog.DiscardHandler)
	serving, stopServing := context.WithCancel(context.Background())
	running, stopRunning := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { s.ledger.Run(running) })
	served := make(chan error, 1)
	handler := New(s.ledger, tokens{"dsw-token": "dsw-worker", "other-token": "other-worker", "desk-token": "desk"}, log)
	paths := handler.mux
	handler.mux = http.NewServeMux()
	handler.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.begun.Add(1)
		paths.ServeHTTP(w, r)
	})
	go func() { served <- Serve(serving, listener, handler, config, log) }()
	var once sync.Once
	var result error
	s.stop = func() error {
		once.Do(func() {
			stopServing()
			result = <-served
			stopRunning()
			work.Wait()
			if err := storage.Close(); err != nil {
				t.Errorf("Closing the store: %v", err)
			}
		})
		return result
	}
	t.Cleanup(func() { _ = s.stop() })
	return s, f
}

func sitePolicy() policy.Document {
	d := benchPolicy()
	dsw := d.Channels["dsw"]
	dsw.Writer = "dsw-worker"
	d.Channels["dsw"] = dsw
	sigap := dsw
	sigap.Writer = "sigap-worker"
	d.Channels["sigap"] = sigap
	return d.Seal()
}

func (s *site) operator(t *testing.T) *client.Client {
	t.Helper()
	cert, key := s.ca.Issue(t, s.dir, ledgerapi.OperatorCommonName)
	return s.client(t, client.Config{TLS: client.TLS{CAFile: s.caFile, CertFile: cert, KeyFile: key}})
}

func (s *site) worker(t *testing.T, token string) *client.Client {
	t.Helper()
	file := tlstest.Write(t, s.dir, "token-"+token, []byte(token+"\n"))
	return s.client(t, client.Config{TLS: client.TLS{CAFile: s.caFile}, TokenFile: file})
}

func (s *site) client(t *testing.T, config client.Config) *client.Client {
	t.Helper()
	config.BaseURL = s.url
	c, err := client.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func complaintOf(id string) complaint.Event {
	return complaint.Event{
		CaseID: id, ID: id, Kind: complaint.KindReceived, Actor: complaint.ActorCitizen, OccurredAt: time.Now().Add(-time.Minute), Text: "banjir",
	}
}

func wantStatus(t *testing.T, what string, want int, err error) {
	t.Helper()
	var got *client.Error
	if !errors.As(err, &got) || got.Status != want || got.Message == "" {
		t.Errorf("%s gives %v; want status %d with a message", what, err, want)
	}
}

// waitFor waits for a condition that nothing signals.
func waitFor(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for !is() {
		select {
		case <-deadline:
			t.Fatalf("Waited in vain for %s", what)
		case <-time.After(2 * time.Millisecond):
		}
	}
}
