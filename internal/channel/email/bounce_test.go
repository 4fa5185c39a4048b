package email

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// bouncedID is the Message-ID of the reply that the recorded bounces are about.
const bouncedID = "tanggap-00112233445566778899aabbccddeeff@depok.example"

func TestBouncesTellWhichReplyDidNotArrive(t *testing.T) {
	recorded := fixtures(t)
	postfix := string(recorded["bounce_postfix"])
	until := func(words string) string {
		beginning, _, _ := strings.Cut(postfix, words)
		return beginning
	}
	for name, tt := range map[string]struct{ raw, want string }{
		"Postfix":                          {postfix, "the message came back: there is no such address (5.1.1)"},
		"Exchange, with the header alone":  {string(recorded["bounce_exchange"]), "the message came back: the citizen's mailbox is full or closed (5.2.2)"},
		"lines as in transport":            {strings.ReplaceAll(postfix, "\n", "\r\n"), "the message came back: there is no such address (5.1.1)"},
		"a status with a remark":           {strings.Replace(postfix, "Status: 5.1.1", "Status: 5.7.1 (policy)", 1), "the message came back: the citizen's mail server refuses it by its rules (5.7.1)"},
		"given up after days":              {strings.Replace(postfix, "Status: 5.1.1", "Status: 4.4.7", 1), "the message came back: the citizen's mail server could not be reached (4.4.7)"},
		"a status that is none":            {strings.Replace(postfix, "Status: 5.1.1", "Status: ani@warga.example", 1), "the message came back: the citizen's mail server does not take it (5.0.0)"},
		"the second of several recipients": {strings.Replace(postfix, "Final-Recipient", "Final-Recipient: rfc822; x@depok.example\nAction: relayed\nStatus: 2.0.0\n\nFinal-Recipient", 1), "the message came back: there is no such address (5.1.1)"},
		"cut off in the message":           {until("In-Reply-To"), "the message came back: there is no such address (5.1.1)"},
		"it is only late":                  {string(recorded["bounce_delayed"]), ""},
		"it was delivered":                 {strings.Replace(postfix, "Action: failed", "Action: delivered", 1), ""},
		"of what the staff wrote":          {strings.ReplaceAll(postfix, bouncedID, "answer-1@depok.example"), ""},
		"without the message":              {until("Content-Description: Undelivered"), ""},
		"without a report":                 {string(recorded["bounce_qmail"]), ""},
		"an answer of absence":             {string(recorded["vacation"]), ""},
		"a report that a citizen attaches": {strings.Replace(postfix, "multipart/report", "multipart/mixed", 1), ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := &result{}
			desk().translate(r, []byte(tt.raw), monday, false)
			var want []ledgerapi.ReturnedReply
			if tt.want != "" {
				want = []ledgerapi.ReturnedReply{{Event: eventID(bouncedID), Message: tt.want}}
			}
			if diff := cmp.Diff(want, r.returned); diff != "" || len(r.events)+len(r.problems) > 0 {
				t.Errorf("%d events, problems %v, returned (-want +got):\n%s", len(r.events), r.problems, diff)
			}
		})
	}
}

// TestABounceIsOfTheReplyThatWasSent has what the source sent come back to it.
func TestABounceIsOfTheReplyThatWasSent(t *testing.T) {
	o := newOutgoing(t, nil)
	sent, err := o.source.(channel.Replier).Reply(t.Context(), o.complaint())
	if err != nil {
		t.Fatal(err)
	}
	id := strings.Trim(messageIDOf(o.server.Taken()[0].Raw), "<>")
	before := o.ledger.IDs()
	for name, raw := range fixtures(t) {
		if strings.HasPrefix(name, "bounce") || name == "vacation" || name == "auto_reply" {
			o.rig.server.Arrive(strings.ReplaceAll(strings.ReplaceAll(string(raw), bouncedID, id), "\n", "\r\n"), o.clock.Now())
		}
	}
	o.polled()
	if got := o.ledger.Returned(); len(got) != 2 || got[0].Event != sent.EventID || got[1].Event != sent.EventID {
		t.Errorf("returned are %+v, sent was %s", got, sent.EventID)
	}
	if after := o.ledger.IDs(); !slices.Equal(before, after) {
		t.Errorf("what machines wrote became %v, before %v", after, before)
	}
}
