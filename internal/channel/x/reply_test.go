package x

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	simulator "github.com/tanggap/tanggap/internal/simulator/x"
)

// writer is the account and the app, as the Secret of the tests has them.
var writer = simulator.Writer{Account: account, ConsumerKey: "c-key", ConsumerSecret: "c-secret", AccessToken: "a-token", AccessTokenSecret: "a-secret"}

func allowReplies(s *v1alpha1.XSource) {
	key := func(name string) v1alpha1.SecretKeyReference {
		return v1alpha1.SecretKeyReference{Name: "x", Key: name}
	}
	s.Reply = &v1alpha1.XReply{
		ConsumerKeySecretRef: key("consumerKey"), ConsumerSecretSecretRef: key("consumerSecret"),
		AccessTokenSecretRef: key("accessToken"), AccessTokenSecretSecretRef: key("accessTokenSecret"),
	}
}

func TestReplyIsTheAnswerThatIsReadLater(t *testing.T) {
	c := newCity(t, simulator.Options{Writer: &writer}, allowReplies)
	c.server.Add(simulator.Post{Author: siti, Text: "@depok banjir", Mentions: []string{account}})
	c.mustPoll()
	complained := c.ledger.Events()[0]
	sent, err := c.source.(channel.Replier).Reply(t.Context(), channeltest.ReplyTo(complained, "Petugas DPUPR menuju lokasi 100% & segera"))
	if err != nil {
		t.Fatal(err)
	}
	if age := c.clock.Now().Sub(sent.At); age < 0 || age > time.Second {
		t.Errorf("It was sent at %v, %v ago", sent.At, age)
	}
	c.mustPoll()
	events := c.ledger.Events()
	last := events[len(events)-1]
	if last.ID != sent.EventID || last.Kind != complaint.KindAnswered || last.CaseID != complained.CaseID || last.Text != "Petugas DPUPR menuju lokasi 100% & segera" {
		t.Errorf("What was read is %+v, what was sent %+v", last, sent)
	}
}

func TestRepliesThatCannotBeSent(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*city, *channel.Reply)
		want   ledgerapi.Reason
		open   bool
	}{
		"no reply is allowed":   {func(c *city, _ *channel.Reply) { c.spec.Reply = nil; c.open() }, ledgerapi.ReasonReplyRefused, false},
		"the text is too long":  {func(_ *city, r *channel.Reply) { r.Text = strings.Repeat("é", 281) }, ledgerapi.ReasonReplyRefused, false},
		"the secret is another": {func(c *city, _ *channel.Reply) { c.spec.Reply.ConsumerSecretSecretRef.Key = "wrong"; c.open() }, ledgerapi.ReasonUnauthorized, false},
		"the citizen mentioned nobody": {func(c *city, r *channel.Reply) {
			r.Message.ID = text(c.server.Add(simulator.Post{Author: siti, Text: "banjir"}))
		}, ledgerapi.ReasonReplyRefused, false},
		"X fails, perhaps after it":        {func(c *city, _ *channel.Reply) { c.server.Fail(http.StatusServiceUnavailable) }, ledgerapi.ReasonServerError, true},
		"the message is of another source": {func(_ *city, r *channel.Reply) { r.Message.ID = "message/ab" }, ledgerapi.ReasonReplyRefused, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCity(t, simulator.Options{Writer: &writer}, allowReplies)
			c.server.Add(simulator.Post{Author: siti, Text: "@depok banjir", Mentions: []string{account}})
			c.mustPoll()
			reply := channeltest.ReplyTo(c.ledger.Events()[0], "Petugas menuju lokasi")
			test.change(c, &reply)
			channeltest.NotReplied(t, c.source, reply, test.want, test.open, "banjir")
		})
	}
}

func text(id uint64) string { return fmt.Sprint(id) }

func TestALimitOfXHoldsBackTheNextReply(t *testing.T) {
	c := newCity(t, simulator.Options{Writer: &writer, Requests: 3}, allowReplies)
	c.server.Add(simulator.Post{Author: siti, Text: "@depok banjir", Mentions: []string{account}})
	c.mustPoll()
	complained := c.ledger.Events()[0]
	for i := range 4 {
		_, err := c.source.(channel.Replier).Reply(t.Context(), channeltest.ReplyTo(complained, fmt.Sprint("Jawaban ", i)))
		failure, _ := errors.AsType[*channel.Error](err)
		switch {
		case i < 3 && err != nil:
			t.Fatal(err)
		case i == 3 && (failure == nil || failure.Reason != ledgerapi.ReasonRateLimited || failure.RetryAfter <= 0):
			t.Errorf("the fourth: %v, want %s with a time", err, ledgerapi.ReasonRateLimited)
		}
		if _, certain := errors.AsType[*channel.NotSentError](err); i == 3 && !certain {
			t.Error("It is left open whether it was sent")
		}
	}
}

func TestWeight(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "banjir": 6, "é": 1, "漢字": 4, "😀": 2, "lihat https://example.org/" + strings.Repeat("a", 100) + " ya": 32, "Jl. “Raya”": 10,
	} {
		if got := weight(text); got != want {
			t.Errorf("%q weighs %d, want %d", text, got, want)
		}
	}
}
