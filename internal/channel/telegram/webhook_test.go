package telegram

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/mac"
	simulator "github.com/tanggap/tanggap/internal/simulator/telegram"
	"github.com/tanggap/tanggap/test/cases"
)

const secretToken = "shown-by-Telegram"

// hooked is a city whose bot has a webhook.
type hooked struct {
	*city
	handler http.Handler
}

func newHooked(t *testing.T) *hooked {
	t.Helper()
	h := &hooked{city: newCity(t, nil)}
	h.spec.Webhook = &v1alpha1.TelegramWebhook{SecretTokenSecretRefs: []v1alpha1.SecretKeyReference{{Name: "bot", Key: "secret"}, {Name: "bot", Key: "before"}}}
	source, err := openHooked(h.spec, h.clock, channeltest.Direct{Handler: h.server})
	if err != nil {
		t.Fatal(err)
	}
	h.source, h.handler = source.(channel.Poller), source.(channel.Pusher).Handler(h.ledger.Named("bot"))
	h.server.SetWebhook("https://hooks.depok.example/hooks/bot", secretToken)
	return h
}

func openHooked(spec *v1alpha1.TelegramSource, clock *channeltest.Clock, transport http.RoundTripper) (channel.Source, error) {
	return Type{}.Open(channeltest.Settings(v1alpha1.ChannelSource{Type: v1alpha1.SourceTelegram, Telegram: spec}, clock, transport,
		map[string]string{"bot/token": token, "bot/secret": secretToken, "bot/before": "shown-before", "bot/odd": "two words", "bot/empty": ""}))
}

// deliver has the simulated Telegram deliver what waits.
func (h *hooked) deliver() error {
	return h.server.Deliver(h.Context(), &http.Client{Transport: channeltest.Direct{Handler: h.handler}})
}

// post delivers a body.
func (h *hooked) post(body []byte, header string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(http.MethodPost, "/hooks/bot", bytes.NewReader(body))
	if header != "" {
		request.Header.Set("X-Telegram-Bot-Api-Secret-Token", header)
	}
	answer := httptest.NewRecorder()
	h.handler.ServeHTTP(answer, request)
	return answer
}

// recorded are the updates of the documented answer.
func recorded(t testing.TB) []json.RawMessage {
	t.Helper()
	body, err := os.ReadFile("testdata/updates.json")
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Result []json.RawMessage `json:"result"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || len(answer.Result) < 5 {
		t.Fatalf("%d updates, %v", len(answer.Result), err)
	}
	return answer.Result
}

func TestBothArrivalsGiveTheSameEvents(t *testing.T) {
	polled := newCity(t, nil)
	polled.open(channeltest.Direct{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "testdata/updates.json") })})
	polled.mustPoll()
	h := newHooked(t)
	for _, update := range recorded(t) {
		for range 2 { // Telegram may deliver twice
			if answer := h.post(update, secretToken); answer.Code != http.StatusOK {
				t.Fatalf("answered with %d %s", answer.Code, answer.Body)
			}
		}
	}
	// What an album says arrives with its second message, and completes the event of the first.
	captions := map[string]string{}
	delivered := slices.DeleteFunc(h.ledger.Events(), func(e complaint.Event) bool {
		caption := strings.HasSuffix(e.ID, "/caption")
		if caption {
			captions[e.Thread.Quoted[0]] = e.Text
		}
		return caption
	})
	for i := range delivered {
		if text, ok := captions[delivered[i].ID]; ok {
			delivered[i].Text = text
		}
	}
	if len(captions) != 1 {
		t.Errorf("%d captions", len(captions))
	}
	if diff := cmp.Diff(polled.ledger.Events(), delivered); diff != "" {
		t.Errorf("asked for (-) and delivered (+) differ:\n%s", diff)
	}
}

func TestForgedUpdatesAreRefused(t *testing.T) {
	update := recorded(t)[1] // the first is a bare command
	for name, tt := range map[string]struct {
		header string
		code   int
	}{
		"as Telegram sends it":    {secretToken, 200},
		"with the token before":   {"shown-before", 200},
		"without a token":         {"", 401},
		"with another token":      {"guess", 401},
		"with half a token":       {secretToken[:8], 401},
		"with the token and more": {secretToken + "x", 401},
		"with the bot's token":    {token, 401},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHooked(t)
			answer := h.post(update, tt.header)
			forged := tt.code != http.StatusOK
			if answer.Code != tt.code || forged != (len(h.ledger.Events()) == 0) || forged != (h.ledger.Problems()[ledgerapi.ReasonSignatureInvalid] == 1) {
				t.Errorf("answered with %d %s, %d events, problems %v", answer.Code, answer.Body, len(h.ledger.Events()), h.ledger.Problems())
			}
			if strings.Contains(answer.Body.String(), secretToken) {
				t.Errorf("said too much: %s", answer.Body)
			}
		})
	}
	h := newHooked(t)
	answer := httptest.NewRecorder()
	h.handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/hooks/bot", nil))
	if answer.Code != http.StatusMethodNotAllowed || answer.Header().Get("Allow") != "POST" {
		t.Errorf("GET: %d %v", answer.Code, answer.Header())
	}
	if answer := h.post([]byte("<html>"), secretToken); answer.Code != http.StatusBadRequest {
		t.Errorf("a page for people: %d", answer.Code)
	}
}

func TestTelegramDeliversAgainWhatTheLedgerDoesNotHave(t *testing.T) {
	h := newHooked(t)
	h.server.Add(plain, simulator.Private(siti, "satu"))
	h.server.Add(plain, simulator.Private(siti, "dua"))
	h.ledger.Fault = func(n int) (before, after error) {
		return map[int]error{1: channeltest.Away()}[n], map[int]error{2: channeltest.Away()}[n]
	}
	if h.deliver() == nil || h.server.Waiting() != 2 || len(h.ledger.Events()) != 0 {
		t.Errorf("%d updates wait, %d events", h.server.Waiting(), len(h.ledger.Events()))
	}
	if h.deliver() == nil || h.server.Waiting() != 2 || len(h.ledger.Events()) != 1 {
		t.Errorf("the ledger's answer was lost: %d updates wait, %d events", h.server.Waiting(), len(h.ledger.Events()))
	}
	if err := h.deliver(); err != nil || h.server.Waiting() != 0 {
		t.Errorf("%v, %d updates wait", err, h.server.Waiting())
	}
	if diff := cmp.Diff([]string{"satu", "dua"}, h.texts()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestTheCheckSaysWhetherTelegramDelivers(t *testing.T) {
	for name, tt := range map[string]struct {
		do   func(h *hooked)
		want ledgerapi.Reason
		says string
	}{
		"nothing waits":                      {func(*hooked) {}, "", ""},
		"updates are on their way":           {func(h *hooked) { h.server.Add(plain, simulator.Private(siti, "satu")) }, ledgerapi.ReasonConnected, "1 updates are on their way"},
		"there is no webhook":                {func(h *hooked) { h.server.DeleteWebhook() }, ledgerapi.ReasonNotSubscribed, "set it by setWebhook"},
		"it has other updates than are read": {func(h *hooked) { h.server.SetWebhook("https://a.example", secretToken, "poll") }, ledgerapi.ReasonNotSubscribed, "neither message nor business_message"},
		"the secrets differ": {func(h *hooked) {
			h.server.SetWebhook("https://a.example", "guess")
			h.server.Add(plain, simulator.Private(siti, "banjir"))
			_ = h.deliver()
		}, ledgerapi.ReasonNotSubscribed, "the worker refuses its secret token (401)"},
		"an old error, and updates on their way": {func(h *hooked) {
			h.ledger.Fault = func(int) (before, after error) { return channeltest.Away(), nil }
			h.server.Add(plain, simulator.Private(siti, "banjir"))
			_ = h.deliver()
			h.clock.Advance(2 * time.Hour)
		}, ledgerapi.ReasonConnected, "on their way"},
		"the bot's token is not known": {func(h *hooked) { h.server.Fail(401, 0) }, ledgerapi.ReasonUnauthorized, "does not know the bot's token"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHooked(t)
			tt.do(h)
			err := h.poll()
			if tt.want == "" {
				if err != nil || !h.ledger.Through().Equal(h.clock.Now()) {
					t.Errorf("%v, read through %s", err, h.ledger.Through())
				}
				return
			}
			e, ok := errors.AsType[*channel.Error](err)
			if !ok || e.Reason != tt.want || !strings.Contains(e.Message, tt.says) {
				t.Errorf("got %v", err)
			}
			if !h.ledger.Through().IsZero() {
				t.Errorf("read through %s", h.ledger.Through())
			}
		})
	}
}

func TestWhyTelegramCannotDeliverIsASentenceWithoutContent(t *testing.T) {
	for said, want := range map[string]string{
		"Wrong response from the webhook: 401 Unauthorized":                  "refuses its secret token",
		"Wrong response from the webhook: 503 Service Unavailable":           "not ready (503)",
		"SSL error {error:0A000086:SSL routines::certificate verify failed}": "certificate",
		"Failed to resolve host: Name or service not known":                  "cannot be resolved",
		"Connection refused":                      "is refused",
		"Connection timed out":                    "does not answer in time",
		"Something new: banjir di 0812-1000-0001": "getWebhookInfo of the Bot API says why",
		"Wrong response from the webhook: 302 Found, https://evil.example/?t=banjir-0812-1000-0001": "getWebhookInfo of the Bot API says why",
	} {
		now := time.Date(2026, 11, 2, 3, 0, 0, 0, time.UTC)
		e := (&webhookInfo{URL: "https://a.example", Pending: 3, LastErrorDate: now.Unix() - 60, LastError: said}).trouble(now)
		if e == nil || !strings.Contains(e.Message, want) || strings.Contains(e.Message, "banjir") || strings.Contains(e.Message, "0812") {
			t.Errorf("%q became %v", said, e)
		}
	}
}

func TestUpdatesThatWaitedForTooLongAreVisible(t *testing.T) {
	h := newHooked(t)
	h.mustPoll()
	h.server.Add(plain, simulator.Private(siti, "hilang"))
	h.clock.Advance(25 * time.Hour)
	h.mustPoll()
	h.mustPoll()
	if diff := cmp.Diff(map[ledgerapi.Reason]int{ledgerapi.ReasonHistoryLost: 1}, h.ledger.Problems()); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestWhoAsksWhileThereIsAWebhookIsToldSo(t *testing.T) {
	c := newCity(t, nil)
	c.server.SetWebhook("https://a.example", secretToken)
	if e, ok := errors.AsType[*channel.Error](c.poll()); !ok || e.Reason != ledgerapi.ReasonConflict || !strings.Contains(e.Message, "deleteWebhook") {
		t.Errorf("got %v", e)
	}
	c.server.DeleteWebhook()
	c.mustPoll()
}

func TestAWebhookThatCannotBeOpened(t *testing.T) {
	for _, key := range []string{"none", "odd", "empty"} {
		h := newHooked(t)
		h.spec.Webhook.SecretTokenSecretRefs[1].Key = key
		_, err := openHooked(h.spec, h.clock, nil)
		if e, ok := errors.AsType[*channel.Error](err); !ok || e.Reason != ledgerapi.ReasonCredentialMissing || strings.Contains(e.Message, "two words") {
			t.Errorf("%s: got %v", key, err)
		}
	}
}

// TestAnyOrderOfUpdatesGivesTheSameCases delivers an album and a conversation in any order, some of it twice.
func TestAnyOrderOfUpdatesGivesTheSameCases(t *testing.T) {
	var updates [][]byte
	add := func(message simulator.Object) {
		n := int64(len(updates) + 1)
		message["message_id"], message["date"] = n, time.Date(2026, 11, 2, 3, int(n), 0, 0, time.UTC).Unix()
		body, err := json.Marshal(simulator.Object{"update_id": n, "business_message": message})
		if err != nil {
			t.Fatal(err)
		}
		updates = append(updates, body)
	}
	for i := range 3 {
		m := simulator.Business(siti, siti, "")
		delete(m, "text")
		m["media_group_id"], m["photo"] = "134", []any{simulator.Object{"file_id": "A"}}
		if i == 2 {
			m["caption"] = "pohon tumbang"
		}
		add(m)
	}
	add(simulator.Business(siti, siti, "di Margonda"))
	add(simulator.Business(siti, mayor, "segera kami potong"))
	rounds := 0
	rapid.Check(t, func(rt *rapid.T) {
		if rounds++; rounds > 20 { // each opens a ledger
			return
		}
		order := append(rapid.SliceOfN(rapid.IntRange(0, 3), 0, 6).Draw(rt, "before"), rapid.Permutation([]int{0, 1, 2, 3, 4}).Draw(rt, "order")...)
		var batches [][]complaint.Event
		kept := &channeltest.Ledger{}
		for _, i := range order {
			h := newHooked(t)
			if answer := h.post(updates[i], secretToken); answer.Code != http.StatusOK {
				rt.Fatalf("answered with %d", answer.Code)
			}
			batches = append(batches, h.ledger.Events())
			if err := kept.Append(t.Context(), channel.Batch{Events: h.ledger.Events()}); err != nil {
				rt.Fatal(err)
			}
		}
		got := cases.Of(t, time.Date(2026, 11, 2, 4, 0, 0, 0, time.UTC), batches...)
		if len(got) != 1 || got[0].AnsweredAt == nil || got[0].WaitingSince != nil || !slices.ContainsFunc(kept.Events(), func(e complaint.Event) bool { return e.Text == "pohon tumbang" }) {
			rt.Errorf("%d cases", len(got))
		}
	})
}

// FuzzDelivery looks for updates that break something.
func FuzzDelivery(f *testing.F) {
	for _, update := range recorded(f) {
		f.Add([]byte(update))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		w := &webhook{source: &source{translator: translator{staffGroup: "-1001234567890", window: time.Hour, key: mac.New(sha256.New, []byte(token))}}}
		r, err := w.translate(t.Context(), body)
		if err != nil {
			return
		}
		for _, e := range r.Events {
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

func TestTheWebhooksManifestInTheDocumentationOpens(t *testing.T) {
	page, err := os.ReadFile("../../../docs/channels/telegram.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "## Delivered instead")
	_, rest, _ = strings.Cut(rest, "```yaml\n")
	manifest, _, _ := strings.Cut(rest, "```")
	var c v1alpha1.ComplaintChannel
	if err := yaml.UnmarshalStrict([]byte(manifest), &c); err != nil {
		t.Fatal(err)
	}
	source, err := Type{}.Open(channeltest.Settings(c.Spec.Source, channeltest.NewClock(time.Now()), nil,
		map[string]string{"desk-bot/token": token, "desk-bot/secret-token": secretToken}))
	if err != nil {
		t.Fatal(err)
	}
	if got := source.(channel.Pusher).UsualDelay(); got != time.Minute || !c.Spec.Source.Pushed() {
		t.Errorf("the usual delay is %s", got)
	}
}
