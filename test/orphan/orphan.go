// Package orphan leaves behind what a process has started, for tests of what ends with the process that started it.
package orphan

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Leave runs the test program again with further environment, by which its TestMain knows that it is to start
// something, print a line that leads to it and wait. That process is killed; the line is returned.
func Leave(t *testing.T, environment ...string) string {
	t.Helper()
	holder := exec.Command(os.Args[0])
	holder.Env = append(os.Environ(), environment...)
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
	if readErr != nil {
		t.Fatalf("the holder printed %q (%v)", line, readErr)
	}
	return strings.TrimSpace(line)
}
