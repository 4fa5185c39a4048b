package main

import "testing"

func TestListenAddressBracketsBareIPv6(t *testing.T) {
	for given, want := range map[string]string{
		":8443":            ":8443",
		"10.0.0.7:8443":    "10.0.0.7:8443",
		"fd00::1:8443":     "[fd00::1]:8443",
		"[fd00::1]:8443":   "[fd00::1]:8443",
		"localhost:http":   "localhost:http",
		"without-a-port":   "without-a-port",
		"2001:db8::a:8081": "[2001:db8::a]:8081",
	} {
		if got := listenAddress(given); got != want {
			t.Errorf("listenAddress(%q) = %q, want %q", given, got, want)
		}
	}
}
