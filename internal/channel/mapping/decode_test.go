package mapping

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDecode(t *testing.T) {
	tests := map[string]struct {
		body string
		want any
		err  string
	}{
		"numbers stay exact":               {`[1, 9007199254740993, -9223372036854775808, 1.5, 1e3]`, []any{int64(1), int64(9007199254740993), int64(-9223372036854775808), 1.5, 1000.0}, ""},
		"what fits no int64 is its digits": {`[18446744073709551615, 123456789012345678901]`, []any{"18446744073709551615", "123456789012345678901"}, ""},
		"what fits no float64 as well":     {`1e999`, "1e999", ""},
		"a byte order mark":                {"\xef\xbb\xbf{}", map[string]any{}, ""},
		"bytes that are no UTF-8":          {"\"a\xffb\"", "a\ufffdb", ""},
		"nothing":                          {" \n", nil, "empty"},
		"a web page":                       {"<html>081200000001</html>", nil, "not JSON at byte 1"},
		"a part":                           {`{"a":`, nil, "not JSON: it ends too early"},
		"two documents":                    {`{} {}`, nil, "not JSON: something follows the document at byte 4"},
		"depth beyond any reason":          {strings.Repeat("[", 20_000), nil, "not JSON at byte 10001"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Decode([]byte(tt.body))
			if text := errorText(err); text != tt.err {
				t.Errorf("got the error %q, want %q", text, tt.err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestDecodeCutsDepth(t *testing.T) {
	value, err := Decode([]byte(strings.Repeat("[", 60) + strings.Repeat("]", 60)))
	if err != nil {
		t.Fatal(err)
	}
	depth := 0
	for value != nil {
		value = value.([]any)[0]
		depth++
	}
	if depth != maxNesting {
		t.Errorf("got %d levels, want %d", depth, maxNesting)
	}
}
