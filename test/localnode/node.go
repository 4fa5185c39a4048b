package localnode

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
)

// workers is how many workloads are worked on at once.
const workers = 4

// Options says how a node runs.
type Options struct {
	// Config is a client configuration with an administrator's rights.
	Config *rest.Config
	// StateDir keeps volumes, logs and the folders of claims. It is made if it does not exist. A node
	// that is started with the folder of an earlier one finds the claims' data there.
	StateDir string
	// Commands names, for each image, the program and first arguments that run in its place. A
	// container's own command that has the program's name or ends in it means this program.
	Commands map[string][]string
	// Env is given to every process (NAME=value), beside what its Pod asks for.
	Env []string
	// LogSink receives every line that a container prints, without its end. Pod is namespace/name. It
	// is called from many goroutines and must not block. Nil: the lines go to the log files only.
	LogSink func(pod, container string, line []byte)
	// Name is the node's name. Empty means "local".
	Name string
	// Logger receives what the node itself has to say. Nil discards it.
	Logger *slog.Logger
}

// Node runs Pods as processes.
type Node struct {
	options   Options
	client    kubernetes.Interface
	log       *slog.Logger
	addresses *addressPool
	spawner   *spawner
	caches    *caches
	objects   objects
	claims    *claims
	pods      *podManager
	workloads *workloads
	proxy     *proxy

	cancel   context.CancelFunc // ends the controllers and the caches
	running  sync.WaitGroup
	stopOnce sync.Once
	stopErr  error
}

// Start starts a node. The context bounds the start only; Stop ends the node.
func Start(ctx context.Context, options Options) (*Node, error) {
	n, err := newNode(options)
	if err != nil {
		return nil, err
	}
	if err := n.start(ctx); err != nil {
		return nil, errors.Join(err, n.Stop(context.WithoutCancel(ctx)))
	}
	return n, nil
}

func newNode(options Options) (*Node, error) {
	if options.Config == nil {
		return nil, errors.New("a local node needs a client configuration")
	}
	if options.Name == "" {
		options.Name = "local"
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	state, err := filepath.Abs(options.StateDir)
	if err != nil || options.StateDir == "" {
		return nil, errors.Join(errors.New("a local node needs a folder for its state"), err)
	}
	options.StateDir = state
	for _, folder := range []string{"pods", "logs", "claims"} {
		if err := os.MkdirAll(filepath.Join(state, folder), 0o700); err != nil {
			return nil, fmt.Errorf("making the node's folder: %w", err)
		}
	}
	options.Config = rest.CopyConfig(options.Config)
	options.Config.QPS = -1 // the API server is ours alone
	client, err := kubernetes.NewForConfig(options.Config)
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	n := &Node{options: options, client: client, log: options.Logger, caches: newCaches(client)}
	n.objects = objects{secrets: n.caches.secrets, configMaps: n.caches.configMaps}
	n.claims = &claims{
		dir: filepath.Join(state, "claims"), client: client, lister: n.caches.claims, pods: n.caches.pods,
		mounted: map[types.NamespacedName]types.UID{},
	}
	n.pods = &podManager{node: n, runners: map[types.UID]*podRunner{}}
	n.workloads = &workloads{client: client, nodeName: options.Name, claims: n.claims, queue: newQueue()}
	return n, nil
}

func (n *Node) start(ctx context.Context) error {
	collector, err := n.newCollectorClients()
	if err != nil {
		return err
	}
	addresses, listener, err := claimAddresses()
	if err != nil {
		return err
	}
	n.addresses = addresses
	n.spawner = newSpawner()
	n.proxy = newProxy(listener, &resolver{services: n.caches.services, pods: n.caches.pods, next: map[string]int{}}, n.log)
	n.running.Go(n.proxy.serve)
	if err := n.register(ctx); err != nil {
		return err
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	n.cancel = cancel
	if err := n.handleEvents(running); err != nil {
		return err
	}
	n.caches.factory.Start(running.Done())
	if err := n.caches.wait(ctx); err != nil {
		return err
	}
	if err := n.pods.removeStaleFolders(); err != nil {
		return err
	}
	for range workers {
		n.running.Go(func() { n.workloads.run(running, n.workloadFailed) })
	}
	collector.stop = running.Done()
	n.running.Go(func() { collector.run(running) })
	return nil
}

func (n *Node) newCollectorClients() (*collector, error) {
	client, err := metadata.NewForConfig(n.options.Config)
	if err != nil {
		return nil, fmt.Errorf("making a metadata client: %w", err)
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(n.client.Discovery()))
	return newCollector(client, mapper, n.log), nil
}

func (n *Node) workloadFailed(item workload, err error) {
	n.log.Warn("Failed to bring a workload nearer to its specification",
		"kind", item.kind, "namespace", item.key.Namespace, "name", item.key.Name, "error", err)
}

// Stop ends every process, with each Pod's grace period (ten seconds at most) or, when the context ends
// first, at once. The objects in the API server stay; their Pods are reported as not ready. Calling it
// again returns the first call's result.
func (n *Node) Stop(ctx context.Context) error {
	n.stopOnce.Do(func() {
		n.workloads.queue.ShutDown()
		if n.spawner != nil {
			n.pods.close(ctx)
			n.spawner.close()
		}
		if n.cancel != nil {
			n.cancel()
			n.caches.factory.Shutdown()
		}
		if n.proxy != nil {
			n.proxy.close()
		}
		n.running.Wait()
		n.stopErr = ctx.Err()
	})
	return n.stopErr
}

// ProxyURL is the proxy that the Pods use (HTTP_PROXY and HTTPS_PROXY).
func (n *Node) ProxyURL() *url.URL { return n.proxy.url() }

// DialContext connects to [<pod>.]<service>.<namespace>.svc:<port> or a loopback address, as a Pod would
// through the proxy. Its error wraps ErrForbiddenHost or ErrNoEndpoint when it did not try.
func (n *Node) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return n.proxy.dial(ctx, network, address)
}

// LogPath is the file of everything that a container has printed, over all its restarts.
func (n *Node) LogPath(namespace, pod, container string) string {
	return filepath.Join(n.options.StateDir, "logs", namespace+"_"+pod+"_"+container+".log")
}

// ClaimDir is the folder behind a PersistentVolumeClaim.
func (n *Node) ClaimDir(namespace, claim string) string {
	return n.claims.folder(types.NamespacedName{Namespace: namespace, Name: claim})
}
