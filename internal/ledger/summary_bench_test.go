package ledger

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/policy"
)

// BenchmarkSummary copies 100,000 series, for which transactions wait, makes a summary of them and
// encodes it, for which they do not.
func BenchmarkSummary(b *testing.B) {
	compiled, err := policy.Compile(samplePolicy())
	if err != nil {
		b.Fatal(err)
	}
	m := &mirror{policy: compiled, figures: ledgerFigures{byKey: tally{}}, channels: map[string]*channelState{}}
	all := tally{}
	for i := range 50_000 {
		d := complaint.Dimensions{Category: fmt.Sprint("category-", i%250), Department: fmt.Sprint("department-", i/250), Priority: "normal"}
		all.add(seriesKey("dsw", &d), seriesUnanswered, int64(i+1))
		all.add(clockKey("dsw", &d, "city", "FirstAnswer"), clockOverdue, int64(i+1))
	}
	m.figures.add(all)
	b.Run("copy", func(b *testing.B) {
		for b.Loop() {
			m.outline(monday)
		}
	})
	b.Run("build", func(b *testing.B) {
		for b.Loop() {
			fill(m.outline(monday))
		}
	})
	s, channels, figures := m.outline(monday)
	fill(s, channels, figures)
	b.Run("encode", func(b *testing.B) {
		for b.Loop() {
			encoded, err := json.Marshal(s)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(encoded)))
		}
	})
}
