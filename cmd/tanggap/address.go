package main

import "strings"

// listenAddress brackets a bare IPv6 address before its port: $(POD_IP):8443 in a manifest expands to
// fd00::1:8443 in a cluster of that family, and a manifest has no way to write brackets only then.
func listenAddress(address string) string {
	i := strings.LastIndexByte(address, ':')
	if i < 0 || !strings.Contains(address[:i], ":") || strings.HasPrefix(address, "[") {
		return address
	}
	return "[" + address[:i] + "]" + address[i:]
}
