package x

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
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
	simulator "github.com/tanggap/tanggap/internal/simulator/x"
	"github.com/tanggap/tanggap/test/cases"
	"github.com/tanggap/tanggap/test/golden"
)

const consumerSecret = "consumer-secret"

// hooked is a city that X delivers to.
type hooked struct {
	*city
	handler http.Handler
}

func newHooked(t *testing.T) *hooked {
	t.Helper()
	h := &hooked{city: newCity(t, simulator.Options{}, nil)}
	h.server.Subscribe(account, true, "post.create", "post.mention.create", "post.reply.create", "post.delete")
	h.spec.Webhook = &v1alpha1.XWebhook{ConsumerSecretSecretRefs: []v1alpha1.SecretKeyReference{{Name: "x", Key: "consumer"}, {Name: "x", Key: "before"}}}
	h.reopen()
	return h
}

// reopen opens the source anew, as another worker does.
func (h *hooked) reopen() {
	h.Helper()
	source, err := openHooked(h.spec, h.clock, channeltest.Direct{Handler: h.server}, consumerSecret)
	if err != nil {
		h.Fatal(err)
	}
	h.source, h.handler = source.(channel.Poller), source.(channel.Pusher).Handler(h.ledger.Named("deputy-mayor-x"))
}

func openHooked(spec *v1alpha1.XSource, clock *channeltest.Clock, transport http.RoundTripper, secret string) (channel.Source, error) {
	return Type{}.Open(channeltest.Settings(v1alpha1.ChannelSource{Type: v1alpha1.SourceX, X: spec}, clock, transport,
		map[string]string{"x/token": "t0ken", "x/consumer": secret, "x/before": "secret-before"}))
}

func (h *hooked) post(body []byte, signature string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(http.MethodPost, "/hooks/x", bytes.NewReader(body))
	if signature != "" {
		request.Header.Set("x-twitter-webhooks-signature", signature)
	}
	answer := httptest.NewRecorder()
	h.handler.ServeHTTP(answer, request)
	return answer
}

// deliver has the simulated X deliver what it has of a post.
func (h *hooked) deliver(post uint64) {
	h.Helper()
	for _, body := range h.server.Activity(post) {
		if answer := h.post(body, simulator.Sign(consumerSecret, body)); answer.Code != http.StatusOK {
			h.Fatalf("answered with %d %s", answer.Code, answer.Body)
		}
	}
}

// withoutThreads are events as the ledger keeps them.
func withoutThreads(events []complaint.Event) []complaint.Event {
	for i := range events {
		events[i].Thread = nil
	}
	slices.SortFunc(events, func(a, b complaint.Event) int { return strings.Compare(a.ID, b.ID) })
	return events
}

func activities(t testing.TB) map[string][]byte {
	t.Helper()
	return channeltest.Payloads(t, "activity_*.json", 4)
}

func TestDocumentedDeliveriesBecomeEvents(t *testing.T) {
	for name, body := range activities(t) {
		t.Run(name, func(t *testing.T) {
			h := newHooked(t)
			for range 2 { // X may deliver twice
				if answer := h.post(body, simulator.Sign(consumerSecret, body)); answer.Code != http.StatusOK {
					t.Fatalf("answered with %d %s", answer.Code, answer.Body)
				}
			}
			golden.Lines(t, name, h.ledger.Events())
			if len(h.ledger.Events()) == 0 || len(h.ledger.Problems()) > 0 {
				t.Errorf("%d events, problems %v", len(h.ledger.Events()), h.ledger.Messages())
			}
		})
	}
}

// TestBothArrivalsGiveTheSameEvents has conversations delivered to one city and read by another.
func TestBothArrivalsGiveTheSameEvents(t *testing.T) {
	h := newHooked(t)
	var posts []uint64
	add := func(post uint64) uint64 {
		posts = append(posts, post)
		return post
	}
	announcement := add(h.server.Add(simulator.Post{Author: account, Text: "pengumuman"}))
	flood := add(h.mention(siti, "banjir"))
	answer := add(h.reply(account, flood, "petugas menuju lokasi"))
	add(h.reply(siti, answer, "belum datang"))
	lamp := add(h.reply(budi, announcement, "lampu mati"))
	add(h.reply(account, lamp, "kami perbaiki"))
	long := add(h.server.Add(simulator.Post{Author: budi, Text: "sampah…", LongText: "sampah di mana-mana", Place: "Depok", Mentions: []string{account}}))
	add(h.server.Edit(long, "sampah lagi"))
	add(h.server.Add(simulator.Post{Author: budi, Text: "RT", Retweet: flood, Mentions: []string{account}}))
	for _, post := range posts {
		h.deliver(post)
	}
	delivered := withoutThreads(h.ledger.Events())

	h.ledger = &channeltest.Ledger{}
	h.spec.Webhook = nil
	h.open()
	h.mustPoll()
	read := withoutThreads(h.ledger.Events())
	// The first version of an edited post is delivered as it was and read as it is.
	if diff := cmp.Diff(read, delivered, cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Text" }, cmp.Ignore())); diff != "" || len(read) < 7 {
		t.Errorf("%d events; read (-) and delivered (+) differ:\n%s", len(read), diff)
	}
}

func TestWhatDeliveriesMissIsRead(t *testing.T) {
	h := newHooked(t)
	h.mustPoll()
	h.deliver(h.mention(siti, "satu"))
	h.mention(budi, "dua") // its delivery got lost
	h.mustPoll()
	h.mustPoll()
	var texts []string
	for _, e := range h.ledger.Events() {
		texts = append(texts, e.Text)
	}
	if diff := cmp.Diff([]string{"satu", "dua"}, texts); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if got := h.source.Interval(); got != time.Hour {
		t.Errorf("read every %s", got)
	}
}

func TestTheVectorOfTheChallengeAndTheSignature(t *testing.T) {
	var vector struct {
		Secret   string `json:"consumer_secret"`
		Token    string `json:"crc_token"`
		Response struct {
			Token string `json:"response_token"`
		} `json:"response_body"`
		Signature struct {
			Body  string `json:"raw_body"`
			Value string `json:"value"`
		} `json:"post_signature"`
	}
	raw, err := os.ReadFile("testdata/crc_vector.json")
	if err != nil || json.Unmarshal(raw, &vector) != nil {
		t.Fatal(err)
	}
	h := newHooked(t)
	source, err := openHooked(h.spec, h.clock, nil, vector.Secret)
	if err != nil {
		t.Fatal(err)
	}
	h.handler = source.(channel.Pusher).Handler(h.ledger)
	answer := httptest.NewRecorder()
	h.handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/hooks/x?crc_token="+url.QueryEscape(vector.Token), nil))
	if want := fmt.Sprintf("{\"response_token\":%q}\n", vector.Response.Token); answer.Code != http.StatusOK || answer.Body.String() != want {
		t.Errorf("got %d %s, want %s", answer.Code, answer.Body, want)
	}
	if answer := h.post([]byte(vector.Signature.Body), vector.Signature.Value); answer.Code != http.StatusOK {
		t.Errorf("the signed body was answered with %d %s", answer.Code, answer.Body)
	}
	for name, query := range map[string]string{"no token": "", "an endless one": "crc_token=" + strings.Repeat("x", 1025)} {
		answer := httptest.NewRecorder()
		h.handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/hooks/x?"+query, nil))
		if answer.Code != http.StatusBadRequest {
			t.Errorf("%s: %d", name, answer.Code)
		}
	}
}

// Anybody may send a challenge, and its answer is the signature of a delivery with the same words.
func TestNobodyHasADeliverySignedByAChallenge(t *testing.T) {
	h := newHooked(t)
	answer := func(token string) (signature string) {
		recorder := httptest.NewRecorder()
		h.handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/hooks/x?crc_token="+url.QueryEscape(token), nil))
		var said struct {
			Token string `json:"response_token"`
		}
		if json.Unmarshal(recorder.Body.Bytes(), &said) != nil {
			t.Fatalf("answered %d %s", recorder.Code, recorder.Body)
		}
		return said.Token
	}
	forged := h.server.Activity(h.mention(siti, "palsu"))[0]
	for name, body := range map[string]string{"a delivery": string(forged), "nothing": "null", "nothing, with a space": " null"} {
		if code := h.post([]byte(body), answer(body)).Code; code != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, code)
		}
	}
	if events := h.ledger.Events(); len(events) != 0 {
		t.Errorf("events: %d", len(events))
	}
	if answer("MTc5MzU4NTAwMA==") == "" {
		t.Error("a challenge of X was not answered")
	}
}

func TestTheChallengeIsAnsweredOverANetwork(t *testing.T) {
	h := newHooked(t)
	server := httptest.NewServer(h.handler)
	defer server.Close()
	for secret, want := range map[string]bool{consumerSecret: true, "guess": false} {
		if ok, err := simulator.Challenge(server.Client(), server.URL, secret, "xyz"); err != nil || ok != want {
			t.Errorf("with %s: %v %v", secret, ok, err)
		}
	}
}

func TestForgedDeliveriesAreRefused(t *testing.T) {
	body := activities(t)["activity_mention"]
	var decoded any
	if err := json.Unmarshal(body, &decoded); err != nil {
		t.Fatal(err)
	}
	rewritten, err := json.Marshal(decoded)
	if err != nil {
		t.Fatal(err)
	}
	good := simulator.Sign(consumerSecret, body)
	for name, tt := range map[string]struct {
		body      []byte
		signature string
		code      int
	}{
		"as it was sent":                {body, good, 200},
		"signed with the secret before": {body, simulator.Sign("secret-before", body), 200},
		"unsigned":                      {body, "", 401},
		"tampered with":                 {bytes.Replace(body, []byte("banjir"), []byte("kering"), 1), good, 401},
		"truncated":                     {body[:len(body)-2], good, 401},
		"written anew":                  {rewritten, good, 401},
		"signed by somebody else":       {body, simulator.Sign("guess", body), 401},
		"without the name of the hash":  {body, strings.TrimPrefix(good, "sha256="), 401},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHooked(t)
			answer := h.post(tt.body, tt.signature)
			forged := tt.code != http.StatusOK
			if answer.Code != tt.code || forged != (len(h.ledger.Events()) == 0) || forged != (h.ledger.Problems()[ledgerapi.ReasonSignatureInvalid] == 1) {
				t.Errorf("answered with %d %s, %d events, problems %v", answer.Code, answer.Body, len(h.ledger.Events()), h.ledger.Problems())
			}
		})
	}
}

func TestDeliveriesThatSayNothing(t *testing.T) {
	for name, tt := range map[string]struct {
		body     string
		code     int
		problems map[ledgerapi.Reason]int
	}{
		"of another account":        {`{"data":{"event_type":"post.create","filter":{"user_id":"7"},"payload":{"id":"0812"}}}`, 200, nil},
		"of another type":           {`{"data":{"event_type":"follow.follow","filter":{"user_id":"42"},"payload":{}}}`, 200, nil},
		"a post without an author":  {`{"data":{"event_type":"post.create","filter":{"user_id":"42"},"payload":{"id":"1"}}}`, 200, map[ledgerapi.Reason]int{ledgerapi.ReasonInvalidEvent: 1}},
		"a deletion of nothing":     {`{"data":{"event_type":"post.delete","filter":{"user_id":"42"},"payload":{}}}`, 200, map[ledgerapi.Reason]int{ledgerapi.ReasonInvalidEvent: 1}},
		"a deletion by another":     {`{"data":{"event_type":"post.delete","filter":{"user_id":"42"},"payload":{"id":"1","author_id":"7"}}}`, 200, nil},
		"what is no JSON":           {`<html>0812`, 400, map[ledgerapi.Reason]int{ledgerapi.ReasonInvalidBody: 1}},
		"a subscription of nothing": {`{}`, 200, nil},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHooked(t)
			answer := h.post([]byte(tt.body), simulator.Sign(consumerSecret, []byte(tt.body)))
			if diff := cmp.Diff(tt.problems, h.ledger.Problems()); diff != "" || answer.Code != tt.code || len(h.ledger.Events()) != 0 {
				t.Errorf("answered with %d, %d events, problems (-want +got):\n%s", answer.Code, len(h.ledger.Events()), diff)
			}
			if strings.Contains(fmt.Sprint(h.ledger.Messages(), answer.Body), "0812") {
				t.Error("the message holds content")
			}
		})
	}
}

func TestALostSubscriptionIsFoundAndWhatWasMissedIsRead(t *testing.T) {
	for name, tt := range map[string]struct {
		valid bool
		types []string
		says  string
	}{
		"a webhook that is not valid":      {false, []string{"post.create", "post.mention.create", "post.reply.create"}, "PUT /2/webhooks/1976325569252868099"},
		"mentions that are not subscribed": {true, []string{"post.create", "post.reply.create"}, "does not deliver post.mention.create of this account"},
		"nothing of this account":          {true, nil, "does not deliver post.create, post.mention.create, post.reply.create"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHooked(t)
			h.server.Subscribe(account, tt.valid, tt.types...)
			h.mention(siti, "banjir")
			err := h.poll()
			e, ok := errors.AsType[*channel.Error](err)
			if !ok || e.Reason != ledgerapi.ReasonNotSubscribed || !strings.Contains(e.Message, tt.says) {
				t.Errorf("got %v", err)
			}
			if got := len(h.ledger.Events()); got != 1 || h.ledger.Through().IsZero() {
				t.Errorf("%d events, read through %s: what X does not deliver can be read", got, h.ledger.Through())
			}
			h.server.Subscribe(account, true, "post.create", "post.mention.create", "post.reply.create")
			h.mustPoll()
		})
	}
}

func TestACheckThatFailsKeepsNothingFromBeingRead(t *testing.T) {
	h := newHooked(t)
	broken := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/webhooks") {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		h.server.ServeHTTP(w, r)
	})
	source, err := openHooked(h.spec, h.clock, channeltest.Direct{Handler: broken}, consumerSecret)
	if err != nil {
		t.Fatal(err)
	}
	h.mention(siti, "banjir")
	err = source.(channel.Poller).Poll(t.Context(), nil, h.ledger.Named("deputy-mayor-x"))
	if e, ok := errors.AsType[*channel.Error](err); !ok || e.Reason != ledgerapi.ReasonUnauthorized || len(h.ledger.Events()) != 1 {
		t.Errorf("got %v with %d events", err, len(h.ledger.Events()))
	}
}

// TestAnyOrderOfDeliveriesGivesTheSameCases shuffles deliveries to workers of which only some have read which
// conversations the city began, some of them twice.
func TestAnyOrderOfDeliveriesGivesTheSameCases(t *testing.T) {
	h := newHooked(t)
	announcement := h.server.Add(simulator.Post{Author: account, Text: "pengumuman"})
	h.mustPoll()
	read := h.ledger.Cursor()
	flood := h.mention(siti, "banjir")
	answer := h.reply(account, flood, "petugas menuju lokasi")
	lamp := h.reply(budi, announcement, "lampu mati")
	posts := []uint64{flood, answer, h.reply(siti, answer, "belum datang"), lamp, h.reply(account, lamp, "kami perbaiki")}
	want := []string{fmt.Sprintf("%d answered, waiting", flood), fmt.Sprintf("%d/%s answered", announcement, budi)}
	slices.Sort(want)
	rounds := 0
	rapid.Check(t, func(rt *rapid.T) {
		if rounds++; rounds > 20 { // each opens a ledger
			return
		}
		order := append(rapid.SliceOfN(rapid.IntRange(0, len(posts)-1), 0, 5).Draw(rt, "twice"), rapid.Permutation([]int{0, 1, 2, 3, 4}).Draw(rt, "order")...)
		var batches [][]complaint.Event
		for _, i := range order {
			h.ledger = &channeltest.Ledger{}
			h.reopen()
			if err := h.source.Poll(t.Context(), read, (&channeltest.Ledger{}).Named("deputy-mayor-x")); err != nil {
				rt.Fatal(err)
			}
			h.deliver(posts[i])
			batches = append(batches, h.ledger.Events())
		}
		got := states(cases.Of(t, h.clock.Now().Add(time.Hour), batches...))
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Errorf("cases (-want +got):\n%s", diff)
		}
	})
}

// TestAnAnswerFindsItsCaseWhereWhoseTheConversationIsIsNotKnown delivers to a worker that has read nothing.
func TestAnAnswerFindsItsCaseWhereWhoseTheConversationIsIsNotKnown(t *testing.T) {
	h := newHooked(t)
	announcement := h.server.Add(simulator.Post{Author: account, Text: "pengumuman"})
	lamp := h.reply(budi, announcement, "lampu mati")
	h.deliver(lamp)
	asked := h.ledger.Events()
	h.ledger = &channeltest.Ledger{}
	h.reopen()
	h.deliver(h.reply(account, lamp, "kami perbaiki"))
	got := cases.Of(t, h.clock.Now().Add(time.Hour), asked, h.ledger.Events())
	if len(got) != 1 || got[0].AnsweredAt == nil || got[0].CaseID != fmt.Sprintf("%d/%s", announcement, budi) {
		t.Errorf("%+v", got)
	}
}

func TestADeletedAnswerStaysOne(t *testing.T) {
	h := newHooked(t)
	flood := h.mention(siti, "banjir")
	answer := h.reply(account, flood, "petugas menuju lokasi")
	h.deliver(flood)
	h.deliver(answer)
	h.clock.Advance(time.Minute)
	body := h.server.Deletion(answer)
	h.post(body, simulator.Sign(consumerSecret, body))
	got := cases.Of(t, h.clock.Now().Add(time.Hour), h.ledger.Events())
	if len(got) != 1 || got[0].AnsweredAt == nil || got[0].WaitingSince != nil {
		t.Errorf("%+v", got)
	}
}

func TestTheWebhooksManifestInTheDocumentationOpens(t *testing.T) {
	page, err := os.ReadFile("../../../docs/channels/x.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "## Delivered besides")
	_, rest, _ = strings.Cut(rest, "```yaml\n")
	manifest, _, _ := strings.Cut(rest, "```")
	var c v1alpha1.ComplaintChannel
	if err := yaml.UnmarshalStrict([]byte(manifest), &c); err != nil {
		t.Fatal(err)
	}
	source, err := Type{}.Open(channeltest.Settings(c.Spec.Source, channeltest.NewClock(time.Now()), nil,
		map[string]string{"deputy-mayor-x/bearer-token": "t", "deputy-mayor-x/consumer-secret": consumerSecret}))
	if err != nil {
		t.Fatal(err)
	}
	if got := source.(channel.Poller).Interval(); got != time.Hour || !c.Spec.Source.Pushed() {
		t.Errorf("interval %s", got)
	}
}

// FuzzActivity looks for signed deliveries that break something.
func FuzzActivity(f *testing.F) {
	for _, body := range activities(f) {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		w := &webhook{source: &source{account: "42", agencies: []string{"42"}, now: func() time.Time { return time.Date(2026, 11, 2, 3, 0, 0, 0, time.UTC) }}}
		r, err := w.translate(t.Context(), body)
		if err != nil {
			return
		}
		for _, e := range r.Events {
			e.Channel = "x"
			if e.OccurredAt.Year() < 2000 {
				continue // refused by the ledger, as a time that cannot be
			}
			if err := e.Validate(); err != nil {
				t.Error(err)
			}
		}
	})
}
