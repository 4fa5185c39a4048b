package mapping

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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

var update = flag.Bool("update", false, "write the golden files")

func newCompiler(t testing.TB, root Root) *Compiler {
	t.Helper()
	c, err := NewCompiler(root)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func jakarta(t testing.TB) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Asia/Jakarta")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func load(t testing.TB, name string) *v1alpha1.EventMapping {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	spec := &v1alpha1.EventMapping{}
	if err := yaml.UnmarshalStrict(raw, spec); err != nil {
		t.Fatal(err)
	}
	return spec
}

func compile(t testing.TB, root Root, spec *v1alpha1.EventMapping, zone *time.Location) *Mapping {
	t.Helper()
	m, err := newCompiler(t, root).Compile(spec, Options{Channel: "dsw", Zone: zone})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func apply(t testing.TB, m *Mapping, document string) Result {
	t.Helper()
	decoded, err := Decode([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	result, err := m.Apply(decoded)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// simple is a mapping of one kind of event with the expression at.
func simple(at string) *v1alpha1.EventMapping {
	return &v1alpha1.EventMapping{
		CaseID: "item.id",
		Events: []v1alpha1.EventRule{{Kind: "Received", At: v1alpha1.Expression(at)}},
	}
}

func TestPortalPageGivesTheGoldenEvents(t *testing.T) {
	document, err := os.ReadFile("testdata/portal.json")
	if err != nil {
		t.Fatal(err)
	}
	result := apply(t, compile(t, Response, load(t, "portal.mapping.yaml"), jakarta(t)), string(document))

	var got bytes.Buffer
	encoder := json.NewEncoder(&got)
	for _, e := range result.Events {
		if err := encoder.Encode(e); err != nil {
			t.Fatal(err)
		}
	}
	golden := "testdata/portal.golden.ndjson"
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got.String(), "\n")); diff != "" {
		t.Error(diff)
	}
	wantProblems := []Problem{
		{Reason: ledgerapi.ReasonInvalidEvent, Items: 1, Message: "mapping.events[0].at: yields a number, which is no time; write unixSeconds(...) or unixMillis(...)"},
		{Reason: ledgerapi.ReasonMappingFailed, Items: 1, Message: "mapping.updatedAt: line 1, column 5: the field does not exist in this input"},
	}
	if diff := cmp.Diff(wantProblems, result.Problems); diff != "" {
		t.Error(diff)
	}
	if want := time.Date(2026, 11, 3, 2, 0, 0, 0, time.UTC); result.Items != 4 || !result.UpdatedAt.Equal(want) {
		t.Errorf("got %d items, the newest of %s", result.Items, result.UpdatedAt)
	}
}

func TestTimes(t *testing.T) {
	tests := map[string]struct {
		at      string
		json    string
		assume  bool
		want    string
		problem string
	}{
		"RFC 3339 with an offset":                {at: "item.t", json: `"2026-11-02T10:00:00+07:00"`, want: "2026-11-02T03:00:00Z"},
		"RFC 3339 in UTC with a fraction":        {at: "item.t", json: `"2026-11-02T10:00:00.123456789Z"`, want: "2026-11-02T10:00:00.123456Z"},
		"a space and small letters":              {at: "item.t", json: `"2026-11-02 10:00:00z"`, want: "2026-11-02T10:00:00Z"},
		"an offset without a colon":              {at: "item.t", json: `"2026-11-02T10:00:00+0700"`, want: "2026-11-02T03:00:00Z"},
		"an offset wins over the assumed zone":   {at: "item.t", json: `"2026-11-02T10:00:00Z"`, assume: true, want: "2026-11-02T10:00:00Z"},
		"no offset, with an assumed zone":        {at: "item.t", json: `"2026-11-02 10:00:00"`, assume: true, want: "2026-11-02T03:00:00Z"},
		"no offset, without one":                 {at: "item.t", json: `"2026-11-02T10:00:00"`, problem: "mapping.events[0].at: time without offset: set assumeTimeZone"},
		"unix seconds":                           {at: "unixSeconds(item.t)", json: `1793588400`, want: "2026-11-02T03:00:00Z"},
		"a CEL timestamp":                        {at: "timestamp(item.t)", json: `"2026-11-02T10:00:00+07:00"`, want: "2026-11-02T03:00:00Z"},
		"another form with parseTime":            {at: `parseTime(item.t, "2 January 2006 15.04", "Asia/Jakarta")`, json: `"2 November 2026 10.00"`, want: "2026-11-02T03:00:00Z"},
		"a bare number":                          {at: "item.t", json: `1793588400`, problem: "mapping.events[0].at: yields a number, which is no time; write unixSeconds(...) or unixMillis(...)"},
		"a bare fraction":                        {at: "item.t", json: `1793588400.5`, problem: "mapping.events[0].at: yields a number, which is no time; write unixSeconds(...) or unixMillis(...)"},
		"a date alone":                           {at: "item.t", json: `"2026-11-02"`, assume: true, problem: "mapping.events[0].at: yields a text that is no time of RFC 3339; parseTime(text, layout, zone) reads other forms"},
		"words":                                  {at: "item.t", json: `"kemarin"`, problem: "mapping.events[0].at: yields a text that is no time of RFC 3339; parseTime(text, layout, zone) reads other forms"},
		"null":                                   {at: "item.t", json: `null`, problem: "mapping.events[0].at: yields no time; let the rule's `when` be true only where there is one"},
		"an empty text":                          {at: "item.t", json: `" "`, problem: "mapping.events[0].at: yields no time; let the rule's `when` be true only where there is one"},
		"a list":                                 {at: "item.t", json: `[]`, problem: "mapping.events[0].at: must yield a timestamp or a text in RFC 3339"},
		"a time before the city had a computer":  {at: "item.t", json: `"1970-01-01T00:00:00Z"`, problem: "mapping.events[0]: at: must be a time after 2000-01-01 with an offset from UTC"},
		"a field that is missing in the payload": {at: "item.u", json: `""`, problem: "mapping.events[0].at: line 1, column 5: the field does not exist in this input"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var zone *time.Location
			if tt.assume {
				zone = jakarta(t)
			}
			result := apply(t, compile(t, Response, simple(tt.at), zone), `{"id":"C1","t":`+tt.json+`}`)
			switch {
			case tt.problem != "":
				if len(result.Events) != 0 || len(result.Problems) != 1 || result.Problems[0].Message != tt.problem {
					t.Errorf("got %v, want %s", result.Problems, tt.problem)
				}
			case len(result.Problems) != 0 || len(result.Events) != 1:
				t.Errorf("got %v", result.Problems)
			default:
				if got := result.Events[0].OccurredAt.Format(time.RFC3339Nano); got != tt.want {
					t.Errorf("got %s, want %s", got, tt.want)
				}
			}
		})
	}
}

func TestFaultsOfASpecificationNameTheirField(t *testing.T) {
	tests := map[string]struct {
		change func(*v1alpha1.EventMapping)
		want   string
	}{
		"a typing mistake": {
			func(m *v1alpha1.EventMapping) { m.Events[0].At = "itm.at" },
			`events[0].at: line 1, column 1: there is no variable or function "itm"; the variables are item, response`,
		},
		"an entry without forEach": {
			func(m *v1alpha1.EventMapping) { m.Events[0].Text = "entry.text" },
			`events[0].text: line 1, column 1: there is no variable or function "entry"; the variables are item, response`,
		},
		"a condition that is no condition": {
			func(m *v1alpha1.EventMapping) { m.Events[0].When = `"ya"` },
			"events[0].when: line 1, column 1: the expression gives a string, but a bool is expected",
		},
		"items that are no list": {
			func(m *v1alpha1.EventMapping) { m.Items = "42" },
			"items: line 1, column 1: the expression gives an int, but a list is expected",
		},
		"an item where there is none yet": {
			func(m *v1alpha1.EventMapping) { m.Items = "item.data" },
			`items: line 1, column 1: there is no variable or function "item"; the variables are response`,
		},
		"two faults are told at once": {
			func(m *v1alpha1.EventMapping) {
				m.CaseID = "x"
				m.Attributes = []v1alpha1.AttributeMapping{{Name: "category", Value: "y"}}
			},
			`caseID: line 1, column 1: there is no variable or function "x"; the variables are item, response` + "\n" +
				`attributes[0].value: line 1, column 1: there is no variable or function "y"; the variables are item, response`,
		},
		"no rule": {
			func(m *v1alpha1.EventMapping) { m.Events = nil },
			"events: at least one rule is required",
		},
		"a status for something else": {
			func(m *v1alpha1.EventMapping) { m.Events[0].To = `"Open"` },
			"events[0].to: must be set when kind is StatusChanged, and only then",
		},
		"a merger into nothing": {
			func(m *v1alpha1.EventMapping) { m.Events[0].Kind = "Merged" },
			"events[0].into: must be set when kind is Merged, and only then",
		},
		"a time that is missing": {
			func(m *v1alpha1.EventMapping) { m.Events[0].At = "" },
			"events[0].at: is required",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			spec := simple("item.at")
			tt.change(spec)
			_, err := newCompiler(t, Response).Compile(spec, Options{})
			if err == nil {
				t.Fatal("it was taken")
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestItems(t *testing.T) {
	const at = `"at":"2026-11-02T03:00:00Z"`
	tests := map[string]struct {
		items, document string
		want            []string // the cases
		problems        int
		err             string
	}{
		"one object":                         {document: `{"id":"A",` + at + `}`, want: []string{"A"}},
		"a list":                             {document: `[{"id":"A",` + at + `},{"id":"B",` + at + `}]`, want: []string{"A", "B"}},
		"an empty list":                      {document: `[]`},
		"null":                               {document: `null`},
		"a list within":                      {items: "response.data.rows", document: `{"data":{"rows":[{"id":"A",` + at + `}]}}`, want: []string{"A"}},
		"a faulty item among others":         {document: `[{"id":"A",` + at + `},{"id":"B"},7,null,{"id":"",` + at + `},{"id":"C",` + at + `}]`, want: []string{"A", "C"}, problems: 4},
		"an answer that reports a failure":   {items: "response.data", document: `{"success":false}`, err: "mapping.items: line 1, column 9: the field does not exist in this input"},
		"an object where a list is expected": {items: "response.data", document: `{"data":{}}`, err: "mapping.items: the result is not a list"},
		"numbers as identifiers":             {document: `[{"id":1234567890123456789,` + at + `},{"id":123456789012345678901234567890,` + at + `}]`, want: []string{"1234567890123456789", "123456789012345678901234567890"}},
		"an identifier that is too long":     {document: `[{"id":"` + strings.Repeat("x", 257) + `",` + at + `}]`, problems: 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			spec := simple("item.at")
			spec.Items = v1alpha1.Expression(tt.items)
			document, err := Decode([]byte(tt.document))
			if err != nil {
				t.Fatal(err)
			}
			result, err := compile(t, Response, spec, nil).Apply(document)
			if tt.err != "" {
				if err == nil || err.Error() != tt.err {
					t.Errorf("got %v, want %s", err, tt.err)
				}
				return
			}
			var got []string
			for _, e := range result.Events {
				got = append(got, e.CaseID)
			}
			if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
				t.Errorf("%v %s", err, diff)
			}
			problems := 0
			for _, p := range result.Problems {
				problems += p.Items
			}
			if problems != tt.problems {
				t.Errorf("got problems %v", result.Problems)
			}
		})
	}
}

func TestProblemsHoldNoContent(t *testing.T) {
	const secret = "081200000001"
	spec := load(t, "portal.mapping.yaml")
	spec.Reporter.Phone = "item.pelapor.telepon"
	m := compile(t, Response, spec, nil)
	for _, document := range []string{
		`{"data":[{"nomor":"` + secret + `","diperbarui_pada":"` + secret + `","dibuat_pada":"` + secret + `","status":"` + secret + `"}]}`,
		`{"data":[{"nomor":"` + strings.Repeat(secret, 99) + `"}]}`,
		`{"data":[{"nomor":["` + secret + `"]}]}`,
		`{"data":[{"nomor":"1","judul":"","isi":"","status":"selesai","dibuat_pada":"2026-11-02T03:00:00Z","diperbarui_pada":"` + secret + `","pelapor":{"telepon":{"` + secret + `":1}},"lokasi":{"lat":"` + secret + `","lon":1}}]}`,
	} {
		result := apply(t, m, document)
		if len(result.Problems) == 0 {
			t.Errorf("%s: no problem", document)
		}
		for _, p := range result.Problems {
			if strings.Contains(p.Message, secret) {
				t.Errorf("the content got into %q", p.Message)
			}
		}
	}
}

func TestTextsAreCutAndAttributesToo(t *testing.T) {
	spec := simple("item.at")
	spec.Events[0].Text = "item.text"
	spec.Attributes = []v1alpha1.AttributeMapping{{Name: "note", Value: "item.text"}}
	result := apply(t, compile(t, Response, spec, nil), `{"id":"A","at":"2026-11-02T03:00:00Z","text":"`+strings.Repeat("é", 20_000)+`\u0000"}`)
	if len(result.Events) != 1 || len(result.Problems) != 0 {
		t.Fatalf("got %v", result.Problems)
	}
	e := result.Events[0]
	if len(e.Text) != complaint.MaxTextBytes || len(e.Attributes["note"]) != complaint.MaxAttributeBytes {
		t.Errorf("got %d and %d bytes", len(e.Text), len(e.Attributes["note"]))
	}
}

func TestReporterAndPositionGoWithWhatTheCitizenDid(t *testing.T) {
	spec := simple("item.at")
	spec.Reporter = &v1alpha1.ReporterMapping{Handle: "item.who"}
	spec.Attributes = []v1alpha1.AttributeMapping{{Name: "category", Value: "item.category"}}
	spec.Events = append(spec.Events,
		v1alpha1.EventRule{Kind: "Answered", At: "item.at"},
		v1alpha1.EventRule{Kind: "Redacted", At: "item.at", Actor: "system"},
	)
	result := apply(t, compile(t, Response, spec, nil), `{"id":"A/1","at":"2026-11-02T03:00:00Z","who":" budi ","category":"banjir"}`)
	at := time.Date(2026, 11, 2, 3, 0, 0, 0, time.UTC)
	want := []complaint.Event{
		{Channel: "dsw", CaseID: "A/1", ID: "A%2F1/Received/2026-11-02T03:00:00Z", Kind: "Received", Actor: "citizen", OccurredAt: at, Reporter: &complaint.Reporter{Handle: "budi"}, Attributes: map[string]string{"category": "banjir"}},
		{Channel: "dsw", CaseID: "A/1", ID: "A%2F1/Answered/2026-11-02T03:00:00Z", Kind: "Answered", Actor: "official", OccurredAt: at, Attributes: map[string]string{"category": "banjir"}},
		{Channel: "dsw", CaseID: "A/1", ID: "A%2F1/Redacted/2026-11-02T03:00:00Z/system", Kind: "Redacted", Actor: "system", OccurredAt: at},
	}
	if diff := cmp.Diff(want, result.Events); diff != "" {
		t.Error(diff)
	}
}

// TestMessagesOfPeopleAskForTheirCase: with a window the ledger finds the case by the reporter, of answers too.
func TestMessagesOfPeopleAskForTheirCase(t *testing.T) {
	spec := simple("item.at")
	spec.CaseWindow = &metav1.Duration{Duration: time.Hour}
	if _, err := newCompiler(t, Response).Compile(spec, Options{}); err == nil || !strings.Contains(err.Error(), "reporter: must be set with caseWindow") {
		t.Errorf("got %v", err)
	}
	spec.Reporter = &v1alpha1.ReporterMapping{Phone: "item.who"}
	spec.Events = append(spec.Events, v1alpha1.EventRule{Kind: "Answered", At: "item.at"})
	result := apply(t, compile(t, Response, spec, nil), `{"id":"A","at":"2026-11-02T03:00:00Z","who":"+62812"}`)
	for _, e := range result.Events {
		if e.Thread == nil || e.Thread.Window() != time.Hour || e.Reporter == nil || e.Reporter.Phone != "+62812" {
			t.Errorf("%s has %v of %v", e.Kind, e.Thread, e.Reporter)
		}
	}
	if len(result.Events) != 2 {
		t.Errorf("%d events", len(result.Events))
	}
}

func TestActorsAndStatuses(t *testing.T) {
	spec := &v1alpha1.EventMapping{CaseID: `"C"`, Events: []v1alpha1.EventRule{
		{Kind: "Answered", ForEach: "item.answers", At: "entry.at", ActorExpression: `entry.auto ? "bot" : entry.by`, Text: "entry.text"},
		{Kind: "StatusChanged", At: "item.at", To: "item.to"},
		{Kind: "Merged", When: `item.into != ""`, At: "item.at", Into: "item.into"},
	}}
	m := compile(t, Payload, spec, nil)
	tests := map[string]struct {
		document string
		want     []string
		problem  string
	}{
		"two answers of one second differ by their text and who gave them": {
			`{"answers":[{"at":"2026-11-02T03:00:00Z","auto":true,"by":"","text":"Terima kasih"},{"at":"2026-11-02T03:00:00Z","auto":false,"by":"official","text":"Sudah ditangani"},{"at":"2026-11-02T03:00:00Z","auto":false,"by":"official","text":"Selesai"}],"at":"2026-11-02T03:00:00Z","to":"","into":""}`,
			[]string{"C/Answered/2026-11-02T03:00:00Z/bot/2f4316fc", "C/Answered/2026-11-02T03:00:00Z/dec7d16d", "C/Answered/2026-11-02T03:00:00Z/fee5c989"}, "",
		},
		"an actor that does not exist": {
			`{"answers":[{"at":"2026-11-02T03:00:00Z","auto":false,"by":"walikota","text":""}],"at":"2026-11-02T03:00:00Z","to":null,"into":""}`,
			nil, "mapping.events[0].actorExpression: must yield one of [citizen official bot system]",
		},
		"a status that does not exist": {
			`{"answers":[],"at":"2026-11-02T03:00:00Z","to":"selesai","into":""}`,
			nil, "mapping.events[1].to: must yield one of [Open AwaitingCitizen AwaitingThirdParty Resolved Reopened Rejected Duplicate Spam], or nothing",
		},
		"a status and a merger": {
			`{"answers":[],"at":"2026-11-02T03:00:00Z","to":"Duplicate","into":"D/1"}`,
			[]string{"C/StatusChanged/2026-11-02T03:00:00Z/Duplicate", "C/Merged/2026-11-02T03:00:00Z/D%2F1"}, "",
		},
		"a merger into itself": {
			`{"answers":[],"at":"2026-11-02T03:00:00Z","to":"","into":"C"}`,
			nil, "mapping.events[2]: into: a case cannot be merged into itself",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			result := apply(t, m, tt.document)
			var got []string
			for _, e := range result.Events {
				got = append(got, e.ID)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			problem := ""
			for _, p := range result.Problems {
				problem += p.Message
			}
			if problem != tt.problem {
				t.Errorf("got %q, want %q", problem, tt.problem)
			}
		})
	}
}

func TestLocations(t *testing.T) {
	tests := map[string]struct {
		latitude, longitude string
		want                *complaint.Location
		problem             string
	}{
		"numbers":                     {"-6.4", "106.8", &complaint.Location{Latitude: -6.4, Longitude: 106.8}, ""},
		"whole numbers":               {"-6", "107", &complaint.Location{Latitude: -6, Longitude: 107}, ""},
		"texts":                       {`"-6.4"`, `" 106,8 "`, &complaint.Location{Latitude: -6.4, Longitude: 106.8}, ""},
		"none":                        {"null", `""`, nil, ""},
		"half of one":                 {"-6.4", "null", nil, ""},
		"the place of missing values": {"0", "0.0", nil, ""},
		"swapped":                     {"106.8", "-6.4", nil, "mapping.location.latitude: must be within ±90 degrees"},
		"words":                       {`"Depok"`, "1", nil, "mapping.location.latitude: yields a text that is no number of degrees"},
		"not a number":                {`"NaN"`, "1", nil, "mapping.location.latitude: must be within ±90 degrees"},
		"a list":                      {"[1]", "1", nil, "mapping.location.latitude: must yield a number of degrees"},
	}
	spec := simple(`timestamp("2026-11-02T03:00:00Z")`)
	spec.Location = &v1alpha1.LocationMapping{Latitude: "item.lat", Longitude: "item.lon"}
	m := compile(t, Response, spec, nil)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			result := apply(t, m, `{"id":"A","lat":`+tt.latitude+`,"lon":`+tt.longitude+`}`)
			if len(result.Events) != 1 {
				t.Fatalf("the complaint itself was lost: %v", result.Problems)
			}
			if diff := cmp.Diff(tt.want, result.Events[0].Location); diff != "" {
				t.Error(diff)
			}
			problem := ""
			for _, p := range result.Problems {
				problem += p.Message
			}
			if problem != tt.problem {
				t.Errorf("got %q, want %q", problem, tt.problem)
			}
		})
	}
}
