package manifest

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/calendar"
	"github.com/tanggap/tanggap/internal/policy"
	"github.com/tanggap/tanggap/internal/sla"
)

const oneSLA = `apiVersion: tanggap.dev/v1alpha1
kind: ResponseSLA
metadata:
  name: city
spec:
  calendarRef: {name: office}
  rules:
    - name: all
      clocks:
        - name: answer
          measures: FirstAnswer
          target: {workingTime: 8h}
---
apiVersion: tanggap.dev/v1alpha1
kind: WorkCalendar
metadata:
  name: office
spec:
  timeZone: Asia/Jakarta
  weekly:
    - days: [Monday]
      hours: [{start: "08:00", end: "16:00"}]
  holidays:
    - date: 2026-12-25
`

func TestReadPolicy(t *testing.T) {
	want := policy.Document{
		Channels: map[string]policy.Channel{},
		SLAs: map[string]sla.Spec{"city": {
			CalendarRef: &sla.Reference{Name: "office"},
			Rules:       []sla.Rule{{Name: "all", Clocks: []sla.Clock{{Name: "answer", Measures: "FirstAnswer", Target: sla.Target{WorkingTime: "8h0m0s"}}}}},
		}},
		Calendars: map[string]calendar.Spec{"office": {
			TimeZone: "Asia/Jakarta",
			Weekly:   []calendar.WeeklyHours{{Days: []string{"Monday"}, Hours: []calendar.Interval{{Start: "08:00", End: "16:00"}}}},
			Holidays: []calendar.Holiday{{Date: "2026-12-25"}},
		}},
	}
	asList := "apiVersion: v1\nkind: List\nitems:\n"
	for document := range strings.SplitSeq(oneSLA, "---\n") {
		asList += "- " + strings.ReplaceAll(strings.TrimSpace(document), "\n", "\n  ") + "\n"
	}
	sla, rest, _ := strings.Cut(oneSLA, "---\n")
	for name, file := range map[string]string{
		"as it is applied":                      oneSLA,
		"with what kubectl get adds":            strings.Replace(oneSLA, "  name: city\n", "  name: city\n  creationTimestamp: null\n  managedFields: [{manager: kubectl, fieldsV1: {'f:spec': {}}}]\n", 1) + "status: {observedGeneration: 2}\n",
		"as a List":                             asList,
		"with comments and empty documents":     "# clocks\n---\n---\n# one\n" + oneSLA + "---\n",
		"with objects of other groups":          "apiVersion: v1\nkind: Namespace\nmetadata: {name: depok}\n---\n" + oneSLA,
		"with a ledger, which no clock needs":   oneSLA + "---\napiVersion: tanggap.dev/v1alpha1\nkind: ComplaintLedger\nmetadata: {name: ledger}\n",
		"with Windows line ends":                strings.ReplaceAll(oneSLA, "\n", "\r\n"),
		"with an anchor and its alias":          strings.Replace(oneSLA, "      clocks:\n        - name: answer\n          measures: FirstAnswer\n          target: {workingTime: 8h}\n", "      clocks: [&a {name: answer, measures: FirstAnswer, target: {workingTime: 8h}}]\n", 1),
		"with a merge, in which one's own wins": strings.Replace(oneSLA, "- name: answer\n          measures: FirstAnswer\n          target: {workingTime: 8h}", "- <<: {measures: FirstAnswer, name: other, target: {workingTime: 8h}}\n          name: answer", 1),
		"in JSON": func() string {
			first, _ := yaml.YAMLToJSON([]byte(sla))
			second, _ := yaml.YAMLToJSON([]byte(rest))
			return string(first) + "\n---\n" + string(second)
		}(),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ReadPolicy("policy.yaml", strings.NewReader(file))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got.Document); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFaultsOfAPolicy(t *testing.T) {
	replaced := func(part, by string) string {
		if !strings.Contains(oneSLA, part) {
			t.Fatalf("there is no %q", part)
		}
		return strings.Replace(oneSLA, part, by, 1)
	}
	tests := map[string]struct{ file, want string }{
		"a field that does not exist":         {replaced("measures:", "measure:"), `p.yaml:11:11: spec.rules[0].clocks[0].measure: there is no such field; the fields are name, measures, startsOn, target, pauseWhile, warnBefore, resolvedCountsAsAnswer`},
		"a number where text belongs":         {replaced("- name: all", "- name: 7"), `p.yaml:8:13: spec.rules[0].name: must be text, not a number; put it in quotes: "7"`},
		"a word that YAML takes for false":    {replaced("- name: all", "- name: no"), `p.yaml:8:13: spec.rules[0].name: must be text, not true or false; put it in quotes: "no"`},
		"text where a number belongs":         {replaced("{workingTime: 8h}", "{workingDays: three}"), `p.yaml:12:33: spec.rules[0].clocks[0].target.workingDays: must be a whole number, not text`},
		"a fraction where a number belongs":   {replaced("{workingTime: 8h}", "{workingDays: 1.5}"), `p.yaml:12:33: spec.rules[0].clocks[0].target.workingDays: must be a whole number, not a number`},
		"a duration that is none":             {replaced("8h}", "8 hours}"), `p.yaml:12:33: spec.rules[0].clocks[0].target.workingTime: must be a duration such as 15m or 8h`},
		"a mapping where a list belongs":      {replaced("    - name: all\n      clocks:\n        - name: answer\n          measures: FirstAnswer\n          target: {workingTime: 8h}", "    name: all"), `p.yaml:8:5: spec.rules: must be a list, not a mapping`},
		"a list where a mapping belongs":      {replaced("{name: office}", "[office]"), `p.yaml:6:16: spec.calendarRef: must be a mapping, not a list`},
		"a word where true or false belongs":  {"apiVersion: tanggap.dev/v1alpha1\nkind: ComplaintChannel\nmetadata: {name: x}\nspec:\n  official: maybe\n  source: {type: rest}\n", `p.yaml:5:13: spec.official: must be true or false, not text`},
		"a list where text belongs":           {replaced("- name: all", "- name: [all]"), `p.yaml:8:13: spec.rules[0].name: must be text, not a list`},
		"a word where a time belongs":         {replaced("  rules:\n", "  enforceFrom: tomorrow\n  rules:\n"), `p.yaml:7:16: spec.enforceFrom: must be a time such as 2026-01-01T00:00:00+07:00`},
		"a key that stands twice":             {replaced("          measures: FirstAnswer\n", "          measures: FirstAnswer\n          measures: NextReply\n"), `p.yaml:12:11: "measures" stands here a second time, first in line 11`},
		"no name":                             {replaced("  name: city\n", "  labels: {a: b}\n"), `p.yaml:4:3: metadata.name: must not be empty`},
		"no spec":                             {"apiVersion: tanggap.dev/v1alpha1\nkind: ResponseSLA\nmetadata: {name: x}\n", `p.yaml:1:1: spec: must be there`},
		"a name that stands twice":            {oneSLA + "---\n" + oneSLA, "p.yaml:29:9: metadata.name: the file has the ResponseSLA \"city\" already, in line 1\np.yaml:42:9: metadata.name: the file has the WorkCalendar \"office\" already, in line 14"},
		"another version":                     {replaced("v1alpha1", "v1"), `p.yaml:1:13: apiVersion: must be tanggap.dev/v1alpha1 for a ResponseSLA`},
		"another group":                       {replaced("tanggap.dev", "tangap.dev"), `p.yaml:1:13: apiVersion: must be tanggap.dev/v1alpha1 for a ResponseSLA`},
		"a kind that does not exist":          {replaced("kind: ResponseSLA", "kind: ResponseSLo"), `p.yaml:2:7: kind: tanggap.dev/v1alpha1 has no kind "ResponseSLo"; the kinds are ComplaintChannel, ComplaintLedger, ComplaintTaxonomy, ResponseSLA, WorkCalendar`},
		"something else than an object":       {"- a\n", `p.yaml:1:1: must be a Kubernetes object with apiVersion, kind, metadata and spec, not a list`},
		"no apiVersion":                       {"kind: ResponseSLA\n", `p.yaml:1:1: must be a Kubernetes object with apiVersion and kind`},
		"no kind":                             {"a: b\n", `p.yaml:1:1: must be a Kubernetes object with apiVersion and kind`},
		"no YAML":                             {"apiVersion: [\n", `p.yaml:1:1: this is not YAML: `},
		"several faults, in their order":      {replaced("measures:", "measure:") + "  seazons: []\n", "p.yaml:11:11: spec.rules[0].clocks[0].measure: there is no such field; the fields are name, measures, startsOn, target, pauseWhile, warnBefore, resolvedCountsAsAnswer\np.yaml:25:3: spec.seazons: there is no such field; the fields are timeZone, weekly, seasons, holidays, specialDays, coversUntil"},
		"aliases that stand for ever so much": {"a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n", `p.yaml:1:26: the file is too large or too deeply nested from here on`},
		"an alias of what it stands in":       {"a: &a {b: *a}\n", `p.yaml:1:4: the file is too large or too deeply nested from here on`},
		"a file of any size":                  {strings.Repeat("#", maxFileBytes+1), `p.yaml:1:1: the file has more than 8388608 bytes`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := ReadPolicy("p.yaml", strings.NewReader(tt.file))
			if err == nil {
				t.Fatal("there is no fault")
			}
			got := err.Error()
			if strings.HasSuffix(tt.want, ": ") && strings.HasPrefix(got, tt.want) {
				return // the words are those of the YAML parser
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFaultsOfThePolicyHaveTheirPlace(t *testing.T) {
	channel := "---\napiVersion: tanggap.dev/v1alpha1\nkind: ComplaintChannel\nmetadata: {name: dsw}\nspec:\n  source: {type: rest}\n  slaRef:\n    name: town\n"
	words := "---\napiVersion: tanggap.dev/v1alpha1\nkind: ComplaintTaxonomy\nmetadata: {name: words}\nspec:\n  categories:\n    - name: flood\n      match: complaint.txt == ''\n    - name: A\n"
	for name, tt := range map[string]struct{ file, want string }{
		"a reference": {oneSLA + channel, `p.yaml:32:11: spec.slaRef.name: there is no ResponseSLA "town"`},
		"an expression and what has no field of its own": {oneSLA + words, `p.yaml:32:23: spec.categories[0].match: there is no field "txt" here
p.yaml:33:7: spec.categories[1]: needs keywords, match or sourceValues, or nothing ever falls into it
p.yaml:33:13: spec.categories[1].name: must have lower-case letters, digits and '-' only, and no '-' at either end, as it becomes a label value`},
		"of an object whose name has dots, and begins with another's": {
			oneSLA + "---\n" + strings.NewReplacer("name: city", "name: city.v2", "{name: office}", "{name: shop}", "name: office\n", "name: office.v2\n", "Asia/Jakarta", "Asia/Depok").Replace(oneSLA),
			`p.yaml:31:23: spec.calendarRef.name: there is no WorkCalendar "shop"
p.yaml:44:13: spec.timeZone: is not in the time zone database; it must be an IANA name such as Asia/Jakarta`},
		"a calendar that is missing": {strings.Replace(oneSLA, "  name: office\n", "  name: shop\n", 1), `p.yaml:6:23: spec.calendarRef.name: there is no WorkCalendar "office"`},
	} {
		t.Run(name, func(t *testing.T) {
			file, err := ReadPolicy("p.yaml", strings.NewReader(tt.file))
			if err != nil {
				t.Fatal(err)
			}
			_, err = file.Compile(file.Document)
			if err == nil {
				t.Fatal("there is no fault")
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFaultsOfExpressionsHaveTheirPlaceWithinThem(t *testing.T) {
	for name, tt := range map[string]struct{ match, want string }{
		"plain":             {`complaint.text == '' && complaint.txt == ''`, `7:47: spec.categories[0].match: there is no field "txt" here`},
		"in single quotes":  {`'complaint.txt == "x"'`, `7:24: spec.categories[0].match: there is no field "txt" here`},
		"in double quotes":  {`"complaint.txt == 'é'"`, `7:24: spec.categories[0].match: there is no field "txt" here`},
		"with an escape":    {`"\"\" == complaint.txt"`, `7:14: spec.categories[0].match: line 1, column 16: there is no field "txt" here`},
		"plain over lines":  {"complaint.text == ''\n        && complaint.txt == ''", `8:21: spec.categories[0].match: there is no field "txt" here`},
		"a block of lines":  {"|\n        complaint.text == '' &&\n          complaint.txt == ''", `9:20: spec.categories[0].match: there is no field "txt" here`},
		"a folded block":    {">-\n        complaint.text == '' &&\n        complaint.txt == ''", `9:18: spec.categories[0].match: there is no field "txt" here`},
		"the whole of it":   {"complaint.text", `7:14: spec.categories[0].match: the expression gives a string, but a bool is expected`},
		"its end":           {"complaint.text ==", `7:31: spec.categories[0].match: syntax error: unexpected the end of the expression`},
		"after a character": {`'"é" == complaint.txt'`, `7:31: spec.categories[0].match: there is no field "txt" here`},
	} {
		t.Run(name, func(t *testing.T) {
			text := "apiVersion: tanggap.dev/v1alpha1\nkind: ComplaintTaxonomy\nmetadata: {name: words}\nspec:\n  categories:\n    - name: flood\n      match: " + tt.match + "\n"
			file, err := ReadPolicy("p", strings.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			if _, err = file.Compile(file.Document); err == nil {
				t.Fatal("there is no fault")
			}
			if diff := cmp.Diff("p:"+tt.want, err.Error()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRefuse(t *testing.T) {
	file, err := ReadPolicy("p.yaml", strings.NewReader("apiVersion: v1\nkind: Secret\n---\napiVersion: v1\nkind: Secret\n---\napiVersion: apps/v1\nkind: Deployment\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := file.Refuse("there is no %s", "SLA").Error(), "p.yaml:1:1: there is no SLA (passed over: Deployment, Secret)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestEveryFieldIsRead writes objects with every field set as YAML, as kubectl would, and reads them back.
func TestEveryFieldIsRead(t *testing.T) {
	for name, object := range map[string]any{
		"ComplaintChannel":  new(filled[v1alpha1.ComplaintChannel]()),
		"ComplaintLedger":   new(filled[v1alpha1.ComplaintLedger]()),
		"ResponseSLA":       new(filled[v1alpha1.ResponseSLA]()),
		"WorkCalendar":      new(filled[v1alpha1.WorkCalendar]()),
		"ComplaintTaxonomy": new(filled[v1alpha1.ComplaintTaxonomy]()),
	} {
		t.Run(name, func(t *testing.T) {
			written, err := yaml.Marshal(object)
			if err != nil {
				t.Fatal(err)
			}
			f := faults{file: name}
			d := &decoder{faults: &f}
			got := reflect.New(reflect.TypeOf(object).Elem())
			for _, root := range readDocuments(written, &f) {
				d.value(root, got.Elem(), "")
			}
			if err := f.err(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(plainJSON(t, object), plainJSON(t, got.Interface())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzReadPolicy(f *testing.F) {
	f.Add(oneSLA)
	f.Add(city)
	f.Add("a: &a {<<: *a}")
	f.Add("apiVersion: v1\nkind: List\nitems: [*x]")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := ReadPolicy("p.yaml", strings.NewReader(text))
		if err == nil {
			if _, err = file.Compile(file.Document); err == nil {
				return
			}
		}
		for line := range strings.SplitSeq(err.Error(), "\n") {
			if !strings.HasPrefix(line, "p.yaml:") {
				t.Errorf("%q has no place", line)
			}
		}
		var fault *FileError
		if !errors.As(err, &fault) || fault.Line < 1 || fault.Column < 1 {
			t.Errorf("%v is no FileError", err)
		}
	})
}

// TestTheSamplesAreAPolicy reads what `kubectl apply -k config/samples/depok` applies.
func TestTheSamplesAreAPolicy(t *testing.T) {
	paths, err := filepath.Glob("../../config/samples/depok/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	var all []string
	for _, path := range paths {
		if filepath.Base(path) == "kustomization.yaml" {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(text))
	}
	file, err := ReadPolicy("samples", strings.NewReader(strings.Join(all, "\n---\n")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Compile(file.Document); err != nil {
		t.Error(err)
	}
	if len(file.Document.SLAs) == 0 || len(file.Document.Calendars) == 0 || len(file.Document.Taxonomies) == 0 {
		t.Errorf("there are %d SLAs, %d calendars and %d taxonomies", len(file.Document.SLAs), len(file.Document.Calendars), len(file.Document.Taxonomies))
	}
}
