// Package metrics is the catalogue of what the operator exports of complaints, and the collector that
// exports it from the ledgers' newest summaries. Nothing is kept between scrapes that could go stale:
// a series is there as long as what it speaks of is there and known.
package metrics

import "slices"

// Type is the type of a metric.
type Type string

// The types.
const (
	Gauge     Type = "gauge"
	Counter   Type = "counter"
	Histogram Type = "histogram"
)

// Stability says what may be relied on.
type Stability string

// Stable metrics keep name, type, labels and meaning within a minor version of the API; Alpha ones may
// change in any release.
const (
	Stable Stability = "stable"
	Alpha  Stability = "alpha"
)

// Metric describes one metric.
type Metric struct {
	Name      string
	Type      Type
	Help      string
	Labels    []string
	Stability Stability
	// Absent says when the metric is not there, since unknown is not zero.
	Absent Absence
}

// Absence is when a metric is not there.
type Absence string

// The absences. Each includes that the object the series speaks of has been deleted.
const (
	// WithLedger metrics are not there while the ledger cannot be read.
	WithLedger Absence = "the ledger cannot be read"
	// WithWorker metrics are not there, besides, while the channel's worker does not report.
	WithWorker Absence = "the ledger cannot be read, or the channel's worker has not reported for two minutes (of a suspended channel: never has)"
	// WithRunning metrics are not there, besides WithLedger, while the channel is suspended.
	WithRunning Absence = "the ledger cannot be read, or the channel is suspended"
	// WithSource metrics are there, besides, while the worker reports and its source fares ill.
	WithSource Absence = "the ledger cannot be read, the channel is suspended, its worker has not reported for two minutes, or its source fares well"
	// WithReplies metrics are of channels that allow replies.
	WithReplies Absence = "the ledger cannot be read, or the channel allows no replies"
	// WithCalendar metrics come from a channel's calendar.
	WithCalendar Absence = "the channel has no calendar, or its specification is not accepted yet"
	// WithSpec metrics come from the specifications alone.
	WithSpec Absence = "the specification that says it is not accepted yet, or no channel uses it"
	// Never metrics are there as long as the object is.
	Never Absence = "never"
	// UntilRead metrics are not there before the first reading.
	UntilRead Absence = "the ledger has not been read since the operator became the leader"
)

// The names of the metrics.
const (
	complaintsUnanswered    = "tanggap_complaints_unanswered"
	complaintsAwaitingReply = "tanggap_complaints_awaiting_reply"
	complaintsDueSoon       = "tanggap_complaints_due_soon"
	complaintsOverdue       = "tanggap_complaints_overdue"
	oldestUnanswered        = "tanggap_complaint_oldest_unanswered_timestamp_seconds"
	complaintsReceived      = "tanggap_complaints_received_total"
	complaintsAnswered      = "tanggap_complaints_answered_total"
	slaClocks               = "tanggap_sla_clocks_total"
	slaCorrections          = "tanggap_sla_corrections_total"
	responseTime            = "tanggap_response_seconds"
	responseWorkingTime     = "tanggap_response_working_seconds"
	spillovers              = "tanggap_spillovers_total"
	slaObjective            = "tanggap_sla_objective_ratio"
	slaWindow               = "tanggap_sla_window_seconds"
	channelInfo             = "tanggap_channel_info"
	channelUp               = "tanggap_channel_up"
	channelLastSuccess      = "tanggap_channel_last_success_timestamp_seconds"
	channelLastEvent        = "tanggap_channel_last_event_timestamp_seconds"
	channelSourceLag        = "tanggap_channel_source_lag_seconds"
	channelBeyondCoverage   = "tanggap_channel_clocks_beyond_coverage"
	ingestEvents            = "tanggap_ingest_events_total"
	ingestErrors            = "tanggap_ingest_errors_total"
	repliesWaiting          = "tanggap_replies_waiting"
	replyOldestWaiting      = "tanggap_reply_oldest_waiting_timestamp_seconds"
	repliesDone             = "tanggap_replies_total"
	calendarCoversUntil     = "tanggap_calendar_covers_until_timestamp_seconds"
	channelOpen             = "tanggap_channel_open"
	channelSourceProblem    = "tanggap_channel_source_problem"
	operatorLeading         = "tanggap_operator_leading"
	summaryUp               = "tanggap_summary_up"
	summaryTimestamp        = "tanggap_summary_timestamp_seconds"
)

// Catalogue lists every metric, in the order of the documentation.
func Catalogue() []Metric {
	channel := []string{"namespace", "channel"}
	dimensions := append(slices.Clone(channel), "category", "department", "priority")
	clock := append(slices.Clone(dimensions), "sla", "clock")
	outcome := append(slices.Clone(clock), "outcome")
	response := append(slices.Clone(channel), "priority", "clock")
	objective := []string{"namespace", "sla", "clock"}
	ledger := []string{"namespace", "ledger"}
	return []Metric{
		{complaintsUnanswered, Gauge, "Complaints that nobody who counts has answered.", dimensions, Stable, WithWorker},
		{complaintsAwaitingReply, Gauge, "Complaints whose citizen waits for a word: the first answer, or one to a later message.", dimensions, Stable, WithWorker},
		{complaintsDueSoon, Gauge, "Clocks that run, are not past their due instant and are past their warning.", clock, Stable, WithWorker},
		{complaintsOverdue, Gauge, "Clocks that run and are past their due instant.", clock, Stable, WithWorker},
		{oldestUnanswered, Gauge, "When the complaint that has waited longest was received; not there when none waits.", channel, Stable, WithWorker},
		{complaintsReceived, Counter, "Complaints received.", dimensions, Stable, WithLedger},
		{complaintsAnswered, Counter, "Complaints answered for the first time.", dimensions, Stable, WithLedger},
		{slaClocks, Counter, "Clocks with a final verdict, by outcome (met, breached, cancelled). A breach counts at its due instant, or once the source has been read through it, and not at the late answer.", outcome, Stable, WithLedger},
		{slaCorrections, Counter, "Verdicts that evidence arriving late has changed; the counters of verdicts never go down.", []string{"namespace", "channel", "clock"}, Stable, WithLedger},
		{responseTime, Histogram, "Wall time from the start to the stop of a clock.", response, Stable, WithLedger},
		{responseWorkingTime, Histogram, "Time within the calendar's open hours from the start to the stop of a clock.", response, Stable, WithLedger},
		{spillovers, Counter, "Complaints that came back on another channel while still unanswered on the first.", []string{"namespace", "from", "to"}, Alpha, WithLedger},
		{slaObjective, Gauge, "The share of the clock's verdicts that must be met.", objective, Stable, WithSpec},
		{slaWindow, Gauge, "The window over which the objective is to be met.", objective, Stable, WithSpec},
		{channelInfo, Gauge, "What a channel is; always 1.", []string{"namespace", "channel", "type", "official", "sla"}, Stable, WithSpec},
		{channelUp, Gauge, "Whether the channel's worker has reported within two minutes.", channel, Stable, WithRunning},
		{channelLastSuccess, Gauge, "When the source was last read completely, or a delivery was last accepted.", channel, Stable, WithLedger},
		{channelLastEvent, Gauge, "When the channel's latest event occurred.", channel, Stable, WithLedger},
		{channelSourceLag, Gauge, "How long ago the instant lies through which the source has been read completely; verdicts after it are provisional.", channel, Stable, WithRunning},
		{channelSourceProblem, Gauge, "That the channel's source cannot be read or delivers nothing valid, and why (a bounded set); always 1, and not there while it fares well.", []string{"namespace", "channel", "reason"}, Alpha, WithSource},
		{channelOpen, Gauge, "Whether now is within the open hours of the channel's calendar.", channel, Alpha, WithCalendar},
		{channelBeyondCoverage, Gauge, "Open clocks whose due instant lies past the dates that their calendar covers.", channel, Alpha, WithWorker},
		{ingestEvents, Counter, "Events, by what became of them (accepted, duplicate, rejected, skipped).", []string{"namespace", "channel", "result"}, Stable, WithLedger},
		{ingestErrors, Counter, "Failures to take complaints in, by reason (a bounded set).", []string{"namespace", "channel", "reason"}, Stable, WithLedger},
		{repliesWaiting, Gauge, "Replies asked of Tanggap that are not done yet: they wait for the channel's worker, are with it, or are to be tried again. Dry runs are among them.", channel, Alpha, WithReplies},
		{replyOldestWaiting, Gauge, "When the reply that has waited longest was asked for; not there when none waits.", channel, Alpha, WithReplies},
		{repliesDone, Counter, "Replies, by what became of them (sent, failed, unconfirmed, returned). One that was sent and came back counts as both, as does one that is found to have been sent after all; dry runs do not count.", []string{"namespace", "channel", "outcome"}, Alpha, WithReplies},
		{calendarCoversUntil, Gauge, "The end of the last date for which the calendar's holidays are entered; not there when it is meant to cover all.", []string{"namespace", "calendar"}, Stable, WithSpec},
		{operatorLeading, Gauge, "Whether this replica of the operator is the one that leads, and so exports everything else.", nil, Alpha, Never},
		{summaryUp, Gauge, "Whether the ledger has been read within the last five seconds.", ledger, Stable, Never},
		{summaryTimestamp, Gauge, "Through when the ledger had looked at due instants when it was last read.", ledger, Stable, UntilRead},
	}
}
