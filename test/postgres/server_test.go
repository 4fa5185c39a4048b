package postgres_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tanggap/tanggap/internal/ledger/tlstest"
	"github.com/tanggap/tanggap/test/orphan"
	"github.com/tanggap/tanggap/test/postgres"
)

// holdEnv makes the test program start a server, print its socket and wait to be killed.
const holdEnv = "TANGGAP_TEST_HOLD_POSTGRES"

func TestMain(m *testing.M) {
	if os.Getenv(holdEnv) != "" {
		server, err := postgres.Start(context.Background(), postgres.Options{})
		if err != nil {
			fmt.Println("failed:", err)
			os.Exit(1)
		}
		fmt.Println(server.Socket())
		select {}
	}
	os.Exit(m.Run())
}

func start(t *testing.T, options postgres.Options) *postgres.Server {
	t.Helper()
	server, err := postgres.Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return server
}

func TestWhatWasCommittedSurvivesACrash(t *testing.T) {
	server := start(t, postgres.Options{Settings: map[string]string{"work_mem": "5MB"}})
	name, err := server.NewDatabase(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Execute(t.Context(), name, "CREATE TABLE t (n int)", "INSERT INTO t VALUES (7)"); err != nil {
		t.Fatal(err)
	}
	for how, end := range map[string]func() error{"crash": server.Crash, "kill": server.Kill, "shutdown": server.Shutdown} {
		if err := end(); err != nil {
			t.Fatalf("%s: %v", how, err)
		}
		if c, err := server.Connect(t.Context(), name); err == nil {
			_ = c.Close(t.Context())
			t.Fatalf("%s: the server still takes connections", how)
		}
		if err := server.Restart(t.Context()); err != nil {
			t.Fatalf("restarting after a %s: %v", how, err)
		}
		c, err := server.Connect(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		var n int
		var memory string
		err = c.QueryRow(t.Context(), "SELECT n, current_setting('work_mem') FROM t").Scan(&n, &memory)
		if err != nil || n != 7 || memory != "5MB" {
			t.Errorf("after a %s there is %d with work_mem %s (%v); want 7 with 5MB", how, n, memory, err)
		}
		_ = c.Close(t.Context())
	}
	if err := server.DropDatabase(t.Context(), name); err != nil {
		t.Error(err)
	}
}

func TestTLSIsAskedFor(t *testing.T) {
	authority := tlstest.New(t)
	dir := t.TempDir()
	cert, key := authority.Issue(t, dir, "server")
	ca := tlstest.Write(t, dir, "ca.crt", authority.PEM)
	server := start(t, postgres.Options{CertFile: cert, KeyFile: key})
	for query, want := range map[string]bool{"sslmode=verify-full&sslrootcert=" + ca: true, "sslmode=disable": false} {
		c, err := pgx.Connect(t.Context(), fmt.Sprintf("postgres://postgres:%s@%s/postgres?%s", server.Password(), server.Address(), query))
		if (err == nil) != want {
			t.Errorf("with %s the error is %v", query, err)
		}
		if err == nil {
			_ = c.Close(t.Context())
		}
	}
}

func TestServerEndsWithTheProcessThatStartedIt(t *testing.T) {
	socket := orphan.Leave(t, holdEnv+"=1")
	if !strings.HasPrefix(socket, "/") {
		t.Fatalf("the holder printed %q", socket)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(socket[:strings.LastIndex(socket, "/")]); err != nil {
			t.Error(err)
		}
	})
	deadline := time.Now().Add(time.Minute)
	for {
		connection, err := net.DialTimeout("unix", socket, time.Second)
		if err != nil {
			return
		}
		_ = connection.Close()
		if time.Now().After(deadline) {
			t.Fatal("the server outlived the process that started it")
		}
	}
}

func TestTheProxyCuts(t *testing.T) {
	server := start(t, postgres.Options{})
	proxy, err := postgres.NewProxy(t.Context(), server)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := proxy.Close(); err != nil {
			t.Error(err)
		}
	}()
	connect := func() (*pgx.Conn, error) { return pgx.Connect(t.Context(), proxy.URLAs("postgres", "postgres")) }
	c, err := connect()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Exec(t.Context(), "SELECT 1"); err != nil {
		t.Fatal(err)
	}
	proxy.CutAll()
	if _, err := c.Exec(t.Context(), "SELECT 1"); err == nil {
		t.Error("a cut connection goes on")
	}
	if c, err = connect(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Exec(t.Context(), "CREATE TABLE t (n int)"); err != nil {
		t.Fatal(err)
	}
	proxy.Inspect(func(d postgres.Direction, _ []byte) postgres.Verdict {
		if d == postgres.ToClient {
			return postgres.Cut
		}
		return postgres.Pass
	})
	if _, err := c.Exec(t.Context(), "INSERT INTO t VALUES (1)"); err == nil {
		t.Error("an answer passed that should have been cut")
	}
	proxy.Inspect(nil)
	proxy.Refuse(true)
	if _, err := connect(); err == nil {
		t.Error("a connection was taken that should have been refused")
	}
	direct, err := server.Connect(t.Context(), "postgres")
	if err != nil {
		t.Fatal(err)
	}
	defer direct.Close(t.Context())
	var n int
	if err := direct.QueryRow(t.Context(), "SELECT count(*) FROM t").Scan(&n); err != nil || n != 1 {
		t.Errorf("there are %d rows (%v); want the one whose answer was cut", n, err)
	}
}
