package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tanggap/tanggap/test/bench/machine"
)

// page is the page of the documentation: a table for each storage, a column for each third.
func (o *options) page(facts machine.Facts, results []*result) string {
	var page strings.Builder
	page.WriteString("# Soak\n\nWritten by `make soak`; do not edit. [README.md](README.md) says what is measured.\n\n")
	fmt.Fprintf(&page, "- Machine: %s\n- Command: `bin/soak -cases %d -rate %d -for %s -variants %s`\n",
		facts, o.cases, o.rate, o.duration, strings.Join(o.variants, ","))
	for _, r := range results {
		r.table(&page)
	}
	return page.String()
}

func (r *result) table(page *strings.Builder) {
	c := &r.cases
	fmt.Fprintf(page, "\n## On %s\n\n%d deliveries in %s, %.0f/s. At the end %d cases with %d events, of which %d open and %d overdue; "+
		"retention has taken the content of %d, %d were redacted. A recount finds no difference.\n\n",
		r.storage, r.taken(), r.spent.Round(time.Second), float64(r.taken())/r.spent.Seconds(), c.all, r.events, c.open, c.overdue, c.expired, c.redacted)
	page.WriteString("| | first third | second | last | |\n| --- | --- | --- | --- | --- |\n")
	ms := func(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }
	for _, q := range []struct {
		name string
		of   float64
	}{{"a delivery, p50", 0.5}, {"a delivery, p99", 0.99}, {"a delivery, the slowest", 1}} {
		fmt.Fprintf(page, "| %s |", q.name)
		for third := range r.deliveries {
			fmt.Fprintf(page, " %s |", ms(r.deliveries[third].Quantile(q.of)))
		}
		page.WriteString(" |\n")
	}
	for _, m := range r.measures {
		if len(m.samples[0]) == 0 {
			continue // the storage has no such thing
		}
		fmt.Fprintf(page, "| %s |", m.title())
		for third := range thirds {
			fmt.Fprintf(page, " %s |", m.text(m.value(third)))
		}
		verdict := "bounded"
		if !m.bounded() {
			verdict = "**grows**"
		} else if m.grows {
			verdict = "no faster"
		}
		fmt.Fprintf(page, " %s |\n", verdict)
	}
}

func (m *measure) title() string {
	switch {
	case m.grows:
		return m.name + ", growth"
	case m.peak:
		return m.name + ", at most"
	}
	return m.name + ", median"
}

func (m *measure) text(v float64) string {
	if m.bytes {
		return fmt.Sprintf("%.1f MiB", v/mebibyte)
	}
	return fmt.Sprintf("%.0f", v)
}

// grown is an error that names what went on growing.
func (r *result) grown() (err error) {
	const factor, slack = 2, 20 * time.Millisecond
	median := func(third int) time.Duration { return r.deliveries[third].Quantile(0.5) }
	if median(2) > factor*max(median(0), median(1))+slack {
		err = fmt.Errorf("on %s, deliveries take longer and longer", r.storage)
	}
	if r.cases.expired == 0 {
		err = errors.Join(err, fmt.Errorf("on %s, retention has taken nothing: the run was too short", r.storage))
	}
	for _, m := range r.measures {
		if !m.bounded() {
			err = errors.Join(err, fmt.Errorf("on %s, %s goes on growing", r.storage, m.title()))
		}
	}
	return err
}
