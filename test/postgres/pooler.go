package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// ErrNoPooler says that PgBouncer is not there.
var ErrNoPooler = errors.New("no PgBouncer: run hack/need.sh pgbouncer")

// Pooler is a PgBouncer before a server, on a unix socket.
type Pooler struct {
	dir     string
	process *process
}

// StartPooler starts one that gives connections of the server to its clients by the mode, session or
// transaction.
func (s *Server) StartPooler(ctx context.Context, mode string) (_ *Pooler, err error) {
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		if program = "/usr/sbin/pgbouncer"; !executable(program) { // not in the PATH of everybody
			return nil, ErrNoPooler
		}
	}
	p := &Pooler{}
	if p.dir, err = makeDir(s.as); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close())
		}
	}()
	s.mu.Lock()
	port := s.port
	s.mu.Unlock()
	// Whoever connects is who they say, as on the server's own socket; the server is asked whether there is such a role.
	settings := fmt.Sprintf(`[databases]
* = host=%s port=%d auth_user=%s
[pgbouncer]
pool_mode = %s
unix_socket_dir = %s
unix_socket_mode = 0777
listen_addr =
listen_port = %d
auth_type = trust
auth_file = %s
default_pool_size = 8
max_client_conn = 1000
server_idle_timeout = 2
`, s.dir, port, superuser, mode, p.dir, poolerPort, filepath.Join(p.dir, "users"))
	for name, content := range map[string]string{"pgbouncer.ini": settings, "users": fmt.Sprintf("%q \"\"\n", superuser)} {
		if err := s.write(filepath.Join(p.dir, name), []byte(content)); err != nil {
			return nil, err
		}
	}
	command := exec.Command(program, "--quiet", filepath.Join(p.dir, "pgbouncer.ini"))
	command.Dir = p.dir
	log, err := os.OpenFile(filepath.Join(p.dir, "log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the pooler's log: %w", err)
	}
	defer log.Close()
	command.Stderr = log
	if p.process, err = startProcess(command, s.as); err != nil {
		return nil, err
	}
	return p, p.ready(ctx)
}

// poolerPort is a part of the socket's name.
const poolerPort = 6432

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().Perm()&0o111 != 0
}

// ready waits until it takes connections.
func (p *Pooler) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if c, err := net.Dial("unix", filepath.Join(p.dir, fmt.Sprintf(".s.PGSQL.%d", poolerPort))); err == nil {
			return c.Close()
		}
		select {
		case <-tick.C:
		case <-p.process.ended:
			log, _ := os.ReadFile(filepath.Join(p.dir, "log")) // the end itself is the error
			return fmt.Errorf("the pooler ended: %w: %s", p.process.err, log)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// URLAs connects a role to a database through the pooler.
func (p *Pooler) URLAs(role, database string) string {
	return fmt.Sprintf("postgres://%s@/%s?host=%s&port=%d&sslmode=disable", role, database, p.dir, poolerPort)
}

// Close ends it.
func (p *Pooler) Close() error {
	var err error
	if p.process != nil {
		err = p.process.stop(syscall.SIGTERM)
	}
	return errors.Join(err, os.RemoveAll(p.dir))
}
