package metrics

import (
	"maps"
	"slices"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/taxonomy"
)

// beginnings lets counters begin at zero before there is anything to count: increase() does not see a counter that is
// there at 1 at once, and so would miss the first complaint, the first breach and the first spill-over.
func (e *exposition) beginnings(summary *ledgerapi.Summary) {
	e.beginComplaints(summary)
	e.beginClocks(summary)
	if e.ledger.Policy.Linking.Window != "" {
		e.beginSpillovers(summary)
	}
}

// beginComplaints is for the sets of labels that a channel's taxonomy gives by itself. Those to which the source's own
// department and a rule's priority lead besides are too many to begin without need.
func (e *exposition) beginComplaints(summary *ledgerapi.Summary) {
	type set struct {
		channel string
		complaint.Dimensions
	}
	begun := make(map[set]bool, len(summary.Series))
	for _, s := range summary.Series {
		begun[set{s.Channel, s.Dimensions}] = true
	}
	for _, name := range slices.Sorted(maps.Keys(e.channels)) {
		if !e.channels[name].inLedger {
			continue
		}
		for _, d := range usualSets(e.ledger.Policy.Taxonomies[e.ledger.Policy.Channels[name].Taxonomy]) {
			if first := (set{name, d}); !begun[first] {
				begun[first] = true
				e.series(ledgerapi.Series{Channel: name, Dimensions: d}, false)
			}
		}
	}
}

// usualSets are each category with its own department and priority, and the fallback.
func usualSets(spec taxonomy.Spec) []complaint.Dimensions {
	fallback := complaint.Dimensions(spec.Fallback.OrDefault())
	sets := []complaint.Dimensions{fallback}
	for _, c := range spec.Categories {
		set := fallback
		set.Category = c.Name
		if c.Department != "" {
			set.Department = c.Department
		}
		if c.Priority != "" {
			set.Priority = c.Priority
		}
		sets = append(sets, set)
	}
	return sets
}

// beginClocks is for the clocks that a channel's SLA promises, with the first complaint of their labels.
func (e *exposition) beginClocks(summary *ledgerapi.Summary) {
	begun := make(map[ledgerapi.ClockSeries]bool, len(summary.Clocks))
	for _, s := range summary.Clocks {
		begun[ledgerapi.ClockSeries{Channel: s.Channel, Dimensions: s.Dimensions, SLA: s.SLA, Clock: s.Clock}] = true
	}
	clocks := make(map[string][]string, len(e.ledger.Policy.SLAs))
	for name, spec := range e.ledger.Policy.SLAs {
		clocks[name] = clocksOf(spec)
	}
	for _, s := range summary.Series {
		view, ours := e.channels[s.Channel]
		if !ours {
			continue
		}
		promise := e.ledger.Policy.Channels[s.Channel].SLA
		for _, clock := range clocks[promise] {
			first := ledgerapi.ClockSeries{Channel: s.Channel, Dimensions: s.Dimensions, SLA: promise, Clock: clock}
			if !begun[first] {
				e.clock(first, view.known)
			}
		}
	}
}

// beginSpillovers is for those from an official channel to one that is not, which is what somebody is to be told of.
// Where none can be found there is no zero.
func (e *exposition) beginSpillovers(summary *ledgerapi.Summary) {
	type pair struct{ from, to string }
	begun := make(map[pair]bool, len(summary.Spillover))
	for _, s := range summary.Spillover {
		begun[pair{s.From, s.To}] = true
	}
	var official, unofficial []string
	for _, name := range slices.Sorted(maps.Keys(e.channels)) {
		switch c := e.ledger.Policy.Channels[name]; {
		case knowsAccountsOnly(c.Type):
		case c.Official:
			official = append(official, name)
		default:
			unofficial = append(unofficial, name)
		}
	}
	for _, from := range official {
		for _, to := range unofficial {
			if !begun[pair{from, to}] {
				e.counter(spillovers, 0, from, to)
			}
		}
	}
}

// knowsAccountsOnly reports whether sources of a type know people by the numbers of a platform's accounts, by which
// nobody is found on another channel.
func knowsAccountsOnly(source string) bool {
	return source == "x" || source == "meta" || source == "telegram"
}
