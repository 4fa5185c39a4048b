package metrics

import (
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// families are metrics in Prometheus' text format, the lines of each name together.
type families struct {
	labels map[string][]string // by the name of the metric
	lines  map[string][]byte
}

// newFamilies are empty, with room for what was there before; nil is nothing.
func newFamilies(labels map[string][]string, before *families) *families {
	f := &families{labels: labels, lines: map[string][]byte{}}
	if before != nil {
		for name, lines := range before.lines {
			f.lines[name] = make([]byte, 0, len(lines)+len(lines)/8)
		}
	}
	return f
}

// add adds one line: suffix follows the metric's name, and extra, unless its name is "", its labels. The first
// label is the namespace, unless the metric has none.
func (f *families) add(name, suffix string, value float64, namespace string, labels []string, extra [2]string) {
	b := append(append(f.lines[name], name...), suffix...)
	separator := byte('{')
	pair := func(label, value string) {
		b = append(append(append(b, separator), label...), '=', '"')
		b = append(appendEscaped(b, value), '"')
		separator = ','
	}
	if names := f.labels[name]; len(names) > 0 {
		pair(names[0], namespace)
		for i, value := range labels {
			pair(names[i+1], value)
		}
	}
	if extra[0] != "" {
		pair(extra[0], extra[1])
	}
	if separator == ',' {
		b = append(b, '}')
	}
	f.lines[name] = append(appendValue(append(b, ' '), value), '\n')
}

// histogram adds the classic buckets, which is all that the format can say.
func (f *families) histogram(name string, h ledgerapi.HistogramSeries, bounds []float64, namespace string) {
	labels := []string{h.Channel, h.Priority, h.Clock}
	for i, count := range h.Buckets[:min(len(h.Buckets), len(bounds))] {
		f.add(name, "_bucket", float64(count), namespace, labels, [2]string{"le", string(appendValue(nil, bounds[i]))})
	}
	f.add(name, "_bucket", float64(h.Count), namespace, labels, [2]string{"le", "+Inf"})
	f.add(name, "_sum", h.Sum, namespace, labels, [2]string{})
	f.add(name, "_count", float64(h.Count), namespace, labels, [2]string{})
}

// escapes are what the format asks for in a label's value.
var escapes = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

func appendEscaped(b []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return append(b, escapes.Replace(strings.ToValidUTF8(text, "\ufffd"))...)
		}
	}
	return append(b, text...)
}

func appendValue(b []byte, value float64) []byte {
	switch {
	case math.IsInf(value, +1):
		return append(b, "+Inf"...)
	case math.IsInf(value, -1):
		return append(b, "-Inf"...)
	}
	return strconv.AppendFloat(b, value, 'g', -1, 64)
}

// Text writes what Collect gives in Prometheus' text format, without making a metric of each series first:
// with 100,000 of them that is the difference between a scrape and a burden. Native histograms are left out, as
// the format has none.
func (c *Collector) Text(w io.Writer) error {
	for _, part := range c.text() {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

func (c *Collector) text() (parts [][]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	c.scraped = now
	momentary := newFamilies(c.labels, nil)
	momentary.add(operatorLeading, "", boolean(c.leading()), "", nil, [2]string{})
	all := []*families{momentary}
	claims := claims{}
	kept := make(map[ledgerKey]rendered, len(c.written))
	for _, ledger := range c.ledgers() {
		e := &exposition{collector: c, ledger: ledger, now: now, text: momentary}
		key := ledgerKey{ledger.Namespace, ledger.Name}
		kept[key] = e.render(c.written[key], claims)
		if lasting := kept[key].text; lasting != nil {
			all = append(all, lasting)
		}
	}
	c.written = kept
	for _, m := range c.catalogue {
		head := "# HELP " + m.Name + " " + strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(m.Help) + "\n# TYPE " + m.Name + " " + string(m.Type) + "\n"
		first := true
		for _, f := range all {
			lines := f.lines[m.Name]
			if len(lines) == 0 {
				continue
			}
			if first {
				parts, first = append(parts, []byte(head)), false
			}
			parts = append(parts, lines)
		}
	}
	return parts
}

// labelsOf are the labels of each metric of the catalogue.
func labelsOf(catalogue []Metric) map[string][]string {
	labels := make(map[string][]string, len(catalogue))
	for _, m := range catalogue {
		labels[m.Name] = slices.Clone(m.Labels)
	}
	return labels
}
