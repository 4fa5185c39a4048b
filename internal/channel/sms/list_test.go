package sms

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/simulator/sms"
)

// texts of the events in the order in which they arrived.
func (r *rig) texts() []string {
	var texts []string
	for _, e := range r.ledger.Events() {
		texts = append(texts, string(e.Kind)+": "+e.Text)
	}
	return texts
}

func reason(err error) string {
	if failure, ok := errors.AsType[*channel.Error](err); ok {
		return string(failure.Reason)
	}
	return ""
}

// TestTheListHasWhatDeliveriesMissed and what the city answered, with its words; what was delivered as well is
// known already.
func TestTheListHasWhatDeliveriesMissed(t *testing.T) {
	r := newRig(t, newSpec(), secrets())
	delivered := r.account.Written(sms.Message{Person: ani, At: monday.Add(time.Second), Text: "Banjir"})
	if code := r.post(delivered); code != 200 {
		t.Fatal(code)
	}
	r.account.Written(sms.Message{Person: budi, At: monday.Add(time.Minute), Text: "Sampah", Media: 1})
	status := r.account.Answered(sms.Message{Person: ani, At: monday.Add(time.Hour), Text: "Petugas ke sana", Segments: 2})
	r.account.Answered(sms.Message{Person: budi, At: monday.Add(time.Hour), Text: "Gagal", Status: "undelivered"})
	r.account.Answered(sms.Message{Person: budi, At: monday.Add(time.Hour), Text: "Antre", Status: "queued"})
	r.clock.Advance(2 * time.Hour)
	if code := r.post(status); code != 200 || len(r.source.(channel.Waker).Woken()) != 1 {
		t.Fatalf("%d, not woken", code)
	}
	if err := r.poll(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"Received: Banjir", "Answered: Petugas ke sana", "Received: Sampah"}, r.texts()); diff != "" {
		t.Error(diff)
	}
	answer := r.ledger.Events()[1]
	if !answer.OccurredAt.Equal(monday.Add(time.Hour)) || answer.Actor != complaint.ActorOfficial || answer.Reporter.Phone != ani || answer.Attributes["segments"] != "2" {
		t.Errorf("got %+v", answer)
	}
	if got := r.ledger.Events()[2].Attributes; got["media"] != "1" || got["type"] != "mms" {
		t.Errorf("got %v", got)
	}
	if !r.ledger.Through().Equal(monday.Add(2*time.Hour)) || len(r.ledger.Problems()) != 0 {
		t.Errorf("through %s, %v", r.ledger.Through(), r.ledger.Messages())
	}
}

// TestTheListIsReadPageByPageUntilItGetsOld: an outage of the ledger or of Twilio loses nothing.
func TestTheListIsReadPageByPageUntilItGetsOld(t *testing.T) {
	r := newRig(t, newSpec(), secrets())
	r.account.PageSize = 10
	for n := range 45 {
		r.account.Written(sms.Message{Person: ani, At: monday.Add(-10 * time.Duration(n) * time.Minute), Text: "x"})
	}
	r.ledger.Fault = func(n int) (before, after error) {
		switch n {
		case 2:
			return channeltest.Away(), nil
		case 4:
			return nil, channeltest.Away()
		}
		return nil, nil
	}
	r.account.Fail(503, 429)
	var failures []string
	for range 5 {
		err := r.poll()
		if err == nil {
			break
		}
		failures = append(failures, reason(err))
		if r.ledger.Cursor() != nil {
			t.Error("an unfinished reading moved on")
		}
	}
	if diff := cmp.Diff([]string{"ServerError", "RateLimited", "LedgerUnavailable", "LedgerUnavailable"}, failures); diff != "" {
		t.Error(diff)
	}
	if got := len(r.ledger.Events()); got != 45 {
		t.Errorf("%d events", got)
	}
	// Later only what is new is read, and what may have been listed late.
	r.clock.Advance(24 * time.Hour)
	r.account.Written(sms.Message{Person: ani, At: monday.Add(23 * time.Hour), Text: "baru"})
	before := len(r.account.Asked())
	if err := r.poll(); err != nil || len(r.ledger.Events()) != 46 {
		t.Errorf("%v, %d events", err, len(r.ledger.Events()))
	}
	if asked := r.account.Asked()[before:]; len(asked) != 1 || !strings.Contains(asked[0], "DateSent%3E=2026-11-02") || !strings.Contains(asked[0], "PageSize=1000") {
		// One page: what follows the ten newest is older than an hour before the last reading.
		t.Errorf("asked %q", asked)
	}
}

func TestTheFirstReadingGoesAsFarBackAsItMay(t *testing.T) {
	spec := newSpec()
	spec.Reconcile = &v1alpha1.SMSReconcile{Lookback: &metav1.Duration{Duration: 2 * time.Hour}, Interval: &metav1.Duration{Duration: time.Minute}, URL: "https://api.example"}
	r := newRig(t, spec, secrets())
	for _, hour := range []int{-1, -3, -30} {
		r.account.Written(sms.Message{Person: ani, At: monday.Add(time.Duration(hour) * time.Hour), Text: "x"})
	}
	if err := r.poll(); err != nil || len(r.ledger.Events()) != 1 {
		t.Errorf("%v, %d events", err, len(r.ledger.Events()))
	}
	// The cursor of another account is of no use.
	saved := json.RawMessage(`{"account":"AC0","through":"2026-11-02T00:00:00Z"}`)
	if err := r.source.(channel.Poller).Poll(t.Context(), saved, r.ledger); err != nil || len(r.ledger.Events()) != 1 {
		t.Errorf("%v, %d events", err, len(r.ledger.Events()))
	}
	if got := r.source.(channel.Poller).Interval(); got != time.Minute {
		t.Errorf("interval %s", got)
	}
}

// TestTokensAreRotated: whichever of them Twilio takes is used.
func TestTokensAreRotated(t *testing.T) {
	for _, valid := range []string{token, older} {
		r := newRig(t, newSpec(), secrets())
		r.account.AuthToken = valid
		r.account.Written(sms.Message{Person: ani, At: monday, Text: "x"})
		if err := r.poll(); err != nil || len(r.ledger.Events()) != 1 {
			t.Errorf("%v, %d events", err, len(r.ledger.Events()))
		}
	}
	r := newRig(t, newSpec(), secrets())
	r.account.AuthToken = "another"
	if err := r.poll(); reason(err) != "Unauthorized" || strings.Contains(err.Error(), token) || strings.Contains(err.Error(), account) {
		t.Errorf("got %v", err)
	}
}

func TestAnswersThatAreNotAsDocumented(t *testing.T) {
	list, err := url.Parse("https://api.twilio.com/2010-04-01/Accounts/" + account + "/Messages.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string]string{
		"no JSON":              `<html>`,
		"no messages":          `{"code":20404}`,
		"another host":         `{"messages":[],"next_page_uri":"https://evil.example/2010-04-01/Accounts/` + account + `/Messages.json?Page=1"}`,
		"without a scheme":     `{"messages":[],"next_page_uri":"//evil.example/2010-04-01/Accounts/` + account + `/Messages.json"}`,
		"another account":      `{"messages":[],"next_page_uri":"/2010-04-01/Accounts/AC1/Messages.json?Page=1"}`,
		"an address of no use": `{"messages":[],"next_page_uri":"::"}`,
	} {
		if p, err := parsePage([]byte(body), list); err == nil || reason(err) != "InvalidResponse" {
			t.Errorf("%s: %v %v", name, p, err)
		}
	}
	r := newRig(t, newSpec(), secrets())
	p, err := parsePage([]byte(`{"messages":[{"sid":"x"},{"sid":"`+sms.NewSID()+`","direction":"inbound","date_sent":"yesterday"},{"sid":"`+sms.NewSID()+
		`","direction":"inbound","to":"`+desk+`","from":"`+ani+`","date_sent":null,"date_created":"Mon, 02 Nov 2026 02:00:00 +0000"}]}`), list)
	if err != nil {
		t.Fatal(err)
	}
	events := r.source.(*source).translator.listed(p, monday, r.ledger).Events
	if len(events) != 1 || r.ledger.Problems()["InvalidResponse"] != 2 {
		t.Errorf("%d events, %v", len(events), r.ledger.Problems())
	}
}

// FuzzList looks for answers that break something.
func FuzzList(f *testing.F) {
	list, err := url.Parse("https://api.twilio.com/list")
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"messages":[{"sid":"SM0123456789abcdef0123456789abcdef","direction":"inbound","to":"+622129402200","from":"+6281","body":"x","date_sent":"Mon, 02 Nov 2026 02:00:00 +0000"}],"next_page_uri":"/list?Page=1"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := parsePage(body, list)
		if err != nil {
			return
		}
		if p.next != nil && (p.next.Host != list.Host || p.next.Path != list.Path) {
			t.Errorf("leads to %s", p.next)
		}
		tr := translator{channel: "sms", numbers: map[string]bool{desk: true}, window: time.Hour}
		for _, e := range tr.listed(p, time.Time{}, &channeltest.Ledger{}).Events {
			if err := e.Validate(); err != nil && !strings.HasPrefix(err.Error(), "at: ") {
				t.Error(err)
			}
		}
	})
}
