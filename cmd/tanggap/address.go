package main

import (
	"net"
	"strings"
)

// listenAddress brackets a bare IPv6 address before its port: $(POD_IP):8443 in a manifest expands to
// fd00::1:8443 in a cluster of that family, and a manifest has no way to write brackets only then.
func listenAddress(address string) string {
	i := strings.LastIndexByte(address, ':')
	if i < 0 || !strings.Contains(address[:i], ":") || strings.HasPrefix(address, "[") {
		return address
	}
	return "[" + address[:i] + "]" + address[i:]
}

// forwardedAddress is where kubectl port-forward comes out for a process that listens at the address: at the loopback
// interface of its pod, with the same port. It is "" for one that is reached there anyway.
func forwardedAddress(address net.Addr) string {
	at, ok := address.(*net.TCPAddr)
	if !ok || at.IP.IsUnspecified() || at.IP.IsLoopback() {
		return ""
	}
	loopback := net.IPv6loopback
	if at.IP.To4() != nil {
		loopback = net.IPv4(127, 0, 0, 1)
	}
	return (&net.TCPAddr{IP: loopback, Port: at.Port}).String()
}
