package load

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Source makes the deliveries of one connection: a body, which may be overwritten by the next call, and
// one header line with it. It is called by one goroutine.
type Source func() (body []byte, header, value string)

// Plan is one run of load.
type Plan struct {
	URL         string
	Connections int
	Duration    time.Duration
	// Headers are further lines of each request.
	Headers []string
	// Sources makes the source of a connection.
	Sources func() Source
	// Standard sends by Go's own HTTP client instead of the light one.
	Standard bool
	// Every is how often each connection sends; 0 is as soon as the answer before is there.
	Every time.Duration
}

// Result is what runs have measured.
type Result struct {
	// Took are the times of the deliveries that were answered with success.
	Took []time.Duration
	// Spent is how long the runs took.
	Spent time.Duration
	// Refused counts answers other than success by status.
	Refused map[int]int
	sorted  bool
}

// Add puts another result of the same kind to this one.
func (r *Result) Add(other Result) {
	r.Took = append(r.Took, other.Took...)
	r.Spent += other.Spent
	r.sorted = false
	for status, n := range other.Refused {
		r.refuse(status, n)
	}
}

func (r *Result) refuse(status, n int) {
	if r.Refused == nil {
		r.Refused = map[int]int{}
	}
	r.Refused[status] += n
}

// Rate is deliveries in a second.
func (r *Result) Rate() float64 {
	if r.Spent == 0 {
		return 0
	}
	return float64(len(r.Took)) / r.Spent.Seconds()
}

// Quantile is the time below which a part q of the deliveries took.
func (r *Result) Quantile(q float64) time.Duration {
	if len(r.Took) == 0 {
		return 0
	}
	if !r.sorted {
		slices.Sort(r.Took)
		r.sorted = true
	}
	return r.Took[int(q*float64(len(r.Took)-1))]
}

// Run carries out a plan. A connection that breaks is an error: nothing is to break while it is measured.
func Run(ctx context.Context, plan Plan) (Result, error) {
	clients := make([]poster, plan.Connections)
	defer func() {
		for _, c := range clients {
			if c != nil {
				c.Close()
			}
		}
	}()
	for i := range clients {
		if plan.Standard {
			clients[i] = newStandard(ctx, plan.URL, plan.Headers...)
			continue
		}
		client, err := Dial(ctx, plan.URL, plan.Headers...)
		if err != nil {
			return Result{}, err
		}
		clients[i] = client
	}
	results, errs := make([]Result, plan.Connections), make([]error, plan.Connections)
	var wg sync.WaitGroup
	started := time.Now()
	for i, c := range clients {
		wg.Go(func() { results[i], errs[i] = plan.one(ctx, c, started, i) })
	}
	wg.Wait()
	var total Result
	for _, r := range results {
		total.Add(r)
	}
	total.Spent = time.Since(started)
	return total, errors.Join(errs...)
}

// one drives one connection.
func (p *Plan) one(ctx context.Context, c poster, started time.Time, place int) (Result, error) {
	r := Result{Took: make([]time.Duration, 0, 4096)}
	next := p.Sources()
	// Those that send at a rate do not send all at once.
	due := started.Add(p.Every * time.Duration(place) / time.Duration(p.Connections))
	for time.Since(started) < p.Duration && ctx.Err() == nil {
		sent := time.Now()
		if p.Every > 0 {
			if wait := due.Sub(sent); wait > 0 {
				timer := time.NewTimer(wait)
				select {
				case <-timer.C:
				case <-ctx.Done():
					timer.Stop()
					return r, nil
				}
			}
			// What was due and could not be sent has waited since then.
			sent = due
			due = due.Add(p.Every)
		}
		body, name, value := next()
		answer, err := c.Post(body, name, value)
		switch {
		case err != nil && ctx.Err() != nil:
			return r, nil
		case err != nil:
			return r, fmt.Errorf("delivery %d of connection %d: %w", len(r.Took), place, err)
		case answer.Status < 200 || answer.Status > 299:
			r.refuse(answer.Status, 1)
		default:
			r.Took = append(r.Took, time.Since(sent))
		}
	}
	return r, nil
}
