package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/simulator/open311"
	"github.com/tanggap/tanggap/internal/worker"
)

// checkWorker runs `tanggap worker --check` on channels of an Open311 server that wants the key k3y.
func checkWorker(t *testing.T, key string) (output string, err error) {
	t.Helper()
	requested := time.Now().Add(-time.Hour).Truncate(time.Second)
	city := open311.New(open311.Options{Now: time.Now, APIKey: "k3y"})
	city.AddRequest(open311.Request{Description: "Pohon tumbang", RequestedAt: requested})
	server := httptest.NewServer(city)
	t.Cleanup(server.Close)

	dir := t.TempDir()
	if key != "" {
		if err := os.MkdirAll(filepath.Join(dir, "open311"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "open311", "api-key"), []byte(key+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config := worker.Config{Channels: []worker.ChannelConfig{{Name: "city", Source: v1alpha1.ChannelSource{
		Type: v1alpha1.SourceOpen311,
		Open311: &v1alpha1.Open311Source{
			URL: v1alpha1.HTTPURL(server.URL + "/v2"), APIKeySecretRef: &v1alpha1.SecretKeyReference{Name: "open311", Key: "api-key"},
		},
	}}}}
	encoded, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "config.json")
	if err := os.WriteFile(file, encoded, 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	command := newRootCommand()
	command.SetOut(&out)
	command.SetArgs([]string{"worker", "--check", "--config", file, "--credentials-dir", dir})
	err = command.ExecuteContext(t.Context())
	return strings.ReplaceAll(out.String(), server.URL, ""), err
}

func TestWorkerCheckSaysInASentenceHowAChannelFares(t *testing.T) {
	for name, test := range map[string]struct{ key, want, fails string }{
		"the key is right":   {"k3y", "city (open311): answers; its first batch has 1 events of 1 complaints, the latest of ", ""},
		"the key is wrong":   {"other", "city (open311): Unauthorized: the source refused the credentials (403).\n", "not every channel is well"},
		"the key is missing": {"", "city (open311): CredentialMissing: Secret \"open311\", key \"api-key\": is missing.\n", "not every channel is well"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := checkWorker(t, test.key)
			if !strings.HasPrefix(got, test.want) {
				t.Errorf("printed %q, want %q", got, test.want)
			}
			said := ""
			if err != nil {
				said = err.Error()
			}
			if diff := cmp.Diff(test.fails, said); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

// TestWhatIsMisspeltIsRefusedWhereItIsChecked, and only there: a worker may be older than the operator that rendered it.
func TestWhatIsMisspeltIsRefusedWhereItIsChecked(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(file, []byte(`{"ledgerURL":"nowhere","channels":[{"name":"city","sauce":{}}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for argument, refused := range map[string]bool{"--check": true, "--check=false": false} {
		command := newRootCommand()
		command.SetArgs([]string{"worker", argument, "--config", file})
		err := command.ExecuteContext(t.Context())
		if err == nil || strings.Contains(err.Error(), `--config: reading the configuration: json: unknown field "sauce"`) != refused {
			t.Errorf("%s: got %v", argument, err)
		}
	}
}

// forgetful leads connections to an address until it forgets those that there are: they stay open then, and nothing
// comes through, as it is where a router has lost its table.
type forgetful struct {
	net.Listener
	to string
	// age grows with each time; a connection is of the age in which it came.
	age atomic.Int64
}

func (f *forgetful) run() {
	for {
		here, err := f.Accept()
		if err != nil {
			return
		}
		there, err := net.Dial("tcp", f.to)
		if err != nil {
			_ = here.Close()
			continue
		}
		age := f.age.Load()
		pass := func(to, from net.Conn) {
			buffer := make([]byte, 4<<10)
			for {
				n, err := from.Read(buffer)
				if err != nil {
					_ = to.Close()
					return
				}
				if f.age.Load() == age {
					_, _ = to.Write(buffer[:n])
				}
			}
		}
		go pass(here, there)
		go pass(there, here)
	}
}

// TestAConnectionThatWasForgottenIsGivenUp has requests of HTTP/2 find the way to the source again.
func TestAConnectionThatWasForgottenIsGivenUp(t *testing.T) {
	source := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }))
	source.EnableHTTP2 = true
	source.StartTLS()
	defer source.Close()
	var listen net.ListenConfig
	listener, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	way := &forgetful{Listener: listener, to: source.Listener.Addr().String()}
	go way.run()

	transport := sourceTransport(400 * time.Millisecond) // long enough for a machine that is busy
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()}
	transport.TLSClientConfig.RootCAs.AddCert(source.Certificate())
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 5 * time.Second}
	get := func() (string, error) {
		answer, err := client.Get("https://" + listener.Addr().String())
		if err != nil {
			return "", err
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		return string(body), err
	}
	if got, err := get(); err != nil || got != "HTTP/2.0" {
		t.Fatalf("the source answers by %q, error %v; want HTTP/2.0", got, err)
	}
	way.age.Add(1)
	for range 3 {
		if _, err = get(); err == nil {
			return
		}
	}
	t.Errorf("requests still go where nobody answers: %v", err)
}
