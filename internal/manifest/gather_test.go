package manifest

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/field"
	"github.com/tanggap/tanggap/internal/policy"
)

// objects makes those of a policy file, as a cluster would hold them.
func objects(t testing.TB, file string) Objects {
	t.Helper()
	o := Objects{Writer: func(c *v1alpha1.ComplaintChannel) string { return "writer-of-" + c.Name }}
	f := faults{file: "objects"}
	d := &decoder{faults: &f}
	for _, root := range readDocuments([]byte(file), &f) {
		switch kind := text(child(root, "kind")); kind {
		case "ComplaintLedger":
			o.Ledger = decoded[v1alpha1.ComplaintLedger](d, root)
		case "ComplaintChannel":
			o.Channels = append(o.Channels, decoded[v1alpha1.ComplaintChannel](d, root))
		case "ResponseSLA":
			o.SLAs = append(o.SLAs, decoded[v1alpha1.ResponseSLA](d, root))
		case "WorkCalendar":
			o.Calendars = append(o.Calendars, decoded[v1alpha1.WorkCalendar](d, root))
		case "ComplaintTaxonomy":
			o.Taxonomies = append(o.Taxonomies, decoded[v1alpha1.ComplaintTaxonomy](d, root))
		}
	}
	if err := f.err(); err != nil {
		t.Fatal(err)
	}
	return o
}

func decoded[T any](d *decoder, root *yaml.Node) *T {
	var object T
	d.decode(root, &object)
	return &object
}

const city = `
apiVersion: tanggap.dev/v1alpha1
kind: ComplaintLedger
metadata: {name: ledger}
spec:
  retention: {content: 720h}
---
apiVersion: tanggap.dev/v1alpha1
kind: WorkCalendar
metadata: {name: office}
spec:
  timeZone: Asia/Jakarta
  weekly: [{days: [Monday], hours: [{start: "08:00", end: "16:00"}]}]
---
apiVersion: tanggap.dev/v1alpha1
kind: WorkCalendar
metadata: {name: unused}
spec:
  timeZone: Asia/Jakarta
  weekly: [{days: [Monday], hours: [{start: "08:00", end: "16:00"}]}]
---
apiVersion: tanggap.dev/v1alpha1
kind: ResponseSLA
metadata: {name: city}
spec:
  calendarRef: {name: office}
  rules: [{name: all, clocks: [{name: answer, measures: FirstAnswer, target: {workingTime: 8h}}]}]
---
apiVersion: tanggap.dev/v1alpha1
kind: ResponseSLA
metadata: {name: open}
spec:
  rules: [{name: all, clocks: [{name: answer, measures: FirstAnswer, target: {workingTime: 8h}}]}]
---
apiVersion: tanggap.dev/v1alpha1
kind: ComplaintTaxonomy
metadata: {name: words}
spec:
  categories: [{name: flood, keywords: [banjir]}]
---
apiVersion: tanggap.dev/v1alpha1
kind: ComplaintChannel
metadata: {name: dsw}
spec:
  source: {type: rest}
  slaRef: {name: city}
  taxonomyRef: {name: words}
---
apiVersion: tanggap.dev/v1alpha1
kind: ComplaintChannel
metadata: {name: call}
spec:
  source: {type: webhook}
  slaRef: {name: open}
  calendarRef: {name: office}
`

func TestGather(t *testing.T) {
	g := Gather(objects(t, city))
	for _, faults := range []map[string]error{g.Channels, g.SLAs, g.Calendars, g.Taxonomies} {
		for name, err := range faults {
			t.Errorf("%s: %v", name, err)
		}
	}
	want := map[string]policy.Channel{
		"dsw":  {Type: "rest", Official: true, Writer: "writer-of-dsw", SLA: "city", Taxonomy: "words"},
		"call": {Type: "webhook", Official: true, Writer: "writer-of-call", SLA: "open", Calendar: "office"},
	}
	if diff := cmp.Diff(want, g.Document.Channels); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, ok := g.Document.Calendars["unused"]; ok || len(g.Document.Calendars) != 1 || len(g.Document.SLAs) != 2 {
		t.Errorf("got %d calendars and %d SLAs, want those in use", len(g.Document.Calendars), len(g.Document.SLAs))
	}
	if g.Document.Revision == "" || g.Document.Revision != g.Document.Digest() {
		t.Errorf("the revision is %q", g.Document.Revision)
	}
	if g.Document.Retention.Content != "720h0m0s" {
		t.Errorf("retention: %+v", g.Document.Retention)
	}
	if _, err := policy.Compile(g.Document); err != nil {
		t.Error(err)
	}
}

func TestGatherWithFaults(t *testing.T) {
	tests := map[string]struct {
		old, new string
		// want are the faults, wantChannels the channels of the document where nothing was in force before.
		want         map[string]string
		wantChannels []string
	}{
		"an SLA whose expression does not compile": {
			"rules: [{name: all, clocks: [{name: answer, measures: FirstAnswer, target: {workingTime: 8h}}]}]\n---\napiVersion: tanggap.dev/v1alpha1\nkind: ResponseSLA",
			"rules: [{name: all, match: complaint.chanel == '', clocks: [{name: answer, measures: FirstAnswer, target: {workingTime: 8h}}]}]\n---\napiVersion: tanggap.dev/v1alpha1\nkind: ResponseSLA",
			map[string]string{
				"ResponseSLA/city":     `spec.rules[0].match: line 1, column 10: there is no field "chanel" here`,
				"ComplaintChannel/dsw": `spec.slaRef.name: the ResponseSLA "city" is not valid; its own condition says why`,
			}, []string{"call"}},
		"a calendar that is gone": {"name: office}\nspec:\n  timeZone", "name: shop}\nspec:\n  timeZone", map[string]string{
			"ResponseSLA/city":      `spec.calendarRef.name: there is no WorkCalendar "office" in this namespace`,
			"ComplaintChannel/dsw":  `spec.slaRef.name: the ResponseSLA "city" is not valid; its own condition says why`,
			"ComplaintChannel/call": `spec.calendarRef.name: there is no WorkCalendar "office" in this namespace`,
		}, nil},
		"a calendar of a zone that does not exist": {"timeZone: Asia/Jakarta\n  weekly: [{days: [Monday], hours: [{start: \"08:00\", end: \"16:00\"}]}]\n---\napiVersion: tanggap.dev/v1alpha1\nkind: WorkCalendar", "timeZone: Asia/Depok\n  weekly: [{days: [Monday], hours: [{start: \"08:00\", end: \"16:00\"}]}]\n---\napiVersion: tanggap.dev/v1alpha1\nkind: WorkCalendar", map[string]string{
			"WorkCalendar/office":   `spec.timeZone: `,
			"ResponseSLA/city":      `spec.calendarRef.name: the WorkCalendar "office" is not valid; its own condition says why`,
			"ComplaintChannel/dsw":  `spec.slaRef.name: the ResponseSLA "city" is not valid; its own condition says why`,
			"ComplaintChannel/call": `spec.calendarRef.name: the WorkCalendar "office" is not valid; its own condition says why`,
		}, nil},
		"a taxonomy that nothing falls into": {"{name: flood, keywords: [banjir]}", "{name: flood}", map[string]string{
			"ComplaintTaxonomy/words": `spec.categories[0]: needs keywords, match or sourceValues, or nothing ever falls into it`,
			"ComplaintChannel/dsw":    `spec.taxonomyRef.name: the ComplaintTaxonomy "words" is not valid; its own condition says why`,
		}, []string{"call"}},
		"an SLA that no longer has a calendar, nor has its channel": {"  calendarRef: {name: office}\n  rules", "  rules", map[string]string{
			"ComplaintChannel/dsw": `spec.slaRef.name: the ResponseSLA "city" cannot be used here: spec.rules[0].clocks[0].target.workingTime: needs a calendar: set the calendarRef of the SLA or of the channel`,
		}, []string{"call"}},
		"a reference to nothing": {"slaRef: {name: city}", "slaRef: {name: town}", map[string]string{
			"ComplaintChannel/dsw": `spec.slaRef.name: there is no ResponseSLA "town" in this namespace`,
		}, []string{"call"}},
	}
	before := Gather(objects(t, city)).Document
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(city, tt.old, tt.new, 1)
			if changed == city {
				t.Fatal("nothing was changed")
			}
			o := objects(t, changed)
			g := Gather(o)
			got := map[string]string{}
			for kind, faults := range map[string]map[string]error{"ComplaintChannel": g.Channels, "ResponseSLA": g.SLAs, "WorkCalendar": g.Calendars, "ComplaintTaxonomy": g.Taxonomies} {
				for name, err := range faults {
					message := Message(err)
					if want := tt.want[kind+"/"+name]; strings.HasSuffix(want, ": ") && strings.HasPrefix(message, want) {
						message = want // the words are the other package's
					}
					got[kind+"/"+name] = message
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.wantChannels, slices.Sorted(maps.Keys(g.Document.Channels))); diff != "" {
				t.Errorf("channels (-want +got):\n%s", diff)
			}
			if _, err := policy.Compile(g.Document); err != nil {
				t.Error(err)
			}
			o.Previous = &before
			if diff := cmp.Diff(before, Gather(o).Document); diff != "" {
				t.Errorf("a mistake changed the policy in force (-before +after):\n%s", diff)
			}
		})
	}
}

func TestAChannelWithoutTheCalendarThatItsSLANeeds(t *testing.T) {
	g := Gather(objects(t, strings.Replace(city, "slaRef: {name: open}\n  calendarRef: {name: office}", "slaRef: {name: open}", 1)))
	if got := Message(g.Channels["call"]); !strings.HasPrefix(got, `spec.slaRef.name: the ResponseSLA "open" cannot be used here: spec.rules[0].clocks[0]`) {
		t.Errorf("got %q", got)
	}
	if len(g.SLAs) != 0 {
		t.Errorf("the SLA itself is at fault: %v", g.SLAs)
	}
}

func TestTheCalendarOfAnSLAIsGatheredWithIt(t *testing.T) {
	g := Gather(objects(t, city[:strings.LastIndex(city, "---")]))
	if diff := cmp.Diff([]string{"dsw"}, slices.Sorted(maps.Keys(g.Document.Channels))); diff != "" {
		t.Errorf("channels (-want +got):\n%s", diff)
	}
	if _, ok := g.Document.Calendars["office"]; !ok {
		t.Errorf("the calendars are %v", g.Document.Calendars)
	}
}

// TestAnSLAThatNoLongerCompilesIsNotGoneBackTo: the form in force may be one that another version accepted.
func TestAnSLAThatNoLongerCompilesIsNotGoneBackTo(t *testing.T) {
	before := Gather(objects(t, city)).Document
	before.SLAs["city"].Rules[0].Clocks[0].Measures = "Kindness"
	o := objects(t, strings.Replace(city, "  calendarRef: {name: office}\n  rules", "  rules", 1))
	o.Previous = &before
	g := Gather(o)
	if diff := cmp.Diff([]string{"call"}, slices.Sorted(maps.Keys(g.Document.Channels))); diff != "" {
		t.Errorf("channels (-want +got):\n%s", diff)
	}
	if _, err := policy.Compile(g.Document); err != nil {
		t.Error(err)
	}
}

// TestWhatIsGatheredCompilesAndLosesNoChannel breaks objects at random, over several generations.
func TestWhatIsGatheredCompilesAndLosesNoChannel(t *testing.T) {
	breakages := [][2]string{
		{"timeZone: Asia/Jakarta", "timeZone: Mars"}, {"name: office}\nspec", "name: moved}\nspec"}, {"workingTime: 8h", "workingTime: 1ms"},
		{"keywords: [banjir]", "keywords: ['!']"}, {"slaRef: {name: city}", "slaRef: {name: open}"}, {"slaRef: {name: open}", "slaRef: {name: gone}"},
		{"calendarRef: {name: office}\n  rules", "rules"}, {"name: words}\nspec", "name: other}\nspec"}, {"end: \"16:00\"", "end: \"17:00\""},
	}
	rapid.Check(t, func(rt *rapid.T) {
		var previous *policy.Document
		for range 4 {
			file := city
			for _, b := range rapid.SliceOf(rapid.SampledFrom(breakages)).Draw(rt, "breakages") {
				file = strings.Replace(file, b[0], b[1], rapid.IntRange(1, 2).Draw(rt, "times"))
			}
			o := objects(t, file)
			o.Previous = previous
			g := Gather(o)
			if _, err := policy.Compile(g.Document); err != nil {
				rt.Fatal(err)
			}
			if previous != nil {
				for name := range previous.Channels {
					if _, ok := g.Document.Channels[name]; !ok {
						rt.Fatalf("the channel %s was taken and is gone: %v", name, g.Channels[name])
					}
				}
			}
			previous = &g.Document
		}
	})
}

func TestMessage(t *testing.T) {
	if got := Message(nil); got != "" {
		t.Errorf("got %q", got)
	}
	g := Gather(objects(t, strings.Replace(city, "categories: [{name: flood, keywords: [banjir]}]", "categories: [{name: A}, {name: B}, {name: C}]", 1)))
	want := "spec.categories[0].name: must have lower-case letters, digits and '-' only, and no '-' at either end, as it becomes a label value; " +
		"spec.categories[0]: needs keywords, match or sourceValues, or nothing ever falls into it; " +
		"spec.categories[1].name: must have lower-case letters, digits and '-' only, and no '-' at either end, as it becomes a label value; " +
		"spec.categories[1]: needs keywords, match or sourceValues, or nothing ever falls into it; and 2 more"
	if diff := cmp.Diff(want, Message(g.Taxonomies["words"])); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAMessageIsBounded(t *testing.T) {
	message := Message(field.Errorf("rules", "%s", strings.Repeat("é", maxMessage)))
	if len(message) > maxMessage || !utf8.ValidString(message) || !strings.HasSuffix(message, "é...") {
		t.Errorf("got %d bytes: %s", len(message), message)
	}
}
