package postgres

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tanggap/tanggap/test/golden"
)

// column is one of the ledger's tables. optional says that a row may be inserted without it.
type column struct {
	kind     string
	optional bool
}

// columnsOf are the columns of a database's own tables, by table and name, and the version of its schema.
func columnsOf(t *testing.T, name string) (all map[string]column, listed []string, version int) {
	t.Helper()
	c, err := server.Connect(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	if err := c.QueryRow(t.Context(), "SELECT max(version_id) FROM goose_db_version").Scan(&version); err != nil {
		t.Fatal(err)
	}
	rows, err := c.Query(t.Context(), `SELECT table_name || '.' || column_name, data_type, is_nullable = 'YES' OR column_default IS NOT NULL
		FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'goose_db_version' ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	all = map[string]column{}
	for rows.Next() {
		var path string
		var is column
		if err := rows.Scan(&path, &is.kind, &is.optional); err != nil {
			t.Fatal(err)
		}
		all[path] = is
		listed = append(listed, path+" "+is.kind)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all, listed, version
}

// TestAMigrationLeavesTheVersionBeforeAbleToGoOn: while a replica of a new version migrates, those of the version
// before write and read what they know. The files hold the columns of each version since the second: none may go or
// become another, and what is new in a table of theirs must not be asked of them.
func TestAMigrationLeavesTheVersionBeforeAbleToGoOn(t *testing.T) {
	t.Parallel()
	name := database(t, server)
	_ = open(t, Options{URL: server.URLAs(name, name)}).Close()
	now, listed, version := columnsOf(t, name)
	golden.Text(t, fmt.Sprintf("schema-%04d.txt", version), []byte(strings.Join(listed, "\n")+"\n"))
	files, err := filepath.Glob("testdata/schema-*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("There are %d files of schemas, %v", len(files), err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		known, tables := map[string]bool{}, map[string]bool{}
		for line := range strings.Lines(string(content)) {
			path, kind, _ := strings.Cut(strings.TrimSpace(line), " ")
			table, _, _ := strings.Cut(path, ".")
			known[path], tables[table] = true, true
			if now[path].kind != kind {
				t.Errorf("%s: the column %s was of type %s, and is %q now", file, path, kind, now[path].kind)
			}
		}
		for path, is := range now {
			if table, _, _ := strings.Cut(path, "."); tables[table] && !known[path] && !is.optional {
				t.Errorf("%s: the column %s is new and a row cannot be without it", file, path)
			}
		}
	}
}
