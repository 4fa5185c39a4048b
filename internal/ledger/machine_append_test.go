package ledger

import (
	"context"
	"fmt"
	"time"

	"pgregory.net/rapid"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

// appendSome appends a few events, known ones among them, and puts them into the model.
func (m *machine) appendSome(rt *rapid.T) {
	channel := m.channel(rt)
	now := m.clock.now()
	var batch []complaint.Event
	for range rapid.IntRange(1, 6).Draw(rt, "events") {
		batch = append(batch, m.event(rt, now))
	}
	for i := range batch {
		if r := batch[i].Reporter; r != nil {
			m.heard[r.Phone] = true
		}
	}
	request := ledgerapi.AppendRequest{Events: batch}
	if rapid.Bool().Draw(rt, "observe") {
		at := now.Add(-time.Duration(rapid.IntRange(0, 40).Draw(rt, "behind")) * time.Minute)
		request.ObservedThrough = &at
		m.throughAt(channel, at)
	}
	lost := rapid.IntRange(0, 5).Draw(rt, "lost") == 0
	m.store.silent.Store(lost)
	out, err := m.ledger.Append(context.Background(), channel, request)
	m.store.silent.Store(false)
	if lost {
		if err == nil {
			rt.Errorf("An append whose commit was not confirmed was acknowledged")
		}
		// It was done all the same, which who sends it again is told, by whichever replica.
		m.choose(rt)
		if out, err = m.ledger.Append(context.Background(), channel, request); err == nil && out.Duplicate != len(batch) {
			rt.Errorf("Sent again, the response is %+v; want %d duplicates", out, len(batch))
		}
	}
	if err != nil {
		rt.Fatalf("Appending: %v", err)
	}
	accepted := 0
	for _, e := range batch {
		if m.accept(channel, e) {
			accepted++
		}
	}
	if lost && len(out.Rejected) == 0 {
		return
	}
	if out.Accepted != accepted || out.Duplicate != len(batch)-accepted || len(out.Rejected) > 0 {
		rt.Errorf("The response is %+v; want %d of %d accepted", out, accepted, len(batch))
	}
}

// accept puts an event into the model, unless it is known there.
func (m *machine) accept(channel string, e complaint.Event) bool {
	e.Channel = channel
	e = e.Normalize(m.clock.now())
	if m.ids[[2]string{channel, e.ID}] {
		return false
	}
	m.ids[[2]string{channel, e.ID}] = true
	m.accepted++
	c := m.cases[e.Key()]
	if c == nil {
		c = &modelCase{counted: map[string]verdict{}, last: map[string]verdict{}, observed: map[string]bool{}}
		m.cases[e.Key()] = c
	}
	if c.fresh == nil {
		c.fresh = map[string]bool{}
	}
	c.fresh[e.ID] = true
	stored := store.Event{Event: e}
	if e.Reporter != nil {
		stored.Pseudonym, _ = m.names.of(e.Reporter.Identity(channel))
		stored.Reporter = nil
	}
	c.events = append(c.events, stored)
	return true
}

func (m *machine) event(rt *rapid.T, now time.Time) complaint.Event {
	m.serial++
	id := fmt.Sprint("E", m.serial)
	if m.serial > 1 && rapid.IntRange(0, 5).Draw(rt, "again") == 0 {
		id = fmt.Sprint("E", rapid.IntRange(1, m.serial-1).Draw(rt, "which"))
	}
	e := complaint.Event{
		CaseID: rapid.SampledFrom([]string{"A", "B", "C", "D"}).Draw(rt, "case"), ID: id,
		Kind: rapid.SampledFrom([]complaint.Kind{
			complaint.KindReceived, complaint.KindReceived, complaint.KindReceived, complaint.KindCitizenMessage, complaint.KindAnswered,
			complaint.KindAnswered, complaint.KindStatusChanged, complaint.KindStatusChanged, complaint.KindAcknowledged, complaint.KindAssigned,
			complaint.KindReplyNotNeeded, complaint.KindMerged, complaint.KindEdited, complaint.KindRedacted,
		}).Draw(rt, "kind"),
		Actor: complaint.ActorOfficial,
		// A microsecond of its own keeps two cases of one reporter from being equally old.
		OccurredAt: now.Add(-time.Duration(rapid.IntRange(-1, 200).Draw(rt, "ago"))*time.Minute + time.Duration(m.serial)*time.Microsecond),
	}
	switch e.Kind {
	case complaint.KindReceived, complaint.KindCitizenMessage:
		e.Actor = complaint.ActorCitizen
		e.Text = rapid.SampledFrom([]string{"", "banjir", "sampah", "genangan"}).Draw(rt, "text")
		if rapid.Bool().Draw(rt, "reporter") {
			e.Reporter = &complaint.Reporter{Phone: rapid.SampledFrom(phones()).Draw(rt, "phone")}
		}
	case complaint.KindAnswered:
		e.Actor = rapid.SampledFrom([]complaint.Actor{complaint.ActorOfficial, complaint.ActorBot}).Draw(rt, "actor")
		e.Text = rapid.SampledFrom([]string{"", "sudah", "terima kasih"}).Draw(rt, "text")
	case complaint.KindStatusChanged:
		e.To = rapid.SampledFrom(complaint.Statuses()).Draw(rt, "to")
	case complaint.KindMerged:
		e.Into = "original"
	case complaint.KindAssigned:
		e.Attributes = map[string]string{complaint.AttributeDepartment: "DLHK"}
	default: // has nothing of its own
	}
	if e.Actor == complaint.ActorCitizen || e.Kind == complaint.KindAssigned {
		told := rapid.SampledFrom([]map[string]string{
			nil, nil, nil, {"place": "Beji"}, {"place": "Beji"}, {"place": "Cinere"}, {complaint.AttributeCategory: "Sampah"},
		}).Draw(rt, "attributes")
		if told != nil {
			e.Attributes = told
		}
	}
	return e
}
