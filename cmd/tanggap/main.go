// Command tanggap is the whole product: the operator, the workers and the ledger it runs, and the
// tools beside them, one subcommand each.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // calendars name IANA zones, and the image holds nothing but this program

	"github.com/spf13/cobra"

	"github.com/tanggap/tanggap/internal/manifest"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// Who asks a second time does not wait for an orderly end.
	context.AfterFunc(ctx, stop)
	if err := newRootCommand().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, inWords(err))
		stop()
		os.Exit(1) //nolint:gocritic // stop has just been called
	}
}

// inWords is an error as a person or an editor reads it: the faults of a file begin with their places.
func inWords(err error) string {
	if _, ok := errors.AsType[*manifest.FileError](err); ok {
		return err.Error()
	}
	return "tanggap: " + err.Error()
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "tanggap",
		Short:         "Make every unanswered complaint of a city visible and count it against its promise",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(
		// One line a subcommand.
		newCasesCommand(),
		newExplainCommand(),
		newLedgerCommand(),
		newOperatorCommand(),
		newReplyCommand(),
		newSimulateCommand(),
		newWorkerCommand(),
	)
	return root
}
