// Package postgres starts a real PostgreSQL server as a local process for tests and benchmarks. It
// listens on a unix socket and, when TLS is asked for, on 127.0.0.1 too; it ends with the process that
// started it, however that ends.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// ErrNoPrograms says that PostgreSQL is not there.
var ErrNoPrograms = errors.New("no PostgreSQL (initdb, postgres): run hack/need.sh postgresql")

// Options say what to start. The zero value is a server with PostgreSQL's own settings on a unix socket.
type Options struct {
	// Settings are added to postgresql.conf.
	Settings map[string]string
	// CertFile and KeyFile are PEM files of a certificate for 127.0.0.1. With them the server listens there
	// too, where it takes nothing but TLS and asks for a password.
	CertFile, KeyFile string
	// Checksums makes the server check every page that it reads.
	Checksums bool
}

const (
	// superuser owns everything that a test does not give away.
	superuser = "postgres"
	// password is that of every role on TCP; the unix socket trusts its owner's machine.
	password = "loopback"
	// startLimit bounds a start, with the recovery after a crash in it.
	startLimit = 2 * time.Minute
	stopLimit  = time.Minute
)

// Server is a PostgreSQL server of its own directory. Its methods are safe for concurrent use.
type Server struct {
	options  Options
	programs string
	dir      string
	as       *syscall.Credential

	mu      sync.Mutex
	port    int
	process *process
	names   int
}

// Start makes a new server and starts it. The context bounds the start only.
func Start(ctx context.Context, options Options) (_ *Server, err error) {
	s := &Server{options: options, port: 5432}
	if s.programs, err = findPrograms(); err != nil {
		return nil, err
	}
	if s.as, err = unprivileged(); err != nil {
		return nil, err
	}
	if s.dir, err = makeDir(s.as); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(s.dir))
		}
	}()
	if err := s.initialise(ctx); err != nil {
		return nil, err
	}
	if err := s.Restart(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// initialise makes the data directory.
func (s *Server) initialise(ctx context.Context) error {
	arguments := []string{
		"--pgdata=" + s.data(), "--username=" + superuser, "--encoding=UTF8", "--locale=C",
		"--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync", "--no-instructions",
	}
	if s.options.Checksums {
		arguments = append(arguments, "--data-checksums")
	}
	passwords := filepath.Join(s.dir, "password")
	if err := s.write(passwords, []byte(password+"\n")); err != nil {
		return err
	}
	command := exec.CommandContext(ctx, filepath.Join(s.programs, "initdb"), append(arguments, "--pwfile="+passwords)...)
	command.Dir = s.dir
	command.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("making a database cluster: %w: %s", err, output)
	}
	settings := map[string]string{
		"unix_socket_directories": s.dir, "unix_socket_permissions": "0777", "listen_addresses": "", "max_connections": "200",
		"shared_buffers": "64MB", "max_wal_size": "1GB", "log_min_messages": "warning", "logging_collector": "off",
	}
	if s.options.CertFile != "" {
		for name, path := range map[string]string{"server.crt": s.options.CertFile, "server.key": s.options.KeyFile} {
			content, err := os.ReadFile(path)
			if err != nil {
				return fmt.Errorf("reading the server's certificate: %w", err)
			}
			if err := s.write(filepath.Join(s.dir, name), content); err != nil {
				return err
			}
		}
		settings["listen_addresses"], settings["ssl"] = "127.0.0.1", "on"
		settings["ssl_cert_file"], settings["ssl_key_file"] = filepath.Join(s.dir, "server.crt"), filepath.Join(s.dir, "server.key")
		rules := "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n"
		if err := s.write(filepath.Join(s.data(), "pg_hba.conf"), []byte(rules)); err != nil {
			return err
		}
	}
	maps.Copy(settings, s.options.Settings)
	var lines strings.Builder
	for name, value := range settings {
		fmt.Fprintf(&lines, "%s = '%s'\n", name, strings.ReplaceAll(value, "'", "''"))
	}
	return s.write(filepath.Join(s.data(), "postgresql.auto.conf"), []byte(lines.String()))
}

// Log is what the server has printed.
func (s *Server) Log() (string, error) {
	content, err := os.ReadFile(s.logFile())
	if err != nil {
		return "", fmt.Errorf("reading the server's log: %w", err)
	}
	return string(content), nil
}

func (s *Server) logFile() string { return filepath.Join(s.dir, "log") }

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// write writes a file that only the server's user reads.
func (s *Server) write(path string, content []byte) error {
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return fmt.Errorf("writing a file of the server: %w", err)
	}
	return s.own(path)
}

func (s *Server) own(path string) error {
	if s.as == nil {
		return nil
	}
	return os.Chown(path, int(s.as.Uid), int(s.as.Gid))
}

// Restart starts a server that was stopped or killed, and returns when it takes connections.
func (s *Server) Restart(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil && !s.process.hasEnded() {
		return errors.New("the server runs already")
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for attempt := 1; ; attempt++ {
		if s.options.CertFile != "" && (s.process == nil || attempt > 1) {
			port, err := freePort()
			if err != nil {
				return err
			}
			s.port = port
		}
		p, err := s.launch()
		if err != nil {
			return err
		}
		if err = s.ready(ctx, p); err == nil {
			s.process = p
			return nil
		}
		// Between its choice and its use another process may have taken the port; and the processes of a
		// killed server need a moment to notice.
		if stopped := p.stop(syscall.SIGQUIT); attempt == 20 || ctx.Err() != nil {
			log, _ := s.Log() // the end itself is the error
			return fmt.Errorf("starting PostgreSQL: %w: %s", errors.Join(err, stopped), log)
		}
	}
}

func (s *Server) launch() (*process, error) {
	command := exec.Command(filepath.Join(s.programs, "postgres"), "-D", s.data(), "-p", strconv.Itoa(s.port))
	command.Dir = s.dir
	log, err := os.OpenFile(s.logFile(), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the server's log: %w", err)
	}
	defer log.Close()
	command.Stderr = log
	return startProcess(command, s.as)
}

// ready waits until the server answers on its socket.
func (s *Server) ready(ctx context.Context, p *process) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		connection, err := pgconn.Connect(ctx, fmt.Sprintf("host=%s port=%d user=%s dbname=postgres sslmode=disable", s.dir, s.port, superuser))
		if err == nil {
			return connection.Close(ctx)
		}
		select {
		case <-tick.C:
		case <-p.ended:
			return fmt.Errorf("it ended: %w", p.err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// freePort is a port of 127.0.0.1 that nobody used a moment ago.
func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("choosing a port: %w", err)
	}
	address, isTCP := listener.Addr().(*net.TCPAddr)
	if err := listener.Close(); err != nil || !isTCP {
		return 0, fmt.Errorf("choosing a port: %w", err)
	}
	return address.Port, nil
}

// Crash ends the server at once, as `pg_ctl stop -m immediate` does: what was not committed is lost,
// and the next start recovers from the log.
func (s *Server) Crash() error { return s.signal(syscall.SIGQUIT) }

// Shutdown ends the server once it has ended its connections and written everything.
func (s *Server) Shutdown() error { return s.signal(syscall.SIGINT) }

// Kill kills the server's first process; the others notice and end.
func (s *Server) Kill() error { return s.signal(syscall.SIGKILL) }

func (s *Server) signal(signal syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process.stop(signal)
}

// Close ends the server and removes its data.
func (s *Server) Close() error {
	return errors.Join(s.Crash(), os.RemoveAll(s.dir))
}

// PID is the id of the server's first process, whose children serve the connections.
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process.command.Process.Pid
}

// Socket is the path of the unix socket.
func (s *Server) Socket() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return filepath.Join(s.dir, ".s.PGSQL."+strconv.Itoa(s.port))
}

// Address is the TCP address of a server with TLS.
func (s *Server) Address() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return "127.0.0.1:" + strconv.Itoa(s.port)
}

// Password is that of the superuser, which TCP asks for.
func (s *Server) Password() string { return password }

// DataDir is the directory of the server's files.
func (s *Server) DataDir() string { return s.data() }

// URL connects the superuser to a database through the unix socket.
func (s *Server) URL(database string) string { return s.URLAs(superuser, database) }

// URLAs connects a role to a database through the unix socket.
func (s *Server) URLAs(role, database string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("postgres://%s@/%s?host=%s&port=%d&sslmode=disable", role, database, s.dir, s.port)
}
