package emergency112

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/simulator/callcentre"
)

// monday is 09:00 in Jakarta.
var monday = time.Date(2026, 11, 2, 2, 0, 0, 0, time.UTC)

const secret = "whsec_dGhpcyBzZWNyZXQgaXMgb25lIG9mIHRlc3RzIGFsb25l"

// rig is an endpoint and everything around it.
type rig struct {
	t       testing.TB
	clock   *channeltest.Clock
	ledger  *channeltest.Ledger
	handler http.Handler
	serial  int
}

func newRig(t testing.TB, change func(*v1alpha1.Emergency112Source)) *rig {
	t.Helper()
	r := &rig{t: t, clock: channeltest.NewClock(monday), ledger: &channeltest.Ledger{}}
	spec := &v1alpha1.Emergency112Source{Arrival: v1alpha1.Emergency112Arrival{
		Type: v1alpha1.ArrivalWebhook, Webhook: &v1alpha1.Emergency112Webhook{
			StandardWebhooks: v1alpha1.StandardWebhooksVerification{SecretRefs: []v1alpha1.SecretKeyReference{{Name: "112", Key: "secret"}}},
		},
	}}
	if change != nil {
		change(spec)
	}
	r.handler = open(t, spec, r.clock, "").(channel.Pusher).Handler(r.ledger)
	return r
}

func open(t testing.TB, spec *v1alpha1.Emergency112Source, clock *channeltest.Clock, dir string) channel.Source {
	t.Helper()
	settings := channeltest.Settings(v1alpha1.ChannelSource{Type: v1alpha1.SourceEmergency112, Emergency112: spec}, clock, nil,
		map[string]string{"112/secret": secret})
	settings.FilesDir = dir
	source, err := Type{}.Open(settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = source.Close() })
	return source
}

// post delivers a body, signed.
func (r *rig) post(body string) *httptest.ResponseRecorder {
	r.t.Helper()
	r.serial++
	request, err := callcentre.Request(context.Background(), "/hooks/112", secret, "msg_"+strings.Repeat("x", r.serial), r.clock.Now(), []byte(body))
	if err != nil {
		r.t.Fatal(err)
	}
	return r.send(request)
}

func (r *rig) send(request *http.Request) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	r.handler.ServeHTTP(answer, request)
	return answer
}

// delivery is an incident whose members are given as JSON, beside those that each must have.
func delivery(members string) string {
	if members != "" {
		members = "," + members
	}
	return `{"type":"incident.updated","timestamp":"2026-11-02T09:00:00+07:00","data":{"incident_id":"112-1","call_type":"normal",` +
		`"received_at":"2026-11-02T08:59:00+07:00"` + members + `}}`
}

// ids are the events without the case's own name.
func ids(ledger *channeltest.Ledger) []string {
	found := ledger.IDs()
	for i := range found {
		found[i] = strings.TrimPrefix(found[i], "112-1/")
	}
	return found
}

const received = "Received/2026-11-02T01:59:00Z"

func TestWhatAnIncidentTells(t *testing.T) {
	const (
		verified = `"verified_at":"2026-11-02T08:59:20+07:00"`
		sent     = `"dispatched_at":"2026-11-02T09:01:00+07:00","department":"Damkar"`
		disposed = `"disposed_at":"2026-11-02T09:30:00+07:00","disposition":"Dipadamkan"`
		closed   = `"closed_at":"2026-11-02T09:40:00+07:00"`
	)
	tests := map[string]struct {
		answeredBy v1alpha1.Emergency112Answer
		count      []string
		members    string
		want       []string
		skipped    int
	}{
		"a call that was taken":             {members: "", want: []string{received}},
		"understood, which is no answer":    {members: verified, want: []string{"Acknowledged/2026-11-02T01:59:20Z", received}},
		"sent to, which is no answer":       {members: sent, want: []string{"Assigned/2026-11-02T02:01:00Z", received}},
		"sent to, where that answers":       {answeredBy: "Dispatch", members: sent, want: []string{"Answered/2026-11-02T02:01:00Z", "Assigned/2026-11-02T02:01:00Z", received}},
		"disposed of":                       {members: disposed, want: []string{"Answered/2026-11-02T02:30:00Z", received}},
		"disposed of, where closing counts": {answeredBy: "Closing", members: disposed, want: []string{received}},
		"disposed of, and closed": {members: disposed + "," + closed,
			want: []string{"Answered/2026-11-02T02:30:00Z", received, "StatusChanged/2026-11-02T02:40:00Z/Resolved"}},
		"closed without a disposition":         {members: closed, want: []string{"Answered/2026-11-02T02:40:00Z", received, "StatusChanged/2026-11-02T02:40:00Z/Resolved"}},
		"closed, and nobody was sent":          {answeredBy: "Dispatch", members: closed, want: []string{"Answered/2026-11-02T02:40:00Z", received, "StatusChanged/2026-11-02T02:40:00Z/Resolved"}},
		"opened again":                         {members: `"reopened_at":"2026-11-02T10:00:00+07:00"`, want: []string{received, "StatusChanged/2026-11-02T03:00:00Z/Reopened"}},
		"a prank":                              {members: `"call_type":"prank"`, skipped: 1},
		"a prank, whatever is counted":         {count: []string{"Normal", "Informasi"}, members: `"call_type":"PRANK"`, skipped: 1},
		"a question, where questions count":    {count: []string{"normal", "Informasi"}, members: `"call_type":"informasi"`, want: []string{received}},
		"a prank that was taken for a fire":    {members: `"call_type":"prank","reclassified_at":"2026-11-02T09:05:00+07:00"`, want: []string{"StatusChanged/2026-11-02T02:05:00Z/Spam"}, skipped: 1},
		"null is nothing, and so is a zero":    {members: `"verified_at":null,"caller":null,"location":{"lat":0,"lon":0}`, want: []string{received}},
		"a number as the name of the incident": {members: `"incident_id":1121`, want: []string{"1121/" + received}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(s *v1alpha1.Emergency112Source) { s.AnsweredBy, s.CountCallTypes = tt.answeredBy, tt.count })
			for range 2 { // a delivery that comes twice
				if answer := r.post(delivery(tt.members)); answer.Code != http.StatusNoContent {
					t.Fatalf("got %d %s", answer.Code, answer.Body)
				}
			}
			if diff := cmp.Diff(tt.want, ids(r.ledger)); diff != "" {
				t.Error(diff)
			}
			if got := r.ledger.Skipped(); got != 2*tt.skipped {
				t.Errorf("skipped %d, want %d", got, 2*tt.skipped)
			}
		})
	}
}

func TestAnIncidentInFull(t *testing.T) {
	r := newRig(t, nil)
	r.post(delivery(`"category":"Kebakaran","priority":"1","department":"Damkar","description":"Asap di ruko","caller":{"phone":"+62 000 0000 0001"},` +
		`"location":{"lat":"-6,4025","lon":106.7942,"address":"Jl. Margonda"},"disposed_at":"2026-11-02T09:30:00+07:00","disposition":"Dipadamkan"`))
	attributes := map[string]string{"category": "Kebakaran", "priority": "1", "department": "Damkar"}
	want := []complaint.Event{{
		Channel: "dsw", CaseID: "112-1", ID: "112-1/" + received, Kind: complaint.KindReceived, Actor: complaint.ActorCitizen,
		OccurredAt: monday.Add(-time.Minute), Text: "Asap di ruko", Reporter: &complaint.Reporter{Phone: "+62 000 0000 0001"},
		Location: &complaint.Location{Latitude: -6.4025, Longitude: 106.7942}, Attributes: attributes,
	}, {
		Channel: "dsw", CaseID: "112-1", ID: "112-1/Answered/2026-11-02T02:30:00Z", Kind: complaint.KindAnswered, Actor: complaint.ActorOfficial,
		OccurredAt: monday.Add(30 * time.Minute), Text: "Dipadamkan", Attributes: attributes,
	}}
	if diff := cmp.Diff(want, r.ledger.Events()); diff != "" {
		t.Error(diff)
	}
}

func TestDeliveriesThatCannotBeUnderstood(t *testing.T) {
	tests := map[string]struct {
		body   string
		status int
		said   string
		events int
	}{
		"not JSON":                     {body: `{"type":`, status: 400, said: "the body is not JSON: it ends too early"},
		"a list":                       {body: `[]`, status: 400, said: "type must be one of incident.created, incident.updated and incident.closed"},
		"of another kind":              {body: `{"type":"unit.moved","data":{}}`, status: 400, said: "type must be one of incident.created, incident.updated and incident.closed"},
		"without an incident":          {body: `{"type":"incident.created"}`, status: 400, said: "data must be an object with the incident"},
		"without a name":               {body: delivery(`"incident_id":""`), status: 400, said: "data.incident_id is missing"},
		"with a name that is too long": {body: delivery(`"incident_id":"` + strings.Repeat("1", 257) + `"`), status: 400, said: "data.incident_id has more than 256 bytes"},
		"without a type of call":       {body: delivery(`"call_type":null`), status: 400, said: "data.call_type is missing"},
		"without a time":               {body: delivery(`"received_at":""`), status: 400, said: "data.received_at is missing"},
		"with a time without offset":   {body: delivery(`"received_at":"2026-11-02T08:59:00"`), status: 400, said: "data.received_at is a time without offset: set assumeTimeZone"},
		"with a time that is none":     {body: delivery(`"received_at":"pagi"`), status: 400, said: "data.received_at is no time of RFC 3339"},
		"in a part": {body: delivery(`"closed_at":"pagi"`), status: 200, events: 1,
			said: "a part of the delivery could not be understood: data.closed_at is no time of RFC 3339"},
		"with an object for a text": {body: delivery(`"description":{}`), status: 200, events: 1,
			said: "a part of the delivery could not be understood: data.description is neither a text nor a number"},
		"from nowhere on earth": {body: delivery(`"location":{"lat":91,"lon":181}`), status: 200, events: 1,
			said: "a part of the delivery could not be understood: data.location.lat and data.location.lon must be within ±90 and ±180 degrees"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			answer := r.post(tt.body)
			if answer.Code != tt.status || channeltest.Said(t, answer) != tt.said || len(r.ledger.Events()) != tt.events {
				t.Errorf("got %d %q and %d events", answer.Code, channeltest.Said(t, answer), len(r.ledger.Events()))
			}
			if len(r.ledger.Messages()) != 1 {
				t.Errorf("%q was reported", r.ledger.Messages())
			}
		})
	}
}

func TestForgedDeliveriesChangeNothing(t *testing.T) {
	body := delivery("")
	sign := func(secret string, at time.Time) *http.Request {
		request, err := callcentre.Request(context.Background(), "/hooks/112", secret, "msg_1", at, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		return request
	}
	tests := map[string]struct {
		change func(*http.Request)
		at     time.Time
		reason ledgerapi.Reason
	}{
		"unsigned": {change: func(r *http.Request) { r.Header.Del("Webhook-Signature") }, reason: ledgerapi.ReasonSignatureInvalid},
		"tampered with": {change: func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader(strings.Replace(body, "112-1", "112-2", 1)))
		}, reason: ledgerapi.ReasonSignatureInvalid},
		"cut off":             {change: func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(body[:len(body)-1])) }, reason: ledgerapi.ReasonSignatureInvalid},
		"encoded anew":        {change: func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(body + " ")) }, reason: ledgerapi.ReasonSignatureInvalid},
		"of another delivery": {change: func(r *http.Request) { r.Header.Set("Webhook-Id", "msg_2") }, reason: ledgerapi.ReasonSignatureInvalid},
		"replayed":            {at: monday.Add(-6 * time.Minute), reason: ledgerapi.ReasonReplayed},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			if tt.at.IsZero() {
				tt.at = monday
			}
			request := sign(secret, tt.at)
			if tt.change != nil {
				tt.change(request)
			}
			if answer := r.send(request); answer.Code != http.StatusUnauthorized || len(r.ledger.Events()) != 0 || r.ledger.Problems()[tt.reason] != 1 {
				t.Errorf("got %d, %d events and %v", answer.Code, len(r.ledger.Events()), r.ledger.Problems())
			}
		})
	}
	r := newRig(t, nil)
	if answer := r.send(sign(secret, monday)); answer.Code != http.StatusNoContent {
		t.Errorf("the genuine one: got %d", answer.Code)
	}
	if answer := r.send(httptest.NewRequest(http.MethodGet, "/hooks/112", nil)); answer.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: got %d", answer.Code)
	}
}

// TestTheSignatureIsThatOfTheStandard checks the published vector against this endpoint: its signature is
// taken, and the body is then none of ours.
func TestTheSignatureIsThatOfTheStandard(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("testdata", "standard_webhooks_vector.json"))
	if err != nil {
		t.Fatal(err)
	}
	var vector struct {
		Secret, Payload string
		Headers         map[string]string
	}
	if err := json.Unmarshal(raw, &vector); err != nil || vector.Headers["webhook-signature"] == "" {
		t.Fatalf("%v in %s", err, raw)
	}
	clock := channeltest.NewClock(time.Unix(1614265330, 0))
	settings := channeltest.Settings(v1alpha1.ChannelSource{Emergency112: &v1alpha1.Emergency112Source{Arrival: v1alpha1.Emergency112Arrival{
		Type: v1alpha1.ArrivalWebhook, Webhook: &v1alpha1.Emergency112Webhook{
			StandardWebhooks: v1alpha1.StandardWebhooksVerification{SecretRefs: []v1alpha1.SecretKeyReference{{Name: "112", Key: "secret"}}},
		}}}}, clock, nil, map[string]string{"112/secret": vector.Secret})
	source, err := Type{}.Open(settings)
	if err != nil {
		t.Fatal(err)
	}
	for signature, status := range map[string]int{vector.Headers["webhook-signature"]: http.StatusBadRequest, "v1,AAAA": http.StatusUnauthorized} {
		request := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(vector.Payload))
		request.Header.Set("Webhook-Id", vector.Headers["webhook-id"])
		request.Header.Set("Webhook-Timestamp", vector.Headers["webhook-timestamp"])
		request.Header.Set("Webhook-Signature", signature)
		answer := httptest.NewRecorder()
		source.(channel.Pusher).Handler(&channeltest.Ledger{}).ServeHTTP(answer, request)
		if answer.Code != status {
			t.Errorf("%s: got %d %s", signature, answer.Code, answer.Body)
		}
	}
}

func TestSuccessOnlyWhenTheLedgerHasTheEvents(t *testing.T) {
	r := newRig(t, nil)
	r.ledger.Fault = func(int) (before, after error) { return channeltest.Away(), nil }
	if answer := r.post(delivery("")); answer.Code != http.StatusServiceUnavailable || answer.Header().Get("Retry-After") != "7" {
		t.Fatalf("got %d %v", answer.Code, answer.Header())
	}
	r.ledger.Fault = nil
	if answer := r.post(delivery("")); answer.Code != http.StatusNoContent || len(r.ledger.Events()) != 1 {
		t.Errorf("got %d with %d events", answer.Code, len(r.ledger.Events()))
	}
}
