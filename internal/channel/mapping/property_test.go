package mapping

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/complaint"
)

// TestIdentifiersDoNotDependOnOrder: whatever the order of items and of their entries, and whether
// an entry was there when the item was read before, each event has the identifier it had.
func TestIdentifiersDoNotDependOnOrder(t *testing.T) {
	spec := &v1alpha1.EventMapping{CaseID: "item.id", Events: []v1alpha1.EventRule{
		{Kind: "Received", At: "item.at"},
		{Kind: "Answered", ForEach: "item.answers", At: "entry.at", Text: "entry.text"},
	}}
	m := compile(t, Response, spec, nil)
	type answer struct {
		At   string `json:"at"`
		Text string `json:"text"`
	}
	type item struct {
		ID      string   `json:"id"`
		At      string   `json:"at"`
		Answers []answer `json:"answers"`
	}
	instant := rapid.Custom(func(t *rapid.T) string {
		return fmt.Sprintf("2026-11-02T03:00:%02dZ", rapid.IntRange(0, 3).Draw(t, "second"))
	})
	rapid.Check(t, func(rt *rapid.T) {
		items := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) item {
			return item{
				ID: rapid.SampledFrom([]string{"A", "B", "A/Answered", "%2F", "C"}).Draw(t, "id"),
				At: instant.Draw(t, "at"),
				Answers: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) answer {
					return answer{At: instant.Draw(t, "at"), Text: rapid.SampledFrom([]string{"", "x", "y", "z"}).Draw(t, "text")}
				}), 0, 4).Draw(t, "answers"),
			}
		}), 0, 4, func(i item) string { return i.ID }).Draw(rt, "items")

		// What the events say is what their identifiers must tell apart.
		whole := map[string]complaint.Event{}
		for _, e := range read(t, m, items) {
			if known, ok := whole[e.ID]; ok {
				if diff := cmp.Diff(known, e); diff != "" {
					rt.Fatalf("one identifier for two events: %s", diff)
				}
			}
			whole[e.ID] = e
		}
		shuffled := rapid.Permutation(items).Draw(rt, "items again")
		for i := range shuffled {
			shuffled[i].Answers = rapid.Permutation(shuffled[i].Answers).Draw(rt, "answers again")
			keep := rapid.IntRange(0, len(shuffled[i].Answers)).Draw(rt, "answers there")
			shuffled[i].Answers = slices.Clone(shuffled[i].Answers[:keep])
		}
		for _, e := range read(t, m, shuffled) {
			if diff := cmp.Diff(whole[e.ID], e); diff != "" {
				rt.Fatalf("an event changed its identifier: %s", diff)
			}
		}
	})
}

func read(t testing.TB, m *Mapping, items any) []complaint.Event {
	t.Helper()
	raw, err := json.Marshal(items)
	if err != nil {
		t.Fatal(err)
	}
	return apply(t, m, string(raw)).Events
}

// FuzzApply: no document, however hostile, makes the mapping panic or give an event that breaks a rule.
func FuzzApply(f *testing.F) {
	spec := load(f, "portal.mapping.yaml")
	m := compile(f, Response, spec, jakarta(f))
	plain := compile(f, Response, simple("item.at"), nil)
	for _, seed := range []string{
		`{"data":[{"nomor":"1","judul":"a","isi":"b","status":"selesai","dibuat_pada":"2026-11-02 10:00:00","diperbarui_pada":"2026-11-02T10:00:00Z","tanggapan":[{"id":1,"peran":"petugas","isi":"x","waktu":"2026-11-02T10:00:00Z"}],"lokasi":{"lat":"-6,4","lon":106}}]}`,
		`[{"id":1,"at":"2026-11-02T10:00:00Z"},{"id":{},"at":[]}]`, `{"data":null}`, `{"data":[[[[]]]]}`, `null`, `1e999`, `"\u0000"`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		document, err := Decode(body)
		if err != nil {
			return
		}
		for _, m := range []*Mapping{m, plain} {
			first, err := m.Apply(document)
			if err != nil {
				continue
			}
			for i := range first.Events {
				if err := first.Events[i].Validate(); err != nil {
					t.Fatal(err)
				}
			}
			again, err := m.Apply(document)
			if diff := cmp.Diff(first, again); err != nil || diff != "" {
				t.Fatalf("read twice, it differs: %v %s", err, diff)
			}
		}
	})
}
