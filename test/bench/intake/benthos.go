package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	store "github.com/tanggap/tanggap/internal/ledger/store/postgres"
	"github.com/tanggap/tanggap/test/site"
)

// benthosConfig receives, verifies, parses and inserts in batches: each delivery is answered when its batch is
// committed. The batches are those that were fastest: as many as wait, a few milliseconds at most.
const benthosConfig = `
http: {enabled: false}
logger: {level: ERROR}
shutdown_timeout: 2s
input:
  http_server:
    address: %[1]s
    path: /
    allowed_verbs: [POST]
    timeout: 30s
    sync_response: {status: "204"}
pipeline:
  processors:
  - mapping: |
      let signature = "sha256=" + content().hash("hmac_sha256", %[2]q).encode("hex")
      root = if meta(%[3]q) != $signature { throw("the signature does not verify") }
      root = content()
output:
  complaints:
    url: %[4]q
    max_in_flight: 1
    batching: {count: 256, period: 2ms}
`

// startBenthos starts Benthos with PostgreSQL behind it, where it fills the tables that a ledger has.
func startBenthos(ctx context.Context, o options) (*variant, error) {
	if o.benthos == "" {
		return nil, errors.New("-benthos must name the program that hack/benthos builds")
	}
	dir := filepath.Join(o.Dir, "benthos")
	d, err := startDatabase(ctx, dir)
	if err != nil {
		return nil, err
	}
	name, err := d.NewDatabase(ctx)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	tables, err := store.Open(ctx, d.Options(name, d.Address()))
	if err == nil {
		err = tables.Close()
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	url := fmt.Sprintf("postgres://%s:%s@%s/%s?sslmode=verify-full&sslrootcert=%s", name, d.Password(), d.Address(), name, filepath.Join(dir, "database-ca.crt"))
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	file := filepath.Join(dir, "benthos.yaml")
	config := fmt.Sprintf(benthosConfig, address, secret(), site.SignatureHeader, url)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	command := exec.CommandContext(context.WithoutCancel(ctx), o.benthos, "-c", file)
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	command.Stdout, command.Stderr = os.Stderr, os.Stderr
	if err := command.Start(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	v := &variant{
		url: "http://" + address + "/", processes: map[string]int{"Benthos": command.Process.Pid}, database: d.PID(),
		stored: func(ctx context.Context) (stored int64, err error) {
			c, err := d.Connect(ctx, name)
			if err != nil {
				return 0, err
			}
			defer func() { err = errors.Join(err, c.Close(context.WithoutCancel(ctx))) }()
			return stored, c.QueryRow(ctx, "SELECT count(*) FROM events").Scan(&stored)
		},
		close: func() error {
			_ = command.Process.Kill() // nothing is lost that was acknowledged
			_ = command.Wait()
			return d.Close()
		},
	}
	for deadline := time.Now().Add(30 * time.Second); ; {
		connection, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			return v, connection.Close()
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return nil, errors.Join(err, v.close())
		}
		<-time.After(50 * time.Millisecond)
	}
}

// freeAddress is one that nobody listened at a moment ago: Benthos does not say which one the kernel chose.
func freeAddress(ctx context.Context) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("choosing an address: %w", err)
	}
	return listener.Addr().String(), listener.Close()
}
