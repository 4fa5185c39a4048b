package localnode_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/tanggap/tanggap/test/orphan"
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
	line := orphan.Leave(t, holderEnv+"="+t.TempDir(), "TMPDIR="+t.TempDir())
	var pid int
	if _, err := fmt.Sscan(line, &pid); err != nil {
		t.Fatalf("the holder printed %q", line)
	}
	eventually(t, "the end of the Pod's process", func() error { return isGone(pid) })
}
