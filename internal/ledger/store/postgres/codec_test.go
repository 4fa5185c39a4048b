package postgres

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tanggap/tanggap/internal/ledger/store"
)

// TestArraysComeBackAsRows sends columns to the server and reads them back: columns of NULLs alone, which are
// sent as empty arrays, among columns that are full or have gaps.
func TestArraysComeBackAsRows(t *testing.T) {
	name := database(t, server)
	s := open(t, Options{URL: server.URLAs(name, name)})
	type line struct {
		N      int64
		At     time.Time
		Text   string
		Object map[string]string
		Blob   []byte
	}
	sql := "SELECT " + columns("", "bigint, bigint, text, text, bytea")
	rapid.Check(t, func(rt *rapid.T) {
		gaps := rapid.SampledFrom([]string{"all", "some", "none"})
		instants, optional, objectsAre, blobs := gaps.Draw(rt, "times"), gaps.Draw(rt, "texts"), gaps.Draw(rt, "objects"), gaps.Draw(rt, "blobs")
		missing := func(column string) bool { return column == "all" || column == "some" && rapid.Bool().Draw(rt, "gap") }
		word := rapid.StringMatching(`[a-z"\\<>&'\n\t\x{e9}\x{1f600}]{1,8}`)
		want := make([]line, rapid.IntRange(1, 6).Draw(rt, "rows"))
		for i := range want {
			want[i].N = int64(i)
			if !missing(instants) {
				want[i].At = time.UnixMicro(rapid.Int64Range(1, 1<<50).Draw(rt, "at")).UTC()
			}
			if !missing(optional) {
				want[i].Text = word.Draw(rt, "text")
			}
			if !missing(objectsAre) {
				want[i].Object = rapid.MapOfN(word, word, 1, 3).Draw(rt, "object")
			}
			if !missing(blobs) {
				want[i].Blob = rapid.SliceOfN(rapid.Byte(), 0, 4).Draw(rt, "blob")
			}
		}
		var got []line
		err := s.View(t.Context(), func(r store.Reader) error {
			got = nil
			return r.(*reader).query(sql, func(a *args) {
				int8s(a, want, func(l *line) int64 { return l.N })
				times(a, want, func(l *line) time.Time { return l.At })
				optionals(a, want, func(l *line) string { return l.Text })
				objects(a, want, func(l *line) map[string]string { return l.Object })
				byteas(a, want, func(l *line) []byte { return l.Blob })
			}, func(r *row) error {
				l := line{N: r.int8(), At: r.time(), Text: r.text()}
				r.json(&l.Object)
				l.Blob = r.bytea()
				got = append(got, l)
				return nil
			})
		})
		if err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Errorf("The rows (-sent +received):\n%s", diff)
		}
	})
}
