package policy

import (
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/sla"
	"github.com/tanggap/tanggap/internal/taxonomy"
)

// Input is what the state of a case of the channel depends on at an instant, with the dimensions that
// the case is counted by. observedThrough is the time up to which the channel's source has been read
// completely.
func (r *Rules) Input(events []complaint.Event, at, observedThrough time.Time) sla.Input {
	in := sla.Input{Events: events, At: at, ObservedThrough: observedThrough}
	in.Subject = sla.Subject{Channel: r.Name, Official: r.Channel.Official, Attributes: sla.Attributes(in)}
	in.Subject.Dimensions = r.Taxonomy.Classify(taxonomy.Input{
		Channel: r.Name, Text: firstWords(events, at), Attributes: in.Subject.Attributes,
	})
	return in
}

// firstWords is the text that a case is classified by: that of the citizen's earliest message with one,
// up to the instant. What follows it in a conversation is mostly about something else.
func firstWords(events []complaint.Event, at time.Time) string {
	var first *complaint.Event
	for i := range events {
		e := &events[i]
		said := e.Kind == complaint.KindReceived || e.Kind == complaint.KindCitizenMessage && e.Actor == complaint.ActorCitizen
		if said && e.Text != "" && !e.OccurredAt.After(at) && (first == nil || complaint.Compare(e, first) < 0) {
			first = e
		}
	}
	if first == nil {
		return ""
	}
	return first.Text
}
