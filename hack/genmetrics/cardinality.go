package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/manifest"
	"github.com/tanggap/tanggap/internal/metrics"
	"github.com/tanggap/tanggap/internal/policy"
)

const formats = `.

## Formats

The endpoint speaks the text format, protobuf and OpenMetrics. Who takes the text format, as Prometheus does, gets it, since it costs a
scrape of many series least; who prefers protobuf to it, or takes nothing but OpenMetrics, gets that. By protobuf the histograms come
in both forms: with the buckets above, and as native histograms of schema 2, in which each bucket is a fifth wider than the one below.
Prometheus has to be told to take these (` + "`--enable-feature=native-histograms`" + `, from version 3.8 ` + "`scrape_native_histograms: true`" + `), and then
to keep the classic buckets too (` + "`always_scrape_classic_histograms: true`" + `, before version 3.0 ` + "`scrape_classic_histograms: true`" + `), which the
shipped rules and dashboards read. A histogram that holds times from before a ledger kept native buckets is classic only, as a part would pass for all.

There are no created timestamps: a ledger does not keep when it first counted something, and an invented one would make rates wrong.
What they are for, the first increase of a counter, is there all the same where it matters: ` + "`tanggap_sla_clocks_total`" + ` begins at zero with
the first complaint of its labels, before the first verdict; complaints received and answered at once, with the labels that the taxonomy gives by
itself; ` + "`tanggap_spillovers_total`" + ` also at once, where complaints are linked, from each official channel to each that is not, but for those
where people are known by accounts of the platform alone ([concepts.md](concepts.md#spill-over)).

`

const cardinality = `## How many series

The specifications bound the number of series; complaints do not. With *c* categories, *d* departments and *p* priorities of a channel's
taxonomy, the fallback among each, and *k* clocks of its SLA, a channel has at most the number below. The last column adds it up for the
sample city in ` + "`config/samples/depok`" + `. A histogram counts all its buckets. Counters that an earlier taxonomy or SLA has left behind come on
top, since counters never go away.

| metric | series of a channel | sample city |
| --- | --- | --- |
`

// formula says how many series of a metric there are, by its labels.
func formula(m metrics.Metric) string {
	has := func(label string) bool { return slices.Contains(m.Labels, label) }
	switch {
	case m.Type == metrics.Histogram:
		return fmt.Sprintf("%d · p · k", len(ledgerapi.BucketBounds())+3)
	case has("outcome") && has("clock"):
		return "3 · c · d · p · k"
	case has("category") && has("clock"):
		return "c · d · p · k"
	case has("category"):
		return "c · d · p"
	case has("from"):
		return "one for each other channel of the ledger"
	case has("result"), has("outcome"), m.Name == "tanggap_ingest_errors_total":
		one := &policy.Document{Channels: map[string]policy.Channel{"one": {Replies: true}}}
		return fmt.Sprintf("%d, one for each %s", metrics.Bound(one)[m.Name], m.Labels[2])
	case has("channel") && has("clock"):
		return "k"
	case has("channel"):
		return "1"
	case has("sla"):
		return "k for each SLA"
	case has("calendar"):
		return "1 for each calendar"
	case has("ledger"):
		return "1 for each ledger"
	default:
		return "1 for each replica of the operator"
	}
}

// readSample is the policy that the manifests of a folder make, with links between channels.
func readSample(folder string) (*policy.Document, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil {
		return nil, err
	}
	var all bytes.Buffer
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&all, "---\n%s\n", text)
	}
	file, err := manifest.ReadPolicy(folder, &all)
	if err != nil {
		return nil, fmt.Errorf("reading the sample: %w", err)
	}
	file.Document.Linking.Window = "672h"
	return &file.Document, nil
}
