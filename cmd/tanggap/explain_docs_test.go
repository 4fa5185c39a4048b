package main

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what the command prints into docs/explain.md and testdata")

const explainPage = "../../docs/explain.md"

// fence is a block of the page: its language and the lines within.
type fence struct {
	language, text string
}

// fences are the blocks of the page, and the page cut around them.
func fences(page string) (between []string, blocks []fence) {
	for {
		before, rest, found := strings.Cut(page, "\n```")
		between = append(between, before)
		if !found {
			return between, blocks
		}
		language, rest, _ := strings.Cut(rest, "\n")
		text, after, _ := strings.Cut(rest, "```\n")
		blocks = append(blocks, fence{language, text})
		page = after
	}
}

// TestThePageShowsWhatTheCommandPrints runs every command of docs/explain.md with the files of the page.
func TestThePageShowsWhatTheCommandPrints(t *testing.T) {
	page, err := os.ReadFile(explainPage)
	if err != nil {
		t.Fatal(err)
	}
	between, blocks := fences(string(page))
	files := map[string]string{}
	for i := range blocks {
		b := &blocks[i]
		switch b.language {
		case "yaml":
			files["policy.yaml"] = write(t, "policy.yaml", b.text)
			files["misspelt.yaml"] = write(t, "misspelt.yaml", strings.Replace(b.text, "event.text.lowerAscii", "event.txt.lowerAscii", 1))
		case "json":
			files["case.ndjson"] = write(t, "case.ndjson", b.text)
		case "console":
			b.text = runOnPage(t, b.text, files)
		}
	}
	var got strings.Builder
	for i, text := range between {
		got.WriteString(text)
		if i < len(blocks) {
			got.WriteString("\n```" + blocks[i].language + "\n" + blocks[i].text + "```\n")
		}
	}
	if *update {
		if err := os.WriteFile(explainPage, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(page), got.String()); diff != "" && !*update {
		t.Errorf("the page shows something else; write it with -update (-page +command):\n%s", diff)
	}
}

// runOnPage is the block's command and what it prints.
func runOnPage(t *testing.T, block string, files map[string]string) string {
	t.Helper()
	command, _, _ := strings.Cut(block, "\n")
	args := strings.Fields(strings.TrimPrefix(command, "$ tanggap explain"))
	for i, arg := range args {
		if path, ok := files[arg]; ok {
			args[i] = path
		}
	}
	out, err := explainCommand(t, "", args...)
	if err != nil {
		out = inWords(err) + "\n"
	}
	for name, path := range files {
		out = strings.ReplaceAll(out, path, name)
	}
	return command + "\n" + out
}
