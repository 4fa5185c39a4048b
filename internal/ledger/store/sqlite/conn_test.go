package sqlite

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestTextsComeBackAsJSON compares what is stored of attributes with what package json makes of them.
func TestTextsComeBackAsJSON(t *testing.T) {
	s, err := Open(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c := <-s.write
	defer func() { s.write <- c }()
	word := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 6), func(b []byte) string { return string(b) }))
	rapid.Check(t, func(rt *rapid.T) {
		in := rapid.MapOf(word, word).Draw(rt, "texts")
		var got string
		if err := c.query("SELECT ?", func(b *binder) { b.texts(in) }, func(r *row) error { got = r.text(); return nil }); err != nil {
			rt.Fatal(err)
		}
		if len(in) == 0 {
			if got != "" {
				rt.Errorf("Of nothing %q is stored", got)
			}
			return
		}
		like, err := json.Marshal(in)
		if err != nil {
			rt.Fatal(err)
		}
		var wanted, read map[string]string
		if err := json.Unmarshal(like, &wanted); err != nil {
			rt.Fatal(err)
		}
		if err := json.Unmarshal([]byte(got), &read); err != nil {
			rt.Fatalf("%q is stored: %v", got, err)
		}
		if diff := cmp.Diff(wanted, read); diff != "" {
			rt.Errorf("Texts (-want +got):\n%s", diff)
		}
	})
}
