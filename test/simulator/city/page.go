package city

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/tanggap/tanggap/internal/simulator/meta"
)

// The deputy mayor's Page.
const (
	metaApp  = "1517776481860000"
	metaPage = "102000000000001"
)

// Page is the deputy mayor's Page on Facebook: the Graph API, and what it delivers to URL.
type Page struct {
	*meta.Server
	URL string

	client *http.Client
	sender *meta.Sender
	// past is what would have been delivered weeks ago.
	past [][]byte
}

func newPage(c *City, client *http.Client) *Page {
	return &Page{
		Server: meta.New(meta.Options{AppID: metaApp, AppSecret: MetaSecret, Token: MetaToken, PageID: metaPage, Now: c.systemsNow}),
		client: client,
	}
}

// pageHistory has posts of visitors; of four, two were answered below.
func (c *City) pageHistory(now time.Time) {
	for i := range 4 {
		at := now.Add(-5*day + time.Duration(i)*time.Hour)
		var post string
		var delivery []byte
		c.at(at, func() { post, delivery = c.Meta.Post(c.visitor(), samples()[i].text) })
		c.Meta.past = append(c.Meta.past, delivery)
		if i < 2 {
			c.at(at.Add(time.Hour), func() { _, delivery = c.Meta.Comment(metaPage, post, "", answer) })
			c.Meta.past = append(c.Meta.past, delivery)
		}
		c.remember(post, record{channel: DeputyMeta, answered: i < 2, overdue: i >= 2})
	}
}

func (c *City) visitor() string { return fmt.Sprint(2_400_000_000_000_000 + c.nextSerial()) }

// setUp shows Meta the endpoint and delivers what is past.
func (p *Page) setUp(ctx context.Context) bool {
	p.sender = meta.NewSender(p.URL, MetaSecret, MetaVerify, p.client)
	for p.sender.Handshake(ctx) != nil {
		if !pause(ctx, 500*time.Millisecond) {
			return false
		}
	}
	for _, delivery := range p.past {
		if p.sender.Send(ctx, delivery) != nil {
			return false
		}
	}
	return true
}

// livePage is post number i of a visitor; every other one is answered below within seconds.
func (c *City) livePage(ctx context.Context, i int) {
	post, delivery := c.Meta.Post(c.visitor(), samples()[i%len(samples())].text)
	c.remember(post, record{channel: DeputyMeta})
	if c.Meta.sender.Send(ctx, delivery) != nil || i%2 == 1 || !pause(ctx, 7*time.Second) {
		return
	}
	_, delivery = c.Meta.Comment(metaPage, post, "", answer)
	c.correct(post, func(r *record) { r.answered = true })
	_ = c.Meta.sender.Send(ctx, delivery) // else the city ends
}
