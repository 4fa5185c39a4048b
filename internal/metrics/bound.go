package metrics

import (
	"slices"

	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/policy"
	"github.com/tanggap/tanggap/internal/taxonomy"
)

// Bound is the largest number of series that a policy can lead to, by metric, however many complaints
// there are and whatever they say. A histogram counts its buckets, its sum and its count. Counters that
// earlier taxonomies and SLAs have left behind come on top, as a counter never goes away.
func Bound(document *policy.Document) map[string]int {
	bound := map[string]int{operatorLeading: 1, summaryUp: 1, summaryTimestamp: 1}
	histogram := len(ledgerapi.BucketBounds()) + 3 // and the bucket of everything
	for _, channel := range document.Channels {
		sets, priorities := labelSets(document.Taxonomies[channel.Taxonomy])
		clocks := len(clocksOf(document.SLAs[channel.SLA]))
		for _, name := range []string{complaintsUnanswered, complaintsAwaitingReply, complaintsReceived, complaintsAnswered} {
			bound[name] += sets
		}
		bound[complaintsDueSoon] += sets * clocks
		bound[complaintsOverdue] += sets * clocks
		bound[slaClocks] += sets * clocks * 3
		bound[slaCorrections] += clocks
		bound[responseTime] += priorities * clocks * histogram
		if calendarOf(document, channel) != "" {
			bound[responseWorkingTime] += priorities * clocks * histogram
			bound[channelOpen]++
		}
		for _, name := range []string{
			oldestUnanswered, channelInfo, channelUp, channelLastSuccess, channelLastEvent, channelSourceLag, channelSourceProblem, channelBeyondCoverage,
		} {
			bound[name]++
		}
		if channel.Replies {
			bound[repliesWaiting]++
			bound[replyOldestWaiting]++
			bound[repliesDone] += 4 // sent, failed, unconfirmed, returned
		}
		bound[ingestEvents] += 4 // accepted, duplicate, rejected, skipped
		bound[ingestErrors] += len(ledgerapi.Reasons())
	}
	if document.Linking.Window != "" {
		bound[spillovers] = len(document.Channels) * (len(document.Channels) - 1)
	}
	for _, spec := range document.SLAs {
		if spec.Objective != nil {
			bound[slaObjective] += len(clocksOf(spec))
			bound[slaWindow] += len(clocksOf(spec))
		}
	}
	for _, spec := range document.Calendars {
		if spec.CoversUntil != "" {
			bound[calendarCoversUntil]++
		}
	}
	return bound
}

// labelSets counts the sets of category, department and priority that a taxonomy can give, and the
// priorities among them. A category gives its own department and priority; the source may give any other
// department, and a rule or the source any other priority.
func labelSets(spec taxonomy.Spec) (sets, priorities int) {
	fallback := spec.Fallback.OrDefault()
	categories, departments, levels := []string{fallback.Category}, []string{fallback.Department}, []string{fallback.Priority}
	for _, c := range spec.Categories {
		categories = append(categories, c.Name)
		departments = append(departments, c.Department)
		levels = append(levels, c.Priority)
	}
	for _, d := range spec.Departments {
		departments = append(departments, d.Name)
	}
	for _, p := range spec.Priorities {
		levels = append(levels, p.Name)
	}
	priorities = distinct(levels)
	return distinct(categories) * distinct(departments) * priorities, priorities
}

// distinct counts the different names; "" stands for the fallback, which is among them.
func distinct(names []string) int {
	slices.Sort(names)
	names = slices.Compact(names)
	if names[0] == "" {
		return len(names) - 1
	}
	return len(names)
}
