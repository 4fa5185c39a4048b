package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tanggap/tanggap/test/site"
)

// TestSoakForSeconds runs everything on both storages with few cases. A recount at the end is part of it.
func TestSoakForSeconds(t *testing.T) {
	dir := t.TempDir()
	page := filepath.Join(dir, "soak.md")
	tanggap, err := site.Build(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = run(t.Context(), []string{
		"-tanggap", tanggap, "-dir", t.TempDir(), "-output", page, "-cases", "1000", "-rate", "100", "-for", "9s", "-judge=false",
	}, &out)
	if err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	written, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, storage := range []string{"embedded", "PostgreSQL"} {
		_, section, _ := strings.Cut(string(written), "## On "+storage)
		section, _, _ = strings.Cut(section, "## ")
		for _, want := range []string{
			`[1-9]\d* deliveries in`, `of which [1-9]\d* open`, `[1-9]\d* were redacted`, `a delivery, p99`, `ledger: memory`, `worker: goroutines`, `log of writes`, `data, growth`,
		} {
			if !regexp.MustCompile(want).MatchString(section) {
				t.Errorf("The section on %s has no %q:\n%s", storage, want, section)
			}
		}
	}
}

func TestWhatGrowsIsTold(t *testing.T) {
	tests := map[string]struct {
		measure measure
		samples [thirds][]float64
		bounded bool
	}{
		"what stays is bounded":                              {measure{slack: 10}, [thirds][]float64{{100, 90, 110}, {95, 105, 100}, {105, 110, 100}}, true},
		"one sample tells nothing":                           {measure{slack: 10}, [thirds][]float64{{100, 100, 100}, {100, 100, 100}, {100, 100, 900}}, true},
		"what warms up in the first third is bounded":        {measure{slack: 10}, [thirds][]float64{{20, 60, 90}, {100, 100, 100}, {101, 102, 101}}, true},
		"what goes on growing is told":                       {measure{slack: 10}, [thirds][]float64{{100, 110, 120}, {130, 140, 150}, {160, 170, 180}}, false},
		"less than the slack is not told":                    {measure{slack: 50}, [thirds][]float64{{100, 110, 120}, {130, 140, 150}, {160, 170, 180}}, true},
		"what is cut back is bounded":                        {measure{slack: 10, peak: true}, [thirds][]float64{{0, 100, 0}, {50, 100, 0}, {50, 110, 10}}, true},
		"what is cut back at ever higher peaks is told":      {measure{slack: 10, peak: true}, [thirds][]float64{{0, 100, 0}, {0, 200, 0}, {0, 320, 0}}, false},
		"what grows with what is kept may grow on":           {measure{slack: 10, grows: true}, [thirds][]float64{{0, 100}, {100, 200}, {200, 300}}, true},
		"what grows faster than what is kept is told":        {measure{slack: 10, grows: true}, [thirds][]float64{{0, 100}, {100, 200}, {200, 400}}, false},
		"a storage may not have everything that is measured": {measure{slack: 10}, [thirds][]float64{}, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.measure.samples = tt.samples
			if got := tt.measure.bounded(); got != tt.bounded {
				t.Errorf("bounded is %v; want %v", got, tt.bounded)
			}
		})
	}
}
