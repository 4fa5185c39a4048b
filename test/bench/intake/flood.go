package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/tanggap/tanggap/test/bench/load"
	"github.com/tanggap/tanggap/test/site"
)

// calmChannel is delivered to at a calm rate while the other channel is flooded.
const calmChannel = "112"

// The calm channel's load, and the flood's. A connection waits for its answer, so that there are enough of them
// for some hundred milliseconds.
const (
	calmConnections  = 50
	calmEvery        = 500 * time.Millisecond // of each connection
	floodConnections = 256
)

// flood is what a channel's deliveries take alone, and while another channel is flooded.
type flood struct {
	variant      string
	alone, under load.Result
	flooded      load.Result
}

// measureFlood measures the variants that have more than one channel.
func (t *table) measureFlood(ctx context.Context, o options, variants []*variant, progress io.Writer) error {
	for _, v := range variants {
		if v.calm == "" {
			continue
		}
		f := flood{variant: v.name}
		for range o.rounds {
			if err := f.round(ctx, v, o.slice); err != nil {
				return fmt.Errorf("flooding %s: %w", v.name, err)
			}
		}
		t.floods = append(t.floods, f)
		fmt.Fprintln(progress, f.line())
	}
	return nil
}

// round is a calm moment and a flood.
func (f *flood) round(ctx context.Context, v *variant, d time.Duration) error {
	deliveries := load.NewDeliveries(fmt.Sprintf("112-%d-", time.Now().UnixNano()), site.SignatureHeader, secret())
	calm := load.Plan{URL: v.calm, Connections: calmConnections, Every: calmEvery, Duration: d, Sources: deliveries.Source}
	alone, err := load.Run(ctx, calm)
	if err != nil {
		return err
	}
	f.alone.Add(alone)
	flooding := make(chan error, 1)
	go func() {
		result, err := load.Run(ctx, load.Plan{URL: v.url, Connections: floodConnections, Duration: d, Sources: v.deliveries.Source})
		v.acknowledged += int64(len(result.Took))
		f.flooded.Add(result)
		flooding <- err
	}()
	under, err := load.Run(ctx, calm)
	f.under.Add(under)
	if failed := <-flooding; failed != nil {
		return failed
	}
	return err
}

func refusals(r *load.Result) (n int) {
	for _, count := range r.Refused {
		n += count
	}
	return n
}

// line is the flood's row.
func (f *flood) line() string {
	return fmt.Sprintf("| %s | %.1f / %.1f | %.1f / %.1f | %d | %.0f |", f.variant,
		milliseconds(f.alone.Quantile(0.5)), milliseconds(f.alone.Quantile(0.99)),
		milliseconds(f.under.Quantile(0.5)), milliseconds(f.under.Quantile(0.99)), refusals(&f.under), f.flooded.Rate())
}
