package webhook

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
	"github.com/tanggap/tanggap/internal/complaint"
)

// eventSpec maps CloudEvents from anybody.
func eventSpec() *v1alpha1.WebhookSource {
	return &v1alpha1.WebhookSource{
		Verification: v1alpha1.WebhookVerification{Type: v1alpha1.VerificationNone},
		Mapping: v1alpha1.EventMapping{
			CaseID: `item.source + "#" + item.id`,
			Events: []v1alpha1.EventRule{{Kind: "Received", At: "item.time", Text: `item.type + " " + item.data.appinfoA`}},
		},
	}
}

func received(caseID, at, text string) complaint.Event {
	parsed, err := time.Parse(time.RFC3339, at)
	if err != nil {
		panic(err)
	}
	return complaint.Event{
		Channel: "dsw", CaseID: caseID, ID: strings.NewReplacer("/", "%2F").Replace(caseID) + "/Received/" + at,
		Kind: "Received", Actor: "citizen", OccurredAt: parsed, Text: text,
	}
}

func TestCloudEventsOfTheSpecification(t *testing.T) {
	one := []complaint.Event{received("/mycontext#C234-1234-1234", "2018-04-05T17:31:00Z", "com.example.someevent abc")}
	t.Run("structured", func(t *testing.T) {
		r := newRig(t, eventSpec(), nil)
		answer := r.post(string(load(t, "cloudevents_structured.json")), "Content-Type", "application/cloudevents+json; charset=UTF-8")
		if diff := cmp.Diff(one, r.ledger.Events()); diff != "" || answer.Code != http.StatusNoContent {
			t.Errorf("%d %s", answer.Code, diff)
		}
	})
	t.Run("batch", func(t *testing.T) {
		r := newRig(t, eventSpec(), nil)
		answer := r.post(string(load(t, "cloudevents_batch.json")), "Content-Type", "application/cloudevents-batch+json")
		want := []complaint.Event{
			received("/mycontext/4#B234-1234-1234", "2018-04-05T17:31:00Z", "com.example.someevent abc"),
			received("/mycontext/9#C234-1234-1234", "2018-04-05T17:31:05Z", "com.example.someotherevent abc"),
		}
		if diff := cmp.Diff(want, r.ledger.Events()); diff != "" || answer.Code != http.StatusNoContent {
			t.Errorf("%d %s", answer.Code, diff)
		}
	})
	t.Run("binary", func(t *testing.T) {
		// Whatever line ends a checkout gave the file, on the wire they are these.
		raw := bytes.ReplaceAll(load(t, "cloudevents_binary.http.txt"), []byte("\r\n"), []byte("\n"))
		raw = bytes.ReplaceAll(raw, []byte("\n"), []byte("\r\n"))
		request, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
		if err != nil {
			t.Fatal(err)
		}
		_, body, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
		var header []string
		for name := range request.Header {
			header = append(header, name, request.Header.Get(name))
		}
		r := newRig(t, eventSpec(), nil)
		answer := r.post(string(body), header...)
		if diff := cmp.Diff(one, r.ledger.Events()); diff != "" || answer.Code != http.StatusNoContent {
			t.Errorf("%d %s", answer.Code, diff)
		}
	})
}

func TestCloudEvents(t *testing.T) {
	const structured = "application/cloudevents+json"
	const attributes = `"specversion":"1.0","id":"1","source":"/s","type":"t","time":"2026-11-02T02:00:00Z"`
	binary := []string{"ce-specversion", "1.0", "ce-id", "1", "ce-source", "/s", "ce-type", "t", "ce-time", "2026-11-02T02:00:00Z"}
	tests := map[string]struct {
		body   string
		header []string
		status int
		said   string
	}{
		"structured":                        {`{` + attributes + `,"data":{"appinfoA":"x"}}`, []string{"Content-Type", structured}, 204, ""},
		"data as base64":                    {`{` + attributes + `,"data_base64":"eyJhcHBpbmZvQSI6IngifQ=="}`, []string{"Content-Type", structured}, 204, ""},
		"data as base64 of something else":  {`{` + attributes + `,"data_base64":"/w=="}`, []string{"Content-Type", structured}, 400, "the data of a CloudEvent is not JSON at byte 1"},
		"bytes that are no text":            {`{` + attributes + `,"datacontenttype":"image/png","data_base64":"/w=="}`, []string{"Content-Type", structured}, 400, "the data of a CloudEvent is neither JSON nor text"},
		"no base64":                         {`{` + attributes + `,"data_base64":"?"}`, []string{"Content-Type", structured}, 400, "data_base64 of a CloudEvent is not base64"},
		"without an id":                     {`{"specversion":"1.0","source":"/s","type":"t"}`, []string{"Content-Type", structured}, 400, "the attribute id of a CloudEvent is missing"},
		"of an older version":               {`{"specversion":"0.3","id":"1","source":"/s","type":"t"}`, []string{"Content-Type", structured}, 400, "CloudEvents 1.x are expected"},
		"with a number for an id":           {`{"specversion":"1.0","id":1,"source":"/s","type":"t"}`, []string{"Content-Type", structured}, 400, "the attribute id of a CloudEvent must be a text"},
		"a list that should be one":         {`[]`, []string{"Content-Type", structured}, 400, "a CloudEvent must be an object"},
		"one that should be a list":         {`{}`, []string{"Content-Type", "application/cloudevents-batch+json"}, 400, "a batch of CloudEvents must be a list"},
		"a batch with a faulty one":         {`[{}]`, []string{"Content-Type", "application/cloudevents-batch+json"}, 400, "the element 0: the attribute id of a CloudEvent is missing"},
		"an empty batch":                    {`[]`, []string{"Content-Type", "application/cloudevents-batch+json"}, 204, ""},
		"a format nobody reads":             {`x`, []string{"Content-Type", "application/cloudevents+avro"}, 415, "the body must be JSON in UTF-8, or CloudEvents in JSON, and not be compressed; check Content-Type and Content-Encoding"},
		"binary":                            {`{"appinfoA":"x"}`, binary, 204, ""},
		"binary, percent-encoded":           {`{"appinfoA":"x"}`, append(slices.Clip(binary), "ce-source", "/s%C3%BCd"), 204, ""},
		"binary, wrongly percent-encoded":   {`{"appinfoA":"x"}`, append(slices.Clip(binary), "ce-source", "/s%ZZ"), 400, "the header ce-source is not percent-encoded UTF-8"},
		"binary, without a type":            {`{"appinfoA":"x"}`, append(slices.Clip(binary), "ce-type", ""), 400, "the attribute type of a CloudEvent is missing"},
		"binary, with a picture":            {`x`, append(slices.Clip(binary), "Content-Type", "image/png"), 415, "the body must be JSON in UTF-8, or CloudEvents in JSON, and not be compressed; check Content-Type and Content-Encoding"},
		"binary, with text where an object": {`x`, append(slices.Clip(binary), "Content-Type", "text/plain"), 400, "the delivery could not be understood: mapping.events[0].text: line 1, column 28: the field does not exist in this input"},
		"binary, without data":              {``, binary, 400, "the delivery could not be understood: mapping.events[0].text: line 1, column 28: the field does not exist in this input"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, eventSpec(), nil)
			answer := r.post(tt.body, tt.header...)
			if answer.Code != tt.status || channeltest.Said(t, answer) != tt.said {
				t.Errorf("got %d %q, want %d %q", answer.Code, channeltest.Said(t, answer), tt.status, tt.said)
			}
		})
	}
}

// TestWhatIsSignedIsAllThatCounts: of a CloudEvent in the binary mode the signature covers the data alone, and whoever has
// seen one delivery could send it with other attributes.
func TestWhatIsSignedIsAllThatCounts(t *testing.T) {
	spec := eventSpec()
	spec.Verification = v1alpha1.WebhookVerification{Type: v1alpha1.VerificationHMAC, HMAC: &v1alpha1.HMACVerification{
		Header: "X-Signature", SecretRefs: []v1alpha1.SecretKeyReference{ref("hmac")},
	}}
	r := newRig(t, spec, map[string]string{"112/hmac": "rahasia"})
	sign := func(body string) string {
		mac := hmac.New(sha256.New, []byte("rahasia"))
		mac.Write([]byte(body))
		return hex.EncodeToString(mac.Sum(nil))
	}
	const data = `{"appinfoA":"x"}`
	attributes := []string{"ce-specversion", "1.0", "ce-id", "2", "ce-source", "/s", "ce-type", "t", "ce-time", "2026-11-02T02:00:00Z"}
	answer := r.post(data, append(attributes, "X-Signature", sign(data))...)
	if answer.Code != http.StatusUnsupportedMediaType || len(r.ledger.Events()) > 0 {
		t.Errorf("got %d %s and %d events", answer.Code, answer.Body, len(r.ledger.Events()))
	}
	whole := `{"specversion":"1.0","id":"1","source":"/s","type":"t","time":"2026-11-02T02:00:00Z","data":` + data + `}`
	answer = r.post(whole, "Content-Type", "application/cloudevents+json", "X-Signature", sign(whole))
	if answer.Code != http.StatusNoContent || len(r.ledger.Events()) != 1 {
		t.Errorf("got %d %s and %d events", answer.Code, answer.Body, len(r.ledger.Events()))
	}
}

func TestItemsAreThoseOfEachCloudEvent(t *testing.T) {
	spec := eventSpec()
	spec.Mapping.Items = "payload.data.incidents"
	spec.Mapping.CaseID = "item.id"
	spec.Mapping.Events = []v1alpha1.EventRule{{Kind: "Received", When: `payload.type == "created"`, At: "payload.time"}}
	r := newRig(t, spec, nil)
	answer := r.post(`[
		{"specversion":"1.0","id":"1","source":"/s","type":"created","time":"2026-11-02T02:00:00Z","data":{"incidents":[{"id":7},{"id":8}]}},
		{"specversion":"1.0","id":"2","source":"/s","type":"ping","time":"2026-11-02T02:00:00Z","data":{"incidents":[]}}
	]`, "Content-Type", "application/cloudevents-batch+json")
	want := []complaint.Event{received("7", "2026-11-02T02:00:00Z", ""), received("8", "2026-11-02T02:00:00Z", "")}
	if diff := cmp.Diff(want, r.ledger.Events()); diff != "" || answer.Code != http.StatusNoContent {
		t.Errorf("%d %s", answer.Code, diff)
	}
}

// FuzzDelivery: whatever is posted, the answer is one of the documented ones, and what gets into the
// ledger are events that obey its rules.
func FuzzDelivery(f *testing.F) {
	r := newRig(f, eventSpec(), nil)
	for _, name := range []string{"cloudevents_structured.json", "cloudevents_batch.json", "standardwebhooks_payload.json"} {
		body := load(f, name)
		f.Add("application/cloudevents+json", "", body)
		f.Add("application/cloudevents-batch+json", "", body)
		f.Add("application/json", "1.0", body)
	}
	f.Add(`a/b; charset="`, "%", []byte{0xff})
	f.Fuzz(func(t *testing.T, kind, version string, body []byte) {
		request, err := http.NewRequest(http.MethodPost, "/", io.NopCloser(bytes.NewReader(body)))
		if err != nil {
			t.Fatal(err)
		}
		request.ContentLength = int64(len(body))
		for name, value := range map[string]string{"Content-Type": kind, "Ce-Specversion": version, "Ce-Id": version, "Ce-Source": kind, "Ce-Type": kind} {
			request.Header.Set(name, value)
		}
		r.clock.Advance(time.Second)
		answer := httptest.NewRecorder()
		r.handler.ServeHTTP(answer, request)
		switch answer.Code {
		case 200, 204, 400, 413, 415:
		default:
			t.Fatalf("got %d %s", answer.Code, answer.Body)
		}
	})
}
