// Package e2e tests the product as a whole: a real control plane, the operator installed from
// config/default, the workers and ledgers that it asks for as processes of this machine, and systems that
// send complaints over HTTP.
package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/tanggap/tanggap/test/cluster"
	"github.com/tanggap/tanggap/test/site"
)

// root is the folder of the repository.
var root = filepath.Join("..", "..")

// world is what all tests share. Each has its own namespaces in it.
var world struct {
	*cluster.Cluster
	// audit is the log of everything that was changed in the API server.
	audit string
	// tanggap is the program under test.
	tanggap string
}

// simulatorImage stands for the program of test/demo, which serves the simulated city.
const simulatorImage = "tanggap-city-simulator"

func TestMain(m *testing.M) {
	ctrllog.SetLogger(logr.Discard())
	state, err := os.MkdirTemp("", "tanggap-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code, err := run(m, state)
	measured.print(os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "end-to-end tests:", err)
		code = 1
	}
	if code == 0 {
		_ = os.RemoveAll(state)
	} else {
		fmt.Fprintln(os.Stderr, "What the processes printed is in", filepath.Join(state, "node", "logs"))
	}
	os.Exit(code)
}

func run(m *testing.M, state string) (code int, err error) {
	started := time.Now()
	// On a fresh machine this compiles Kubernetes' client for minutes.
	world.tanggap, err = site.Build(context.Background(), state, "github.com/tanggap/tanggap/test/demo")
	if err != nil {
		return 1, err
	}
	measured.note("building the programs", time.Since(started))
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	started = time.Now()
	world.audit = filepath.Join(state, "audit.log")
	world.Cluster, err = cluster.Start(ctx, cluster.Options{
		Root: root, StateDir: state, Tanggap: world.tanggap, AuditLog: world.audit,
		Commands: map[string][]string{simulatorImage: {filepath.Join(state, "demo")}, nextImage: {world.tanggap}},
	})
	if err != nil {
		return 1, err
	}
	defer func() {
		stopping, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		err = errors.Join(err, world.Stop(stopping))
	}()
	if err := world.Install(ctx); err != nil {
		return 1, err
	}
	measured.note("starting the cluster and installing the operator", time.Since(started))
	return m.Run(), nil
}
