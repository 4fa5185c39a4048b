package localnode

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
)

const (
	// proxyPort is where each node's proxy listens, on the node's own address.
	proxyPort = 3128
	blocks    = 256 // 127.77.0.0/24 to 127.77.255.0/24, one for each node
	firstPod  = 2   // .1 is the node itself
	lastPod   = 254
)

var errNoAddress = errors.New("no free Pod address: a local node runs at most 253 Pods")

// addressPool hands out the loopback addresses of one node: 127.77.<block>.1 is the node, the others
// are for its Pods.
type addressPool struct {
	block int

	mu    sync.Mutex
	inUse map[int]bool
	next  int
}

// claimAddresses finds a block that no other node of this machine uses. Listening on the proxy's port
// is the claim: it ends with the process, however that ends.
func claimAddresses() (*addressPool, net.Listener, error) {
	var firstErr error
	for block := range blocks {
		pool := &addressPool{block: block, inUse: map[int]bool{}, next: firstPod}
		listener, err := net.Listen("tcp4", net.JoinHostPort(pool.nodeIP(), strconv.Itoa(proxyPort)))
		if err == nil {
			return pool, listener, nil
		}
		if firstErr == nil {
			firstErr = err
		}
	}
	return nil, nil, fmt.Errorf("claiming a block of loopback addresses: %w", firstErr)
}

func (p *addressPool) nodeIP() string { return fmt.Sprintf("127.77.%d.1", p.block) }

// acquire takes the address that has been free for longest, so that a client of a Pod that is gone
// does not reach its successor's neighbour.
func (p *addressPool) acquire() (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range lastPod - firstPod + 1 {
		candidate := p.next
		if p.next++; p.next > lastPod {
			p.next = firstPod
		}
		if !p.inUse[candidate] {
			p.inUse[candidate] = true
			return fmt.Sprintf("127.77.%d.%d", p.block, candidate), nil
		}
	}
	return "", errNoAddress
}

func (p *addressPool) release(address string) {
	ip := net.ParseIP(address).To4()
	if ip == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.inUse, int(ip[3]))
}
