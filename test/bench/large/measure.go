package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/metrics"
	"github.com/tanggap/tanggap/internal/policy"
	"github.com/tanggap/tanggap/test/bench/load"
	"github.com/tanggap/tanggap/test/site"
)

// operator follows a ledger as the operator does, and serves what it exports.
type operator struct {
	document policy.Document
	exporter *metrics.Exporter

	mu     sync.Mutex
	ledger metrics.Ledger
}

func newOperator(document policy.Document) (*operator, error) {
	o := &operator{document: document, exporter: metrics.NewExporter(prometheus.NewRegistry())}
	o.ledger = metrics.Ledger{Namespace: "depok", Name: "ledger", Policy: &o.document}
	return o, o.exporter.Register(metrics.New(func() []metrics.Ledger {
		o.mu.Lock()
		defer o.mu.Unlock()
		return []metrics.Ledger{o.ledger}
	}, func() bool { return true }, time.Now))
}

// show exports a summary.
func (o *operator) show(s *ledgerapi.Summary) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ledger.Summary, o.ledger.ReadAt, o.ledger.AnsweredAt = s, time.Now(), time.Now()
}

// scrape reads the metrics over HTTP as Prometheus does.
func (o *operator) scrape(server string) (text string, took time.Duration, err error) {
	started := time.Now()
	response, err := http.Get(server)
	if err != nil {
		return "", 0, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	took = time.Since(started)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("a scrape was answered with %s", response.Status)
	}
	return string(body), took, err
}

func (o *operator) serve() *httptest.Server {
	return httptest.NewServer(o.exporter.Handler())
}

// repeats is how often a reading is measured; the median counts.
const repeats = 7

// report tells the ledger that every channel's source is well, as workers do every ten seconds: what is not
// reported is unknown, and is not exported.
func (b *bench) report(ctx context.Context) error {
	for _, name := range b.options.channelNames() {
		now := time.Now()
		report := ledgerapi.Report{Instance: "bench", State: ledgerapi.SourceConnected, Reason: ledgerapi.ReasonConnected, LastSuccessAt: &now}
		if err := b.site.AsWorker.Report(ctx, name, report); err != nil {
			return err
		}
	}
	return nil
}

// reading measures a summary and a scrape while nothing else happens.
func (b *bench) reading(ctx context.Context, f *figures) error {
	if err := b.report(ctx); err != nil {
		return err
	}
	o, err := newOperator(b.options.policy())
	if err != nil {
		return err
	}
	server := o.serve()
	defer server.Close()
	var whole, change, first, again []time.Duration
	for range repeats {
		started := time.Now()
		summary, err := b.site.Operator.Summary(ctx, ledgerapi.Position{}, 0)
		if err != nil {
			return err
		}
		whole = append(whole, time.Since(started))
		started = time.Now()
		if _, err := b.site.Operator.Summary(ctx, summary.Position, 0); err != nil {
			return err
		}
		change = append(change, time.Since(started))
		o.show(summary)
		text, took, err := o.scrape(server.URL)
		if err != nil {
			return err
		}
		first = append(first, took)
		if _, took, err = o.scrape(server.URL); err != nil {
			return err
		}
		again = append(again, took)
		f.series = strings.Count(text, "\n") - 2*strings.Count(text, "# TYPE ")
	}
	f.summary, f.change, f.scrapeNew, f.scrapeSame = median(whole), median(change), median(first), median(again)
	return nil
}

func median(all []time.Duration) time.Duration { return quantile(all, 0.5) }

func quantile(all []time.Duration, q float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[int(q*float64(len(sorted)-1))]
}

// underLoad lets deliveries come in at a rate, and meanwhile cases become due whose breach is watched for.
func (b *bench) underLoad(ctx context.Context, f *figures) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	p := &probes{}
	var running sync.WaitGroup
	errs := make([]error, 3)
	watching, stopWatching := context.WithCancel(ctx)
	defer stopWatching()
	before, err := b.site.Operator.Summary(ctx, ledgerapi.Position{}, 0)
	if err != nil {
		return err
	}
	p.known = before.Channels[probeChannel].Overdue
	running.Go(func() { errs[0] = b.watchSummary(watching, p) })
	running.Go(func() { errs[1] = b.watchMetrics(watching, p) })
	sending, stopSending := context.WithCancel(ctx)
	defer stopSending()
	var sent sync.WaitGroup
	sent.Go(func() { errs[2] = b.sendProbes(sending, p) })

	// A connection waits for its answer, so that there are enough of them for a tenth of a second and more.
	const connections = 200
	deliveries := load.NewDeliveries(fmt.Sprintf("soak-%d-", time.Now().UnixNano()), site.SignatureHeader, strings.TrimSpace(site.Secrets()["hook/signing-secret"]))
	plan := load.Plan{
		URL: b.site.Hook(channelName(0)), Connections: connections, Duration: b.options.soak / 3,
		Every: time.Second * connections / time.Duration(b.options.rate), Sources: deliveries.Source,
	}
	for third := range 3 {
		result, err := load.Run(ctx, plan)
		if err != nil {
			return err
		}
		switch third {
		case 0:
			f.early.Add(result)
		case 2:
			f.late.Add(result)
		}
		f.deliveries.Add(result)
	}
	stopSending()
	sent.Wait()
	p.wait(ctx, 2*probeTarget+10*time.Second)
	stopWatching()
	running.Wait()
	f.toSummary, f.toMetrics = p.lags()
	return errors.Join(errs...)
}

// sendProbes appends a case now and then that will be due soon.
func (b *bench) sendProbes(ctx context.Context, p *probes) error {
	reported := time.Time{}
	for n := 0; ; n++ {
		if time.Since(reported) > 10*time.Second {
			reported = time.Now()
			if err := b.report(ctx); err != nil && ctx.Err() == nil {
				return err
			}
		}
		at := time.Now().UTC().Truncate(time.Microsecond)
		id := fmt.Sprintf("probe-%d-%d", at.UnixNano(), n)
		_, err := b.site.AsWorker.Append(ctx, probeChannel, ledgerapi.AppendRequest{ObservedThrough: &at, Events: []complaint.Event{{
			CaseID: id, ID: id, Kind: complaint.KindReceived, Actor: complaint.ActorCitizen, OccurredAt: at,
		}}})
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
		p.add(at.Add(probeTarget))
		if !site.Pause(ctx, 400*time.Millisecond) {
			return nil
		}
	}
}

// follow follows the stream of changes until the context ends, and shows the view after each answer.
func (b *bench) follow(ctx context.Context, show func(view *ledgerapi.View) error) error {
	var view ledgerapi.View
	for {
		summary, err := b.site.Operator.Summary(ctx, view.Position(), 2*time.Second)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
		if err := view.Apply(summary); err != nil {
			return err
		}
		if err := show(&view); err != nil {
			return err
		}
	}
}

// watchSummary notes when an overdue probe is in the stream of changes.
func (b *bench) watchSummary(ctx context.Context, p *probes) error {
	return b.follow(ctx, func(view *ledgerapi.View) error {
		p.seen(&p.inSummary, view.Latest().Channels[probeChannel].Overdue, time.Now())
		return nil
	})
}

// watchMetrics follows it as the operator does, with a pause after each answer, and scrapes.
func (b *bench) watchMetrics(ctx context.Context, p *probes) error {
	o, err := newOperator(b.options.policy())
	if err != nil {
		return err
	}
	server := o.serve()
	defer server.Close()
	return b.follow(ctx, func(view *ledgerapi.View) error {
		o.show(view.Summary())
		text, _, err := o.scrape(server.URL)
		if err != nil {
			return err
		}
		p.seen(&p.inMetrics, overdueIn(text), time.Now())
		site.Pause(ctx, 500*time.Millisecond) // the operator's own
		return nil
	})
}

// overdueIn adds up the probes' overdue clocks of a scrape.
func overdueIn(text string) (overdue int64) {
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "tanggap_complaints_overdue{") || !strings.Contains(line, `channel="`+probeChannel+`"`) {
			continue
		}
		var n float64
		if _, err := fmt.Sscan(line[strings.LastIndexByte(line, ' ')+1:], &n); err == nil {
			overdue += int64(n)
		}
	}
	return overdue
}

// probes are cases with their due instants, in that order, and when each was seen to be overdue.
type probes struct {
	mu    sync.Mutex
	known int64 // overdue before the first
	due   []time.Time
	// inSummary and inMetrics are when each was seen.
	inSummary, inMetrics []time.Time
}

func (p *probes) add(due time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.due = append(p.due, due)
}

// seen notes that so many are overdue by now.
func (p *probes) seen(list *[]time.Time, overdue int64, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for int64(len(*list)) < overdue-p.known {
		*list = append(*list, at)
	}
}

// wait returns when all were seen, or after the limit.
func (p *probes) wait(ctx context.Context, limit time.Duration) {
	deadline := time.Now().Add(limit)
	for time.Now().Before(deadline) && ctx.Err() == nil {
		p.mu.Lock()
		all := len(p.inSummary) >= len(p.due) && len(p.inMetrics) >= len(p.due)
		p.mu.Unlock()
		if all {
			return
		}
		<-time.After(50 * time.Millisecond)
	}
}

// lags are the times from due to seen; a probe that was never seen counts as a minute.
func (p *probes) lags() (summary, metrics []time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	lag := func(seen []time.Time, i int) time.Duration {
		if i >= len(seen) {
			return time.Minute
		}
		return seen[i].Sub(p.due[i])
	}
	for i := range p.due {
		summary, metrics = append(summary, lag(p.inSummary, i)), append(metrics, lag(p.inMetrics, i))
	}
	return summary, metrics
}
