package sms

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/simulator/sms"
	"github.com/tanggap/tanggap/test/golden"
)

// monday is the first working day of the tests, 09:00 in Jakarta.
var monday = time.Date(2026, 11, 2, 2, 0, 0, 0, time.UTC)

const (
	public  = "https://aduan.depok.example/hooks/sms"
	account = "AC0123456789abcdef0123456789abcdef"
	token   = "auth-token"
	older   = "auth-token-before"
	desk    = "+622129402200"
	ani     = "+6281210000001"
	budi    = "+6281210000002"
)

// rig is an endpoint and everything around it.
type rig struct {
	t       testing.TB
	clock   *channeltest.Clock
	ledger  *channeltest.Ledger
	handler http.Handler
	// account is Twilio with what it lists, and source what reads it.
	account *sms.Twilio
	source  channel.Source
}

func ref(key string) v1alpha1.SecretKeyReference {
	return v1alpha1.SecretKeyReference{Name: "sms", Key: key}
}

func newSpec() *v1alpha1.SMSSource {
	return &v1alpha1.SMSSource{
		PublicURL: public, AccountSIDSecretRef: ref("sid"), AuthTokenSecretRefs: []v1alpha1.SecretKeyReference{ref("new"), ref("old")},
		Numbers: []v1alpha1.SMSNumber{desk, "1112"},
	}
}

func secrets() map[string]string {
	return map[string]string{"sms/sid": account, "sms/new": token, "sms/old": older, "sms/empty": "", "sms/climbing": "AC/../../x"}
}

func open(t testing.TB, spec *v1alpha1.SMSSource, clock *channeltest.Clock, credentials map[string]string) (channel.Source, error) {
	t.Helper()
	return openWith(t, spec, clock, nil, credentials)
}

func openWith(t testing.TB, spec *v1alpha1.SMSSource, clock *channeltest.Clock, transport http.RoundTripper, credentials map[string]string) (channel.Source, error) {
	t.Helper()
	return Type{}.Open(channeltest.Settings(v1alpha1.ChannelSource{Type: v1alpha1.SourceSMS, SMS: spec}, clock, transport, credentials))
}

func newRig(t testing.TB, spec *v1alpha1.SMSSource, credentials map[string]string) *rig {
	t.Helper()
	r := &rig{t: t, clock: channeltest.NewClock(monday), ledger: &channeltest.Ledger{}, account: twilio()}
	r.account.Now = r.clock.Now
	var err error
	if r.source, err = openWith(t, spec, r.clock, channeltest.Direct{Handler: r.account}, credentials); err != nil {
		t.Fatal(err)
	}
	r.handler = r.source.(channel.Pusher).Handler(r.ledger)
	return r
}

// poll reads the list once.
func (r *rig) poll() error {
	return r.source.(channel.Poller).Poll(context.Background(), r.ledger.Cursor(), r.ledger)
}

// send posts a body with a signature.
func (r *rig) send(body, signature string) *httptest.ResponseRecorder {
	r.t.Helper()
	// What arrives here has another host than what was signed.
	request := httptest.NewRequest(http.MethodPost, "http://worker.depok.svc/hooks/sms", strings.NewReader(body))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
	if signature != "" {
		request.Header.Set("X-Twilio-Signature", signature)
	}
	answer := httptest.NewRecorder()
	r.handler.ServeHTTP(answer, request)
	return answer
}

// post posts a form as Twilio would.
func (r *rig) post(form url.Values) int {
	r.t.Helper()
	return r.send(form.Encode(), sms.Sign(token, public, form)).Code
}

func twilio() *sms.Twilio {
	return &sms.Twilio{AccountSID: account, AuthToken: token, Number: desk}
}

func read(t testing.TB, name string, into any) []byte {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if into != nil {
		if err := json.Unmarshal(raw, into); err != nil {
			t.Fatal(err)
		}
	}
	return raw
}

func TestThePublishedVectors(t *testing.T) {
	var vector struct {
		Token    string `json:"auth_token"`
		URL      string
		Params   map[string]string
		Expected string
		Plain    struct{ URL, Expected string } `json:"same_for_http_url_without_port"`
		Form     struct {
			Body, URL, Expected string
		} `json:"form_body"`
		Unsorted string `json:"wrong_sort_order_must_fail"`
	}
	read(t, "signature_vector.json", &vector)
	form := url.Values{}
	for name, value := range vector.Params {
		form.Set(name, value)
	}
	parsed, err := url.ParseQuery(vector.Form.Body)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		url, signature string
		form           url.Values
		genuine        bool
	}{
		"as published":                   {vector.URL, vector.Expected, form, true},
		"with the port in publicURL":     {strings.Replace(vector.URL, ".com", ".com:443", 1), vector.Expected, form, true},
		"with another port in publicURL": {strings.Replace(vector.URL, ".com", ".com:8443", 1), vector.Expected, form, true},
		"over http":                      {vector.Plain.URL, vector.Plain.Expected, form, true},
		"over http with the port":        {strings.Replace(vector.Plain.URL, ".com", ".com:80", 1), vector.Plain.Expected, form, true},
		"the published form":             {vector.Form.URL, vector.Form.Expected, parsed, true},
		"in another order":               {vector.URL, vector.Unsorted, form, false},
		"http taken for https":           {vector.Plain.URL, vector.Expected, form, false},
		"another path":                   {vector.URL + "x", vector.Expected, form, false},
		"without the query":              {strings.Split(vector.URL, "?")[0], vector.Expected, form, false},
		"another host":                   {strings.Replace(vector.URL, "mycompany", "other", 1), vector.Expected, form, false},
	} {
		t.Run(name, func(t *testing.T) {
			v := verifier{urls: spellings(tt.url), tokens: [][]byte{[]byte("no"), []byte(vector.Token)}}
			if err := v.verify(tt.signature, tt.form); (err == nil) != tt.genuine {
				t.Errorf("got %v", err)
			}
		})
	}
	// A URL with its port, of which Twilio signs the port.
	v := verifier{urls: spellings(vector.URL), tokens: [][]byte{[]byte(vector.Token)}}
	if err := v.verify(sms.Sign(vector.Token, strings.Replace(vector.URL, ".com", ".com:443", 1), form), form); err != nil {
		t.Error(err)
	}
}

func TestTheRecordedFormBecomesAnEvent(t *testing.T) {
	body := string(read(t, "incoming_sms.form.txt", nil))
	var signed struct {
		Token     string `json:"auth_token"`
		URL       string
		Signature string `json:"X-Twilio-Signature"`
	}
	read(t, "incoming_sms_signature.json", &signed)
	spec := newSpec()
	spec.PublicURL, spec.Numbers = v1alpha1.HTTPURL(signed.URL), []v1alpha1.SMSNumber{"+15558675310"}
	credentials := secrets()
	credentials["sms/sid"], credentials["sms/new"] = "AC"+strings.Repeat("X", 32), signed.Token
	r := newRig(t, spec, credentials)
	answer := r.send(body, signed.Signature)
	if answer.Code != http.StatusOK || answer.Header().Get("Content-Type") != "text/xml; charset=utf-8" || answer.Body.String() != nothing {
		t.Fatalf("got %d %v %s", answer.Code, answer.Header(), answer.Body)
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	for _, e := range r.ledger.Events() {
		if err := encoder.Encode(e); err != nil {
			t.Fatal(err)
		}
	}
	golden.Text(t, "incoming_sms.golden.ndjson", out.Bytes())
}

func TestWhatPeopleAndStaffSend(t *testing.T) {
	const sid = "SM0123456789abcdef0123456789abcdef"
	event := func(kind complaint.Kind, actor complaint.Actor, text string, attributes map[string]string) []complaint.Event {
		return []complaint.Event{{
			CaseID: "sms-" + sid, ID: "message/" + sid, Kind: kind, Actor: actor, OccurredAt: monday, Text: text,
			Reporter: &complaint.Reporter{Phone: ani}, Attributes: attributes, Thread: &complaint.Thread{WindowSeconds: 86400},
		}}
	}
	received := func(text string, attributes map[string]string) []complaint.Event {
		attributes = maps.Clone(attributes)
		attributes["number"] = desk
		return event(complaint.KindReceived, complaint.ActorCitizen, text, attributes)
	}
	sent := map[string]string{"type": "sms"}
	handle := received("info", sent)
	handle[0].Reporter = &complaint.Reporter{Handle: "PROMO"}
	short := received("x", sent)
	short[0].Attributes["number"] = "1112"
	written, status := map[string]string{"SmsStatus": "received", "From": ani, "To": desk, "NumMedia": "0", "NumSegments": "1"}, map[string]string{"From": desk, "To": ani}
	for name, tt := range map[string]struct {
		base, change map[string]string
		want         []complaint.Event
	}{
		"a text":                                   {written, map[string]string{"Body": "Banjir di Margonda"}, received("Banjir di Margonda", sent)},
		"a text with what is new":                  {written, map[string]string{"Body": "Banjir", "NewParameter": "x", "Another": ""}, received("Banjir", sent)},
		"a long text":                              {written, map[string]string{"Body": "panjang", "NumSegments": "3"}, received("panjang", map[string]string{"type": "sms", "segments": "3"})},
		"pictures":                                 {written, map[string]string{"Body": "", "NumMedia": "2", "MediaUrl0": "https://api.twilio.com/x"}, received("", map[string]string{"type": "mms", "media": "2"})},
		"a count that is none":                     {written, map[string]string{"Body": "x", "NumMedia": "-1", "NumSegments": "viele"}, received("x", sent)},
		"to the short code":                        {written, map[string]string{"Body": "x", "To": "1112"}, short},
		"from a name":                              {written, map[string]string{"Body": "info", "From": "PROMO"}, handle},
		"a text of bytes that are no text":         {written, map[string]string{"Body": "a\xff"}, received("a\ufffd", sent)},
		"a wish to be left alone":                  {written, map[string]string{"Body": " Berhenti "}, nil},
		"a wish that Twilio knew":                  {written, map[string]string{"Body": "Sudah cukup", "OptOutType": "STOP"}, nil},
		"a cry for help":                           {written, map[string]string{"Body": "HELP", "OptOutType": "HELP"}, received("HELP", sent)},
		"a stop that is a complaint":               {written, map[string]string{"Body": "Stop buang sampah di sini"}, received("Stop buang sampah di sini", sent)},
		"to another number":                        {written, map[string]string{"To": "+15550001111"}, nil},
		"from one of the city's to another":        {written, map[string]string{"From": "1112"}, nil},
		"a message of the city that is on its way": {status, map[string]string{"MessageStatus": "sent", "SmsStatus": "sent"}, nil},
		"a message of the city that is there":      {status, map[string]string{"MessageStatus": "delivered"}, nil},
		"a message of the city in the queue":       {status, map[string]string{"MessageStatus": "queued"}, nil},
		"a message of the city that failed":        {status, map[string]string{"MessageStatus": "undelivered", "ErrorCode": "30005"}, nil},
		"a message of another number":              {status, map[string]string{"MessageStatus": "sent", "From": "+15550001111"}, nil},
		"a message from one desk to the next":      {status, map[string]string{"MessageStatus": "sent", "To": "1112"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			form := url.Values{"AccountSid": {account}, "MessageSid": {sid}}
			for _, part := range []map[string]string{tt.base, tt.change} {
				for k, v := range part {
					form.Set(k, v)
				}
			}
			r := newRig(t, newSpec(), secrets())
			if code := r.post(form); code != http.StatusOK {
				t.Errorf("answered with %d", code)
			}
			got := r.ledger.Events()
			for i := range got {
				got[i].Channel = ""
			}
			if diff := cmp.Diff(append([]complaint.Event{}, tt.want...), got); diff != "" || len(r.ledger.Problems()) > 0 {
				t.Errorf("%v (-want +got):\n%s", r.ledger.Messages(), diff)
			}
			if woken := len(r.source.(channel.Waker).Woken()) == 1; woken != strings.HasPrefix(name, "a message of the city that is ") {
				t.Errorf("woken: %t", woken)
			}
		})
	}
}

func TestForgedDeliveriesChangeNothing(t *testing.T) {
	form := twilio().Written(sms.Message{Person: ani, At: monday, Text: "Jalan rusak & berlubang; +10 hari 😮"})
	body, good := form.Encode(), sms.Sign(token, public, form)
	second := body + "&Body=bagus"
	for name, tt := range map[string]struct {
		body, signature string
		code            int
	}{
		"as it was sent":                         {body, good, 200},
		"signed with the token before":           {body, sms.Sign(older, public, form), 200},
		"spaces written in the other way":        {strings.ReplaceAll(body, "+", "%20"), good, 200},
		"with a second value, which is not read": {second, good, 200},
		"unsigned":                               {body, "", 401},
		"tampered with":                          {strings.Replace(body, "rusak", "bagus", 1), good, 401},
		"with one more parameter":                {body + "&Extra=1", good, 401},
		"truncated":                              {body[:strings.LastIndexByte(body, '&')], good, 401},
		"truncated within an escape":             {"Body=%F", good, 400},
		"in another character set":               {strings.Replace(body, "%F0%9F%98%AE", "%3F", 1), good, 401},
		"decoded once too often":                 {strings.ReplaceAll(body, "%2B10", "+10"), good, 401},
		"signed for another URL":                 {body, sms.Sign(token, public+"/x", form), 401},
		"signed for the address inside":          {body, sms.Sign(token, "http://worker.depok.svc/hooks/sms", form), 401},
		"signed by somebody else":                {body, sms.Sign("guess", public, form), 401},
		"signed with nothing":                    {body, sms.Sign("", public, form), 401},
		"with half a signature":                  {body, good[:12], 401},
		"with what is no base64":                 {body, "%%%", 401},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, newSpec(), secrets())
			answer := r.send(tt.body, tt.signature)
			if answer.Code != tt.code {
				t.Fatalf("answered with %d %s", answer.Code, answer.Body)
			}
			events := r.ledger.Events()
			if (tt.code == 200) != (len(events) == 1) || (tt.code == 401) != (r.ledger.Problems()["SignatureInvalid"] == 1) {
				t.Errorf("%d events, problems %v", len(events), r.ledger.Problems())
			}
			if len(events) == 1 && !strings.HasPrefix(events[0].Text, "Jalan rusak & berlubang; +10") {
				t.Errorf("read %q", events[0].Text)
			}
			if strings.Contains(answer.Body.String(), token) {
				t.Error("said too much")
			}
		})
	}
}

func TestWhatIsNoDelivery(t *testing.T) {
	form := twilio().Written(sms.Message{Person: ani, At: monday, Text: "Banjir"})
	of := func(name, value string) url.Values {
		changed := maps.Clone(form)
		changed.Set(name, value)
		return changed
	}
	for name, tt := range map[string]struct {
		form   url.Values
		reason ledgerapi.Reason
		said   string
	}{
		"of another account": {of("AccountSid", "ACffffffffffffffffffffffffffffffff"), "InvalidBody", "the delivery is of another account than accountSIDSecretRef names"},
		"without a message":  {of("MessageSid", ""), "InvalidBody", "the delivery names no message (MessageSid)"},
		"with a name of ill": {of("MessageSid", "SM/../x"), "InvalidBody", "the delivery names no message (MessageSid)"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, newSpec(), secrets())
			if code := r.post(tt.form); code != http.StatusOK || len(r.ledger.Events()) != 0 {
				t.Errorf("got %d", code)
			}
			if got := strings.Join(r.ledger.Messages(), "; "); got != tt.said || r.ledger.Problems()[tt.reason] != 1 {
				t.Errorf("said %q", got)
			}
		})
	}
	r := newRig(t, newSpec(), secrets())
	for method, kind := range map[string]string{http.MethodGet: "", http.MethodPost: "application/json"} {
		request := httptest.NewRequest(method, "/hooks/sms", strings.NewReader(`{}`))
		request.Header.Set("Content-Type", kind)
		request.Header.Set("X-Twilio-Signature", sms.Sign(token, public, nil))
		answer := httptest.NewRecorder()
		r.handler.ServeHTTP(answer, request)
		want := map[string]int{http.MethodGet: http.StatusMethodNotAllowed, http.MethodPost: http.StatusUnsupportedMediaType}[method]
		if answer.Code != want || len(r.ledger.Events()) != 0 {
			t.Errorf("%s: got %d %s", method, answer.Code, answer.Body)
		}
	}
}

func TestSuccessOnlyWhenTheLedgerHasTheEvents(t *testing.T) {
	r := newRig(t, newSpec(), secrets())
	form := twilio().Written(sms.Message{Person: ani, At: monday, Text: "Banjir"})
	r.ledger.Fault = func(int) (before, after error) { return channeltest.Away(), nil }
	answer := r.send(form.Encode(), sms.Sign(token, public, form))
	if answer.Code != http.StatusServiceUnavailable || answer.Header().Get("Retry-After") != "7" || len(r.ledger.Events()) != 0 {
		t.Errorf("got %d %v with %d events", answer.Code, answer.Header(), len(r.ledger.Events()))
	}
	// The ledger has it and its answer got lost: Twilio sends again, and nothing is doubled.
	r.ledger.Fault = func(int) (before, after error) { return nil, channeltest.Away() }
	if code := r.post(form); code != http.StatusServiceUnavailable {
		t.Errorf("got %d", code)
	}
	r.ledger.Fault = nil
	r.clock.Advance(time.Minute)
	if code := r.post(form); code != http.StatusOK || len(r.ledger.Events()) != 1 || !r.ledger.Events()[0].OccurredAt.Equal(monday) {
		t.Errorf("got %d with %d events", code, len(r.ledger.Events()))
	}
	// What the ledger refuses for good it would refuse for ever.
	r.ledger.Fault = func(int) (before, after error) {
		return &channel.Error{Reason: ledgerapi.ReasonInvalidEvent, Message: "event 0: at: is no time"}, nil
	}
	if code := r.post(form); code != http.StatusOK {
		t.Errorf("got %d", code)
	}
}

func TestBounds(t *testing.T) {
	spec, perSecond, size := newSpec(), int32(2), int32(8192)
	spec.RequestsPerSecond, spec.MaxBodyBytes, spec.OptOutKeywords = &perSecond, &size, []string{"Cukup"}
	spec.CaseWindow, spec.UsualDelay = &metav1.Duration{Duration: time.Hour}, &metav1.Duration{Duration: time.Second}
	r := newRig(t, spec, secrets())
	if code := r.post(url.Values{"Body": {strings.Repeat("x", 8192)}}); code != http.StatusRequestEntityTooLarge {
		t.Errorf("got %d", code)
	}
	if code := r.post(twilio().Written(sms.Message{Person: ani, At: monday, Text: "stop"})); code != http.StatusOK {
		t.Errorf("got %d", code)
	}
	if answer := r.send("", ""); answer.Code != http.StatusTooManyRequests {
		t.Errorf("got %d %s", answer.Code, answer.Body)
	}
	r.clock.Advance(time.Second)
	if code := r.post(twilio().Written(sms.Message{Person: ani, At: monday, Text: "CUKUP"})); code != http.StatusOK {
		t.Errorf("got %d", code)
	}
	if got := r.ledger.Events(); len(got) != 1 || got[0].Thread.Window() != time.Hour {
		t.Errorf("got %v", got)
	}
}

func TestSecretsThatAreMissing(t *testing.T) {
	for name, change := range map[string]func(*v1alpha1.SMSSource){
		"an auth token":                   func(s *v1alpha1.SMSSource) { s.AuthTokenSecretRefs[1] = ref("none") },
		"an empty auth token":             func(s *v1alpha1.SMSSource) { s.AuthTokenSecretRefs[0] = ref("empty") },
		"the account":                     func(s *v1alpha1.SMSSource) { s.AccountSIDSecretRef = ref("none") },
		"an account that is not one":      func(s *v1alpha1.SMSSource) { s.AccountSIDSecretRef = ref("new") },
		"an account that leads somewhere": func(s *v1alpha1.SMSSource) { s.AccountSIDSecretRef = ref("climbing") },
	} {
		t.Run(name, func(t *testing.T) {
			spec := newSpec()
			change(spec)
			_, err := open(t, spec, channeltest.NewClock(monday), secrets())
			if failure, ok := errors.AsType[*channel.Error](err); !ok || failure.Reason != ledgerapi.ReasonCredentialMissing {
				t.Errorf("got %v", err)
			}
		})
	}
	if _, err := open(t, nil, channeltest.NewClock(monday), secrets()); err == nil {
		t.Error("a channel without its member was opened")
	}
}

// FuzzDeliveries looks for bodies that break something: whatever they are, each event is one that the ledger
// takes, and a signature is of just one set of parameters.
func FuzzDeliveries(f *testing.F) {
	f.Add(string(read(f, "incoming_sms.form.txt", nil)))
	f.Add(twilio().Written(sms.Message{Person: ani, At: monday, Text: "Banjir"}).Encode())
	f.Add(twilio().Answered(sms.Message{Person: ani, At: monday, Text: "Siap"}).Encode())
	f.Fuzz(func(t *testing.T, body string) {
		form, err := url.ParseQuery(body)
		if err != nil {
			return
		}
		v := verifier{urls: spellings(public), tokens: [][]byte{[]byte(token)}}
		if err := v.verify(sms.Sign(token, public, form), form); err != nil {
			t.Errorf("a genuine form was refused: %v", err)
		}
		if err := v.verify(sms.Sign(older, public, form), form); err == nil {
			t.Error("a forged form was taken")
		}
		for _, name := range []string{"AccountSid", "To"} {
			if form.Get(name) == "" {
				form.Set(name, map[string]string{"AccountSid": account, "To": desk}[name])
			}
		}
		tr := translator{channel: "sms", account: form.Get("AccountSid"), numbers: map[string]bool{form.Get("To"): true}, window: time.Hour, now: func() time.Time { return monday }}
		batch, _, err := tr.translate(form)
		if err != nil {
			return
		}
		for _, e := range batch.Events {
			if err := e.Validate(); err != nil {
				t.Error(err)
			}
		}
	})
}
