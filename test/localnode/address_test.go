package localnode

import (
	"errors"
	"strings"
	"testing"
)

func TestAddressesAreTheNodesAlone(t *testing.T) {
	first, listener, err := claimAddresses()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	second, other, err := claimAddresses()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	if first.nodeIP() == second.nodeIP() {
		t.Errorf("two nodes have the address %s", first.nodeIP())
	}
	if !strings.HasPrefix(listener.Addr().String(), first.nodeIP()+":") {
		t.Errorf("the proxy of %s listens on %s", first.nodeIP(), listener.Addr())
	}
}

func TestAddressesRunOutAndComeBack(t *testing.T) {
	pool := &addressPool{block: 7, inUse: map[int]bool{}, next: firstPod}
	given := map[string]bool{}
	for range lastPod - firstPod + 1 {
		address, err := pool.acquire()
		if err != nil || given[address] || address == pool.nodeIP() {
			t.Fatalf("got %q (%v), given before: %v", address, err, given[address])
		}
		given[address] = true
	}
	if address, err := pool.acquire(); !errors.Is(err, errNoAddress) {
		t.Errorf("got %q (%v) from an empty pool", address, err)
	}
	pool.release("127.77.7.100")
	pool.release("not an address")
	if address, err := pool.acquire(); address != "127.77.7.100" {
		t.Errorf("got %q (%v), want the released one", address, err)
	}
}
