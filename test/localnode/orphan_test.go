package localnode_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// holderEnv makes the test binary a node with a Pod, which is then killed. Its value is the folder of
// its state.
const holderEnv = "TANGGAP_TEST_HOLDER"

func runHolder() {
	c, err := startCluster(os.Getenv(holderEnv))
	exitOn(err)
	ctx := context.Background()
	_, err = c.client.AppsV1().Deployments("default").Create(ctx, deployment("orphan", 1, "--deaf"), createOptions())
	exitOn(err)
	for {
		pods, err := c.node.Pods("default")
		exitOn(err)
		if len(pods) == 1 {
			if pid, err := c.node.PID("default", pods[0].Name); err == nil {
				fmt.Println(pid)
				select {}
			}
		}
	}
}

func TestNoProcessOutlivesAKilledNode(t *testing.T) {
	holder := exec.Command(os.Args[0])
	holder.Env = append(os.Environ(), holderEnv+"="+t.TempDir(), "TMPDIR="+t.TempDir())
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
	var pid int
	if _, err := fmt.Sscan(strings.TrimSpace(line), &pid); err != nil || readErr != nil {
		t.Fatalf("the holder printed %q (%v)", line, readErr)
	}
	eventually(t, "the end of the Pod's process", func() error { return isGone(pid) })
}
