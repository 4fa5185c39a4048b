package controllers_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// TestARefusedPolicyIsToldAndNotPressed has a ledger of another version that does not take the policy.
func TestARefusedPolicyIsToldAndNotPressed(t *testing.T) {
	const namespace = "refusal"
	city(t, namespace)
	operate(t, namespace)
	furnish(t, namespace)
	applyPortal(t, namespace)
	var puts atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /v1/policy", func(w http.ResponseWriter, _ *http.Request) {
		puts.Add(1)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(ledgerapi.Error{Message: "slas.city: this ledger does not know objectives"})
	})
	var sequence atomic.Int64
	mux.HandleFunc("GET /v1/summary", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(ledgerapi.Summary{Position: ledgerapi.Position{Sequence: sequence.Add(1)}, At: time.Now(), Watermark: time.Now()})
	})
	serveAs(t, namespace, "ledger", mux)

	message := ledgerHas(t, namespace, "ledger", v1alpha1.ConditionReady, no, v1alpha1.ReasonPolicyRefused)
	if want := "The ledger does not take the policy: slas.city: this ledger does not know objectives"; message != want {
		t.Errorf("the condition says %q, want %q", message, want)
	}
	ledgerHas(t, namespace, "ledger", v1alpha1.ConditionLedgerAvailable, yes, "")
	slaHas(t, namespace, "city", v1alpha1.ConditionReady, no, v1alpha1.ReasonPolicyPending)
	before := puts.Load()
	for i := range 20 {
		touch(t, namespace, i%6)
	}
	read := sequence.Load()
	eventually(t, "some readings", func() string {
		if sequence.Load() < read+5 {
			return "are not done yet"
		}
		return ""
	})
	if again := puts.Load() - before; again != 0 || before > 2 {
		t.Errorf("the policy was sent %d times, and %d times again", before, again)
	}
	apply(t, namespace, slaManifest+"  enforceFrom: 2026-01-01T00:00:00Z\n")
	eventually(t, "another policy", func() string {
		if puts.Load() == before {
			return "is not tried"
		}
		return ""
	})
}

// serveAs serves a handler as the ledger of a namespace.
func serveAs(t *testing.T, namespace, name string, handler http.Handler) {
	t.Helper()
	secret := &corev1.Secret{}
	eventually(t, "the ledger's certificate", func() string {
		if !exists(t, namespace, name+"-ledger-tls", secret) {
			return "is not there"
		}
		return ""
	})
	pair, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		t.Fatal(err)
	}
	var listen net.ListenConfig
	listener, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	go func() {
		_ = server.Serve(tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13}))
	}()
	t.Cleanup(func() { _ = server.Shutdown(context.WithoutCancel(t.Context())) })
	network.lead(name+"-ledger."+namespace+".svc:8443", listener.Addr().String())
}
