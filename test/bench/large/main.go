// Command large measures a ledger on PostgreSQL with few and with very many open cases: what a summary and a
// scrape cost, how late a breach is seen while events come in, and how much memory and disk that takes. It
// prints the figures and can write them as a page of the documentation.
package main

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"time"

	"github.com/tanggap/tanggap/test/bench/program"
	"github.com/tanggap/tanggap/test/site"
)

func main() { program.Main("large", run) }

type options struct {
	program.Program
	cases, channels, categories int
	rate                        int
	soak                        time.Duration
}

func parse(arguments []string) (o options, err error) {
	flags := o.Flags("large", "2 KiB a case")
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
	if err != nil {
		return err
	}
	facts, remove, err := o.Prepare("large")
	defer func() { err = errors.Join(err, remove()) }()
	if err != nil {
		return err
	}
	database, err := site.StartDatabase(ctx, filepath.Join(o.Dir, "database"), site.DatabaseSettings())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, database.Close()) }()
	b := &bench{options: o, database: database, progress: out}
	if err := b.all(ctx); err != nil {
		return err
	}
	page := b.page(facts)
	return o.Publish(page, out)
}
