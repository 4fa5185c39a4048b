// Command soak runs a worker and a ledger for minutes on tables with very many cases, while cases come in, are
// answered, closed and redacted, become due, and lose their content by retention. It compares the thirds of the
// run, fails when anything has gone on growing, and recounts everything at the end. It prints the figures and
// can write them as a page of the documentation.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/tanggap/tanggap/test/bench/program"
)

func main() { program.Main("soak", run) }

type options struct {
	program.Program
	variants    []string
	cases, rate int
	duration    time.Duration
	judge       bool
}

// known are the variants, in the order in which they run.
var known = []string{"embedded", "postgres"}

func parse(arguments []string) (o options, err error) {
	flags := o.Flags("soak", "2 KiB a case")
	flags.IntVar(&o.cases, "cases", 1_000_000, "how many cases there are before the run")
	flags.IntVar(&o.rate, "rate", 500, "how many deliveries come in a second")
	flags.DurationVar(&o.duration, "for", 6*time.Minute, "how long they come in, on each storage")
	flags.BoolVar(&o.judge, "judge", true, "whether something that goes on growing is an error; runs of seconds cannot tell")
	variants := flags.String("variants", strings.Join(known, ","), "the storages")
	if err := flags.Parse(arguments); err != nil {
		return o, err
	}
	o.variants = strings.Split(*variants, ",")
	for _, v := range o.variants {
		if !slices.Contains(known, v) {
			return o, fmt.Errorf("-variants must be of %s", strings.Join(known, ","))
		}
	}
	if o.cases < minCases || o.rate < len(channels) || o.duration < 3*time.Second {
		return o, fmt.Errorf("-cases must be at least %d, -rate at least %d and -for at least 3s", minCases, len(channels))
	}
	return o, nil
}

// minCases is where there are some of each kind on each channel.
const minCases = 100

func run(ctx context.Context, arguments []string, out io.Writer) (err error) {
	o, err := parse(arguments)
	if err != nil {
		return err
	}
	facts, remove, err := o.Prepare("soak")
	defer func() { err = errors.Join(err, remove()) }()
	if err != nil {
		return err
	}
	var results []*result
	for _, variant := range o.variants {
		r, err := soak(ctx, &o, variant, out)
		if err != nil {
			return fmt.Errorf("on %s: %w", variant, err)
		}
		results = append(results, r)
	}
	page := o.page(facts, results)
	if err := o.Publish(page, out); err != nil || !o.judge {
		return err
	}
	for _, r := range results {
		err = errors.Join(err, r.grown())
	}
	return err
}
