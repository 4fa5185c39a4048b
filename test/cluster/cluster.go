// Package cluster is a whole local Kubernetes for the demo and the end-to-end tests: a real control
// plane, a node that runs Pods as processes, and the operator installed from config/default exactly as
// in any cluster.
package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/test/controlplane"
	"github.com/tanggap/tanggap/test/localnode"
)

// OperatorNamespace is where config/default installs the operator.
const OperatorNamespace = "tanggap-system"

// scraper is the service account that reads the metrics, bound to the shipped role as Prometheus would be.
const scraper = "metrics-scraper"

// Options says what to run.
type Options struct {
	// Root is the folder of the repository.
	Root string
	// AssetsDir holds etcd, kube-apiserver and kubectl; empty means KUBEBUILDER_ASSETS.
	AssetsDir string
	// StateDir keeps kubeconfig, volumes and logs. It must exist.
	StateDir string
	// Tanggap is the program that runs for the operator's image, worker and ledger included.
	Tanggap string
	// Commands are further images and the commands that run for them.
	Commands map[string][]string
	// AuditLog, when it is not empty, is a file that receives every request which changes something, one
	// JSON object a line, written before the request is answered.
	AuditLog string
	// Logger receives what the node has to say; nil discards it.
	Logger *slog.Logger
}

// Cluster is a running one.
type Cluster struct {
	*controlplane.ControlPlane
	Node   *localnode.Node
	Client client.WithWatch
	root   string

	mu sync.Mutex
	// token is what the metrics are scraped with, good until it expires.
	token        string
	tokenExpires time.Time
}

// Start starts the control plane and the node. Nothing is installed yet.
func Start(ctx context.Context, options Options) (*Cluster, error) {
	flags, err := auditFlags(options.StateDir, options.AuditLog)
	if err != nil {
		return nil, err
	}
	plane, err := controlplane.Start(ctx, controlplane.Options{AssetsDir: options.AssetsDir, StateDir: options.StateDir, APIServerFlags: flags})
	if err != nil {
		return nil, fmt.Errorf("starting the control plane: %w", err)
	}
	c := &Cluster{ControlPlane: plane, root: options.Root}
	if err := c.start(ctx, options); err != nil {
		return nil, errors.Join(err, c.Stop(context.WithoutCancel(ctx)))
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context, options Options) error {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return err
	}
	var err error
	if c.Client, err = client.NewWithWatch(c.Config(), client.Options{Scheme: scheme}); err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	commands := map[string][]string{}
	maps.Copy(commands, options.Commands)
	image, err := c.operatorImage(ctx)
	if err != nil {
		return err
	}
	commands[image] = []string{options.Tanggap}
	c.Node, err = localnode.Start(ctx, localnode.Options{
		Config: c.Config(), StateDir: filepath.Join(options.StateDir, "node"), Commands: commands, Logger: options.Logger,
	})
	if err != nil {
		return fmt.Errorf("starting the node: %w", err)
	}
	return nil
}

// operatorImage is the image that config/default names.
func (c *Cluster) operatorImage(ctx context.Context) (string, error) {
	manifests, err := c.Kubectl(ctx, nil, "kustomize", filepath.Join(c.root, "config", "default"))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(manifests) {
		if _, image, found := strings.Cut(line, "image: "); found {
			return strings.TrimSpace(image), nil
		}
	}
	return "", errors.New("config/default names no image")
}

// Install applies config/default and lets a service account scrape the metrics.
func (c *Cluster) Install(ctx context.Context) error {
	if err := c.Apply(ctx, filepath.Join(c.root, "config", "default")); err != nil {
		return err
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: scraper},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "tanggap-metrics-reader"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: scraper, Namespace: OperatorNamespace}},
	}
	if err := c.Client.Create(ctx, binding); err != nil {
		return fmt.Errorf("binding the metrics reader: %w", err)
	}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: OperatorNamespace, Name: scraper}}
	if err := c.Client.Create(ctx, account); err != nil {
		return fmt.Errorf("making the metrics reader: %w", err)
	}
	return nil
}

// Apply applies a kustomization server-side, as a platform team does. Kinds that have just been defined
// take a moment to be served, so that is tried again until the context ends.
func (c *Cluster) Apply(ctx context.Context, folder string) error {
	for {
		_, err := c.Kubectl(ctx, nil, "apply", "--server-side", "-k", folder)
		if err == nil || !strings.Contains(err.Error(), "no matches for kind") && !strings.Contains(err.Error(), "could not find the requested resource") {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// ApplyManifest applies a manifest server-side.
func (c *Cluster) ApplyManifest(ctx context.Context, manifest string) error {
	_, err := c.Kubectl(ctx, strings.NewReader(manifest), "apply", "--server-side", "-f", "-")
	return err
}

// Kubectl runs kubectl as the administrator and returns what it prints.
func (c *Cluster) Kubectl(ctx context.Context, stdin io.Reader, arguments ...string) (string, error) {
	var output, complaints bytes.Buffer
	command := exec.CommandContext(ctx, c.KubectlPath(), append([]string{"--kubeconfig", c.KubeconfigPath()}, arguments...)...)
	command.Stdin, command.Stdout, command.Stderr = stdin, &output, &complaints
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("kubectl %s: %w: %s", strings.Join(arguments, " "), err, complaints.String())
	}
	return output.String(), nil
}

// Stop ends every Pod and then the control plane.
func (c *Cluster) Stop(ctx context.Context) error {
	var err error
	if c.Node != nil {
		err = c.Node.Stop(ctx)
	}
	return errors.Join(err, c.ControlPlane.Stop())
}

// Path is a path below the repository's folder.
func (c *Cluster) Path(path string) string { return filepath.Join(c.root, path) }
