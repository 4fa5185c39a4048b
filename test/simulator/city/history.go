package city

import (
	"fmt"
	"time"

	"github.com/tanggap/tanggap/internal/simulator/open311"
	"github.com/tanggap/tanggap/internal/simulator/portal"
)

const day = 24 * time.Hour

// writeHistory fills the systems with the past weeks. Instants are chosen so that no calendar of a year
// decides what is overdue: what is old is three weeks old, what is new is minutes old.
func (c *City) writeHistory(now time.Time) {
	for channel, p := range map[string]*portal.Portal{DSW: c.DSW, Sigap: c.Sigap} {
		w := &writer{city: c, channel: channel, portal: p, now: now}
		for i := range 6 {
			w.answeredInTime(i)
		}
		for i := range 3 {
			w.answeredTooLate(i)
			w.neverAnswered(i)
			w.fresh(i)
		}
		w.rejected()
		w.lastWordUnanswered()
	}
	c.open311History(now)
	c.xHistory(now)
	c.laporHistory(now)
	c.telegramHistory(now)
	c.pageHistory(now)
}

// nextPhone is the number of somebody who has not complained yet, phone the latest of them.
func (c *City) nextPhone() string { return fmt.Sprintf("0812-1000-%04d", c.nextSerial()) }

func (c *City) phone() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprintf("0812-1000-%04d", c.serial)
}

// writer writes the history of one portal.
type writer struct {
	city    *City
	channel string
	portal  *portal.Portal
	now     time.Time
}

// add files complaint number i.
func (c *City) add(p *portal.Portal, i int, at time.Time) string {
	s := samples()[i%len(samples())]
	return p.AddTicket(portal.Report{
		Title: s.title, Text: s.text, Category: s.category, Phone: c.nextPhone(),
		Latitude: -6.39, Longitude: 106.82, At: at,
	})
}

// at runs one of the portal's verbs at an instant. A ticket that has just been added is there, so that
// an error is a mistake of this package.
func (w *writer) at(instant time.Time, verb func() error) {
	w.city.at(instant, func() {
		if err := verb(); err != nil {
			panic(err)
		}
	})
}

const (
	officer = "Admin OPD"
	thanks  = "Terima kasih atas laporan Bapak/Ibu."
	robot   = "Laporan Anda telah diterima sistem."
	answer  = "Petugas kami sudah ke lokasi dan pekerjaan dijadwalkan besok pagi pukul 08.00, hasilnya akan kami kabarkan di sini."
)

func (w *writer) answeredInTime(i int) {
	created := w.now.Add(-6*day - time.Duration(i)*time.Hour)
	t := w.city.add(w.portal, i, created)
	w.at(created.Add(time.Second), func() error { return w.portal.AnswerAutomatically(t, robot) })
	w.at(created.Add(10*time.Minute), func() error { return w.portal.Assign(t, samples()[i].department) })
	w.at(created.Add(25*time.Minute), func() error { return w.portal.Answer(t, officer, answer) })
	w.at(created.Add(time.Hour), func() error { return w.portal.Resolve(t) })
	w.city.remember(t, record{channel: w.channel, answered: true, closed: true})
}

// answeredTooLate got a thank-you within the hour, which keeps no promise, and an answer weeks later.
func (w *writer) answeredTooLate(i int) {
	created := w.now.Add(-22*day + time.Duration(i)*time.Hour)
	t := w.city.add(w.portal, i+3, created)
	w.at(created.Add(time.Hour), func() error { return w.portal.Assign(t, samples()[i+3].department) })
	w.at(created.Add(time.Hour), func() error { return w.portal.Answer(t, officer, thanks) })
	w.at(w.now.Add(-2*day), func() error { return w.portal.Answer(t, officer, answer) })
	w.at(w.now.Add(-day), func() error { return w.portal.Resolve(t) })
	w.city.remember(t, record{channel: w.channel, answered: true, closed: true})
}

// neverAnswered was acknowledged at best.
func (w *writer) neverAnswered(i int) {
	created := w.now.Add(-21*day + time.Duration(i)*time.Hour)
	t := w.city.add(w.portal, i+1, created)
	w.city.leftAlone(w.city.phone())
	w.at(created.Add(time.Second), func() error { return w.portal.AnswerAutomatically(t, robot) })
	if i == 0 {
		w.at(created.Add(time.Hour), func() error { return w.portal.Answer(t, officer, thanks) })
	}
	w.city.remember(t, record{channel: w.channel, overdue: true})
}

func (w *writer) fresh(i int) {
	t := w.city.add(w.portal, i+5, w.now.Add(-time.Duration(i+1)*time.Minute))
	w.city.remember(t, record{channel: w.channel})
}

// rejected was not the city's business.
func (w *writer) rejected() {
	created := w.now.Add(-10 * day)
	t := w.city.add(w.portal, 6, created)
	w.at(created.Add(20*time.Minute), func() error { return w.portal.Reject(t) })
	w.city.remember(t, record{channel: w.channel, closed: true})
}

// lastWordUnanswered was answered, and then the citizen asked again three weeks ago.
func (w *writer) lastWordUnanswered() {
	created := w.now.Add(-22 * day)
	t := w.city.add(w.portal, 6, created)
	w.at(created.Add(20*time.Minute), func() error { return w.portal.Answer(t, officer, answer) })
	w.at(w.now.Add(-20*day), func() error { return w.portal.Reply(t, "Belum ada petugas yang datang, bagaimana ini?") })
	w.city.remember(t, record{channel: w.channel, answered: true, overdue: true})
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
