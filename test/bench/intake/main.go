// Command intake measures what a city's sending systems see: signed deliveries over HTTP that are answered
// only when they are durable, through a worker and a ledger as they are shipped. Beside them, in turns
// within the same run, it measures a server that does nothing but write the bodies to a file: the durable
// limit of the machine. It prints a table and can write it as a page of the documentation.
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
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tanggap/tanggap/test/bench/machine"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var err error
	if len(os.Args) > 1 && os.Args[1] == "limit" {
		err = serveLimit(ctx, os.Args[2:])
	} else {
		err = run(ctx, os.Args[1:], os.Stdout)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "intake:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	tanggap, benthos, output, dir, profile string
	rounds                                 int
	slice                                  time.Duration
	connections                            []int
	variants                               []string
}

// most is the largest number of connections.
func (o *options) most() int { return slices.Max(o.connections) }

func parse(arguments []string) (o options, err error) {
	flags := flag.NewFlagSet("intake", flag.ContinueOnError)
	flags.StringVar(&o.tanggap, "tanggap", "bin/tanggap", "the program under test")
	flags.StringVar(&o.benthos, "benthos", "bin/benthos", "the program that hack/benthos builds, for the variant of that name")
	flags.StringVar(&o.output, "output", "", "the page to write; none by default")
	flags.StringVar(&o.dir, "dir", "", "the folder for the ledgers' data, which is left there; by default a temporary one")
	flags.StringVar(&o.profile, "profile", "", "a folder for CPU profiles of worker and ledger at the most connections; none by default")
	flags.IntVar(&o.rounds, "rounds", 5, "how often every variant has its turn")
	flags.DurationVar(&o.slice, "slice", 2*time.Second, "how long one turn takes")
	connections := flags.String("connections", "1,16,64,256", "how many connections deliver at once")
	names := flags.String("variants", "embedded,postgres", "what is measured, beside the durable limit: of "+strings.Join(variantNames(), ", "))
	if err := flags.Parse(arguments); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("nothing is expected after the flags, but there is %q", flags.Arg(0))
	}
	for text := range strings.SplitSeq(*connections, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 4096 {
			return o, fmt.Errorf("-connections: %q must be a number from 1 to 4096", text)
		}
		o.connections = append(o.connections, n)
	}
	if o.rounds < 1 || o.slice < 10*time.Millisecond {
		return o, errors.New("-rounds must be at least 1 and -slice at least 10ms")
	}
	o.variants = strings.Split(*names, ",")
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
		if o.dir, err = os.MkdirTemp("", "tanggap-intake-"); err != nil {
			return fmt.Errorf("making a folder: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(o.dir)) }()
	}
	facts, err := machine.Read(o.dir)
	if err != nil {
		return err
	}
	variants, err := start(ctx, o)
	defer func() {
		for _, v := range variants {
			err = errors.Join(err, v.stop())
		}
	}()
	if err != nil {
		return err
	}
	table, err := measure(ctx, o, variants, out)
	if err != nil {
		return err
	}
	for _, v := range variants {
		if err := v.check(ctx); err != nil {
			return fmt.Errorf("%s: %w", v.name, err)
		}
	}
	page := table.page(facts, command(o))
	fmt.Fprint(out, "\n", page)
	if o.output == "" {
		return nil
	}
	if err := os.WriteFile(o.output, []byte(page), 0o644); err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	return nil
}

// command is the command line that measures the same.
func command(o options) string {
	connections := make([]string, len(o.connections))
	for i, n := range o.connections {
		connections[i] = strconv.Itoa(n)
	}
	return fmt.Sprintf("bin/intake -rounds %d -slice %s -connections %s -variants %s (%s/%s, %s)",
		o.rounds, o.slice, strings.Join(connections, ","), strings.Join(o.variants, ","), runtime.GOOS, runtime.GOARCH, runtime.Version())
}
