package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// code is what the documentation shows as code, by page: its blocks, and what stands between backticks.
func code(t *testing.T) map[string][]string {
	t.Helper()
	const root = "../.."
	pages, err := filepath.Glob(filepath.Join(root, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(filepath.Join(root, "docs"), func(path string, _ os.DirEntry, err error) error {
		if filepath.Ext(path) == ".md" {
			pages = append(pages, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for i, part := range regexp.MustCompile("(?m)^ *```.*$").Split(string(text), -1) {
			if i%2 == 1 {
				found[page] = append(found[page], part)
				continue
			}
			for _, span := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(part, -1) {
				found[page] = append(found[page], span[1])
			}
		}
	}
	return found
}

// TestTheDocumentationNamesCommandsAndFlagsThatThereAre holds whatever the documentation tells people to type to the
// program.
func TestTheDocumentationNamesCommandsAndFlagsThatThereAre(t *testing.T) {
	root := newRootCommand()
	flags := map[string]bool{"--enable-feature": true} // of Prometheus
	walk(root, func(command *cobra.Command) {
		for _, found := range regexp.MustCompile(`(?m)^ +(?:-\w, )?(--[a-z-]+)`).FindAllStringSubmatch(command.Flags().FlagUsages(), -1) {
			flags[found[1]] = true
		}
	})
	call := regexp.MustCompile(`(?m)(?:^|[^\w.-])tanggap ([a-z][^\n|<>]*)`)
	commands, alone := 0, 0
	for page, parts := range code(t) {
		for _, part := range parts {
			for _, found := range call.FindAllStringSubmatch(strings.ReplaceAll(part, "\\\n", " "), -1) {
				commands++
				command, words, err := root.Find(strings.Fields(found[1]))
				if err != nil || command.HasSubCommands() && len(words) > 0 && !strings.HasPrefix(words[0], "-") {
					t.Errorf("%s: there is no tanggap %s", page, found[1])
					continue
				}
				for _, word := range words {
					name, _, _ := strings.Cut(word, "=")
					if long, ok := strings.CutPrefix(name, "--"); ok && command.Flags().Lookup(long) == nil {
						t.Errorf("%s: %s has no flag %s", page, command.CommandPath(), name)
					}
				}
			}
			if name, _, _ := strings.Cut(strings.Fields(part + " .")[0], "="); strings.HasPrefix(name, "--") {
				alone++
				if !flags[name] {
					t.Errorf("%s: no command has the flag %s", page, name)
				}
			}
		}
	}
	if commands < 30 || alone < 30 {
		t.Errorf("found %d commands and %d flags, so they are not where this test looks", commands, alone)
	}
}

// walk visits a command and those below it.
func walk(command *cobra.Command, visit func(*cobra.Command)) {
	visit(command)
	for _, child := range command.Commands() {
		walk(child, visit)
	}
}
