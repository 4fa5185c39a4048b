package city

import (
	"context"
	"fmt"
	"time"

	"github.com/tanggap/tanggap/internal/simulator/callcentre"
	"github.com/tanggap/tanggap/internal/simulator/portal"
)

// Promises of config/samples/depok for 112.
const (
	verifyWithin   = 30 * time.Second
	dispatchWithin = 7 * time.Minute
)

// livePortal is complaint number i of a portal; every other one is answered and resolved within seconds.
func (c *City) livePortal(ctx context.Context, i int, channel string, p *portal.Portal) {
	t := c.add(p, i, time.Time{})
	c.remember(t, record{channel: channel})
	if i%2 == 1 || !pause(ctx, 6*time.Second) || p.Answer(t, officer, answer) != nil {
		return
	}
	c.correct(t, func(r *record) { r.answered = true })
	if pause(ctx, 3*time.Second) && p.Resolve(t) == nil {
		c.correct(t, func(r *record) { r.closed = true })
	}
}

// liveOpen311 is request number i; every other one is closed within seconds.
func (c *City) liveOpen311(ctx context.Context, i int) {
	id := c.open311Request(i, c.now())
	c.remember(id, record{channel: Open311})
	if i%2 == 1 || !pause(ctx, 8*time.Second) {
		return
	}
	c.Open311.Close(id, answer)
	c.correct(id, func(r *record) { r.answered, r.closed = true, true })
}

// liveEmergency is call number i. Two of five are no incident; of the others one in four is forgotten, one
// is verified too late, and the rest is dispatched within seconds. The second and third call of all are a
// forgotten and a late one, so that a promise breaks within a minute.
func (c *City) liveEmergency(ctx context.Context, i int) {
	s := emergencies()[i%len(emergencies())]
	received := c.now()
	incident := callcentre.Incident{
		ID: fmt.Sprintf("INC-2026-%06d", i), CallType: callcentre.CallNormal, Category: s.category, Description: s.text,
		ReceivedAt: received, Caller: &callcentre.Caller{Phone: fmt.Sprintf("+62 812 1000 %04d", i)},
		Location: &callcentre.Location{Latitude: -6.39, Longitude: 106.83},
	}
	switch i % 5 {
	case 3:
		incident.CallType = callcentre.CallGhost
	case 4:
		incident.CallType = callcentre.CallPrank
	}
	if c.Sender.Send(ctx, callcentre.Created, incident) != nil || incident.CallType != callcentre.CallNormal {
		return
	}
	c.remember(incident.ID, record{channel: Emergency, dues: map[string]time.Time{
		"verified": received.Add(verifyWithin), "dispatched": received.Add(dispatchWithin),
	}})
	wait := 2 * time.Second
	switch i % 4 {
	case 1:
		return // forgotten
	case 2:
		wait = verifyWithin + 5*time.Second
	}
	if !pause(ctx, wait) {
		return
	}
	c.step(ctx, callcentre.Updated, &incident.VerifiedAt, &incident, "verified")
	if pause(ctx, 3*time.Second) {
		c.step(ctx, callcentre.Updated, &incident.DispatchedAt, &incident, "dispatched")
		c.correct(incident.ID, func(r *record) { r.answered = true })
	}
	if pause(ctx, 5*time.Second) {
		c.step(ctx, callcentre.Closed, &incident.ClosedAt, &incident, "")
		c.correct(incident.ID, func(r *record) { r.closed = true })
	}
}

// step sets an instant of an incident to now, delivers it, and takes the promise as kept.
func (c *City) step(ctx context.Context, event string, instant **time.Time, incident *callcentre.Incident, promise string) {
	now := c.now()
	*instant = &now
	if c.Sender.Send(ctx, event, *incident) == nil {
		c.correct(incident.ID, func(r *record) { delete(r.dues, promise) })
	}
}
