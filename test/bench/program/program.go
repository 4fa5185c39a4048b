// Package program is what the programs of the benchmarks have in common: where they find what they measure, where
// their data lie, and the page that they write.
package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/tanggap/tanggap/test/bench/machine"
)

// Program holds the flags that every one of them has.
type Program struct {
	// Tanggap is the program under test; after Prepare its absolute path.
	Tanggap string
	// Output is the page to write, "" for none.
	Output string
	// Dir is where data are written; Prepare makes a temporary one for "".
	Dir string
}

// Main runs a program until it has ended or is interrupted.
func Main(name string, run func(ctx context.Context, arguments []string, out io.Writer) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

// Flags are the flags that every program has; space says what Dir needs.
func (p *Program) Flags(name, space string) *flag.FlagSet {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.StringVar(&p.Tanggap, "tanggap", "bin/tanggap", "the program under test")
	flags.StringVar(&p.Output, "output", "", "the page to write; none by default")
	flags.StringVar(&p.Dir, "dir", "", "the folder for the data, which is left there; by default a temporary one (TMPDIR), which needs "+space)
	return flags
}

// Prepare makes the folder and looks at the machine. The data are to be removed by remove, which is never nil.
func (p *Program) Prepare(name string) (facts machine.Facts, remove func() error, err error) {
	remove = func() error { return nil }
	if p.Tanggap, err = filepath.Abs(p.Tanggap); err != nil {
		return facts, remove, fmt.Errorf("finding the program: %w", err)
	}
	if p.Dir == "" {
		if p.Dir, err = os.MkdirTemp("", "tanggap-"+name+"-"); err != nil {
			return facts, remove, fmt.Errorf("making a folder: %w", err)
		}
		remove = func() error { return os.RemoveAll(p.Dir) }
	}
	facts, err = machine.Read(p.Dir)
	return facts, remove, err
}

// Publish prints the page and writes it.
func (p *Program) Publish(page string, out io.Writer) error {
	fmt.Fprint(out, "\n", page)
	if p.Output == "" {
		return nil
	}
	if err := os.WriteFile(p.Output, []byte(page), 0o644); err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	return nil
}
