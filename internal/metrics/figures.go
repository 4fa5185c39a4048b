package metrics

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tanggap/tanggap/internal/calendar"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/sla"
)

// specifications makes the metrics that come from the specifications alone; owned are the names of
// SLAs and calendars that are this ledger's to export.
func (e *exposition) specifications(owned []string) {
	document := e.ledger.Policy
	for _, name := range slices.Sorted(maps.Keys(e.channels)) {
		channel := document.Channels[name]
		e.gauge(channelInfo, 1, name, channel.Type, strconv.FormatBool(channel.Official), channel.SLA)
	}
	for _, name := range owned {
		if slaName, ok := strings.CutPrefix(name, "sla/"); ok {
			e.objective(slaName, document.SLAs[slaName])
		}
		if calendarName, ok := strings.CutPrefix(name, "calendar/"); ok {
			e.coverage(calendarName, document.Calendars[calendarName])
		}
	}
}

func (e *exposition) objective(name string, spec sla.Spec) {
	if spec.Objective == nil {
		return
	}
	ratio, err := strconv.ParseFloat(spec.Objective.Ratio, 64)
	if err != nil {
		return // not accepted by the API server
	}
	window, err := time.ParseDuration(spec.Objective.Window)
	if err != nil {
		return // not accepted by the API server
	}
	for _, clock := range clocksOf(spec) {
		e.gauge(slaObjective, ratio, name, clock)
		e.gauge(slaWindow, window.Seconds(), name, clock)
	}
}

// clocksOf are the names of an SLA's clocks, each once.
func clocksOf(spec sla.Spec) []string {
	var names []string
	for _, rule := range spec.Rules {
		for _, clock := range rule.Clocks {
			if !slices.Contains(names, clock.Name) {
				names = append(names, clock.Name)
			}
		}
	}
	return names
}

func (e *exposition) coverage(name string, spec calendar.Spec) {
	if spec.CoversUntil == "" {
		return
	}
	zone, err := time.LoadLocation(spec.TimeZone)
	if err != nil {
		return // such a calendar is not accepted
	}
	last, err := time.ParseInLocation(time.DateOnly, spec.CoversUntil, zone)
	if err != nil {
		return // not accepted by the API server
	}
	e.gauge(calendarCoversUntil, seconds(last.AddDate(0, 0, 1)), name)
}

// figures makes the metrics of a summary.
func (e *exposition) figures(summary *ledgerapi.Summary) {
	for _, name := range slices.Sorted(maps.Keys(e.channels)) {
		if view := e.channels[name]; view.inLedger {
			e.channel(name, view)
		}
	}
	for _, s := range summary.Series {
		if view, ours := e.channels[s.Channel]; ours {
			e.series(s, view.known)
		}
	}
	for _, s := range summary.Clocks {
		if view, ours := e.channels[s.Channel]; ours {
			e.clock(s, view.known)
		}
	}
	e.beginnings(summary)
	bounds := ledgerapi.BucketBounds()
	for _, h := range summary.Histogram {
		if _, ours := e.channels[h.Channel]; ours {
			name := responseTime
			if h.Working {
				name = responseWorkingTime
			}
			e.histogram(name, h, bounds)
		}
	}
	for _, s := range summary.Spillover {
		if _, ours := e.channels[s.To]; ours {
			e.counter(spillovers, s.Count, s.From, s.To)
		}
	}
}

func (e *exposition) channel(name string, view channelView) {
	c := view.summary
	if view.known {
		if c.OldestUnansweredAt != nil {
			e.gauge(oldestUnanswered, seconds(*c.OldestUnansweredAt), name)
		}
		e.gauge(channelBeyondCoverage, float64(c.BeyondCoverage), name)
	}
	if c.LastSuccessAt != nil {
		e.gauge(channelLastSuccess, seconds(*c.LastSuccessAt), name)
	}
	if c.LastEventAt != nil {
		e.gauge(channelLastEvent, seconds(*c.LastEventAt), name)
	}
	e.counter(ingestEvents, c.Accepted, name, "accepted")
	e.counter(ingestEvents, c.Duplicate, name, "duplicate")
	e.counter(ingestEvents, c.Rejected, name, "rejected")
	e.counter(ingestEvents, c.Skipped, name, "skipped")
	if e.ledger.Policy.Channels[name].Replies {
		e.replies(name, c.Replies)
	}
	for _, reason := range slices.Sorted(maps.Keys(c.Errors)) {
		e.counter(ingestErrors, c.Errors[reason], name, string(reason))
	}
	for _, clock := range slices.Sorted(maps.Keys(c.Corrections)) {
		e.counter(slaCorrections, c.Corrections[clock], name, clock)
	}
}

// replies are those of a channel that allows them; nil is none yet, whose counters begin at zero so that
// increase() sees the first.
func (e *exposition) replies(name string, r *ledgerapi.ReplySummary) {
	if r == nil {
		r = &ledgerapi.ReplySummary{}
	}
	e.gauge(repliesWaiting, float64(r.Waiting), name)
	if r.OldestWaitingAt != nil {
		e.gauge(replyOldestWaiting, seconds(*r.OldestWaitingAt), name)
	}
	e.counter(repliesDone, r.Sent, name, "sent")
	e.counter(repliesDone, r.Failed, name, "failed")
	e.counter(repliesDone, r.Unconfirmed, name, "unconfirmed")
	e.counter(repliesDone, r.Returned, name, "returned")
}

func (e *exposition) series(s ledgerapi.Series, known bool) {
	labels := func() []string { return []string{s.Channel, s.Category, s.Department, s.Priority} }
	if known {
		e.gauge(complaintsUnanswered, float64(s.Unanswered), labels()...)
		e.gauge(complaintsAwaitingReply, float64(s.AwaitingReply), labels()...)
	}
	e.counter(complaintsReceived, s.Received, labels()...)
	e.counter(complaintsAnswered, s.Answered, labels()...)
}

func (e *exposition) clock(s ledgerapi.ClockSeries, known bool) {
	labels := func(outcome ...string) []string {
		return append([]string{s.Channel, s.Category, s.Department, s.Priority, s.SLA, s.Clock}, outcome...)
	}
	if known {
		e.gauge(complaintsDueSoon, float64(s.DueSoon), labels()...)
		e.gauge(complaintsOverdue, float64(s.Overdue), labels()...)
	}
	e.counter(slaClocks, s.Met, labels(string(sla.OutcomeMet))...)
	e.counter(slaClocks, s.Breached, labels(string(sla.OutcomeBreached))...)
	e.counter(slaClocks, s.Cancelled, labels(string(sla.OutcomeCancelled))...)
}
