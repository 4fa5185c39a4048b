package csvdrop

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
)

// TestNoSplitOfAWriteIsHalfRead writes a file in pieces of any size, under its own name, or under another
// one that it is renamed from, or with a marker after it, and looks at the directory between any two: the
// ledger has nothing until the file is complete, and then all of it.
func TestNoSplitOfAWriteIsHalfRead(t *testing.T) {
	directory := t.TempDir
	rapid.Check(t, func(t *rapid.T) {
		var content strings.Builder
		content.WriteString("id,at,text\n")
		rows := rapid.IntRange(1, 20).Draw(t, "rows")
		for i := range rows {
			fmt.Fprintf(&content, "%d,%s,%s\n", i, at, rapid.StringMatching(`[a-z ]{0,12}x`).Draw(t, "text"))
		}
		how := rapid.SampledFrom([]string{"in place", "renamed", "marker"}).Draw(t, "how")
		files := v1alpha1.CSVFiles{}
		if how == "marker" {
			files.Completion = v1alpha1.CSVMarker
		}
		dir := directory()
		clock, ledger := channeltest.NewClock(monday), &channeltest.Ledger{}
		source, err := New(Config{Files: &files, Dir: dir, Understand: understand, Now: clock.Now, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = source.Close() }()
		poll := func(want int) {
			if err := source.Poll(t.Context(), ledger.Cursor(), ledger); err != nil {
				t.Fatal(err)
			}
			if got := len(ledger.Events()); got != want {
				t.Fatalf("%d events of %d", got, want)
			}
		}

		name := filepath.Join(dir, "cad.csv")
		written := name
		if how == "renamed" {
			written += ".part"
		}
		rest := content.String()
		for rest != "" {
			n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			f, err := os.OpenFile(written, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = f.WriteString(rest[:n])
			_ = f.Close()
			rest = rest[n:]
			_ = os.Chtimes(written, clock.Now(), clock.Now())
			poll(0)
			// A writer in place is slow, but not slower than the settle time.
			clock.Advance(time.Duration(rapid.IntRange(0, 9).Draw(t, "seconds")) * time.Second)
			if how == "in place" || rest != "" {
				poll(0)
			}
		}
		switch how {
		case "renamed":
			err = os.Rename(written, name)
		case "marker":
			err = os.WriteFile(name+".done", nil, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := source.Poll(t.Context(), ledger.Cursor(), ledger); err != nil {
			t.Fatal(err)
		}
		clock.Advance(defaultSettleTime)
		poll(rows)
		poll(rows)
	})
}

// FuzzContent: whatever stands in a file, reading it ends, panics never, and is the same the second time.
func FuzzContent(f *testing.F) {
	f.Add([]byte("id,at,text\n1,"+at+",Banjir\n"), false)
	f.Add([]byte("\xef\xbb\xbfid,at,text\r\n1,"+at+",\"a\nb\"\r\n"), true)
	f.Add([]byte("id,at,text\n\"\"\"\n\n\"x\n1,"+at+",\"\n"), false)
	f.Add([]byte("id,at,text,id\n1\n"), true)
	f.Fuzz(func(t *testing.T, content []byte, windows bool) {
		files := v1alpha1.CSVFiles{}
		if windows {
			files.Encoding = v1alpha1.CSVWindows1252
		}
		var before []string
		for range 2 {
			r := newRig(t, files)
			r.write("cad.csv", string(content))
			if err := r.poll(); err != nil {
				t.Fatal(err)
			}
			after := append(r.ledger.IDs(), r.ledger.Messages()...)
			if before != nil && strings.Join(before, "\n") != strings.Join(after, "\n") {
				t.Fatalf("read %q, then %q", before, after)
			}
			before = append([]string{""}, after...)[1:]
			for _, message := range r.ledger.Messages() {
				if len(message) > 300 {
					t.Errorf("a message of %d bytes", len(message))
				}
			}
		}
	})
}
