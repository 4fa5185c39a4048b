package postgres

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is the server's first process.
type process struct {
	command *exec.Cmd
	// ended is closed when the process has ended, with err.
	ended chan struct{}
	err   error
}

// startProcess starts a command that ends with this process: the kernel asks it to when the thread that
// started it ends, and so that thread is kept until then.
func startProcess(command *exec.Cmd, as *syscall.Credential) (*process, error) {
	p := &process{command: command, ended: make(chan struct{})}
	// SIGQUIT is an immediate shutdown, in which the server removes its shared memory.
	command.SysProcAttr = &syscall.SysProcAttr{Credential: as, Pdeathsig: syscall.SIGQUIT, Setpgid: true}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := command.Start()
		started <- err
		if err == nil {
			p.err = command.Wait()
			if p.err == nil {
				p.err = errors.New("exit status 0")
			}
		}
		close(p.ended)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting PostgreSQL: %w", err)
	}
	return p, nil
}

func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// stop sends a signal and waits for the end.
func (p *process) stop(signal syscall.Signal) error {
	if p.hasEnded() {
		return nil
	}
	if err := p.command.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stopping PostgreSQL: %w", err)
	}
	limit := time.NewTimer(stopLimit)
	defer limit.Stop()
	select {
	case <-p.ended:
		return nil
	case <-limit.C:
		// Its own children notice that it is gone.
		_ = p.command.Process.Kill()
		<-p.ended
		return errors.New("PostgreSQL did not stop when it was asked to and was killed")
	}
}

// ProgramsVariable is an environment variable with the folder of another server's programs.
const ProgramsVariable = "TANGGAP_POSTGRES"

// findPrograms finds the newest server, unless the environment names one: first in the folders where Debian and
// others keep one for each version, which are in nobody's PATH, then in the PATH.
func findPrograms() (string, error) {
	if folder := os.Getenv(ProgramsVariable); folder != "" {
		return folder, nil
	}
	var found []string
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/postgres", "/usr/pgsql-*/bin/postgres", "/opt/homebrew/opt/postgresql@*/bin/postgres"} {
		matches, err := filepath.Glob(pattern)
		if err != nil {
			return "", fmt.Errorf("looking for PostgreSQL: %w", err)
		}
		found = append(found, matches...)
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(strings.TrimLeft(filepath.Base(filepath.Dir(filepath.Dir(path))), "abcdefghijklmnopqrstuvwxyz@-"))
		return n
	}
	if path, err := exec.LookPath("postgres"); err == nil && len(found) == 0 {
		found = append(found, path)
	}
	if len(found) == 0 {
		return "", ErrNoPrograms
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })), nil
}

// unprivileged is whom the server runs as when this process is root, which PostgreSQL refuses; nil
// otherwise.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		account, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(account.Uid, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("reading the user id of %s: %w", name, err)
		}
		gid, err := strconv.ParseUint(account.Gid, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("reading the group id of %s: %w", name, err)
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
}

// maxSocketPath is how long the path of a unix socket may be on every system.
const maxSocketPath = 100

// makeDir makes the server's directory where its user can reach it and the path of a socket fits.
func makeDir(as *syscall.Credential) (string, error) {
	var errs []error
	for _, parent := range []string{os.TempDir(), "/tmp", "/var/tmp"} {
		if len(parent)+len("/tanggap-pg-1234567890/.s.PGSQL.65535") > maxSocketPath || as != nil && !reachable(parent) {
			continue
		}
		dir, err := os.MkdirTemp(parent, "tanggap-pg-")
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if as != nil {
			err = os.Chown(dir, int(as.Uid), int(as.Gid))
		}
		// Others pass through it to the socket; the data are the server's alone.
		return dir, errors.Join(err, os.Chmod(dir, 0o711))
	}
	return "", fmt.Errorf("no directory for temporary files suits PostgreSQL: %w", errors.Join(errs...))
}

// reachable reports whether every user can pass through the path.
func reachable(path string) bool {
	for ; ; path = filepath.Dir(path) {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm()&0o001 == 0 {
			return false
		}
		if path == filepath.Dir(path) {
			return true
		}
	}
}
