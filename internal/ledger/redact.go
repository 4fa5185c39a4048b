package ledger

import (
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/internal/policy"
	"github.com/tanggap/tanggap/internal/sla"
)

// redact takes the content from the events that a Redacted of their case covers: all up to its time,
// whenever they arrive. It changes events in place and returns those that changed.
func (s *caseState) redact(rules *policy.Rules, events []store.Event) (cleared []store.Event) {
	var through time.Time
	for i := range events {
		if e := &events[i]; e.Kind == complaint.KindRedacted && e.OccurredAt.After(through) {
			through = e.OccurredAt
		}
	}
	if through.IsZero() {
		return nil
	}
	ruled := s.ruled(rules, events, s.record.Kept)
	for i := range events {
		if e := &events[i]; !e.OccurredAt.After(through) && strip(rules, e, store.ContentText|store.ContentHandles) {
			cleared = append(cleared, *e)
		}
	}
	s.keepRule(rules, ruled, events)
	return cleared
}

// ruled is the name of the rule of a case with these events.
func (s *caseState) ruled(rules *policy.Rules, events []store.Event, kept *sla.Kept) string {
	if rules == nil {
		return ""
	}
	in := sla.Input{Events: factsOf(events), At: fromMicros(s.record.JudgedAt)}
	return rules.SLA.RuleOf(sla.Subject{
		Channel: rules.Name, Official: rules.Channel.Official, Dimensions: s.row.Dimensions, Attributes: sla.Attributes(in), Kept: kept,
	})
}

// keepRule has a case, content of which was taken, go on by the rule that it had: what attributes had decided stays.
func (s *caseState) keepRule(rules *policy.Rules, rule string, events []store.Event) {
	if s.ruled(rules, events, s.record.Kept) != rule {
		s.record.Kept = &sla.Kept{Rule: rule, Without: s.ruled(rules, events, nil)}
	}
}

// dropHandles takes the raw handles from events, in place, and returns those that had any.
func dropHandles(events []store.Event) (cleared []store.Event) {
	for i := range events {
		if strip(nil, &events[i], store.ContentHandles) {
			cleared = append(cleared, events[i])
		}
	}
	return cleared
}

// strip takes content from an event and reports whether there was any. An answer that a rule takes for
// an acknowledgement by its text becomes one, as nothing tells later.
func strip(rules *policy.Rules, e *store.Event, content store.Content) bool {
	held := holdsOf(e) & content
	if held.Has(store.ContentHandles) {
		e.Reporter = nil
	}
	if held.Has(store.ContentText) {
		if e.Kind == complaint.KindAnswered && acknowledges(rules, e) {
			e.Kind = complaint.KindAcknowledged
		}
		e.Text, e.Location, e.Attributes, e.Cleared = "", nil, nil, true
	}
	return held != 0
}

// acknowledges reports whether the rules take an answer for an acknowledgement: they do if it does not
// answer a complaint of which nothing else is known.
func acknowledges(rules *policy.Rules, e *store.Event) bool {
	if rules == nil {
		return false
	}
	received := complaint.Event{
		Channel: e.Channel, CaseID: e.CaseID, ID: e.ID + "\x00", Kind: complaint.KindReceived, Actor: complaint.ActorCitizen,
		OccurredAt: e.OccurredAt.Add(-time.Second),
	}
	derived := rules.SLA.Evaluate(sla.Input{
		Events: []complaint.Event{received, e.Event}, At: e.OccurredAt,
		Subject: sla.Subject{Channel: e.Channel, Official: rules.Channel.Official},
	})
	return !derived.Answered() && !derived.AcknowledgedAt.IsZero()
}
