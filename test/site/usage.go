package site

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Usage is what a process has used so far.
type Usage struct {
	// User and System are CPU times.
	User, System time.Duration
	// Resident and Peak are the memory now and at most, in bytes.
	Resident, Peak int64
}

// CPU is user and system time.
func (u Usage) CPU() time.Duration { return u.User + u.System }

// UsageOf reads /proc of a process id.
func UsageOf(pid int) (u Usage, err error) {
	fields, err := statOf(pid)
	if err != nil {
		return u, err
	}
	u.User, u.System = ticks(fields[11]), ticks(fields[12])
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return u, fmt.Errorf("reading a process's memory: %w", err)
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		n, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
		switch name {
		case "VmRSS":
			u.Resident = n << 10
		case "VmHWM":
			u.Peak = n << 10
		}
	}
	return u, nil
}

// statOf are the fields of /proc/PID/stat after the name of the program, which is in parentheses and may hold
// anything.
func statOf(pid int) ([]string, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, fmt.Errorf("reading a process's times: %w", err)
	}
	const most = 15 // those that are used here
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < most {
		return nil, fmt.Errorf("the process %d has %d fields of statistics", pid, len(fields))
	}
	return fields, nil
}

// ticks is a time in the kernel's unit.
func ticks(text string) time.Duration {
	const tick = time.Second / 100 // USER_HZ, a part of the kernel's ABI
	n, _ := strconv.ParseInt(text, 10, 64)
	return time.Duration(n) * tick
}

// cpuOf is the CPU time of a process and of the children that it waited for.
func cpuOf(pid int) (time.Duration, error) {
	fields, err := statOf(pid)
	if err != nil {
		return 0, err
	}
	return ticks(fields[11]) + ticks(fields[12]) + ticks(fields[13]) + ticks(fields[14]), nil
}

// TreeCPU is the CPU time of a process, of those that it started and that run, and of those that it waited
// for, as a database's server process has one for each connection.
func TreeCPU(pid int) (time.Duration, error) {
	total, err := cpuOf(pid)
	if err != nil {
		return 0, err
	}
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for child := range strings.FieldsSeq(string(children)) {
		id, err := strconv.Atoi(child)
		if err != nil {
			return 0, fmt.Errorf("reading a process's children: %w", err)
		}
		if used, err := cpuOf(id); err == nil { // it may have ended
			total += used
		}
	}
	return total, nil
}
