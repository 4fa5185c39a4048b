package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/test/bench/load"
	"github.com/tanggap/tanggap/test/site"
)

// verified is how many cases there are when everything is recounted: of many more that takes too long, and
// they are copies of these.
const verified = 8

// bench is one run.
type bench struct {
	options  options
	database *site.Database
	schema   string
	site     *site.Site
	progress io.Writer
	figures  []figures
	filling  time.Duration
}

// figures are what was measured with a number of open cases.
type figures struct {
	cases                    int
	start                    time.Duration // of the ledger, until it serves
	summary, change          time.Duration
	series                   int
	scrapeNew, scrapeSame    time.Duration
	toSummary, toMetrics     []time.Duration
	deliveries               load.Result
	early, late              load.Result // the first and the last third of the deliveries
	memory, peak             int64
	database, cases1, events int64 // bytes
}

// all measures with few cases, and with as many as are asked for.
func (b *bench) all(ctx context.Context) error {
	base := b.options.channels * b.options.categories
	many := b.options.cases / base
	if many >= 2*verified {
		many -= many % verified
	}
	for _, times := range []int{1, many} {
		if err := b.with(ctx, base, times); err != nil {
			return fmt.Errorf("with %d cases: %w", base*times, err)
		}
	}
	return nil
}

// with measures a ledger of its own with so many times the base number of cases.
func (b *bench) with(ctx context.Context, base, times int) (err error) {
	if err := b.prepare(ctx, fmt.Sprintf("site-%d", times)); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.site.Close()) }()
	if err := b.site.StartLedger(ctx); err != nil {
		return err
	}
	if err := b.site.PutPolicy(ctx, b.options.policy()); err != nil {
		return err
	}
	if err := b.backlog(ctx); err != nil {
		return fmt.Errorf("appending the first cases: %w", err)
	}
	if err := b.site.Ledger.Stop(); err != nil {
		return err
	}
	if times > 1 {
		filling := time.Now()
		if err := b.fill(ctx, times); err != nil {
			return err
		}
		b.filling = time.Since(filling)
	}
	starting := time.Now()
	if err := b.site.StartLedger(ctx); err != nil {
		return err
	}
	start := time.Since(starting)
	if err := b.site.StartWorker(ctx); err != nil {
		return err
	}
	summary, err := b.site.Operator.Summary(ctx, ledgerapi.Position{}, 0)
	if err != nil {
		return err
	}
	open := int64(0)
	for _, s := range summary.Series {
		open += s.Received // none of them was closed
	}
	if open != int64(base*times) {
		return fmt.Errorf("the ledger counts %d cases", open)
	}
	return b.measure(ctx, base*times, start)
}

// prepare makes a database and what a ledger on it needs.
func (b *bench) prepare(ctx context.Context, name string) (err error) {
	if b.schema, err = b.database.NewDatabase(ctx); err != nil {
		return err
	}
	flags, err := b.database.Flags(b.schema, b.database.Address())
	if err != nil {
		return err
	}
	b.site, err = site.New(site.Options{
		Tanggap: b.options.Tanggap, Dir: filepath.Join(b.options.Dir, name), Storage: flags, Policy: b.options.policy(),
		Channels: site.Channels(channelName(0)), Secrets: site.Secrets(),
	})
	return err
}

// fill makes so many times as many cases. The first copies are recounted: the others are copies of these.
func (b *bench) fill(ctx context.Context, times int) error {
	if times >= 2*verified {
		if err := b.multiply(ctx, verified); err != nil {
			return err
		}
		if err := b.verify(ctx); err != nil {
			return fmt.Errorf("recounting the first copies: %w", err)
		}
		return b.multiply(ctx, times/verified)
	}
	if err := b.multiply(ctx, times); err != nil {
		return err
	}
	return b.verify(ctx)
}

// measure takes all figures with the cases that there are.
func (b *bench) measure(ctx context.Context, cases int, start time.Duration) error {
	f := figures{cases: cases, start: start}
	if err := b.reading(ctx, &f); err != nil {
		return fmt.Errorf("measuring summary and scrape: %w", err)
	}
	if err := b.underLoad(ctx, &f); err != nil {
		return fmt.Errorf("measuring under load: %w", err)
	}
	usage, err := site.UsageOf(b.site.Ledger.PID())
	if err != nil {
		return err
	}
	f.memory, f.peak = usage.Resident, usage.Peak
	if err := b.disk(ctx, &f); err != nil {
		return err
	}
	b.figures = append(b.figures, f)
	return nil
}

// disk asks the database for its size.
func (b *bench) disk(ctx context.Context, f *figures) (err error) {
	c, err := b.database.Connect(ctx, b.schema)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close(context.WithoutCancel(ctx))) }()
	err = c.QueryRow(ctx, "SELECT pg_database_size(current_database()), pg_total_relation_size('cases'), pg_total_relation_size('events')").
		Scan(&f.database, &f.cases1, &f.events)
	if err != nil {
		return fmt.Errorf("asking for the size of the database: %w", err)
	}
	return nil
}
