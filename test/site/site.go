// Package site runs one worker and one ledger, or replicas of it, as processes of this machine, with the
// TLS, tokens and policy that the operator would give them and without a cluster: an API server is replaced
// by a handler that reviews the one token. Benchmarks and tests that kill processes use it.
package site

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/tanggap/tanggap/internal/ledger/client"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/policy"
	"github.com/tanggap/tanggap/internal/worker"
)

// The worker's service account, and the token that proves it.
const (
	Writer = "system:serviceaccount:depok:tanggap-worker"
	token  = "the-token-of-the-worker"
)

// Options say what to run.
type Options struct {
	// Tanggap is the program; Dir an empty folder for files and logs.
	Tanggap, Dir string
	// Storage are the flags that name the ledger's storage; nil is embedded storage in Dir/data.
	Storage []string
	// Policy is what the ledger judges by; Channels are what the worker hosts.
	Policy   policy.Document
	Channels []worker.ChannelConfig
	// Secrets are the keys of Secrets that channels name, as <Secret>/<key>.
	Secrets map[string]string
	// LedgerURL is where the worker finds the ledger, as through a proxy; "" is the ledger's own address.
	LedgerURL string
	// Environment is added to that of the processes.
	Environment []string
	// Profile lets both processes serve net/http/pprof.
	Profile bool
}

// Site is a ledger and a worker. Its methods are for one goroutine.
type Site struct {
	options Options
	host    string
	reviews *httptest.Server
	// Ledger and Worker are the processes; nil while they are not started.
	Ledger, Worker *Process
	// Replicas are further ledgers on the same storage; see StartReplica.
	Replicas []*Replica
	// Operator speaks to the ledger as the operator does, AsWorker as the worker.
	Operator, AsWorker *client.Client
}

// New prepares the files; nothing is started but the reviewer of tokens.
func New(options Options) (*Site, error) {
	// A loopback address of its own: unlike with a port of 127.0.0.1, no connection of somebody else can take
	// it while a process that is to listen on it starts again.
	s := &Site{options: options, host: fmt.Sprintf("127.%d.%d.%d", 64+rand.IntN(128), rand.IntN(256), 1+rand.IntN(254))}
	if s.options.Storage == nil {
		s.options.Storage = []string{"--data", s.Path("data")}
	}
	authority, err := newAuthority()
	if err != nil {
		return nil, err
	}
	ledgerPEM, err := authority.issue("ledger", s.host)
	if err != nil {
		return nil, err
	}
	operatorPEM, err := authority.issue(ledgerapi.OperatorCommonName, s.host)
	if err != nil {
		return nil, err
	}
	s.reviews = newReviews()
	files := map[string][]byte{
		"ca.crt":     authority.pem,
		"ledger.crt": ledgerPEM.certificate, "ledger.key": ledgerPEM.key,
		"operator.crt": operatorPEM.certificate, "operator.key": operatorPEM.key,
		"pseudonym":  []byte("0123456789abcdef0123456789abcdef\n"),
		"token":      []byte(token),
		"kubeconfig": kubeconfig(s.reviews.URL),
	}
	for name, value := range options.Secrets {
		files[filepath.Join("secrets", name)] = []byte(value)
	}
	for name, content := range files {
		path := s.Path(name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, content, 0o600)); err != nil {
			return nil, fmt.Errorf("preparing a site: %w", err)
		}
	}
	return s, nil
}

// Path is a file of the site's folder.
func (s *Site) Path(name string) string { return filepath.Join(s.options.Dir, name) }

// Start starts the ledger, gives it the policy, and starts the worker.
func (s *Site) Start(ctx context.Context) error {
	if err := s.StartLedger(ctx); err != nil {
		return err
	}
	if err := s.PutPolicy(ctx, s.options.Policy); err != nil {
		return err
	}
	return s.StartWorker(ctx)
}

// StartLedger starts the ledger, at the same address as before, and returns when it is ready.
func (s *Site) StartLedger(ctx context.Context) error {
	started, err := s.start(ctx, "ledger", "ledger.log", s.ledgerArguments(s.Ledger, s.options.Storage))
	if err != nil {
		return err
	}
	s.Ledger = started
	if s.Operator != nil {
		return nil
	}
	address := started.addresses["api"]
	if s.AsWorker, err = client.New(client.Config{
		BaseURL: "https://" + address, TLS: client.TLS{CAFile: s.Path("ca.crt")}, TokenFile: s.Path("token"),
	}); err != nil {
		return err
	}
	s.Operator, err = s.OperatorAt(address)
	return err
}

// ledgerArguments are those of a ledger, which listens where one did before it.
func (s *Site) ledgerArguments(before *Process, storage []string) []string {
	return append([]string{
		"ledger", "--listen", s.address(before, "api"), "--health-listen", s.address(before, "probes"),
		"--tls-cert", s.Path("ledger.crt"), "--tls-key", s.Path("ledger.key"), "--client-ca", s.Path("ca.crt"),
		"--pseudonym-key", s.Path("pseudonym"), "--kubeconfig", s.Path("kubeconfig"),
	}, storage...)
}

// OperatorAt speaks as the operator does to the ledger at an address, such as that of a proxy.
func (s *Site) OperatorAt(address string) (*client.Client, error) {
	return client.New(client.Config{BaseURL: "https://" + address, TLS: client.TLS{
		CAFile: s.Path("ca.crt"), CertFile: s.Path("operator.crt"), KeyFile: s.Path("operator.key"),
	}})
}

// PutPolicy gives the ledger a policy, and tries again while it does not take requests.
func (s *Site) PutPolicy(ctx context.Context, document policy.Document) error {
	for {
		_, err := s.Operator.PutPolicy(ctx, document)
		if err == nil || !client.Retryable(err) {
			return err
		}
		if !Pause(ctx, 20*time.Millisecond) {
			return err
		}
	}
}

// StartWorker starts the worker, at the same address as before, and returns when it takes deliveries.
func (s *Site) StartWorker(ctx context.Context) error {
	config := worker.Config{LedgerURL: s.options.LedgerURL, Channels: s.options.Channels}
	if config.LedgerURL == "" {
		config.LedgerURL = "https://" + s.Ledger.addresses["api"]
	}
	encoded, err := json.Marshal(config)
	if err != nil {
		return fmt.Errorf("rendering the worker's configuration: %w", err)
	}
	if err := os.WriteFile(s.Path("worker.json"), encoded, 0o600); err != nil {
		return fmt.Errorf("writing the worker's configuration: %w", err)
	}
	arguments := []string{
		"worker", "--config", s.Path("worker.json"), "--credentials-dir", s.Path("secrets"), "--ledger-ca", s.Path("ca.crt"),
		"--token-file", s.Path("token"), "--listen", s.address(s.Worker, "hooks"), "--health-listen", s.address(s.Worker, "probes"),
	}
	s.Worker, err = s.start(ctx, "worker", "worker.log", arguments)
	return err
}

// Hook is where deliveries of a channel go.
func (s *Site) Hook(channel string) string {
	return "http://" + s.Worker.addresses["hooks"] + worker.HookPath + channel
}

// Received is how many events of the channel the ledger has taken, by its own counters.
func (s *Site) Received(ctx context.Context, channel string) (int64, error) {
	summary, err := s.Operator.Summary(ctx, ledgerapi.Position{}, 0)
	if err != nil {
		return 0, err
	}
	return summary.Channels[channel].Accepted, nil
}

// Close ends the processes; a process that fails to end by itself is killed, which is an error.
func (s *Site) Close() error {
	var err error
	processes, clients := []*Process{s.Worker, s.Ledger}, []*client.Client{s.Operator, s.AsWorker}
	for _, r := range s.Replicas {
		processes, clients = append(processes, r.Process), append(clients, r.Operator)
	}
	for _, p := range processes {
		if p != nil {
			err = errors.Join(err, p.Stop())
		}
	}
	for _, c := range clients {
		if c != nil {
			c.CloseIdleConnections()
		}
	}
	s.reviews.Close()
	return err
}

// address is where a process listened before, or one that the kernel is to choose.
func (s *Site) address(before *Process, name string) string {
	if before == nil {
		return s.host + ":0"
	}
	return before.addresses[name]
}

func (s *Site) start(ctx context.Context, name, log string, arguments []string) (*Process, error) {
	if s.options.Profile {
		arguments = append(arguments, "--pprof-listen", s.host+":0")
	}
	return startProcess(ctx, command{
		name: name, program: s.options.Tanggap, arguments: arguments, environment: s.options.Environment, log: s.Path(log),
	})
}

// Pause waits; false when ctx ended before.
func Pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
