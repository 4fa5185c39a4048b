package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	authentication "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorization "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/tanggap/tanggap/internal/ledger"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/server"
	"github.com/tanggap/tanggap/internal/ledger/tokenreview"
)

// ledgerFlags are the flags of `tanggap ledger`.
type ledgerFlags struct {
	listen, healthListen string
	storage              storageFlags
	files                server.Files
	pseudonymKey         string
	adminSocket          string
	kubeconfig           string
	pprofListen          string
	logLevel             string
}

// newLedgerCommand is `tanggap ledger`: the process that keeps events, cases and figures.
func newLedgerCommand() *cobra.Command {
	var f ledgerFlags
	command := &cobra.Command{
		Use:   "ledger",
		Short: "Keep the events, cases and figures of one ComplaintLedger",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			collectLess(ledgerGarbage)
			defer runtime.KeepAlive(make([]byte, ledgerBallast))
			return runLedger(command.Context(), f)
		},
	}
	flags := command.Flags()
	flags.StringVar(&f.listen, "listen", ":8443", "address of the HTTPS API; its port is served at the loopback interface too, where kubectl port-forward comes out")
	flags.StringVar(&f.healthListen, "health-listen", ":8081", "address of the probes and of the process's own metrics")
	f.storage.add(command)
	flags.StringVar(&f.files.Cert, "tls-cert", "", "PEM file with the server's certificate; read again when it changes (required)")
	flags.StringVar(&f.files.Key, "tls-key", "", "PEM file with the certificate's key (required)")
	flags.StringVar(&f.files.ClientCA, "client-ca", "", "PEM file with the CA of the operator's client certificate (required)")
	flags.StringVar(&f.pseudonymKey, "pseudonym-key", "", "file with the key of reporters' pseudonyms, earlier keys on the lines after it; without it no pseudonyms are kept")
	flags.StringVar(&f.adminSocket, "admin-socket", "", "path of a socket for who is in the ledger's own pod, by which a reporter is erased; without it there is none")
	flags.StringVar(&f.kubeconfig, "kubeconfig", "", "kubeconfig for reviewing tokens; by default KUBECONFIG, ~/.kube/config or the Pod's service account")
	flags.StringVar(&f.pprofListen, "pprof-listen", "", pprofUsage)
	flags.StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	for _, name := range []string{"tls-cert", "tls-key", "client-ca"} {
		if err := command.MarkFlagRequired(name); err != nil {
			panic(err) // a flag of this name was not defined above
		}
	}
	command.AddCommand(newLedgerVerifyCommand(), newLedgerExportCommand(), newLedgerImportCommand(), newLedgerEraseCommand())
	return command
}

func runLedger(ctx context.Context, f ledgerFlags) (err error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.logLevel)); err != nil {
		return errors.New("--log-level must be one of debug, info, warn, error")
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	tlsConfig, err := server.TLSConfig(f.files, time.Now)
	if err != nil {
		return err
	}
	reviewer, err := newReviewer(f.kubeconfig)
	if err != nil {
		return err
	}
	options := ledger.Options{Now: time.Now, Log: log}
	if f.pseudonymKey != "" {
		if options.Pseudonyms, err = ledger.ReadPseudonymKeys(f.pseudonymKey); err != nil {
			return err
		}
	}
	storage, err := f.storage.write(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, storage.Close()) }()
	options.Store = storage
	l, err := ledger.Open(ctx, options)
	if err != nil {
		return err
	}
	var listen net.ListenConfig
	api, err := listen.Listen(ctx, "tcp", listenAddress(f.listen))
	if err != nil {
		return fmt.Errorf("listening for the API: %w", err)
	}
	probes, err := listen.Listen(ctx, "tcp", listenAddress(f.healthListen))
	if err != nil {
		return errors.Join(fmt.Errorf("listening for probes: %w", err), api.Close())
	}
	profiles, err := servePprof(ctx, f.pprofListen)
	if err != nil {
		return errors.Join(err, api.Close(), probes.Close())
	}
	admin, err := listenAdmin(ctx, f.adminSocket)
	if err != nil {
		return errors.Join(err, api.Close(), probes.Close())
	}
	log.LogAttrs(ctx, slog.LevelInfo, "Started the ledger",
		slog.String("api", api.Addr().String()), slog.String("probes", probes.Addr().String()), pprofAttribute(profiles))
	at := listeners{api: withForwarded(ctx, api, log), probes: probes, admin: admin}
	err = serveLedger(ctx, l, at, server.New(l, reviewer, log), tlsConfig, log)
	log.Info("Stopped the ledger")
	return err
}

// listeners are where a ledger listens; admin may be nil.
type listeners struct {
	api           []net.Listener
	probes, admin net.Listener
}

// withForwarded is a listener and, where it is not reached there anyway, one where kubectl port-forward comes out.
func withForwarded(ctx context.Context, api net.Listener, log *slog.Logger) []net.Listener {
	address := forwardedAddress(api.Addr())
	if address == "" {
		return []net.Listener{api}
	}
	forwarded, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		log.Warn("Could not listen where kubectl port-forward comes out", "error", err)
		return []net.Listener{api}
	}
	return []net.Listener{api, forwarded}
}

// listenAdmin listens at a socket that nobody but the ledger's own user can open; nil without a path.
func listenAdmin(ctx context.Context, path string) (net.Listener, error) {
	if path == "" {
		return nil, nil
	}
	// A process that was killed leaves its socket behind.
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("making the admin socket: %w", err)
	}
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("making the admin socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("making the admin socket: %w", err), listener.Close())
	}
	return listener, nil
}

// serveLedger runs the ledger and its servers until ctx ends. They stop in the order in which they need
// each other: first the API, whose requests wait for the ledger, then the ledger, then the probes.
func serveLedger(
	ctx context.Context, l *ledger.Ledger, at listeners, handler *server.Server, config *tls.Config, log *slog.Logger,
) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	health := server.NewHealth(l)
	committing, stopCommitting := context.WithCancel(context.WithoutCancel(ctx))
	probing, stopProbing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopProbing()
	var group errgroup.Group
	group.Go(func() error { l.Run(committing); return nil })
	group.Go(func() error { l.Maintain(ctx); return nil })
	group.Go(func() error {
		defer cancel()
		return server.Serve(probing, at.probes, health, nil, log)
	})
	if at.admin != nil {
		group.Go(func() error {
			defer cancel()
			return server.Serve(ctx, at.admin, handler.Admin(), nil, log)
		})
	}
	group.Go(func() error {
		defer cancel()
		defer stopProbing()
		defer stopCommitting()
		health.SetReady(true)
		stopReady := context.AfterFunc(ctx, func() { health.SetReady(false) })
		defer stopReady()
		var apis errgroup.Group
		for _, listener := range at.api {
			apis.Go(func() error {
				defer cancel()
				return server.Serve(ctx, listener, handler, config, log)
			})
		}
		return apis.Wait()
	})
	return group.Wait()
}

// newReviewer reviews tokens by the API server of the Pod's cluster.
func newReviewer(kubeconfig string) (*tokenreview.Reviewer, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = kubeconfig
	loaded := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil)
	config, err := loaded.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("finding the API server: %w", err)
	}
	namespace, _, err := loaded.Namespace()
	if err != nil {
		return nil, fmt.Errorf("finding the namespace: %w", err)
	}
	config = rest.AddUserAgent(config, "tanggap-ledger")
	client, err := authentication.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connecting to the API server: %w", err)
	}
	access, err := authorization.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connecting to the API server: %w", err)
	}
	return tokenreview.New(client.TokenReviews(), access.SubjectAccessReviews(), ledgerapi.Audience, namespace, time.Now), nil
}

// newLedgerVerifyCommand is `tanggap ledger verify`.
func newLedgerVerifyCommand() *cobra.Command {
	var from storageFlags
	command := &cobra.Command{
		Use:   "verify",
		Short: "Recount every figure from the events and name what differs",
		Long: "Recount every figure of a ledger from its events and cases, and judge every case anew. The ledger may be\n" +
			"running. Every difference is printed; with any the exit status is 1.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			storage, err := from.read(command.Context())
			if err != nil {
				return err
			}
			defer storage.Close()
			return verify(command, storage)
		},
	}
	from.add(command)
	return command
}
