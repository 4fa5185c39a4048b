package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authentication "k8s.io/api/authentication/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/client"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/tlstest"
	"github.com/tanggap/tanggap/internal/policy"
	"github.com/tanggap/tanggap/test/postgres"
)

// freeAddress is a loopback address that nobody listens at.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// tokenReviews is an API server that knows one token; it writes the kubeconfig that leads to it.
func tokenReviews(t *testing.T, dir, token, user string) (kubeconfig string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := new(bytes.Buffer)
		_, _ = body.ReadFrom(r.Body)
		review := authentication.TokenReview{}
		review.APIVersion, review.Kind = "authentication.k8s.io/v1", "TokenReview"
		// The client may send protobuf, in which the token stands as it is.
		review.Status.Authenticated = strings.Contains(body.String(), token)
		review.Status.User.Username = user
		review.Status.Audiences = []string{ledgerapi.Audience}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(review)
	}))
	t.Cleanup(server.Close)
	config := clientcmdapi.NewConfig()
	config.Clusters["c"] = &clientcmdapi.Cluster{Server: server.URL}
	config.Contexts["c"] = &clientcmdapi.Context{Cluster: "c"}
	config.CurrentContext = "c"
	kubeconfig = filepath.Join(dir, "kubeconfig")
	if err := clientcmd.WriteToFile(*config, kubeconfig); err != nil {
		t.Fatal(err)
	}
	return kubeconfig
}

// TestLedgerCommand runs the command as a Pod would: it serves, keeps what it was given over a restart,
// ends cleanly when it is told to, and its data verify.
func TestLedgerCommand(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	t.Run("embedded", func(t *testing.T) {
		testLedgerCommand(t, "--data", data)
		moved(t, data)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		dir, ca := t.TempDir(), tlstest.New(t)
		cert, key := ca.Issue(t, dir, "database")
		server, err := postgres.Start(t.Context(), postgres.Options{CertFile: cert, KeyFile: key})
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		database := func() []string {
			name, err := server.NewDatabase(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			url := fmt.Sprintf("postgres://%s@%s/%s\n", name, server.Address(), name)
			return []string{"--postgres-url-file", tlstest.Write(t, dir, name, []byte(url)),
				"--postgres-password-file", tlstest.Write(t, dir, "password", []byte(server.Password()+"\n")),
				"--postgres-ca", tlstest.Write(t, dir, "ca.crt", ca.PEM)}
		}
		testLedgerCommand(t, database()...)
		// A city that has outgrown its file moves.
		target := database()
		if out, err := execute(t.Context(), append([]string{"ledger", "import", "--from-data", data}, target...)...); err != nil {
			t.Fatalf("Importing: %v, %s", err, out)
		}
		out, err := execute(t.Context(), append([]string{"ledger", "verify"}, target...)...)
		if err != nil || out != "no difference in 2 cases\n" {
			t.Errorf("After the move, verify says %q, error %v", out, err)
		}
	})
}

func testLedgerCommand(t *testing.T, storage ...string) {
	t.Helper()
	dir, ca := t.TempDir(), tlstest.New(t)
	cert, key := ca.Issue(t, dir, "ledger")
	operatorCert, operatorKey := ca.Issue(t, dir, ledgerapi.OperatorCommonName)
	caFile := tlstest.Write(t, dir, "ca.crt", ca.PEM)
	pseudonymKey := tlstest.Write(t, dir, "pseudonym", []byte("0123456789abcdef0123456789abcdef\n"))
	tokenFile := tlstest.Write(t, dir, "token", []byte("a-token-of-the-worker"))
	kubeconfig := tokenReviews(t, dir, "a-token-of-the-worker", "system:serviceaccount:depok:worker")
	socket := filepath.Join(dir, "admin.sock")
	person := tlstest.Write(t, dir, "person", []byte("\nphone 0812-7777-9001\n  handle dsw  @warga \n"))

	for round := range 2 {
		listen, health := freeAddress(t), freeAddress(t)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			_, err := execute(ctx, append([]string{"ledger", "--listen", listen, "--health-listen", health, "--tls-cert", cert, "--tls-key", key,
				"--client-ca", caFile, "--pseudonym-key", pseudonymKey, "--admin-socket", socket, "--kubeconfig", kubeconfig, "--log-level", "error"}, storage...)...)
			ended <- err
		}()
		waitForReady(t, "http://"+health+"/readyz", ended)
		operator := dial(t, client.Config{BaseURL: "https://" + listen, TLS: client.TLS{CAFile: caFile, CertFile: operatorCert, KeyFile: operatorKey}})
		worker := dial(t, client.Config{BaseURL: "https://" + listen, TLS: client.TLS{CAFile: caFile}, TokenFile: tokenFile})
		document := policy.Document{Channels: map[string]policy.Channel{"dsw": {Type: "rest", Official: true, Writer: "system:serviceaccount:depok:worker"}}}
		if _, err := operator.PutPolicy(ctx, document.Seal()); err != nil {
			t.Fatalf("Round %d, putting the policy: %v", round, err)
		}
		id := fmt.Sprint("C", round)
		_, err := worker.Append(ctx, "dsw", ledgerapi.AppendRequest{Events: []complaint.Event{{
			CaseID: id, ID: id, Kind: complaint.KindReceived, Actor: complaint.ActorCitizen, OccurredAt: time.Now().Add(-time.Second),
			Reporter: &complaint.Reporter{Phone: "6281277779001"}, Text: "RAHASIA",
		}}})
		if err != nil {
			t.Fatalf("Round %d, appending: %v", round, err)
		}
		summary, err := operator.Summary(ctx, ledgerapi.Position{}, 0)
		if err != nil || summary.Channels["dsw"].Unanswered != int64(round+1) {
			t.Errorf("Round %d: the summary is %+v, error %v; want %d unanswered", round, summary, err, round+1)
		}
		if out, err := execute(ctx, "ledger", "erase", "--socket", socket, "--file", person); err != nil ||
			!strings.Contains(out, fmt.Sprintf("from %d events of %d cases", round+1, round+1)) {
			t.Errorf("Round %d: erase says %q, error %v", round, out, err)
		}
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Round %d, ending: %v", round, err)
		}
		out, err := execute(t.Context(), append([]string{"ledger", "verify"}, storage...)...)
		if err != nil || out != fmt.Sprintf("no difference in %d cases\n", round+1) {
			t.Errorf("Round %d: verify says %q, error %v", round, out, err)
		}
	}
	out, err := execute(t.Context(), append([]string{"ledger", "erase", "--pseudonym-key", pseudonymKey, "--file", person}, storage...)...)
	if err != nil || !strings.Contains(out, "from 2 events of 2 cases") {
		t.Errorf("On the storage erase says %q, error %v; want what was erased before", out, err)
	}
	other := tlstest.Write(t, dir, "other", []byte("another key, as of a restored storage\n"))
	out, err = execute(t.Context(), append([]string{"ledger", "erase", "--pseudonym-key", other, "--file", person}, storage...)...)
	if err == nil || !strings.Contains(err.Error(), "the erasure is incomplete") || !strings.Contains(out, "erasure ") {
		t.Errorf("With another key erase says %q, error %v; want that it is incomplete", out, err)
	}
}

func TestEraseSaysWhatIsWrongAndNotWhoIsMeant(t *testing.T) {
	dir := t.TempDir()
	data, none := filepath.Join(dir, "data"), filepath.Join(dir, "none")
	key := tlstest.Write(t, dir, "key", []byte("0123456789abcdef"))
	for name, test := range map[string]struct {
		lines   string
		flags   []string
		message string
	}{
		"nobody":           {"", nil, "no identity was given"},
		"an unknown kind":  {"phone 08123456\nRAHASIA 1", nil, "line 2 must be one of"},
		"a phone alone":    {"phone", nil, "line 1 must be one of"},
		"no channel":       {"handle RAHASIA", nil, "line 1 must be one of"},
		"nobody listening": {"phone 08RAHASIA", []string{"--socket", none}, "asking the ledger"},
		"a missing key":    {"phone 08RAHASIA", []string{"--data", data}, "--pseudonym-key is needed"},
		"two ways":         {"phone 08RAHASIA", []string{"--data", data, "--socket", none}, "were all set"},
		"no file":          {"", []string{"--file", none}, "opening the identities"},
		"too few digits":   {"phone 08RAHASIA", []string{"--data", data, "--pseudonym-key", key}, "at least six digits"},
	} {
		t.Run(name, func(t *testing.T) {
			person := tlstest.Write(t, t.TempDir(), "person", []byte(test.lines))
			_, err := execute(t.Context(), append([]string{"ledger", "erase", "--file", person}, test.flags...)...)
			if err == nil || !strings.Contains(err.Error(), test.message) || strings.Contains(err.Error(), "RAHASIA") {
				t.Errorf("The error is %v; want %q", err, test.message)
			}
		})
	}
}

// moved exports the ledger and imports it into other storages, by a file and without one.
func moved(t *testing.T, data string) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "export.ndjson")
	if _, err := execute(t.Context(), "ledger", "export", "--data", data, "--file", file); err != nil {
		t.Fatalf("Exporting: %v", err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("The export is %v, error %v; want it readable by its owner alone", info, err)
	}
	for name, from := range map[string][]string{"by a file": {"--file", file}, "without a file": {"--from-data", data}} {
		target := filepath.Join(dir, name)
		out, err := execute(t.Context(), append([]string{"ledger", "import", "--data", target}, from...)...)
		if err != nil || !strings.HasSuffix(out, "no difference in 2 cases\n") {
			t.Errorf("Importing %s says %q, error %v", name, out, err)
		}
		if _, err = execute(t.Context(), append([]string{"ledger", "import", "--data", target}, from...)...); err == nil || !strings.Contains(err.Error(), "not empty") {
			t.Errorf("Importing %s again gives %v; want it refused", name, err)
		}
	}
	if _, err := execute(t.Context(), "ledger", "export", "--data", data, "--file", filepath.Join(dir, "none", "x")); err == nil {
		t.Error("An export into a folder that is not there was taken for done")
	}
}

// execute runs the program with arguments and returns what it printed.
func execute(ctx context.Context, args ...string) (string, error) {
	out := new(bytes.Buffer)
	root := newRootCommand()
	root.SetOut(out)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	return out.String(), err
}

func dial(t *testing.T, config client.Config) *client.Client {
	t.Helper()
	c, err := client.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func waitForReady(t *testing.T, url string, ended <-chan error) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := (&http.Client{Timeout: time.Second}).Do(req)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case err := <-ended:
			t.Fatalf("The ledger ended: %v", err)
		case <-deadline:
			t.Fatal("The ledger did not become ready")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func TestLedgerCommandSaysWhatIsWrong(t *testing.T) {
	dir, ca := t.TempDir(), tlstest.New(t)
	cert, key := ca.Issue(t, dir, "ledger")
	caFile := tlstest.Write(t, dir, "ca.crt", ca.PEM)
	kubeconfig := tokenReviews(t, dir, "x", "y")
	notADirectory := tlstest.Write(t, dir, "file", nil)
	shortKey := tlstest.Write(t, dir, "short", []byte("short"))
	insecure := tlstest.Write(t, dir, "insecure", []byte("postgres://ledger:hunter2@127.0.0.1/ledger?sslmode=prefer"))
	good := map[string]string{
		"--listen": "127.0.0.1:0", "--health-listen": "127.0.0.1:0", "--data": filepath.Join(dir, "data"),
		"--tls-cert": cert, "--tls-key": key, "--client-ca": caFile, "--kubeconfig": kubeconfig,
	}
	for name, test := range map[string]struct{ flag, value, message string }{
		"no certificate":              {"--tls-cert", filepath.Join(dir, "none"), "the ledger's certificate"},
		"a key of something else":     {"--tls-key", cert, "the ledger's certificate"},
		"no CA":                       {"--client-ca", key, "the CA of the operator's certificate"},
		"a file where data should go": {"--data", notADirectory, "the ledger's directory"},
		"a weak key":                  {"--pseudonym-key", shortKey, "at least 16 bytes"},
		"an address that is no one":   {"--listen", "127.0.0.1:none", "listening for the API"},
		"no API server":               {"--kubeconfig", filepath.Join(dir, "none"), "finding the API server"},
		"two storages":                {"--postgres-url-file", insecure, "[data postgres-url-file] were all set"},
		"an unknown level":            {"--log-level", "loud", "--log-level must be one of"},
		"an unknown flag":             {"--lsiten", "x", "unknown flag"},
	} {
		t.Run(name, func(t *testing.T) {
			args := []string{"ledger"}
			for flag, value := range good {
				if flag != test.flag {
					args = append(args, flag, value)
				}
			}
			_, err := execute(t.Context(), append(args, test.flag, test.value)...)
			if err == nil || !strings.Contains(err.Error(), test.message) {
				t.Errorf("The error is %v; want %q", err, test.message)
			}
		})
	}
	if _, err := execute(t.Context(), "ledger", "verify"); err == nil || !strings.Contains(err.Error(), "[data postgres-url-file] is required") {
		t.Errorf("Verifying nothing gives %v", err)
	}
	_, err := execute(t.Context(), "ledger", "verify", "--postgres-url-file", insecure)
	if err == nil || !strings.Contains(err.Error(), "sslmode=prefer") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("A database that may be spoken to without TLS gives %v", err)
	}
	if _, err := execute(t.Context(), "ledger", "verify", "--data", filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Verifying what is not there gives %v", err)
	}
}
