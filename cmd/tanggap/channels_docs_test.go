package main

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/tanggap/tanggap/api/v1alpha1"
)

// TestTheTableOfChannelsIsTrue compares the table of docs/channels with the types that a worker knows: each has a row
// and a page, and replies where its specification can allow them.
func TestTheTableOfChannelsIsTrue(t *testing.T) {
	table, err := os.ReadFile("../../docs/channels/README.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| \\[`([a-z0-9]+)`\\]\\(([a-z0-9]+\\.md)\\) .*$").FindAllStringSubmatch(string(table), -1) {
		rows[row[1]] = strings.Split(row[0], " | ")
		if _, err := os.Stat("../../docs/channels/" + row[2]); err != nil {
			t.Error(err)
		}
	}
	members := map[string]reflect.Type{}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[v1alpha1.ChannelSource]()) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		members[name] = field.Type
	}
	types, err := sourceTypes()
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range types {
		name := string(kind.Name())
		row := rows[name]
		if len(row) < 4 {
			t.Errorf("%s has no row", name)
			continue
		}
		_, replies := members[name].Elem().FieldByName("Reply")
		if says := strings.HasPrefix(row[3], "yes"); says != replies {
			t.Errorf("%s: the table says of replies %q, the specification can allow them: %v", name, row[3], replies)
		}
		delete(rows, name)
	}
	for name := range rows {
		t.Errorf("%s is no type", name)
	}
}
