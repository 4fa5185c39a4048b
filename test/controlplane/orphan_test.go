package controlplane_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/tanggap/tanggap/test/controlplane"
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
	holder := exec.Command(os.Args[0])
	holder.Env = append(os.Environ(), holdEnv+"=1", "TMPDIR="+t.TempDir())
	holder.Stderr = os.Stderr
	output, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	line, readErr := bufio.NewReader(output).ReadString('\n')
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = holder.Wait() // killed: its error is the signal
	server, err := url.Parse(strings.TrimSpace(line))
	if err != nil || readErr != nil || server.Host == "" {
		t.Fatalf("the holder printed %q (%v)", line, readErr)
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
