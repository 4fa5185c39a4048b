// Command tanggap is the whole product: the operator, the workers and the ledger it runs, and the
// tools beside them, one subcommand each.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // calendars name IANA zones, and the image holds nothing but this program

	"github.com/spf13/cobra"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := newRootCommand().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "tanggap:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop has just been called
	}
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
		newExplainCommand(),
		newLedgerCommand(),
		newOperatorCommand(),
		newWorkerCommand(),
	)
	return root
}
