package client

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/tanggap/tanggap/internal/ledger/reload"
)

// TLS says whom the client trusts and who it is.
type TLS struct {
	// CAFile holds the CA of the ledger in PEM; it is read again when it changes.
	CAFile string
	// RootCAs is trusted where there is no CAFile; nil is the system's set.
	RootCAs *x509.CertPool
	// CertFile and KeyFile are the client's own certificate (the operator's) in PEM; read again when they change.
	CertFile, KeyFile string
	// Certificate gives the client's own certificate where there are no files; nil is none.
	Certificate func() (*tls.Certificate, error)
	// ServerName replaces the host of the address when the ledger's certificate is checked; "" keeps it.
	ServerName string
}

// transport is an http.Transport that is replaced when the CA changes, since a tls.Config in use
// cannot take a new one.
type transport struct {
	config tls.Config
	roots  *reload.Pool

	mu      sync.Mutex
	version int
	current *http.Transport
}

func newTransport(config TLS, now func() time.Time) (*transport, error) {
	t := &transport{config: tls.Config{
		MinVersion: tls.VersionTLS13,
		RootCAs:    config.RootCAs,
		ServerName: config.ServerName,
	}}
	if config.CAFile != "" {
		roots, err := reload.NewPool(config.CAFile, now)
		if err != nil {
			return nil, fmt.Errorf("trusting the ledger: %w", err)
		}
		t.roots = roots
	}
	own := config.Certificate
	switch {
	case (config.CertFile == "") != (config.KeyFile == ""):
		return nil, errors.New("a client certificate needs its key, and a key its certificate")
	case config.CertFile != "":
		pair, err := reload.NewCertificate(config.CertFile, config.KeyFile, now)
		if err != nil {
			return nil, fmt.Errorf("the client's own certificate: %w", err)
		}
		own = pair.Get
	}
	if own != nil {
		t.config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return own() }
	}
	return t, nil
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	current, err := t.get()
	if err != nil {
		return nil, err
	}
	return current.RoundTrip(req)
}

// CloseIdleConnections is called by http.Client.
func (t *transport) CloseIdleConnections() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current != nil {
		t.current.CloseIdleConnections()
	}
}

func (t *transport) get() (*http.Transport, error) {
	config, version := &t.config, 1
	var pool *x509.CertPool
	if t.roots != nil {
		var err error
		if pool, version, err = t.roots.Get(); err != nil {
			return nil, err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current != nil && t.version == version {
		return t.current, nil
	}
	if t.current != nil {
		t.current.CloseIdleConnections()
	}
	config = config.Clone()
	if pool != nil {
		config.RootCAs = pool
	}
	t.current, t.version = &http.Transport{
		Proxy:           http.ProxyFromEnvironment,
		TLSClientConfig: config,
		// HTTP/1.1: a batch fills a connection by itself, and a few connections serve a worker better
		// than many streams on one.
		MaxIdleConns:          64,
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
	}, version
	return t.current, nil
}

// tokenFile is a bearer token in a file.
type tokenFile struct{ file *reload.File }

func newTokenFile(path string, now func() time.Time) *tokenFile {
	return &tokenFile{file: reload.NewFile(path, now)}
}

func (t *tokenFile) read() (string, error) {
	content, _, err := t.file.Read()
	if err != nil {
		return "", fmt.Errorf("the service-account token: %w", err)
	}
	token := strings.TrimSpace(string(content))
	if token == "" {
		return "", errors.New("the service-account token's file is empty")
	}
	return token, nil
}
