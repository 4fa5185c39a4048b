package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
	"github.com/tanggap/tanggap/internal/field"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/simulator/callcentre"
)

func TestDeliveries(t *testing.T) {
	size := int32(1024)
	tests := map[string]struct {
		body     string
		header   []string
		status   int
		said     string
		events   int
		problems map[ledgerapi.Reason]int
	}{
		"an incident":                 {body: incident, status: 204, events: 1},
		"two":                         {body: `[` + incident + `,` + strings.ReplaceAll(incident, "112-1", "112-2") + `]`, status: 204, events: 2},
		"nothing that is a complaint": {body: `{"spam":true,"id":"112-1"}`, status: 204},
		"an empty list":               {body: `[]`, status: 204},
		"JSON of a vendor":            {body: incident, header: []string{"Content-Type", "application/vnd.112.v1+json; charset=UTF-8"}, status: 204, events: 1},
		"JSON that does not say so":   {body: incident, header: []string{"Content-Type", ""}, status: 204, events: 1},
		"a form": {body: "a=b", header: []string{"Content-Type", "application/x-www-form-urlencoded"}, status: 415,
			said: "the body must be JSON in UTF-8, or CloudEvents in JSON, and not be compressed; check Content-Type and Content-Encoding", problems: map[ledgerapi.Reason]int{"InvalidBody": 1}},
		"another character set": {body: incident, header: []string{"Content-Type", "application/json; charset=utf-16"}, status: 415,
			said: "the body must be JSON in UTF-8, or CloudEvents in JSON, and not be compressed; check Content-Type and Content-Encoding", problems: map[ledgerapi.Reason]int{"InvalidBody": 1}},
		"compressed": {body: incident, header: []string{"Content-Encoding", "gzip"}, status: 415,
			said: "the body must be JSON in UTF-8, or CloudEvents in JSON, and not be compressed; check Content-Type and Content-Encoding", problems: map[ledgerapi.Reason]int{"InvalidBody": 1}},
		"too large":    {body: `"` + strings.Repeat("x", 1024) + `"`, status: 413, said: "the body has more than 1024 bytes", problems: map[ledgerapi.Reason]int{"BodyTooLarge": 1}},
		"just enough":  {body: incident + strings.Repeat(" ", 1024-len(incident)), status: 204, events: 1},
		"not JSON":     {body: `{"nomor":"0812`, status: 400, said: "the body is not JSON: it ends too early", problems: map[ledgerapi.Reason]int{"InvalidBody": 1}},
		"empty":        {body: ``, status: 400, said: "the body is empty", problems: map[ledgerapi.Reason]int{"InvalidBody": 1}},
		"another form": {body: `{"nomor":"0812"}`, status: 400, said: "the delivery could not be understood: mapping.caseID: line 1, column 5: the field does not exist in this input", problems: map[ledgerapi.Reason]int{"MappingFailed": 1}},
		"a time without an offset": {body: `{"id":"112-1","at":"2026-11-02T08:59:00"}`, status: 400,
			said: "the delivery could not be understood: mapping.events[0].at: time without offset: set assumeTimeZone", problems: map[ledgerapi.Reason]int{"InvalidEvent": 1}},
		"one of two": {body: `[` + incident + `,{"id":"112-2"}]`, status: 200, events: 1,
			said: "a part of the delivery could not be understood: mapping.events[0].at: line 1, column 5: the field does not exist in this input", problems: map[ledgerapi.Reason]int{"MappingFailed": 1}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			spec := openSpec()
			spec.MaxBodyBytes = &size
			r := newRig(t, spec, nil)
			answer := r.post(tt.body, tt.header...)
			if answer.Code != tt.status || channeltest.Said(t, answer) != tt.said {
				t.Errorf("got %d %q, want %d %q", answer.Code, channeltest.Said(t, answer), tt.status, tt.said)
			}
			if got := len(r.ledger.Events()); got != tt.events {
				t.Errorf("got %d events, want %d", got, tt.events)
			}
			if diff := cmp.Diff(tt.problems, r.ledger.Problems()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBodiesThatDoNotEnd(t *testing.T) {
	size := int32(1024)
	spec := openSpec()
	spec.MaxBodyBytes = &size
	r := newRig(t, spec, nil)
	send := func(request *http.Request) *httptest.ResponseRecorder {
		answer := httptest.NewRecorder()
		r.handler.ServeHTTP(answer, request)
		return answer
	}
	// Without a length, as chunked: read no further than the limit.
	endless := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(strings.Repeat("x", 1<<20)))
	endless.ContentLength = -1
	if answer := send(endless); answer.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("got %d", answer.Code)
	}
	broken := httptest.NewRequest(http.MethodPost, "/", iotest.ErrReader(errors.New("gone")))
	if answer := send(broken); answer.Code != http.StatusBadRequest || channeltest.Said(t, answer) != "the body did not arrive whole" {
		t.Errorf("got %d %s", answer.Code, answer.Body)
	}
}

func TestMethods(t *testing.T) {
	r := newRig(t, openSpec(), nil)
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete, http.MethodHead} {
		answer := httptest.NewRecorder()
		r.handler.ServeHTTP(answer, httptest.NewRequest(method, "/hooks/112", nil))
		if answer.Code != http.StatusMethodNotAllowed || answer.Header().Get("Allow") != "POST, OPTIONS" {
			t.Errorf("%s: got %d %v", method, answer.Code, answer.Header())
		}
	}
}

func TestRateLimit(t *testing.T) {
	perSecond := int32(2)
	spec := openSpec()
	spec.RequestsPerSecond = &perSecond
	r := newRig(t, spec, nil)
	var got []int
	for i := range 6 {
		if i == 4 {
			r.clock.Advance(time.Second)
		}
		got = append(got, r.post(incident).Code)
	}
	if diff := cmp.Diff([]int{204, 204, 429, 429, 204, 204}, got); diff != "" {
		t.Error(diff)
	}
	r.post(incident)
	if answer := r.post(incident); answer.Header().Get("Retry-After") != "1" || channeltest.Said(t, answer) != "more than 2 deliveries in a second" {
		t.Errorf("got %v %s", answer.Header(), answer.Body)
	}
}

func TestSuccessOnlyWhenTheLedgerHasTheEvents(t *testing.T) {
	r := newRig(t, openSpec(), nil)
	away := true
	r.ledger.Fault = func(int) (before, after error) {
		if away {
			return channeltest.Away(), nil
		}
		return nil, nil
	}
	answer := r.post(incident)
	if answer.Code != http.StatusServiceUnavailable || answer.Header().Get("Retry-After") != "7" || len(r.ledger.Events()) != 0 {
		t.Fatalf("got %d %v with %d events", answer.Code, answer.Header(), len(r.ledger.Events()))
	}
	r.ledger.Fault = func(int) (before, after error) { return errors.New("something else"), nil }
	if answer = r.post(incident); answer.Code != http.StatusServiceUnavailable || answer.Header().Get("Retry-After") != "5" {
		t.Errorf("got %d %v", answer.Code, answer.Header())
	}
	r.ledger.Fault = func(int) (before, after error) {
		return &channel.Error{Reason: ledgerapi.ReasonInvalidEvent, Message: "event 0: id: has 300 bytes, at most 256 are allowed"}, nil
	}
	if answer = r.post(incident); answer.Code != http.StatusBadRequest || channeltest.Said(t, answer) != "event 0: id: has 300 bytes, at most 256 are allowed" {
		t.Errorf("got %d %s", answer.Code, answer.Body)
	}
	// The ledger has it and its answer got lost: the sender sends again, and nothing is doubled.
	r.ledger.Fault = func(int) (before, after error) { return nil, channeltest.Away() }
	if answer = r.post(incident); answer.Code != http.StatusServiceUnavailable {
		t.Errorf("got %d", answer.Code)
	}
	r.ledger.Fault = nil
	if answer = r.post(incident); answer.Code != http.StatusNoContent || len(r.ledger.Events()) != 1 {
		t.Errorf("got %d with %d events", answer.Code, len(r.ledger.Events()))
	}
}

func TestForgedDeliveriesChangeNothing(t *testing.T) {
	spec := openSpec()
	spec.Verification = standardSpec("a")
	r := newRig(t, spec, map[string]string{"112/a": secret})
	good := sign(t, secret, "msg_1", monday, incident)
	tests := map[string]struct {
		body   string
		header []string
		status int
		reason ledgerapi.Reason
	}{
		"unsigned":                      {incident, nil, 401, "SignatureInvalid"},
		"forged":                        {strings.Replace(incident, "Pohon", "Tiang", 1), good, 401, "SignatureInvalid"},
		"forged and not even JSON":      {"{", good, 401, "SignatureInvalid"},
		"old":                           {incident, sign(t, secret, "msg_1", monday.Add(-time.Hour), incident), 401, "Replayed"},
		"genuine":                       {incident, good, 204, ""},
		"genuine once more":             {incident, good, 204, ""},
		"genuine, and no JSON for once": {"{", sign(t, secret, "msg_2", monday, "{"), 400, "InvalidBody"},
	}
	for name, tt := range tests {
		before := r.ledger.Problems()[tt.reason]
		answer := r.post(tt.body, tt.header...)
		if answer.Code != tt.status || tt.reason != "" && r.ledger.Problems()[tt.reason] != before+1 {
			t.Errorf("%s: got %d %s", name, answer.Code, answer.Body)
		}
		if strings.Contains(answer.Body.String(), good[5][3:]) {
			t.Errorf("%s: the answer tells the right signature", name)
		}
	}
	if got := len(r.ledger.Events()); got != 1 {
		t.Errorf("got %d events", got)
	}
}

func TestBearerIsAskedFor(t *testing.T) {
	spec := openSpec()
	spec.Verification = v1alpha1.WebhookVerification{Type: v1alpha1.VerificationBearer, Bearer: &v1alpha1.BearerVerification{TokenSecretRefs: []v1alpha1.SecretKeyReference{ref("a")}}}
	r := newRig(t, spec, map[string]string{"112/a": "rahasia"})
	answer := r.post(incident)
	if answer.Code != http.StatusUnauthorized || answer.Header().Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("got %d %v", answer.Code, answer.Header())
	}
	if answer = r.post(incident, "Authorization", "Bearer rahasia"); answer.Code != http.StatusNoContent {
		t.Errorf("got %d", answer.Code)
	}
}

func TestFaultsOfASpecificationNameTheirField(t *testing.T) {
	spec := openSpec()
	spec.Mapping.Events[0].At = "response.at"
	faults := field.All(newType(t).Validate(spec))
	if len(faults) != 1 || faults[0].Error() != `mapping.events[0].at: line 1, column 1: there is no variable or function "response"; the variables are item, payload` {
		t.Errorf("got %v", faults)
	}
	if err := newType(t).Validate(openSpec()); err != nil {
		t.Error(err)
	}
}

// TestCallCentreDeliversThroughOutages is the whole way over TCP: the centre signs, tries again while the
// ledger is away, and each of its incidents is there once in the end.
func TestCallCentreDeliversThroughOutages(t *testing.T) {
	spec := openSpec()
	spec.Verification = standardSpec("a")
	spec.Mapping = v1alpha1.EventMapping{
		CaseID: "payload.data.incident_id",
		Events: []v1alpha1.EventRule{
			{Kind: "Received", When: `payload.data.call_type == "normal"`, At: "payload.data.received_at"},
			{Kind: "Assigned", When: "has(payload.data.dispatched_at)", At: "payload.data.dispatched_at"},
		},
	}
	clock := channeltest.NewClock(time.Now())
	source, err := newType(t).Open(channeltest.Settings(v1alpha1.ChannelSource{Type: v1alpha1.SourceWebhook, Webhook: spec}, clock, nil, map[string]string{"112/a": secret}))
	if err != nil {
		t.Fatal(err)
	}
	ledger := &channeltest.Ledger{Fault: func(n int) (before, after error) {
		switch n % 3 {
		case 1:
			return channeltest.Away(), nil
		case 2:
			return nil, channeltest.Away()
		}
		return nil, nil
	}}
	server := httptest.NewServer(source.(channel.Pusher).Handler(ledger))
	t.Cleanup(server.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	centre := &callcentre.Sender{URL: server.URL, Secret: secret, Client: server.Client(), Backoff: time.Millisecond}
	later := clock.Now().Add(time.Second)
	for _, i := range []callcentre.Incident{
		{ID: "A", CallType: callcentre.CallNormal, ReceivedAt: clock.Now()},
		{ID: "B", CallType: callcentre.CallPrank, ReceivedAt: clock.Now()},
		{ID: "A", CallType: callcentre.CallNormal, ReceivedAt: clock.Now(), DispatchedAt: &later},
	} {
		if err := centre.Send(ctx, "incident.updated", i); err != nil {
			t.Fatal(err)
		}
	}
	if centre.Acknowledged() != 3 || centre.Attempts() <= 3 {
		t.Errorf("%d of %d attempts acknowledged", centre.Acknowledged(), centre.Attempts())
	}
	var kinds []string
	for _, e := range ledger.Events() {
		kinds = append(kinds, e.CaseID+" "+string(e.Kind))
	}
	if diff := cmp.Diff([]string{"A Received", "A Assigned"}, kinds); diff != "" {
		t.Error(diff)
	}
	centre.Secret = "whsec_" + strings.Repeat("AAAA", 8)
	if err := centre.Send(ctx, "incident.created", callcentre.Incident{ID: "C", ReceivedAt: clock.Now()}); err == nil {
		t.Error("a forged delivery was taken")
	}
}

func TestHandshakeOfCloudEvents(t *testing.T) {
	var vector struct {
		Request, Response struct {
			Method  string
			Status  int
			Headers map[string]string
		}
	}
	if err := json.Unmarshal(load(t, "cloudevents_handshake.json"), &vector); err != nil {
		t.Fatal(err)
	}
	perSecond := int32(1) // 60 in a minute
	spec := openSpec()
	spec.RequestsPerSecond = &perSecond
	r := newRig(t, spec, nil)
	request := httptest.NewRequest(vector.Request.Method, "/hooks/112", nil)
	for name, value := range vector.Request.Headers {
		request.Header.Set(name, value)
	}
	answer := httptest.NewRecorder()
	r.handler.ServeHTTP(answer, request)
	vector.Response.Headers["WebHook-Allowed-Rate"] = "60" // as many as this endpoint takes
	for name, want := range vector.Response.Headers {
		if got := answer.Header().Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if answer.Code != vector.Response.Status {
		t.Errorf("got %d", answer.Code)
	}

	answer = httptest.NewRecorder()
	r.handler.ServeHTTP(answer, httptest.NewRequest(http.MethodOptions, "/hooks/112", nil))
	if answer.Code != http.StatusNoContent || answer.Header().Get("WebHook-Allowed-Origin") != "" {
		t.Errorf("got %d %v", answer.Code, answer.Header())
	}
}
