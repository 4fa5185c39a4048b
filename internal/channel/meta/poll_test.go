package meta

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	simulator "github.com/tanggap/tanggap/internal/simulator/meta"
)

func (c *city) poll() error {
	c.clock.Advance(time.Minute)
	return c.source.(channel.Poller).Poll(c.Context(), c.ledger.Cursor(), c.ledger.Named("meta"))
}

func (c *city) mustPoll() {
	c.Helper()
	if err := c.poll(); err != nil {
		c.Fatal(err)
	}
}

// throughNow reports whether all was read up to the beginning of the last poll; requests take a moment each.
func (c *city) throughNow() bool {
	ago := c.clock.Now().Sub(c.ledger.Through())
	return ago >= 0 && ago < 5*time.Second
}

// later lets some time go by.
func (c *city) later() { c.clock.Advance(time.Second) }

// said is what a day brings: of every sort of thing that can be read again. It returns the deliveries.
func (c *city) said() [][]byte {
	var all [][]byte
	add := func(id string, delivery []byte) string {
		all = append(all, delivery)
		c.later()
		return id
	}
	announcement, _ := c.server.Post(pageID, "Pengumuman")
	flood := add(c.server.Comment(siti, announcement, "", "banjir"))
	add(c.server.Comment(pageID, announcement, flood, "petugas menuju lokasi"))
	add(c.server.Comment(budi, announcement, "", "sampah"))
	lamp := add(c.server.Post(budi, "lampu mati"))
	add(c.server.Comment(pageID, lamp, "", "segera kami perbaiki"))
	picture := c.server.Media()
	jam := add(c.server.Remark("6601", picture, "", "macet", false))
	for i := range 3 {
		add(c.server.Remark("6602", picture, jam, fmt.Sprint("di sini juga ", i), true))
	}
	add(c.server.Remark(accountID, picture, jam, "dishub di lokasi", false))
	add(c.server.Message("messenger", siti, "jalan berlubang", false))
	add(c.server.Message("messenger", siti, "sudah ditambal", true))
	add(c.server.Message("instagram", "6601", "pohon tumbang", false))
	return all
}

// facts are kinds, actors and texts of what the ledger has.
func (c *city) facts() []string {
	var facts []string
	for _, e := range c.ledger.Events() {
		facts = append(facts, fmt.Sprintf("%s %s %s by %s: %s", e.ID, e.CaseID, e.Kind, e.Actor, e.Text))
	}
	slices.Sort(facts)
	return facts
}

func TestWhatIsReadIsWhatIsDelivered(t *testing.T) {
	pushed := newCity(t, nil)
	for _, delivery := range pushed.said() {
		pushed.deliver(delivery)
	}
	for name, size := range map[string]int{"in whole pages": 0, "in pages of two": 2, "one by one": 1} {
		t.Run(name, func(t *testing.T) {
			polled := newCity(t, func(_ *v1alpha1.MetaSource, o *simulator.Options) { o.PageSize = size })
			polled.said()
			polled.mustPoll()
			if diff := cmp.Diff(pushed.facts(), polled.facts()); diff != "" {
				t.Errorf("delivered (-) and read (+) differ:\n%s", diff)
			}
			if !polled.throughNow() {
				t.Errorf("read through %s at %s", polled.ledger.Through(), polled.clock.Now())
			}
		})
	}
	before := len(pushed.ledger.Events())
	pushed.mustPoll()
	if got := len(pushed.ledger.Events()); got != before {
		t.Errorf("%d events were doubled", got-before)
	}
}

// TestCutOffAnywhereNothingIsLost fails each request and each append in turn, and bounds polls.
func TestCutOffAnywhereNothingIsLost(t *testing.T) {
	whole := newCity(t, nil)
	whole.said()
	whole.mustPoll()
	for moment := range 22 {
		for name, status := range map[string]int{"Meta fails": 503, "Meta is not to be asked": 400, "the ledger is away": 0, "the ledger's answer is lost": -1} {
			t.Run(fmt.Sprint(name, " at ", moment), func(t *testing.T) {
				c := newCity(t, func(s *v1alpha1.MetaSource, o *simulator.Options) {
					o.PageSize, s.Reconcile.MaxPages = 2, new(int32(4))
				})
				c.said()
				if status > 0 {
					for range moment {
						c.server.Fail(0, 0)
					}
					c.server.Fail(status, map[int]int{503: 2, 400: 4}[status])
				}
				c.ledger.Fault = func(n int) (before, after error) {
					switch {
					case n == moment+1 && status == 0:
						return channeltest.Away(), nil
					case n == moment+1 && status < 0:
						return nil, channeltest.Away()
					}
					return nil, nil
				}
				for polls := 0; c.poll() != nil; polls++ {
					if polls > 20 {
						t.Fatal("it does not come to an end")
					}
					c.clock.Advance(5 * time.Minute)
					c.open(channeltest.Direct{Handler: c.server})
				}
				if diff := cmp.Diff(whole.facts(), c.facts()); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestALostSubscriptionIsFoundAndWhatWasMissedIsRead(t *testing.T) {
	for name, tt := range map[string]struct {
		lose func(*simulator.Server)
		says string
	}{
		"of the Page":               {func(s *simulator.Server) { s.Subscribe() }, "subscribe it again by POST /" + pageID + "/subscribed_apps"},
		"to the Page's feed":        {func(s *simulator.Server) { s.Subscribe("messages") }, "does not hear of the field feed"},
		"of the app to Pages":       {func(s *simulator.Server) { s.Activate("page") }, "not active for the field feed of the object page"},
		"of the app to Instagram":   {func(s *simulator.Server) { s.Activate("instagram", "messages") }, "not active for the field comments of the object instagram"},
		"of the app to all objects": {func(s *simulator.Server) { s.Activate("page"); s.Activate("instagram") }, "not active"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCity(t, nil)
			c.mustPoll()
			tt.lose(c.server)
			post, _ := c.server.Post(pageID, "Pengumuman")
			c.server.Comment(siti, post, "", "banjir")
			c.server.Message("messenger", budi, "sampah", false)
			err := c.poll()
			e, ok := errors.AsType[*channel.Error](err)
			if !ok || e.Reason != ledgerapi.ReasonNotSubscribed || !strings.Contains(e.Message, tt.says) {
				t.Errorf("got %v", err)
			}
			if got := len(c.ledger.Events()); got != 2 || !c.throughNow() {
				t.Errorf("%d events, read through %s: what Meta does not deliver can be read", got, c.ledger.Through())
			}
			c.server.Subscribe("feed", "messages")
			c.server.Activate("page", "feed")
			c.server.Activate("instagram", "comments")
			c.mustPoll()
		})
	}
}

func TestAnInstagramAccountWithoutAPage(t *testing.T) {
	c := newCity(t, func(s *v1alpha1.MetaSource, _ *simulator.Options) { s.PageID = "" })
	err := c.poll()
	if e, ok := errors.AsType[*channel.Error](err); !ok || e.Reason != ledgerapi.ReasonNotSubscribed || !strings.Contains(e.Message, "field comments of "+accountID) {
		t.Errorf("got %v", err)
	}
	c.server.Subscribe("comments", "messages")
	c.said()
	c.mustPoll()
	for _, e := range c.ledger.Events() {
		if e.Attributes[attributePlatform] != "instagram" {
			t.Errorf("an event of %s", e.Attributes[attributePlatform])
		}
	}
	if got := len(c.ledger.Events()); got != 6 {
		t.Errorf("%d events", got)
	}
}

func TestMessagesAreReadOnlyWhereTheyAreDelivered(t *testing.T) {
	c := newCity(t, nil)
	c.server.Subscribe("feed")
	c.said()
	c.mustPoll()
	for _, asked := range c.server.Asked() {
		if strings.Contains(asked, "conversations") {
			t.Errorf("asked for %s, which needs a permission that nobody gave", asked)
		}
	}
}

func TestLimitsAreObeyed(t *testing.T) {
	for name, tt := range map[string]struct {
		header, value string
		want          time.Duration
	}{
		"calls are used up":         {"X-App-Usage", `{"call_count":96,"total_time":10,"total_cputime":3}`, 5 * time.Minute},
		"the Page's time is":        {"X-Page-Usage", `{"call_count":1,"total_time":100,"total_cputime":3}`, 5 * time.Minute},
		"a use case is closed":      {"X-Business-Use-Case-Usage", `{"102":[{"type":"pages","call_count":100,"estimated_time_to_regain_access":19}]}`, 19 * time.Minute},
		"a use case is for a week":  {"X-Business-Use-Case-Usage", `{"102":[{"type":"pages","estimated_time_to_regain_access":10080}]}`, time.Hour},
		"enough is left":            {"X-App-Usage", `{"call_count":28,"total_time":25,"total_cputime":25}`, 0},
		"the header makes no sense": {"X-App-Usage", `soon`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCity(t, nil)
			c.server.Use(tt.header, tt.value)
			err := c.poll()
			if tt.want == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			asked := len(c.server.Asked())
			e, ok := errors.AsType[*channel.Error](err)
			if !ok || e.Reason != ledgerapi.ReasonRateLimited || tt.want-e.RetryAfter > time.Second || e.RetryAfter > tt.want || asked != 1 {
				t.Fatalf("got %v after %d requests", err, asked)
			}
			c.server.Use(tt.header, "")
			c.clock.Advance(e.RetryAfter)
			c.mustPoll()
		})
	}
}

func TestFailuresAreSentencesWithoutContent(t *testing.T) {
	for name, tt := range map[string]struct {
		status, code int
		want         ledgerapi.Reason
		says         string
	}{
		"an access token that has ended": {400, 190, ledgerapi.ReasonUnauthorized, "make a new one"},
		"a permission that is missing":   {403, 200, ledgerapi.ReasonUnauthorized, "lacks a permission"},
		"an id of nothing":               {400, 100, ledgerapi.ReasonNotFound, "check appID, pageID and instagramAccountID"},
		"too many requests":              {400, 32, ledgerapi.ReasonRateLimited, "raise reconcile.interval"},
		"too many of a use case":         {400, 80001, ledgerapi.ReasonRateLimited, "raise reconcile.interval"},
		"a failure of Meta":              {500, 2, ledgerapi.ReasonServerError, "failed (error 2)"},
		"an error of another code":       {400, 2500, ledgerapi.ReasonInvalidResponse, "error 2500"},
		"a failure without a code":       {502, 0, ledgerapi.ReasonServerError, "502"},
		"a version that has ended":       {400, 2635, ledgerapi.ReasonInvalidResponse, "raise version"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCity(t, nil)
			c.server.Fail(tt.status, tt.code)
			err := c.poll()
			e, ok := errors.AsType[*channel.Error](err)
			if !ok || e.Reason != tt.want || !strings.Contains(e.Message, tt.says) {
				t.Fatalf("got %v, want %s and %q", err, tt.want, tt.says)
			}
			if tt.want == ledgerapi.ReasonRateLimited && e.RetryAfter < 5*time.Minute {
				t.Errorf("to be asked again after %s", e.RetryAfter)
			}
			for _, secret := range []string{"banjir", access, "app-secret"} {
				if strings.Contains(fmt.Sprintf("%+v %v", e, e.Err), secret) {
					t.Errorf("%q is in the error %v", secret, e)
				}
			}
		})
	}
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "<html>banjir") })
	c := newCity(t, nil)
	c.open(channeltest.Direct{Handler: page})
	if err := c.poll(); err == nil || !strings.Contains(err.Error(), "check url") {
		t.Errorf("a page for people: %v", err)
	}
}

func TestTheAppsSecretMayBeChanged(t *testing.T) {
	c := newCity(t, func(_ *v1alpha1.MetaSource, o *simulator.Options) { o.AppSecret = older })
	c.mustPoll()
	_, delivery := c.server.Post(siti, "banjir")
	c.deliver(delivery)
	if _, err := c.source.(channel.Replier).Reply(t.Context(), c.replyTo("petugas menuju lokasi")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"petugas menuju lokasi"}, c.server.Said()); diff != "" {
		t.Errorf("said (-want +got):\n%s", diff)
	}
}

// TestAnotherAppsSecretIsToldApart has an app that demands proof of a secret that the channel does not have.
func TestAnotherAppsSecretIsToldApart(t *testing.T) {
	c := newCity(t, func(_ *v1alpha1.MetaSource, o *simulator.Options) { o.AppSecret = "of-another-app" })
	e, ok := errors.AsType[*channel.Error](c.poll())
	if !ok || e.Reason != ledgerapi.ReasonUnauthorized || !strings.Contains(e.Message, "none of appSecretSecretRefs") {
		t.Errorf("got %v", e)
	}
}

func TestAMentionIsCompletedByWhatTheGraphAPISays(t *testing.T) {
	c := newCity(t, nil)
	_, body := c.server.Mention("6601", "pohon tumbang @pemkot")
	c.clock.Advance(time.Minute)
	c.deliver(body)
	if got := c.ledger.Events(); len(got) != 1 || got[0].Text != "pohon tumbang @pemkot" || !got[0].OccurredAt.Equal(monday) {
		t.Errorf("got %+v", got)
	}
}

// TestAMentionThatCannotBeReadIsAComplaintAllTheSame has Meta deliver where, and not tell what.
func TestAMentionThatCannotBeReadIsAComplaintAllTheSame(t *testing.T) {
	c := newCity(t, nil)
	_, body := c.server.Mention("6601", "pohon tumbang")
	c.server.Fail(400, 4)
	c.deliver(body)
	if got := c.ledger.Events(); len(got) != 1 || got[0].Text != "" || got[0].Attributes[attributeType] != kindMention {
		t.Errorf("got %+v", got)
	}
	if diff := cmp.Diff(map[ledgerapi.Reason]int{ledgerapi.ReasonRateLimited: 0}, c.ledger.Problems()); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestIDsOfADeliveryAreNotAddresses(t *testing.T) {
	c := newCity(t, nil)
	c.deliver([]byte(`{"object":"instagram","entry":[{"id":"` + accountID + `","time":1793584800,"changes":[{"field":"mentions","value":{"media_id":"1){id},me{access_token}","comment_id":"../me"}}]}]}`))
	if got := c.server.Asked(); len(got) != 0 || len(c.ledger.Events()) != 1 {
		t.Errorf("asked for %v", got)
	}
}

func TestALongOutageIsVisible(t *testing.T) {
	c := newCity(t, func(s *v1alpha1.MetaSource, _ *simulator.Options) {
		s.Reconcile.Lookback = &metav1.Duration{Duration: 24 * time.Hour}
	})
	c.mustPoll()
	c.clock.Advance(48 * time.Hour)
	c.mustPoll()
	c.mustPoll()
	if diff := cmp.Diff(map[ledgerapi.Reason]int{ledgerapi.ReasonHistoryLost: 1}, c.ledger.Problems()); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestTheCursorHoldsNoSecretAndMakesSenseToItsAccountsOnly(t *testing.T) {
	c := newCity(t, nil)
	c.said()
	c.mustPoll()
	want := c.facts()
	if saved := string(c.ledger.Cursor()); strings.Contains(saved, "EAAB") || !strings.Contains(saved, pageID) {
		t.Errorf("the cursor is %s", saved)
	}
	for name, saved := range map[string]string{"nonsense": `7`, "other accounts": `{"accounts":"1","through":"2030-01-01T00:00:00Z"}`} {
		c.ledger = &channeltest.Ledger{}
		if err := c.source.(channel.Poller).Poll(t.Context(), json.RawMessage(saved), c.ledger.Named("meta")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, c.facts()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestPagesInACircleEnd(t *testing.T) {
	c := newCity(t, nil)
	c.open(channeltest.Direct{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "subscribed_apps") || strings.HasSuffix(r.URL.Path, "subscriptions") {
			c.server.ServeHTTP(w, r)
			return
		}
		_, _ = fmt.Fprint(w, `{"data":[],"paging":{"cursors":{"after":"again"},"next":"https://graph.facebook.com/"}}`)
	})})
	if err := c.poll(); err == nil || !strings.Contains(err.Error(), "in a circle") {
		t.Errorf("got %v", err)
	}
}

func TestMessagesThatAreSubscribedLaterAreReadFromTheLookback(t *testing.T) {
	c := newCity(t, nil)
	c.server.Subscribe("feed")
	c.server.Message("messenger", siti, "jalan berlubang", false)
	c.clock.Advance(time.Hour)
	c.mustPoll()
	if got := len(c.ledger.Events()); got != 0 {
		t.Errorf("%d events before messages were subscribed", got)
	}
	c.server.Subscribe("feed", "messages")
	c.mustPoll()
	if got := len(c.ledger.Events()); got != 1 {
		t.Errorf("%d events", got)
	}
}

// TestAReadingThatWasCutOffWhereNothingIsReadAnyMoreBeginsAgain goes on from a list that is gone.
func TestAReadingThatWasCutOffWhereNothingIsReadAnyMoreBeginsAgain(t *testing.T) {
	c := newCity(t, nil)
	c.server.Subscribe("feed")
	post, _ := c.server.Post(pageID, "Pengumuman")
	c.server.Comment(siti, post, "", "banjir")
	saved := fmt.Sprintf(`{"accounts":"%s/%s","window":{"started":"2026-11-02T02:00:00Z","list":"conversations-messenger","after":"x","done":"y"}}`, pageID, accountID)
	if err := c.source.(channel.Poller).Poll(t.Context(), json.RawMessage(saved), c.ledger.Named("meta")); err != nil || len(c.ledger.Events()) != 1 {
		t.Errorf("%v, %d events", err, len(c.ledger.Events()))
	}
}
