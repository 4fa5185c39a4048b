// Package controlplane starts a real Kubernetes control plane (etcd and kube-apiserver) as local
// processes for tests and the demo. Everything listens on 127.0.0.1. RBAC is enforced, and
// service-account tokens can be requested and reviewed for any audience, as in a cluster.
//
// There is no kube-controller-manager, no scheduler and no kubelet: package localnode stands in for
// the parts of them that Tanggap needs.
package controlplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// AssetsEnv names the environment variable that holds the folder with the programs etcd,
// kube-apiserver and kubectl.
const AssetsEnv = "KUBEBUILDER_ASSETS"

// ErrNoAssets says that the control plane's programs are not there.
var ErrNoAssets = errors.New("no control plane programs: run the tests with `make test`, which builds them once and sets " + AssetsEnv)

// serviceCIDR is the range of Services' cluster addresses. Nothing routes it; it only has to be large
// enough for a test with thousands of Services.
const serviceCIDR = "10.96.0.0/16"

// Options says what to start. The zero value is a control plane without custom resources from the
// folder that KUBEBUILDER_ASSETS names.
type Options struct {
	// AssetsDir holds etcd, kube-apiserver and kubectl. Empty means the environment's
	// KUBEBUILDER_ASSETS.
	AssetsDir string
	// CRDDirs are folders (or files) of CustomResourceDefinitions that are installed before Start
	// returns. A missing one is an error.
	CRDDirs []string
	// StateDir receives the admin's kubeconfig. It must exist. Empty means a temporary folder that
	// Stop removes.
	StateDir string
	// APIServerFlags are added to the API server's command line, by flag name without dashes.
	APIServerFlags map[string][]string
	// Output receives what etcd and kube-apiserver print. Nil discards it.
	Output io.Writer
	// StartTimeout bounds the start of each of the two programs. Zero means one minute.
	StartTimeout time.Duration
}

// ControlPlane is a running control plane.
type ControlPlane struct {
	env        *envtest.Environment
	config     *rest.Config
	kubeconfig string
	kubectl    string
	tempDir    string

	stop     chan struct{}
	stopped  chan error
	stopOnce sync.Once
	stopErr  error
}

// Start starts etcd and kube-apiserver, installs the CRDs and writes the admin's kubeconfig. The
// context bounds the start only; Stop ends the control plane.
func Start(ctx context.Context, options Options) (*ControlPlane, error) {
	assets, err := findAssets(options.AssetsDir)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	cp := &ControlPlane{kubectl: filepath.Join(assets, "kubectl"), stop: make(chan struct{}), stopped: make(chan error, 1)}
	stateDir := options.StateDir
	if stateDir == "" {
		if cp.tempDir, err = os.MkdirTemp("", "tanggap-controlplane-"); err != nil {
			return nil, fmt.Errorf("making the control plane's folder: %w", err)
		}
		stateDir = cp.tempDir
	}
	launcher, err := writeLaunchers(stateDir, assets)
	if err != nil {
		return nil, errors.Join(err, cp.removeTempDir())
	}
	cp.env = environment(options, launcher)
	if err := cp.startEnvironment(ctx); err != nil {
		return nil, errors.Join(err, cp.removeTempDir())
	}
	cp.kubeconfig = filepath.Join(stateDir, "admin.kubeconfig")
	if err := os.WriteFile(cp.kubeconfig, cp.env.KubeConfig, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("writing the admin's kubeconfig: %w", err), cp.Stop())
	}
	return cp, nil
}

// Config is a copy of the admin's client configuration. It has no client-side rate limit.
func (cp *ControlPlane) Config() *rest.Config { return rest.CopyConfig(cp.config) }

// KubeconfigPath is the file of the admin's kubeconfig, readable by its owner alone.
func (cp *ControlPlane) KubeconfigPath() string { return cp.kubeconfig }

// KubectlPath is the kubectl that belongs to this control plane.
func (cp *ControlPlane) KubectlPath() string { return cp.kubectl }

// Stop ends the API server and etcd and removes their data. Calling it again returns the first
// call's result.
func (cp *ControlPlane) Stop() error {
	cp.stopOnce.Do(func() {
		close(cp.stop)
		cp.stopErr = errors.Join(<-cp.stopped, cp.removeTempDir())
	})
	return cp.stopErr
}

func (cp *ControlPlane) removeTempDir() error {
	if cp.tempDir == "" {
		return nil
	}
	return os.RemoveAll(cp.tempDir)
}

func findAssets(dir string) (string, error) {
	if dir == "" {
		dir = os.Getenv(AssetsEnv)
	}
	if dir == "" {
		return "", fmt.Errorf("%w (it is not set)", ErrNoAssets)
	}
	for _, program := range []string{"etcd", "kube-apiserver"} {
		if _, err := os.Stat(filepath.Join(dir, program)); err != nil {
			return "", fmt.Errorf("%w (%w)", ErrNoAssets, err)
		}
	}
	return filepath.Abs(dir)
}

func environment(options Options, launcher launchers) *envtest.Environment {
	existing := false
	timeout := options.StartTimeout
	if timeout == 0 {
		timeout = time.Minute
	}
	env := &envtest.Environment{
		UseExistingCluster:       &existing,
		CRDDirectoryPaths:        options.CRDDirs,
		ErrorIfCRDPathMissing:    true,
		ControlPlaneStartTimeout: timeout,
		ControlPlaneStopTimeout:  30 * time.Second,
	}
	env.ControlPlane.Etcd = &envtest.Etcd{Path: launcher.etcd, Out: options.Output, Err: options.Output}
	server := env.ControlPlane.GetAPIServer()
	server.Path, server.Out, server.Err = launcher.apiServer, options.Output, options.Output
	flags := server.Configure()
	flags.Set("authorization-mode", "RBAC")
	flags.Set("bind-address", "127.0.0.1")
	flags.Set("advertise-address", "127.0.0.1")
	flags.Set("service-cluster-ip-range", serviceCIDR)
	// The API server would otherwise try to keep the endpoints of its own Service and refuse to
	// publish a loopback address there.
	flags.Set("endpoint-reconciler-type", "none")
	for name, values := range options.APIServerFlags {
		flags.Set(name, values...)
	}
	return env
}

// startEnvironment runs the environment on an operating-system thread that lives until Stop: the
// programs ask the kernel to end them when the thread that started them ends (see writeLaunchers), and
// the Go runtime may end any other thread.
func (cp *ControlPlane) startEnvironment(ctx context.Context) error {
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		config, err := cp.env.Start()
		if err != nil {
			started <- fmt.Errorf("starting the control plane: %w", errors.Join(err, cp.env.Stop()))
			return
		}
		config.QPS, config.Burst = -1, 0
		cp.config = config
		started <- nil
		<-cp.stop
		if err := cp.env.Stop(); err != nil {
			cp.stopped <- fmt.Errorf("stopping the control plane: %w", err)
			return
		}
		cp.stopped <- nil
	}()
	select {
	case err := <-started:
		return err
	case <-ctx.Done():
		// The start cannot be interrupted; it ends by its own time limit at the latest.
		if err := <-started; err != nil {
			return errors.Join(ctx.Err(), err)
		}
		return errors.Join(ctx.Err(), cp.Stop())
	}
}
