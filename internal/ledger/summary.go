package ledger

import (
	"context"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/policy"
)

// Summary is what has changed after a position, once anything has or wait has passed; or everything, and
// at once, when the position is the zero one or not one of this storage's, or the policy is another now.
// It is built from memory: its cost is that of what it holds.
func (l *Ledger) Summary(ctx context.Context, after ledgerapi.Position, wait time.Duration) (*ledgerapi.Summary, error) {
	if err := l.reach(ctx, after.Sequence); err != nil {
		return nil, err
	}
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	for waiting := wait > 0; ; {
		l.mu.RLock()
		if err := l.current(); err != nil {
			l.mu.RUnlock()
			return nil, err
		}
		grown := l.grown
		since := l.resume(after)
		if l.visible > since || since == 0 || !waiting {
			o := l.outline(since, l.now().UTC())
			l.mu.RUnlock()
			return o.summary(), nil
		}
		l.mu.RUnlock()
		select {
		case <-grown:
		case <-timeout.C:
			waiting = false
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// resume is the revision from which changes are enough for who has the summary of a position; 0 when
// they are not.
func (m *mirror) resume(after ledgerapi.Position) int64 {
	at := after.Sequence
	if at <= 0 || at > m.revision || at < m.ruled || !m.lives.hold(after.Epoch, at) {
		return 0
	}
	return at
}

// outline is what a summary is made of, copied from the mirror so that transactions wait no longer than
// for the copy.
type outline struct {
	policy  *policy.Policy
	whole   ledgerapi.Summary
	figures []shown
}

// outline takes what has changed after a revision, 0 for all. The caller holds mu.
func (m *mirror) outline(since int64, now time.Time) *outline {
	o := &outline{policy: m.policy, figures: m.figures.since(since), whole: ledgerapi.Summary{
		Position: ledgerapi.Position{Sequence: m.revision, Epoch: m.lives.epoch()},
		Since:    since, At: now, Watermark: m.watermark, Policy: m.policyStatus(),
		Channels: map[string]ledgerapi.ChannelSummary{},
	}}
	for _, name := range m.policy.Channels() {
		c, figures := m.channels[name], m.figures.channels[name]
		if since == 0 || c != nil && c.row.Revision > since || figures != nil && figures.revision > since {
			o.whole.Channels[name] = channelSummary(c, figures)
		}
	}
	return o
}

// summary brings the figures into the form of a summary. What belongs to channels that the policy no
// longer names is left out.
func (o *outline) summary() *ledgerapi.Summary {
	s := &o.whole
	s.Series = make([]ledgerapi.Series, 0, rowsOf(o.figures, familySeries))
	s.Clocks = make([]ledgerapi.ClockSeries, 0, rowsOf(o.figures, familyClock))
	histograms := map[[4]string]*histogram{}
	var order [][4]string
	for i := range o.figures {
		k, v := o.figures[i].key, &o.figures[i].values
		if o.policy.Channel(k.labels[0]) == nil {
			continue
		}
		d := complaint.Dimensions{Category: k.labels[1], Department: k.labels[2], Priority: k.labels[3]}
		switch k.family {
		case familySeries:
			s.Series = append(s.Series, ledgerapi.Series{
				Channel: k.labels[0], Dimensions: d, Unanswered: v[seriesUnanswered], AwaitingReply: v[seriesAwaiting],
				Received: v[seriesReceived], Answered: v[seriesAnswered],
			})
		case familyClock:
			s.Clocks = append(s.Clocks, ledgerapi.ClockSeries{
				Channel: k.labels[0], Dimensions: d, SLA: k.labels[4], Clock: k.labels[5], DueSoon: v[clockDueSoon], Overdue: v[clockOverdue],
				Met: v[clockMet], Breached: v[clockBreached], Cancelled: v[clockCancelled],
			})
		case familyHistogram:
			if id := [4]string(k.labels[:4]); histograms[id] == nil {
				order = append(order, id)
			}
			addBucket(histograms, k, v)
		case familySpillover:
			if o.policy.Channel(k.labels[1]) != nil {
				s.Spillover = append(s.Spillover, ledgerapi.SpilloverSeries{From: k.labels[0], To: k.labels[1], Count: v[spilloverCount]})
			}
		default: // shown with the channel
		}
	}
	for _, id := range order {
		s.Histogram = append(s.Histogram, histograms[id].series())
	}
	return s
}

func rowsOf(figures []shown, f family) (n int) {
	for i := range figures {
		if figures[i].key.family == f {
			n++
		}
	}
	return n
}

// channelSummary is one channel; each part is nil where there is nothing of it.
func channelSummary(c *channelState, figures *channelFigures) (summary ledgerapi.ChannelSummary) {
	if figures != nil {
		summary.Unanswered = figures.series[seriesUnanswered]
		summary.Received, summary.Answered = figures.series[seriesReceived], figures.series[seriesAnswered]
		for _, row := range figures.rows {
			addToChannel(&summary, &row.key, &row.values)
		}
	}
	if c == nil {
		return summary
	}
	summary.OldestUnansweredAt = optional(c.row.OldestUnansweredAt)
	summary.LastEventAt = optional(c.row.LastEventAt)
	summary.ObservedThrough = optional(c.row.ObservedThrough)
	r := &c.reported
	summary.ReportedAt = optional(r.At)
	summary.State, summary.Reason, summary.Message = r.State, r.Reason, r.Message
	summary.LastSuccessAt = r.LastSuccessAt
	return summary
}

func addToChannel(c *ledgerapi.ChannelSummary, k *figureKey, v *values) {
	switch k.family {
	case familyChannel:
		c.Overdue, c.BeyondCoverage = v[channelOverdue], v[channelBeyond]
	case familyIngest:
		c.Accepted, c.Duplicate, c.Rejected, c.Skipped = v[ingestAccepted], v[ingestDuplicate], v[ingestRejected], v[ingestSkipped]
	case familyError:
		if c.Errors == nil {
			c.Errors = map[ledgerapi.Reason]int64{}
		}
		c.Errors[ledgerapi.Reason(k.labels[1])] = v[errorCount]
	case familyCorrection:
		if c.Corrections == nil {
			c.Corrections = map[string]int64{}
		}
		c.Corrections[k.labels[1]] = v[correctionCount]
	case familyReply, familyReturned:
		if c.Replies == nil {
			c.Replies = &ledgerapi.ReplySummary{}
		}
		addToReplies(c.Replies, k.family, v)
	default: // not of one channel alone
	}
}

func addToReplies(r *ledgerapi.ReplySummary, f family, v *values) {
	if f == familyReturned {
		r.Returned = v[returnedCount]
		return
	}
	r.Waiting, r.OldestWaitingAt = v[replyWaiting], optional(fromMicros(v[replyOldest]))
	r.Sent, r.Failed, r.Unconfirmed = v[replySent], v[replyFailed], v[replyUnconfirmed]
}
