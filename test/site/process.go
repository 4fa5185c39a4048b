package site

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// endTimeout is how long a process may take to end by itself, readyTimeout to start.
const (
	endTimeout   = 45 * time.Second
	readyTimeout = time.Minute
)

// Process is a running subcommand of tanggap.
type Process struct {
	command *exec.Cmd
	// addresses are what it listens at, by the keys of its log.
	addresses map[string]string
	ended     chan struct{}
	err       error // how it ended, valid when ended is closed
	log       string
	kill      sync.Once
}

type command struct {
	name, program, log     string
	arguments, environment []string
}

// startProcess starts a process and returns when it says that it serves.
func startProcess(ctx context.Context, c command) (*Process, error) {
	p := &Process{command: exec.Command(c.program, c.arguments...), ended: make(chan struct{}), log: c.log}
	p.command.Env = append(os.Environ(), c.environment...)
	// Nothing survives the program that started it.
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	output, err := p.command.StderrPipe()
	if err != nil {
		return nil, fmt.Errorf("starting the %s: %w", c.name, err)
	}
	file, err := os.OpenFile(c.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("starting the %s: %w", c.name, err)
	}
	if err := p.command.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("starting the %s: %w", c.name, err), file.Close())
	}
	started := make(chan map[string]string, 1)
	go p.follow(output, file, "Started the "+c.name, started)
	select {
	case p.addresses = <-started:
		return p, nil
	case <-p.ended:
		return nil, fmt.Errorf("the %s ended while it started: %w\n%s", c.name, p.err, p.Tail())
	case <-ctx.Done():
		p.Kill()
		return nil, ctx.Err()
	case <-time.After(readyTimeout):
		p.Kill()
		return nil, fmt.Errorf("the %s did not say in %s that it serves\n%s", c.name, readyTimeout, p.Tail())
	}
}

// follow copies what the process logs into its file, finds the entry with the message, and reaps the process.
func (p *Process) follow(output io.Reader, file *os.File, message string, started chan<- map[string]string) {
	lines := bufio.NewReaderSize(output, 64<<10)
	found := false
	for {
		line, err := lines.ReadString('\n')
		_, _ = file.WriteString(line)
		if !found && strings.Contains(line, message) {
			entry := map[string]any{}
			if json.Unmarshal([]byte(line), &entry) == nil && entry["msg"] == message {
				found = true
				started <- texts(entry)
			}
		}
		if err != nil {
			break
		}
	}
	p.err = p.command.Wait()
	_ = file.Close()
	close(p.ended)
}

func texts(entry map[string]any) map[string]string {
	out := map[string]string{}
	for k, v := range entry {
		if s, ok := v.(string); ok {
			out[k] = s
		}
	}
	return out
}

// Address is where the process serves what its log calls so: api, hooks, probes or pprof.
func (p *Process) Address(name string) string { return p.addresses[name] }

// PID is its process id.
func (p *Process) PID() int { return p.command.Process.Pid }

// Ended is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Kill ends the process as a failure of power or of memory does, and returns when it is gone.
func (p *Process) Kill() {
	p.kill.Do(func() { _ = p.command.Process.Kill() }) // it may have ended
	<-p.ended
}

// Freeze stops the process where it is, as a machine that is suspended does, until Thaw.
func (p *Process) Freeze() error { return p.signal(syscall.SIGSTOP) }

// Thaw lets a frozen process go on.
func (p *Process) Thaw() error { return p.signal(syscall.SIGCONT) }

func (p *Process) signal(signal syscall.Signal) error {
	if err := p.command.Process.Signal(signal); err != nil {
		return fmt.Errorf("sending %s to %s: %w", signal, p.command.Args[1], err)
	}
	return nil
}

// Stop asks the process to end, as a Pod is, and returns when it is gone.
func (p *Process) Stop() error {
	select {
	case <-p.ended:
		return nil // killed before, or reported before
	default:
	}
	_ = p.command.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-p.ended:
		if p.err != nil {
			return fmt.Errorf("%s %s: %w\n%s", p.command.Path, p.command.Args[1], p.err, p.Tail())
		}
		return nil
	case <-time.After(endTimeout):
		p.Kill()
		return fmt.Errorf("%s %s did not end in %s", p.command.Path, p.command.Args[1], endTimeout)
	}
}

// Log is what it and its predecessors of the same name logged; a reason when it cannot be read.
func (p *Process) Log() string {
	content, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(content)
}

// Tail is the end of what it logged.
func (p *Process) Tail() string {
	const most = 4 << 10
	content := p.Log()
	return content[max(0, len(content)-most):]
}
