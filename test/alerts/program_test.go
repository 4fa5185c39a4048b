package alerts

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/model"
)

// freeAddress is an address of the loopback that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// startProgram runs a program until the test ends. What it prints goes to a file beside its data.
func startProgram(t *testing.T, dir, name string, arguments ...string) {
	t.Helper()
	program, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is missing: install Debian's packages prometheus and prometheus-alertmanager, or run `make e2e-alerts`, which does it", name)
	}
	log, err := os.Create(filepath.Join(dir, name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	// The context of the test ends before its cleanups run, which are to stop the program gently.
	command := exec.CommandContext(context.WithoutCancel(t.Context()), program, arguments...)
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		gone := make(chan struct{})
		go func() { _ = command.Wait(); close(gone) }()
		select {
		case <-gone:
		case <-time.After(20 * time.Second):
			_ = command.Process.Kill()
			<-gone
		}
		_ = log.Close()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("what %s printed last:\n%s", name, text[max(0, len(text)-4000):])
		}
	})
}

// startAlertmanager runs Alertmanager with the shipped example and returns its address.
func startAlertmanager(t *testing.T, receiver string) string {
	t.Helper()
	dir, address := t.TempDir(), freeAddress(t)
	config := filepath.Join(dir, "alertmanager.yaml")
	writeYAML(t, config, alertmanagerConfig(t, receiver))
	startProgram(t, dir, "prometheus-alertmanager", "--config.file="+config, "--storage.path="+dir,
		"--web.listen-address="+address, "--cluster.listen-address=")
	eventually(t, patience, "Alertmanager is ready", func(ctx context.Context) error { return ready(ctx, address) })
	return address
}

// prometheus is a running one.
type prometheus struct{ address string }

// startPrometheus runs Prometheus with the shipped configuration and rules, and the past that it is given.
func startPrometheus(t *testing.T, alertmanager, token, pods string, past []sample, flags ...string) *prometheus {
	t.Helper()
	dir, p := t.TempDir(), &prometheus{freeAddress(t)}
	writePast(t, dir, past)
	writeYAML(t, filepath.Join(dir, "rules.yaml"), scaledRules(t))
	config := filepath.Join(dir, "prometheus.yaml")
	writeYAML(t, config, prometheusConfig(t, alertmanager, token, pods))
	startProgram(t, dir, "prometheus", append([]string{
		"--config.file=" + config, "--storage.tsdb.path=" + filepath.Join(dir, "data"), "--storage.tsdb.retention.time=60d", "--web.listen-address=" + p.address,
	}, flags...)...)
	eventually(t, patience, "Prometheus is ready", func(ctx context.Context) error { return ready(ctx, p.address) })
	return p
}

// sample is a value of a series in the past.
type sample struct {
	series string
	ago    time.Duration
	value  float64
}

// writePast makes blocks of Prometheus's storage of samples.
func writePast(t *testing.T, dir string, past []sample) {
	t.Helper()
	file := filepath.Join(dir, "past.openmetrics")
	var text []byte
	for _, s := range past {
		text = fmt.Appendf(text, "%s %g %d\n", s.series, s.value, time.Now().Add(-s.ago).Unix())
	}
	text = append(text, "# EOF\n"...)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "promtool", "tsdb", "create-blocks-from", "openmetrics", file, filepath.Join(dir, "data"))
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("writing a past for Prometheus: %v: %s", err, output)
	}
}

func ready(ctx context.Context, address string) error {
	response, err := get(ctx, "http://"+address+"/-/ready")
	if err != nil {
		return err
	}
	return response.Body.Close()
}

func get(ctx context.Context, url string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		_ = response.Body.Close()
		return nil, fmt.Errorf("answered %s", response.Status)
	}
	return response, nil
}

// query evaluates an expression now.
func (p *prometheus) query(ctx context.Context, expr string) (model.Vector, error) {
	response, err := get(ctx, "http://"+p.address+"/api/v1/query?"+url.Values{"query": {expr}}.Encode())
	if err != nil {
		return nil, fmt.Errorf("querying %s: %w", expr, err)
	}
	defer func() { _ = response.Body.Close() }()
	var body struct {
		Data struct {
			ResultType string
			Result     model.Vector
		}
	}
	if err := json.NewDecoder(response.Body).Decode(&body); err != nil {
		return nil, fmt.Errorf("querying %s: %w", expr, err)
	}
	return body.Data.Result, nil
}

// patience is how long the test waits for what takes seconds on an idle machine.
const patience = 5 * time.Minute

// glance is the time between two looks at a condition.
const glance = 200 * time.Millisecond

// eventually waits until the check finds nothing wrong any more.
func eventually(t *testing.T, limit time.Duration, what string, check func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	var last error
	for {
		err := check(ctx)
		if err == nil {
			return
		}
		if ctx.Err() == nil || last == nil {
			last = err // and not that the time was up
		}
		select {
		case <-ctx.Done():
			t.Fatalf("after %s it is not so that %s:\n%v", limit, what, last)
		case <-time.After(glance):
		}
	}
}
