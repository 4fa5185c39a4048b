// Package explain says where each clock of each case stands and why, without any server: the same
// policy and the same functions as the ledger's, over events from a file.
package explain

import (
	"cmp"
	"slices"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/policy"
	"github.com/tanggap/tanggap/internal/sla"
)

// Report is the state of all cases at an instant.
type Report struct {
	// At is the instant of evaluation, ObservedThrough the time up to which the sources were read.
	At, ObservedThrough time.Time
	// Cases are sorted by channel and case. A case of which nothing is known yet is not among them.
	Cases []Case
}

// Case is one case and what it was judged by.
type Case struct {
	complaint.CaseKey
	complaint.Dimensions
	Rules *policy.Rules
	// Explanation has the state and the reasons, whose times are told in Zone: that of the channel's
	// calendar, or where there is none that of the instant of evaluation.
	sla.Explanation
	Zone *time.Location
}

// Judge derives the state of every case at an instant. The policy must name the channels of all events.
func Judge(p *policy.Policy, events []complaint.Event, at, observedThrough time.Time) Report {
	report := Report{At: at, ObservedThrough: observedThrough}
	byCase := map[complaint.CaseKey][]complaint.Event{}
	for i := range events {
		if e := &events[i]; !e.OccurredAt.After(at) {
			byCase[e.Key()] = append(byCase[e.Key()], *e)
		}
	}
	for key, of := range byCase {
		rules := p.Channel(key.Channel)
		zone := at.Location()
		if rules.Calendar != nil {
			zone = rules.Calendar.Location()
		}
		in := rules.Input(of, at, observedThrough)
		report.Cases = append(report.Cases, Case{
			CaseKey: key, Dimensions: in.Subject.Dimensions, Rules: rules,
			Explanation: rules.SLA.Explain(in, zone), Zone: zone,
		})
	}
	slices.SortFunc(report.Cases, func(a, b Case) int {
		return cmp.Or(cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.CaseID, b.CaseID))
	})
	return report
}

// Channels are the names of the channels that the events are of, in order.
func Channels(events []complaint.Event) []string {
	seen := map[string]struct{}{}
	var names []string
	for i := range events {
		name := events[i].Channel
		if _, again := seen[name]; !again {
			seen[name] = struct{}{}
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
