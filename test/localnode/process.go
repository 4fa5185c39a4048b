package localnode

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// spawner starts processes from one operating-system thread that lives as long as the node. The
// kernel ends each process when the thread that started it ends (the parent-death signal), so nothing
// survives the node, and no process ends early because the Go runtime retired a thread.
type spawner struct {
	work chan func()
	once sync.Once
}

func newSpawner() *spawner {
	s := &spawner{work: make(chan func())}
	go func() {
		// Never unlocked: the thread ends with this goroutine, and with it what was not stopped.
		runtime.LockOSThread()
		for f := range s.work {
			f()
		}
	}()
	return s
}

func (s *spawner) close() { s.once.Do(func() { close(s.work) }) }

// process is a running program in a process group of its own.
type process struct {
	pid  int
	done chan struct{} // closed when the program has ended and was reaped

	mu     sync.Mutex
	reaped bool // from here on the process id may belong to somebody else

	exitCode int            // valid after done; 128+n after signal n, as a shell counts
	signal   syscall.Signal // valid after done; 0 when the program exited by itself
}

// start runs the program. Output and errors both go to output, whose writes must not block for long.
func (s *spawner) start(argv, env []string, dir string, output io.Writer) (*process, error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = env
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = output, output
	// A descendant that left the process group could hold the output open for ever.
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error, 1)
	s.work <- func() { started <- cmd.Start() }
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", argv[0], err)
	}
	p := &process{pid: cmd.Process.Pid, done: make(chan struct{})}
	go p.wait(cmd)
	return p, nil
}

func (p *process) wait(cmd *exec.Cmd) {
	defer close(p.done)
	// While the program is a zombie its process group cannot be anybody else's, so this is the moment
	// to end what it left behind, as the end of a container would.
	for {
		err := unix.Waitid(unix.P_PID, p.pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	p.mu.Lock()
	_ = unix.Kill(-p.pid, unix.SIGKILL) // there may be nothing left
	p.reaped = true
	p.mu.Unlock()
	_ = cmd.Wait() // how it ended is read from the state
	p.exitCode, p.signal = exitOf(cmd.ProcessState)
}

func exitOf(state *os.ProcessState) (int, syscall.Signal) {
	if state == nil {
		return 255, 0
	}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), status.Signal()
	}
	return state.ExitCode(), 0
}

// send sends a signal to the program alone; SIGKILL goes to its whole group.
func (p *process) send(signal syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return os.ErrProcessDone
	}
	target := p.pid
	if signal == syscall.SIGKILL {
		target = -p.pid
	}
	return unix.Kill(target, signal)
}

// stop asks the program to end and makes it end after the grace period, or as soon as kill is closed.
// It returns when the program is gone.
func (p *process) stop(grace time.Duration, kill <-chan struct{}) {
	_ = p.send(syscall.SIGTERM) // it may have ended already
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
		return
	case <-timer.C:
	case <-kill:
	}
	_ = p.send(syscall.SIGKILL)
	<-p.done
}
