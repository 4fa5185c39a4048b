package policy_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tanggap/tanggap/internal/calendar"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/field"
	"github.com/tanggap/tanggap/internal/policy"
	"github.com/tanggap/tanggap/internal/sla"
	"github.com/tanggap/tanggap/internal/taxonomy"
)

func office(closing string) calendar.Spec {
	return calendar.Spec{TimeZone: "Asia/Jakarta", Weekly: []calendar.WeeklyHours{{
		Days:  []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday"},
		Hours: []calendar.Interval{{Start: "08:00", End: closing}},
	}}}
}

func promise(target sla.Target, calendarName string) sla.Spec {
	spec := sla.Spec{Rules: []sla.Rule{{Name: "all", Clocks: []sla.Clock{{Name: "answer", Measures: "FirstAnswer", Target: target}}}}}
	if calendarName != "" {
		spec.CalendarRef = &sla.Reference{Name: calendarName}
	}
	return spec
}

func document() policy.Document {
	return policy.Document{
		Channels: map[string]policy.Channel{
			"dsw":   {Type: "rest", Official: true, Writer: "system:serviceaccount:depok:dsw", SLA: "city", Taxonomy: "words"},
			"wa":    {Type: "webhook", Official: true, SLA: "city", Calendar: "desk"},
			"mayor": {Type: "webhook", Official: false},
			"call":  {Type: "rest", Official: true, SLA: "emergency"},
		},
		SLAs: map[string]sla.Spec{
			"city":      promise(sla.Target{WorkingTime: "8h"}, "office"),
			"emergency": promise(sla.Target{Within: "15m"}, ""),
		},
		Calendars:  map[string]calendar.Spec{"office": office("16:00"), "desk": office("20:00")},
		Taxonomies: map[string]taxonomy.Spec{"words": {Categories: []taxonomy.Category{{Name: "flood", Keywords: []string{"banjir"}}}}},
		Retention:  policy.Retention{Content: "720h"},
		Linking:    policy.Linking{Window: "48h"},
	}
}

func compile(t *testing.T, d policy.Document) *policy.Policy {
	t.Helper()
	p, err := policy.Compile(d)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

func TestCompile(t *testing.T) {
	p := compile(t, document().Seal())
	if diff := cmp.Diff([]string{"call", "dsw", "mayor", "wa"}, p.Channels()); diff != "" {
		t.Errorf("channels (-want +got):\n%s", diff)
	}
	for _, compiled := range []*policy.Policy{p, compile(t, document())} { // sealed or not
		if compiled.Revision != document().Digest() {
			t.Errorf("revision %q", compiled.Revision)
		}
	}
	if p.Channel("fax") != nil {
		t.Error("a channel that is not named has rules")
	}
	if p.Channel("mayor").SLA != nil || p.Channel("mayor").Taxonomy != nil {
		t.Error("a channel without references promises something")
	}
	wantRetention := policy.CompiledRetention{Content: 720 * time.Hour, Idle: -1}
	if diff := cmp.Diff(wantRetention, p.Retention); diff != "" {
		t.Errorf("retention (-want +got):\n%s", diff)
	}
	if p.LinkingWindow != 48*time.Hour {
		t.Errorf("cases are linked within %v; want 48h", p.LinkingWindow)
	}
	idle := compile(t, policy.Document{Retention: policy.Retention{Content: "720h", Idle: "8784h0m0.0000005s"}})
	if want := (policy.CompiledRetention{Content: 720 * time.Hour, Idle: 8784 * time.Hour}); idle.Retention != want {
		t.Errorf("got %+v, want %+v", idle.Retention, want)
	}
	forEver := compile(t, policy.Document{Retention: policy.Retention{StoreHandles: true}})
	if diff := cmp.Diff(policy.CompiledRetention{Content: -1, Handles: -1, Idle: -1, StoreHandles: true}, forEver.Retention); diff != "" {
		t.Errorf("retention without an end (-want +got):\n%s", diff)
	}
}

func TestAChannelsCalendarWinsOverTheSLAs(t *testing.T) {
	p := compile(t, document())
	events := []complaint.Event{{Channel: "x", CaseID: "C", ID: "1", Kind: complaint.KindReceived, Actor: complaint.ActorCitizen, OccurredAt: at("2026-11-02T14:00:00+07:00")}}
	for channel, want := range map[string]string{
		"dsw": "2026-11-03T14:00:00+07:00", // the office closes at 16:00
		"wa":  "2026-11-03T10:00:00+07:00", // the desk at 20:00
	} {
		rules := p.Channel(channel)
		judged := rules.SLA.Evaluate(rules.Input(events, at("2026-11-02T14:00:00+07:00"), time.Time{}))
		if len(judged.Clocks) != 1 || !judged.Clocks[0].DueAt.Equal(at(want)) {
			t.Errorf("%s: got %+v, want due at %s", channel, judged.Clocks, want)
		}
		if closing, ok := rules.Calendar.LastClosing(rules.Calendar.Date(at(want))); !ok || closing.Hour() != map[string]int{"dsw": 9, "wa": 13}[channel] {
			t.Errorf("%s: the calendar closes at %s", channel, closing)
		}
	}
	if p.Channel("call").Calendar != nil {
		t.Error("a channel without a calendar has one")
	}
}

func TestWhatTheRulesOfAnSLAAreAsked(t *testing.T) {
	rules := compile(t, document()).Channel("dsw")
	events := []complaint.Event{
		{ID: "1", Kind: complaint.KindReceived, Actor: complaint.ActorCitizen, OccurredAt: at("2026-11-02T14:00:00+07:00"), Text: "banjir", Attributes: map[string]string{"rt": "5", "vip": "no"}},
		{ID: "2", Kind: complaint.KindEdited, Actor: complaint.ActorOfficial, OccurredAt: at("2026-11-02T15:00:00+07:00"), Attributes: map[string]string{"vip": "yes"}},
	}
	want := sla.Subject{
		Channel: "dsw", Official: true, Attributes: map[string]string{"rt": "5", "vip": "yes"},
		Dimensions: complaint.Dimensions{Category: "flood", Department: "unassigned", Priority: "normal"},
	}
	if diff := cmp.Diff(want, rules.Input(events, at("2026-11-02T16:00:00+07:00"), time.Time{}).Subject); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestACaseIsClassifiedByTheCitizensFirstWords(t *testing.T) {
	p := compile(t, document())
	received := complaint.Event{ID: "1", Kind: complaint.KindReceived, Actor: complaint.ActorCitizen, OccurredAt: at("2026-11-02T14:00:00+07:00")}
	message := func(id, when, text string, actor complaint.Actor) complaint.Event {
		return complaint.Event{ID: id, Kind: complaint.KindCitizenMessage, Actor: actor, OccurredAt: at(when), Text: text}
	}
	late := message("3", "2026-11-02T15:00:00+07:00", "banjir", complaint.ActorCitizen)
	tests := map[string]struct {
		events []complaint.Event
		want   string
	}{
		"no words yet":                       {[]complaint.Event{received}, "uncategorized"},
		"a first message after the receipt":  {[]complaint.Event{received, late}, "flood"},
		"an earlier message wins":            {[]complaint.Event{late, message("2", "2026-11-02T14:30:00+07:00", "sampah", complaint.ActorCitizen), received}, "uncategorized"},
		"what a bot says is nobody's words":  {[]complaint.Event{received, message("2", "2026-11-02T14:30:00+07:00", "sampah", complaint.ActorBot), late}, "flood"},
		"what is said later is not known":    {[]complaint.Event{received, message("2", "2026-11-02T19:30:00+07:00", "banjir", complaint.ActorCitizen)}, "uncategorized"},
		"the order of arrival is immaterial": {[]complaint.Event{late, received}, "flood"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			in := p.Channel("dsw").Input(tt.events, at("2026-11-02T16:00:00+07:00"), time.Time{})
			if got := in.Subject.Dimensions.Category; got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestFaults(t *testing.T) {
	tests := map[string]struct {
		change func(*policy.Document)
		want   []string
	}{
		"references to nothing": {func(d *policy.Document) {
			d.Channels["dsw"] = policy.Channel{SLA: "town", Calendar: "shop", Taxonomy: "list"}
		}, []string{
			`channels.dsw.sla: there is no ResponseSLA "town"`,
			`channels.dsw.calendar: there is no WorkCalendar "shop"`,
			`channels.dsw.taxonomy: there is no ComplaintTaxonomy "list"`,
		}},
		"an SLA's calendar that is missing, once for all channels": {func(d *policy.Document) {
			d.Channels["dsw2"] = d.Channels["dsw"]
			delete(d.Calendars, "office")
		}, []string{`slas.city.calendarRef.name: there is no WorkCalendar "office"`}},
		"an SLA's calendar that is missing, where every channel brings its own": {func(d *policy.Document) {
			delete(d.Calendars, "office")
			delete(d.Channels, "dsw")
		}, nil},
		"an SLA in working time without a calendar": {func(d *policy.Document) {
			d.SLAs["emergency"] = promise(sla.Target{WorkingTime: "1h"}, "")
		}, []string{`slas.emergency.rules[0].clocks[0].target.workingTime`}},
		"a calendar that does not compile": {func(d *policy.Document) {
			d.Calendars["office"] = calendar.Spec{TimeZone: "Asia/Depok", Weekly: office("16:00").Weekly}
		}, []string{`calendars.office.timeZone`}},
		"a taxonomy that no channel uses": {func(d *policy.Document) {
			d.Taxonomies["unused"] = taxonomy.Spec{}
		}, []string{`taxonomies.unused.categories: must have at least one category`}},
		"an SLA that no channel uses": {func(d *policy.Document) {
			d.SLAs["unused"] = promise(sla.Target{WorkingTime: "1h"}, "shop")
		}, []string{`slas.unused.calendarRef.name: there is no WorkCalendar "shop"`}},
		"an SLA that no channel uses and that leaves its calendar to them": {func(d *policy.Document) {
			d.SLAs["unused"] = promise(sla.Target{WorkingTime: "1h"}, "")
		}, nil},
		"likewise, with a fault": {func(d *policy.Document) {
			d.SLAs["unused"] = promise(sla.Target{WorkingTime: "-1h"}, "")
		}, []string{`slas.unused.rules[0].clocks[0].target.workingTime`}},
		"durations that are none": {func(d *policy.Document) {
			d.Retention = policy.Retention{Content: "30d", Handles: "-1h", StoreHandles: true}
			d.Linking = policy.Linking{Window: "soon"}
		}, []string{
			"retention.content: must be a duration above 0, such as 720h", "retention.handles: must be a duration above 0, such as 720h",
			"linking.window: must be a duration above 0, such as 720h",
		}},
		"a revision of another document": {func(d *policy.Document) {
			d.Revision = policy.Document{}.Digest()
		}, []string{"revision: is not the digest of this document"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := document()
			tt.change(&d)
			_, err := policy.Compile(d)
			var got []string
			for i, f := range field.All(err) {
				text := f.Error()
				if i < len(tt.want) && len(tt.want[i]) < len(text) && string(f.Path) == tt.want[i] {
					text = string(f.Path) // the words are the other package's
				}
				got = append(got, text)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAffects(t *testing.T) {
	tests := map[string]struct {
		change func(*policy.Document)
		want   []string
	}{
		"nothing":                               {func(*policy.Document) {}, nil},
		"an SLA: the channels that use":         {func(d *policy.Document) { d.SLAs["city"] = promise(sla.Target{WorkingTime: "4h"}, "office") }, []string{"dsw", "wa"}},
		"a calendar that one channel overrides": {func(d *policy.Document) { d.Calendars["office"] = office("17:00") }, []string{"dsw"}},
		"the channel's own calendar":            {func(d *policy.Document) { d.Calendars["desk"] = office("21:00") }, []string{"wa"}},
		"a taxonomy": {func(d *policy.Document) {
			d.Taxonomies["words"] = taxonomy.Spec{Categories: []taxonomy.Category{{Name: "flood", Keywords: []string{"banjir", "genangan"}}}}
		}, []string{"dsw"}},
		"whether a channel is official": {func(d *policy.Document) { d.Channels["mayor"] = policy.Channel{Type: "webhook", Official: true} }, []string{"mayor"}},
		"a new channel":                 {func(d *policy.Document) { d.Channels["fax"] = policy.Channel{Type: "rest"} }, []string{"fax"}},
		"a channel that is gone":        {func(d *policy.Document) { delete(d.Channels, "dsw") }, nil},
		"what no case depends on": {func(d *policy.Document) {
			d.Retention, d.Linking = policy.Retention{}, policy.Linking{}
			dsw := d.Channels["dsw"]
			dsw.Writer, dsw.Suspended, dsw.Type = "somebody", true, "webhook"
			d.Channels["dsw"] = dsw
			city := d.SLAs["city"]
			city.Objective = &sla.Objective{Ratio: "0.9", Window: "720h"}
			d.SLAs["city"] = city
			d.Calendars["unused"] = office("12:00")
		}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			changed := document()
			tt.change(&changed)
			if diff := cmp.Diff(tt.want, policy.Affects(compile(t, document()), compile(t, changed))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if diff := cmp.Diff([]string{"call", "dsw", "mayor", "wa"}, policy.Affects(nil, compile(t, document()))); diff != "" {
		t.Errorf("the first policy (-want +got):\n%s", diff)
	}
	if got := policy.Affects(compile(t, document()), nil); got != nil {
		t.Errorf("no policy: got %v", got)
	}
}

func TestTheDigestSurvivesJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		enforceFrom := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "enforceFrom"), 0)
		d := document()
		city := d.SLAs["city"]
		city.EnforceFrom = &enforceFrom
		city.Rules[0].Match = rapid.String().Draw(t, "match")
		d.SLAs["city"] = city
		d.Channels[rapid.StringMatching(`[a-z]{1,8}`).Draw(t, "channel")] = policy.Channel{Writer: rapid.String().Draw(t, "writer")}
		d = d.Seal()
		encoded, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		var decoded policy.Document
		if err := json.Unmarshal(encoded, &decoded); err != nil {
			t.Fatal(err)
		}
		if got := decoded.Digest(); got != d.Revision {
			t.Errorf("got %s, want %s", got, d.Revision)
		}
	})
}

func BenchmarkCompile(b *testing.B) {
	d := document()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := policy.Compile(d); err != nil {
			b.Fatal(err)
		}
	}
}

func TestAPartOfADocumentJudgesLikeTheWhole(t *testing.T) {
	whole := compile(t, document())
	for _, name := range whole.Channels() {
		part := document().Only(func(channel string) bool { return channel == name })
		rules := compile(t, part)
		if diff := cmp.Diff([]string{name}, rules.Channels()); diff != "" || rules.Channel(name).Digest != whole.Channel(name).Digest {
			t.Errorf("The part of %s judges otherwise; its channels (-want +got):\n%s", name, diff)
		}
	}
	part := document().Only(func(channel string) bool { return channel == "call" })
	if len(part.SLAs) != 1 || len(part.Calendars)+len(part.Taxonomies) != 0 {
		t.Errorf("The part has what its channel does not use: %+v", part)
	}
}
