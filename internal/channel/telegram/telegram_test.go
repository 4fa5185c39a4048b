package telegram

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/mac"
	simulator "github.com/tanggap/tanggap/internal/simulator/telegram"
	"github.com/tanggap/tanggap/test/golden"
)

const (
	token = "123456:s3cr3t-T0ken"
	siti  = int64(5501)
	mayor = int64(42)
	plain = "message"
)

// city is a source that reads a simulated Telegram into a ledger of a few lines.
type city struct {
	*testing.T
	clock  *channeltest.Clock
	server *simulator.Server
	ledger *channeltest.Ledger
	spec   *v1alpha1.TelegramSource
	source channel.Poller
}

func newCity(t *testing.T, change func(*v1alpha1.TelegramSource)) *city {
	t.Helper()
	c := &city{T: t, clock: channeltest.NewClock(time.Date(2026, 11, 2, 3, 0, 0, 0, time.UTC)), ledger: &channeltest.Ledger{}}
	c.server = simulator.New(simulator.Options{Token: token, Now: c.clock.Now, First: 700_000_001})
	c.spec = &v1alpha1.TelegramSource{
		BotTokenSecretRef: v1alpha1.SecretKeyReference{Name: "bot", Key: "token"}, StaffGroupID: "-1001234567890",
		Polling: &v1alpha1.Polling{RequestsPerMinute: new(int32(6000))},
	}
	if change != nil {
		change(c.spec)
	}
	c.open(channeltest.Direct{Handler: c.server})
	return c
}

// open opens the source, as a new worker does.
func (c *city) open(transport http.RoundTripper) {
	c.Helper()
	source, err := Type{}.Open(channeltest.Settings(v1alpha1.ChannelSource{Type: v1alpha1.SourceTelegram, Telegram: c.spec}, c.clock, transport,
		map[string]string{"bot/token": token, "bot/other": "123456:other"}))
	if err != nil {
		c.Fatal(err)
	}
	c.source = source.(channel.Poller)
}

func (c *city) poll() error {
	c.clock.Advance(time.Minute)
	return c.source.Poll(c.Context(), c.ledger.Cursor(), c.ledger.Named("bot"))
}

func (c *city) mustPoll() {
	c.Helper()
	if err := c.poll(); err != nil {
		c.Fatal(err)
	}
}

func (c *city) texts() []string {
	var texts []string
	for _, e := range c.ledger.Events() {
		texts = append(texts, e.Text)
	}
	return texts
}

func TestDocumentedUpdatesBecomeEvents(t *testing.T) {
	c := newCity(t, nil)
	c.open(channeltest.Direct{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "testdata/updates.json") })})
	c.mustPoll()
	golden.Lines(t, "events", c.ledger.Events())
	if diff := cmp.Diff(map[ledgerapi.Reason]int{ledgerapi.ReasonInvalidResponse: 1}, c.ledger.Problems()); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

// TestWhoWroteCannotBeTriedOut: without the bot's token nobody can tell whose chat an identifier stands for, by trying all
// numbers of chats and messages.
func TestWhoWroteCannotBeTriedOut(t *testing.T) {
	var names []string
	for _, key := range []string{"token", "other"} {
		c := newCity(t, func(spec *v1alpha1.TelegramSource) { spec.BotTokenSecretRef.Key = key })
		c.open(channeltest.Direct{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "testdata/updates.json") })})
		c.mustPoll()
		for _, e := range c.ledger.Events() {
			names = append(names, e.ID, e.CaseID)
		}
	}
	for i, name := range names[:len(names)/2] {
		if slices.Contains(names[len(names)/2:], name) {
			t.Errorf("%s, the identifier %d, is the same with every token", name, i)
		}
	}
}

func TestUpdatesAreConfirmedOnlyOnceTheLedgerHasThem(t *testing.T) {
	c := newCity(t, nil)
	c.server.Add(plain, simulator.Private(siti, "satu"))
	c.ledger.Fault = func(n int) (before, after error) {
		if n == 1 {
			return channeltest.Away(), nil
		}
		return nil, nil
	}
	if err := c.poll(); err == nil {
		t.Fatal("the ledger was away and the poll succeeded")
	}
	if got := c.server.Waiting(); got != 1 {
		t.Fatalf("%d updates wait, want the one that the ledger does not have", got)
	}
	c.mustPoll()
	c.server.Add(plain, simulator.Private(siti, "dua"))
	c.mustPoll()
	if diff := cmp.Diff([]string{"satu", "dua"}, c.texts()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if got := c.server.Waiting(); got != 1 {
		t.Errorf("%d updates wait, want the last one: nothing was asked for after it yet", got)
	}
	if got := c.ledger.Through(); !got.Equal(c.clock.Now()) {
		t.Errorf("read through %s", got)
	}
}

// TestCutOffAnywhereNothingIsLostOrDoubled fails each request and each append in turn.
func TestCutOffAnywhereNothingIsLostOrDoubled(t *testing.T) {
	for moment := range 5 {
		for name, status := range map[string]int{"Telegram fails": 502, "Telegram is not to be asked": 429, "the ledger is away": 0, "the ledger's answer is lost": -1} {
			t.Run(fmt.Sprint(name, " at ", moment), func(t *testing.T) {
				c := newCity(t, nil)
				var want []string
				for i := range 320 {
					want = append(want, fmt.Sprint("keluhan ", i))
					c.server.Add(plain, simulator.Private(siti, want[i]))
				}
				if status > 0 {
					for range moment {
						c.server.Fail(0, 0)
					}
					c.server.Fail(status, 3)
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
				for failures := 0; c.poll() != nil; failures++ {
					if failures > 2 {
						t.Fatal("it does not recover")
					}
					c.open(channeltest.Direct{Handler: c.server})
				}
				if diff := cmp.Diff(want, c.texts()); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestAnAlbumIsOneComplaintWhereverAPageEnds(t *testing.T) {
	for before := 90; before < 102; before++ {
		t.Run(fmt.Sprint(before, " messages before it"), func(t *testing.T) {
			c := newCity(t, nil)
			for i := range before {
				c.server.Add(plain, simulator.Private(siti, fmt.Sprint(i)))
			}
			for i := range 10 {
				m := simulator.Private(siti, "")
				delete(m, "text")
				m["media_group_id"], m["photo"] = "134", []any{simulator.Object{"file_id": "A"}}
				if i == 7 {
					m["caption"] = "pohon tumbang"
				}
				c.server.Add(plain, m)
			}
			c.mustPoll()
			texts := c.texts()
			if len(texts) != before+1 || texts[before] != "pohon tumbang" {
				t.Errorf("%d events, the last of which says %q", len(texts), texts[len(texts)-1])
			}
		})
	}
}

func TestBothSidesOfABusinessChat(t *testing.T) {
	c := newCity(t, nil)
	c.server.Add("business_message", simulator.Business(siti, siti, "lampu mati"))
	c.server.Add("business_message", simulator.Business(siti, mayor, "segera kami perbaiki"))
	automatic := simulator.Business(siti, mayor, "terima kasih")
	automatic["sender_business_bot"] = simulator.Object{"id": 999, "is_bot": true}
	c.server.Add("business_message", automatic)
	c.mustPoll()
	var got []string
	for _, e := range c.ledger.Events() {
		got = append(got, fmt.Sprintf("%s by %s with %s", e.Kind, e.Actor, e.Reporter.Handle))
	}
	want := []string{"Received by citizen with 5501", "Answered by official with 5501", "Answered by bot with 5501"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestWithoutAStaffGroupNoGroupIsRead(t *testing.T) {
	c := newCity(t, func(spec *v1alpha1.TelegramSource) { spec.StaffGroupID = "" })
	c.open(channeltest.Direct{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "testdata/updates.json") })})
	c.mustPoll()
	for _, e := range c.ledger.Events() {
		if e.Text == "Tim DPUPR menuju lokasi" {
			t.Error("a group was read")
		}
	}
}

func TestUpdatesThatAreCountedAnewAreRead(t *testing.T) {
	c := newCity(t, nil)
	c.server.Add(plain, simulator.Private(siti, "satu"))
	c.mustPoll()
	for range 8 * 24 {
		c.clock.Advance(time.Hour)
		c.mustPoll()
	}
	c.server.Restart(5000)
	c.server.Add(plain, simulator.Private(siti, "dua"))
	c.mustPoll()
	if diff := cmp.Diff([]string{"satu", "dua"}, c.texts()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if got := c.ledger.Problems(); len(got) > 0 {
		t.Errorf("problems: %v", got)
	}
}

func TestAnOutageLongerThanTelegramKeepsUpdatesIsVisible(t *testing.T) {
	c := newCity(t, nil)
	c.mustPoll()
	c.server.Add(plain, simulator.Private(siti, "hilang"))
	c.clock.Advance(25 * time.Hour)
	c.mustPoll()
	c.mustPoll()
	if diff := cmp.Diff(map[ledgerapi.Reason]int{ledgerapi.ReasonHistoryLost: 1}, c.ledger.Problems()); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestFailuresAreSentencesWithoutTheToken(t *testing.T) {
	broken := roundTripper(func(*http.Request) (*http.Response, error) { return nil, errors.New("connection reset") })
	away := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://elsewhere.example"+r.URL.Path, http.StatusFound)
	})
	answers := func(body string) http.RoundTripper {
		return channeltest.Direct{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, body) })}
	}
	for name, test := range map[string]struct {
		status, retryAfter int
		transport          http.RoundTripper
		want               ledgerapi.Reason
		says               string
		after              time.Duration
	}{
		"a token that is not known":         {status: 401, want: ledgerapi.ReasonUnauthorized, says: "does not know the bot's token"},
		"a second reader":                   {status: 409, want: ledgerapi.ReasonConflict, says: "read by somebody else"},
		"too many requests":                 {status: 429, retryAfter: 35, want: ledgerapi.ReasonRateLimited, says: "429", after: 35 * time.Second},
		"far too many requests":             {status: 429, retryAfter: 1 << 30, want: ledgerapi.ReasonRateLimited, says: "429", after: time.Hour},
		"too many requests, without a word": {status: 429, want: ledgerapi.ReasonRateLimited, says: "429"},
		"a failure of Telegram":             {status: 502, want: ledgerapi.ReasonServerError, says: "502"},
		"a connection that breaks":          {transport: broken, want: ledgerapi.ReasonUnreachable, says: "the connection failed"},
		"a redirect to another host":        {transport: channeltest.Direct{Handler: away}, want: ledgerapi.ReasonInvalidResponse, says: "redirects to another host"},
		"a page for people":                 {transport: answers("<html>"), want: ledgerapi.ReasonInvalidResponse, says: "check url"},
		"an update without a number":        {transport: answers(`{"ok":true,"result":[{}]}`), want: ledgerapi.ReasonInvalidResponse, says: "no update_id"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCity(t, nil)
			if test.transport != nil {
				c.open(test.transport)
			} else {
				c.server.Fail(test.status, test.retryAfter)
			}
			err := c.poll()
			var e *channel.Error
			if !errors.As(err, &e) || e.Reason != test.want || !strings.Contains(e.Message, test.says) || e.RetryAfter != test.after {
				t.Fatalf("got %v after %s", err, e.RetryAfter)
			}
			for cause := err; cause != nil; cause = errors.Unwrap(cause) {
				for _, secret := range []string{"s3cr3t", "banjir"} {
					if strings.Contains(fmt.Sprintf("%v %+v %#v", cause, cause, cause), secret) {
						t.Errorf("%q is in the error %v", secret, cause)
					}
				}
			}
			if shown := fmt.Sprint(c.ledger.Messages(), string(c.ledger.Cursor())); strings.Contains(shown, "s3cr3t") {
				t.Errorf("the token is in %s", shown)
			}
		})
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestTheCursorHoldsNoSecretAndMakesSenseToOneBotOnly(t *testing.T) {
	c := newCity(t, nil)
	c.server.Add(plain, simulator.Private(siti, "satu"))
	c.mustPoll()
	saved := string(c.ledger.Cursor())
	if strings.Contains(saved, "s3cr3t") || !strings.Contains(saved, `"bot":"123456"`) {
		t.Errorf("the cursor is %s", saved)
	}
	for name, cursor := range map[string]string{"nonsense": `7`, "another bot": `{"bot":"7","offset":900000000,"arrived":"2026-11-02T03:00:00Z"}`} {
		ledger := &channeltest.Ledger{}
		if err := c.source.Poll(t.Context(), json.RawMessage(cursor), ledger.Named("bot")); err != nil || len(ledger.Events()) != 1 {
			t.Errorf("%s: %v, %d events", name, err, len(ledger.Events()))
		}
	}
}

func TestASpecificationThatCannotBeOpened(t *testing.T) {
	for name, test := range map[string]struct {
		spec *v1alpha1.TelegramSource
		want string
	}{
		"none":               {nil, "telegram: must be set"},
		"a relative url":     {&v1alpha1.TelegramSource{URL: "/bot"}, "telegram.url: must be an absolute URL"},
		"no such credential": {&v1alpha1.TelegramSource{BotTokenSecretRef: v1alpha1.SecretKeyReference{Name: "bot", Key: "no"}}, "CredentialMissing"},
		"what is no token":   {&v1alpha1.TelegramSource{BotTokenSecretRef: v1alpha1.SecretKeyReference{Name: "bot", Key: "token"}}, "holds no token as BotFather gives it"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Type{}.Open(channeltest.Settings(v1alpha1.ChannelSource{Telegram: test.spec}, channeltest.NewClock(time.Now()), nil,
				map[string]string{"bot/token": "s3cr3t/../x"}))
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestTheManifestInTheDocumentationOpens(t *testing.T) {
	spec, credentials := channeltest.Manifest(t, "telegram.md")
	source, err := Type{}.Open(channeltest.Settings(spec, channeltest.NewClock(time.Now()), nil, credentials))
	if err != nil {
		t.Fatal(err)
	}
	if got := source.(channel.Poller).Interval(); got != 15*time.Second {
		t.Errorf("interval %s", got)
	}
}

// FuzzParse proves that no answer makes the source fail in another way than it should, and that every
// event that comes of one is valid.
func FuzzParse(f *testing.F) {
	body, err := os.ReadFile("testdata/updates.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Add([]byte(`{"ok":true,"result":[{"update_id":1,"message":{"message_id":1,"date":1793586000,"chat":{"id":1,"type":"private"},"text":"x","reply_to_message":null}}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := parse(body)
		if err != nil {
			if _, ok := err.(*channel.Error); !ok { //nolint:errorlint // it is returned as it is
				t.Errorf("the error %T is no *channel.Error", err)
			}
			return
		}
		tr := translator{staffGroup: "-1001234567890", window: time.Hour, key: mac.New(sha256.New, []byte(token))}
		events, _ := tr.events(got.updates)
		for _, e := range events {
			e.Channel = "bot"
			if e.OccurredAt.Year() < 2000 || e.OccurredAt.Year() > 9999 {
				continue // refused by the ledger, as a time that cannot be
			}
			if err := e.Validate(); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestAllowedUpdatesAreTheOnesThatAreRead(t *testing.T) {
	var kinds []string
	if err := json.Unmarshal([]byte(allowed), &kinds); err != nil {
		t.Fatal(err)
	}
	for _, kind := range kinds {
		u, err := parseUpdate(json.RawMessage(`{"update_id":1,"` + kind + `":{"message_id":1,"date":1,"chat":{"id":1}}}`))
		if err != nil || u.message == nil || u.edited != strings.HasPrefix(kind, "edited") || u.business != strings.Contains(kind, "business") {
			t.Errorf("%s: %+v, %v", kind, u, err)
		}
	}
	if len(kinds) != 4 {
		t.Errorf("%d kinds are asked for", len(kinds))
	}
}
