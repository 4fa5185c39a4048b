package main

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/ledger/tlstest"
)

// TestACommandThatWaitsForItsInputEndsWhenItIsTold: Ctrl-C and SIGTERM end the context, and must end the process with it.
func TestACommandThatWaitsForItsInputEndsWhenItIsTold(t *testing.T) {
	dir := t.TempDir()
	ca, token := tlstest.Write(t, dir, "ca.crt", tlstest.New(t).PEM), tlstest.Write(t, dir, "token", []byte("token"))
	policy := write(t, "policy.yaml", "apiVersion: tanggap.dev/v1alpha1\nkind: ResponseSLA\nmetadata: {name: a}\nspec: {rules: [{name: all}]}\n")
	for name, args := range map[string][]string{
		"explain":       {"explain", "--policy", policy, "--events", "-", "--at", "2026-11-02T10:00:00+07:00"},
		"ledger erase":  {"ledger", "erase", "--data", filepath.Join(dir, "erased"), "--pseudonym-key", "none"},
		"ledger import": {"ledger", "import", "--data", filepath.Join(dir, "imported")},
		"reply":         {"reply", "--channel", "wa", "--case", "wa-1", "--ledger-ca", ca, "--token-file", token},
	} {
		t.Run(name, func(t *testing.T) {
			silent, typist := io.Pipe()
			defer typist.Close()
			command := newRootCommand()
			command.SetIn(silent)
			command.SetOut(io.Discard)
			command.SetArgs(args)
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- command.ExecuteContext(ctx) }()
			// What is typed is taken, so that the command is known to wait for more.
			if _, err := typist.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			stop()
			select {
			case err := <-ended:
				if err == nil || !strings.Contains(err.Error(), context.Canceled.Error()) {
					t.Errorf("it ended with %v", err)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("it still waits for its input")
			}
		})
	}
}
