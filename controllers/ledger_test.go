package controllers_test

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger"
	"github.com/tanggap/tanggap/internal/ledger/client"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/server"
	"github.com/tanggap/tanggap/internal/ledger/store/sqlite"
)

// ledgerPod runs the real ledger as the pod would that the operator asks for: with the certificates and
// keys that the operator made.
type ledgerPod struct {
	namespace, name string
	data, files     string
	stop            func()
}

// tokenIsUser takes a token for the name of its owner.
type tokenIsUser struct{}

// Review implements server.TokenReviewer.
func (tokenIsUser) Review(_ context.Context, token string) (string, error) {
	if !strings.HasPrefix(token, "system:serviceaccount:") {
		return "", server.ErrUnauthenticated
	}
	return token, nil
}

// MayReply implements server.TokenReviewer.
func (tokenIsUser) MayReply(context.Context, string, string) (bool, error) { return false, nil }

// runLedger waits for what the operator makes for a ledger and runs it.
func runLedger(t *testing.T, namespace, name string) *ledgerPod {
	t.Helper()
	p := &ledgerPod{namespace: namespace, name: name, data: t.TempDir(), files: t.TempDir()}
	eventually(t, "the ledger's certificates", func() string {
		for _, object := range []string{"-ledger-tls", "-ledger-pseudonym"} {
			if !exists(t, namespace, name+object, &corev1.Secret{}) {
				return "there is no Secret " + name + object
			}
		}
		if !exists(t, namespace, name+"-ledger-ca", &corev1.ConfigMap{}) {
			return "there is no ConfigMap with the certificates to trust"
		}
		return ""
	})
	p.start(t)
	return p
}

// mount writes the files of the pod's volumes anew, as the kubelet does.
func (p *ledgerPod) mount(t *testing.T) {
	t.Helper()
	write := func(name string, content []byte) {
		// The kubelet replaces files as a whole.
		path := filepath.Join(p.files, name)
		if err := errors.Join(os.WriteFile(path+".new", content, 0o600), os.Rename(path+".new", path)); err != nil {
			t.Fatal(err)
		}
	}
	serving := get(t, p.namespace, p.name+"-ledger-tls", &corev1.Secret{})
	write("tls.crt", serving.Data[corev1.TLSCertKey])
	write("tls.key", serving.Data[corev1.TLSPrivateKeyKey])
	write("ca.crt", []byte(get(t, p.namespace, p.name+"-ledger-ca", &corev1.ConfigMap{}).Data["ca.crt"]))
	write("key", get(t, p.namespace, p.name+"-ledger-pseudonym", &corev1.Secret{}).Data["key"])
}

// start runs the ledger on its data; it is reached by the name of its Service.
func (p *ledgerPod) start(t *testing.T) {
	t.Helper()
	p.mount(t)
	storage, err := sqlite.Open(p.data, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	pseudonyms, err := ledger.ReadPseudonymKeys(filepath.Join(p.files, "key"))
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	l, err := ledger.Open(t.Context(), ledger.Options{Store: storage, Pseudonyms: pseudonyms, Now: time.Now, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	config, err := server.TLSConfig(server.Files{
		Cert: filepath.Join(p.files, "tls.crt"), Key: filepath.Join(p.files, "tls.key"), ClientCA: filepath.Join(p.files, "ca.crt"),
	}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	var listen net.ListenConfig
	listener, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serving, endServing := context.WithCancel(context.WithoutCancel(t.Context()))
	running, endRunning := context.WithCancel(context.WithoutCancel(t.Context()))
	var group, runners sync.WaitGroup
	runners.Go(func() { l.Run(running) })
	runners.Go(func() { l.Maintain(running) })
	group.Go(func() {
		if err := server.Serve(serving, listener, server.New(l, tokenIsUser{}, log), config, log); err != nil {
			t.Errorf("the ledger ended with %v", err)
		}
	})
	network.lead(p.host(), listener.Addr().String())
	p.stop = sync.OnceFunc(func() {
		network.lead(p.host(), "")
		endServing()
		group.Wait()
		endRunning()
		runners.Wait()
		if err := storage.Close(); err != nil {
			t.Errorf("closing the ledger: %v", err)
		}
	})
	t.Cleanup(p.stop)
}

func (p *ledgerPod) host() string { return p.name + "-ledger." + p.namespace + ".svc:8443" }

// worker is what a channel's worker does towards the ledger.
type worker struct {
	channel string
	client  *client.Client
	sent    int
}

// runWorker connects as the worker of a channel.
func (p *ledgerPod) runWorker(t *testing.T, channel string) *worker {
	t.Helper()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("system:serviceaccount:"+p.namespace+":"+channel+"-worker"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(client.Config{
		BaseURL: "https://" + p.host(), TokenFile: token, TLS: client.TLS{CAFile: filepath.Join(p.files, "ca.crt")},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return &worker{channel: channel, client: c}
}

// report tells how the source fares; it waits until the ledger knows the channel.
func (w *worker) report(t *testing.T, state ledgerapi.SourceState, reason ledgerapi.Reason, message string) {
	t.Helper()
	report := ledgerapi.Report{
		Instance: "life-1", State: state, Reason: reason, Message: message,
		LastSuccessAt: new(time.Now()), ObservedThrough: new(time.Now()),
	}
	eventually(t, "the report of "+w.channel, func() string {
		if err := w.client.Report(t.Context(), w.channel, report); err != nil {
			return err.Error()
		}
		return ""
	})
}

func (w *worker) connected(t *testing.T) {
	t.Helper()
	w.report(t, ledgerapi.SourceConnected, ledgerapi.ReasonConnected, "")
}

// complain hands over complaints received at an instant.
func (w *worker) complain(t *testing.T, count int, at time.Time) {
	t.Helper()
	var events []complaint.Event
	for range count {
		w.sent++
		id := "case-" + string(rune('a'+w.sent))
		events = append(events, complaint.Event{
			Channel: w.channel, CaseID: id, ID: id + "-received", Kind: complaint.KindReceived, Actor: complaint.ActorCitizen, OccurredAt: at, Text: "banjir",
		})
	}
	response, err := w.client.Append(t.Context(), w.channel, ledgerapi.AppendRequest{Events: events})
	if err != nil || response.Accepted != count {
		t.Fatalf("%d of %d complaints were accepted, error %v: %v", response.Accepted, count, err, response.Rejected)
	}
}

// servingCertificate is the certificate that the ledger's Secret holds.
func servingCertificate(t *testing.T, namespace, name string) *x509.Certificate {
	t.Helper()
	return parseCertificate(t, get(t, namespace, name+"-ledger-tls", &corev1.Secret{}).Data[corev1.TLSCertKey])
}
