package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	authentication "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorization "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/tanggap/tanggap/controllers"
	complaintmetrics "github.com/tanggap/tanggap/internal/metrics"
	"github.com/tanggap/tanggap/internal/metrics/guard"
)

// operatorFlags are the flags of `tanggap operator`.
type operatorFlags struct {
	image             string
	leaderElect       bool
	metricsAddress    string
	metricsSecure     bool
	probeAddress      string
	watchNamespaces   []string
	operatorNamespace string
	logLevel          string
}

// leaseName is the Lease by which replicas agree on a leader.
const leaseName = "tanggap-operator"

// newOperatorCommand is `tanggap operator`: the process that turns custom resources into workers and
// ledgers and exports the metrics.
func newOperatorCommand() *cobra.Command {
	var f operatorFlags
	command := &cobra.Command{
		Use:   "operator",
		Short: "Run the workers and ledgers that custom resources declare, and export the metrics",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return runOperator(command.Context(), f)
		},
	}
	flags := command.Flags()
	flags.StringVar(&f.image, "image", "", "image that workers and ledgers run: the operator's own (required)")
	flags.BoolVar(&f.leaderElect, "leader-elect", false, "let one of several replicas lead; the others wait")
	flags.StringVar(&f.metricsAddress, "metrics-bind-address", ":8443", "address of the metrics; 0 serves none")
	flags.BoolVar(&f.metricsSecure, "metrics-secure", true, "serve metrics over HTTPS, to whom the API server lets read them")
	flags.StringVar(&f.probeAddress, "health-probe-bind-address", ":8081", "address of the probes")
	flags.StringArrayVar(&f.watchNamespaces, "watch-namespace", nil, "namespace to look after; may be given several times; all if not given")
	flags.StringVar(&f.operatorNamespace, "namespace", os.Getenv("POD_NAMESPACE"), "the operator's own namespace, which ledgers let in; by default POD_NAMESPACE")
	flags.StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	if err := command.MarkFlagRequired("image"); err != nil {
		panic(err) // the flag was defined above
	}
	return command
}

func runOperator(ctx context.Context, f operatorFlags) error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.logLevel)); err != nil {
		return errors.New("--log-level must be one of debug, info, warn, error")
	}
	if f.operatorNamespace == "" {
		return errors.New("--namespace is needed where POD_NAMESPACE is not set")
	}
	log := logr.FromSlogHandler(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	ctrl.SetLogger(log)
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("finding the API server: %w", err)
	}
	if err := controllers.CheckDefinitions(ctx, config, time.After, log); err != nil {
		return err
	}
	exporter := complaintmetrics.NewExporter(metrics.Registry)
	mgr, err := newManager(rest.AddUserAgent(config, "tanggap-operator"), f, exporter, log)
	if err != nil {
		return err
	}
	err = controllers.Setup(ctx, mgr, controllers.Options{
		Image: f.image, Namespace: f.operatorNamespace, WatchNamespaces: f.watchNamespaces,
		Metrics: exporter, Now: time.Now, After: time.After,
	})
	if err != nil {
		return err
	}
	log.Info("Started the operator", "version", version, "image", f.image)
	if err := mgr.Start(ctx); err != nil {
		return fmt.Errorf("running the operator: %w", err)
	}
	log.Info("Stopped the operator")
	return nil
}

func newManager(config *rest.Config, f operatorFlags, exporter *complaintmetrics.Exporter, log logr.Logger) (manager.Manager, error) {
	scheme, err := controllers.Scheme()
	if err != nil {
		return nil, err
	}
	serving := metricsserver.Options{
		BindAddress: listenAddress(f.metricsAddress),
		FilterProvider: func(*rest.Config, *http.Client) (metricsserver.Filter, error) {
			return func(logr.Logger, http.Handler) (http.Handler, error) { return exporter.Handler(), nil }, nil
		},
	}
	if f.metricsSecure {
		serving.SecureServing = true
		serving.FilterProvider = func(config *rest.Config, client *http.Client) (metricsserver.Filter, error) {
			tokens, err := authentication.NewForConfigAndClient(config, client)
			if err != nil {
				return nil, fmt.Errorf("making a client for token reviews: %w", err)
			}
			access, err := authorization.NewForConfigAndClient(config, client)
			if err != nil {
				return nil, fmt.Errorf("making a client for access reviews: %w", err)
			}
			protect := guard.New(tokens.TokenReviews(), access.SubjectAccessReviews(), time.Now).Protect
			return func(log logr.Logger, _ http.Handler) (http.Handler, error) { return protect(log, exporter.Handler()) }, nil
		}
	}
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                  scheme,
		Logger:                  log,
		Cache:                   controllers.CacheOptions(f.watchNamespaces),
		Metrics:                 serving,
		HealthProbeBindAddress:  listenAddress(f.probeAddress),
		LeaderElection:          f.leaderElect,
		LeaderElectionID:        leaseName,
		LeaderElectionNamespace: f.operatorNamespace,
		// The next leader need not wait for the lease to run out. It is safe, as the process ends when the
		// manager does.
		LeaderElectionReleaseOnCancel: true,
	})
	if err != nil {
		return nil, fmt.Errorf("making the manager: %w", err)
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return nil, fmt.Errorf("adding a probe: %w", err)
	}
	if err := mgr.AddReadyzCheck("ping", healthz.Ping); err != nil {
		return nil, fmt.Errorf("adding a probe: %w", err)
	}
	return mgr, nil
}
