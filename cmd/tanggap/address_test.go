package main

import (
	"net"
	"testing"
)

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

func TestWhereAForwardedPortComesOut(t *testing.T) {
	for listens, want := range map[string]string{
		"10.0.0.7:8443":    "127.0.0.1:8443",
		"[fd00::1]:8443":   "[::1]:8443",
		"0.0.0.0:8443":     "",
		"[::]:8443":        "",
		"127.0.0.1:8443":   "",
		"127.77.0.2:8443":  "",
		"[::1]:8443":       "",
		"192.168.1.1:8081": "127.0.0.1:8081",
	} {
		address, err := net.ResolveTCPAddr("tcp", listens)
		if err != nil {
			t.Fatal(err)
		}
		if got := forwardedAddress(address); got != want {
			t.Errorf("forwardedAddress(%s) = %q, want %q", listens, got, want)
		}
	}
	if got := forwardedAddress(&net.UnixAddr{Name: "/run/x", Net: "unix"}); got != "" {
		t.Errorf("forwardedAddress of a socket = %q", got)
	}
}
