// Package chaos tests what is promised whatever fails: an event that was acknowledged is stored once. A
// worker, a ledger or two on one database, and the database run as processes; while deliveries come in, one of
// them is killed or frozen, the disk fills up or connections are cut, at random moments. After every round the
// storage is read and recounted.
package chaos

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

var (
	rounds = flag.Int("rounds", 9, "how many faults there are, over all kinds of storage")
	seed   = flag.Uint64("seed", 0, "repeats the choices of a run; 0 chooses one")
	only   = flag.String("only", "", "a part of the names of the faults that happen; all by default")
	output = flag.String("output", "", "the page to write the table to; none by default")
)

// smallDisks names, in the environment of the process that runs the tests, a folder in which disks of a
// bounded size can be mounted that nobody else sees.
const smallDisks = "TANGGAP_TEST_SMALL_DISKS"

func TestMain(m *testing.M) {
	if os.Getenv(smallDisks) == "" {
		code, err := inOwnNamespace()
		if err == nil {
			os.Exit(code)
		}
		fmt.Fprintln(os.Stderr, "chaos: the disk does not fill up in this run:", err)
	}
	os.Exit(m.Run())
}

// inOwnNamespace runs this program again where it may mount without others seeing it, which needs root.
func inOwnNamespace() (code int, err error) {
	dir, err := os.MkdirTemp("", "tanggap-chaos-disks-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.Chmod(dir, 0o755); err != nil {
		return 0, err
	}
	probe := exec.Command("/proc/self/exe", "-test.run=^$")
	probe.Env = append(os.Environ(), smallDisks+"="+dir)
	probe.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if err := probe.Run(); err != nil {
		return 0, fmt.Errorf("a mount namespace of its own: %w", err)
	}
	self := exec.Command("/proc/self/exe", os.Args[1:]...)
	self.Env, self.SysProcAttr = probe.Env, &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	self.Stdout, self.Stderr = os.Stdout, os.Stderr
	err = self.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// disk is a file system of a bounded size; nil is one that never fills up.
type disk struct{ dir string }

// newDisk mounts one; nil where that cannot be done.
func newDisk(t *testing.T, name string, megabytes int) *disk {
	t.Helper()
	all := os.Getenv(smallDisks)
	if all == "" {
		return nil
	}
	d := &disk{dir: filepath.Join(all, name)}
	if err := os.Mkdir(d.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", d.dir, "tmpfs", 0, fmt.Sprintf("size=%dm,mode=1777", megabytes)); err != nil {
		t.Fatalf("mounting a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := errors.Join(syscall.Unmount(d.dir, syscall.MNT_DETACH), os.Remove(d.dir)); err != nil {
			t.Error(err)
		}
	})
	return d
}

// fill leaves so many bytes free, at most.
func (d *disk) fill(free int64) error {
	file, err := os.Create(filepath.Join(d.dir, "filler"))
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	block, size := make([]byte, 64<<10), int64(0)
	for {
		n, err := file.Write(block)
		size += int64(n)
		if errors.Is(err, syscall.ENOSPC) {
			break
		}
		if err != nil {
			return err
		}
	}
	return file.Truncate(max(0, size-free))
}

func (d *disk) empty() error { return os.Remove(filepath.Join(d.dir, "filler")) }

// wait waits as long as a fault lasts; the length is the random thing itself.
func wait(d time.Duration) { <-time.After(d) }
