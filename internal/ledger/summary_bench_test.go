package ledger

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/policy"
)

// BenchmarkSummary copies 100,000 series, for which transactions wait, makes a summary of them and
// encodes it, for which they do not; and copies one that has changed.
func BenchmarkSummary(b *testing.B) {
	compiled, err := policy.Compile(samplePolicy())
	if err != nil {
		b.Fatal(err)
	}
	m := newMirror()
	m.policy = compiled
	all := tally{}
	for i := range 50_000 {
		d := complaint.Dimensions{Category: fmt.Sprint("category-", i%250), Department: fmt.Sprint("department-", i/250), Priority: "normal"}
		all.add(seriesKey("dsw", &d), seriesUnanswered, int64(i+1))
		all.add(clockKey("dsw", &d, "city", "FirstAnswer"), clockOverdue, int64(i+1))
	}
	m.figures.add(all, 1)
	b.Run("copy", func(b *testing.B) {
		for b.Loop() {
			m.outline(0, monday)
		}
	})
	b.Run("build", func(b *testing.B) {
		for b.Loop() {
			m.outline(0, monday).summary()
		}
	})
	s := m.outline(0, monday).summary()
	b.Run("encode", func(b *testing.B) {
		for b.Loop() {
			encoded, err := json.Marshal(s)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(encoded)))
		}
	})
	k := figureKey{familySeries, [6]string{"dsw", "category-7", "department-7", "normal"}}
	b.Run("change and copy the change", func(b *testing.B) {
		for n := int64(2); b.Loop(); n++ {
			m.figures.add(tally{k: {seriesUnanswered: 1}}, n)
			if o := m.outline(n-1, monday); len(o.figures) != 1 {
				b.Fatalf("%d rows have changed", len(o.figures))
			}
		}
	})
}
