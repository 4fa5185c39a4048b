package main

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/ledger"
	"github.com/tanggap/tanggap/internal/ledger/client"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/server"
	"github.com/tanggap/tanggap/internal/ledger/store/sqlite"
	"github.com/tanggap/tanggap/internal/ledger/tlstest"
	"github.com/tanggap/tanggap/internal/policy"
)

func TestListenAddressBracketsBareIPv6(t *testing.T) {
	for given, want := range map[string]string{
		":8443":            ":8443",
		"10.0.0.7:8443":    "10.0.0.7:8443",
		"fd00::1:8443":     "[fd00::1]:8443",
		"[fd00::1]:8443":   "[fd00::1]:8443",
		"localhost:http":   "localhost:http",
		"without-a-port":   "without-a-port",
		"2001:db8::a:8081": "[2001:db8::a]:8081",
	} {
		if got := listenAddress(given); got != want {
			t.Errorf("listenAddress(%q) = %q, want %q", given, got, want)
		}
	}
}

func TestWhereAForwardedPortComesOut(t *testing.T) {
	for listens, want := range map[string]string{
		"10.0.0.7:8443":    "127.0.0.1:8443",
		"[fd00::1]:8443":   "[::1]:8443",
		"0.0.0.0:8443":     "",
		"[::]:8443":        "",
		"127.0.0.1:8443":   "",
		"127.77.0.2:8443":  "",
		"[::1]:8443":       "",
		"192.168.1.1:8081": "127.0.0.1:8081",
	} {
		address, err := net.ResolveTCPAddr("tcp", listens)
		if err != nil {
			t.Fatal(err)
		}
		if got := forwardedAddress(address); got != want {
			t.Errorf("forwardedAddress(%s) = %q, want %q", listens, got, want)
		}
	}
	if got := forwardedAddress(&net.UnixAddr{Name: "/run/x", Net: "unix"}); got != "" {
		t.Errorf("forwardedAddress of a socket = %q", got)
	}
}

// atPod is a listener at the loopback interface that says it is at the address of a pod.
type atPod struct {
	net.Listener
	address *net.TCPAddr
}

// Addr implements net.Listener.
func (l atPod) Addr() net.Addr { return l.address }

// TestALedgerServesWhereAForwardedPortComesOut has it listen at the address of its pod alone, as the operator does.
func TestALedgerServesWhereAForwardedPortComesOut(t *testing.T) {
	listen := func() net.Listener {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return listener
	}
	dir, ca := t.TempDir(), tlstest.New(t)
	cert, key := ca.Issue(t, dir, "ledger")
	operatorCert, operatorKey := ca.Issue(t, dir, ledgerapi.OperatorCommonName)
	caFile := tlstest.Write(t, dir, "ca.crt", ca.PEM)
	config, err := server.TLSConfig(server.Files{Cert: cert, Key: key, ClientCA: caFile}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	storage, err := sqlite.Open(filepath.Join(dir, "data"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = storage.Close() })
	l, err := ledger.Open(t.Context(), ledger.Options{Store: storage})
	if err != nil {
		t.Fatal(err)
	}
	forwarded, err := net.ResolveTCPAddr("tcp", freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	api, log := listen(), slog.New(slog.DiscardHandler)
	pod := atPod{api, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: forwarded.Port}}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	at := listeners{api: withForwarded(ctx, pod, log), probes: listen()}
	go func() { ended <- serveLedger(ctx, l, at, server.New(l, nil, log), config, log) }()
	for _, address := range []string{api.Addr().String(), forwarded.String()} {
		operator := dial(t, client.Config{BaseURL: "https://" + address, TLS: client.TLS{CAFile: caFile, CertFile: operatorCert, KeyFile: operatorKey, ServerName: "127.0.0.1"}})
		if _, err := operator.PutPolicy(t.Context(), policy.Document{}.Seal()); err != nil {
			t.Errorf("at %s: %v", address, err)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("the ledger ended: %v", err)
	}
}
