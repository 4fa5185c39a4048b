package sms

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/simulator/sms"
)

// replyTo is an answer to a complaint that has just come in.
func (r *rig) replyTo(text string) channel.Reply {
	r.t.Helper()
	if code := r.post(r.account.Written(sms.Message{Person: ani, At: r.clock.Now(), Text: "Banjir di Jl. Margonda"})); code != http.StatusOK {
		r.t.Fatalf("The complaint was answered %d", code)
	}
	e := r.ledger.Events()[0]
	return channeltest.ReplyTo(e, text)
}

func TestReplyIsTheAnswerThatIsReadLater(t *testing.T) {
	r := newRig(t, newSpec(), secrets())
	sent, err := r.source.(channel.Replier).Reply(t.Context(), r.replyTo("Petugas menuju lokasi & segera\nbekerja"))
	if err != nil {
		t.Fatal(err)
	}
	r.clock.Advance(time.Minute)
	if err := r.poll(); err != nil {
		t.Fatal(err)
	}
	events := r.ledger.Events()
	last := events[len(events)-1]
	if last.ID != sent.EventID || last.Kind != complaint.KindAnswered || last.Text != "Petugas menuju lokasi & segera\nbekerja" ||
		last.Reporter == nil || last.Reporter.Phone != ani {
		t.Errorf("What was read is %+v, what was sent %+v", last, sent)
	}
}

func TestAReplyThatTwilioCouldNotDeliverComesBack(t *testing.T) {
	undelivered := func(sid string) sms.Message {
		return sms.Message{SID: sid, Person: ani, At: monday, Text: "Petugas menuju lokasi", Status: "undelivered"}
	}
	for name, learn := range map[string]struct {
		how func(*rig, string)
		why string
	}{
		"by a status": {func(r *rig, sid string) {
			form := r.account.Answered(undelivered(sid))
			form.Set("ErrorCode", "30006")
			if code := r.post(form); code != http.StatusOK {
				r.t.Errorf("answered %d", code)
			}
		}, "Twilio could not deliver it, error 30006; Twilio's list of error codes explains it"},
		"by the list": {func(r *rig, sid string) {
			r.account.Answered(undelivered(sid))
			if err := r.poll(); err != nil {
				r.t.Error(err)
			}
		}, "Twilio could not deliver it"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, newSpec(), secrets())
			sent, err := r.source.(channel.Replier).Reply(t.Context(), r.replyTo("Petugas menuju lokasi"))
			if err != nil {
				t.Fatal(err)
			}
			learn.how(r, strings.TrimPrefix(sent.EventID, "message/"))
			if diff := cmp.Diff([]ledgerapi.ReturnedReply{{Event: sent.EventID, Message: learn.why}}, r.ledger.Returned()); diff != "" {
				t.Errorf("returned (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRepliesThatCannotBeSent(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*rig, *channel.Reply)
		want   ledgerapi.Reason
		open   bool
	}{
		"the ledger keeps no handles":               {func(_ *rig, r *channel.Reply) { r.Message.Reporter = nil }, ledgerapi.ReasonReplyRefused, false},
		"a name wrote":                              {func(_ *rig, r *channel.Reply) { r.Message.Reporter = &complaint.Reporter{Handle: "DEPOK"} }, ledgerapi.ReasonReplyRefused, false},
		"the content has expired":                   {func(_ *rig, r *channel.Reply) { r.Message.Attributes = nil }, ledgerapi.ReasonReplyRefused, false},
		"the text is too long":                      {func(_ *rig, r *channel.Reply) { r.Text = strings.Repeat("é", 1601) }, ledgerapi.ReasonReplyRefused, false},
		"the citizen has opted out":                 {func(r *rig, _ *channel.Reply) { r.account.OptOut(ani) }, ledgerapi.ReasonReplyRefused, false},
		"Twilio asks for fewer requests":            {func(r *rig, _ *channel.Reply) { r.account.Fail(http.StatusTooManyRequests) }, ledgerapi.ReasonRateLimited, false},
		"Twilio fails, perhaps after it":            {func(r *rig, _ *channel.Reply) { r.account.Fail(http.StatusInternalServerError) }, ledgerapi.ReasonServerError, true},
		"neither of the tokens is right (any more)": {func(r *rig, _ *channel.Reply) { r.account.AuthToken = "third" }, ledgerapi.ReasonUnauthorized, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, newSpec(), secrets())
			reply := r.replyTo("Petugas menuju lokasi")
			test.change(r, &reply)
			channeltest.NotReplied(t, r.source, reply, test.want, test.open, "62812")
			if n := r.account.Sent(); n != 0 {
				t.Errorf("%d were sent", n)
			}
		})
	}
}
