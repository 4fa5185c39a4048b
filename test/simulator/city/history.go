package city

import (
	"fmt"
	"time"

	"github.com/tanggap/tanggap/test/simulator/open311"
	"github.com/tanggap/tanggap/test/simulator/portal"
)

const day = 24 * time.Hour

// writeHistory fills the systems with the past weeks. Instants are chosen so that no calendar of a year
// decides what is overdue: what is old is three weeks old, what is new is minutes old.
func (c *City) writeHistory(now time.Time) {
	for channel, p := range map[string]*portal.Portal{DSW: c.DSW, Sigap: c.Sigap} {
		prefix := map[string]string{DSW: "DSW", Sigap: "SGP"}[channel]
		for i := range 6 {
			c.answeredInTime(now, channel, prefix, p, i)
		}
		for i := range 3 {
			c.answeredTooLate(now, channel, prefix, p, i)
			c.neverAnswered(now, channel, prefix, p, i)
			c.fresh(now, channel, prefix, p, i)
		}
		c.rejected(now, channel, prefix, p)
		c.lastWordUnanswered(now, channel, prefix, p)
	}
	c.open311History(now)
}

// ticket is a new one of the portal; its sample and reporter follow from i.
func (c *City) ticket(prefix string, i int, created time.Time) portal.Ticket {
	s := samples()[i%len(samples())]
	return portal.Ticket{
		Number: c.number(prefix), Title: s.title, Text: s.text, Category: s.category,
		Status: portal.StatusWaiting, StatusAt: created, CreatedAt: created, UpdatedAt: created,
		Replies:  []portal.Reply{},
		Reporter: &portal.Reporter{Phone: fmt.Sprintf("0812-1000-%04d", c.nextSerial())},
		Location: &portal.Location{Latitude: fmt.Sprintf("-6.39%d", i%10), Longitude: fmt.Sprintf("106.82%d", i%10)},
	}
}

func assign(t *portal.Ticket, i int, at time.Time) {
	t.Disposition = &portal.Disposition{Department: samples()[i%len(samples())].department, At: at}
	t.UpdatedAt = at
}

func reply(t *portal.Ticket, role, text string, at time.Time) {
	t.Replies = append(t.Replies, portal.Reply{ID: len(t.Replies) + 1, By: "Admin", Role: role, Text: text, At: at})
	t.UpdatedAt = at
}

func move(t *portal.Ticket, status string, at time.Time) {
	t.Status, t.StatusAt, t.UpdatedAt = status, at, at
}

const (
	thanks = "Terima kasih atas laporan Bapak/Ibu."
	robot  = "Laporan Anda telah diterima sistem."
	answer = "Petugas kami sudah ke lokasi dan pekerjaan dijadwalkan besok pagi pukul 08.00, hasilnya akan kami kabarkan di sini."
)

func (c *City) answeredInTime(now time.Time, channel, prefix string, p *portal.Portal, i int) {
	created := now.Add(-6*day - time.Duration(i)*time.Hour)
	t := c.ticket(prefix, i, created)
	reply(&t, portal.RoleSystem, robot, created.Add(time.Second))
	assign(&t, i, created.Add(10*time.Minute))
	reply(&t, portal.RoleOfficer, answer, created.Add(25*time.Minute))
	move(&t, portal.StatusDone, created.Add(time.Hour))
	p.Put(t)
	c.remember(t.Number, record{channel: channel, answered: true, closed: true})
}

// answeredTooLate got a thank-you within the hour, which keeps no promise, and an answer weeks later.
func (c *City) answeredTooLate(now time.Time, channel, prefix string, p *portal.Portal, i int) {
	created := now.Add(-22*day + time.Duration(i)*time.Hour)
	t := c.ticket(prefix, i+3, created)
	assign(&t, i+3, created.Add(time.Hour))
	reply(&t, portal.RoleOfficer, thanks, created.Add(time.Hour))
	reply(&t, portal.RoleOfficer, answer, now.Add(-2*day))
	move(&t, portal.StatusDone, now.Add(-day))
	p.Put(t)
	c.remember(t.Number, record{channel: channel, answered: true, closed: true})
}

func (c *City) neverAnswered(now time.Time, channel, prefix string, p *portal.Portal, i int) {
	created := now.Add(-21*day + time.Duration(i)*time.Hour)
	t := c.ticket(prefix, i+1, created)
	reply(&t, portal.RoleSystem, robot, created.Add(time.Second))
	if i == 0 {
		reply(&t, portal.RoleOfficer, thanks, created.Add(time.Hour))
	}
	p.Put(t)
	c.remember(t.Number, record{channel: channel, overdue: true})
}

func (c *City) fresh(now time.Time, channel, prefix string, p *portal.Portal, i int) {
	t := c.ticket(prefix, i+5, now.Add(-time.Duration(i+1)*time.Minute))
	p.Put(t)
	c.remember(t.Number, record{channel: channel})
}

// rejected was not the city's business.
func (c *City) rejected(now time.Time, channel, prefix string, p *portal.Portal) {
	created := now.Add(-10 * day)
	t := c.ticket(prefix, 6, created)
	move(&t, portal.StatusRefused, created.Add(20*time.Minute))
	p.Put(t)
	c.remember(t.Number, record{channel: channel, closed: true})
}

// lastWordUnanswered was answered, and then the citizen asked again three weeks ago.
func (c *City) lastWordUnanswered(now time.Time, channel, prefix string, p *portal.Portal) {
	created := now.Add(-22 * day)
	t := c.ticket(prefix, 6, created)
	reply(&t, portal.RoleOfficer, answer, created.Add(20*time.Minute))
	reply(&t, portal.RoleReporter, "Belum ada petugas yang datang, bagaimana ini?", now.Add(-20*day))
	p.Put(t)
	c.remember(t.Number, record{channel: channel, answered: true, overdue: true})
}

func (c *City) open311History(now time.Time) {
	for i := range 4 {
		requested := now.Add(-5*day - time.Duration(i)*time.Hour)
		id := c.open311Request(i, requested)
		c.at(requested.Add(15*time.Minute), func() { c.Open311.Answer(id, answer) })
		c.at(requested.Add(40*time.Minute), func() { c.Open311.Close(id, "Selesai dikerjakan.") })
		c.remember(id, record{channel: Open311, answered: true, closed: true})
	}
	for i := range 2 {
		id := c.open311Request(i+4, now.Add(-21*day+time.Duration(i)*time.Hour))
		c.remember(id, record{channel: Open311, overdue: true})
	}
	c.remember(c.open311Request(7, now.Add(-3*time.Minute)), record{channel: Open311})
}

func (c *City) open311Request(i int, requested time.Time) string {
	s := samples()[i%len(samples())]
	id := c.number("SR")
	c.at(requested, func() {
		c.Open311.AddRequest(open311.Request{
			ID: id, ServiceCode: "00" + fmt.Sprint(i%5+1), ServiceName: s.category, Description: s.title + ". " + s.text,
			Latitude: -6.4, Longitude: 106.8, RequestedAt: requested,
		})
	})
	return id
}
