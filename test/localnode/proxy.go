package localnode

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"
)

const dialTimeout = 5 * time.Second

// proxy is the cluster's network: an HTTP proxy that reaches Services and the loopback network and
// nothing else. It tunnels with CONNECT and forwards plain HTTP requests.
type proxy struct {
	resolver *resolver
	listener net.Listener
	server   *http.Server
	log      *slog.Logger

	mu      sync.Mutex
	tunnels map[net.Conn]bool
	closed  bool
}

func newProxy(listener net.Listener, resolver *resolver, log *slog.Logger) *proxy {
	p := &proxy{resolver: resolver, listener: listener, log: log, tunnels: map[net.Conn]bool{}}
	forward := &httputil.ReverseProxy{
		Rewrite: passUnchanged,
		// The address of the request is a Service's name, which dial resolves; connections are not kept
		// because the next request is another Pod's turn.
		Transport:     &http.Transport{DialContext: p.dial, DisableKeepAlives: true, DisableCompression: true},
		FlushInterval: -1,
		ErrorHandler:  func(w http.ResponseWriter, _ *http.Request, err error) { refuse(w, err) },
		ErrorLog:      slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	p.server = &http.Server{
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == http.MethodConnect:
				p.tunnel(w, r)
			case r.URL.IsAbs() && r.URL.Scheme == "http":
				forward.ServeHTTP(w, r)
			default:
				http.Error(w, "this is a proxy: send CONNECT or an absolute http URL", http.StatusBadRequest)
			}
		}),
	}
	return p
}

// passUnchanged undoes what ReverseProxy takes out: a Pod gets the request as it was sent.
func passUnchanged(r *httputil.ProxyRequest) {
	r.Out.URL.RawQuery = r.In.URL.RawQuery
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		if values, sent := r.In.Header[name]; sent {
			r.Out.Header[name] = values
		}
	}
}

func (p *proxy) url() *url.URL {
	return &url.URL{Scheme: "http", Host: p.listener.Addr().String()}
}

// serve serves until close.
func (p *proxy) serve() {
	if err := p.server.Serve(p.listener); !errors.Is(err, http.ErrServerClosed) {
		p.log.Error("Proxy stopped", "error", err)
	}
}

// close ends the listener and every connection.
func (p *proxy) close() {
	_ = p.server.Close() // nobody is left to hear of it
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for connection := range p.tunnels {
		_ = connection.Close()
	}
}

// dial connects to a Service's name or a loopback address.
func (p *proxy) dial(ctx context.Context, network, address string) (net.Conn, error) {
	target, err := p.resolver.resolve(address)
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{Timeout: dialTimeout}
	return dialer.DialContext(ctx, network, target)
}

// refuse tells why: 403 for what lies outside, 503 when nobody is ready, 502 when nobody answered.
func refuse(w http.ResponseWriter, err error) {
	status := http.StatusBadGateway
	switch {
	case errors.Is(err, ErrForbiddenHost):
		status = http.StatusForbidden
	case errors.Is(err, ErrNoEndpoint):
		status = http.StatusServiceUnavailable
	}
	http.Error(w, err.Error(), status)
}

// tunnel serves CONNECT.
func (p *proxy) tunnel(w http.ResponseWriter, r *http.Request) {
	upstream, err := p.dial(r.Context(), "tcp", r.Host)
	if err != nil {
		refuse(w, err)
		return
	}
	defer func() { _ = upstream.Close() }()
	hijacker, ok := w.(http.Hijacker)
	if !ok {
		http.Error(w, "CONNECT needs HTTP/1.1", http.StatusHTTPVersionNotSupported)
		return
	}
	client, buffered, err := hijacker.Hijack()
	if err != nil {
		p.log.Warn("Failed to take over a connection", "error", err)
		return
	}
	defer func() { _ = client.Close() }()
	if !p.track(client, upstream) {
		return
	}
	defer p.untrack(client, upstream)
	if _, err := io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	var copying sync.WaitGroup
	copying.Go(func() { pipe(upstream, buffered.Reader) }) // the client may have sent something already
	pipe(client, upstream)
	copying.Wait()
}

// pipe copies until the source ends and then says so to the destination, which may still have
// something to send.
func pipe(to net.Conn, from io.Reader) {
	_, err := io.Copy(to, from)
	if half, ok := to.(interface{ CloseWrite() error }); ok && err == nil {
		_ = half.CloseWrite()
		return
	}
	_ = to.Close()
}

func (p *proxy) track(connections ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	for _, connection := range connections {
		p.tunnels[connection] = true
	}
	return true
}

func (p *proxy) untrack(connections ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, connection := range connections {
		delete(p.tunnels, connection)
	}
}
