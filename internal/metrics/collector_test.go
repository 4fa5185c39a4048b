package metrics

import (
	"bytes"
	"errors"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"

	"github.com/tanggap/tanggap/internal/calendar"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/policy"
	"github.com/tanggap/tanggap/internal/sla"
	"github.com/tanggap/tanggap/test/golden"
)

var now = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

func ago(d time.Duration) *time.Time { return new(now.Add(-d)) }

// city is a ledger with a channel that works, one that is suspended and one whose worker never reported.
func city() Ledger {
	flood := complaint.Dimensions{Category: "flood", Department: "dpupr", Priority: "high"}
	waste := complaint.Dimensions{Category: "garbage", Department: "dlhk", Priority: "normal"}
	buckets := make([]int64, len(ledgerapi.BucketBounds()))
	for i := range buckets {
		buckets[i] = int64(min(i, 3))
	}
	return Ledger{
		Namespace: "depok", Name: "ledger",
		ReadAt: now.Add(-time.Second), AnsweredAt: now.Add(-time.Second),
		Policy: &policy.Document{
			Revision: "r1",
			Channels: map[string]policy.Channel{
				"dsw":     {Type: "rest", Official: true, SLA: "city", Replies: true},
				"mayor":   {Type: "webhook", Official: false, SLA: "city", Suspended: true, Replies: true},
				"silent":  {Type: "open311", Official: true},
				"refused": {Type: "rest", Official: true, Calendar: "office"},
			},
			SLAs: map[string]sla.Spec{"city": {
				Objective: &sla.Objective{Ratio: "0.95", Window: "720h"},
				Rules: []sla.Rule{
					{Name: "urgent", Clocks: []sla.Clock{{Name: "FirstAnswer"}}},
					{Name: "rest", Clocks: []sla.Clock{{Name: "FirstAnswer"}, {Name: "Resolution"}}},
				},
			}},
			Calendars: map[string]calendar.Spec{
				"office": {TimeZone: "Asia/Jakarta", CoversUntil: "2026-12-31", Weekly: []calendar.WeeklyHours{
					{Days: []string{"Monday"}, Hours: []calendar.Interval{{Start: "07:30", End: "16:00"}}},
				}},
				"always": {TimeZone: "Asia/Jakarta"},
			},
		},
		Summary: &ledgerapi.Summary{
			Position: ledgerapi.Position{Sequence: 7}, At: now.Add(-time.Second), Watermark: now.Add(-2 * time.Second),
			Channels: map[string]ledgerapi.ChannelSummary{
				"dsw": {
					Unanswered: 3, Overdue: 1, OldestUnansweredAt: ago(time.Hour), LastEventAt: ago(time.Minute), ObservedThrough: ago(30 * time.Second),
					ReportedAt: ago(5 * time.Second), LastSuccessAt: ago(20 * time.Second), Accepted: 40, Duplicate: 8, Rejected: 2,
					Errors:      map[ledgerapi.Reason]int64{ledgerapi.ReasonTimeout: 3},
					Corrections: map[string]int64{"FirstAnswer": 1}, BeyondCoverage: 1,
					Replies: &ledgerapi.ReplySummary{Waiting: 2, OldestWaitingAt: ago(4 * time.Minute), Sent: 7, Failed: 1, Unconfirmed: 1, Returned: 2},
				},
				"mayor":   {Unanswered: 1, ReportedAt: ago(240 * time.Hour), LastEventAt: ago(240 * time.Hour), OldestUnansweredAt: ago(300 * time.Hour)},
				"silent":  {Accepted: 0},
				"refused": {ReportedAt: ago(time.Second), State: ledgerapi.SourceDisconnected, Reason: ledgerapi.ReasonUnauthorized},
				"gone":    {Unanswered: 99, ReportedAt: ago(time.Second)},
			},
			Series: []ledgerapi.Series{
				{Channel: "dsw", Dimensions: flood, Unanswered: 3, AwaitingReply: 4, Received: 30, Answered: 27},
				{Channel: "mayor", Dimensions: waste, Unanswered: 1, AwaitingReply: 1, Received: 5, Answered: 4},
				{Channel: "silent", Dimensions: waste, Received: 2, Answered: 2},
				{Channel: "gone", Dimensions: waste, Unanswered: 99, Received: 99},
			},
			Clocks: []ledgerapi.ClockSeries{
				{Channel: "dsw", Dimensions: flood, SLA: "city", Clock: "FirstAnswer", DueSoon: 2, Overdue: 1, Met: 20, Breached: 6, Cancelled: 1},
			},
			Histogram: []ledgerapi.HistogramSeries{
				{Channel: "dsw", Priority: "high", Clock: "FirstAnswer", Buckets: buckets, Count: 4, Sum: 9000},
				{Channel: "dsw", Priority: "high", Clock: "FirstAnswer", Working: true, Buckets: buckets, Count: 3, Sum: 600},
			},
			Spillover: []ledgerapi.SpilloverSeries{{From: "dsw", To: "mayor", Count: 2}, {From: "dsw", To: "gone", Count: 9}},
		},
	}
}

// gather is what a scrape answers.
func gather(t *testing.T, c prometheus.Collector) string {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(c); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	for _, family := range families {
		if _, err := expfmt.MetricFamilyToText(&text, family); err != nil {
			t.Fatal(err)
		}
	}
	return text.String()
}

func leads() bool { return true }

func collector(ledgers ...Ledger) *Collector {
	return New(func() []Ledger { return ledgers }, leads, func() time.Time { return now })
}

func TestExposition(t *testing.T) {
	golden.Text(t, "city.prom", []byte(gather(t, collector(city()))))
}

func TestTheLintersOfPrometheusHaveNothingToSay(t *testing.T) {
	problems, err := promlint.New(strings.NewReader(gather(t, collector(city())))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		t.Errorf("%s: %s", problem.Metric, problem.Text)
	}
	promtool := exec.CommandContext(t.Context(), "promtool", "check", "metrics")
	promtool.Stdin = strings.NewReader(gather(t, collector(city())))
	output, err := promtool.CombinedOutput()
	if _, problems := errors.AsType[*exec.ExitError](err); err != nil && !problems {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(output)) {
		// The summary is the ledger's. Older versions of promtool take the word for the type of metric.
		if !strings.HasSuffix(line, "metric name should not include type 'summary'\n") {
			t.Errorf("promtool check metrics: %s", line)
		}
	}
}

func TestEveryMetricOfTheCatalogueIsExported(t *testing.T) {
	text := gather(t, collector(city()))
	for _, m := range Catalogue() {
		if !strings.Contains(text, "# TYPE "+m.Name+" "+string(m.Type)+"\n") {
			t.Errorf("%s is not exported as a %s", m.Name, m.Type)
		}
	}
}

// series are the names of the series of a scrape, with the channel or ledger they speak of.
func series(text string) map[string]bool {
	found := map[string]bool{}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		name, labels, _ := strings.Cut(line, "{")
		for _, label := range []string{"channel", "ledger"} {
			if _, rest, ok := strings.Cut(labels, ","+label+`="`); ok || strings.HasPrefix(labels, label+`="`) {
				if !ok {
					rest = strings.TrimPrefix(labels, label+`="`)
				}
				value, _, _ := strings.Cut(rest, `"`)
				found[name+" "+value] = true
			}
		}
		found[name] = true
	}
	return found
}

func parsed(t *testing.T, c *Collector) map[string]bool {
	t.Helper()
	// Labels are sorted: channel comes after category, and first where there is none.
	return series(gather(t, c))
}

func TestUnknownIsNotZero(t *testing.T) {
	for sentence, c := range map[string]struct {
		change        func(*Ledger)
		there, absent []string
	}{
		"a ledger that answers and a worker that reports show everything": {
			func(*Ledger) {},
			[]string{complaintsUnanswered + " dsw", complaintsOverdue + " dsw", complaintsReceived + " dsw", channelUp + " dsw", oldestUnanswered + " dsw", channelSourceLag + " dsw"}, nil,
		},
		"a ledger that does not answer takes all its figures along, counters too": {
			func(l *Ledger) { l.AnsweredAt = now.Add(-ReadTimeout - time.Second) },
			[]string{summaryUp + " ledger", summaryTimestamp + " ledger", channelInfo + " dsw", slaObjective, calendarCoversUntil},
			[]string{complaintsUnanswered, complaintsReceived, slaClocks, channelUp, channelSourceLag, ingestEvents, responseTime + "_count", oldestUnanswered},
		},
		"a ledger that was never read has no figures": {
			func(l *Ledger) { l.Summary = nil },
			[]string{summaryUp + " ledger", channelInfo + " dsw"},
			[]string{summaryTimestamp, complaintsUnanswered, complaintsReceived, channelUp},
		},
		"a ledger whose policy is not known has no figures": {
			func(l *Ledger) { l.Policy = nil },
			[]string{summaryUp + " ledger"},
			[]string{complaintsUnanswered, complaintsReceived, channelUp, channelInfo},
		},
		"a worker that never reported has counters, is down, and no gauge of complaints": {
			func(*Ledger) {},
			[]string{complaintsReceived + " silent", channelUp + " silent"},
			[]string{complaintsUnanswered + " silent", complaintsAwaitingReply + " silent", oldestUnanswered + " silent", channelBeyondCoverage + " silent"},
		},
		"a worker that fell silent is down and its gauges are gone": {
			func(l *Ledger) {
				dsw := l.Summary.Channels["dsw"]
				dsw.ReportedAt = ago(ReportTimeout + time.Second)
				l.Summary.Channels["dsw"] = dsw
			},
			[]string{channelUp + " dsw", complaintsReceived + " dsw", channelSourceLag + " dsw", slaClocks + " dsw"},
			[]string{complaintsUnanswered + " dsw", complaintsOverdue + " dsw", complaintsDueSoon + " dsw", oldestUnanswered + " dsw"},
		},
		"a suspended channel keeps its backlog and is neither up nor down": {
			func(*Ledger) {},
			[]string{complaintsUnanswered + " mayor", oldestUnanswered + " mayor", channelInfo + " mayor"},
			[]string{channelUp + " mayor", channelSourceLag + " mayor"},
		},
		"a suspended channel that never ran knows nothing": {
			func(l *Ledger) { l.Summary.Channels["mayor"] = ledgerapi.ChannelSummary{} },
			nil,
			[]string{complaintsUnanswered + " mayor", channelUp + " mayor"},
		},
		"a channel that was deleted is gone although the ledger still knows it": {
			func(*Ledger) {},
			nil,
			[]string{complaintsUnanswered + " gone", complaintsReceived + " gone", channelInfo + " gone", channelUp + " gone"},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			ledger := city()
			c.change(&ledger)
			found := parsed(t, collector(ledger))
			for _, name := range c.there {
				if !found[name] {
					t.Errorf("%s is missing", name)
				}
			}
			for _, name := range c.absent {
				if found[name] {
					t.Errorf("%s is there", name)
				}
			}
		})
	}
}

func value(t *testing.T, text, name string) string {
	t.Helper()
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, name+"{") {
			return strings.TrimSpace(line[strings.LastIndex(line, " "):])
		}
	}
	t.Fatalf("there is no %s", name)
	return ""
}

func TestDownIsZero(t *testing.T) {
	down := city()
	down.AnsweredAt = now.Add(-time.Minute)
	if got := value(t, gather(t, collector(down)), summaryUp); got != "0" {
		t.Errorf("%s is %s while the ledger is away", summaryUp, got)
	}
	silent := city()
	delete(silent.Policy.Channels, "dsw")
	delete(silent.Policy.Channels, "refused")
	if got := value(t, gather(t, collector(silent)), channelUp); got != "0" {
		t.Errorf("%s is %s for a worker that never reported", channelUp, got)
	}
}

func TestTimeAloneChangesWhatIsExported(t *testing.T) {
	at, ledger := now, city()
	c := New(func() []Ledger { return []Ledger{ledger} }, leads, func() time.Time { return at })
	lag := value(t, gather(t, c), channelSourceLag)
	at = now.Add(3 * time.Second)
	if later := value(t, gather(t, c), channelSourceLag); lag != "30" || later != "33" {
		t.Errorf("the lag went from %s to %s in three seconds", lag, later)
	}
	// The ledger goes on saying that nothing has changed, while no worker reports any more.
	at = now.Add(ReportTimeout)
	ledger.AnsweredAt = at
	if found := parsed(t, c); found[complaintsUnanswered+" dsw"] {
		t.Error("figures of two minutes ago are still exported")
	}
	at = now.Add(time.Hour)
	if found := parsed(t, c); found[complaintsReceived] {
		t.Error("figures of a ledger that does not answer are still exported")
	}
}

func TestAScrapeUsesWhatTheOneBeforeMade(t *testing.T) {
	ledger := city()
	c := New(func() []Ledger { return []Ledger{ledger} }, leads, func() time.Time { return now })
	gather(t, c)
	before := c.rendered[ledgerKey{"depok", "ledger"}].metrics
	gather(t, c)
	if after := c.rendered[ledgerKey{"depok", "ledger"}].metrics; &before[0] != &after[0] {
		t.Error("everything was made anew although nothing has changed")
	}
	next := *ledger.Summary
	next.Series = slices.Clone(next.Series)
	next.Series[0].Received++
	ledger.Summary = &next
	if got := gather(t, c); !strings.Contains(got, `tanggap_complaints_received_total{category="flood",channel="dsw",department="dpupr",namespace="depok",priority="high"} 31`) {
		t.Error("a new summary does not show")
	}
}

func TestAChannelThatMovesIsExportedOnce(t *testing.T) {
	first, second := city(), city()
	second.Name = "other"
	text := gather(t, collector(first, second)) // the pedantic registry refuses a series that is there twice
	if got := strings.Count(text, "\n"+summaryUp+"{"); got != 2 {
		t.Errorf("%d ledgers are exported", got)
	}
	empty := Ledger{Namespace: "bogor", Name: "ledger"}
	if found := parsed(t, collector(empty, first)); !found[complaintsUnanswered+" dsw"] {
		t.Error("a ledger that was never read hides another one")
	}
}

func TestAReplicaThatDoesNotLeadSaysJustThat(t *testing.T) {
	idle := New(func() []Ledger { return nil }, func() bool { return false }, func() time.Time { return now })
	text := gather(t, idle)
	if strings.Count(text, "\n") != 3 || !strings.Contains(text, "\n"+operatorLeading+" 0\n") {
		t.Errorf("a replica that does not lead exports %s", text)
	}
	if text := gather(t, collector()); !strings.Contains(text, "\n"+operatorLeading+" 1\n") {
		t.Errorf("one that leads exports %s", text)
	}
}

func TestTheCatalogueIsWellFormed(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range Catalogue() {
		if seen[m.Name] || m.Help == "" || m.Absent == "" || m.Name != operatorLeading && m.Labels[0] != "namespace" {
			t.Errorf("%+v: a metric has one entry, a help, an absence, and the namespace first", m)
		}
		seen[m.Name] = true
		if strings.HasSuffix(m.Name, "_total") != (m.Type == Counter) {
			t.Errorf("%s is a %s", m.Name, m.Type)
		}
	}
	want := []string{
		"tanggap_calendar_covers_until_timestamp_seconds", "tanggap_channel_info", "tanggap_channel_last_event_timestamp_seconds",
		"tanggap_channel_last_success_timestamp_seconds", "tanggap_channel_source_lag_seconds", "tanggap_channel_up",
		"tanggap_complaint_oldest_unanswered_timestamp_seconds", "tanggap_complaints_answered_total", "tanggap_complaints_awaiting_reply",
		"tanggap_complaints_due_soon", "tanggap_complaints_overdue", "tanggap_complaints_received_total", "tanggap_complaints_unanswered",
		"tanggap_ingest_errors_total", "tanggap_ingest_events_total", "tanggap_response_seconds", "tanggap_response_working_seconds",
		"tanggap_sla_clocks_total", "tanggap_sla_corrections_total", "tanggap_sla_objective_ratio", "tanggap_sla_window_seconds",
		"tanggap_spillovers_total", "tanggap_summary_timestamp_seconds", "tanggap_summary_up",
	}
	for _, beyond := range []string{channelBeyondCoverage, channelOpen, channelSourceProblem, operatorLeading, repliesDone, repliesWaiting, replyOldestWaiting} {
		delete(seen, beyond) // beyond the architecture's table
	}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(seen))); diff != "" {
		t.Errorf("against the architecture's table: %s", diff)
	}
}
