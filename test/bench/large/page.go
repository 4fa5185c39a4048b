package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tanggap/tanggap/test/bench/machine"
)

// page is the page of the documentation: a row for each figure, a column for each number of cases.
func (b *bench) page(facts machine.Facts) string {
	o := &b.options
	var page strings.Builder
	page.WriteString("# A large ledger\n\nWritten by `make bench-large`; do not edit. [README.md](README.md) says what is measured.\n\n")
	fmt.Fprintf(&page, "- Machine: %s\n- Command: `bin/large -cases %d -channels %d -categories %d -rate %d -soak %s`\n- PostgreSQL on the same machine; making the copies took %s\n\n",
		facts, o.cases, o.channels, o.categories, o.rate, o.soak, b.filling.Round(time.Second))
	page.WriteString("| |")
	for i := range b.figures {
		fmt.Fprintf(&page, " %s open cases |", thousands(b.figures[i].cases))
	}
	page.WriteString("\n| --- |" + strings.Repeat(" --- |", len(b.figures)) + "\n")
	row := func(name string, value func(*figures) string) {
		fmt.Fprintf(&page, "| %s |", name)
		for i := range b.figures {
			page.WriteString(" " + value(&b.figures[i]) + " |")
		}
		page.WriteString("\n")
	}
	ms := func(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }
	mib := func(n int64) string { return fmt.Sprintf("%d MiB", n>>20) }
	lag := func(all []time.Duration) string {
		if len(all) == 0 {
			return "none"
		}
		return fmt.Sprintf("%s / %s / %s of %d", ms(quantile(all, 0.5)), ms(quantile(all, 0.99)), ms(slices.Max(all)), len(all))
	}
	row("series in a scrape", func(f *figures) string { return thousands(f.series) })
	row("a whole summary", func(f *figures) string { return ms(f.summary) })
	row("what has changed since, when nothing has", func(f *figures) string { return ms(f.change) })
	row("a scrape after a new summary", func(f *figures) string { return ms(f.scrapeNew) })
	row("a scrape after the same one", func(f *figures) string { return ms(f.scrapeSame) })
	row(fmt.Sprintf("deliveries/s (%d wanted)", o.rate), func(f *figures) string { return fmt.Sprintf("%.0f", f.deliveries.Rate()) })
	row("a delivery, p50 / p99", func(f *figures) string {
		return ms(f.deliveries.Quantile(0.5)) + " / " + ms(f.deliveries.Quantile(0.99))
	})
	row("of it the first third", func(f *figures) string { return ms(f.early.Quantile(0.5)) + " / " + ms(f.early.Quantile(0.99)) })
	row("of it the last third", func(f *figures) string { return ms(f.late.Quantile(0.5)) + " / " + ms(f.late.Quantile(0.99)) })
	row("from due to the summary, p50 / p99 / most", func(f *figures) string { return lag(f.toSummary) })
	row("from due to the metrics, p50 / p99 / most", func(f *figures) string { return lag(f.toMetrics) })
	row("ledger's memory after the load, and at most", func(f *figures) string { return mib(f.memory) + ", " + mib(f.peak) })
	row("start of the ledger", func(f *figures) string {
		if f.start == 0 {
			return ""
		}
		return ms(f.start)
	})
	row("database", func(f *figures) string { return mib(f.database) })
	row("of it cases, events, with their indexes", func(f *figures) string { return mib(f.cases1) + ", " + mib(f.events) })
	return page.String()
}

// thousands writes a number with separators.
func thousands(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
