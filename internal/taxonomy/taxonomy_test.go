package taxonomy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/field"
)

// depok is the taxonomy of the tests: the words of the city's complaints.
func depok() Spec {
	return Spec{
		Departments: []Department{
			{Name: "dpupr", SourceValues: []string{"DPUPR", "Dinas PUPR"}}, {Name: "dlhk"}, {Name: "dishub"}, {Name: "damkar"},
		},
		Categories: []Category{
			{Name: "fire", Department: "damkar", Priority: "urgent", Keywords: []string{"kebakaran", "asap tebal"}},
			{Name: "flood", Department: "dpupr", Priority: "high", Keywords: []string{"banjir", "genangan", "gorong-gorong", "selokan mampet"}, SourceValues: []string{"Banjir", "Drainase & Gorong-gorong"}},
			{Name: "tree", Department: "dlhk", Keywords: []string{"pohon tumbang", "pohon", "tebang"}},
			{Name: "garbage", Department: "dlhk", Keywords: []string{"sampah", "buang sembarangan", "bau"}},
			{Name: "light", Department: "dishub", Keywords: []string{"lampu jalan", "PJU"}},
			{Name: "road", Department: "dpupr", Keywords: []string{"jalan rusak", "berlubang"}, Match: `complaint.attributes.?source_type.orValue("") == "JLN-01"`},
			{Name: "traffic", Department: "dishub", Keywords: []string{"macet", "lalu lintas"}},
			{Name: "unfinished", Keywords: []string{"belum selesai", "tidak dijawab"}},
			{Name: "call", Keywords: []string{"112"}},
		},
		Priorities: []Priority{
			{Name: "urgent", Keywords: []string{"korban", "terjebak"}, SourceValues: []string{"Sangat Mendesak"}},
			{Name: "low", Match: `complaint.channel == "suggestions"`},
		},
		Fallback: Fallback{Category: "other"},
	}
}

func compile(t testing.TB, spec Spec) *Taxonomy {
	t.Helper()
	taxonomy, err := Compile(spec)
	if err != nil {
		t.Fatal(err)
	}
	return taxonomy
}

func TestCategoryOfText(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"a keyword as it is":                                     {"ada banjir di depan", "flood"},
		"case does not matter":                                   {"BANJIR!", "flood"},
		"nor does punctuation":                                   {"...banjir?!(lagi)", "flood"},
		"nor do diacritics":                                      {"bánjïr", "flood"},
		"nor the bold letters of a phone":                        {"𝐛𝐚𝐧𝐣𝐢𝐫 ｂａｎｊｉｒ", "flood"},
		"a word is whole: a part of one is none":                 {"kebanjiran dan banjirkanal", "other"},
		"-nya is written together with the noun":                 {"banjirnya sampai lutut", "flood"},
		"-ny is the same in a chat":                              {"sampahny menumpuk", "garbage"},
		"a letter repeated for emphasis":                         {"banjiiiirrrr", "flood"},
		"a doubled letter":                                       {"sampaah", "garbage"},
		"no vowels":                                              {"bnjr dmn mn", "flood"},
		"no vowels, and -nya":                                    {"bnjrnya", "flood"},
		"a vowel dropped at the beginning":                       {"bnjir lg", "flood"},
		"a vowel dropped at the end":                             {"banjr", "flood"},
		"a vowel dropped in garbage":                             {"smpah numpuk", "garbage"},
		"vowels dropped in a phrase":                             {"lmpu jln mati", "light"},
		"an abbreviation within a phrase":                        {"jln rusak parah", "road"},
		"a phrase in one word":                                   {"lalin padat", "traffic"},
		"a phrase over a line and a comma":                       {"lalu,\nlintas", "traffic"},
		"a phrase is in order":                                   {"lintas lalu", "other"},
		"a phrase has nothing in between":                        {"jalan sudah rusak", "other"},
		"a phrase that begins again":                             {"lampu lampu jalan", "light"},
		"blm is belum":                                           {"blm selesai", "unfinished"},
		"gk is tidak":                                            {"gk dijawab", "unfinished"},
		"gak is tidak":                                           {"gaaak dijawab", "unfinished"},
		"gorong2 is gorong-gorong":                               {"gorong2 mampet", "flood"},
		"gorong-gorong is two words":                             {"gorong gorong", "flood"},
		"one gorong is not":                                      {"gorong", "other"},
		"the first category wins, not the first word":            {"pohon roboh, banjir", "flood"},
		"digits are not folded":                                  {"nomor 1112 dan 12", "other"},
		"a number is a keyword":                                  {"sudah telepon 112", "call"},
		"a hashtag is a word":                                    {"#banjir", "flood"},
		"an apostrophe is within a word":                         {"ban'jir", "flood"},
		"an emoji separates words":                               {"banjir😭lagi", "flood"},
		"what can be pronounced is not taken for something else": {"bohlam pohan, mecet sampeh", "other"},
		"a short word is no abbreviation":                        {"pjl lmp b", "other"},
		"nothing at all":                                         {"", "other"},
		"bytes that are no text":                                 {"\xff\xfe banjir \xff", "flood"},
		"a word too long to be one":                              {strings.Repeat("xyz", 40) + " banjir", "flood"},
		"a keyword within a long word is none":                   {strings.Repeat("xyz", 40) + "banjir", "other"},
	}
	taxonomy := compile(t, depok())
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := taxonomy.Classify(Input{Text: tt.text}).Category; got != tt.want {
				t.Errorf("%q: got %s, want %s", tt.text, got, tt.want)
			}
		})
	}
}

func TestDoubledLettersOfTheWordItself(t *testing.T) {
	taxonomy := compile(t, Spec{Categories: []Category{
		{Name: "mob", Keywords: []string{"massa"}}, {Name: "era", Keywords: []string{"masa"}}, {Name: "moment", Keywords: []string{"saat"}},
	}})
	for text, want := range map[string]string{
		"massa": "mob", "masa": "era", "massaaa": "mob", "masaaa": "era", "saat": "moment", "saaaat": "moment", "sat": "uncategorized",
	} {
		if got := taxonomy.Classify(Input{Text: text}).Category; got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

func TestPhrases(t *testing.T) {
	again := strings.TrimSpace(strings.Repeat("lagi ", maxPhrase))
	taxonomy := compile(t, Spec{Categories: []Category{
		{Name: "four", Keywords: []string{"tempat pembuangan sampah liar"}},
		{Name: "within", Keywords: []string{"pembuangan sampah resmi"}},
		{Name: "longest", Keywords: []string{again}},
	}})
	for text, want := range map[string]string{
		"ada tempat pembuangan sampah liar":                               "four",
		"tempat pembuangan sampah resmi":                                  "within",
		"tempat tempat pembuangan sampah liar":                            "four",
		"tempat pembuangan sampah":                                        "uncategorized",
		"tempat pembuangan " + strings.Repeat("xyz", 40) + " sampah liar": "uncategorized",
		again:                              "longest",
		again + " " + again + " lagi":      "longest",
		strings.TrimPrefix(again, "lagi "): "uncategorized",
	} {
		if got := taxonomy.Classify(Input{Text: text}).Category; got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

func TestOnlyVowelsAreLeftOutAndOnlyOfWhatCannotBePronounced(t *testing.T) {
	taxonomy := compile(t, Spec{Categories: []Category{{Name: "known", Keywords: []string{"banjir", "antrian", "jalanan", "sekrup", "kontes", "belok"}}}})
	for text, known := range map[string]bool{
		"bnjr": true, "bnjir": true, "bnjor": false, "bnjira": false,
		"antrn": true, "ntrian": false, // the first letter stays
		"jlnan": true, "jalnan": false, "skrup": false, "konts": false, "blok": false,
	} {
		if got := taxonomy.Classify(Input{Text: text}).Category == "known"; got != known {
			t.Errorf("%s: got %v", text, got)
		}
	}
}

func TestAPhraseInOneWordNeedsAllOfItsWords(t *testing.T) {
	taxonomy := compile(t, Spec{Categories: []Category{{Name: "across", Keywords: []string{"lintas"}}}})
	if got := taxonomy.Classify(Input{Text: "lalin padat"}).Category; got != "uncategorized" {
		t.Errorf("got %s", got)
	}
}

func TestTheFallbackIsTheSpecifications(t *testing.T) {
	spec := depok()
	spec.Fallback = Fallback{Category: "other", Department: "desk", Priority: "later"}
	if diff := cmp.Diff(complaint.Dimensions{Category: "other", Department: "desk", Priority: "later"}, compile(t, spec).Classify(Input{Text: "halo"})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestASourceValueWinsOverALabelOfItsName(t *testing.T) {
	taxonomy := compile(t, Spec{Categories: []Category{{Name: "road", SourceValues: []string{"Jalan"}}, {Name: "jalan", Keywords: []string{"jalan"}}}})
	if got := taxonomy.Classify(Input{Attributes: map[string]string{"category": "jalan"}}).Category; got != "road" {
		t.Errorf("got %s", got)
	}
}

func TestVowelsLeftOutOfSeveralWordsMeanNone(t *testing.T) {
	taxonomy := compile(t, Spec{Categories: []Category{
		{Name: "dry", Keywords: []string{"kering"}}, {Name: "coral", Keywords: []string{"karang"}},
	}})
	for text, want := range map[string]string{"krng": "uncategorized", "kring": "uncategorized", "kering": "dry"} {
		if got := taxonomy.Classify(Input{Text: text}).Category; got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

func TestDimensions(t *testing.T) {
	tests := map[string]struct {
		in   Input
		want complaint.Dimensions
	}{
		"department and priority are the category's": {
			Input{Text: "banjir"}, complaint.Dimensions{Category: "flood", Department: "dpupr", Priority: "high"}},
		"what the category leaves out is the fallback's": {
			Input{Text: "blm selesai"}, complaint.Dimensions{Category: "unfinished", Department: "unassigned", Priority: "normal"}},
		"nothing matches": {
			Input{Text: "halo"}, complaint.Dimensions{Category: "other", Department: "unassigned", Priority: "normal"}},
		"a priority's keyword wins over the category's": {
			Input{Text: "banjir, ada korban"}, complaint.Dimensions{Category: "flood", Department: "dpupr", Priority: "urgent"}},
		"a priority's keyword without a category": {
			Input{Text: "ada yang terjebak"}, complaint.Dimensions{Category: "other", Department: "unassigned", Priority: "urgent"}},
		"a priority by expression": {
			Input{Channel: "suggestions", Text: "sampah"}, complaint.Dimensions{Category: "garbage", Department: "dlhk", Priority: "low"}},
		"an expression stands in the order of the categories": {
			Input{Text: "macet", Attributes: map[string]string{"source_type": "JLN-01"}}, complaint.Dimensions{Category: "road", Department: "dpupr", Priority: "normal"}},
		"an earlier keyword wins over an expression": {
			Input{Text: "banjir", Attributes: map[string]string{"source_type": "JLN-01"}}, complaint.Dimensions{Category: "flood", Department: "dpupr", Priority: "high"}},
		"the source's own name wins over the text": {
			Input{Text: "sampah", Attributes: map[string]string{"category": "drainase   gorong gorong"}}, complaint.Dimensions{Category: "flood", Department: "dpupr", Priority: "high"}},
		"the source may use the label": {
			Input{Text: "sampah", Attributes: map[string]string{"category": "Tree"}}, complaint.Dimensions{Category: "tree", Department: "dlhk", Priority: "normal"}},
		"also that of a department and of a priority": {
			Input{Text: "banjir", Attributes: map[string]string{"department": "DLHK", "priority": "LOW"}}, complaint.Dimensions{Category: "flood", Department: "dlhk", Priority: "low"}},
		"or those of the fallback": {
			Input{Text: "banjir", Attributes: map[string]string{"department": "Unassigned", "priority": "Normal"}}, complaint.Dimensions{Category: "flood", Department: "unassigned", Priority: "normal"}},
		"a source value nobody declared does not become a label": {
			Input{Text: "sampah", Attributes: map[string]string{"category": "Lain-lain", "department": "Bappeda", "priority": "P9"}}, complaint.Dimensions{Category: "garbage", Department: "dlhk", Priority: "normal"}},
		"the source's department wins over the category's": {
			Input{Text: "sampah", Attributes: map[string]string{"department": "dinas pupr"}}, complaint.Dimensions{Category: "garbage", Department: "dpupr", Priority: "normal"}},
		"the source's priority wins over everything": {
			Input{Text: "banjir", Attributes: map[string]string{"priority": "SANGAT MENDESAK"}}, complaint.Dimensions{Category: "flood", Department: "dpupr", Priority: "urgent"}},
		"a priority that only categories have is known": {
			Input{Text: "sampah, ada korban", Attributes: map[string]string{"priority": "High"}}, complaint.Dimensions{Category: "garbage", Department: "dlhk", Priority: "high"}},
	}
	taxonomy := compile(t, depok())
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, taxonomy.Classify(tt.in)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWithoutATaxonomyEverythingIsTheDefault(t *testing.T) {
	var none *Taxonomy
	want := complaint.Dimensions{Category: "uncategorized", Department: "unassigned", Priority: "normal"}
	if diff := cmp.Diff(want, none.Classify(Input{Text: "banjir"})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAnExpressionThatFailsDoesNotMatch(t *testing.T) {
	taxonomy := compile(t, Spec{Categories: []Category{
		{Name: "first", Match: `complaint.attributes.kecamatan == "Beji"`}, {Name: "second", Keywords: []string{"banjir"}},
	}})
	if got := taxonomy.Classify(Input{Text: "banjir"}).Category; got != "second" {
		t.Errorf("got %s", got)
	}
	if got := taxonomy.Classify(Input{Text: "banjir", Attributes: map[string]string{"kecamatan": "Beji"}}).Category; got != "first" {
		t.Errorf("got %s", got)
	}
}

func TestFaults(t *testing.T) {
	ok := []Category{{Name: "a", Keywords: []string{"x1"}}}
	tests := map[string]struct {
		spec Spec
		want []string
	}{
		"no category": {Spec{}, []string{"categories: must have at least one category"}},
		"a name that is no label": {Spec{Categories: []Category{{Name: "Banjir Besar", Keywords: []string{"banjir"}}}},
			[]string{"categories[0].name: must have lower-case letters, digits and '-' only, and no '-' at either end, as it becomes a label value"}},
		"a name that is missing": {Spec{Categories: []Category{{Keywords: []string{"banjir"}}}}, []string{"categories[0].name: must not be empty"}},
		"a name that is too long": {Spec{Categories: []Category{{Name: strings.Repeat("a", 64), Keywords: []string{"b"}}}},
			[]string{"categories[0].name: has 64 characters, at most 63 are allowed"}},
		"a name twice": {Spec{Categories: append(ok, ok[0])}, []string{`categories[1].name: "a" stands here a second time`}},
		"a category into which nothing falls": {Spec{Categories: []Category{{Name: "a"}}},
			[]string{"categories[0]: needs keywords, match or sourceValues, or nothing ever falls into it"}},
		"a department nobody declared": {Spec{Categories: []Category{{Name: "a", Keywords: []string{"x1"}, Department: "dpupr"}}},
			[]string{`categories[0].department: "dpupr" does not stand in departments`}},
		"a keyword without a letter": {Spec{Categories: []Category{{Name: "a", Keywords: []string{"x1", "!?"}}}},
			[]string{"categories[0].keywords[1]: has neither a letter nor a digit"}},
		"a keyword that is an essay": {Spec{Categories: []Category{{Name: "a", Keywords: []string{strings.Repeat("ab ", 17)}}}},
			[]string{"categories[0].keywords[0]: has 17 words, at most 16 are allowed"}},
		"a keyword that is no word": {Spec{Categories: []Category{{Name: "a", Keywords: []string{strings.Repeat("ab", 30)}}}},
			[]string{"categories[0].keywords[0]: has a word of more than 48 letters"}},
		"a source value of two categories": {Spec{Categories: []Category{{Name: "a", SourceValues: []string{"Jalan"}}, {Name: "b", SourceValues: []string{"x", "JALAN!"}}}},
			[]string{`categories[1].sourceValues[1]: "JALAN!" already stands for "a"`}},
		"an expression that does not compile": {Spec{Categories: []Category{{Name: "a", Match: `complaint.txt == "x"`}}},
			[]string{`categories[0].match: line 1, column 10: there is no field "txt" here`}},
		"an expression that gives a text": {Spec{Categories: ok, Priorities: []Priority{{Name: "p", Match: `complaint.text`}}},
			[]string{"priorities[0].match: line 1, column 1: the expression gives a string, but a bool is expected"}},
		"a priority that nothing gets": {Spec{Categories: ok, Priorities: []Priority{{Name: "p"}}},
			[]string{"priorities[0]: needs keywords, match or sourceValues, or nothing ever gets it"}},
		"several faults at once": {Spec{Categories: []Category{{Name: "-", Keywords: []string{"?"}}}, Fallback: Fallback{Priority: "P 1"}}, []string{
			"fallback.priority: must have lower-case letters, digits and '-' only, and no '-' at either end, as it becomes a label value",
			"categories[0].name: must have lower-case letters, digits and '-' only, and no '-' at either end, as it becomes a label value",
			"categories[0].keywords[0]: has neither a letter nor a digit"}},
		"labels of every kind": {Spec{Categories: []Category{{Name: "a", Keywords: []string{"x1"}, Priority: "P1"}}, Priorities: []Priority{{Name: "p_1", Keywords: []string{"x1"}}},
			Fallback: Fallback{Category: "lain lain", Department: "-"}}, []string{
			"fallback.category: must have lower-case letters, digits and '-' only, and no '-' at either end, as it becomes a label value",
			"fallback.department: must have lower-case letters, digits and '-' only, and no '-' at either end, as it becomes a label value",
			"categories[0].priority: must have lower-case letters, digits and '-' only, and no '-' at either end, as it becomes a label value",
			"priorities[0].name: must have lower-case letters, digits and '-' only, and no '-' at either end, as it becomes a label value"}},
		"source values without a letter": {Spec{Categories: []Category{{Name: "a", SourceValues: []string{"-"}}}, Departments: []Department{{Name: "d", SourceValues: []string{"!"}}}},
			[]string{"departments[0].sourceValues[0]: has neither a letter nor a digit", "categories[0].sourceValues[0]: has neither a letter nor a digit"}},
		"a department that is no label": {Spec{Categories: ok, Departments: []Department{{Name: "PUPR"}, {Name: "x"}, {Name: "x"}}}, []string{
			"departments[0].name: must have lower-case letters, digits and '-' only, and no '-' at either end, as it becomes a label value",
			`departments[2].name: "x" stands here a second time`}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Compile(tt.spec)
			var got []string
			for _, f := range field.All(err) {
				got = append(got, f.Error())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
