package meta

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// replyTo is an answer to the last complaint that the ledger has.
func (c *city) replyTo(text string) channel.Reply {
	c.Helper()
	events := c.ledger.Events()
	last := events[len(events)-1]
	if last.Kind != complaint.KindReceived {
		c.Fatalf("The last event is %s", last.Kind)
	}
	return channeltest.ReplyTo(last, text)
}

// What was sent is read by the next poll, and must then be the same event.
func TestReplyIsTheAnswerThatIsReadLater(t *testing.T) {
	for name, complain := range map[string]func(*city) []byte{
		"a comment on Facebook": func(c *city) []byte {
			post, _ := c.server.Post(pageID, "Kerja bakti hari Minggu")
			_, delivery := c.server.Comment(siti, post, "", "Sampah menumpuk")
			return delivery
		},
		"a visitor's post": func(c *city) []byte { _, delivery := c.server.Post(siti, "Banjir di Jl. Margonda"); return delivery },
		"a comment on Instagram": func(c *city) []byte {
			_, delivery := c.server.Remark(siti, c.server.Media(), "", "Lampu mati", false)
			return delivery
		},
		"a message on Messenger": func(c *city) []byte {
			_, delivery := c.server.Message("messenger", siti, "Pohon tumbang", false)
			return delivery
		},
		"a message on Instagram": func(c *city) []byte {
			_, delivery := c.server.Message("instagram", siti, "Pohon tumbang", false)
			return delivery
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCity(t, nil)
			c.deliver(complain(c))
			sent, err := c.source.(channel.Replier).Reply(t.Context(), c.replyTo("Petugas menuju lokasi"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"Petugas menuju lokasi"}, c.server.Said()); diff != "" {
				t.Errorf("said (-want +got):\n%s", diff)
			}
			c.clock.Advance(time.Minute)
			if err := c.source.(channel.Poller).Poll(t.Context(), nil, c.ledger.Named("meta")); err != nil {
				t.Fatal(err)
			}
			events := c.ledger.Events()
			at := slices.IndexFunc(events, func(e complaint.Event) bool { return e.ID == sent.EventID })
			if at < 0 || events[at].Kind != complaint.KindAnswered || events[at].Actor != complaint.ActorOfficial || events[at].Text != "Petugas menuju lokasi" {
				t.Errorf("No answer of the name %s was read: %+v", sent.EventID, events)
			}
		})
	}
}

func TestAReplyToAReplyOnInstagramGoesToTheThread(t *testing.T) {
	c := newCity(t, nil)
	media := c.server.Media()
	root, first := c.server.Remark(siti, media, "", "Lampu mati", false)
	_, second := c.server.Remark(budi, media, root, "Di sini juga", true)
	c.deliver(first)
	c.deliver(second)
	reply := c.replyTo("Petugas menuju lokasi")
	reply.CaseID = kindComment + "/" + root // where the ledger puts it
	if _, err := c.source.(channel.Replier).Reply(t.Context(), reply); err != nil {
		t.Fatal(err)
	}
}

func TestMessagesAreAnsweredForAWeek(t *testing.T) {
	for name, test := range map[string]struct {
		after time.Duration
		taken bool
	}{
		"at once":              {time.Minute, true},
		"after a day":          {24 * time.Hour, true},
		"before a week passed": {7*24*time.Hour - time.Second, true},
		"after a week":         {7 * 24 * time.Hour, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCity(t, nil)
			_, delivery := c.server.Message("messenger", siti, "Pohon tumbang", false)
			c.deliver(delivery)
			c.clock.Advance(test.after)
			_, err := c.source.(channel.Replier).Reply(t.Context(), c.replyTo("Sudah ditebang"))
			if (err == nil) != test.taken || len(c.server.Said()) > 0 != test.taken {
				t.Errorf("got %v, said %v", err, c.server.Said())
			}
		})
	}
}

func TestRepliesThatCannotBeSent(t *testing.T) {
	message := func(c *city) { _, d := c.server.Message("instagram", siti, "banjir", false); c.deliver(d) }
	comment := func(c *city) {
		post, _ := c.server.Post(pageID, "Kerja bakti")
		_, d := c.server.Comment(siti, post, "", "banjir")
		c.deliver(d)
	}
	for name, test := range map[string]struct {
		complain func(*city)
		change   func(*city, *channel.Reply)
		want     ledgerapi.Reason
		open     bool
	}{
		"the ledger keeps no handles":     {message, func(_ *city, r *channel.Reply) { r.Message.Reporter = nil }, ledgerapi.ReasonReplyRefused, false},
		"a message that is too long":      {message, func(_ *city, r *channel.Reply) { r.Text = strings.Repeat("é", 501) }, ledgerapi.ReasonReplyRefused, false},
		"a comment that is too long":      {comment, func(_ *city, r *channel.Reply) { r.Text = strings.Repeat("é", 8001) }, ledgerapi.ReasonReplyRefused, false},
		"a comment whose content is gone": {comment, func(_ *city, r *channel.Reply) { r.Message.Attributes = nil }, ledgerapi.ReasonReplyRefused, false},
		"a name that leads elsewhere":     {comment, func(_ *city, r *channel.Reply) { r.Message.ID = "comment/../me" }, ledgerapi.ReasonReplyRefused, false},
		"a mention on Instagram":          {func(c *city) { _, d := c.server.Mention(siti, "banjir"); c.deliver(d) }, func(*city, *channel.Reply) {}, ledgerapi.ReasonReplyRefused, false},
		"a comment that was deleted": {comment, func(c *city, r *channel.Reply) {
			c.server.Change(strings.TrimPrefix(r.Message.ID, "comment/"), "remove", "")
		}, ledgerapi.ReasonReplyRefused, false},
		"an app that has used up its share": {comment, func(c *city, _ *channel.Reply) { c.server.Fail(http.StatusBadRequest, 32) }, ledgerapi.ReasonRateLimited, false},
		"a token that has ended":            {comment, func(c *city, _ *channel.Reply) { c.server.Fail(http.StatusBadRequest, 190) }, ledgerapi.ReasonUnauthorized, false},
		"Meta fails, perhaps after it":      {comment, func(c *city, _ *channel.Reply) { c.server.Fail(http.StatusInternalServerError, 2) }, ledgerapi.ReasonServerError, true},
		"Meta fails with another status":    {comment, func(c *city, _ *channel.Reply) { c.server.Fail(http.StatusBadRequest, 1) }, ledgerapi.ReasonServerError, true},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCity(t, nil)
			test.complain(c)
			reply := c.replyTo("Petugas menuju lokasi")
			test.change(c, &reply)
			channeltest.NotReplied(t, c.source, reply, test.want, test.open, "banjir")
			if len(c.server.Said()) != 0 {
				t.Errorf("It was said: %v", c.server.Said())
			}
		})
	}
}
