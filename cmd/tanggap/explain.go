package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/tanggap/tanggap/internal/explain"
	"github.com/tanggap/tanggap/internal/manifest"
)

// explainFlags are the flags of `tanggap explain`.
type explainFlags struct {
	policy, events      string
	at, observedThrough string
	output              string
}

// newExplainCommand is `tanggap explain`: what the ledger would say of cases, and why, without one.
func newExplainCommand() *cobra.Command {
	var f explainFlags
	command := &cobra.Command{
		Use:   "explain --policy FILE.yaml --events FILE.ndjson --at TIME",
		Short: "Say where each clock of each case stands and why, without any server",
		Long: `Say where each clock of each case stands at an instant, and why: when it was due, on which days
nobody worked, what stopped it. The policy is the YAML of ResponseSLA, WorkCalendar, ComplaintTaxonomy and,
where there are several SLAs, ComplaintChannel, exactly as it is applied. The events are JSON, one a line.
Nothing is read but the two files; "-" is the standard input.`,
		Example: `  tanggap explain --policy slas.yaml --events case.ndjson --at 2026-03-27T18:40:00+07:00`,
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return runExplain(command.Context(), command.InOrStdin(), command.OutOrStdout(), f)
		},
	}
	flags := command.Flags()
	flags.StringVar(&f.policy, "policy", "", "YAML file of the policy (required)")
	flags.StringVar(&f.events, "events", "", "file of the events, one JSON object a line (required)")
	flags.StringVar(&f.at, "at", "", "instant of evaluation, RFC 3339; later events are not known yet (required)")
	flags.StringVar(&f.observedThrough, "observed-through", "", "time up to which the channels' sources were read completely, RFC 3339: a verdict is final once this has passed its due instant (default: --at)")
	flags.StringVarP(&f.output, "output", "o", "text", "text or json")
	for _, name := range []string{"policy", "events", "at"} {
		if err := command.MarkFlagRequired(name); err != nil {
			panic(err) // a flag of this name was not defined above
		}
	}
	return command
}

func runExplain(ctx context.Context, stdin io.Reader, stdout io.Writer, f explainFlags) error {
	if f.output != "text" && f.output != "json" {
		return errors.New("--output must be text or json")
	}
	if f.policy == "-" && f.events == "-" {
		return errors.New("--policy and --events cannot both be the standard input")
	}
	at, err := parseInstant("--at", f.at)
	if err != nil {
		return err
	}
	observedThrough := at
	if f.observedThrough != "" {
		if observedThrough, err = parseInstant("--observed-through", f.observedThrough); err != nil {
			return err
		}
	}
	file, err := readInput(ctx, stdin, f.policy, manifest.ReadPolicy)
	if err != nil {
		return err
	}
	events, err := readInput(ctx, stdin, f.events, manifest.ReadEvents)
	if err != nil {
		return err
	}
	document, err := file.ForChannels(explain.Channels(events))
	if err != nil {
		return err
	}
	policy, err := file.Compile(document)
	if err != nil {
		return err
	}
	report := explain.Judge(policy, events, at, observedThrough)
	if f.output == "json" {
		return report.WriteJSON(stdout)
	}
	return report.WriteText(stdout)
}

func parseInstant(flag, text string) (time.Time, error) {
	// Not in the zone of the machine: where it has the same offset at this time, it may have another at others.
	t, err := time.ParseInLocation(time.RFC3339, text, time.UTC)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s must be a time with an offset from UTC such as 2026-11-02T10:00:00+07:00", flag)
	}
	return t, nil
}

// readInput reads the file, or the standard input for "-".
func readInput[T any](ctx context.Context, stdin io.Reader, name string, read func(name string, r io.Reader) (T, error)) (T, error) {
	if name == "-" {
		return read("standard input", untilDone(ctx, stdin))
	}
	file, err := os.Open(name)
	if err != nil {
		var none T
		return none, err //nolint:wrapcheck // it names the file and what was tried
	}
	defer file.Close()
	return read(name, file)
}
