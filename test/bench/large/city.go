package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/policy"
	"github.com/tanggap/tanggap/internal/sla"
	"github.com/tanggap/tanggap/internal/taxonomy"
	"github.com/tanggap/tanggap/test/site"
)

// The channel whose cases are due soon after they were received, and how soon.
const (
	probeChannel = "probe"
	probeTarget  = 3 * time.Second
)

func channelName(i int) string  { return fmt.Sprintf("channel-%02d", i) }
func categoryName(i int) string { return fmt.Sprintf("category-%03d", i) }

// channelNames are all, that of the probes last.
func (o *options) channelNames() []string {
	var names []string
	for i := range o.channels {
		names = append(names, channelName(i))
	}
	return append(names, probeChannel)
}

// policy has many categories, promises that none of the backlog breaks while it is measured, and one that
// every probe breaks.
func (o *options) policy() policy.Document {
	document := site.Policy(o.channelNames()...)
	document.SLAs["city"] = sla.Spec{Rules: []sla.Rule{{Name: "all", Clocks: []sla.Clock{
		{Name: "FirstAnswer", Measures: "FirstAnswer", Target: sla.Target{Within: "720h"}, WarnBefore: "25%"},
		{Name: "NextReply", Measures: "NextReply", Target: sla.Target{Within: "720h"}},
		{Name: "Resolution", Measures: "TotalResolution", Target: sla.Target{WorkingDays: 40}},
	}}}}
	document.SLAs["probe"] = sla.Spec{Rules: []sla.Rule{{Name: "all", Clocks: []sla.Clock{
		{Name: "FirstAnswer", Measures: "FirstAnswer", Target: sla.Target{Within: probeTarget.String()}},
	}}}}
	probe := document.Channels[probeChannel]
	probe.SLA = "probe"
	document.Channels[probeChannel] = probe
	words := taxonomy.Spec{}
	for i := range o.categories {
		department := fmt.Sprintf("department-%02d", i/10)
		if i%10 == 0 {
			words.Departments = append(words.Departments, taxonomy.Department{Name: department})
		}
		words.Categories = append(words.Categories, taxonomy.Category{Name: categoryName(i), Department: department, Keywords: []string{fmt.Sprintf("perihal%03d", i)}})
	}
	document.Taxonomies["words"] = words
	return document.Seal()
}

// backlog appends one open case for each channel and category; some have been answered and wait for the
// next reply.
func (b *bench) backlog(ctx context.Context) error {
	began := time.Now().UTC().Truncate(time.Second).Add(-6 * time.Hour)
	n := 0
	for c := range b.options.channels {
		var events []complaint.Event
		for k := range b.options.categories {
			n++
			id := fmt.Sprintf("%s-%s", channelName(c), categoryName(k))
			at := began.Add(time.Duration(n%18_000) * time.Second)
			event := complaint.Event{
				CaseID: id, ID: id + "-1", Kind: complaint.KindReceived, Actor: complaint.ActorCitizen, OccurredAt: at,
				Text:     fmt.Sprintf("Mohon bantuan untuk perihal%03d di lingkungan kami, sudah beberapa kali disampaikan.", k),
				Reporter: &complaint.Reporter{Phone: fmt.Sprintf("08%09d", n)},
			}
			events = append(events, event)
			if n%8 == 0 {
				answer, again := event, event
				answer.ID, answer.Kind, answer.Actor, answer.OccurredAt = id+"-2", complaint.KindAnswered, complaint.ActorOfficial, at.Add(time.Minute)
				again.ID, again.Kind, again.OccurredAt = id+"-3", complaint.KindCitizenMessage, at.Add(2*time.Minute)
				answer.Reporter = nil
				events = append(events, answer, again)
			}
		}
		for len(events) > 0 {
			size := min(len(events), ledgerapi.MaxBatchEvents)
			out, err := b.site.AsWorker.Append(ctx, channelName(c), ledgerapi.AppendRequest{Events: events[:size]})
			if err != nil {
				return err
			}
			if out.Accepted != size {
				return errors.New("not every event of the backlog was taken")
			}
			events = events[size:]
		}
	}
	return nil
}
