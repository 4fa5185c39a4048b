package whatsapp

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/simulator/whatsapp"
)

// desk is a channel that may answer, and the complaint that it has.
type desk struct {
	*rig
	graph   *whatsapp.Graph
	replier channel.Replier
}

func newDesk(t *testing.T, template *v1alpha1.WhatsAppTemplate) *desk {
	t.Helper()
	spec := newSpec()
	spec.Reply = &v1alpha1.WhatsAppReply{AccessTokenSecretRef: ref("access"), Template: template}
	d := &desk{
		rig:   &rig{t: t, clock: channeltest.NewClock(monday), ledger: &channeltest.Ledger{}},
		graph: &whatsapp.Graph{Token: "EAA-secret", AppSecret: secret, PhoneNumberID: numberID},
	}
	source, err := Type{}.Open(channeltest.Settings(v1alpha1.ChannelSource{Type: v1alpha1.SourceWhatsApp, WhatsApp: spec}, d.clock,
		channeltest.Direct{Handler: d.graph}, map[string]string{
			"whatsapp/new": secret, "whatsapp/old": older, "whatsapp/token": token, "whatsapp/access": "EAA-secret",
		}))
	if err != nil {
		t.Fatal(err)
	}
	d.handler, d.replier = source.(channel.Pusher).Handler(d.ledger), source.(channel.Replier)
	if code := d.post(meta().Written(whatsapp.Message{Person: ani, At: monday, Text: "Banjir di Jl. Margonda"})); code != http.StatusOK {
		t.Fatalf("The complaint was answered %d", code)
	}
	return d
}

func (d *desk) reply(text string) channel.Reply {
	return channeltest.ReplyTo(d.ledger.Events()[0], text)
}

func TestReplyIsTheAnswerThatItsStatusTellsOf(t *testing.T) {
	d := newDesk(t, nil)
	sent, err := d.replier.Reply(t.Context(), d.reply("Petugas menuju lokasi\nTerima kasih"))
	if err != nil {
		t.Fatal(err)
	}
	want := []whatsapp.Outgoing{{To: ani, Text: "Petugas menuju lokasi\nTerima kasih", CallbackData: "r-1"}}
	if diff := cmp.Diff(want, d.graph.Sent(), cmpopts.IgnoreFields(whatsapp.Outgoing{}, "ID")); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	d.post(delivered("messages", "statuses", `{"id":"`+d.graph.Sent()[0].ID+`","status":"sent","timestamp":"1793585000","recipient_id":"`+ani+`"}`))
	events := d.ledger.Events()
	if last := events[len(events)-1]; last.ID != sent.EventID {
		t.Errorf("The status became %s, the reply %s", last.ID, sent.EventID)
	}
}

func TestWhoHidesTheNumberIsAnsweredByTheIDThatMetaGave(t *testing.T) {
	d := newDesk(t, nil)
	d.post(delivered("messages", "messages", `{"from_user_id":"ID.77","id":"wamid.1","timestamp":1793584800,"type":"text","text":{"body":"halo"}}`))
	events := d.ledger.Events()
	if _, err := d.replier.Reply(t.Context(), channeltest.ReplyTo(events[len(events)-1], "Petugas menuju lokasi")); err != nil {
		t.Fatal(err)
	}
	want := []whatsapp.Outgoing{{Recipient: "ID.77", Text: "Petugas menuju lokasi", CallbackData: "r-1"}}
	if diff := cmp.Diff(want, d.graph.Sent(), cmpopts.IgnoreFields(whatsapp.Outgoing{}, "ID")); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
}

func TestTheProofIsOfWhicheverAppSecretIsInForce(t *testing.T) {
	d := newDesk(t, nil)
	d.graph.AppSecret = older
	if _, err := d.replier.Reply(t.Context(), d.reply("Petugas menuju lokasi")); err != nil || len(d.graph.Sent()) != 1 {
		t.Errorf("%d messages, %v", len(d.graph.Sent()), err)
	}
}

func TestAfterADayATemplateIsSentOrNothing(t *testing.T) {
	for name, test := range map[string]struct {
		after    time.Duration
		template *v1alpha1.WhatsAppTemplate
		want     []whatsapp.Outgoing
	}{
		"just inside the window":       {24*time.Hour - 2*time.Second, nil, []whatsapp.Outgoing{{To: ani, Text: "Sudah\tselesai\n\nTerima kasih", CallbackData: "r-1"}}},
		"the window closes":            {24 * time.Hour, nil, nil},
		"a template after the window":  {25 * time.Hour, &v1alpha1.WhatsAppTemplate{Name: "kabar_laporan"}, []whatsapp.Outgoing{{To: ani, Template: "kabar_laporan", Language: "id", Text: "Sudah selesai Terima kasih", CallbackData: "r-1"}}},
		"no template while it is open": {time.Hour, &v1alpha1.WhatsAppTemplate{Name: "kabar_laporan"}, []whatsapp.Outgoing{{To: ani, Text: "Sudah\tselesai\n\nTerima kasih", CallbackData: "r-1"}}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, test.template)
			d.clock.Advance(test.after)
			_, err := d.replier.Reply(t.Context(), d.reply("Sudah\tselesai\n\nTerima kasih"))
			if (err == nil) != (test.want != nil) {
				t.Errorf("got %v", err)
			}
			if diff := cmp.Diff(test.want, d.graph.Sent(), cmpopts.IgnoreFields(whatsapp.Outgoing{}, "ID")); diff != "" {
				t.Errorf("sent (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRepliesThatCannotBeSent(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*desk, *channel.Reply)
		want   ledgerapi.Reason
		open   bool
	}{
		"the ledger keeps no handles":         {func(_ *desk, r *channel.Reply) { r.Message.Reporter = nil }, ledgerapi.ReasonReplyRefused, false},
		"the content has expired":             {func(_ *desk, r *channel.Reply) { r.Message.Attributes = nil }, ledgerapi.ReasonReplyRefused, false},
		"the text is too long":                {func(_ *desk, r *channel.Reply) { r.Text = strings.Repeat("a", 4097) }, ledgerapi.ReasonReplyRefused, false},
		"Meta says that the window is closed": {func(d *desk, _ *channel.Reply) { d.graph.CloseWindow(ani) }, ledgerapi.ReasonReplyRefused, false},
		"the token has been revoked":          {func(d *desk, _ *channel.Reply) { d.graph.Fail(http.StatusUnauthorized) }, ledgerapi.ReasonUnauthorized, false},
		"the app has another secret":          {func(d *desk, _ *channel.Reply) { d.graph.AppSecret = "other" }, ledgerapi.ReasonUnauthorized, false},
		"Meta fails, perhaps after it":        {func(d *desk, _ *channel.Reply) { d.graph.Fail(http.StatusInternalServerError) }, ledgerapi.ReasonServerError, true},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, nil)
			reply := d.reply("Petugas menuju lokasi")
			test.change(d, &reply)
			channeltest.NotReplied(t, d.replier, reply, test.want, test.open, "banjir", "62812")
			if len(d.graph.Sent()) != 0 {
				t.Error("It was sent")
			}
		})
	}
}
