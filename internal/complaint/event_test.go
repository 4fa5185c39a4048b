package complaint_test

import (
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/tanggap/tanggap/internal/complaint"
)

func event(change func(*complaint.Event)) complaint.Event {
	e := complaint.Event{
		Channel: "dsw", CaseID: "C1", ID: "e1", Kind: complaint.KindReceived, Actor: complaint.ActorCitizen,
		OccurredAt: time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC),
	}
	if change != nil {
		change(&e)
	}
	return e
}

func TestValidateNamesTheField(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*complaint.Event)
		want   string
	}{
		"no channel":                       {func(e *complaint.Event) { e.Channel = "" }, "channel: must not be empty"},
		"no case":                          {func(e *complaint.Event) { e.CaseID = "" }, "case: must not be empty"},
		"an identifier that is too long":   {func(e *complaint.Event) { e.ID = strings.Repeat("x", 257) }, "id: has 257 bytes, at most 256"},
		"an identifier that is not UTF-8":  {func(e *complaint.Event) { e.ID = "\xff" }, "id: must be UTF-8"},
		"a kind that does not exist":       {func(e *complaint.Event) { e.Kind = "Liked" }, "kind: must be one of [Received"},
		"an actor that does not exist":     {func(e *complaint.Event) { e.Actor = "mayor" }, "actor: must be one of [citizen"},
		"no time":                          {func(e *complaint.Event) { e.OccurredAt = time.Time{} }, "at: must be a time after 2000-01-01"},
		"milliseconds read as seconds":     {func(e *complaint.Event) { e.OccurredAt = time.Unix(1762052, 0) }, "at: must be a time after 2000-01-01"},
		"a status change to nowhere":       {func(e *complaint.Event) { e.Kind = complaint.KindStatusChanged }, "to: a StatusChanged needs one of [Open"},
		"a status on something else":       {func(e *complaint.Event) { e.To = complaint.StatusOpen }, "to: only a StatusChanged has it"},
		"a merge into nothing":             {func(e *complaint.Event) { e.Kind = complaint.KindMerged }, "into: a Merged needs the case"},
		"a merge into itself":              {func(e *complaint.Event) { e.Kind, e.Into = complaint.KindMerged, "C1" }, "into: a case cannot be merged into itself"},
		"an original of something else":    {func(e *complaint.Event) { e.Into = "C2" }, "into: only a Merged has it"},
		"a text that is too long":          {func(e *complaint.Event) { e.Text = strings.Repeat("x", complaint.MaxTextBytes+1) }, "text: has 16385 bytes"},
		"a latitude that is none":          {func(e *complaint.Event) { e.Location = &complaint.Location{Latitude: 91} }, "location: lat must be within ±90"},
		"a longitude that is not a number": {func(e *complaint.Event) { e.Location = &complaint.Location{Longitude: math.NaN()} }, "location: lat must be within ±90"},
		"an attribute without a name":      {func(e *complaint.Event) { e.Attributes = map[string]string{"": "x"} }, "attributes: a key has 1 to"},
		"a reporter's field of a kilobyte": {func(e *complaint.Event) { e.Reporter = &complaint.Reporter{Phone: strings.Repeat("1", 1024)} }, "reporter: each field has at most"},
		"an attribute of a long name":      {func(e *complaint.Event) { e.Attributes = map[string]string{strings.Repeat("k", 257): "v"} }, "attributes: a key has 1 to"},
		"an attribute of a long value":     {func(e *complaint.Event) { e.Attributes = map[string]string{"k": strings.Repeat("v", 1025)} }, "attributes: a key has 1 to"},
		"a thread of more than a month":    {func(e *complaint.Event) { e.Thread = &complaint.Thread{WindowSeconds: 31*24*3600 + 1} }, "thread: windowSeconds must be 0 to"},
		"a thread of negative length":      {func(e *complaint.Event) { e.Thread = &complaint.Thread{WindowSeconds: -1} }, "thread: windowSeconds must be 0 to"},
		"a thread that quotes a book": {func(e *complaint.Event) {
			e.Thread = &complaint.Thread{Quoted: strings.Fields(strings.Repeat("e ", 9))}
		}, "thread: quoted has 9 entries, at most 8"},
		"a thread that quotes nothing":      {func(e *complaint.Event) { e.Thread = &complaint.Thread{Quoted: []string{""}} }, "thread: an entry of quoted has"},
		"more attributes than anyone needs": {func(e *complaint.Event) { e.Attributes = manyAttributes() }, "attributes: has 33 entries, at most 32"},
	} {
		t.Run(name, func(t *testing.T) {
			e := event(tc.change)
			err := e.Validate()
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want a message with %q", err, tc.want)
			}
		})
	}
}

func TestValidateTakesAnEventAtItsBounds(t *testing.T) {
	longest := strings.Repeat("x", complaint.MaxIDBytes)
	attributes := manyAttributes()
	delete(attributes, "k")
	attributes["kk"] = strings.Repeat("v", complaint.MaxAttributeBytes)
	delete(attributes, "kkk")
	attributes[longest] = ""
	for name, change := range map[string]func(*complaint.Event){
		"the least":       nil,
		"the first time":  func(e *complaint.Event) { e.OccurredAt = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"the longest ids": func(e *complaint.Event) { e.Channel, e.CaseID, e.ID = longest, longest, longest },
		"the longest original": func(e *complaint.Event) {
			e.Kind, e.Into = complaint.KindMerged, longest
		},
		"the longest text": func(e *complaint.Event) { e.Text = strings.Repeat("x", complaint.MaxTextBytes) },
		"the longest reporter": func(e *complaint.Event) {
			e.Reporter = &complaint.Reporter{Phone: longest, Email: longest, Handle: longest}
		},
		"the south pole": func(e *complaint.Event) { e.Location = &complaint.Location{Latitude: -90, Longitude: 180} },
		"the north pole": func(e *complaint.Event) { e.Location = &complaint.Location{Latitude: 90, Longitude: -180} },
		"all attributes": func(e *complaint.Event) { e.Attributes = attributes },
		"no window":      func(e *complaint.Event) { e.Thread = &complaint.Thread{} },
		"the widest thread": func(e *complaint.Event) {
			e.Thread = &complaint.Thread{WindowSeconds: 31 * 24 * 3600, Quoted: []string{longest, "2", "3", "4", "5", "6", "7", "8"}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := event(change)
			if err := e.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestStatusesThatCancel(t *testing.T) {
	for _, s := range complaint.Statuses() {
		want := s == complaint.StatusRejected || s == complaint.StatusDuplicate || s == complaint.StatusSpam
		if got := s.Cancels(); got != want {
			t.Errorf("%s: got %v", s, got)
		}
	}
}

func manyAttributes() map[string]string {
	all := map[string]string{}
	for i := range complaint.MaxAttributes + 1 {
		all[strings.Repeat("k", i+1)] = "v"
	}
	return all
}

func TestNormalizeClampsTheFuture(t *testing.T) {
	now := time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		at, want time.Time
		clamped  bool
	}{
		"the past stays":                    {now.Add(-time.Hour), now.Add(-time.Hour), false},
		"a small skew stays":                {now.Add(complaint.MaxFutureSkew), now.Add(complaint.MaxFutureSkew), false},
		"more than a small skew is clamped": {now.Add(complaint.MaxFutureSkew + 1), now, true},
		"an offset becomes UTC":             {now.In(time.FixedZone("WIB", 7*3600)), now, false},
		"nanoseconds are cut":               {now.Add(-999), now.Add(-time.Microsecond), false},
	} {
		t.Run(name, func(t *testing.T) {
			got := event(func(e *complaint.Event) { e.OccurredAt = tc.at }).Normalize(now)
			if !got.OccurredAt.Equal(tc.want) || got.OccurredAt.Location() != time.UTC || got.Clamped != tc.clamped {
				t.Errorf("got %v clamped %v, want %v clamped %v", got.OccurredAt, got.Clamped, tc.want, tc.clamped)
			}
		})
	}
}

func TestNormalizeCutsTextAtARune(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Repeat("x", complaint.MaxTextBytes-rapid.IntRange(0, 4).Draw(t, "room")) + rapid.String().Draw(t, "tail")
		got := event(func(e *complaint.Event) { e.Text = text }).Normalize(time.Now()).Text
		if len(got) > complaint.MaxTextBytes || !strings.HasPrefix(text, got) || !utf8.ValidString(got) {
			t.Fatalf("a text of %d bytes became one of %d bytes", len(text), len(got))
		}
	})
}

// drawEvents draws events of one case with many equal instants and repeated identifiers.
func drawEvents(t *rapid.T) []complaint.Event {
	start := time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) complaint.Event {
		return event(func(e *complaint.Event) {
			e.ID = rapid.StringMatching(`[a-e]`).Draw(t, "id")
			e.Kind = rapid.SampledFrom(complaint.Kinds()).Draw(t, "kind")
			e.OccurredAt = start.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "minute")) * time.Minute)
		})
	}), 0, 12).Draw(t, "events")
}

func TestSortIsAFunctionOfTheSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := drawEvents(t)
		shuffled := rapid.Permutation(append(append([]complaint.Event{}, events...), events...)).Draw(t, "order")
		want := complaint.Sort(append([]complaint.Event{}, events...))
		got := complaint.Sort(shuffled)
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("another order of arrival, and every event twice, gives another case (-want +got):\n%s", diff)
		}
	})
}

func TestEqualInstantsSortByKind(t *testing.T) {
	var events []complaint.Event
	for _, kind := range complaint.Kinds() {
		events = append([]complaint.Event{event(func(e *complaint.Event) { e.Kind, e.ID = kind, string(kind) })}, events...)
	}
	var got []complaint.Kind
	for _, e := range complaint.Sort(events) {
		got = append(got, e.Kind)
	}
	if diff := cmp.Diff(complaint.Kinds(), got); diff != "" {
		t.Errorf("order of the kinds (-want +got):\n%s", diff)
	}
}
