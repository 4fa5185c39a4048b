package metrics

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// exposition makes the metrics of one ledger for one scrape.
type exposition struct {
	collector *Collector
	ledger    Ledger
	now       time.Time
	metrics   []prometheus.Metric
	// text takes everything instead of metrics, unless it is nil.
	text *families
	// channels are those that this ledger exports, with what is known of each.
	channels map[string]channelView
}

// channelView is what decides which of a channel's series are there.
type channelView struct {
	summary   ledgerapi.ChannelSummary
	inLedger  bool // the summary has it
	known     bool // its figures can be relied on
	reported  bool
	suspended bool
}

// render makes all the metrics: those that time changes into e.metrics, the others into the result,
// which is the one from before when nothing has changed.
func (e *exposition) render(before rendered, claims claims) rendered {
	up := e.ledger.Up(e.now)
	e.gauge(summaryUp, boolean(up), e.ledger.Name)
	if s := e.ledger.Summary; s != nil && !s.Watermark.IsZero() {
		e.gauge(summaryTimestamp, seconds(s.Watermark), e.ledger.Name)
	}
	if e.ledger.Policy == nil {
		return rendered{}
	}
	summary := e.ledger.Summary
	if !up {
		summary = nil
	}
	owned := e.view(summary, claims)
	calendars := before.calendars
	if before.policy != e.ledger.Policy || calendars == nil {
		calendars = compileCalendars(e.ledger.Policy)
	}
	e.hours(calendars)
	e.momentary()
	view := owned + "\n" + e.viewKey()
	if before.summary.SameFigures(summary) && before.policy == e.ledger.Policy && before.view == view {
		return before
	}
	lasting := &exposition{collector: e.collector, ledger: e.ledger, now: e.now, channels: e.channels}
	if e.text != nil {
		lasting.text = newFamilies(e.collector.labels, before.text)
	}
	lasting.specifications(strings.Split(owned, "\n"))
	if summary != nil {
		lasting.figures(summary)
	}
	return rendered{summary: summary, policy: e.ledger.Policy, view: view, metrics: lasting.metrics, text: lasting.text, calendars: calendars}
}

// view decides which names are this ledger's to export, and what is known of its channels. The result
// lists the names of SLAs and calendars.
func (e *exposition) view(summary *ledgerapi.Summary, claims claims) string {
	document := e.ledger.Policy
	e.channels = map[string]channelView{}
	for _, name := range slices.Sorted(maps.Keys(document.Channels)) {
		if !claims.take("channel", e.ledger.Namespace, name) {
			continue
		}
		view := channelView{suspended: document.Channels[name].Suspended}
		if summary != nil {
			at := LedgerTime(summary, e.ledger.ReadAt, e.now)
			view.summary, view.inLedger = summary.Channels[name]
			view.reported = Reported(view.summary, at)
			view.known = FiguresKnown(view.summary, view.suspended, at)
		}
		e.channels[name] = view
	}
	var owned []string
	for _, name := range slices.Sorted(maps.Keys(document.SLAs)) {
		if claims.take("sla", e.ledger.Namespace, name) {
			owned = append(owned, "sla/"+name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(document.Calendars)) {
		if claims.take("calendar", e.ledger.Namespace, name) {
			owned = append(owned, "calendar/"+name)
		}
	}
	return strings.Join(owned, "\n")
}

// viewKey tells apart the views that export different series.
func (e *exposition) viewKey() string {
	var key strings.Builder
	for _, name := range slices.Sorted(maps.Keys(e.channels)) {
		view := e.channels[name]
		key.WriteString(name)
		key.WriteByte('/')
		key.WriteString(strconv.FormatBool(view.known))
		key.WriteByte(' ')
	}
	return key.String()
}

// momentary makes the metrics that time alone changes.
func (e *exposition) momentary() {
	if !e.ledger.Up(e.now) {
		return
	}
	for name, view := range e.channels {
		if view.suspended {
			continue
		}
		e.gauge(channelUp, boolean(view.reported), name)
		if view.reported && view.summary.State == ledgerapi.SourceDisconnected {
			e.gauge(channelSourceProblem, 1, name, string(view.summary.Reason))
		}
		if through := view.summary.ObservedThrough; through != nil {
			e.gauge(channelSourceLag, max(0, e.now.Sub(*through).Seconds()), name)
		}
	}
}

// gauge adds a gauge; the first label, the namespace, is the ledger's.
func (e *exposition) gauge(name string, value float64, labels ...string) {
	e.constant(name, prometheus.GaugeValue, value, labels)
}

func (e *exposition) counter(name string, value int64, labels ...string) {
	e.constant(name, prometheus.CounterValue, float64(value), labels)
}

func (e *exposition) constant(name string, kind prometheus.ValueType, value float64, labels []string) {
	if e.text != nil {
		e.text.add(name, "", value, e.ledger.Namespace, labels, [2]string{})
		return
	}
	desc := e.collector.descs[name]
	metric, err := prometheus.NewConstMetric(desc, kind, value, slices.Insert(labels, 0, e.ledger.Namespace)...)
	if err != nil {
		metric = prometheus.NewInvalidMetric(desc, err)
	}
	e.metrics = append(e.metrics, metric)
}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
