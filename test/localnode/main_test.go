package localnode_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"k8s.io/client-go/kubernetes"

	"github.com/tanggap/tanggap/test/controlplane"
	"github.com/tanggap/tanggap/test/localnode"
)

// image is what the Pods of these tests ask for; the test binary itself stands for it.
const image = "tanggap.dev/probe:test"

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(programEnv) != "":
		runProgram()
	case os.Getenv(holderEnv) != "":
		runHolder()
	}
	ctrllog.SetLogger(logr.Discard())
	code := m.Run()
	if err := shared.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stopping the cluster:", err)
		code = 1
	}
	os.Exit(code)
}

// cluster is a control plane with a node.
type cluster struct {
	plane    *controlplane.ControlPlane
	node     *localnode.Node
	client   *kubernetes.Clientset
	stateDir string
	lines    *lines
}

// lines collects what the Pods print.
type lines struct {
	mu  sync.Mutex
	all map[string][]string
}

func (l *lines) add(pod, container string, line []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all[pod+"/"+container] = append(l.all[pod+"/"+container], string(line))
}

func (l *lines) of(pod, container string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string{}, l.all[pod+"/"+container]...)
}

func startCluster(stateDir string) (*cluster, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	plane, err := controlplane.Start(ctx, controlplane.Options{CRDDirs: []string{filepath.Join("testdata", "crd.yaml")}})
	if err != nil {
		return nil, err
	}
	c := &cluster{plane: plane, stateDir: stateDir, lines: &lines{all: map[string][]string{}}}
	if c.client, err = kubernetes.NewForConfig(plane.Config()); err != nil {
		return nil, errors.Join(err, plane.Stop())
	}
	if err := c.startNode(ctx); err != nil {
		return nil, errors.Join(err, plane.Stop())
	}
	return c, nil
}

func (c *cluster) startNode(ctx context.Context) (err error) {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	c.node, err = localnode.Start(ctx, localnode.Options{
		Config:   c.plane.Config(),
		StateDir: c.stateDir,
		Commands: map[string][]string{image: {program}},
		Env:      []string{programEnv + "=1"},
		LogSink:  c.lines.add,
		Logger:   slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	return err
}

func (c *cluster) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return errors.Join(c.node.Stop(ctx), c.plane.Stop())
}

// sharedCluster is the cluster that most tests use, each in a namespace of its own. It is started by
// the first that asks.
type sharedCluster struct {
	once     sync.Once
	cluster  *cluster
	stateDir string
	err      error
}

var shared sharedCluster

func (s *sharedCluster) start() {
	if s.stateDir, s.err = os.MkdirTemp("", "tanggap-localnode-"); s.err == nil {
		s.cluster, s.err = startCluster(s.stateDir)
	}
}

func (s *sharedCluster) stop() error {
	var err error
	if s.cluster != nil {
		err = s.cluster.stop()
	}
	if s.stateDir != "" {
		err = errors.Join(err, os.RemoveAll(s.stateDir))
	}
	return err
}
