// Command intake measures what a city's sending systems see: signed deliveries over HTTP that are answered
// only when they are durable, through a worker and a ledger as they are shipped. Beside them, in turns
// within the same run, it measures a server that does nothing but write the bodies to a file: the durable
// limit of the machine. It prints a table and can write it as a page of the documentation.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tanggap/tanggap/test/bench/program"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "limit" {
		program.Main("limit", func(ctx context.Context, arguments []string, _ io.Writer) error {
			return serveLimit(ctx, arguments[1:])
		})
		return
	}
	program.Main("intake", run)
}

// options are the flags.
type options struct {
	program.Program
	benthos, profile string
	// before is another build of the program; "" is none.
	before      string
	rounds      int
	slice       time.Duration
	connections []int
	variants    []string
}

// most is the largest number of connections.
func (o *options) most() int { return slices.Max(o.connections) }

func parse(arguments []string) (o options, err error) {
	flags := o.Flags("intake", "2 KiB a delivery")
	flags.StringVar(&o.benthos, "benthos", "bin/benthos", "the program that hack/benthos builds, for the variant of that name")
	flags.StringVar(&o.before, "before", "", "another build of the program under test, as that of the commit before: embedded and postgres are measured with it too, in the same run")
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
	if err != nil {
		return err
	}
	facts, remove, err := o.Prepare("intake")
	defer func() { err = errors.Join(err, remove()) }()
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
	return o.Publish(page, out)
}

// command is the command line that measures the same.
func command(o options) string {
	connections := make([]string, len(o.connections))
	for i, n := range o.connections {
		connections[i] = strconv.Itoa(n)
	}
	before := ""
	if o.before != "" {
		before = " -before " + filepath.Base(o.before)
	}
	return fmt.Sprintf("bin/intake -rounds %d -slice %s -connections %s -variants %s%s (%s/%s, %s)",
		o.rounds, o.slice, strings.Join(connections, ","), strings.Join(o.variants, ","), before, runtime.GOOS, runtime.GOARCH, runtime.Version())
}
