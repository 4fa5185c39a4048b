package ledger

import (
	"context"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// Summary is every series of the ledger once the sequence is another than after, or nil when it still
// is after wait. It is built from memory: its cost is that of what it holds.
func (l *Ledger) Summary(ctx context.Context, after int64, wait time.Duration) (*ledgerapi.Summary, error) {
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	for {
		l.mu.RLock()
		sequence, grown := l.sequence, l.grown
		if sequence != after {
			s, channels, figures := l.outline(l.now().UTC())
			l.mu.RUnlock()
			fill(s, channels, figures)
			return s, nil
		}
		l.mu.RUnlock()
		select {
		case <-grown:
		case <-timeout.C:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// outline takes from the mirror what a summary is made of, so that transactions wait no longer than for
// a copy. The caller holds mu.
func (m *mirror) outline(now time.Time) (*ledgerapi.Summary, map[string]*ledgerapi.ChannelSummary, []shown) {
	s := &ledgerapi.Summary{
		Sequence: m.sequence, At: now, Watermark: m.watermark, Policy: m.policyStatus(),
		Channels: make(map[string]ledgerapi.ChannelSummary, len(m.channels)),
	}
	channels := make(map[string]*ledgerapi.ChannelSummary, len(m.channels))
	for _, name := range m.policy.Channels() {
		channels[name] = m.channelSummary(name)
	}
	return s, channels, m.figures.snapshot()
}

// fill brings the figures into the form of a summary. What belongs to channels that the policy no longer
// names is left out.
func fill(s *ledgerapi.Summary, channels map[string]*ledgerapi.ChannelSummary, figures []shown) {
	s.Series = make([]ledgerapi.Series, 0, rowsOf(figures, familySeries))
	s.Clocks = make([]ledgerapi.ClockSeries, 0, rowsOf(figures, familyClock))
	histograms := map[[4]string]*histogram{}
	for i := range figures {
		k, v := figures[i].key, &figures[i].values
		c := channels[k.labels[0]]
		if c == nil {
			continue
		}
		d := complaint.Dimensions{Category: k.labels[1], Department: k.labels[2], Priority: k.labels[3]}
		switch k.family {
		case familySeries:
			s.Series = append(s.Series, ledgerapi.Series{
				Channel: k.labels[0], Dimensions: d, Unanswered: v[seriesUnanswered], AwaitingReply: v[seriesAwaiting],
				Received: v[seriesReceived], Answered: v[seriesAnswered],
			})
			c.Unanswered += v[seriesUnanswered]
			c.Received += v[seriesReceived]
			c.Answered += v[seriesAnswered]
		case familyClock:
			s.Clocks = append(s.Clocks, ledgerapi.ClockSeries{
				Channel: k.labels[0], Dimensions: d, SLA: k.labels[4], Clock: k.labels[5], DueSoon: v[clockDueSoon], Overdue: v[clockOverdue],
				Met: v[clockMet], Breached: v[clockBreached], Cancelled: v[clockCancelled],
			})
		case familyHistogram:
			addBucket(histograms, k, v)
		case familySpillover:
			if channels[k.labels[1]] != nil {
				s.Spillover = append(s.Spillover, ledgerapi.SpilloverSeries{From: k.labels[0], To: k.labels[1], Count: v[spilloverCount]})
			}
		default:
			addToChannel(c, k, v)
		}
	}
	for _, h := range histograms {
		s.Histogram = append(s.Histogram, h.series())
	}
	for name, c := range channels {
		s.Channels[name] = *c
	}
}

func rowsOf(figures []shown, f family) (n int) {
	for i := range figures {
		if figures[i].key.family == f {
			n++
		}
	}
	return n
}

func (m *mirror) channelSummary(name string) *ledgerapi.ChannelSummary {
	summary := &ledgerapi.ChannelSummary{}
	c := m.channels[name]
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
		c.Accepted, c.Duplicate, c.Rejected = v[ingestAccepted], v[ingestDuplicate], v[ingestRejected]
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
	default: // not of one channel alone
	}
}
