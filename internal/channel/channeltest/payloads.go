package channeltest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Payloads are the contents of the files of testdata that a pattern such as *.json matches, by their names without
// the ending. Fewer than least fail the test.
func Payloads(t testing.TB, pattern string, least int) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(paths) < least {
		t.Fatalf("%d recorded payloads, error %v", len(paths), err)
	}
	all := map[string][]byte{}
	for _, path := range paths {
		name := filepath.Base(path)
		if all[strings.TrimSuffix(name, filepath.Ext(name))], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	return all
}
