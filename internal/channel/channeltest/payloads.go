package channeltest

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
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

// Said is the sentence of an answer; "" where the answer has none.
func Said(t testing.TB, answer *httptest.ResponseRecorder) string {
	t.Helper()
	if answer.Body.Len() == 0 {
		return ""
	}
	var body ledgerapi.Error
	if err := json.Unmarshal(answer.Body.Bytes(), &body); err != nil {
		t.Fatalf("%v in %s", err, answer.Body)
	}
	return body.Message
}
