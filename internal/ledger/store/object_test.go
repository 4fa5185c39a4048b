package store

import (
	"encoding/json"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestObjectsAreWrittenInOneOrder: the same texts are the same bytes, as encoding/json would write them without its
// escapes for HTML.
func TestObjectsAreWrittenInOneOrder(t *testing.T) {
	texts := map[string]string{"d": "4", "a": "1", "c": "<b>", "b": "tidak sah: \xff"}
	const want = `{"a":"1","b":"tidak sah: ` + "\ufffd" + `","c":"<b>","d":"4"}`
	for range 20 {
		if got := string(AppendObject(nil, maps.Clone(texts))); got != want {
			t.Fatalf("The object is written as %s; want %s", got, want)
		}
	}
}

func TestObjectsAreReadAsTheyWere(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		want := rapid.MapOf(rapid.String(), rapid.String()).Draw(rt, "texts")
		var got map[string]string
		if err := json.Unmarshal(AppendObject(nil, want), &got); err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Error(diff)
		}
	})
}
