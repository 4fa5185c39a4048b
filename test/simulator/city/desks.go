package city

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/tanggap/tanggap/internal/simulator/callcentre"
	"github.com/tanggap/tanggap/internal/simulator/sms"
	"github.com/tanggap/tanggap/internal/simulator/telegram"
)

// liveOthers lets complaints arrive at the desks, on the Page and at LAPOR!.
func (c *City) liveOthers(ctx context.Context, all *sync.WaitGroup) {
	every(ctx, all, 10*time.Second, c.isQuiet, func(i int) { c.liveLapor(ctx, i) })
	every(ctx, all, 9*time.Second, c.isQuiet, func(i int) { c.liveTelegram(ctx, i) })
	if c.mail != nil {
		all.Go(func() {
			select {
			case <-c.mail.begun:
				every(ctx, all, 11*time.Second, c.isQuiet, func(i int) { c.liveMail(ctx, i) })
			case <-ctx.Done():
			}
		})
	}
	if c.Desk.URL != "" {
		all.Go(func() {
			c.deskHistory(ctx)
			every(ctx, all, 8*time.Second, c.isQuiet, func(i int) { c.liveDesk(ctx, i) })
		})
	}
	if c.SMS.URL != "" {
		every(ctx, all, 10*time.Second, c.isQuiet, func(i int) { c.liveSMS(ctx, i) })
	}
	if c.Meta.URL != "" {
		all.Go(func() {
			if c.Meta.setUp(ctx) {
				every(ctx, all, 11*time.Second, c.isQuiet, func(i int) { c.livePage(ctx, i) })
			}
		})
	}
}

// ticket is one of the help desk, as it is now.
func (c *City) ticket(i int, at time.Time) callcentre.Incident {
	s := samples()[i%len(samples())]
	return callcentre.Incident{
		ID: c.number("HD"), CallType: callcentre.CallNormal, Category: s.category, Description: s.text, ReceivedAt: at,
		Caller: &callcentre.Caller{Phone: c.nextPhone()},
	}
}

// deskHistory is delivered late: three tickets were answered and closed, two never.
func (c *City) deskHistory(ctx context.Context) {
	now := c.now()
	for i := range 5 {
		t := c.ticket(i, now.Add(-21*day+time.Duration(i)*time.Hour))
		if i < 3 {
			answered, closed := t.ReceivedAt.Add(20*time.Minute), t.ReceivedAt.Add(time.Hour)
			t.DisposedAt, t.Disposition, t.ClosedAt = &answered, answer, &closed
		}
		if c.Desk.Send(ctx, callcentre.Updated, t) == nil {
			c.remember(t.ID, record{channel: HelpDesk, answered: i < 3, closed: i < 3, overdue: i >= 3})
		}
	}
}

// liveDesk is ticket number i; every other one is answered and closed within seconds.
func (c *City) liveDesk(ctx context.Context, i int) {
	t := c.ticket(i, c.now())
	if c.Desk.Send(ctx, callcentre.Created, t) != nil {
		return
	}
	c.remember(t.ID, record{channel: HelpDesk})
	if i%2 == 1 || !pause(ctx, 6*time.Second) {
		return
	}
	now := c.now()
	t.DisposedAt, t.Disposition = &now, answer
	if c.Desk.Send(ctx, callcentre.Updated, t) == nil {
		c.correct(t.ID, func(r *record) { r.answered = true })
	}
}

// liveSMS is text message number i, of somebody who has not written before; every other one is answered. What
// is delivered has no time of its own, so that there is no past.
func (c *City) liveSMS(ctx context.Context, i int) {
	person := fmt.Sprintf("+628133000%04d", c.nextSerial())
	if c.SMS.Write(ctx, sms.Message{Person: person, At: c.now(), Text: samples()[i%len(samples())].text}) != nil {
		return
	}
	c.remember(person, record{channel: SMS})
	if i%2 == 0 && pause(ctx, 6*time.Second) && c.SMS.Answer(ctx, sms.Message{Person: person, At: c.now(), Text: answer}) == nil {
		c.correct(person, func(r *record) { r.answered = true })
	}
}

// telegramAccount is the city's.
const telegramAccount = 4200

// telegramHistory is what somebody wrote and the account answered days ago, and what two people wrote weeks ago.
func (c *City) telegramHistory(now time.Time) {
	for i := range 4 {
		at := now.Add(-20*day + time.Duration(i)*time.Hour)
		person := c.writeTelegram(i, at)
		if i < 2 {
			c.onTelegram(person, telegramAccount, answer, at.Add(time.Hour))
		}
		c.remember(fmt.Sprintf("telegram-%d", person), record{channel: Telegram, answered: i < 2, overdue: i >= 2})
	}
}

// liveTelegram is message number i; every other one is answered within seconds.
func (c *City) liveTelegram(ctx context.Context, i int) {
	person := c.writeTelegram(i, c.now())
	id := fmt.Sprintf("telegram-%d", person)
	c.remember(id, record{channel: Telegram})
	if i%2 == 1 || !pause(ctx, 7*time.Second) {
		return
	}
	c.onTelegram(person, telegramAccount, answer, c.now())
	c.correct(id, func(r *record) { r.answered = true })
}

func (c *City) writeTelegram(i int, at time.Time) (person int64) {
	person = int64(700_000_000 + c.nextSerial())
	c.onTelegram(person, person, samples()[i%len(samples())].text, at)
	return person
}

func (c *City) onTelegram(person, from int64, text string, at time.Time) {
	m := telegram.Business(person, from, text)
	m["date"] = at.Unix()
	c.Telegram.Add("business_message", m)
}

// export is a report in SP4N-LAPOR!.
type export struct {
	id                                       string
	sample                                   sample
	reported, forwarded, followed, concluded time.Time
}

// report files a report with LAPOR!.
func (c *City) report(i int, at time.Time) *export {
	e := &export{id: c.number("LAPOR"), sample: samples()[i%len(samples())], reported: at}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.exports = append(c.exports, e)
	return e
}

// laporHistory has reports that were followed up, one that was only forwarded, and one that nobody touched.
func (c *City) laporHistory(now time.Time) {
	for i := range 5 {
		e := c.report(i, now.Add(-21*day+time.Duration(i)*time.Hour))
		if i < 4 {
			e.forwarded = e.reported.Add(time.Hour)
		}
		if i < 3 {
			e.followed, e.concluded = e.reported.Add(2*time.Hour), e.reported.Add(26*time.Hour)
		}
		c.remember(e.id, record{channel: Lapor, answered: i < 3, closed: i < 3, overdue: i >= 3})
	}
}

// liveLapor is report number i; every other one is followed up within seconds, the others are forwarded.
func (c *City) liveLapor(ctx context.Context, i int) {
	e := c.report(i, c.now())
	c.remember(e.id, record{channel: Lapor})
	if !pause(ctx, 5*time.Second) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e.forwarded = c.now()
	if i%2 == 0 {
		e.followed = c.now()
		c.records[e.id].answered = true
	}
}

// writeExport is what the administrator's pages export: every report as it is now.
func (c *City) writeExport(to io.Writer) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	jakarta := time.FixedZone("WIB", 7*60*60)
	instant := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.In(jakarta).Format("02-01-2006 15:04:05")
	}
	w := csv.NewWriter(to)
	w.Comma = ';'
	_ = w.Write([]string{"Tracking ID", "Tanggal Laporan", "Judul", "Isi Laporan", "Kategori", "Instansi Terdisposisi", "Tanggal Disposisi", "Status",
		"Tindak Lanjut Terakhir", "Tanggal Tindak Lanjut", "Tanggal Selesai"}) // Error tells
	for _, e := range c.exports {
		department, status, words := "", "Belum Terverifikasi", ""
		if !e.forwarded.IsZero() {
			department, status = e.sample.department, "Belum Ditindaklanjuti"
		}
		if !e.followed.IsZero() {
			status, words = "Proses", answer
		}
		if !e.concluded.IsZero() {
			status = "Selesai"
		}
		_ = w.Write([]string{e.id, instant(e.reported), e.sample.title, e.sample.text, e.sample.category, department, instant(e.forwarded), status,
			words, instant(e.followed), instant(e.concluded)}) // Error tells
	}
	w.Flush()
	return w.Error()
}
