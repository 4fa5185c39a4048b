package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/tanggap/tanggap/internal/ledger/reload"
)

// Files are the PEM files of the server's identity and of whom it trusts; they are read again when
// they change, so that a renewed certificate needs no restart.
type Files struct {
	Cert, Key string
	// ClientCA signs the operator's certificate.
	ClientCA string
}

// TLSConfig is the server's side of TLS. A client certificate is not needed, as workers have tokens,
// but one that is given must be signed by the client CA.
func TLSConfig(files Files, now func() time.Time) (*tls.Config, error) {
	certificate, err := reload.NewCertificate(files.Cert, files.Key, now)
	if err != nil {
		return nil, fmt.Errorf("the ledger's certificate: %w", err)
	}
	clients, err := reload.NewPool(files.ClientCA, now)
	if err != nil {
		return nil, fmt.Errorf("the CA of the operator's certificate: %w", err)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			pair, err := certificate.Get()
			if err != nil {
				return nil, err
			}
			pool, _, err := clients.Get()
			if err != nil {
				return nil, err
			}
			return &tls.Config{
				MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{*pair},
				ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: pool,
				NextProtos: []string{"http/1.1"},
				// Each connection has a configuration of its own, between which tickets could not be resumed.
				SessionTicketsDisabled: true,
			}, nil
		},
	}, nil
}

// drain is how long requests that have begun may take when the server stops.
const drain = 20 * time.Second

// Serve answers requests at the listener until ctx ends, and then finishes what has begun.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler, config *tls.Config, log *slog.Logger) error {
	server := &http.Server{
		Handler:           handler,
		TLSConfig:         config,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      maxWait + 30*time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	if s, ok := handler.(*Server); ok {
		server.RegisterOnShutdown(s.stop)
	}
	if config != nil {
		listener = tls.NewListener(listener, config)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	err := server.Shutdown(deadline)
	if errors.Is(err, context.DeadlineExceeded) {
		err = errors.Join(errors.New("requests were cut off"), server.Close())
	}
	if err != nil {
		return fmt.Errorf("stopping the server: %w", err)
	}
	return nil
}
