package expr

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func newEnv(t testing.TB) *Env {
	t.Helper()
	env, err := NewEnv(
		Variable{Name: "item", Type: Any},
		Variable{Name: "complaint", Type: Map, Fields: []Variable{
			{Name: "channel", Type: String}, {Name: "official", Type: Bool},
			{Name: "text", Type: String}, {Name: "attributes", Type: Map},
		}},
	)
	if err != nil {
		t.Fatal(err)
	}
	return env
}

func compile(t testing.TB, env *Env, source string, want Kind) *Program {
	t.Helper()
	program, err := env.Compile(source, want)
	if err != nil {
		t.Fatalf("compiling %q: %v", source, err)
	}
	return program
}

func vars(t testing.TB, item string) map[string]any {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(item), &value); err != nil {
		t.Fatal(err)
	}
	return map[string]any{
		"item": value,
		"complaint": map[string]any{
			"channel": "dsw", "official": true, "text": "banjir lagi",
			"attributes": map[string]string{"kelurahan": "Beji"},
		},
	}
}

func TestValues(t *testing.T) {
	const item = `{"id":17,"big":1234567890123,"half":1.5,"name":"pohon","none":null,"tags":["a",2,null],"nested":{"deep":{"x":1}},"b64":"aGk="}`
	tests := map[string]struct {
		source string
		want   any
	}{
		"a JSON number without a fraction is an int":            {`item.id`, int64(17)},
		"one with a fraction is a double":                       {`item.half`, 1.5},
		"an int does not become 17.0 as text":                   {`string(item.id)`, "17"},
		"a large double has no exponent as text":                {`string(1234567.5)`, "1234567.5"},
		"milliseconds since 1970 are no exponent either":        {`string(item.big)`, "1234567890123"},
		"a whole number adds to an int":                         {`item.id + 1`, int64(18)},
		"numbers compare across kinds":                          {`item.id > 16.5 && item.half < 2`, true},
		"a text becomes a number":                               {`int("42") + int(item.id)`, int64(59)},
		"a member that may be missing has a default":            {`item.?nested.?nope.orValue("x")`, "x"},
		"a member that is there wins over the default":          {`item.?name.orValue("x")`, "pohon"},
		"an absent optional is nil":                             {`item.?nope`, nil},
		"null is nil":                                           {`item.none`, nil},
		"a list keeps its kinds":                                {`item.tags`, []any{"a", int64(2), nil}},
		"a map is a map":                                        {`item.nested`, map[string]any{"deep": map[string]any{"x": int64(1)}}},
		"a list is filtered and mapped":                         {`item.tags.filter(t, t == "a").map(t, t + "!")`, []any{"a!"}},
		"the string extension is there":                         {`item.name.upperAscii().replace("O", "0") + "-" + ["a","b"].join("/")`, "P0H0N-a/b"},
		"format is there":                                       {`"%s-%d".format([item.name, item.id])`, "pohon-17"},
		"regular expressions are there":                         {`regex.extract(item.name, "p(.)h").orValue("")`, "o"},
		"regular expressions replace":                           {`regex.replace("<b>banjir</b>", "<[^>]*>", "")`, "banjir"},
		"base64 is there":                                       {`string(base64.decode(item.b64))`, "hi"},
		"sets are there":                                        {`sets.contains([1,2], [1])`, true},
		"math is there":                                         {`math.greatest(1, 2)`, int64(2)},
		"lists are there":                                       {`[3,1,2].sort().slice(0, 2)`, []any{int64(1), int64(2)}},
		"a declared map gives its fields":                       {`complaint.channel + complaint.attributes.kelurahan`, "dswBeji"},
		"an attribute that may be missing":                      {`complaint.attributes.?rt.orValue("-")`, "-"},
		"has tests a member":                                    {`has(item.nested.deep) && !has(item.nested.shallow)`, true},
		"a timestamp is UTC":                                    {`timestamp("2026-11-02T10:00:00+07:00")`, at("2026-11-02T03:00:00Z")},
		"a duration is one":                                     {`duration("90m")`, 90 * time.Minute},
		"a condition gives either side":                         {`item.id == 17 ? "yes" : "no"`, "yes"},
		"lists and texts add":                                   {`[1] + [2] == [1, 2] && "a" + "b" == "ab" && b"a" + b"b" == b"ab"`, true},
		"times add durations":                                   {`timestamp("2026-01-01T00:00:00Z") + duration("1h") == timestamp("2026-01-01T01:00:00Z")`, true},
		"arithmetic is whole on ints and fractional on doubles": {`7 / 2 == 3 && 7.0 / 2.0 == 3.5 && 1u + 2u == 3u`, true},
	}
	env := newEnv(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := compile(t, env, tt.source, Any).Any(vars(t, item))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.source, diff)
			}
		})
	}
}

func TestNumbersDecodedExactly(t *testing.T) {
	decoder := json.NewDecoder(strings.NewReader(`{"id":1760000000000000123,"x":1.25,"huge":1e400}`))
	decoder.UseNumber()
	var item any
	if err := decoder.Decode(&item); err != nil {
		t.Fatal(err)
	}
	env := newEnv(t)
	in := map[string]any{"item": item}
	got, err := compile(t, env, `string(item.id) + " " + string(item.x + 0.5)`, String).String(in)
	if want := "1760000000000000123 1.75"; err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if _, err := compile(t, env, `item.huge`, Any).Any(in); err == nil {
		t.Error("a number out of range has a value")
	}
}

func TestTypedResults(t *testing.T) {
	env := newEnv(t)
	in := vars(t, `{"id":17,"half":0.5,"name":"x","none":null,"yes":true,"list":[1],"map":{"a":1},"at":"2026-01-02T03:04:05Z"}`)
	t.Run("a number is a string by its digits", func(t *testing.T) {
		for source, want := range map[string]string{`item.id`: "17", `item.half`: "0.5", `item.none`: "", `item.?nope`: "", `3u`: "3"} {
			if got, err := compile(t, env, source, String).String(in); err != nil || got != want {
				t.Errorf("%s: got %q, %v, want %q", source, got, err, want)
			}
		}
	})
	t.Run("each kind has its method", func(t *testing.T) {
		if got, err := compile(t, env, `item.yes`, Bool).Bool(in); err != nil || !got {
			t.Errorf("Bool: %v, %v", got, err)
		}
		if got, err := compile(t, env, `item.id`, Int).Int(in); err != nil || got != 17 {
			t.Errorf("Int: %v, %v", got, err)
		}
		if got, err := compile(t, env, `item.id`, Double).Double(in); err != nil || got != 17 {
			t.Errorf("Double: %v, %v", got, err)
		}
		if got, err := compile(t, env, `timestamp(item.at)`, Timestamp).Time(in); err != nil || !got.Equal(at("2026-01-02T03:04:05Z")) {
			t.Errorf("Time: %v, %v", got, err)
		}
		if got, err := compile(t, env, `item.list`, List).List(in); err != nil || len(got) != 1 {
			t.Errorf("List: %v, %v", got, err)
		}
		if got, err := compile(t, env, `item.?nope`, List).List(in); err != nil || got != nil {
			t.Errorf("List of an absent optional: %v, %v", got, err)
		}
		if got, err := compile(t, env, `item.map`, Map).Map(in); err != nil || got["a"] != int64(1) {
			t.Errorf("Map: %v, %v", got, err)
		}
	})
	t.Run("another kind is an error that names both", func(t *testing.T) {
		_, err := compile(t, env, `item.name`, Bool).Bool(in)
		if err == nil || err.Error() != "the result is string, but a bool is expected" {
			t.Errorf("got %v", err)
		}
		_, err = compile(t, env, `item.none`, Timestamp).Time(in)
		if err == nil || err.Error() != "the result is null, but a timestamp is expected" {
			t.Errorf("got %v", err)
		}
		_, err = compile(t, env, `item.id`, List).List(in)
		if err == nil || err.Error() != "the result is not a list" {
			t.Errorf("got %v", err)
		}
	})
}

func TestCompileErrors(t *testing.T) {
	tests := map[string]struct {
		source string
		want   Kind
		err    string
	}{
		"an unknown variable":            {`foo == 1`, Bool, `line 1, column 1: there is no variable or function "foo"; the variables are complaint, item`},
		"a field that is misspelt":       {`complaint.chanel == "x"`, Bool, `line 1, column 10: there is no field "chanel" here`},
		"another kind of result":         {`complaint.text`, Bool, `line 1, column 1: the expression gives a string, but a bool is expected`},
		"operands that do not fit":       {`complaint.text + 1`, Any, `line 1, column 16: + cannot be applied to (string, int)`},
		"operands of a condition":        {`item.a ? 1 : "x"`, Any, `line 1, column 8: the condition ? : cannot be applied to (any, int, string)`},
		"an index that does not fit":     {`[1]["a"]`, Any, `line 1, column 4: the index [] cannot be applied to (list(int), string)`},
		"a sign on a text":               {`-complaint.text`, Any, `line 1, column 1: - cannot be applied to (string)`},
		"in something that has no parts": {`1 in 2`, Any, `line 1, column 3: in cannot be applied to (int, int)`},
		"nothing where text is wanted":   {`null`, String, `line 1, column 1: the expression gives null, but a string is expected`},
		"a whole number is wanted":       {`1.5`, Int, `line 1, column 1: the expression gives a double, but an int is expected`},
		"bytes are wanted":               {`"a"`, Bytes, `line 1, column 1: the expression gives a string, but bytes is expected`},
		"a duration is wanted":           {`1`, Duration, `line 1, column 1: the expression gives an int, but a duration is expected`},
		"a map is wanted":                {`[1]`, Map, `line 1, column 1: the expression gives a list(int), but a map is expected`},
		"a list is wanted":               {`{"a": 1}`, List, `line 1, column 1: the expression gives a map(string, int), but a list is expected`},
		"a number is wanted":             {`true`, Double, `line 1, column 1: the expression gives a bool, but a double is expected`},
		"a missing operand":              {`complaint.text ==`, Bool, `line 1, column 18: syntax error: unexpected the end of the expression`},
		"a fault on the second line":     {"item.a == 1 &&\n  item.b === 2", Bool, `line 2, column 12: syntax error: unexpected '= '`},
		"nothing at all":                 {"  ", Bool, `line 1, column 3: the expression must not be empty`},
		"a bad regular expression":       {`item.matches("(")`, Bool, "line 1, column 1: error parsing regexp: missing closing ): `(`"},
		"bytes that are no text":         {"\"\xff\"", String, `line 1, column 1: the expression must be UTF-8`},
		"a source beyond the bound":      {strings.Repeat(" ", MaxSourceBytes+1), Bool, `line 1, column 1: the expression has 8193 bytes, at most 8192 are allowed`},
		"a function with wrong argument": {`parseTime(1)`, Timestamp, `line 1, column 10: parseTime cannot be applied to (int)`},
	}
	env := newEnv(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := env.Compile(tt.source, tt.want)
			var fault *CompileError
			if !errors.As(err, &fault) {
				t.Fatalf("got %v, want a *CompileError", err)
			}
			if got := fault.Error(); got != tt.err {
				t.Errorf("got  %s\nwant %s", got, tt.err)
			}
		})
	}
}

func TestEvaluationErrorsHoldNoData(t *testing.T) {
	tests := map[string]struct{ source, want string }{
		"a missing member":           {`item.nope`, "line 1, column 5: the field does not exist in this input"},
		"a member named by the data": {`item[item.secret]`, "line 1, column 5: the field does not exist in this input"},
		"an index beyond the list":   {`item.list[7]`, "line 1, column 10: the index is out of range"},
		"a text that is no number":   {`int(item.secret)`, "line 1, column 4: the value cannot be converted"},
		"a text that is no time":     {`timestamp(item.secret)`, "line 1, column 10: the text is not a time of the form 2006-01-02T15:04:05+07:00"},
		"a text of another layout":   {`parseTime(item.secret, "2006", "UTC")`, "line 1, column 10: the text is not a time of the given layout"},
		"a zone that does not exist": {`parseTime("2026", "2006", item.secret)`, "line 1, column 10: the time zone is unknown"},
		"a regular expression":       {`item.list.exists(x, "a".matches(item.broken))`, "line 1, column 17: the regular expression is invalid"},
		"a division":                 {`1 / item.zero`, "line 1, column 3: division by zero"},
		"kinds that do not fit":      {`item.secret + 1 == item.list`, "line 1, column 13: the operation does not fit the kinds of its values"},
		"a replacement":              {`regex.replace("a", "a", item.secret + "\\9")`, "line 1, column 14: "},
		"an optional that is absent": {`item.?nope.value()`, "line 1, column 17: the optional value is absent"},
		"an object made of nothing":  {`complaint{channel: item.secret}`, "line 1, column 10: the expression failed on this input"},
		"a sum that overflows":       {`9223372036854775807 + item.one`, "line 1, column 21: the number is out of range"},
	}
	env := newEnv(t)
	in := vars(t, `{"secret":"0812-RAHASIA","list":[1],"zero":0,"one":1,"broken":"(RAHASIA"}`)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := compile(t, env, tt.source, Any).Any(in)
			if _, ok := errors.AsType[*EvalError](err); !ok {
				t.Fatalf("got %v, want an *EvalError", err)
			}
			got := err.Error()
			if got != tt.want && (!strings.HasSuffix(tt.want, ": ") || !strings.HasPrefix(got, tt.want)) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if strings.Contains(got, "RAHASIA") {
				t.Errorf("%q holds what the citizen wrote", got)
			}
		})
	}
}

func TestVariablesOfEveryKind(t *testing.T) {
	env, err := NewEnv(
		Variable{Name: "b", Type: Bool}, Variable{Name: "i", Type: Int}, Variable{Name: "d", Type: Double}, Variable{Name: "s", Type: String},
		Variable{Name: "y", Type: Bytes}, Variable{Name: "t", Type: Timestamp}, Variable{Name: "u", Type: Duration},
		Variable{Name: "l", Type: List}, Variable{Name: "m", Type: Map}, Variable{Name: "a", Type: Any},
	)
	if err != nil {
		t.Fatal(err)
	}
	in := map[string]any{
		"b": true, "i": 1, "d": 1.5, "s": "x", "y": []byte("y"), "t": at("2026-01-01T00:00:00Z"), "u": time.Hour,
		"l": []string{"x"}, "m": map[string]string{"k": "v"}, "a": nil,
	}
	got, err := compile(t, env, `[b, i, d, s, y, t, u, l, m, a, 7u]`, List).List(in)
	if err != nil {
		t.Fatal(err)
	}
	want := []any{true, int64(1), 1.5, "x", []byte("y"), at("2026-01-01T00:00:00Z"), time.Hour, []any{"x"}, map[string]any{"k": "v"}, nil, uint64(7)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := compile(t, env, `{1: 2}`, Any).Any(in); err == nil {
		t.Error("a map with numbers for keys has a native form")
	}
	if _, err := compile(t, env, `type(1)`, Any).Any(in); err == nil {
		t.Error("a type has a native form")
	}
	if got, err := compile(t, env, `d`, Double).Double(in); err != nil || got != 1.5 {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := compile(t, env, `7u + uint(i)`, Any).Double(in); err != nil || got != 8 {
		t.Errorf("got %v, %v", got, err)
	}
	for _, program := range []*Program{compile(t, env, `a`, Int), compile(t, env, `a`, Double), compile(t, env, `[l][0]`, Any)} {
		if _, err := program.Int(in); err == nil {
			t.Errorf("%s is an int", program.Source())
		}
		if _, err := program.Double(in); err == nil {
			t.Errorf("%s is a double", program.Source())
		}
	}
	if got := compile(t, env, `s`, String).Kind(); got != String {
		t.Errorf("got %v", got)
	}
	if got, err := compile(t, env, `1e300`, String).String(in); err != nil || got != "1e+300" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := compile(t, env, `m`, Any).List(in); err == nil {
		t.Error("a map is a list")
	}
	if _, err := compile(t, env, `l`, Any).Map(in); err == nil {
		t.Error("a list is a map")
	}
	if _, err := compile(t, env, `l`, Any).String(in); err == nil {
		t.Error("a list is a string")
	}
}

func TestProgramsAreSafeForConcurrentUse(t *testing.T) {
	program := compile(t, newEnv(t), `parseTime(item.d, "2 January 2006 15:04", "Asia/Jakarta").getHours() + item.n`, Int)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			in := map[string]any{"item": map[string]any{"d": "3 Agustus 2026 10:00", "n": float64(i)}}
			for range 100 {
				if got, err := program.Int(in); err != nil || got != int64(3+i) {
					t.Errorf("got %d, %v", got, err)
					return
				}
			}
		})
	}
	all.Wait()
}

// messageOf is the text of an *EvalError without its place.
func messageOf(err error) string {
	if fault, ok := errors.AsType[*EvalError](err); ok {
		return fault.Message
	}
	return ""
}

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t.UTC()
}

func FuzzCompile(f *testing.F) {
	for _, seed := range []string{`item.a == 1`, `[1,2].map(x, x+1)`, `"a".matches("(")`, `item.?a.orValue(1)`, `((((`, `a?b:c`, "\"\\", `parseTime("1","2","3")`} {
		f.Add(seed)
	}
	env := newEnv(f)
	in := vars(f, `{"a":1,"s":"x","l":[1,2,3]}`)
	f.Fuzz(func(t *testing.T, source string) {
		for _, want := range []Kind{Any, Bool, String} {
			program, err := env.Compile(source, want)
			if err != nil {
				var fault *CompileError
				if !errors.As(err, &fault) || fault.Line < 1 || fault.Column < 1 || fault.Message == "" || strings.Contains(err.Error(), "\n") {
					t.Fatalf("%q is no sentence about a place", err)
				}
				continue
			}
			// Whatever compiles may fail, but only in the words of an EvalError.
			if _, err := program.Any(in); err != nil {
				if _, ok := errors.AsType[*EvalError](err); !ok {
					t.Fatalf("%T", err)
				}
			}
		}
	})
}

func BenchmarkCompile(b *testing.B) {
	env := newEnv(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := env.Compile(`complaint.channel == "dsw" && complaint.text.contains("banjir")`, Bool); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBool(b *testing.B) {
	program := compile(b, newEnv(b), `complaint.channel == "dsw" && complaint.text.contains("banjir")`, Bool)
	in := vars(b, `{}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := program.Bool(in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMember(b *testing.B) {
	program := compile(b, newEnv(b), `item.user.id`, String)
	in := vars(b, `{"user":{"id":17}}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := program.String(in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseTime(b *testing.B) {
	program := compile(b, newEnv(b), `parseTime(item.at, "2 January 2006 15:04", "Asia/Jakarta")`, Timestamp)
	in := vars(b, `{"at":"3 Agustus 2026 10:00"}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := program.Time(in); err != nil {
			b.Fatal(err)
		}
	}
}
