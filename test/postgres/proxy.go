package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// Direction says which way bytes go.
type Direction int

// The directions.
const (
	ToServer Direction = iota
	ToClient
)

// Verdict says what a proxy does with bytes.
type Verdict int

// The verdicts: pass them on, pass them on and then cut the connection, or cut it before.
const (
	Pass Verdict = iota
	PassAndCut
	Cut
)

// Proxy passes connections on to a server, and cuts them when a test wants it to.
type Proxy struct {
	server   *Server
	listener net.Listener

	mu      sync.Mutex
	inspect func(Direction, []byte) Verdict
	refuses bool
	open    map[net.Conn]bool
	running sync.WaitGroup
}

// NewProxy is a proxy in front of the server's unix socket.
func NewProxy(ctx context.Context, server *Server) (*Proxy, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for a proxy: %w", err)
	}
	p := &Proxy{server: server, listener: listener, open: map[net.Conn]bool{}}
	p.running.Go(p.accept)
	return p, nil
}

// URLAs connects a role to a database through the proxy.
func (p *Proxy) URLAs(role, database string) string {
	return fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable", role, p.listener.Addr(), database)
}

// Inspect has every piece of bytes judged by f, which is called by many goroutines; nil passes all.
func (p *Proxy) Inspect(f func(Direction, []byte) Verdict) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inspect = f
}

// Refuse makes the proxy close new connections at once, or take them again.
func (p *Proxy) Refuse(refuse bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuses = refuse
}

// CutAll cuts all connections.
func (p *Proxy) CutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		_ = c.Close() // it may be closed by its other side
	}
}

// Close cuts everything and ends.
func (p *Proxy) Close() error {
	err := p.listener.Close()
	p.CutAll()
	p.running.Wait()
	return err
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("unix", p.server.Socket())
		if err != nil || !p.register(client, server) {
			_ = client.Close()
			if server != nil {
				_ = server.Close()
			}
			continue
		}
		p.running.Go(func() { p.pass(ToServer, client, server) })
		p.running.Go(func() { p.pass(ToClient, server, client) })
	}
}

func (p *Proxy) register(pair ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuses {
		return false
	}
	for _, c := range pair {
		p.open[c] = true
	}
	return true
}

// pass copies one direction until a side closes or the verdict is to cut.
func (p *Proxy) pass(direction Direction, from, to net.Conn) {
	defer func() {
		_, _ = from.Close(), to.Close() // the other direction may have closed them
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.open, from)
		delete(p.open, to)
	}()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		verdict := Pass
		p.mu.Lock()
		inspect := p.inspect
		p.mu.Unlock()
		if inspect != nil && n > 0 {
			verdict = inspect(direction, buffer[:n])
		}
		if verdict == Cut {
			return
		}
		if _, failed := to.Write(buffer[:n]); failed != nil || verdict == PassAndCut {
			return
		}
		if err != nil && !errors.Is(err, io.EOF) || n == 0 {
			return
		}
	}
}
