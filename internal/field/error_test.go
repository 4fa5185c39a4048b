package field_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/field"
)

func TestPathsReadLikeTheManifest(t *testing.T) {
	path := field.Path("").Child("rules").Index(0).Child("clocks").Index(1)
	if want := field.Path("rules[0].clocks[1]"); path != want {
		t.Errorf("got %s, want %s", path, want)
	}
}

func TestWithinMovesEveryFault(t *testing.T) {
	part := fmt.Errorf("compiling: %w", errors.Join(
		field.Errorf("name", "must not be empty"),
		field.Errorf("[2]", "is closed"),
		field.Errorf("", "is wrong as a whole"),
	))
	got := []string{}
	for _, fault := range field.All(field.Within("spec.weekly", part)) {
		got = append(got, fault.Error())
	}
	want := []string{
		"spec.weekly.name: must not be empty",
		"spec.weekly[2]: is closed",
		"spec.weekly: is wrong as a whole",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWithinNamesThePlaceOfAnyError(t *testing.T) {
	if err := field.Within("spec", errors.New("broken")); err.Error() != "spec: broken" {
		t.Errorf("got %q", err)
	}
	if err := field.Within("spec", nil); err != nil {
		t.Errorf("no fault became %v", err)
	}
}
