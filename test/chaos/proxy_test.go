package chaos

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
)

// proxy passes on TCP connections until they are cut.
type proxy struct {
	listener net.Listener
	mu       sync.Mutex
	// target is asked for each connection where it leads to; "" is nowhere.
	target func() string
	broken bool
	open   map[net.Conn]bool
	// held is locked for writing while nothing passes.
	held sync.RWMutex
}

// newProxy listens on a loopback address; the target may be set later.
func newProxy(t *testing.T, host string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, target: func() string { return "" }, open: map[net.Conn]bool{}}
	var running sync.WaitGroup
	running.Go(p.run)
	t.Cleanup(func() {
		_ = listener.Close()
		p.cut()
		running.Wait()
	})
	return p
}

func (p *proxy) address() string { return p.listener.Addr().String() }

func (p *proxy) lead(target string) { p.leadTo(func() string { return target }) }

// leadTo lets each connection go where target says then.
func (p *proxy) leadTo(target func() string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}

func (p *proxy) run() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		broken, target := p.broken, p.target
		p.mu.Unlock()
		if broken {
			_ = client.Close()
			continue
		}
		server, err := net.Dial("tcp", target())
		if err != nil {
			_ = client.Close()
			continue
		}
		p.join(client, server)
	}
}

// join copies both ways until either side ends or the proxy cuts.
func (p *proxy) join(client, server net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken {
		_ = errors.Join(client.Close(), server.Close())
		return
	}
	p.open[client], p.open[server] = true, true
	pass := func(to, from net.Conn) {
		_, _ = io.Copy(gate{to, &p.held}, from)
		_ = errors.Join(client.Close(), server.Close())
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.open, from)
	}
	go pass(client, server)
	go pass(server, client)
}

// gate is a connection that takes nothing while the lock is held.
type gate struct {
	to   io.Writer
	held *sync.RWMutex
}

// Write implements io.Writer.
func (g gate) Write(b []byte) (int, error) {
	g.held.RLock()
	defer g.held.RUnlock()
	return g.to.Write(b)
}

// hold keeps whatever is on its way from arriving, as a network does that has come apart, until release.
func (p *proxy) hold() { p.held.Lock() }

func (p *proxy) release() { p.held.Unlock() }

// cut ends every connection, in the middle of whatever it carries, and takes none until restore.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken = true
	for c := range p.open {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // what was not sent yet is lost
		}
		_ = c.Close()
	}
}

func (p *proxy) restore() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken = false
}
