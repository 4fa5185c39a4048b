package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"
)

// pprofUsage is the help of the flag --pprof-listen.
const pprofUsage = "address of Go's profiles below /debug/pprof/, such as localhost:6060; it has no authentication, and nothing listens by default"

// servePprof serves the process's profiles at the address until ctx ends; "" serves nothing. It returns
// where it listens.
func servePprof(ctx context.Context, address string) (string, error) {
	if address == "" {
		return "", nil
	}
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", address)
	if err != nil {
		return "", fmt.Errorf("listening for profiles: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	go func() { _ = server.Serve(listener) }() // ends with ctx
	return listener.Addr().String(), nil
}

// pprofAttribute names in the log of the start where profiles are served; nothing where they are not.
func pprofAttribute(address string) slog.Attr {
	if address == "" {
		return slog.Attr{}
	}
	return slog.String("pprof", address)
}
