package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/csvfile"
	"github.com/tanggap/tanggap/internal/channel/email"
	"github.com/tanggap/tanggap/internal/channel/emergency112"
	"github.com/tanggap/tanggap/internal/channel/meta"
	"github.com/tanggap/tanggap/internal/channel/open311"
	"github.com/tanggap/tanggap/internal/channel/rest"
	"github.com/tanggap/tanggap/internal/channel/sms"
	"github.com/tanggap/tanggap/internal/channel/telegram"
	"github.com/tanggap/tanggap/internal/channel/webhook"
	"github.com/tanggap/tanggap/internal/channel/whatsapp"
	"github.com/tanggap/tanggap/internal/channel/x"
	"github.com/tanggap/tanggap/internal/ledger/client"
	"github.com/tanggap/tanggap/internal/worker"
)

// workerFlags are the flags of `tanggap worker`.
type workerFlags struct {
	config, credentials  string
	files, quarantines   map[string]string
	ledgerCA, token      string
	listen, healthListen string
	pprofListen          string
	logLevel             string
	check                bool
}

// newWorkerCommand is `tanggap worker`: the process that reads the sources of some channels.
func newWorkerCommand() *cobra.Command {
	var f workerFlags
	command := &cobra.Command{
		Use:   "worker",
		Short: "Read the sources of one or more ComplaintChannels and hand their events to the ledger",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			collectLess(workerGarbage)
			return runWorker(command.Context(), f, command.OutOrStdout())
		},
	}
	flags := command.Flags()
	flags.StringVar(&f.config, "config", "", "JSON file with the channels and the ledger's address, as the operator renders it (required)")
	flags.StringVar(&f.credentials, "credentials-dir", "", "directory of the Secrets' keys, as <name of the Secret>/<key>")
	flags.StringToStringVar(&f.files, "files", nil, "directory of the files of a channel that reads some, as <channel>=<directory>; once a channel")
	flags.StringToStringVar(&f.quarantines, "quarantine", nil, "directory that rows which a channel could not understand are written to, as <channel>=<directory>")
	flags.StringVar(&f.ledgerCA, "ledger-ca", "", "PEM file with the CA of the ledger; read again when it changes")
	flags.StringVar(&f.token, "token-file", "", "file with the service-account token for the ledger; read again when it changes")
	flags.StringVar(&f.listen, "listen", ":8080", "address that platforms deliver to, at "+worker.HookPath+"<channel>")
	flags.StringVar(&f.healthListen, "health-listen", ":8081", "address of the probes and of the process's own metrics")
	flags.StringVar(&f.pprofListen, "pprof-listen", "", pprofUsage)
	flags.StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	flags.BoolVar(&f.check, "check", false, "open each source, read once without storing anything, say how each fares, and end")
	if err := command.MarkFlagRequired("config"); err != nil {
		panic(err) // the flag was defined above
	}
	return command
}

// sourceTypes are the types of source that a worker knows.
func sourceTypes() ([]channel.Type, error) {
	restType, err := rest.New()
	if err != nil {
		return nil, err
	}
	webhookType, err := webhook.New()
	if err != nil {
		return nil, err
	}
	csvType, err := csvfile.New()
	if err != nil {
		return nil, err
	}
	return []channel.Type{
		// One line a type.
		open311.Type{},
		restType,
		webhookType,
		whatsapp.Type{},
		x.Type{},
		telegram.Type{},
		sms.Type{},
		email.Type{Dial: (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext},
		meta.Type{},
		emergency112.Type{},
		csvType,
	}, nil
}

func runWorker(ctx context.Context, f workerFlags, out io.Writer) error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.logLevel)); err != nil {
		return errors.New("--log-level must be one of debug, info, warn, error")
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	rendered, err := os.ReadFile(f.config)
	if err != nil {
		return fmt.Errorf("--config: %w", err)
	}
	config, err := worker.ParseConfig(rendered, f.check)
	if err != nil {
		return fmt.Errorf("--config: %w", err)
	}
	types, err := sourceTypes()
	if err != nil {
		return err
	}
	options := worker.Options{
		Types:      types,
		Credential: worker.Credentials{Dir: f.credentials}.Read,
		Files:      f.files, Quarantines: f.quarantines,
		Transport: sourceTransport(sourceSilence),
		Now:       time.Now, After: time.After, Random: rand.Float64,
		Logger: log,
	}
	if f.check {
		well, err := worker.Check(ctx, config, options, out)
		if err == nil && !well {
			err = errors.New("not every channel is well")
		}
		return err
	}
	return serveWorker(ctx, f, config, options)
}

// serveWorker runs the worker until ctx ends.
func serveWorker(ctx context.Context, f workerFlags, config worker.Config, options worker.Options) error {
	ledger, err := client.New(client.Config{
		BaseURL: config.LedgerURL, TLS: client.TLS{CAFile: f.ledgerCA}, TokenFile: f.token, UserAgent: "tanggap-worker/" + version,
	})
	if err != nil {
		return err
	}
	defer ledger.CloseIdleConnections()
	options.Ledger = ledger
	var listen net.ListenConfig
	if options.Hooks, err = listen.Listen(ctx, "tcp", listenAddress(f.listen)); err != nil {
		return fmt.Errorf("listening for deliveries: %w", err)
	}
	if options.Health, err = listen.Listen(ctx, "tcp", listenAddress(f.healthListen)); err != nil {
		return errors.Join(fmt.Errorf("listening for probes: %w", err), options.Hooks.Close())
	}
	profiles, err := servePprof(ctx, f.pprofListen)
	if err != nil {
		return errors.Join(err, options.Hooks.Close(), options.Health.Close())
	}
	options.Logger.LogAttrs(ctx, slog.LevelInfo, "Started the worker", slog.Int("channels", len(config.Channels)),
		slog.String("hooks", options.Hooks.Addr().String()), slog.String("probes", options.Health.Addr().String()), pprofAttribute(profiles))
	err = worker.New(config, options).Run(ctx)
	options.Logger.Info("Stopped the worker")
	return err
}

// sourceSilence is how long a connection of HTTP/2 may be silent before the other side is asked whether it is there.
const sourceSilence = 30 * time.Second

// sourceTransport carries the requests to sources: through the proxy of the environment, trusting what
// the system trusts. A connection that something on the way has forgotten is given up soon after it has been silent;
// with HTTP/2 requests would otherwise be sent into it for a quarter of an hour, until TCP gives it up.
func sourceTransport(silence time.Duration) *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          100,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
		HTTP2:                 &http.HTTP2Config{SendPingTimeout: silence, PingTimeout: silence / 2},
	}
}
