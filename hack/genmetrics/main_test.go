package main

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tanggap/tanggap/internal/metrics"
	"github.com/tanggap/tanggap/internal/policy"
	"github.com/tanggap/tanggap/internal/sla"
)

// TestTheFormulasAreTheBound compares them for a channel of one category, one department, one priority and
// one clock, of which a formula is the product of its numbers.
func TestTheFormulasAreTheBound(t *testing.T) {
	bound := metrics.Bound(&policy.Document{
		Channels: map[string]policy.Channel{"one": {SLA: "city", Calendar: "office", Replies: true}},
		SLAs:     map[string]sla.Spec{"city": {Rules: []sla.Rule{{Name: "all", Clocks: []sla.Clock{{Name: "first-answer"}}}}}},
	})
	for _, m := range metrics.Catalogue() {
		if len(m.Labels) < 2 || m.Labels[1] != "channel" {
			continue // not of one channel
		}
		product := 1
		count, _, _ := strings.Cut(formula(m), ",")
		for factor := range strings.SplitSeq(count, " · ") {
			if n, err := strconv.Atoi(factor); err == nil {
				product *= n
			} else if !slices.Contains([]string{"c", "d", "p", "k"}, factor) {
				t.Errorf("%s: %s", m.Name, formula(m))
			}
		}
		if product != bound[m.Name] {
			t.Errorf("%s: %s is %d series, and the bound %d", m.Name, formula(m), product, bound[m.Name])
		}
	}
}
