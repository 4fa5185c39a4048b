package email

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/simulator/email"
)

// outgoing is an account that may answer, with its submission server and a complaint in its mailbox.
type outgoing struct {
	*rig
	server *email.Submission
	// down has connections refused.
	down bool
}

const complained = "From: Ani <ani@warga.example>\r\nTo: aduan@depok.example\r\nSubject: =?utf-8?q?Banjir_=E2=80=93_Margonda?=\r\n" +
	"Message-ID: <b2@warga.example>\r\nReferences: <b1@warga.example>\r\nIn-Reply-To: <b1@warga.example>\r\n\r\nAir masuk rumah\r\n"

func newOutgoing(t *testing.T, change func(*v1alpha1.EmailSource, *email.Submission)) *outgoing {
	t.Helper()
	o := &outgoing{rig: newRig(t, email.Options{}), server: &email.Submission{User: "aduan@depok.example", Password: "rahasia", STARTTLS: true}}
	made, err := certificate()
	if err != nil {
		t.Fatal(err)
	}
	o.server.Certificate = made.tls
	o.spec.Reply = &v1alpha1.EmailReply{Host: host, From: "aduan@depok.example", FromName: "Meja Aduan Depok"}
	if change != nil {
		change(o.spec, o.server)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = o.server.Serve(listener) // it ends with the listener
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-served
	})
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		to := o.address
		if strings.HasSuffix(address, ":587") || strings.HasSuffix(address, ":465") {
			if to = listener.Addr().String(); o.down {
				return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
			}
		}
		return (&net.Dialer{}).DialContext(ctx, network, to)
	}
	o.source, err = Type{Dial: dial}.Open(channeltest.Settings(v1alpha1.ChannelSource{Type: v1alpha1.SourceEmail, Email: o.spec}, o.clock, nil, map[string]string{
		"mail/user": "aduan@depok.example", "mail/password": "rahasia", "mail/token": "ya29", "mail/ca": string(made.pem),
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.source.Close() })
	return o
}

// complaint is what a reply answers.
func (o *outgoing) complaint() channel.Reply {
	o.t.Helper()
	o.rig.server.Arrive(complained, o.clock.Now())
	o.polled()
	return channeltest.ReplyTo(o.ledger.Events()[0], "Petugas DPUPR menuju lokasi – tiba pukul 10.30.")
}

func TestReplyGoesOnWithTheThreadAndIsOneAnswer(t *testing.T) {
	o := newOutgoing(t, nil)
	reply := o.complaint()
	sent, err := o.source.(channel.Replier).Reply(t.Context(), reply)
	if err != nil {
		t.Fatal(err)
	}
	taken := o.server.Taken()
	if len(taken) != 1 || taken[0].From != "aduan@depok.example" || len(taken[0].To) != 1 || taken[0].To[0] != "ani@warga.example" {
		t.Fatalf("The server took %+v", taken)
	}
	for _, want := range []string{
		"In-Reply-To: <b2@warga.example>", "References: <b1@warga.example> <b2@warga.example>", "=?utf-8?q?Re:_Banjir_=E2=80=93_Margonda?=",
		`"Meja Aduan Depok" <aduan@depok.example>`, "To: <ani@warga.example>",
	} {
		if !strings.Contains(taken[0].Raw, want) {
			t.Errorf("The message lacks %q:\n%s", want, taken[0].Raw)
		}
	}
	// The mail server keeps what was sent, where the source finds it.
	o.rig.server.Send(taken[0].Raw, o.clock.Now())
	o.polled()
	events := o.ledger.Events()
	last := events[len(events)-1]
	if last.ID != sent.EventID || last.Kind != complaint.KindAnswered || last.Text != reply.Text {
		t.Errorf("What was read is %+v, what was sent %+v", last, sent)
	}
	// Whoever sends the same again sends the same message.
	if _, err := o.source.(channel.Replier).Reply(t.Context(), reply); err != nil {
		t.Fatal(err)
	}
	if again := o.server.Taken()[1].Raw; messageIDOf(again) == "" || messageIDOf(again) != messageIDOf(taken[0].Raw) {
		t.Errorf("The same reply is called %q and %q", messageIDOf(taken[0].Raw), messageIDOf(again))
	}
}

func messageIDOf(raw string) string {
	_, rest, _ := strings.Cut(raw, "Message-Id: ")
	id, _, _ := strings.Cut(rest, "\r\n")
	return id
}

func TestWaysToLogInAndToEncrypt(t *testing.T) {
	for name, change := range map[string]func(*v1alpha1.EmailSource, *email.Submission){
		"TLS from the beginning": func(spec *v1alpha1.EmailSource, s *email.Submission) {
			spec.Reply.TLS, s.STARTTLS = v1alpha1.EmailTLSImplicit, false
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOutgoing(t, change)
			if _, err := o.source.(channel.Replier).Reply(t.Context(), o.complaint()); err != nil || len(o.server.Taken()) != 1 {
				t.Errorf("%d taken, %v", len(o.server.Taken()), err)
			}
		})
	}
}

func TestRepliesThatCannotBeSent(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*outgoing, *channel.Reply)
		want   ledgerapi.Reason
		open   bool
	}{
		"the ledger keeps no handles": {func(_ *outgoing, r *channel.Reply) { r.Message.Reporter = nil }, ledgerapi.ReasonReplyRefused, false},
		"the content has expired":     {func(_ *outgoing, r *channel.Reply) { r.Message.Attributes = nil }, ledgerapi.ReasonReplyRefused, false},
		"an address with more in it": {func(_ *outgoing, r *channel.Reply) {
			r.Message.Reporter = &complaint.Reporter{Email: "a@b.example\r\nBcc: all@depok.example"}
		}, ledgerapi.ReasonReplyRefused, false},
		"one of the staff": {func(_ *outgoing, r *channel.Reply) {
			r.Message.Reporter = &complaint.Reporter{Email: "dinas@depok.example"}
		}, ledgerapi.ReasonReplyRefused, false},
		"another password":                  {func(o *outgoing, _ *channel.Reply) { o.server.Password = "lain" }, ledgerapi.ReasonUnauthorized, false},
		"a login that is not allowed":       {func(o *outgoing, _ *channel.Reply) { o.server.Refuse("login", 534) }, ledgerapi.ReasonUnauthorized, false},
		"an address that there is not":      {func(o *outgoing, _ *channel.Reply) { o.server.Refuse("to", 550) }, ledgerapi.ReasonReplyRefused, false},
		"a sender that is not allowed":      {func(o *outgoing, _ *channel.Reply) { o.server.Refuse("from", 553) }, ledgerapi.ReasonReplyRefused, false},
		"a server that is busy":             {func(o *outgoing, _ *channel.Reply) { o.server.Refuse("from", 451) }, ledgerapi.ReasonRateLimited, false},
		"a message that is refused as spam": {func(o *outgoing, _ *channel.Reply) { o.server.Refuse("end", 554) }, ledgerapi.ReasonReplyRefused, false},
		"a server that is down":             {func(o *outgoing, _ *channel.Reply) { o.down = true }, ledgerapi.ReasonUnreachable, false},
		"a server that took it and is gone": {func(o *outgoing, _ *channel.Reply) { o.server.Mute() }, ledgerapi.ReasonUnreachable, true},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOutgoing(t, nil)
			reply := o.complaint()
			test.change(o, &reply)
			channeltest.NotReplied(t, o.source, reply, test.want, test.open, "warga.example", "banjir")
			if n := len(o.server.Taken()); n != 0 && !test.open {
				t.Errorf("%d were sent", n)
			}
		})
	}
}
