package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/tanggap/tanggap/internal/ledger"
	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/internal/ledger/store/sqlite"
	"github.com/tanggap/tanggap/internal/ledger/transfer"
)

// progressCases is how often progress is told.
const progressCases = 100_000

// newLedgerExportCommand is `tanggap ledger export`.
func newLedgerExportCommand() *cobra.Command {
	var from storageFlags
	var file string
	command := &cobra.Command{
		Use:   "export",
		Short: "Write everything that a ledger holds, to be imported into another storage",
		Long: "Write everything that a ledger holds as JSON, one document a line: events, cases with what was counted of them,\n" +
			"figures, channels with their cursors, the policy. The ledger may be running; what it stores later is not in the\n" +
			"export. The export holds the personal data that the ledger holds, and not the key of the pseudonyms.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			storage, err := from.read(command.Context())
			if err != nil {
				return err
			}
			defer storage.Close()
			progress := tell(command.ErrOrStderr(), "exported")
			var totals transfer.Totals
			err = writeTo(file, command.OutOrStdout(), func(out io.Writer) (err error) {
				totals, err = transfer.Export(command.Context(), storage, out, time.Now(), progress)
				return err
			})
			if err != nil {
				return err
			}
			fmt.Fprintf(command.ErrOrStderr(), "exported %v\n", totals)
			return nil
		},
	}
	from.add(command)
	command.Flags().StringVar(&file, "file", "-", "file to write, readable by its owner alone; - is the standard output")
	return command
}

// newLedgerImportCommand is `tanggap ledger import`.
func newLedgerImportCommand() *cobra.Command {
	var to storageFlags
	var file, fromData string
	command := &cobra.Command{
		Use:   "import",
		Short: "Read an export into an empty storage, and verify it",
		Long: "Read an export into a storage that is empty. An import that ended early is begun again with the same export and goes\n" +
			"on where it ended; until it has come to its end no ledger starts on the storage. At the end every figure is\n" +
			"recounted; with any difference, which an export of a sound ledger has not, the exit status is 1.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			storage, err := to.write(command.Context(), nil)
			if err != nil {
				return err
			}
			defer storage.Close()
			in, err := importFrom(command, file, fromData)
			if err != nil {
				return err
			}
			defer in.Close()
			totals, err := transfer.Import(command.Context(), storage, in, tell(command.ErrOrStderr(), "imported"))
			if err != nil {
				return err
			}
			fmt.Fprintf(command.ErrOrStderr(), "imported %v\n", totals)
			return verify(command, storage)
		},
	}
	to.add(command)
	command.Flags().StringVar(&file, "file", "-", "file to read; - is the standard input")
	command.Flags().StringVar(&fromData, "from-data", "", "directory of an embedded storage to import without a file between")
	command.MarkFlagsMutuallyExclusive("file", "from-data")
	return command
}

// importFrom is what is imported.
func importFrom(command *cobra.Command, file, fromData string) (io.ReadCloser, error) {
	switch {
	case fromData != "":
		source, err := sqlite.Open(fromData, sqlite.Options{Shared: true})
		if err != nil {
			return nil, err
		}
		return stream(command.Context(), source), nil
	case file == "-":
		return io.NopCloser(untilDone(command.Context(), command.InOrStdin())), nil
	default:
		in, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("opening the export: %w", err)
		}
		return in, nil
	}
}

// stream exports a storage to who reads, and closes it at the end. An import from it that ended early cannot
// go on, as the next is another export: its target is to be emptied.
func stream(ctx context.Context, source store.Store) io.ReadCloser {
	out, in := io.Pipe()
	go func() {
		_, err := transfer.Export(ctx, source, in, time.Now(), nil)
		in.CloseWithError(errors.Join(err, source.Close()))
	}()
	return out
}

// writeTo writes to a file, which is there under its name only when it is whole, or to out for "-".
func writeTo(file string, out io.Writer, write func(io.Writer) error) (err error) {
	if file == "-" {
		return write(out)
	}
	// Made readable by its owner alone.
	temporary, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*")
	if err != nil {
		return fmt.Errorf("making the export's file: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(temporary.Name()))
		}
	}()
	if err := write(temporary); err != nil {
		return errors.Join(err, temporary.Close())
	}
	if err := errors.Join(temporary.Sync(), temporary.Close()); err != nil {
		return fmt.Errorf("writing the export's file: %w", err)
	}
	return os.Rename(temporary.Name(), file)
}

// tell tells the number of cases now and then.
func tell(out io.Writer, what string) func(cases int) {
	next := progressCases
	return func(cases int) {
		if cases >= next {
			next = cases - cases%progressCases + progressCases
			fmt.Fprintf(out, "%s %d cases\n", what, cases)
		}
	}
}

// verify recounts a storage and prints every difference.
func verify(command *cobra.Command, storage store.Store) error {
	cases := 0
	differences, err := ledger.Verify(command.Context(), storage, func(n int) { cases = n })
	if err != nil {
		return err
	}
	out := command.OutOrStdout()
	for _, d := range differences {
		fmt.Fprintln(out, d)
	}
	if len(differences) > 0 {
		return fmt.Errorf("%d differences in %d cases", len(differences), cases)
	}
	fmt.Fprintf(out, "no difference in %d cases\n", cases)
	return nil
}
