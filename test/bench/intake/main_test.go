package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tanggap/tanggap/test/site"
)

// TestMain lets the test's program be the durable limit, as the command's is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "limit" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		err := serveLimit(ctx, os.Args[2:])
		stop()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestIntakeThroughWorkerAndLedger runs the whole benchmark for a moment: each delivery that was
// acknowledged must be in the ledger.
func TestIntakeThroughWorkerAndLedger(t *testing.T) {
	dir := t.TempDir()
	tanggap, err := site.Build(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	page := filepath.Join(dir, "intake.md")
	var out bytes.Buffer
	err = run(t.Context(), []string{
		"-tanggap", tanggap, "-output", page, "-rounds", "1", "-slice", "200ms", "-connections", "1,8", "-profile", dir, "-variants", "embedded",
		"-before", tanggap,
	}, &out)
	if err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	written, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| 1 | durable limit |", "| 8 | durable limit |", "| 1 | embedded |", "| 8 | embedded |", "| 8 | embedded-before |", "-before tanggap", "load client", "fdatasync", "Go's own HTTP client"} {
		if !strings.Contains(string(written), want) {
			t.Errorf("the page has no %q:\n%s", want, written)
		}
	}
	for _, name := range []string{"embedded-worker.pprof", "embedded-ledger.pprof"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("the profile %s: %v", name, err)
		}
	}
}
