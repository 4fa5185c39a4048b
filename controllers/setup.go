// Package controllers puts the operator together: one controller for each kind, the connections to the
// ledgers, and the metrics.
package controllers

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/tanggap/tanggap/controllers/complaintchannel"
	"github.com/tanggap/tanggap/controllers/complaintledger"
	"github.com/tanggap/tanggap/controllers/complainttaxonomy"
	"github.com/tanggap/tanggap/controllers/internal/index"
	"github.com/tanggap/tanggap/controllers/internal/judge"
	"github.com/tanggap/tanggap/controllers/internal/ledgers"
	"github.com/tanggap/tanggap/controllers/internal/monitoring"
	"github.com/tanggap/tanggap/controllers/internal/policyobject"
	"github.com/tanggap/tanggap/controllers/internal/secrets"
	"github.com/tanggap/tanggap/controllers/responsesla"
	"github.com/tanggap/tanggap/controllers/workcalendar"
	"github.com/tanggap/tanggap/internal/metrics"
)

// Options are what the operator needs from outside.
type Options struct {
	// Image that ledgers and workers run: the operator's own.
	Image string
	// Namespace is the operator's own.
	Namespace string
	// WatchNamespaces are those that CacheOptions was given; none is all.
	WatchNamespaces []string
	// Metrics takes the collector of the complaints' metrics.
	Metrics prometheus.Registerer
	// Now is the clock, After waits on it.
	Now   func() time.Time
	After func(time.Duration) <-chan time.Time
}

// Setup registers everything with a manager that has been made with Scheme and CacheOptions.
func Setup(ctx context.Context, mgr ctrl.Manager, options Options) error {
	if err := index.Register(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	check, err := judge.Sources()
	if err != nil {
		return fmt.Errorf("preparing the check of sources: %w", err)
	}
	set := ledgers.New(ledgers.Options{
		Dial: ledgers.Dial, Now: options.Now, After: options.After, Logger: mgr.GetLogger().WithName("ledgers"),
	})
	if err := mgr.Add(set); err != nil {
		return fmt.Errorf("adding the connections to the ledgers: %w", err)
	}
	collector := metrics.New(set.Export, leading(mgr.Elected()), options.Now)
	if err := options.Metrics.Register(collector); err != nil {
		return fmt.Errorf("registering the metrics: %w", err)
	}
	err = mgr.Add(&monitoring.Watch{
		Reader: mgr.GetAPIReader(), Recorder: mgr.GetEventRecorder("tanggap-operator"), Namespace: options.Namespace,
		Scraped: collector.Scraped, Now: options.Now, After: options.After, Logger: mgr.GetLogger().WithName("monitoring"),
	})
	if err != nil {
		return fmt.Errorf("adding the watch over the monitoring: %w", err)
	}
	return setupControllers(mgr, options, set, judge.New(check))
}

// leading says whether the channel that an election closes has been closed.
func leading(elected <-chan struct{}) func() bool {
	return func() bool {
		select {
		case <-elected:
			return true
		default:
			return false
		}
	}
}

func setupControllers(mgr ctrl.Manager, options Options, set *ledgers.Set, j *judge.Judge) error {
	recorder := mgr.GetEventRecorder("tanggap-operator")
	channels := &complaintchannel.Reconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Judge: j, Ledgers: set, Recorder: recorder, Image: options.Image, Now: options.Now,
		Digests:  secrets.NewReader[secrets.Digests](mgr.GetClient(), mgr.GetAPIReader()),
		HashKeys: secrets.NewReader[[]byte](mgr.GetClient(), mgr.GetAPIReader()),
	}
	if err := channels.SetupWithManager(mgr); err != nil {
		return fmt.Errorf("setting up the controller of channels: %w", err)
	}
	keeper := complaintledger.NewReconciler(complaintledger.Options{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Ledgers: set, Recorder: recorder,
		Image: options.Image, Namespace: options.Namespace, Namespaces: options.WatchNamespaces, Now: options.Now,
	})
	if err := keeper.SetupWithManager(mgr); err != nil {
		return fmt.Errorf("setting up the controller of ledgers: %w", err)
	}
	shared := policyobject.Options{Client: mgr.GetClient(), Judge: j, Set: set, Recorder: recorder, Now: options.Now}
	for kind, setup := range map[string]func(ctrl.Manager, policyobject.Options) error{
		"SLAs": responsesla.SetupWithManager, "calendars": workcalendar.SetupWithManager, "taxonomies": complainttaxonomy.SetupWithManager,
	} {
		if err := setup(mgr, shared); err != nil {
			return fmt.Errorf("setting up the controller of %s: %w", kind, err)
		}
	}
	return nil
}
