package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tanggap/tanggap/test/site"
)

// measure is a figure that is sampled every second, by thirds of the run.
type measure struct {
	name string
	// bytes says that it is shown in MiB; grows that it does as long as there is more to keep.
	bytes, grows bool
	// peak compares the most of each third, as with what goes up and is cut back, and not the median.
	peak bool
	// slack is what may be between two thirds although nothing grows.
	slack   float64
	samples [thirds][]float64
}

const mebibyte = 1 << 20

func newMeasures() []*measure {
	return []*measure{
		{name: "ledger: memory", bytes: true, slack: 12 * mebibyte},
		{name: "ledger: goroutines", slack: 32},
		{name: "ledger: open files", slack: 16},
		{name: "ledger: requests that wait", slack: 64},
		{name: "worker: memory", bytes: true, slack: 12 * mebibyte},
		{name: "worker: goroutines", slack: 32},
		{name: "worker: open files", slack: 16},
		{name: logFiles, bytes: true, peak: true, slack: 64 * mebibyte},
		{name: deadRows, peak: true, slack: 20_000},
		{name: dataFiles, bytes: true, grows: true, slack: 32 * mebibyte},
	}
}

// value stands for a third.
func (m *measure) value(third int) float64 {
	samples := slices.Sorted(slices.Values(m.samples[third]))
	switch {
	case len(samples) == 0:
		return 0
	case m.grows:
		// How much there was more at the end.
		return samples[len(samples)-1] - samples[0]
	case m.peak:
		return samples[len(samples)-1]
	}
	return samples[len(samples)/2]
}

// bounded reports whether the last third shows no more growth than chance. What goes up and down may be half
// as high again as it was, anything else a tenth; what grows with what is kept may not grow faster.
func (m *measure) bounded() bool {
	const steady, swinging = 1.1, 1.5
	before, factor := m.value(1), steady
	if m.peak || m.grows {
		before, factor = max(m.value(0), m.value(1)), swinging
	}
	return m.value(2) <= max(before*factor, before+m.slack)
}

// sampler takes samples of both processes and of the storage.
type sampler struct {
	site     *site.Site
	storage  *storage
	measures []*measure
	third    atomic.Int32
}

func newSampler(w *site.Site, s *storage) *sampler {
	return &sampler{site: w, storage: s, measures: newMeasures()}
}

// run samples until ctx ends.
func (s *sampler) run(ctx context.Context) error {
	for site.Pause(ctx, time.Second) {
		values, err := s.sample(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		third := s.third.Load()
		for _, m := range s.measures {
			if v, ok := values[m.name]; ok {
				m.samples[third] = append(m.samples[third], v)
			}
		}
	}
	return nil
}

// figuresOf are the names of a process's own metrics.
var figuresOf = map[string]string{
	"process_resident_memory_bytes": "memory", "go_goroutines": "goroutines", "process_open_fds": "open files",
	"tanggap_ledger_requests_waiting": "requests that wait",
}

func (s *sampler) sample(ctx context.Context) (map[string]float64, error) {
	values, err := s.storage.sizes(ctx)
	if err != nil {
		return nil, err
	}
	for name, process := range map[string]*site.Process{"ledger": s.site.Ledger, "worker": s.site.Worker} {
		if err := scrape(ctx, "http://"+process.Address("probes")+"/metrics", name, values); err != nil {
			return nil, fmt.Errorf("asking the %s for its metrics: %w", name, err)
		}
	}
	return values, nil
}

func scrape(ctx context.Context, url, process string, values map[string]float64) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		name, text, _ := strings.Cut(lines.Text(), " ")
		if figure := figuresOf[name]; figure != "" {
			if values[process+": "+figure], err = strconv.ParseFloat(text, 64); err != nil {
				return fmt.Errorf("reading %s: %w", name, err)
			}
		}
	}
	return lines.Err()
}
