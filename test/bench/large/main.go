// Command large measures a ledger on PostgreSQL with few and with very many open cases: what a summary and a
// scrape cost, how late a breach is seen while events come in, and how much memory and disk that takes. It
// prints the figures and can write them as a page of the documentation.
package main

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
	"time"

	"github.com/tanggap/tanggap/test/bench/machine"
	"github.com/tanggap/tanggap/test/site"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "large:", err)
		os.Exit(1)
	}
}

type options struct {
	tanggap, output, dir        string
	cases, channels, categories int
	rate                        int
	soak                        time.Duration
}

func parse(arguments []string) (o options, err error) {
	flags := flag.NewFlagSet("large", flag.ContinueOnError)
	flags.StringVar(&o.tanggap, "tanggap", "bin/tanggap", "the program under test")
	flags.StringVar(&o.output, "output", "", "the page to write; none by default")
	flags.StringVar(&o.dir, "dir", "", "the folder for the data; by default a temporary one (TMPDIR), which needs 2 KiB a case")
	flags.IntVar(&o.cases, "cases", 10_000_000, "how many open cases there are at the end")
	flags.IntVar(&o.channels, "channels", 25, "how many channels there are")
	flags.IntVar(&o.categories, "categories", 250, "how many categories each channel has")
	flags.IntVar(&o.rate, "rate", 1000, "how many deliveries come in a second")
	flags.DurationVar(&o.soak, "soak", 3*time.Minute, "how long they come in")
	if err := flags.Parse(arguments); err != nil {
		return o, err
	}
	if o.channels < 1 || o.categories < 1 || o.channels*o.categories > o.cases {
		return o, errors.New("-cases must be at least one for each channel and category")
	}
	if o.rate < 1 || o.soak < time.Second {
		return o, errors.New("-rate must be at least 1 and -soak at least 1s")
	}
	return o, nil
}

func run(ctx context.Context, arguments []string, out io.Writer) (err error) {
	o, err := parse(arguments)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	if o.tanggap, err = filepath.Abs(o.tanggap); err != nil {
		return fmt.Errorf("finding the program: %w", err)
	}
	if o.dir == "" {
		if o.dir, err = os.MkdirTemp("", "tanggap-large-"); err != nil {
			return fmt.Errorf("making a folder: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(o.dir)) }()
	}
	facts, err := machine.Read(o.dir)
	if err != nil {
		return err
	}
	database, err := site.StartDatabase(ctx, filepath.Join(o.dir, "database"), site.DatabaseSettings())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, database.Close()) }()
	b := &bench{options: o, database: database, progress: out}
	if err := b.all(ctx); err != nil {
		return err
	}
	page := b.page(facts)
	fmt.Fprint(out, "\n", page)
	if o.output == "" {
		return nil
	}
	if err := os.WriteFile(o.output, []byte(page), 0o644); err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	return nil
}
