package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tanggap/tanggap/test/site"
)

// TestLargeWithFewCases runs the whole benchmark with some hundred cases: the copies must equal a recount, the
// ledger must count them, and every probe must be seen.
func TestLargeWithFewCases(t *testing.T) {
	dir := t.TempDir()
	page := filepath.Join(dir, "large.md")
	tanggap, err := site.Build(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = run(t.Context(), []string{
		"-tanggap", tanggap, "-dir", t.TempDir(), "-output", page, "-channels", "2", "-categories", "20", "-cases", "800", "-rate", "50", "-soak", "3s",
	}, &out)
	if err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	written, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| | 40 open cases | 640 open cases |", "| from due to the summary", "| from due to the metrics"} {
		if !strings.Contains(string(written), want) {
			t.Errorf("the page has no %q", want)
		}
	}
	const unseen = "60000.0 ms"
	if strings.Contains(string(written), unseen) {
		t.Errorf("A probe was never seen:\n%s", written)
	}
}
