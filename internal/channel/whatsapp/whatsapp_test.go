package whatsapp

import (
	"bytes"
	"encoding/json"
	"errors"
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
	"github.com/tanggap/tanggap/internal/simulator/whatsapp"
	"github.com/tanggap/tanggap/test/golden"
)

// monday is the first working day of the tests, 09:00 in Jakarta.
var monday = time.Date(2026, 11, 2, 2, 0, 0, 0, time.UTC)

const (
	secret   = "app-secret"
	older    = "app-secret-before"
	token    = "verify-me"
	numberID = "1122334455667"
	ani      = "6281210000001"
)

// rig is an endpoint and everything around it.
type rig struct {
	t       testing.TB
	clock   *channeltest.Clock
	ledger  *channeltest.Ledger
	handler http.Handler
}

func ref(key string) v1alpha1.SecretKeyReference {
	return v1alpha1.SecretKeyReference{Name: "whatsapp", Key: key}
}

func newSpec() *v1alpha1.WhatsAppSource {
	return &v1alpha1.WhatsAppSource{
		AppSecretSecretRefs: []v1alpha1.SecretKeyReference{ref("new"), ref("old")}, VerifyTokenSecretRef: ref("token"),
		PhoneNumberIDs: []v1alpha1.WhatsAppPhoneNumberID{numberID, "<BUSINESS_PHONE_NUMBER_ID>"},
	}
}

func open(t testing.TB, spec *v1alpha1.WhatsAppSource, clock *channeltest.Clock) (channel.Source, error) {
	t.Helper()
	return Type{}.Open(channeltest.Settings(v1alpha1.ChannelSource{Type: v1alpha1.SourceWhatsApp, WhatsApp: spec}, clock, nil,
		map[string]string{"whatsapp/new": secret, "whatsapp/old": older, "whatsapp/token": token, "whatsapp/empty": ""}))
}

func newRig(t testing.TB, spec *v1alpha1.WhatsAppSource) *rig {
	t.Helper()
	r := &rig{t: t, clock: channeltest.NewClock(monday), ledger: &channeltest.Ledger{}}
	source, err := open(t, spec, r.clock)
	if err != nil {
		t.Fatal(err)
	}
	r.handler = source.(channel.Pusher).Handler(r.ledger)
	return r
}

// send posts a body with a signature.
func (r *rig) send(body []byte, signature string) *httptest.ResponseRecorder {
	r.t.Helper()
	request := httptest.NewRequest(http.MethodPost, "/hooks/wa", bytes.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	if signature != "" {
		request.Header.Set("X-Hub-Signature-256", signature)
	}
	answer := httptest.NewRecorder()
	r.handler.ServeHTTP(answer, request)
	return answer
}

// post posts a body as Meta would.
func (r *rig) post(body []byte) int {
	r.t.Helper()
	return r.send(body, whatsapp.Sign(secret, body)).Code
}

// meta is Meta with the number of the tests.
func meta() *whatsapp.Sender {
	return &whatsapp.Sender{AppSecret: secret, VerifyToken: token, PhoneNumberID: numberID, PhoneNumber: "622129402200"}
}

// written is a delivery with the items of a list of a change.
func delivered(field, list, items string) []byte {
	return []byte(`{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"` + field + `","value":{"messaging_product":"whatsapp",
		"metadata":{"phone_number_id":"` + numberID + `"},"` + list + `":[` + items + `]}}]}]}`)
}

func fixtures(t testing.TB) map[string][]byte {
	t.Helper()
	return channeltest.Payloads(t, "*.json", 11)
}

func TestRecordedPayloadsBecomeEvents(t *testing.T) {
	for name, body := range fixtures(t) {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, newSpec())
			if code := r.post(body); code != http.StatusOK {
				t.Fatalf("answered with %d", code)
			}
			events := r.ledger.Events()
			for i := range events {
				events[i].Channel = "wa"
			}
			golden.Lines(t, name, events)
			if problems := r.ledger.Problems(); len(problems) > 0 {
				t.Errorf("problems: %v", r.ledger.Messages())
			}
			// What Meta escapes means the same.
			again := newRig(t, newSpec())
			if code := again.post(whatsapp.Escape(body)); code != http.StatusOK {
				t.Errorf("escaped: answered with %d", code)
			}
			if diff := cmp.Diff(r.ledger.Events(), again.ledger.Events()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatPeopleAndStaffDo(t *testing.T) {
	const base = `"from":"6281210000001","id":"wamid.1","timestamp":"1793584800"`
	at := time.Unix(1793584800, 0).UTC()
	name, quotedName := digest("wamid.1"), digest("wamid.0")
	citizen := &complaint.Reporter{Phone: "+6281210000001"}
	thread := func(quoted ...string) *complaint.Thread {
		return &complaint.Thread{WindowSeconds: 86400, Quoted: quoted}
	}
	event := func(kind complaint.Kind, actor complaint.Actor, id, text string, attributes map[string]string, quoted ...string) complaint.Event {
		return complaint.Event{
			CaseID: caseID(name), ID: id, Kind: kind, Actor: actor, OccurredAt: at, Text: text, Reporter: citizen,
			Attributes: attributes, Thread: thread(quoted...),
		}
	}
	received := func(kind, text string, more ...string) complaint.Event {
		attributes := map[string]string{"type": kind, "replyUntil": "2026-11-03T02:00:00Z", "phoneNumberID": numberID}
		for i := 0; i+1 < len(more); i += 2 {
			attributes[more[i]] = more[i+1]
		}
		return event(complaint.KindReceived, complaint.ActorCitizen, messageID(name), text, attributes, redactedID(name))
	}
	located := received("location", "Alun-alun\nJl. Margonda")
	located.Location = &complaint.Location{Latitude: -6.39, Longitude: 106.82}
	unnamed := received("text", "halo")
	unnamed.Reporter = &complaint.Reporter{Handle: "ID.77"}
	revoked := event(complaint.KindRedacted, complaint.ActorCitizen, redactedID(quotedName), "", nil, messageID(quotedName))
	revoked.CaseID = caseID(quotedName)
	quotes := received("text", "ya")
	quotes.Thread = thread(redactedID(name), messageID(quotedName), answerID(quotedName))
	official := complaint.ActorOfficial
	answer := event(complaint.KindAnswered, official, answerID(name), "Petugas berangkat", map[string]string{"type": "text"})
	byStatus := event(complaint.KindAnswered, official, answerID(name), "", map[string]string{"type": "status"})

	tests := map[string]struct {
		field, list, item string
		want              []complaint.Event
	}{
		"a text":               {"messages", "messages", `{` + base + `,"type":"text","text":{"body":"banjir"}}`, []complaint.Event{received("text", "banjir")}},
		"a forwarded text":     {"messages", "messages", `{` + base + `,"type":"text","text":{"body":"banjir"},"context":{"forwarded":true}}`, []complaint.Event{received("text", "banjir", "forwarded", "true")}},
		"an answer to another": {"messages", "messages", `{` + base + `,"type":"text","text":{"body":"ya"},"context":{"from":"1","id":"wamid.0"}}`, []complaint.Event{quotes}},
		"a picture with words": {"messages", "messages", `{` + base + `,"type":"image","image":{"id":"9","mime_type":"image/jpeg","sha256":"x","caption":"pohon"}}`, []complaint.Event{received("image", "pohon", "mediaID", "9", "mimeType", "image/jpeg")}},
		"a voice message":      {"messages", "messages", `{` + base + `,"type":"audio","audio":{"id":"9","mime_type":"audio/ogg","voice":true}}`, []complaint.Event{received("audio", "", "mediaID", "9", "mimeType", "audio/ogg")}},
		"a document":           {"messages", "messages", `{` + base + `,"type":"document","document":{"id":"9","filename":"surat.pdf"}}`, []complaint.Event{received("document", "surat.pdf", "mediaID", "9")}},
		"a film":               {"messages", "messages", `{` + base + `,"type":"video","video":{"id":"9","caption":"lihat"}}`, []complaint.Event{received("video", "lihat", "mediaID", "9")}},
		"a place":              {"messages", "messages", `{` + base + `,"type":"location","location":{"latitude":-6.39,"longitude":106.82,"name":"Alun-alun","address":"Jl. Margonda"}}`, []complaint.Event{located}},
		"a place nowhere":      {"messages", "messages", `{` + base + `,"type":"location","location":{"latitude":-600,"longitude":106.82}}`, []complaint.Event{received("location", "")}},
		"a choice of a list":   {"messages", "messages", `{` + base + `,"type":"interactive","interactive":{"type":"list_reply","list_reply":{"id":"1","title":"Sampah","description":"Sampah menumpuk"}}}`, []complaint.Event{received("interactive", "Sampah\nSampah menumpuk")}},
		"a button":             {"messages", "messages", `{` + base + `,"type":"button","button":{"text":"Belum selesai"}}`, []complaint.Event{received("button", "Belum selesai")}},
		"something new":        {"messages", "messages", `{` + base + `,"type":"hologram","hologram":{}}`, []complaint.Event{received("hologram", "")}},
		"somebody without a phone number": {"messages", "messages", `{"from_user_id":"ID.77","id":"wamid.1","timestamp":1793584800,"type":"text","text":{"body":"halo"}}`,
			[]complaint.Event{unnamed}},
		"a reaction":                   {"messages", "messages", `{` + base + `,"type":"reaction","reaction":{"message_id":"wamid.0","emoji":"👍"}}`, nil},
		"another number":               {"messages", "messages", `{` + base + `,"type":"system","system":{"body":"x","wa_id":"62899","type":"user_changed_number"}}`, nil},
		"a changed message":            {"messages", "messages", `{` + base + `,"type":"edit","edit":{"original_message_id":"wamid.0","message":{"type":"text","text":{"body":"longsor"}}}}`, []complaint.Event{event(complaint.KindEdited, complaint.ActorCitizen, "edited/"+name, "longsor", nil, messageID(quotedName), answerID(quotedName))}},
		"a message undone":             {"messages", "messages", `{` + base + `,"type":"revoke","revoke":{"original_message_id":"wamid.0"}}`, []complaint.Event{revoked}},
		"the staff's answer":           {"smb_message_echoes", "message_echoes", `{"from":"622129402200","to":"6281210000001","id":"wamid.1","timestamp":"1793584800","type":"text","text":{"body":"Petugas berangkat"}}`, []complaint.Event{answer}},
		"the staff's thumb":            {"smb_message_echoes", "message_echoes", `{"to":"6281210000001","id":"wamid.1","timestamp":"1793584800","type":"reaction","reaction":{"message_id":"wamid.0","emoji":"👍"}}`, []complaint.Event{event(complaint.KindAcknowledged, official, "reaction/"+name, "👍", nil)}},
		"the staff's thumb taken back": {"smb_message_echoes", "message_echoes", `{"to":"6281210000001","id":"wamid.1","timestamp":"1793584800","type":"reaction","reaction":{"message_id":"wamid.0","emoji":""}}`, nil},
		"an answer changed":            {"smb_message_echoes", "message_echoes", `{"to":"6281210000001","id":"wamid.1","timestamp":"1793584800","type":"edit","edit":{"original_message_id":"wamid.0","message":{"type":"text","text":{"body":"besok"}}}}`, []complaint.Event{event(complaint.KindEdited, official, "edited/"+name, "besok", nil, messageID(quotedName), answerID(quotedName))}},
		"an answer undone":             {"smb_message_echoes", "message_echoes", `{"to":"6281210000001","id":"wamid.1","timestamp":"1793584800","type":"revoke","revoke":{"original_message_id":"wamid.0"}}`, []complaint.Event{event(complaint.KindEdited, official, "edited/"+name, "", map[string]string{"type": "revoke"}, messageID(quotedName), answerID(quotedName))}},
		"sent by other means":          {"messages", "statuses", `{"id":"wamid.1","status":"sent","timestamp":"1793584800","recipient_id":"6281210000001","pricing":{"category":"service"}}`, []complaint.Event{byStatus}},
		"a campaign":                   {"messages", "statuses", `{"id":"wamid.1","status":"sent","timestamp":"1793584800","recipient_id":"6281210000001","pricing":{"category":"marketing"}}`, nil},
		"read":                         {"messages", "statuses", `{"id":"wamid.1","status":"read","timestamp":"1793584800","recipient_id":"6281210000001"}`, nil},
		"the past of an account":       {"history", "messages", `{` + base + `,"type":"text","text":{"body":"lama"}}`, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, newSpec())
			if code := r.post(delivered(tt.field, tt.list, tt.item)); code != http.StatusOK {
				t.Errorf("answered with %d", code)
			}
			got := r.ledger.Events()
			for i := range got {
				got[i].Channel = ""
			}
			if diff := cmp.Diff(append([]complaint.Event{}, tt.want...), got); diff != "" || len(r.ledger.Problems()) > 0 {
				t.Errorf("%v (-want +got):\n%s", r.ledger.Messages(), diff)
			}
		})
	}
}

func TestItemsOfNoUseTakeNoOthersWithThem(t *testing.T) {
	const good = `{"from":"6281210000001","id":"wamid.1","timestamp":"1793584800","type":"text","text":{"body":"banjir"}}`
	for name, tt := range map[string]struct {
		body     []byte
		code     int
		events   int
		problems map[ledgerapi.Reason]int
		said     string
	}{
		"one of another shape": {delivered("messages", "messages", `{"text":7},`+good), 200, 1, map[ledgerapi.Reason]int{"InvalidEvent": 1}, "a message: is not of the documented shape"},
		"one without an id":    {delivered("messages", "messages", good+`,{"from":"62812","timestamp":"1793584800","type":"text"}`), 200, 1, map[ledgerapi.Reason]int{"InvalidEvent": 1}, "a message: has no id"},
		"one without a time":   {delivered("messages", "messages", good+`,{"from":"62812","id":"x","type":"text"}`), 200, 1, map[ledgerapi.Reason]int{"InvalidEvent": 1}, "a message: timestamp must be unix seconds"},
		"one of before 2000":   {delivered("messages", "messages", `{"from":"62812","id":"x","timestamp":"1","type":"text"}`), 200, 0, nil, ""},
		"a status of a number": {delivered("messages", "statuses", `5`), 200, 0, map[ledgerapi.Reason]int{"InvalidEvent": 1}, "a status: is not of the documented shape"},
		"an echo of nothing":   {delivered("smb_message_echoes", "message_echoes", `{"id":"x","timestamp":"1793584800","type":"edit"}`), 200, 0, map[ledgerapi.Reason]int{"InvalidEvent": 1}, "an echo: is not of the documented shape"},
		"an error of Meta's":   {delivered("messages", "errors", `{"code":130429,"title":"Rate limit hit"}`), 200, 0, map[ledgerapi.Reason]int{"ServerError": 0}, "WhatsApp reports the error 130429; Meta's list of error codes explains it"},
		"about a page":         {[]byte(`{"object":"page","entry":[]}`), 200, 0, map[ledgerapi.Reason]int{"InvalidBody": 1}, "the delivery is not about WhatsApp: subscribe this endpoint to the object whatsapp_business_account only"},
		"no JSON":              {[]byte(`{`), 400, 0, map[ledgerapi.Reason]int{"InvalidBody": 1}, "the body is not JSON of the documented shape"},
		"of another number":    {bytes.ReplaceAll(delivered("messages", "messages", good), []byte(numberID), []byte("999")), 200, 0, nil, ""},
		"nothing at all":       {[]byte(`{"object":"whatsapp_business_account"}`), 200, 0, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, newSpec())
			if code := r.post(tt.body); code != tt.code {
				t.Errorf("answered with %d", code)
			}
			if got := len(r.ledger.Events()); got != tt.events {
				t.Errorf("%d events", got)
			}
			if diff := cmp.Diff(tt.problems, r.ledger.Problems()); diff != "" {
				t.Error(diff)
			}
			if got := strings.Join(r.ledger.Messages(), "; "); got != tt.said {
				t.Errorf("said %q", got)
			}
		})
	}
}

func TestThePublishedVector(t *testing.T) {
	raw, err := os.ReadFile("../webhook/testdata/x_hub_signature_256_vector.json")
	if err != nil {
		t.Fatal(err)
	}
	var vector struct {
		Secret   string
		Body     string `json:"raw_body"`
		Expected string
	}
	if err := json.Unmarshal(raw, &vector); err != nil {
		t.Fatal(err)
	}
	source, err := Type{}.Open(channeltest.Settings(v1alpha1.ChannelSource{WhatsApp: newSpec()}, channeltest.NewClock(monday), nil,
		map[string]string{"whatsapp/new": vector.Secret, "whatsapp/old": older, "whatsapp/token": token}))
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, ledger: &channeltest.Ledger{}}
	r.handler = source.(channel.Pusher).Handler(r.ledger)
	// It is genuine, and then it is no JSON.
	if answer := r.send([]byte(vector.Body), vector.Expected); answer.Code != http.StatusBadRequest {
		t.Errorf("got %d %s", answer.Code, answer.Body)
	}
	if answer := r.send([]byte(vector.Body+" "), vector.Expected); answer.Code != http.StatusUnauthorized {
		t.Errorf("got %d %s", answer.Code, answer.Body)
	}
}

func TestForgedDeliveriesChangeNothing(t *testing.T) {
	body := meta().Written(whatsapp.Message{Person: ani, At: monday, Text: "Jalan rusak / berlubang 😮"})
	if !bytes.Contains(body, []byte(`\/`)) || !bytes.Contains(body, []byte(`\ud83d\ude2e`)) {
		t.Fatalf("not as Meta writes it: %s", body)
	}
	var decoded any
	if err := json.Unmarshal(body, &decoded); err != nil {
		t.Fatal(err)
	}
	rewritten, err := json.Marshal(decoded)
	if err != nil {
		t.Fatal(err)
	}
	good := whatsapp.Sign(secret, body)
	for name, tt := range map[string]struct {
		body      []byte
		signature string
		code      int
	}{
		"as it was sent":                  {body, good, 200},
		"signed with the secret before":   {body, whatsapp.Sign(older, body), 200},
		"unsigned":                        {body, "", 401},
		"tampered with":                   {bytes.Replace(body, []byte("rusak"), []byte("bagus"), 1), good, 401},
		"truncated":                       {body[:len(body)-1], good, 401},
		"written anew":                    {rewritten, good, 401},
		"signed by somebody else":         {body, whatsapp.Sign("guess", body), 401},
		"signed with nothing":             {body, whatsapp.Sign("", body), 401},
		"without the name of the hash":    {body, strings.TrimPrefix(good, "sha256="), 401},
		"with half a signature":           {body, good[:40], 401},
		"with a signature of another way": {body, strings.Replace(good, "sha256=", "sha1=", 1), 401},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, newSpec())
			answer := r.send(tt.body, tt.signature)
			if answer.Code != tt.code {
				t.Errorf("answered with %d %s", answer.Code, answer.Body)
			}
			forged := tt.code != http.StatusOK
			if forged != (len(r.ledger.Events()) == 0) || forged != (r.ledger.Problems()["SignatureInvalid"] == 1) {
				t.Errorf("%d events, problems %v", len(r.ledger.Events()), r.ledger.Problems())
			}
		})
	}
}

func TestHandshake(t *testing.T) {
	for name, tt := range map[string]struct {
		query string
		code  int
		body  string
	}{
		"as Meta asks":       {"hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=verify-me", 200, "1158201444"},
		"with leading zeros": {"hub.mode=subscribe&hub.challenge=007&hub.verify_token=verify-me", 200, "007"},
		"a wrong token":      {"hub.mode=subscribe&hub.challenge=1&hub.verify_token=verify-m", 403, ""},
		"no token":           {"hub.mode=subscribe&hub.challenge=1", 403, ""},
		"another mode":       {"hub.mode=unsubscribe&hub.challenge=1&hub.verify_token=verify-me", 400, ""},
		"no challenge":       {"hub.mode=subscribe&hub.verify_token=verify-me", 400, ""},
		"an endless one":     {"hub.mode=subscribe&hub.verify_token=verify-me&hub.challenge=" + strings.Repeat("1", 257), 400, ""},
		"a page":             {"hub.mode=subscribe&hub.verify_token=verify-me&hub.challenge=" + url.QueryEscape("<script>"), 200, "<script>"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, newSpec())
			answer := httptest.NewRecorder()
			r.handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/hooks/wa?"+tt.query, nil))
			if answer.Code != tt.code || tt.code == 200 && answer.Body.String() != tt.body {
				t.Errorf("got %d %s", answer.Code, answer.Body)
			}
			if tt.code == 200 && (answer.Header().Get("Content-Type") != "text/plain; charset=utf-8" || answer.Header().Get("X-Content-Type-Options") != "nosniff") {
				t.Errorf("got %v", answer.Header())
			}
			if tt.code != 200 && strings.Contains(answer.Body.String(), "verify-me") {
				t.Errorf("said too much: %s", answer.Body)
			}
		})
	}
}

// TestAMessageThatDidNotArriveComesBack goes by the identifier that the reply's answer has, from its status sent.
func TestAMessageThatDidNotArriveComesBack(t *testing.T) {
	r := newRig(t, newSpec())
	status := func(state, more string) []byte {
		return delivered("messages", "statuses", `{"id":"wamid.1","status":"`+state+`","timestamp":"1793595600","recipient_id":"628123456789"`+more+`}`)
	}
	for _, body := range [][]byte{
		status("sent", ""), status("delivered", ""), status("failed", `,"errors":[{"code":131026,"title":"Message undeliverable","message":"to 628123456789"}]`),
		status("failed", ""),
	} {
		if code := r.post(body); code != http.StatusOK {
			t.Fatalf("answered with %d", code)
		}
	}
	if len(r.ledger.Events()) != 1 {
		t.Fatalf("%d events", len(r.ledger.Events()))
	}
	id := r.ledger.Events()[0].ID
	want := []ledgerapi.ReturnedReply{
		{Event: id, Message: "WhatsApp could not deliver it, error 131026; Meta's list of error codes explains it"},
		{Event: id, Message: "WhatsApp could not deliver it"},
	}
	if diff := cmp.Diff(want, r.ledger.Returned()); diff != "" {
		t.Errorf("came back (-want +got):\n%s", diff)
	}
}

func TestSuccessOnlyWhenTheLedgerHasTheEvents(t *testing.T) {
	r := newRig(t, newSpec())
	body := meta().Written(whatsapp.Message{ID: "wamid.1", Person: ani, At: monday, Text: "Banjir"})
	r.ledger.Fault = func(int) (before, after error) { return channeltest.Away(), nil }
	answer := r.send(body, whatsapp.Sign(secret, body))
	if answer.Code != http.StatusServiceUnavailable || answer.Header().Get("Retry-After") != "7" || len(r.ledger.Events()) != 0 {
		t.Errorf("got %d %v with %d events", answer.Code, answer.Header(), len(r.ledger.Events()))
	}
	r.ledger.Fault = func(int) (before, after error) { return errors.New("something else"), nil }
	if code := r.post(body); code != http.StatusServiceUnavailable {
		t.Errorf("got %d", code)
	}
	// The ledger has it and its answer got lost: Meta sends again, and nothing is doubled.
	r.ledger.Fault = func(int) (before, after error) { return nil, channeltest.Away() }
	if code := r.post(body); code != http.StatusServiceUnavailable {
		t.Errorf("got %d", code)
	}
	r.ledger.Fault = nil
	if code := r.post(body); code != http.StatusOK || len(r.ledger.Events()) != 1 {
		t.Errorf("got %d with %d events", code, len(r.ledger.Events()))
	}
	// What the ledger refuses for good it would refuse for days.
	r.ledger.Fault = func(int) (before, after error) {
		return &channel.Error{Reason: ledgerapi.ReasonInvalidEvent, Message: "event 0: at: is no time"}, nil
	}
	if code := r.post(body); code != http.StatusOK {
		t.Errorf("got %d", code)
	}
}

func TestBounds(t *testing.T) {
	spec, perSecond, size := newSpec(), int32(2), int32(2048)
	spec.RequestsPerSecond, spec.MaxBodyBytes = &perSecond, &size
	spec.CaseWindow, spec.UsualDelay = &metav1.Duration{Duration: time.Hour}, &metav1.Duration{Duration: time.Second}
	r := newRig(t, spec)
	large := []byte(`{"x":"` + strings.Repeat("x", 2048) + `"}`)
	if code := r.post(large); code != http.StatusRequestEntityTooLarge {
		t.Errorf("got %d", code)
	}
	if code := r.post(meta().Written(whatsapp.Message{Person: ani, At: monday})); code != http.StatusOK {
		t.Errorf("got %d", code)
	}
	answer := r.send(nil, "")
	if answer.Code != http.StatusTooManyRequests || channeltest.Said(t, answer) != "more than 2 deliveries in a second" {
		t.Errorf("got %d %s", answer.Code, answer.Body)
	}
	if got := r.ledger.Events()[0].Thread.Window(); got != time.Hour {
		t.Errorf("the window is %s", got)
	}
	other := httptest.NewRecorder()
	r.handler.ServeHTTP(other, httptest.NewRequest(http.MethodPut, "/hooks/wa", nil))
	if other.Code != http.StatusMethodNotAllowed || other.Header().Get("Allow") != "GET, POST" {
		t.Errorf("got %d %v", other.Code, other.Header())
	}
}

func TestSecretsThatAreMissing(t *testing.T) {
	for name, change := range map[string]func(*v1alpha1.WhatsAppSource){
		"the app secret":         func(s *v1alpha1.WhatsAppSource) { s.AppSecretSecretRefs[1] = ref("none") },
		"the verify token":       func(s *v1alpha1.WhatsAppSource) { s.VerifyTokenSecretRef = ref("none") },
		"an empty app secret":    func(s *v1alpha1.WhatsAppSource) { s.AppSecretSecretRefs[0] = ref("empty") },
		"a verify token of none": func(s *v1alpha1.WhatsAppSource) { s.VerifyTokenSecretRef = ref("empty") },
	} {
		t.Run(name, func(t *testing.T) {
			spec := newSpec()
			change(spec)
			_, err := open(t, spec, channeltest.NewClock(monday))
			if failure, ok := errors.AsType[*channel.Error](err); !ok || failure.Reason != ledgerapi.ReasonCredentialMissing {
				t.Errorf("got %v", err)
			}
		})
	}
	if _, err := open(t, nil, channeltest.NewClock(monday)); err == nil {
		t.Error("a channel without its member was opened")
	}
}

func TestIdentifiersTellNothingOfThePerson(t *testing.T) {
	r := newRig(t, newSpec())
	id := whatsapp.NewID(ani)
	r.post(meta().Written(whatsapp.Message{ID: id, Person: ani, At: monday, Text: "x"}))
	for _, e := range r.ledger.Events() {
		for _, shown := range []string{e.ID, e.CaseID} {
			if strings.Contains(shown, "812") || strings.Contains(shown, strings.TrimPrefix(id, "wamid.")[:8]) {
				t.Errorf("%s", shown)
			}
		}
	}
}

// FuzzDeliveries looks for signed bodies that break something: whatever they are, each event is one that
// the ledger takes or refuses by itself, and the answer is one of three.
func FuzzDeliveries(f *testing.F) {
	for _, body := range fixtures(f) {
		f.Add(body)
	}
	f.Add(delivered("messages", "messages", `{"id":"a","timestamp":"1793584800","type":"edit","edit":{"original_message_id":"b"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		tr := translator{numbers: map[string]bool{numberID: true}, window: time.Hour}
		r, err := tr.translate(body)
		if err != nil {
			return
		}
		for i := range r.events {
			e := r.events[i].Normalize(monday)
			e.Channel = "wa"
			if e.Thread == nil || e.ID == "" || !strings.HasPrefix(e.CaseID, "wa-") {
				t.Errorf("%+v", e)
			}
			err := e.Validate()
			if err != nil && !strings.HasPrefix(err.Error(), "at: ") && !strings.HasPrefix(err.Error(), "reporter: ") {
				t.Errorf("%v", err)
			}
		}
		again, err := tr.translate(body)
		if diff := cmp.Diff(r.events, again.events); err != nil || diff != "" {
			t.Errorf("translated anew: %v %s", err, diff)
		}
	})
}
