package worker

import (
	"context"
	"time"

	"github.com/tanggap/tanggap/internal/ledger/client"
)

// Rhythm of the reports.
const (
	reportInterval = 10 * time.Second
	// reportGap keeps a source that changes its state with every delivery from flooding the ledger.
	reportGap = time.Second
	// reportRetry is the wait after a report that the ledger did not take.
	reportRetry   = 2 * time.Second
	reportTimeout = 5 * time.Second
)

// report sends the channel's report every reportInterval, and soon after its state has changed, until
// ctx ends.
func (r *runner) report(ctx context.Context) {
	delivered := true
	for ctx.Err() == nil {
		err := r.reportOnce(ctx, false)
		if (err == nil) != delivered && ctx.Err() == nil {
			delivered = err == nil
			if delivered {
				r.logger.Info("Reported to the ledger again")
			} else {
				r.logger.Warn("Could not report to the ledger", "message", ledgerError(err).Message)
			}
		}
		if !r.pause(ctx, err) {
			return
		}
	}
}

// reportOnce sends one report; leaving says that it is the last.
func (r *runner) reportOnce(ctx context.Context, leaving bool) error {
	ctx, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	report := r.tracker.report(r.instance)
	report.Leaving = leaving
	return r.ledger.Report(ctx, r.channel, report)
}

// pause waits until the next report is due; false when ctx has ended.
func (r *runner) pause(ctx context.Context, err error) bool {
	if err != nil {
		return r.sleep(ctx, max(reportRetry, client.RetryAfter(err)))
	}
	if !r.sleep(ctx, reportGap) {
		return false
	}
	select {
	case <-r.tracker.changed:
	case <-r.after(reportInterval - reportGap):
	case <-ctx.Done():
		return false
	}
	return true
}

// sleep waits; false when ctx has ended.
func (r *runner) sleep(ctx context.Context, d time.Duration) bool {
	if ctx.Err() != nil {
		return false
	}
	select {
	case <-r.after(d):
		return true
	case <-ctx.Done():
		return false
	}
}
