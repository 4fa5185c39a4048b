package metrics

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tanggap/tanggap/internal/calendar"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/policy"
)

// Ledger is what the operator knows of a ledger at the time of a scrape.
type Ledger struct {
	Namespace, Name string
	// Policy is what the ledger is asked to run: which channels are its own, and their promises. nil is
	// not known yet, and then none of the ledger's figures is exported.
	Policy *policy.Document
	// Summary is the newest one, nil before the first, and ReadAt when it was read. It is never changed.
	Summary *ledgerapi.Summary
	ReadAt  time.Time
	// AnsweredAt is when the ledger last answered, be it that nothing had changed.
	AnsweredAt time.Time
}

// Up says whether the ledger has answered within ReadTimeout.
func (l *Ledger) Up(now time.Time) bool {
	return l.Summary != nil && now.Sub(l.AnsweredAt) <= ReadTimeout
}

// Collector exports the metrics of the catalogue.
type Collector struct {
	ledgers func() []Ledger
	leading func() bool
	now     func() time.Time
	descs   map[string]*prometheus.Desc

	catalogue []Metric
	labels    map[string][]string

	mu sync.Mutex
	// rendered are from the last Collect, written from the last Text.
	rendered, written map[ledgerKey]rendered
	scraped           time.Time
}

type ledgerKey struct{ namespace, name string }

// rendered are the metrics of a ledger that time alone does not change. They are made anew when the
// summary, the policy or what is known of a channel is another.
type rendered struct {
	summary *ledgerapi.Summary
	policy  *policy.Document
	view    string
	metrics []prometheus.Metric
	// text is set instead of metrics for Text.
	text *families
	// calendars are the policy's, compiled.
	calendars map[string]*calendar.Calendar
}

// New exports what ledgers returns, which is called on each scrape. Ledgers must come in a fixed order.
// leading says whether this replica leads.
func New(ledgers func() []Ledger, leading func() bool, now func() time.Time) *Collector {
	c := &Collector{ledgers: ledgers, leading: leading, now: now, descs: map[string]*prometheus.Desc{}, rendered: map[ledgerKey]rendered{}}
	c.catalogue = Catalogue()
	c.labels = labelsOf(c.catalogue)
	for _, m := range c.catalogue {
		c.descs[m.Name] = prometheus.NewDesc(m.Name, m.Help, m.Labels, nil)
	}
	return c
}

// Scraped is when the metrics were last scraped; zero is never.
func (c *Collector) Scraped() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.scraped
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(descs chan<- *prometheus.Desc) {
	for _, m := range Catalogue() {
		descs <- c.descs[m.Name]
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	c.scraped = now
	out <- prometheus.MustNewConstMetric(c.descs[operatorLeading], prometheus.GaugeValue, boolean(c.leading()))
	claims := claims{}
	kept := make(map[ledgerKey]rendered, len(c.rendered))
	for _, ledger := range c.ledgers() {
		e := &exposition{collector: c, ledger: ledger, now: now}
		key := ledgerKey{ledger.Namespace, ledger.Name}
		kept[key] = e.render(c.rendered[key], claims)
		for _, metric := range kept[key].metrics {
			out <- metric
		}
		for _, metric := range e.metrics {
			out <- metric
		}
	}
	c.rendered = kept
}

// claims are the names that a ledger has exported series for. While a channel moves from one ledger to
// another both may have it for a moment, and a series that is there twice would spoil the whole scrape.
type claims map[claim]bool

type claim struct{ kind, namespace, name string }

func (c claims) take(kind, namespace, name string) bool {
	at := claim{kind, namespace, name}
	if c[at] {
		return false
	}
	c[at] = true
	return true
}
