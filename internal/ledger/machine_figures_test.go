package ledger

import (
	"context"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/sla"
)

// want are the figures by the model, of the channels that there are.
func (m *machine) want() map[string]values {
	sum := tally{}
	for k, v := range m.counters {
		for column, n := range v {
			sum.add(k, column, n)
		}
	}
	m.waiting(sum)
	for k, c := range m.cases {
		if !c.judged {
			continue
		}
		d := &c.derived
		open := !d.Received.IsZero() && !d.Closed
		flag := func(key figureKey, column int, is bool) {
			if is {
				sum.add(key, column, 1)
			}
		}
		series := seriesKey(k.Channel, &c.dims)
		flag(series, seriesUnanswered, d.Unanswered)
		flag(series, seriesAwaiting, d.AwaitingReply)
		overdue, soon, late := false, map[string]bool{}, map[string]bool{}
		for i := range d.Clocks {
			s := &d.Clocks[i]
			going := s.StoppedAt.IsZero()
			soon[s.Name] = soon[s.Name] || s.DueSoon
			late[s.Name] = late[s.Name] || s.State == sla.Breached && going
			overdue = overdue || s.State == sla.Breached && going
			flag(channelKey(familyChannel, k.Channel), channelBeyond, s.BeyondCoverage && going && s.State != sla.Pending)
		}
		for name := range soon {
			flag(clockKey(k.Channel, &c.dims, c.sla, name), clockDueSoon, soon[name])
			flag(clockKey(k.Channel, &c.dims, c.sla, name), clockOverdue, late[name])
		}
		flag(channelKey(familyChannel, k.Channel), channelOpen, open)
		flag(channelKey(familyChannel, k.Channel), channelOverdue, overdue)
	}
	return m.shown(sum)
}

// shown are figures by their encoded keys, without zeros, without those of channels that there are
// not, and without the counts of the intake, which are compared by themselves.
func (m *machine) shown(t tally) map[string]values {
	out := map[string]values{}
	for k, v := range t {
		if *v != (values{}) && m.rules.Channel(k.labels[0]) != nil && k.family != familyIngest {
			out[k.encode()] = *v
		}
	}
	return out
}

func (m *machine) compare(rt *rapid.T) {
	m.ledger.mu.RLock()
	figures := m.ledger.figures.tally()
	m.ledger.mu.RUnlock()
	got := m.shown(figures)
	var accepted int64
	for k, v := range figures {
		if k.family == familyIngest {
			accepted += v[ingestAccepted]
		}
	}
	if diff := cmp.Diff(m.want(), got); diff != "" {
		rt.Errorf("At %v the figures differ (-model +ledger):\n%s", m.clock.now(), diff)
	}
	if accepted != int64(m.accepted) {
		rt.Errorf("%d events are counted; want %d", accepted, m.accepted)
	}
	m.compareCases(rt)
	m.compareReplies(rt)
}

// compareCases compares what is listed of every case, and the oldest unanswered of each channel.
func (m *machine) compareCases(rt *rapid.T) {
	want := map[complaint.CaseKey]ledgerapi.Case{}
	oldest := map[string]time.Time{}
	for k, c := range m.cases {
		if m.rules.Channel(k.Channel) == nil || !c.judged {
			continue
		}
		d := &c.derived
		shown := ledgerapi.Case{
			CaseKey: k, Dimensions: c.dims, ReceivedAt: optional(d.Received), AnsweredAt: optional(d.AnsweredAt),
			WaitingSince: optional(d.WaitingSince), Status: string(d.Status), Open: !d.Received.IsZero() && !d.Closed, Unanswered: d.Unanswered,
		}
		for i := range d.Clocks {
			s := &d.Clocks[i]
			overdue := s.State == sla.Breached && s.StoppedAt.IsZero()
			shown.Overdue = shown.Overdue || overdue
			if (overdue || s.State == sla.Running) && !s.DueAt.IsZero() && (shown.DueAt == nil || s.DueAt.Before(*shown.DueAt)) {
				shown.DueAt = &s.DueAt
			}
		}
		want[k] = shown
		if d.Unanswered {
			oldest[k.Channel] = earlier(oldest[k.Channel], d.WaitingSince)
		}
	}
	list, err := m.ledger.Cases(context.Background(), CaseQuery{Limit: MaxPage})
	if err != nil {
		rt.Fatalf("Listing: %v", err)
	}
	got := map[complaint.CaseKey]ledgerapi.Case{}
	for _, c := range list.Cases {
		if m.rules.Channel(c.Channel) != nil {
			got[c.CaseKey] = c
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		rt.Errorf("The cases differ (-model +ledger):\n%s", diff)
	}
	for name, c := range m.summary().Channels {
		if wantOldest := oldest[name]; c.OldestUnansweredAt == nil != wantOldest.IsZero() || c.OldestUnansweredAt != nil && !c.OldestUnansweredAt.Equal(wantOldest) {
			rt.Errorf("The oldest unanswered of %s is %v; want %v", name, c.OldestUnansweredAt, wantOldest)
		}
	}
}
