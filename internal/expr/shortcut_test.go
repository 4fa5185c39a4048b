package expr

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// TestShortcutIsEvaluating compares what a shortcut gives with what the expression gives when it is evaluated, on
// any document.
func TestShortcutIsEvaluating(t *testing.T) {
	env, err := NewEnv(Variable{Name: "item", Type: Any})
	if err != nil {
		t.Fatal(err)
	}
	looked := 0
	programs := []*Program{}
	for _, source := range []string{
		"item", "item.a", "item.a.b", "item.?a", "item.?a.?b", "item.?a.b", "item.a.?b", "item.?a.?b.?c", "item.a.b.c",
		"has(item.a)", "has(item.a.b)", "has(item.?a.b)", "!has(item.a)", "item.?a.orValue(null)", "item.?a.?b.orValue(1)", "item.?a.orValue(item.b)",
		`item.a == null`, `item.a != null`, `item.a == "b"`, `1 == item.a`, `item.a == true`, `item.a == item.b`,
		`item.?a.orValue(null) != null`, `item.?a.orValue("") != ""`, `item.a in ["a", "b", "", 1, null, true, 2.5]`, `!(item.a in [])`,
		`has(item.a) && item.a != null`, `has(item.a) && item.a`, `item.a || item.b`, `!item.a`, `item.a == "a" || item.b == "b" && !(item.c == "c")`,
	} {
		program := compile(t, env, source, Any)
		if program.shortcut == nil {
			t.Fatalf("%s has no shortcut", source)
		}
		programs = append(programs, program)
	}
	names := rapid.SampledFrom([]string{"a", "b", "c"})
	var document func(depth int) *rapid.Generator[any]
	document = func(depth int) *rapid.Generator[any] {
		kinds := []*rapid.Generator[any]{
			rapid.Just[any](nil), rapid.Bool().AsAny(), rapid.Int64().AsAny(), rapid.Float64().AsAny(), rapid.String().AsAny(), names.AsAny(), rapid.SampledFrom([]float64{0, 1, 2, 2.5}).AsAny(),
		}
		if depth > 0 {
			members := rapid.MapOfN(names, rapid.Deferred(func() *rapid.Generator[any] { return document(depth - 1) }), 0, 3)
			kinds = append(kinds, members.AsAny(), members.AsAny(), members.AsAny(), rapid.SliceOfN(rapid.Just[any](int64(1)), 0, 2).AsAny(),
				rapid.MapOfN(names, rapid.String(), 0, 3).AsAny())
		}
		return rapid.OneOf(kinds...)
	}
	rapid.Check(t, func(t *rapid.T) {
		vars := map[string]any{"item": document(3).Draw(t, "item")}
		for _, program := range programs {
			if _, found := program.shortcut(vars); found {
				looked++
			}
			evaluated := *program
			evaluated.shortcut = nil
			want, wantErr := evaluated.Any(vars)
			got, gotErr := program.Any(vars)
			if !reflect.DeepEqual(want, got) && want == want { //nolint:gocritic // NaN is not equal to itself
				t.Fatalf("%s is %#v by its shortcut, %#v evaluated", program.Source(), got, want)
			}
			if (wantErr == nil) != (gotErr == nil) || wantErr != nil && wantErr.Error() != gotErr.Error() {
				t.Fatalf("%s fails with %v by its shortcut, %v evaluated", program.Source(), gotErr, wantErr)
			}
		}
	})
	if looked == 0 {
		t.Error("No shortcut was ever taken")
	}
}

func TestWhatDoesMoreIsEvaluated(t *testing.T) {
	env, err := NewEnv(Variable{Name: "item", Type: Any})
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range []string{
		"item.a + item.b", `item["a"]`, "[item.a]", "size(item.a)", "item.a < 1", `item.a in item.b`, `item.a in [item.b]`, "item.a ? 1 : 2",
		"item.?a.optMap(x, x)", "-item.a", "item.all(x, x == 1)", "2.5", `item.a == b"b"`, "item.a == size(item.b)", "item.?a == item.b", "item.?a.orValue(item.?b)", "!(item.a < 1)",
	} {
		if compile(t, env, source, Any).shortcut != nil {
			t.Errorf("%s has a shortcut", source)
		}
	}
}
