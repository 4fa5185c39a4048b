package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/tanggap/tanggap/test/bench/load"
	"github.com/tanggap/tanggap/test/bench/machine"
)

// turn is what one variant did in one round.
type turn struct {
	rate     float64
	p50, p99 time.Duration
	of       float64 // of the durable limit's rate in the same round
	// cpu is the time of one delivery in microseconds, by process; total their sum, and ofCPU the durable
	// limit's total in the same round divided by it.
	cpu          map[string]float64
	total, ofCPU float64
}

// row is a variant at a number of connections.
type row struct {
	variant     string
	connections int
	standard    bool // by Go's own HTTP client
	turns       []turn
}

// table is everything that was measured.
type table struct {
	rows    []row
	floods  []flood
	refused int
}

// measure lets the variants take turns.
func measure(ctx context.Context, o options, variants []*variant, progress io.Writer) (*table, error) {
	t := &table{}
	for _, v := range variants {
		// The first deliveries open connections and compile expressions.
		if _, err := t.turn(ctx, v, min(o.slice, time.Second), 16, false); err != nil {
			return nil, err
		}
	}
	for _, n := range o.connections {
		if err := t.rounds(ctx, o, variants, n, false, progress); err != nil {
			return nil, err
		}
	}
	if err := t.rounds(ctx, o, variants, o.most(), true, progress); err != nil {
		return nil, err
	}
	return t, t.measureFlood(ctx, o, variants, progress)
}

// rounds lets the variants take turns with a number of connections.
func (t *table) rounds(ctx context.Context, o options, variants []*variant, connections int, standard bool, progress io.Writer) error {
	rows := map[*variant]*row{}
	for _, v := range variants {
		rows[v] = &row{variant: v.name, connections: connections, standard: standard}
	}
	for round := range o.rounds {
		for _, v := range order(variants, round) {
			waitForProfile := func() error { return nil }
			if o.profile != "" && connections == o.most() && !standard && round == o.rounds-1 {
				waitForProfile = v.profile(ctx, o.profile, o.slice)
			}
			measured, err := t.turn(ctx, v, o.slice, connections, standard)
			if err == nil {
				err = waitForProfile()
			}
			if err != nil {
				return fmt.Errorf("%s with %d connections: %w", v.name, connections, err)
			}
			rows[v].turns = append(rows[v].turns, measured)
		}
		limit := rows[variants[0]].turns[round]
		for _, v := range variants {
			mine := &rows[v].turns[round]
			mine.of, mine.ofCPU = mine.rate/limit.rate, limit.total/mine.total
		}
	}
	for _, v := range variants {
		t.rows = append(t.rows, *rows[v])
		fmt.Fprintln(progress, rows[v].line())
	}
	return nil
}

// turn is one turn of a variant.
func (t *table) turn(ctx context.Context, v *variant, d time.Duration, connections int, standard bool) (turn, error) {
	before, err := v.cpu()
	if err != nil {
		return turn{}, err
	}
	result, err := load.Run(ctx, load.Plan{URL: v.url, Connections: connections, Duration: d, Sources: v.deliveries.Source, Standard: standard})
	if err != nil {
		return turn{}, err
	}
	if ctx.Err() != nil {
		return turn{}, ctx.Err()
	}
	after, err := v.cpu()
	if err != nil {
		return turn{}, err
	}
	if len(result.Took) == 0 {
		return turn{}, fmt.Errorf("nothing was taken: %v", result.Refused)
	}
	v.acknowledged += int64(len(result.Took))
	for _, n := range result.Refused {
		t.refused += n
	}
	measured := turn{rate: result.Rate(), p50: result.Quantile(0.5), p99: result.Quantile(0.99), cpu: map[string]float64{}}
	for name := range after {
		measured.cpu[name] = float64((after[name] - before[name]).Microseconds()) / float64(len(result.Took))
		measured.total += measured.cpu[name]
	}
	return measured, nil
}

// median is the middle one of a figure over the rounds.
func (r *row) median(figure func(*turn) float64) float64 {
	all := make([]float64, len(r.turns))
	for i := range r.turns {
		all[i] = figure(&r.turns[i])
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// line is the row of the table of times.
func (r *row) line() string {
	return fmt.Sprintf("| %d | %s | %.0f | %.2f | %.1f | %.2f | %.2f |", r.connections, r.variant,
		r.median(func(t *turn) float64 { return t.rate }),
		r.median(func(t *turn) float64 { return milliseconds(t.p50) }),
		r.median(func(t *turn) float64 { return milliseconds(t.p99) }),
		r.median(func(t *turn) float64 { return t.of }),
		r.median(func(t *turn) float64 { return t.ofCPU }))
}

// costs is the row of the table of CPU times.
func (r *row) costs() string {
	var names []string
	for name := range r.turns[0].cpu {
		names = append(names, name)
	}
	slices.Sort(names)
	parts := make([]string, len(names))
	for i, name := range names {
		parts[i] = fmt.Sprintf("%s %.0f", name, r.median(func(t *turn) float64 { return t.cpu[name] }))
	}
	return fmt.Sprintf("| %s | %.0f | %s |", r.variant, r.median(func(t *turn) float64 { return t.total }), strings.Join(parts, ", "))
}

// lines are those of the rows that were measured with the one or the other client.
func (t *table) lines(standard bool, line func(*row) string) string {
	var b strings.Builder
	for i := range t.rows {
		if t.rows[i].standard == standard {
			if text := line(&t.rows[i]); text != "" {
				b.WriteString(text + "\n")
			}
		}
	}
	return b.String()
}

// page is the page of the documentation.
func (t *table) page(facts machine.Facts, command string) string {
	var b strings.Builder
	b.WriteString("# Intake\n\n")
	b.WriteString("Written by `make bench`; do not edit. [README.md](README.md) says what is measured, how to read it, and where the time goes.\n\n")
	fmt.Fprintf(&b, "- Machine: %s\n- Command: `%s`\n", facts, command)
	if t.refused > 0 {
		fmt.Fprintf(&b, "- %d deliveries were refused and are not counted\n", t.refused)
	}
	b.WriteString("\nEach figure is the median of the rounds. The last columns compare with the durable limit in the same round: the rate divided by its rate, " +
		"and its CPU time of a delivery divided by the variant's.\n\n")
	const head = "| connections | variant | deliveries/s | p50 ms | p99 ms | of the durable limit | by CPU time |\n| --- | --- | --- | --- | --- | --- | --- |\n"
	b.WriteString(head + t.lines(false, (*row).line))
	b.WriteString("\nWith Go's own HTTP client to send the load, which spends on the same cores what senders usually spend:\n\n" + head + t.lines(true, (*row).line))
	last := t.rows[len(t.rows)-1].connections
	fmt.Fprintf(&b, "\nCPU time of one delivery with %d connections, in microseconds:\n\n| variant | total | of which |\n| --- | --- | --- |\n", last)
	b.WriteString(t.lines(false, func(r *row) string {
		if r.connections != last {
			return ""
		}
		return r.costs()
	}))
	fmt.Fprintf(&b, "\nDeliveries of one channel at %d a second, alone and while %d connections flood another channel, p50 / p99 in milliseconds:\n\n",
		calmConnections*int(time.Second/calmEvery), floodConnections)
	b.WriteString("| variant | alone | during the flood | refused | the flood's deliveries/s |\n| --- | --- | --- | --- | --- |\n")
	for i := range t.floods {
		b.WriteString(t.floods[i].line() + "\n")
	}
	return b.String()
}
