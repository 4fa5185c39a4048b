package ledgerapi

import (
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
)

// Summary is what one ledger has to show: every series, or those that have changed. It is kept with
// each write; reading it costs what it holds and not what the backlog holds.
//
// GET /v1/summary answers with everything. With the position of a summary that the caller has,
//
//	GET /v1/summary?after=SEQUENCE&epoch=EPOCH&wait=10s
//
// answers as soon as anything has changed after it, and after the wait in any case, with what has
// changed: Since then is the caller's sequence. Each series, clock, histogram, spillover and channel in it
// replaces the caller's of the same labels; what is not in it is as it was. At, Watermark and Policy are
// always the current ones. Since 0 says that the summary is whole and replaces everything: the position
// was not one of this storage's, or the policy is another now. A View does all this.
//
// The sequence counts the transactions of the storage. It goes on over restarts and is the same from
// every replica, which may know of the latest transactions a moment later than the one that did them.
type Summary struct {
	Position
	// Since is the sequence after which this is what has changed; 0 when it is everything.
	Since int64 `json:"since,omitempty"`
	// At is the ledger's clock.
	At time.Time `json:"at"`
	// Watermark is the instant through which due and warning instants have been looked at.
	Watermark time.Time                 `json:"watermark"`
	Policy    PolicyStatus              `json:"policy"`
	Channels  map[string]ChannelSummary `json:"channels"`
	Series    []Series                  `json:"series"`
	Clocks    []ClockSeries             `json:"clocks"`
	Histogram []HistogramSeries         `json:"histograms,omitempty"`
	Spillover []SpilloverSeries         `json:"spillovers,omitempty"`

	// figures is another one after each change of anything but At, Watermark and Policy; nil is unknown.
	figures *figures
}

// figures has a size, so that two are not at one address.
type figures struct{ _ byte }

// SameFigures reports whether two summaries of one View are known to have the same channels and series.
func (s *Summary) SameFigures(other *Summary) bool {
	return s == other || s != nil && other != nil && s.figures != nil && s.figures == other.figures
}

// Position is one state of a ledger's storage.
type Position struct {
	// Sequence grows by one with every transaction that writes.
	Sequence int64 `json:"sequence"`
	// Epoch tells apart two histories in which the sequence is the same: that of a storage, and that of
	// the backup it was replaced with.
	Epoch string `json:"epoch,omitempty"`
}

// ChannelSummary is what the ledger knows of one channel.
type ChannelSummary struct {
	Unanswered         int64      `json:"unanswered"`
	Overdue            int64      `json:"overdue"`
	Received           int64      `json:"received"`
	Answered           int64      `json:"answered"`
	OldestUnansweredAt *time.Time `json:"oldestUnansweredAt,omitempty"`
	LastEventAt        *time.Time `json:"lastEventAt,omitempty"`
	ObservedThrough    *time.Time `json:"observedThrough,omitempty"`
	// ReportedAt is when a worker last reported; nil is never, and then nothing is known of the channel.
	ReportedAt    *time.Time       `json:"reportedAt,omitempty"`
	State         SourceState      `json:"state,omitempty"`
	Reason        Reason           `json:"reason,omitempty"`
	Message       string           `json:"message,omitempty"`
	LastSuccessAt *time.Time       `json:"lastSuccessAt,omitempty"`
	Accepted      int64            `json:"accepted"`
	Duplicate     int64            `json:"duplicate"`
	Rejected      int64            `json:"rejected"`
	Skipped       int64            `json:"skipped,omitempty"`
	Errors        map[Reason]int64 `json:"errors,omitempty"`
	// BeyondCoverage counts open clocks whose due instant lies past their calendar's coverage.
	BeyondCoverage int64 `json:"beyondCoverage,omitempty"`
	// Corrections counts verdicts that late evidence changed, by clock.
	Corrections map[string]int64 `json:"corrections,omitempty"`
	// Replies are those that were asked of the ledger; nil is none yet.
	Replies *ReplySummary `json:"replies,omitempty"`
}

// ReplySummary is how the replies of one channel fare.
type ReplySummary struct {
	// Waiting are those that are not done, dry runs among them, and OldestWaitingAt is when the first of them was
	// asked for.
	Waiting         int64      `json:"waiting"`
	OldestWaitingAt *time.Time `json:"oldestWaitingAt,omitempty"`
	// Sent, Failed, Unconfirmed and Returned count what became of the others, but not of dry runs. Returned are sent
	// ones that came back, and so count twice, as does one that is found to have been sent after all.
	Sent        int64 `json:"sent"`
	Failed      int64 `json:"failed"`
	Unconfirmed int64 `json:"unconfirmed"`
	Returned    int64 `json:"returned,omitempty"`
}

// Series are the figures of one channel and set of dimensions.
type Series struct {
	Channel string `json:"channel"`
	complaint.Dimensions
	Unanswered    int64 `json:"unanswered"`
	AwaitingReply int64 `json:"awaitingReply"`
	Received      int64 `json:"received"`
	Answered      int64 `json:"answered"`
}

// ClockSeries are the figures of one clock within a Series.
type ClockSeries struct {
	Channel string `json:"channel"`
	complaint.Dimensions
	SLA       string `json:"sla"`
	Clock     string `json:"clock"`
	DueSoon   int64  `json:"dueSoon"`
	Overdue   int64  `json:"overdue"`
	Met       int64  `json:"met"`
	Breached  int64  `json:"breached"`
	Cancelled int64  `json:"cancelled"`
}

// HistogramSeries are the times to the stop of a clock.
type HistogramSeries struct {
	Channel  string `json:"channel"`
	Priority string `json:"priority"`
	Clock    string `json:"clock"`
	// Working is true for time inside the calendar's hours, false for wall time.
	Working bool `json:"working"`
	// Buckets are the cumulative counts at BucketBounds; Count includes what lies above the last.
	Buckets []int64 `json:"buckets"`
	Count   int64   `json:"count"`
	Sum     float64 `json:"sum"` // seconds
	// Native are the same times in exponential buckets, in the order of their indices; none when the
	// ledger holds times that it counted before it kept these buckets.
	Native []NativeBucket `json:"native,omitempty"`
}

// BucketBounds are the upper bounds, in seconds, of every HistogramSeries: from half a minute, the
// scale of an emergency call, to sixty days, the longest promise of the older rules.
func BucketBounds() []float64 {
	const minute, hour, day = 60, 3600, 86400
	return []float64{
		30, 2 * minute, 5 * minute, 15 * minute, 30 * minute, hour, 2 * hour, 4 * hour, 8 * hour,
		day, 2 * day, 3 * day, 5 * day, 7 * day, 14 * day, 30 * day, 60 * day,
	}
}

// SpilloverSeries counts complaints that came back on another channel.
type SpilloverSeries struct {
	From  string `json:"from"`
	To    string `json:"to"`
	Count int64  `json:"count"`
}
