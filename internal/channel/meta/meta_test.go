package meta

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
	simulator "github.com/tanggap/tanggap/internal/simulator/meta"
	"github.com/tanggap/tanggap/internal/simulator/whatsapp"
	"github.com/tanggap/tanggap/test/golden"
)

const (
	appID     = "1517776481860000"
	secret    = "app-secret"
	older     = "app-secret-before"
	token     = "verify-me"
	access    = "EAAB-access"
	pageID    = "102000000000001"
	accountID = "17841400000000001"
	siti      = "5501000000000001"
	budi      = "5501000000000002"
)

// monday is the first working day of the tests, 09:00 in Jakarta.
var monday = time.Date(2026, 11, 2, 2, 0, 0, 0, time.UTC)

// city is an endpoint that is delivered to and reads a simulated Meta, and everything around it.
type city struct {
	testing.TB
	clock   *channeltest.Clock
	server  *simulator.Server
	ledger  *channeltest.Ledger
	spec    *v1alpha1.MetaSource
	source  channel.Source
	handler http.Handler
}

func ref(key string) v1alpha1.SecretKeyReference {
	return v1alpha1.SecretKeyReference{Name: "meta", Key: key}
}

func newSpec() *v1alpha1.MetaSource {
	return &v1alpha1.MetaSource{
		AppID: appID, PageID: pageID, InstagramAccountID: accountID,
		AppSecretSecretRefs:  []v1alpha1.SecretKeyReference{ref("new"), ref("old")},
		VerifyTokenSecretRef: ref("token"), AccessTokenSecretRef: ref("access"), BotAppIDs: []v1alpha1.MetaID{"1517776481860111"},
		Reconcile: &v1alpha1.MetaReconcile{RequestsPerMinute: new(int32(6000))},
	}
}

func newCity(t testing.TB, change func(*v1alpha1.MetaSource, *simulator.Options)) *city {
	t.Helper()
	c := &city{TB: t, clock: channeltest.NewClock(monday), ledger: &channeltest.Ledger{}, spec: newSpec()}
	options := simulator.Options{AppID: appID, AppSecret: secret, Token: access, PageID: pageID, InstagramID: accountID, Now: c.clock.Now}
	if change != nil {
		change(c.spec, &options)
	}
	c.server = simulator.New(options)
	c.open(channeltest.Direct{Handler: c.server})
	return c
}

func openSpec(spec *v1alpha1.MetaSource, clock *channeltest.Clock, transport http.RoundTripper) (channel.Source, error) {
	return Type{}.Open(channeltest.Settings(v1alpha1.ChannelSource{Type: v1alpha1.SourceMeta, Meta: spec}, clock, transport, map[string]string{
		"meta/new": secret, "meta/old": older, "meta/token": token, "meta/access": access, "meta/expired": "EAAB-expired", "meta/empty": "",
	}))
}

// open opens the source, as a new worker does.
func (c *city) open(transport http.RoundTripper) {
	c.Helper()
	source, err := openSpec(c.spec, c.clock, transport)
	if err != nil {
		c.Fatal(err)
	}
	c.source, c.handler = source, source.(channel.Pusher).Handler(c.ledger.Named("meta"))
}

// send posts a body with a signature.
func (c *city) send(body []byte, signature string) *httptest.ResponseRecorder {
	c.Helper()
	request := httptest.NewRequest(http.MethodPost, "/hooks/meta", bytes.NewReader(body))
	if signature != "" {
		request.Header.Set("X-Hub-Signature-256", signature)
	}
	answer := httptest.NewRecorder()
	c.handler.ServeHTTP(answer, request)
	return answer
}

// deliver posts a body as Meta would.
func (c *city) deliver(body []byte) {
	c.Helper()
	if answer := c.send(body, simulator.Sign(secret, body)); answer.Code != http.StatusOK {
		c.Fatalf("answered with %d %s", answer.Code, answer.Body)
	}
}

func fixtures(t testing.TB) map[string][]byte {
	t.Helper()
	return channeltest.Payloads(t, "*.json", 7)
}

// recorded is a city whose Instagram account is the one of a payload that somebody recorded.
func recorded(t testing.TB, name string) *city {
	t.Helper()
	return newCity(t, func(spec *v1alpha1.MetaSource, _ *simulator.Options) {
		switch name {
		case "instagram_message", "instagram_message_unsend":
			spec.InstagramAccountID = "instagram-message-id-123"
		case "instagram_message_echo":
			spec.InstagramAccountID = "instagram-message-id-1234"
		}
	})
}

func TestRecordedPayloadsBecomeEvents(t *testing.T) {
	for name, body := range fixtures(t) {
		t.Run(name, func(t *testing.T) {
			c := recorded(t, name)
			c.deliver(body)
			golden.Lines(t, name, c.ledger.Events())
			if len(c.ledger.Events()) == 0 || len(c.ledger.Problems()) > 0 {
				t.Errorf("%d events, problems: %v", len(c.ledger.Events()), c.ledger.Messages())
			}
			// What Meta escapes means the same, and a repetition nothing.
			again := recorded(t, name)
			again.deliver(whatsapp.Escape(body))
			again.deliver(body)
			if diff := cmp.Diff(c.ledger.Events(), again.ledger.Events()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBothShapesOfACommentAreOneEvent(t *testing.T) {
	c := newCity(t, nil)
	c.deliver(fixtures(t)["instagram_comments"])
	before := c.ledger.IDs()
	c.deliver(fixtures(t)["instagram_comments_flat"])
	if diff := cmp.Diff(before, c.ledger.IDs()); diff != "" {
		t.Error(diff)
	}
}

func TestForgedDeliveriesAreRefused(t *testing.T) {
	body := fixtures(t)["page_feed"]
	var decoded any
	if err := json.Unmarshal(body, &decoded); err != nil {
		t.Fatal(err)
	}
	rewritten, err := json.Marshal(decoded)
	if err != nil {
		t.Fatal(err)
	}
	good := simulator.Sign(secret, body)
	for name, tt := range map[string]struct {
		body      []byte
		signature string
		code      int
	}{
		"as it was sent":                {body, good, 200},
		"signed with the secret before": {body, simulator.Sign(older, body), 200},
		"unsigned":                      {body, "", 401},
		"tampered with":                 {bytes.Replace(body, []byte("Banjir"), []byte("Kering"), 1), good, 401},
		"truncated":                     {body[:len(body)-2], good, 401},
		"written anew":                  {rewritten, good, 401},
		"signed by somebody else":       {body, simulator.Sign("guess", body), 401},
		"signed in another way":         {body, strings.Replace(good, "sha256=", "sha1=", 1), 401},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCity(t, nil)
			answer := c.send(tt.body, tt.signature)
			forged := tt.code != http.StatusOK
			if answer.Code != tt.code || forged != (len(c.ledger.Events()) == 0) || forged != (c.ledger.Problems()["SignatureInvalid"] == 1) {
				t.Errorf("answered with %d %s, %d events, problems %v", answer.Code, answer.Body, len(c.ledger.Events()), c.ledger.Problems())
			}
		})
	}
}

func TestThePublishedVectorVerifies(t *testing.T) {
	var vector struct {
		Secret   string `json:"secret"`
		Body     string `json:"raw_body"`
		Expected string `json:"expected"`
	}
	raw, err := os.ReadFile("../webhook/testdata/x_hub_signature_256_vector.json")
	if err != nil || json.Unmarshal(raw, &vector) != nil {
		t.Fatal(err)
	}
	source, err := Type{}.Open(channeltest.Settings(v1alpha1.ChannelSource{Meta: newSpec()}, channeltest.NewClock(monday), nil, map[string]string{
		"meta/new": vector.Secret, "meta/old": older, "meta/token": token, "meta/access": access,
	}))
	if err != nil {
		t.Fatal(err)
	}
	ledger := &channeltest.Ledger{}
	request := httptest.NewRequest(http.MethodPost, "/hooks/meta", strings.NewReader(vector.Body))
	request.Header.Set("X-Hub-Signature-256", vector.Expected)
	answer := httptest.NewRecorder()
	source.(channel.Pusher).Handler(ledger).ServeHTTP(answer, request)
	// It is signed, and is no JSON.
	if answer.Code != http.StatusBadRequest || ledger.Problems()["InvalidBody"] != 1 {
		t.Errorf("answered with %d, problems %v", answer.Code, ledger.Problems())
	}
}

func TestTheHandshakeAnswersWhomKnowsTheToken(t *testing.T) {
	c := newCity(t, nil)
	server := httptest.NewServer(c.handler)
	defer server.Close()
	if err := simulator.NewSender(server.URL, secret, token, server.Client()).Handshake(t.Context()); err != nil {
		t.Error(err)
	}
	if err := simulator.NewSender(server.URL, secret, "guess", server.Client()).Handshake(t.Context()); err == nil {
		t.Error("the endpoint answered whom does not know the token")
	}
}

func TestItemsThatMakeNoSenseAreCountedAndTakeNothingWithThem(t *testing.T) {
	value := func(v string) string { return `{"field":"feed","value":` + v + `}` }
	for name, change := range map[string]string{
		"a comment without an id":          value(`{"item":"comment","verb":"add","post_id":"1","created_time":1793584800}`),
		"a comment of another shape":       value(`{"item":"comment","verb":"add","comment_id":{"x":1}}`),
		"a value of another shape":         value(`[]`),
		"a mention without anything in it": `{"field":"mention","value":{"verb":"add"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			good := value(`{"item":"comment","verb":"add","comment_id":"1_2","post_id":"1","parent_id":"1","created_time":1793584800,"message":"x"}`)
			c := newCity(t, nil)
			c.deliver([]byte(`{"object":"page","entry":[7,{"id":"` + pageID + `","time":1793584800,"changes":[` + change + `,` + good + `]}]}`))
			if len(c.ledger.Events()) != 1 || c.ledger.Problems()["InvalidEvent"] != 2 {
				t.Errorf("%d events, problems %v", len(c.ledger.Events()), c.ledger.Problems())
			}
		})
	}
}

func TestOtherObjectsAreCounted(t *testing.T) {
	c := newCity(t, nil)
	c.deliver([]byte(`{"object":"whatsapp_business_account","entry":[]}`))
	if c.ledger.Problems()["InvalidBody"] != 1 {
		t.Errorf("problems %v", c.ledger.Problems())
	}
}

func TestSuccessOnlyWhenTheLedgerHasTheEvents(t *testing.T) {
	c := newCity(t, nil)
	_, body := c.server.Comment(siti, pageID+"_1", "", "Banjir")
	c.ledger.Fault = func(int) (before, after error) { return channeltest.Away(), nil }
	answer := c.send(body, simulator.Sign(secret, body))
	if answer.Code != http.StatusServiceUnavailable || answer.Header().Get("Retry-After") != "7" || len(c.ledger.Events()) != 0 {
		t.Errorf("got %d %v with %d events", answer.Code, answer.Header(), len(c.ledger.Events()))
	}
	// The ledger has it and its answer got lost: Meta sends again, and nothing is doubled.
	c.ledger.Fault = func(int) (before, after error) { return nil, channeltest.Away() }
	if answer := c.send(body, simulator.Sign(secret, body)); answer.Code != http.StatusServiceUnavailable {
		t.Errorf("got %d", answer.Code)
	}
	c.ledger.Fault = nil
	if c.deliver(body); len(c.ledger.Events()) != 1 {
		t.Errorf("%d events", len(c.ledger.Events()))
	}
}

func TestASpecificationThatCannotBeOpened(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*v1alpha1.MetaSource)
		want   string
	}{
		"without a Page and an account": {func(s *v1alpha1.MetaSource) { s.PageID, s.InstagramAccountID = "", "" }, "pageID, instagramAccountID or both must be set"},
		"at a relative url":             {func(s *v1alpha1.MetaSource) { s.URL = "/v26.0" }, "meta.url: must be an absolute URL"},
		"without an app secret":         {func(s *v1alpha1.MetaSource) { s.AppSecretSecretRefs[1] = ref("none") }, "CredentialMissing"},
		"with an empty app secret":      {func(s *v1alpha1.MetaSource) { s.AppSecretSecretRefs[0] = ref("empty") }, "CredentialMissing"},
		"without a verify token":        {func(s *v1alpha1.MetaSource) { s.VerifyTokenSecretRef = ref("none") }, "CredentialMissing"},
		"without an access token":       {func(s *v1alpha1.MetaSource) { s.AccessTokenSecretRef = ref("none") }, "CredentialMissing"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := newSpec()
			tt.change(spec)
			if _, err := openSpec(spec, channeltest.NewClock(monday), nil); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	if _, err := openSpec(nil, channeltest.NewClock(monday), nil); err == nil {
		t.Error("a channel without its member was opened")
	}
}

// FuzzDeliveries looks for signed bodies that break something: whatever they are, each event is one that the
// ledger takes or refuses by itself.
func FuzzDeliveries(f *testing.F) {
	for _, body := range fixtures(f) {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		tr := newTranslator(newSpec())
		r, err := tr.translate(body)
		if err != nil {
			return
		}
		for i := range r.Events {
			e := r.Events[i].Normalize(monday)
			e.Channel = "meta"
			if e.Thread == nil || e.ID == "" || e.CaseID == "" {
				t.Errorf("%+v", e)
			}
			err := e.Validate()
			if err == nil {
				continue
			}
			for line := range strings.Lines(err.Error() + "\n") {
				known := false
				for _, prefix := range []string{"at: ", "reporter: ", "id: has", "case: has", "thread: an entry", "id: must be UTF-8", "case: must be UTF-8"} {
					known = known || strings.HasPrefix(line, prefix)
				}
				if !known && strings.TrimSpace(line) != "" {
					t.Error(line)
				}
			}
		}
		for _, m := range r.thin {
			if m.index >= len(r.Events) || !plain(m.media+m.comment) {
				t.Errorf("%+v", m)
			}
		}
	})
}
