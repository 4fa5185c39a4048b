// Command demo runs a whole city on one machine, without a cluster, a container engine or root: a real
// control plane, the operator installed from config/default, the workers and the ledger it asks for as
// processes, and simulated city systems with complaints and answers.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/tanggap/tanggap/test/cluster"
	"github.com/tanggap/tanggap/test/simulator/city"
)

func main() {
	ctrllog.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var err error
	switch {
	case len(os.Args) > 1 && os.Args[1] == "city":
		err = runCity(ctx, os.Args[2:])
	case len(os.Args) > 1 && os.Args[1] == "export":
		err = runExport(ctx, os.Args[2:])
	default:
		err = runDemo(ctx, os.Args[1:], os.Stdout)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// runCity is the simulated city systems; the demo runs it as a Pod.
func runCity(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("city", flag.ContinueOnError)
	address := flags.String("address", "127.0.0.1", "the address to listen on")
	hook := flags.String("hook", "", "where the call centre delivers its incidents")
	chat := flags.String("whatsapp", "", "where WhatsApp delivers what people write to the mayor")
	desk := flags.String("desk", "", "where the help desk delivers its tickets")
	text := flags.String("sms", "", "where Twilio delivers text messages")
	page := flags.String("meta", "", "where Meta delivers what visitors post on the deputy mayor's Page")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	c := city.New(time.Now, *hook, &http.Client{Timeout: 10 * time.Second})
	c.WhatsApp.URL, c.Desk.URL, c.SMS.URL, c.Meta.URL = *chat, *desk, *text, *page
	for port, handler := range map[string]http.Handler{"8001": c.DSW, "8002": c.Sigap, "8003": c.Open311, "8004": c.Control(), "8005": c.X,
		"8006": c.Telegram, "8007": c.Meta, "8008": c.SMS} {
		var listening net.ListenConfig
		listener, err := listening.Listen(ctx, "tcp", net.JoinHostPort(*address, port))
		if err != nil {
			return fmt.Errorf("listening: %w", err)
		}
		server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
		go func() { _ = server.Serve(listener) }() // ends with the process
	}
	var listening net.ListenConfig
	mail, err := listening.Listen(ctx, "tcp", net.JoinHostPort(*address, "8993"))
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	if err := c.OpenMail(mail); err != nil {
		return err
	}
	c.Live(ctx)
	<-ctx.Done()
	return nil
}

type options struct {
	root, assets, tanggap string
	length                time.Duration
}

func runDemo(ctx context.Context, arguments []string, out io.Writer) (err error) {
	var o options
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.StringVar(&o.root, "root", ".", "the folder of the repository")
	flags.StringVar(&o.assets, "assets", "", "the folder with etcd, kube-apiserver and kubectl (default KUBEBUILDER_ASSETS)")
	flags.StringVar(&o.tanggap, "tanggap", "bin/tanggap", "the program that runs for the operator's image")
	flags.DurationVar(&o.length, "for", 0, "end after this long, and fail if anything shown is wrong (0 runs until Ctrl-C)")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	state, err := os.MkdirTemp("", "tanggap-demo-")
	if err != nil {
		return err
	}
	defer func() {
		if err == nil {
			_ = os.RemoveAll(state)
			return
		}
		fmt.Fprintf(out, "\nWhat the processes printed is in %s\n", filepath.Join(state, "node", "logs"))
	}()
	c, err := startCluster(ctx, o, state, out)
	if err != nil {
		return err
	}
	defer func() {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		fmt.Fprintln(out, "\nStopping")
		err = errors.Join(err, c.Stop(stopping))
	}()
	d := &demo{cluster: c, out: out, started: time.Now()}
	if err := d.install(ctx); err != nil {
		return ended(ctx, err)
	}
	if o.length == 0 {
		return ended(ctx, d.show(ctx))
	}
	showing, cancel := context.WithTimeout(ctx, o.length)
	defer cancel()
	if err := d.show(showing); err != nil && showing.Err() == nil {
		return err
	}
	if ctx.Err() != nil {
		return nil
	}
	return d.check(ctx)
}

// ended takes an end that was asked for as no error.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func startCluster(ctx context.Context, o options, state string, out io.Writer) (*cluster.Cluster, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	program, err := filepath.Abs(o.tanggap)
	if err != nil {
		return nil, err
	}
	fmt.Fprintln(out, "Starting etcd and kube-apiserver")
	return cluster.Start(ctx, cluster.Options{
		Root: o.root, AssetsDir: o.assets, StateDir: state, Tanggap: program,
		Commands: map[string][]string{"tanggap-city-simulator": {self}},
	})
}
