package ledger

import (
	"strconv"
	"strings"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

// family says what a row of figures is about, and so what its labels and columns mean.
type family string

const (
	// familySeries: channel, category, department, priority.
	familySeries family = "series"
	// familyClock: channel, category, department, priority, SLA, clock.
	familyClock family = "clock"
	// familyChannel: channel.
	familyChannel family = "channel"
	// familyIngest: channel.
	familyIngest family = "ingest"
	// familyError: channel, reason.
	familyError family = "error"
	// familyCorrection: channel, clock.
	familyCorrection family = "correction"
	// familyReply: channel. Its column replyOldest is an instant, and not a count.
	familyReply family = "reply"
	// familyReturned: channel; replies that were sent and came back.
	familyReturned family = "returned"
	// familySpillover: from, to.
	familySpillover family = "spillover"
	// familyHistogram: channel, priority, clock, wall or working, place of the bucket, index of the native
	// bucket. Rows written before there were native buckets have no index.
	familyHistogram family = "histogram"
)

// The columns of each family.
const (
	seriesUnanswered, seriesAwaiting, seriesReceived, seriesAnswered                = 0, 1, 2, 3
	clockDueSoon, clockOverdue, clockMet, clockBreached, clockCancelled             = 0, 1, 2, 3, 4
	channelOpen, channelOverdue, channelBeyond                                      = 0, 1, 2
	ingestAccepted, ingestDuplicate, ingestRejected, ingestSkipped                  = 0, 1, 2, 3
	replyWaiting, replyOldest, replySent, replyFailed, replyUnconfirmed             = 0, 1, 2, 3, 4
	errorCount, correctionCount, spilloverCount, histogramCount, histogramSumMicros = 0, 0, 0, 0, 1
	returnedCount                                                                   = 0
)

const (
	wallTime    = "wall"
	workingTime = "working"
)

// figureKey is a row of figures: its family and its labels, those that the family does not use empty.
type figureKey struct {
	family family
	labels [6]string
}

type values = [store.FigureColumns]int64

// separator cannot stand in a label: labels are names of objects and of fields that the API bounds to
// letters, digits and a few signs. A label that has it all the same is cut there.
const separator = "\x1f"

// encode is the key as it is stored.
func (k figureKey) encode() string {
	n := len(k.labels)
	for n > 0 && k.labels[n-1] == "" {
		n--
	}
	var b strings.Builder
	b.WriteString(string(k.family))
	for _, label := range k.labels[:n] {
		b.WriteString(separator)
		label, _, _ = strings.Cut(label, separator)
		b.WriteString(label)
	}
	return b.String()
}

// decodeKey is the inverse of encode.
func decodeKey(s string) figureKey {
	name, rest, more := strings.Cut(s, separator)
	k := figureKey{family: family(name)}
	for i := 0; more && i < len(k.labels); i++ {
		k.labels[i], rest, more = strings.Cut(rest, separator)
	}
	return k
}

func seriesKey(channel string, d *complaint.Dimensions) figureKey {
	return figureKey{familySeries, [6]string{channel, d.Category, d.Department, d.Priority}}
}

func clockKey(channel string, d *complaint.Dimensions, sla, clock string) figureKey {
	return figureKey{familyClock, [6]string{channel, d.Category, d.Department, d.Priority, sla, clock}}
}

func channelKey(f family, channel string) figureKey {
	return figureKey{family: f, labels: [6]string{channel}}
}

// tally is what a transaction adds to the figures.
type tally map[figureKey]*values

func (t tally) add(k figureKey, column int, n int64) {
	if n == 0 {
		return
	}
	v := t[k]
	if v == nil {
		v = new(values)
		t[k] = v
	}
	v[column] += n
}

// gauges adds what a case contributes to the gauges, sign times; nil contributes nothing.
func (t tally) gauges(s *caseState, sign int64) {
	if s == nil {
		return
	}
	row, r := &s.row, &s.record
	one := func(k figureKey, column int, is bool) {
		if is {
			t.add(k, column, sign)
		}
	}
	if row.Unanswered() || r.AwaitingReply {
		k := seriesKey(row.Channel, &row.Dimensions)
		one(k, seriesUnanswered, row.Unanswered())
		one(k, seriesAwaiting, r.AwaitingReply)
	}
	for i := range r.Clocks {
		c := &r.Clocks[i]
		if c.DueSoon || c.Overdue {
			k := clockKey(row.Channel, &row.Dimensions, r.SLA, c.Name)
			one(k, clockDueSoon, c.DueSoon)
			one(k, clockOverdue, c.Overdue)
		}
	}
	if row.Open || row.Overdue || r.BeyondCoverage > 0 {
		k := channelKey(familyChannel, row.Channel)
		one(k, channelOpen, row.Open)
		one(k, channelOverdue, row.Overdue)
		t.add(k, channelBeyond, sign*r.BeyondCoverage)
	}
}

// observe adds a time to the stop of a clock to its histogram.
func (t tally) observe(channel, priority, clock, measure string, d time.Duration) {
	seconds := d.Seconds()
	bounds := ledgerapi.BucketBounds()
	place := len(bounds)
	for i, bound := range bounds {
		if seconds <= bound {
			place = i
			break
		}
	}
	k := figureKey{familyHistogram, [6]string{channel, priority, clock, measure, strconv.Itoa(place), strconv.Itoa(int(ledgerapi.NativeIndex(seconds)))}}
	t.add(k, histogramCount, 1)
	t.add(k, histogramSumMicros, d.Microseconds())
}

// rows are the figures as the store takes them, without those that came to nothing.
func (t tally) rows() []store.Figures {
	rows := make([]store.Figures, 0, len(t))
	for k, v := range t {
		if *v != (values{}) {
			rows = append(rows, store.Figures{Key: k.encode(), Values: *v})
		}
	}
	return rows
}
