package city

import (
	"context"
	"fmt"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/simulator/whatsapp"
)

// The mayor's number, which is known to more people than it was meant for.
const (
	whatsAppNumber   = "622177200000"
	whatsAppNumberID = "106540352242922"
)

// newWhatsApp is Meta with the mayor's number; it is told later where to deliver to.
func newWhatsApp(c *City) *whatsapp.Sender {
	return &whatsapp.Sender{
		AppSecret: WhatsAppSecret, VerifyToken: WhatsAppToken, PhoneNumberID: whatsAppNumberID, PhoneNumber: whatsAppNumber,
		Client: c.Sender.Client,
	}
}

// leftAlone notes who filed a complaint that a portal never answered.
func (c *City) leftAlone(phone string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alone = append(c.alone, complaint.NormalizePhone(phone))
}

// newcomer is the number of somebody who writes to the mayor for the first time: if spilled, and there is
// one, of somebody whom a portal left alone.
func (c *City) newcomer(spilled bool) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if spilled && len(c.alone) > 0 {
		person := c.alone[0]
		c.alone = c.alone[1:]
		return person
	}
	c.serial++
	return fmt.Sprintf("628132000%04d", c.serial)
}

// setUpWhatsApp shows Meta the endpoint and writes the history: of a platform that only pushes, the past
// arrives as late deliveries.
func (c *City) setUpWhatsApp(ctx context.Context) bool {
	if c.WhatsApp.URL == "" {
		return false
	}
	for c.WhatsApp.Subscribe(ctx) != nil {
		if !pause(ctx, 500*time.Millisecond) {
			return false
		}
	}
	now := c.now()
	for i := range 3 {
		person, at := c.newcomer(false), now.Add(-4*day-time.Duration(i)*time.Hour)
		c.writeMayor(ctx, person, i, at)
		c.mayorAnswers(ctx, person, at.Add(20*time.Minute))
	}
	for i := range 2 {
		person, at := c.newcomer(true), now.Add(-20*day+time.Duration(i)*time.Hour)
		c.writeMayor(ctx, person, i+1, at)
		c.correct(person, func(r *record) { r.overdue = true })
	}
	person := c.newcomer(false)
	c.writeMayor(ctx, person, 3, now.Add(-20*day))
	c.mayorAnswers(ctx, person, now.Add(-2*day))
	c.writeMayor(ctx, c.newcomer(false), 4, now.Add(-2*time.Minute))
	return ctx.Err() == nil
}

// liveMayor is conversation number i; every other one is answered within seconds, every third is somebody
// whom a portal left alone, and every fourth begins with two messages.
func (c *City) liveMayor(ctx context.Context, i int) {
	person := c.newcomer(i%3 == 1)
	c.writeMayor(ctx, person, i, c.now())
	if i%4 == 2 && pause(ctx, time.Second) {
		_ = c.WhatsApp.Write(ctx, whatsapp.Message{Person: person, At: c.now(), Text: "Mohon ditanggapi, Pak / Bu 🙏"}) // else the city ends
	}
	if i%2 == 0 && pause(ctx, 6*time.Second) {
		c.mayorAnswers(ctx, person, c.now())
	}
}

func (c *City) writeMayor(ctx context.Context, person string, i int, at time.Time) {
	if c.WhatsApp.Write(ctx, whatsapp.Message{Person: person, At: at, Text: samples()[i%len(samples())].text}) == nil {
		c.remember(person, record{channel: MayorWhatsApp})
	}
}

// mayorAnswers lets the mayor's staff answer in the business app.
func (c *City) mayorAnswers(ctx context.Context, person string, at time.Time) {
	if c.WhatsApp.Answer(ctx, whatsapp.Message{Person: person, At: at, Text: answer}) == nil {
		c.correct(person, func(r *record) { r.answered = true })
	}
}
