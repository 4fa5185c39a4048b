package expr

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// TestLookingUpIsEvaluating compares what is looked up with what the expression gives when it is evaluated, on
// any document.
func TestLookingUpIsEvaluating(t *testing.T) {
	env, err := NewEnv(Variable{Name: "item", Type: Any})
	if err != nil {
		t.Fatal(err)
	}
	looked := 0
	programs := []*Program{}
	for _, source := range []string{
		"item", "item.a", "item.a.b", "item.?a", "item.?a.?b", "item.?a.b", "item.a.?b", "item.?a.?b.?c", "item.a.b.c",
	} {
		program := compile(t, env, source, Any)
		if program.path == nil {
			t.Fatalf("%s is not seen to look up only", source)
		}
		programs = append(programs, program)
	}
	names := rapid.SampledFrom([]string{"a", "b", "c"})
	var document func(depth int) *rapid.Generator[any]
	document = func(depth int) *rapid.Generator[any] {
		kinds := []*rapid.Generator[any]{
			rapid.Just[any](nil), rapid.Bool().AsAny(), rapid.Int64().AsAny(), rapid.Float64().AsAny(), rapid.String().AsAny(),
		}
		if depth > 0 {
			members := rapid.MapOfN(names, rapid.Deferred(func() *rapid.Generator[any] { return document(depth - 1) }), 0, 3)
			kinds = append(kinds, members.AsAny(), members.AsAny(), members.AsAny(), rapid.SliceOfN(rapid.Just[any](int64(1)), 0, 2).AsAny())
		}
		return rapid.OneOf(kinds...)
	}
	rapid.Check(t, func(t *rapid.T) {
		vars := map[string]any{"item": document(3).Draw(t, "item")}
		for _, program := range programs {
			if _, found := program.path.find(vars); found {
				looked++
			}
			evaluated := *program
			evaluated.path = nil
			want, wantErr := evaluated.Any(vars)
			got, gotErr := program.Any(vars)
			if !reflect.DeepEqual(want, got) && want == want { //nolint:gocritic // NaN is not equal to itself
				t.Fatalf("%s is %#v looked up, %#v evaluated", program.Source(), got, want)
			}
			if (wantErr == nil) != (gotErr == nil) || wantErr != nil && wantErr.Error() != gotErr.Error() {
				t.Fatalf("%s fails with %v looked up, %v evaluated", program.Source(), gotErr, wantErr)
			}
		}
	})
	if looked == 0 {
		t.Error("Nothing was ever looked up")
	}
}

func TestWhatDoesMoreIsEvaluated(t *testing.T) {
	env, err := NewEnv(Variable{Name: "item", Type: Any})
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range []string{"has(item.a)", "item.a + item.b", `item["a"]`, "item.?a.orValue(1)", "[item.a]", "size(item.a)"} {
		if compile(t, env, source, Any).path != nil {
			t.Errorf("%s is taken for a look-up", source)
		}
	}
}
