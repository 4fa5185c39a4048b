package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tanggap/tanggap/internal/simulator/standalone"
)

// simulateFlags are the flags of `tanggap simulate`.
type simulateFlags struct {
	listen, adminListen string
	url, deliverTo      string
	directory           string
	namespace, channel  string
	script              standalone.Script
	requestsPerMinute   int
	printManifest       bool
}

// newSimulateCommand is `tanggap simulate`: a system to try a channel with, before or instead of the real one.
func newSimulateCommand() *cobra.Command {
	var f simulateFlags
	var kinds strings.Builder
	table := tabwriter.NewWriter(&kinds, 0, 0, 2, ' ', 0)
	var names []string
	for _, kind := range standalone.Kinds() {
		_, _ = fmt.Fprintf(table, "  %s\t%s\n", kind.Name, kind.Short) // a Builder takes everything
		names = append(names, kind.Name)
	}
	_ = table.Flush() // likewise
	command := &cobra.Command{
		Use:   "simulate SYSTEM",
		Short: "Run a simulated complaint system that speaks the wire format of a real one",
		Long: "Run a simulated complaint system that speaks the wire format of a real one, with citizens who complain and\n" +
			"staff who answer, or do not. It prints the manifest of a channel that reads it. Steps by hand and faults on\n" +
			"request: see docs/channels/simulate.md. The systems are\n\n" + kinds.String(),
		Example: "  tanggap simulate open311 --per-minute 12\n" +
			"  tanggap simulate emergency112 --deliver-to http://127.0.0.1:8080/hooks/emergency-112",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("name one system to simulate: %s", strings.Join(names, ", "))
			}
			return nil
		},
		ValidArgs: names,
		RunE: func(command *cobra.Command, args []string) error {
			return simulate(command.Context(), args[0], f, command.OutOrStdout())
		},
	}
	flags := command.Flags()
	flags.StringVar(&f.listen, "listen", "127.0.0.1:0", "address of the system, for what a source asks; port 0 is any that is free")
	flags.StringVar(&f.adminListen, "admin-listen", "127.0.0.1:0", "address for steps by hand and faults; whoever reaches it may do everything")
	flags.StringVar(&f.url, "url", "", "base URL under which the worker reaches the system (default http://<the address>)")
	flags.StringVar(&f.deliverTo, "deliver-to", "", "URL that a system which pushes delivers to, the channel's status.endpoint")
	flags.StringVar(&f.directory, "directory", "", "directory that a system which exports writes its files to")
	flags.StringVar(&f.namespace, "namespace", "default", "namespace in the manifest")
	flags.StringVar(&f.channel, "channel", "", "name of the channel in the manifest (default simulated-<system>)")
	flags.BoolVar(&f.printManifest, "manifest", false, "print the manifest and end; needs --url where the channel asks the system")
	flags.IntVar(&f.script.PerMinute, "per-minute", 6, "complaints that arrive in a minute by themselves; 0 is none")
	flags.IntVar(&f.script.AnsweredPercent, "answered-percent", 50, "how many of a hundred are answered; the others are left alone")
	flags.DurationVar(&f.script.AnswerAfter, "answer-after", 20*time.Second, "how long an answer takes")
	flags.DurationVar(&f.script.CloseAfter, "close-after", 10*time.Second, "how long after its answer a complaint is closed, where the system knows that")
	flags.IntVar(&f.requestsPerMinute, "requests-per-minute", 0, "requests that a source may make in a minute before it is answered 429; 0 is any number")
	return command
}

// valid says what is wrong with the flags.
func (f *simulateFlags) valid(kind *standalone.Kind) error {
	switch {
	case f.script.PerMinute < 0 || f.script.PerMinute > 60_000:
		return errors.New("--per-minute must be 0 to 60000")
	case f.script.AnsweredPercent < 0 || f.script.AnsweredPercent > 100:
		return errors.New("--answered-percent must be 0 to 100")
	case f.printManifest && !kind.Complete():
		return fmt.Errorf("--manifest: the simulated %s makes its certificate when it starts, and prints the manifest then", kind.Name)
	case f.printManifest && f.url == "" && kind.Manifest("n", "c", "", "d") != kind.Manifest("n", "c", "u", "d"):
		return fmt.Errorf("--manifest needs --url: the channel asks the simulated %s, whose address is not known before it listens", kind.Name)
	case f.printManifest && f.deliverTo == "" && kind.Manifest("n", "c", "u", "") != kind.Manifest("n", "c", "u", "d"):
		return fmt.Errorf("--manifest needs --deliver-to: the channel of the simulated %s has to know the URL that it is delivered to", kind.Name)
	case f.printManifest:
		return nil
	case kind.Pushes && f.deliverTo == "":
		return fmt.Errorf("--deliver-to must be set: the simulated %s delivers; see the channel's status.endpoint", kind.Name)
	case kind.Exports && f.directory == "":
		return fmt.Errorf("--directory must be set: the simulated %s writes files", kind.Name)
	}
	return nil
}

func simulate(ctx context.Context, name string, f simulateFlags, out io.Writer) error {
	kind, err := standalone.Find(name)
	if err != nil {
		return err
	}
	if err := f.valid(&kind); err != nil {
		return err
	}
	if f.channel == "" {
		f.channel = "simulated-" + kind.Name
	}
	if f.printManifest {
		_, err := fmt.Fprint(out, kind.Manifest(f.namespace, f.channel, f.url, f.deliverTo))
		return err
	}
	var listening net.ListenConfig
	system, err := listening.Listen(ctx, "tcp", f.listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	defer func() { _ = system.Close() }()
	admin, err := listening.Listen(ctx, "tcp", f.adminListen)
	if err != nil {
		return fmt.Errorf("--admin-listen: %w", err)
	}
	defer func() { _ = admin.Close() }()
	if f.url == "" {
		f.url = "http://" + system.Addr().String()
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	server := standalone.New(kind, standalone.Setup{URL: f.url, DeliverTo: f.deliverTo, Directory: f.directory, Now: time.Now}, sourceTransport(sourceSilence), log)
	server.Faults.Limit(f.requestsPerMinute)
	if _, err := fmt.Fprintf(out, "# %s\n# The system is at %s, steps and faults at http://%s.\n%s",
		kind.Short, f.url, admin.Addr(), server.Manifest(f.namespace, f.channel)); err != nil {
		return err
	}
	return live(ctx, server, f.script, system, admin)
}

// live serves the system and plays its script until the context ends.
func live(ctx context.Context, server *standalone.Server, script standalone.Script, system, admin net.Listener) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	failed := make(chan error, 2)
	go func() { failed <- server.Serve(system) }()
	steps := &http.Server{Handler: server.Admin(), ReadHeaderTimeout: 10 * time.Second}
	go func() { failed <- steps.Serve(admin) }()
	lived := make(chan struct{})
	go func() {
		defer close(lived)
		// It fails when the context has ended, and for nothing else.
		if server.Begin(ctx) == nil {
			server.Live(ctx, script)
		}
	}()
	select {
	case <-ctx.Done():
		<-lived
		return nil
	case err := <-failed:
		return fmt.Errorf("serving the system: %w", err)
	}
}
