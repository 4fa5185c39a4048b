package taxonomy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// plain are words that no rule folds together.
var plain = []string{"banjir", "sampah", "jalan", "rusak", "pohon", "lampu", "mati", "macet", "lubang", "112", "massa", "tebang"}

func drawPhrase(t *rapid.T, label string, most int) []string {
	return rapid.SliceOfN(rapid.SampledFrom(plain), 1, most).Draw(t, label)
}

func drawSpec(t *rapid.T) (Spec, [][][]string) {
	var spec Spec
	var phrases [][][]string
	for i := range rapid.IntRange(1, 6).Draw(t, "categories") {
		c := Category{Name: fmt.Sprintf("c%d", i)}
		var own [][]string
		for range rapid.IntRange(1, 4).Draw(t, "keywords") {
			phrase := drawPhrase(t, "phrase", 3)
			own = append(own, phrase)
			c.Keywords = append(c.Keywords, strings.Join(phrase, " "))
		}
		spec.Categories = append(spec.Categories, c)
		phrases = append(phrases, own)
	}
	return spec, phrases
}

// oracle looks for every phrase of every category at every place.
func oracle(phrases [][][]string, text []string) string {
	for i, own := range phrases {
		for _, phrase := range own {
			for at := range text {
				if at+len(phrase) <= len(text) && slices.Equal(text[at:at+len(phrase)], phrase) {
					return fmt.Sprintf("c%d", i)
				}
			}
		}
	}
	return "uncategorized"
}

// decorate writes the words as people do: any case, emphasis, punctuation, accents.
func decorate(t *rapid.T, text []string) string {
	var b strings.Builder
	for _, word := range text {
		b.WriteString(rapid.SampledFrom([]string{" ", ", ", "...", "\n", " - ", "\u00a0", "😭", " #", "/"}).Draw(t, "separator"))
		for _, r := range word {
			letter := string(r)
			switch rapid.IntRange(0, 9).Draw(t, "style") {
			case 0:
				letter = strings.ToUpper(letter)
			case 1:
				if r >= 'a' {
					letter = strings.Repeat(letter, 3)
				}
			case 2:
				letter += "\u0301"
			case 3:
				if r >= 'a' && r <= 'z' {
					letter = string('ａ' + r - 'a')
				}
			}
			b.WriteString(letter)
		}
	}
	return b.String()
}

func TestScanEqualsTheOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec, phrases := drawSpec(t)
		taxonomy, err := Compile(spec)
		if err != nil {
			t.Fatal(err)
		}
		noise := append(slices.Clone(plain), "di", "depan", "rumah", "yang")
		text := rapid.SliceOfN(rapid.SampledFrom(noise), 0, 20).Draw(t, "text")
		want := oracle(phrases, text)
		if got := taxonomy.Classify(Input{Text: strings.Join(text, " ")}).Category; got != want {
			t.Fatalf("%v: got %s, want %s", text, got, want)
		}
		decorated := decorate(t, text)
		if got := taxonomy.Classify(Input{Text: decorated}).Category; got != want {
			t.Fatalf("%q: got %s, want %s", decorated, got, want)
		}
	})
}

func TestLeavingOutAVowelNeverFindsALaterCategoryThanTheWord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		taxonomy, err := Compile(depok())
		if err != nil {
			t.Fatal(err)
		}
		word := rapid.SampledFrom([]string{"banjir", "sampah", "pohon", "tebang", "macet", "kebakaran", "genangan"}).Draw(t, "word")
		var short strings.Builder
		for i := range len(word) {
			if i == 0 || !vowel(word[i]) || rapid.Bool().Draw(t, "keep") {
				short.WriteByte(word[i])
			}
		}
		whole := taxonomy.Classify(Input{Text: word}).Category
		if got := taxonomy.Classify(Input{Text: short.String()}).Category; got != whole && got != "other" {
			t.Fatalf("%s: got %s, want %s or nothing", short.String(), got, whole)
		}
	})
}

func TestDimensionsAreAlwaysOfTheSpecification(t *testing.T) {
	spec := depok()
	taxonomy := compile(t, spec)
	categories, departments := []string{"other"}, []string{"unassigned"}
	priorities := []string{"normal", "urgent", "high", "low"}
	for _, c := range spec.Categories {
		categories = append(categories, c.Name)
	}
	for _, d := range spec.Departments {
		departments = append(departments, d.Name)
	}
	rapid.Check(t, func(t *rapid.T) {
		d := taxonomy.Classify(Input{
			Channel: rapid.String().Draw(t, "channel"),
			Text:    rapid.String().Draw(t, "text"),
			Attributes: map[string]string{
				"category": rapid.String().Draw(t, "category"), "department": rapid.String().Draw(t, "department"),
				"priority": rapid.String().Draw(t, "priority"),
			},
		})
		if !slices.Contains(categories, d.Category) || !slices.Contains(departments, d.Department) || !slices.Contains(priorities, d.Priority) {
			t.Fatalf("%+v is not of the specification", d)
		}
	})
}

func FuzzClassify(f *testing.F) {
	for _, seed := range []string{"", "banjir di jl. Margonda", "\xff\xfe", "gorong2", "ﷺ", "é̀", "bnjrnya", strings.Repeat("lampu ", 100)} {
		f.Add(seed, seed)
	}
	taxonomy := compile(f, depok())
	f.Fuzz(func(t *testing.T, text, category string) {
		d := taxonomy.Classify(Input{Text: text, Attributes: map[string]string{"category": category}})
		if labelFault(d.Category) != "" || labelFault(d.Department) != "" || labelFault(d.Priority) != "" {
			t.Errorf("%+v are no labels", d)
		}
		// What a text is folded to is folded already.
		folded := foldValue(text)
		if again := foldValue(folded); again != folded && utf8.ValidString(folded) {
			t.Errorf("%q folds to %q and then to %q", text, folded, again)
		}
	})
}

func FuzzCompile(f *testing.F) {
	f.Add("flood", "banjir", "true", "Banjir")
	f.Add("", "!", "(", "")
	f.Fuzz(func(t *testing.T, name, keyword, match, value string) {
		spec := Spec{Categories: []Category{{Name: name, Keywords: []string{keyword}, Match: match, SourceValues: []string{value}}}}
		taxonomy, err := Compile(spec)
		if err != nil {
			return
		}
		// Whatever compiles finds its own keyword.
		if got := taxonomy.Classify(Input{Text: keyword}).Category; got != name {
			t.Errorf("%q gives %q", keyword, got)
		}
	})
}
