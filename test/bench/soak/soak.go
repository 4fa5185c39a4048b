package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tanggap/tanggap/internal/ledger"
	"github.com/tanggap/tanggap/internal/ledger/client"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/test/bench/load"
	"github.com/tanggap/tanggap/test/site"
)

// thirds is into how many parts a run is divided.
const thirds = 3

// result is what a run on one storage has shown.
type result struct {
	storage    string
	deliveries [thirds]load.Result
	spent      time.Duration
	filling    time.Duration
	measures   []*measure
	// events are those that the ledger has counted.
	events  int64
	cases   census
	recount time.Duration
}

// soak runs one variant.
func soak(ctx context.Context, o *options, variant string, progress io.Writer) (r *result, err error) {
	s, err := newStorage(ctx, o, variant)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	w, err := site.New(site.Options{
		Tanggap: o.Tanggap, Dir: filepath.Join(o.Dir, variant), Storage: s.flags, Policy: o.policy(), Channels: sources(), Secrets: site.Secrets(),
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	if err := w.Start(ctx); err != nil {
		return nil, err
	}
	r = &result{storage: s.name}
	say := func(format string, values ...any) {
		fmt.Fprintf(progress, "%s %s: %s\n", time.Now().UTC().Format(time.TimeOnly), s.name, fmt.Sprintf(format, values...))
	}
	started := time.Now()
	filled, err := o.fill(ctx, w.AsWorker)
	if err != nil {
		return nil, fmt.Errorf("appending the cases of before: %w", err)
	}
	r.filling = time.Since(started)
	say("%d events of before in %s", filled, r.filling.Round(time.Second))
	made, err := r.load(ctx, o, w, s)
	if err != nil {
		return nil, err
	}
	say("loaded, %d deliveries", r.taken())
	if err := r.counted(ctx, w, filled+made); err != nil {
		return nil, err
	}
	started = time.Now()
	if r.cases, err = s.verify(ctx); err != nil {
		return nil, err
	}
	r.recount = time.Since(started)
	say("recounted in %s", r.recount.Round(time.Second))
	return r, nil
}

func (r *result) taken() (n int) {
	for i := range r.deliveries {
		n += len(r.deliveries[i].Took)
	}
	return n
}

// load lets deliveries come in for three thirds of the time, while somebody follows and somebody lists cases, and
// returns how many new events they had.
func (r *result) load(ctx context.Context, o *options, w *site.Site, s *storage) (events int64, err error) {
	beside, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	errs := make([]error, 3)
	sampler := newSampler(w, s)
	running.Go(func() { errs[0] = follow(beside, w.Operator) })
	running.Go(func() { errs[1] = list(beside, w.Operator) })
	running.Go(func() { errs[2] = sampler.run(beside) })
	defer func() {
		stop()
		running.Wait()
		err = errors.Join(err, errors.Join(errs...))
		r.measures = sampler.measures
	}()
	var made atomic.Int64
	senders := o.newSenders(&made)
	started := time.Now()
	for third := range thirds {
		sampler.third.Store(int32(third))
		if r.deliveries[third], err = o.deliver(ctx, w, senders); err != nil {
			return 0, err
		}
		for status, n := range r.deliveries[third].Refused {
			return 0, fmt.Errorf("%d deliveries were answered %d: the rate is too high for this machine", n, status)
		}
	}
	r.spent = time.Since(started)
	return made.Load(), nil
}

// connections are how many there are to each channel, so that each sends five times a second. Each waits for
// its answer, so that there are enough of them for a while.
func (o *options) connections() int {
	const perSecond, most = 5, 64
	return min(max(1, o.rate/perSecond/len(channels)), most)
}

// newSenders makes the sources of all connections, which go on from one third to the next.
func (o *options) newSenders(made *atomic.Int64) map[string][]load.Source {
	senders := map[string][]load.Source{}
	for _, channel := range channels {
		for i := range o.connections() {
			s := &stories{prefix: fmt.Sprintf("%s-%d", channel, i), events: made}
			senders[channel] = append(senders[channel], s.next)
		}
	}
	return senders
}

// deliver sends to all channels for a third of the time.
func (o *options) deliver(ctx context.Context, w *site.Site, senders map[string][]load.Source) (total load.Result, err error) {
	results, errs := make([]load.Result, len(channels)), make([]error, len(channels))
	var sending sync.WaitGroup
	for i, channel := range channels {
		var next atomic.Int64
		plan := load.Plan{
			URL: w.Hook(channel), Connections: o.connections(), Duration: o.duration / thirds,
			Every:   time.Second * time.Duration(o.connections()*len(channels)) / time.Duration(o.rate),
			Sources: func() load.Source { return senders[channel][next.Add(1)-1] },
		}
		sending.Go(func() { results[i], errs[i] = load.Run(ctx, plan) })
	}
	sending.Wait()
	for _, one := range results {
		total.Add(one)
	}
	return total, errors.Join(errs...)
}

// follow reads the stream of changes as the operator does.
func follow(ctx context.Context, c *client.Client) error {
	var view ledgerapi.View
	for site.Pause(ctx, 500*time.Millisecond) {
		summary, err := c.Summary(ctx, view.Position(), 2*time.Second)
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			err = view.Apply(summary)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// list reads the cases that are overdue, a page a second.
func list(ctx context.Context, c *client.Client) error {
	query := client.CasesQuery{State: "overdue", Limit: 100}
	for site.Pause(ctx, time.Second) {
		page, err := c.Cases(ctx, query)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		query.After = page.Next
	}
	return nil
}

// counted checks that the ledger has counted every event, and each once.
func (r *result) counted(ctx context.Context, w *site.Site, want int64) error {
	summary, err := w.Operator.Summary(ctx, ledgerapi.Position{}, 0)
	if err != nil {
		return err
	}
	for _, channel := range channels {
		r.events += summary.Channels[channel].Accepted
	}
	if r.events != want {
		return fmt.Errorf("the ledger has counted %d events, and %d were acknowledged", r.events, want)
	}
	return nil
}

// census is what there is at the end. Expired are the cases of before whose content retention took, redacted
// those of the run that were redacted.
type census struct{ all, open, overdue, expired, redacted int }

// verify recounts every figure and judges every case anew.
func (s *storage) verify(ctx context.Context) (c census, err error) {
	opened, err := s.open(ctx)
	if err != nil {
		return c, err
	}
	defer func() { _ = opened.Close() }()
	differences, err := ledger.Verify(ctx, opened, nil)
	if err != nil {
		return c, err
	}
	if len(differences) > 0 {
		var first []string
		for _, d := range differences[:min(len(differences), 5)] {
			first = append(first, d.String())
		}
		return c, fmt.Errorf("%d figures differ from a recount: %s", len(differences), strings.Join(first, "; "))
	}
	err = opened.View(ctx, func(r store.Reader) error { return c.take(ctx, r) })
	return c, err
}

func (c *census) take(ctx context.Context, r store.Reader) error {
	query := store.PageQuery{Limit: 1000, Scan: 1000}
	for {
		cases, next, err := r.Page(ctx, query)
		if err != nil {
			return err
		}
		for i := range cases {
			c.add(&cases[i])
		}
		if query.After = next; next == nil {
			return nil
		}
	}
}

func (c *census) add(one *store.Case) {
	c.all++
	if one.Open {
		c.open++
	}
	if one.Overdue {
		c.overdue++
	}
	switch {
	case one.Holds&store.ContentText != 0:
	case strings.HasPrefix(one.CaseID, before):
		c.expired++
	default:
		c.redacted++
	}
}
