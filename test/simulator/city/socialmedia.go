package city

import (
	"context"
	"fmt"
	"time"

	"github.com/tanggap/tanggap/internal/simulator/x"
)

// deputyXAccount is the number of the deputy mayor's account on X.
const deputyXAccount = "1400000000000000042"

// xHistory fills the deputy mayor's account: what is shouted there in public is answered, or not, and
// people also write below what he posts himself.
func (c *City) xHistory(now time.Time) {
	for i := range 3 {
		id := c.mention(i, now.Add(-4*day-time.Duration(i)*time.Hour))
		c.replyOnX(id, now.Add(-4*day+time.Hour))
		c.remember(fmt.Sprint(id), record{channel: DeputyX, answered: true})
	}
	for i := range 2 {
		id := c.mention(i+4, now.Add(-20*day+time.Duration(i)*time.Hour))
		c.remember(fmt.Sprint(id), record{channel: DeputyX, overdue: true})
	}
	c.remember(fmt.Sprint(c.mention(6, now.Add(-3*time.Minute))), record{channel: DeputyX})

	post := c.X.Add(x.Post{Author: deputyXAccount, Text: "Hari ini meninjau Situ Rawa Besar.", At: now.Add(-6 * day)})
	for i := range 2 {
		author := c.citizenOnX()
		complaint := c.X.Add(x.Post{Author: author, Text: "Pak, " + samples()[i].text, ReplyTo: post, At: now.Add(-5*day + time.Duration(i)*time.Minute)})
		if i == 0 {
			c.replyOnX(complaint, now.Add(-5*day+time.Hour))
		}
		c.remember(fmt.Sprintf("%d/%s", post, author), record{channel: DeputyX, answered: i == 0, overdue: i != 0})
	}
}

// liveX is mention number i; every other one is answered within seconds.
func (c *City) liveX(ctx context.Context, i int) {
	id := c.mention(i, time.Time{})
	c.remember(fmt.Sprint(id), record{channel: DeputyX})
	if i%2 == 1 || !pause(ctx, 7*time.Second) {
		return
	}
	c.replyOnX(id, time.Time{})
	c.correct(fmt.Sprint(id), func(r *record) { r.answered = true })
}

func (c *City) citizenOnX() string { return fmt.Sprint(1_500_000_000_000_000_000 + c.nextSerial()) }

func (c *City) mention(i int, at time.Time) uint64 {
	return c.X.Add(x.Post{
		Author: c.citizenOnX(), Text: "@wakilwalikota " + samples()[i%len(samples())].text, Mentions: []string{deputyXAccount}, At: at,
	})
}

func (c *City) replyOnX(to uint64, at time.Time) {
	c.X.Add(x.Post{Author: deputyXAccount, Text: answer, ReplyTo: to, At: at})
}
