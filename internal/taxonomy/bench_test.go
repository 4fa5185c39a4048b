package taxonomy

import (
	"fmt"
	"strings"
	"testing"
	"unicode"
)

// text500 is a complaint of 500 characters whose keyword stands at its end.
var text500 = (strings.Repeat("Selamat pagi pak, mohon maaf mengganggu, saya warga RT 03/05 kel. Mekarjaya mau lapor, "+
	"sdh 3 hari air tdk surut di dpn rumah krn saluran mampet dan blm ada petugas yg datang, ", 3))[:470] + " tolong segera, bnjr lagi pak"

// keywords200 are 200 keywords of 20 categories, of which the last one matches text500.
func keywords200() Spec {
	syllables := []string{"ba", "ke", "ti", "mo", "lu", "sa", "ra", "ni", "do", "pe"}
	var spec Spec
	for i := range 20 {
		c := Category{Name: fmt.Sprintf("category-%d", i)}
		for j := range 10 {
			word := syllables[i%10] + syllables[j] + syllables[(i+j)%10] + syllables[(i/10+3)%10]
			if j%3 == 0 {
				word += " jalan " + syllables[j] + "ng"
			}
			c.Keywords = append(c.Keywords, word)
		}
		spec.Categories = append(spec.Categories, c)
	}
	spec.Categories[19].Keywords[9] = "banjir"
	return spec
}

func BenchmarkClassify500CharactersAgainst200Keywords(b *testing.B) {
	taxonomy := compile(b, keywords200())
	in := Input{Channel: "dsw", Text: text500}
	if got := taxonomy.Classify(in).Category; got != "category-19" {
		b.Fatalf("got %s", got)
	}
	b.SetBytes(int64(len(in.Text)))
	b.ReportAllocs()
	for b.Loop() {
		taxonomy.Classify(in)
	}
}

// BenchmarkNaive500CharactersAgainst200Keywords is the obvious way, which folds case and punctuation
// only: one search of the text for each keyword.
func BenchmarkNaive500CharactersAgainst200Keywords(b *testing.B) {
	spec := keywords200()
	b.SetBytes(int64(len(text500)))
	b.ReportAllocs()
	for b.Loop() {
		folded := " " + strings.Join(strings.FieldsFunc(strings.ToLower(text500), func(r rune) bool {
			return !unicode.IsLetter(r) && !unicode.IsDigit(r)
		}), " ") + " "
		for _, c := range spec.Categories {
			for _, keyword := range c.Keywords {
				if strings.Contains(folded, " "+keyword+" ") {
					break
				}
			}
		}
	}
}

func BenchmarkClassifyWithAnExpressionPerCategory(b *testing.B) {
	spec := keywords200()
	for i := range spec.Categories {
		spec.Categories[i].Match = `complaint.channel == "x" && complaint.text.contains("banjir")`
	}
	taxonomy := compile(b, spec)
	in := Input{Channel: "dsw", Text: text500}
	b.ReportAllocs()
	for b.Loop() {
		taxonomy.Classify(in)
	}
}

func BenchmarkCompile200Keywords(b *testing.B) {
	spec := keywords200()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile(spec); err != nil {
			b.Fatal(err)
		}
	}
}

func TestClassifyDoesNotAllocate(t *testing.T) {
	taxonomy := compile(t, keywords200())
	in := Input{Text: text500, Attributes: map[string]string{"category": "Sesuatu", "priority": "P1"}}
	if got := testing.AllocsPerRun(100, func() { taxonomy.Classify(in) }); got != 0 {
		t.Errorf("allocates %v times", got)
	}
}
