package manifest

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/complaint"
)

const received = `{"channel":"dsw","case":"C1","id":"e1","kind":"Received","actor":"citizen","at":"2026-11-02T10:00:00+07:00"}`

func TestReadEvents(t *testing.T) {
	file := "\ufeff" + received + "\r\n\n  \n" + `{"channel":"dsw","case":"C1","id":"e2","kind":"StatusChanged","actor":"official","at":"2026-11-02T03:30:00Z","to":"Resolved","text":"selesai","attributes":{"category":"Banjir"},"location":{"lat":-6.4,"lon":106.8},"reporter":{"phone":"0812"}}`
	got, err := ReadEvents("e.ndjson", strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	want := []complaint.Event{
		{Channel: "dsw", CaseID: "C1", ID: "e1", Kind: complaint.KindReceived, Actor: complaint.ActorCitizen, OccurredAt: time.Date(2026, 11, 2, 3, 0, 0, 0, time.UTC)},
		{
			Channel: "dsw", CaseID: "C1", ID: "e2", Kind: complaint.KindStatusChanged, Actor: complaint.ActorOfficial, OccurredAt: time.Date(2026, 11, 2, 3, 30, 0, 0, time.UTC),
			To: complaint.StatusResolved, Text: "selesai", Attributes: map[string]string{"category": "Banjir"},
			Location: &complaint.Location{Latitude: -6.4, Longitude: 106.8}, Reporter: &complaint.Reporter{Phone: "0812"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFaultsOfEvents(t *testing.T) {
	replaced := func(part, by string) string {
		if !strings.Contains(received, part) {
			t.Fatalf("there is no %q", part)
		}
		return strings.Replace(received, part, by, 1)
	}
	tests := map[string]struct{ file, want string }{
		"not JSON":                    {"banjir", "e:1:1: this is not JSON"},
		"not an object":               {`["x"]`, `e:1:1: must be a JSON object such as {"channel":"dsw","case":"C1","id":"e1","kind":"Received","actor":"citizen","at":"2026-11-02T10:00:00+07:00"}`},
		"an object that is cut off":   {received[:30], "e:1:31: the JSON object ends too early; each event stands on a line of its own"},
		"a missing comma":             {replaced(`"dsw",`, `"dsw" `), "e:1:18: this is not JSON"},
		"two objects on a line":       {received + received, "e:1:109: there is more than one JSON object on this line"},
		"the second line":             {received + "\n" + replaced(`"id":"e1"`, `"id":""`), "e:2:35: id: must not be empty"},
		"a field that does not exist": {replaced(`"kind"`, `"typ"`), "e:1:40: there is no such field; the fields are channel, case, id, kind, actor, at, to, into, text, reporter, location, attributes, thread, clamped, cleared"},
		"a field in another case":     {replaced(`"kind"`, `"Kind"`), "e:1:40: there is no such field; the fields are channel, case, id, kind, actor, at, to, into, text, reporter, location, attributes, thread, clamped, cleared"},
		"a field that stands twice":   {replaced(`"actor"`, `"kind":"Answered","actor"`), `e:1:58: "kind" stands here a second time`},
		"a number where text belongs": {replaced(`"C1"`, `7`), "e:1:25: case: must be a text in quotes"},
		"a time without an offset":    {replaced(`+07:00`, ``), "e:1:81: at: must be a time with an offset from UTC such as 2026-11-02T10:00:00+07:00"},
		"no time":                     {replaced(`,"at":"2026-11-02T10:00:00+07:00"`, ``), "e:1:1: at: must be a time after 2000-01-01 with an offset from UTC"},
		"a kind that does not exist":  {replaced(`"Received"`, `"Liked"`), "e:1:47: kind: must be one of [Received CitizenMessage Acknowledged Answered Assigned StatusChanged Merged ReplyNotNeeded Edited Redacted]"},
		"a column counts characters":  {replaced(`"dsw"`, `"dśẃ"`) + "x", "e:1:109: there is more than one JSON object on this line"},
		"two faults of a line":        {replaced(`"actor":"citizen"`, `"actor":"mayor","to":"Open"`), "e:1:66: actor: must be one of [citizen official bot system]\ne:1:79: to: only a StatusChanged has it"},
		"a field of the reporter":     {replaced(`"at"`, `"reporter":{"name":"RAHASIA"},"at"`), "e:1:87: reporter has the fields phone, email and handle, location has lat and lon, thread has quoted and windowSeconds, and no others"},
		"a field of the thread":       {replaced(`"at"`, `"thread":{"window":60},"at"`), "e:1:85: reporter has the fields phone, email and handle, location has lat and lon, thread has quoted and windowSeconds, and no others"},
		"a reporter that is text":     {replaced(`"at"`, `"reporter":"RAHASIA","at"`), "e:1:87: reporter: must be a JSON object"},
		"a line of any length":        {received + "\n" + strings.Repeat(" ", maxLineBytes+1), "e:2:1: the line has more than 1048576 bytes"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := ReadEvents("e", strings.NewReader(tt.file))
			if err == nil {
				t.Fatal("there is no fault")
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if strings.Contains(err.Error(), "RAHASIA") {
				t.Error("the error holds what a citizen wrote")
			}
		})
	}
}

func TestEventFieldsAreThoseOfAnEvent(t *testing.T) {
	if diff := cmp.Diff(fieldsOf(reflect.TypeFor[complaint.Event]()).names, eventFields()); diff != "" {
		t.Errorf("(-event +reader):\n%s", diff)
	}
}

func FuzzReadEvents(f *testing.F) {
	f.Add(received)
	f.Add(`{"at":1}`)
	f.Add(`{"reporter":{"x":1},"\u0041":"\ud800"}`)
	f.Fuzz(func(t *testing.T, file string) {
		events, err := ReadEvents("e", strings.NewReader(file))
		for i := range events {
			if err := events[i].Validate(); err != nil {
				t.Errorf("an event is not valid: %v", err)
			}
		}
		if err != nil && !strings.HasPrefix(err.Error(), "e:") {
			t.Errorf("%v has no place", err)
		}
	})
}
