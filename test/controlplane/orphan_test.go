package controlplane_test

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/tanggap/tanggap/test/controlplane"
	"github.com/tanggap/tanggap/test/orphan"
)

// holdEnv makes the test program start a control plane, print its address and wait to be killed.
const holdEnv = "TANGGAP_TEST_HOLD_CONTROL_PLANE"

func hold() {
	plane, err := controlplane.Start(context.Background(), controlplane.Options{})
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
	fmt.Println(plane.Config().Host)
	select {}
}

func TestControlPlaneEndsWithTheProcessThatStartedIt(t *testing.T) {
	line := orphan.Leave(t, holdEnv+"=1", "TMPDIR="+t.TempDir())
	server, err := url.Parse(line)
	if err != nil || server.Host == "" {
		t.Fatalf("the holder printed %q", line)
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		connection, err := net.DialTimeout("tcp", server.Host, time.Second)
		if err != nil {
			return
		}
		_ = connection.Close()
		if time.Now().After(deadline) {
			t.Fatal("the API server outlived the process that started it")
		}
	}
}
