package telegram

import (
	"crypto/sha256"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/mac"
	simulator "github.com/tanggap/tanggap/internal/simulator/telegram"
)

// replyTo is an answer to the last message that the ledger has.
func (c *city) replyTo(text string) channel.Reply {
	c.Helper()
	events := c.ledger.Events()
	last := events[len(events)-1]
	return channeltest.ReplyTo(last, text)
}

func TestReplyGoesToWhoWrote(t *testing.T) {
	c := newCity(t, nil)
	c.server.Add(plain, simulator.Private(siti, "Banjir di Jl. Margonda"))
	c.mustPoll()
	sent, err := c.source.(channel.Replier).Reply(t.Context(), c.replyTo("Petugas menuju lokasi"))
	if err != nil {
		t.Fatal(err)
	}
	want := []simulator.Sent{{ID: c.server.Sent()[0].ID, Chat: siti, Text: "Petugas menuju lokasi"}}
	if diff := cmp.Diff(want, c.server.Sent()); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	if got, want := sent.EventID, "message/"+(&translator{key: mac.New(sha256.New, []byte(token))}).digest(siti, strconv.FormatInt(want[0].ID, 10)); got != want {
		t.Errorf("The event is called %s, want %s, as when it is seen in an update", got, want)
	}
	if !sent.At.Equal(c.clock.Now().Truncate(time.Second)) {
		t.Errorf("It was sent at %v", sent.At)
	}
}

func TestAReplyDoesNotStandBehindAPoll(t *testing.T) {
	c := newCity(t, nil)
	perMinute := int32(1)
	c.spec.Polling = &v1alpha1.Polling{RequestsPerMinute: &perMinute}
	c.open(channeltest.Direct{Handler: c.server})
	c.server.Add(plain, simulator.Private(siti, "Banjir"))
	c.mustPoll()
	begun := c.clock.Now()
	if _, err := c.source.(channel.Replier).Reply(t.Context(), c.replyTo("Petugas menuju lokasi")); err != nil {
		t.Fatal(err)
	}
	if waited := c.clock.Now().Sub(begun) + c.clock.Waited(); waited != 0 {
		t.Errorf("waited %s", waited)
	}
}

// The reply through a business account is seen again as an update, perhaps before it is known here what became of it.
func TestAReplyThroughABusinessAccountIsTheAnswerOfAnOfficial(t *testing.T) {
	c := newCity(t, nil)
	c.server.Add("business_message", simulator.Business(siti, siti, "Pohon tumbang"))
	c.mustPoll()
	reply := c.replyTo("Sudah ditebang")
	sent, err := c.source.(channel.Replier).Reply(t.Context(), reply)
	if err != nil {
		t.Fatal(err)
	}
	out := c.server.Sent()[0]
	if out.Connection != "bc-1" {
		t.Errorf("It went through the connection %q", out.Connection)
	}
	echo := simulator.Business(siti, mayor, out.Text)
	echo["message_id"], echo["sender_business_bot"] = out.ID, simulator.Object{"id": 999, "is_bot": true}
	c.server.Add("business_message", echo)
	thanks := simulator.Business(siti, siti, "Terima kasih")
	thanks["reply_to_message"] = echo
	c.server.Add("business_message", thanks)
	c.mustPoll()
	err = c.ledger.Named("bot").Append(t.Context(), channel.Batch{Events: []complaint.Event{{
		ID: sent.EventID, CaseID: reply.CaseID, Kind: complaint.KindAnswered, Actor: complaint.ActorOfficial, OccurredAt: sent.At,
	}}})
	if err != nil {
		t.Fatal(err)
	}
	answers := map[complaint.Actor]int{}
	for _, e := range c.ledger.Events() {
		if e.Kind == complaint.KindAnswered {
			answers[e.Actor]++
		}
		if e.Text == "Terima kasih" && !slices.Contains(e.Thread.Quoted, sent.EventID) {
			t.Errorf("What quotes the reply belongs to %v", e.Thread.Quoted)
		}
	}
	if diff := cmp.Diff(map[complaint.Actor]int{complaint.ActorOfficial: 1, complaint.ActorBot: 1}, answers); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}

func TestRepliesThatCannotBeSent(t *testing.T) {
	for name, test := range map[string]struct {
		change  func(*city, *channel.Reply)
		want    ledgerapi.Reason
		message string
		// open says that nobody knows whether it was sent.
		open bool
	}{
		"the ledger keeps no handles":      {func(_ *city, r *channel.Reply) { r.Message.Reporter = nil }, ledgerapi.ReasonReplyRefused, "storeHandles", false},
		"the text is too long":             {func(_ *city, r *channel.Reply) { r.Text = strings.Repeat("😀", 2049) }, ledgerapi.ReasonReplyRefused, "4098", false},
		"the citizen blocked the bot":      {func(c *city, _ *channel.Reply) { c.server.Block(siti) }, ledgerapi.ReasonReplyRefused, "blocked", false},
		"Telegram asks to be left alone":   {func(c *city, _ *channel.Reply) { c.server.Fail(http.StatusTooManyRequests, 17) }, ledgerapi.ReasonRateLimited, "", false},
		"Telegram fails, perhaps after it": {func(c *city, _ *channel.Reply) { c.server.Fail(http.StatusBadGateway, 0) }, ledgerapi.ReasonServerError, "", true},
		"somebody else's token was delivered": {func(c *city, _ *channel.Reply) {
			c.spec.BotTokenSecretRef.Key = "other"
			c.open(channeltest.Direct{Handler: c.server})
		}, ledgerapi.ReasonUnauthorized, "token", false},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCity(t, nil)
			c.server.Add(plain, simulator.Private(siti, "Banjir"))
			c.mustPoll()
			reply := c.replyTo("Petugas menuju lokasi")
			test.change(c, &reply)
			message := channeltest.NotReplied(t, c.source, reply, test.want, test.open, "banjir")
			if !strings.Contains(message, test.message) {
				t.Errorf("got %q, want it to say %q", message, test.message)
			}
			if len(c.server.Sent()) != 0 {
				t.Error("It was sent")
			}
		})
	}
}
