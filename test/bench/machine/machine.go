// Package machine describes the machine that something was measured on.
package machine

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Facts are what figures depend on.
type Facts struct {
	// CPU is the processor's name, Cores how many this program may use.
	CPU   string
	Cores int
	// Memory in bytes.
	Memory int64
	// Kernel is the release.
	Kernel string
	// Sync is how long an fdatasync of 4 KiB takes where the data will be.
	Sync time.Duration
	// Load is the load average of the last minute, before the measurement began.
	Load float64
	// At is when.
	At time.Time
}

// String is one line of text.
func (f Facts) String() string {
	return fmt.Sprintf("%s, %d cores, %.0f GiB, Linux %s, fdatasync %d µs; load average before the run %.1f; %s",
		f.CPU, f.Cores, float64(f.Memory)/(1<<30), f.Kernel, f.Sync.Microseconds(), f.Load, f.At.UTC().Format(time.DateOnly))
}

// Read finds the facts out; dir is a folder on the disk that will be measured.
func Read(dir string) (f Facts, err error) {
	f = Facts{Cores: runtime.GOMAXPROCS(0), At: time.Now()}
	f.CPU = field("/proc/cpuinfo", "model name")
	kilobytes, _, _ := strings.Cut(field("/proc/meminfo", "MemTotal"), " ")
	total, _ := strconv.ParseInt(kilobytes, 10, 64)
	f.Memory = total << 10
	f.Kernel = first("/proc/sys/kernel/osrelease")
	f.Load, _ = strconv.ParseFloat(first("/proc/loadavg"), 64)
	if f.Sync, err = timeSync(dir); err != nil {
		return f, fmt.Errorf("timing the disk: %w", err)
	}
	return f, nil
}

// field is the value of the first line "name : value" of a file, "" when it cannot be read.
func field(path, name string) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(content)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// first is the first word of a file.
func first(path string) string {
	content, _ := os.ReadFile(path)
	words := strings.Fields(string(content))
	if len(words) == 0 {
		return ""
	}
	return words[0]
}

// timeSync is the median time that a sync of one more block takes.
func timeSync(dir string) (time.Duration, error) {
	path := filepath.Join(dir, "sync")
	file, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	defer func() {
		_ = file.Close()
		_ = os.Remove(path)
	}()
	var took []time.Duration
	block := make([]byte, 4<<10)
	for range 101 {
		started := time.Now()
		if _, err := file.Write(block); err != nil {
			return 0, err
		}
		if err := syscall.Fdatasync(int(file.Fd())); err != nil {
			return 0, err
		}
		took = append(took, time.Since(started))
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}
