package worker

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

func TestCredentials(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, content []byte) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("dsw/token", []byte("s3cret\r\n"))
	write("dsw/spaces", []byte(" s3cret \n\n"))
	write("dsw/empty", []byte("\n"))
	write("dsw/large", bytes.Repeat([]byte("x"), maxCredentialBytes+1))
	write("dsw/largest", bytes.Repeat([]byte("x"), maxCredentialBytes))
	write("outside", []byte("s3cret"))
	for name, test := range map[string]struct {
		secret, key string
		want        string
		fails       string
	}{
		"the line break that editors append is none of it": {secret: "dsw", key: "token", want: "s3cret"},
		"other space is":             {secret: "dsw", key: "spaces", want: " s3cret "},
		"the largest there can be":   {secret: "dsw", key: "largest", want: strings.Repeat("x", maxCredentialBytes)},
		"a key that is not there":    {secret: "dsw", key: "nope", fails: `Secret "dsw", key "nope": is missing`},
		"a Secret that is not there": {secret: "sigap", key: "token", fails: `Secret "sigap", key "token": is missing`},
		"an empty value":             {secret: "dsw", key: "empty", fails: `Secret "dsw", key "empty": is empty`},
		"a value that is too large":  {secret: "dsw", key: "large", fails: `Secret "dsw", key "large": is larger than 1048576 bytes`},
		"a directory":                {secret: ".", key: "dsw", fails: `Secret ".", key "dsw": cannot be read`},
		"a way out of the directory": {secret: "..", key: "outside", fails: `Secret "..", key "outside": is not the name of a Secret's key`},
		"a way out of the Secret":    {secret: "dsw", key: "../outside", fails: `Secret "dsw", key "../outside": is not the name of a Secret's key`},
		"a path within the Secret":   {secret: "dsw", key: "a/b", fails: `Secret "dsw", key "a/b": is not the name of a Secret's key`},
		"no name at all":             {secret: "", key: "token", fails: `Secret "", key "token": is not the name of a Secret's key`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Credentials{dir}.Read(v1alpha1.SecretKeyReference{Name: test.secret, Key: test.key})
			if test.fails == "" {
				if err != nil || string(got) != test.want {
					t.Fatalf("got %d bytes and %v, want %d bytes", len(got), err, len(test.want))
				}
				return
			}
			e := asError(err)
			if e.Reason != ledgerapi.ReasonCredentialMissing || e.Message != test.fails {
				t.Errorf("got %v, want %s", err, test.fails)
			}
			if strings.Contains(e.Error(), "s3cret") {
				t.Error("the error holds the value")
			}
		})
	}
}
