package open311

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/complaint"
)

var update = flag.Bool("update", false, "write the golden files")

// readAt is the instant of reading in these tests.
var readAt = time.Date(2026, 11, 2, 5, 0, 0, 0, time.UTC)

func jakarta(t testing.TB) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Asia/Jakarta")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func TestPayloadsGiveTheGoldenEvents(t *testing.T) {
	for _, name := range []string{"specification.json", "extensions.json", "list.xml"} {
		t.Run(name, func(t *testing.T) {
			body, err := os.ReadFile(filepath.Join("testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			parse := parseJSON
			if filepath.Ext(name) == ".xml" {
				parse = parseXML
			}
			a, err := parse(body)
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			encoder := json.NewEncoder(&got)
			tr := translator{notesAnswer: true}
			known := decodeTransitions("")
			for i := range a.requests {
				events, err := tr.events(&a.requests[i], sight{at: readAt, first: true}, known)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range events {
					if err := encoder.Encode(e); err != nil {
						t.Fatal(err)
					}
					e.Channel = "open311"
					if err := e.Validate(); err != nil {
						t.Errorf("the event %s is not valid: %v", e.ID, err)
					}
				}
			}
			golden := filepath.Join("testdata", name+".events.ndjson")
			if *update {
				if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestShapesOfLists(t *testing.T) {
	tests := map[string]struct {
		body  string
		xml   bool
		ids   []text
		codes []string
		odd   int
		fails string
	}{
		"an empty list":                          {body: `[]`},
		"one request without a list":             {body: `{"service_request_id":7}`, ids: []text{"7"}},
		"a list of one in an object":             {body: `{"requests":[{"service_request_id":"a"}]}`, ids: []text{"a"}},
		"an object in an object":                 {body: `{"service_requests":{"request":{"service_request_id":"a"}}}`, ids: []text{"a"}},
		"an empty element in an object":          {body: `{"service_requests":""}`},
		"null in an object":                      {body: `{"service_requests":null}`},
		"identifiers as numbers keep all digits": {body: `[{"service_request_id":9007199254740993},{"service_request_id":12.0}]`, ids: []text{"9007199254740993", "12"}},
		"a byte order mark":                      {body: "\ufeff[]"},
		"numbers with leading zeros":             {body: `[{"service_request_id": 007,"service_code":006},{"service_request_id":0}]`, ids: []text{"007", "0"}},
		"control characters in texts":            {body: "[{\"service_request_id\":\"a\",\"description\":\"x\n\t\\\"y 00\"}]", ids: []text{"a"}},
		"entries that are no requests":           {body: `[{"service_request_id":"a"},{},{"token":"x"},{"service_request_id":null}]`, ids: []text{"a"}, odd: 3},
		"errors in the place of requests":        {body: `[{"code":403,"description":"no"}]`, codes: []string{"403"}},
		"errors in an object":                    {body: `{"errors":[{"code":"400","description":"no"}]}`, codes: []string{"400"}},
		"a page of HTML":                         {body: `<html></html>`, fails: errNotJSON.Error()},
		"nothing at all":                         {body: ``, fails: errNotJSON.Error()},
		"JSON of something else":                 {body: `{"success":true}`, fails: errShape.Error()},
		"a bare text":                            {body: `"x"`, fails: errShape.Error()},

		"the root of the specification":     {xml: true, body: `<service_requests><request><service_request_id>a</service_request_id></request></service_requests>`, ids: []text{"a"}},
		"another root":                      {xml: true, body: `<requests><service_request><service_request_id>a</service_request_id></service_request></requests>`, ids: []text{"a"}},
		"a single request as the root":      {xml: true, body: `<request><service_request_id>a</service_request_id></request>`, ids: []text{"a"}},
		"an empty list in XML":              {xml: true, body: `<?xml version="1.0"?><service_requests/>`},
		"errors in XML":                     {xml: true, body: `<errors><error><code>404</code><description>x</description></error></errors>`, codes: []string{"404"}},
		"a page of XHTML":                   {xml: true, body: `<html><body/></html>`, fails: errShape.Error()},
		"JSON where XML was asked for":      {xml: true, body: `[]`, fails: errNotXML.Error()},
		"XML that ends in the middle":       {xml: true, body: `<service_requests><request>`, fails: errNotXML.Error()},
		"an encoding that nobody knows":     {xml: true, body: `<?xml version="1.0" encoding="ebcdic-x"?><service_requests/>`, fails: errNotXML.Error()},
		"an entity that was never declared": {xml: true, body: `<service_requests><request><description>&boom;</description></request></service_requests>`, fails: errNotXML.Error()},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			parse := parseJSON
			if test.xml {
				parse = parseXML
			}
			a, err := parse([]byte(test.body))
			if diff := cmp.Diff(test.fails, errorText(err)); diff != "" {
				t.Fatalf("error (-want +got):\n%s", diff)
			}
			var ids []text
			for _, r := range a.requests {
				ids = append(ids, r.ID)
			}
			if diff := cmp.Diff(test.ids, ids); diff != "" {
				t.Errorf("identifiers (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.codes, a.codes); diff != "" {
				t.Errorf("codes (-want +got):\n%s", diff)
			}
			if a.odd != test.odd {
				t.Errorf("odd entries: %d, want %d", a.odd, test.odd)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestTimes(t *testing.T) {
	utc := time.Date(2026, 11, 2, 3, 4, 5, 0, time.UTC)
	tests := map[string]struct {
		value text
		zone  *time.Location
		want  time.Time
		fails error
	}{
		"with an offset":                       {value: "2026-11-02T10:04:05+07:00", want: utc},
		"in UTC":                               {value: "2026-11-02T03:04:05Z", want: utc},
		"with an offset without colon":         {value: "2026-11-02T10:04:05+0700", want: utc},
		"with an offset of hours":              {value: "2026-11-02T10:04:05+07", want: utc},
		"with a fraction":                      {value: "2026-11-02T10:04:05.250+07:00", want: utc.Add(250 * time.Millisecond)},
		"without seconds":                      {value: "2026-11-02T10:04+07:00", want: utc.Truncate(time.Minute)},
		"as Rails prints it":                   {value: "2026-11-02 03:04:05 UTC", want: utc},
		"as Rails prints it with an offset":    {value: "2026-11-02 10:04:05 +0700", want: utc},
		"none":                                 {value: "", want: time.Time{}},
		"without an offset and without a zone": {value: "2026-11-02T10:04:05", fails: errNoOffset},
		"without an offset in a known zone":    {value: "2026-11-02 10:04:05", zone: jakarta(t), want: utc},
		"a date in a known zone":               {value: "2026-11-02", zone: jakarta(t), want: time.Date(2026, 11, 1, 17, 0, 0, 0, time.UTC)},
		"an offset wins over the known zone":   {value: "2026-11-02T05:04:05+02:00", zone: jakarta(t), want: utc},
		"a number":                             {value: "1762052645", fails: errNotTime},
		"a day that does not exist":            {value: "2026-02-30T10:04:05Z", fails: errNotTime},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parseTime(test.value, test.zone)
			if err != test.fails { //nolint:errorlint // the very error
				t.Fatalf("error: %v, want %v", err, test.fails)
			}
			if !got.Equal(test.want) {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// open is a request that is open.
func open() request {
	return request{ID: "7", Status: "open", Requested: "2026-11-02T01:00:00Z", Updated: "2026-11-02T02:00:00Z"}
}

// kinds are the events of readings of one request one after another, in short.
func kinds(t *testing.T, tr translator, readings ...request) []string {
	t.Helper()
	known := decodeTransitions("")
	told := map[string]bool{}
	var got []string
	for i := range readings {
		events, err := tr.events(&readings[i], sight{at: readAt.Add(time.Duration(i) * time.Hour), first: i == 0}, known)
		if err != nil {
			t.Fatal(err)
		}
		known = decodeTransitions(known.encode())
		for _, e := range events {
			if told[e.ID] {
				continue
			}
			told[e.ID] = true
			what := string(e.Kind)
			if e.To != "" {
				what = string(e.To)
			}
			got = append(got, what+" "+e.OccurredAt.Format("15:04"))
		}
	}
	return got
}

func TestReadingsOfARequestGiveItsHistory(t *testing.T) {
	with := func(change func(*request)) request {
		r := open()
		change(&r)
		return r
	}
	closed := with(func(r *request) { r.Status, r.StatusNotes, r.Updated = "closed", "Done", "2026-11-02T03:00:00Z" })
	reopened := with(func(r *request) { r.Updated = "2026-11-02T04:00:00Z" })
	closedAgain := with(func(r *request) { r.Status, r.Updated = "closed", "2026-11-02T04:30:00Z" })
	undated := func(r request) request { r.Updated = ""; return r }
	answers := translator{notesAnswer: true}
	tests := map[string]struct {
		translator translator
		readings   []request
		want       []string
	}{
		"a request that does not change is received once": {
			answers, []request{open(), open(), open()}, []string{"Received 01:00"}},
		"closing is when it was last updated": {
			answers, []request{open(), closed, closed}, []string{"Received 01:00", "Resolved 03:00"}},
		"closed, open again and closed again": {
			answers, []request{open(), closed, reopened, closedAgain},
			[]string{"Received 01:00", "Resolved 03:00", "Reopened 04:00", "Resolved 04:30"}},
		"a closed request that is only edited is not closed again": {
			answers, []request{closed, closedAgain}, []string{"Received 01:00", "Resolved 03:00"}},
		"without updated_datetime a change is when it was seen": {
			answers, []request{undated(open()), undated(closed), undated(closed), undated(reopened), undated(closedAgain)},
			[]string{"Received 01:00", "Resolved 06:00", "Reopened 08:00", "Resolved 09:00"}},
		"status notes on an open request are an answer, each once": {
			answers, []request{
				open(),
				with(func(r *request) { r.StatusNotes, r.Updated = "On our way", "2026-11-02T02:30:00Z" }),
				with(func(r *request) { r.StatusNotes, r.Updated = "On  our way", "2026-11-02T02:40:00Z" }),
				with(func(r *request) { r.StatusNotes, r.Updated = "Tomorrow", "2026-11-02T02:50:00Z" }),
			}, []string{"Received 01:00", "Answered 02:30", "Answered 02:50"}},
		"status notes are no answer where the channel says so": {
			translator{}, []request{with(func(r *request) { r.StatusNotes = "On our way" })}, []string{"Received 01:00"}},
		"the department it comes with was assigned at once": {
			answers, []request{with(func(r *request) { r.Agency = "DLHK" })}, []string{"Received 01:00", "Assigned 01:00"}},
		"the department it is given later, when it was updated": {
			answers, []request{open(), with(func(r *request) { r.Agency, r.Updated = "DLHK", "2026-11-02T02:20:00Z" })},
			[]string{"Received 01:00", "Assigned 02:20"}},
		"an update before the request is none": {
			answers, []request{with(func(r *request) { r.Status, r.Updated = "closed", "2026-11-02T00:00:00Z" })},
			[]string{"Received 01:00", "Resolved 01:00"}},
		"statuses of FixMyStreet": {
			answers, []request{with(func(r *request) { r.Status = "investigating" }), with(func(r *request) { r.Status = "Not councils responsibility" })},
			[]string{"Received 01:00", "Rejected 02:00"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, kinds(t, test.translator, test.readings...)); diff != "" {
				t.Errorf("history (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFaultsOfARequestHoldNoContent(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*request)
		want   string
		// kept are the events in spite of the fault: a complaint is one even if a note on it is odd.
		kept []complaint.Kind
	}{
		"no time of request": {func(r *request) { r.Requested = "" }, "requested_datetime is missing", nil},
		"a time without offset": {func(r *request) { r.Requested = "2026-11-02 01:00:00" },
			"requested_datetime has no offset from UTC; set assumeTimeZone if the server's zone is known", nil},
		"a time that is none": {func(r *request) { r.Updated, r.Status = "secret", "closed" },
			"updated_datetime is not a date and time", []complaint.Kind{complaint.KindReceived}},
		"a time of a note that is none": {
			func(r *request) {
				r.Status, r.Notes.Entries = "closed", []note{{At: "secret", Description: "x"}, {At: "2026-11-02T02:00:00Z", Description: "y"}}
			},
			"the datetime of a note is not a date and time",
			[]complaint.Kind{complaint.KindReceived, complaint.KindAnswered, complaint.KindStatusChanged}},
	} {
		t.Run(name, func(t *testing.T) {
			r := open()
			test.change(&r)
			tr := translator{notesAnswer: true}
			events, err := tr.events(&r, sight{at: readAt}, decodeTransitions(""))
			var kept []complaint.Kind
			for i := range events {
				kept = append(kept, events[i].Kind)
			}
			if diff := cmp.Diff(test.kept, kept); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff("InvalidEvent: "+test.want, errorText(err)); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLongIdentifiersStayWithinBounds(t *testing.T) {
	r := open()
	r.ID = text(strings.Repeat("x", complaint.MaxIDBytes))
	tr := translator{}
	events, err := tr.events(&r, sight{at: readAt}, decodeTransitions(""))
	if err != nil {
		t.Fatal(err)
	}
	events[0].Channel = "open311"
	if err := events[0].Validate(); err != nil {
		t.Error(err)
	}
}

func TestTransitionsForgetTheOldestOnes(t *testing.T) {
	known := decodeTransitions("")
	id := func(i int) *request { return &request{ID: text(time.Unix(int64(i), 0).Format("20060102150405"))} }
	for i := range maxTransitions + 10 {
		known.change(id(i), complaint.StatusResolved)
	}
	known.change(id(9), complaint.StatusOpen) // makes it one of the latest
	encoded := known.encode()
	if len(encoded) != maxTransitions*entryLength {
		t.Fatalf("encoded in %d bytes, want %d", len(encoded), maxTransitions*entryLength)
	}
	again := decodeTransitions(encoded)
	if diff := cmp.Diff(encoded, again.encode()); diff != "" {
		t.Errorf("reading and writing changes it (-want +got):\n%s", diff)
	}
	if _, ok := again.change(id(8), complaint.StatusOpen); ok {
		t.Error("remembers a request that should be forgotten")
	}
	if got, ok := again.change(id(9), complaint.StatusResolved); !ok || got.count != 3 {
		t.Errorf("change of a request closed, opened and closed again: %v %v, want the third", got, ok)
	}
}

// FuzzParse checks that whatever a server sends gives events or an error, that what is valid JSON is not
// repaired into something else, and that events of a reading are those of the next one.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"specification.json", "extensions.json", "list.xml"} {
		body, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Add([]byte(`[{"code":403}]`))
	f.Add([]byte("[{\"service_request_id\":00,\"description\":\"\n\"}]"))
	f.Fuzz(func(t *testing.T, body []byte) {
		if json.Valid(body) {
			if diff := cmp.Diff(string(body), string(repair(body))); diff != "" {
				t.Errorf("valid JSON was repaired:\n%s", diff)
			}
		}
		for _, parse := range []func([]byte) (answer, error){parseJSON, parseXML} {
			a, err := parse(body)
			if err != nil {
				continue
			}
			tr := translator{zone: time.UTC, notesAnswer: true}
			for i := range a.requests {
				once, err1 := tr.events(&a.requests[i], sight{at: readAt}, decodeTransitions(""))
				again, err2 := tr.events(&a.requests[i], sight{at: readAt}, decodeTransitions(""))
				if diff := cmp.Diff(once, again); diff != "" || errorText(err1) != errorText(err2) {
					t.Errorf("a second reading differs:\n%s", diff)
				}
			}
		}
	})
}
