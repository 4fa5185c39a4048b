package conditions

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var (
	earlier = metav1.NewTime(time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC))
	later   = metav1.NewTime(time.Date(2026, 11, 23, 9, 0, 0, 500, time.UTC))
)

func before() []metav1.Condition {
	return []metav1.Condition{
		{Type: "Accepted", Status: metav1.ConditionTrue, Reason: "Accepted", Message: "fine", ObservedGeneration: 1, LastTransitionTime: earlier},
		{Type: "Ready", Status: metav1.ConditionFalse, Reason: "Waiting", Message: "3 to go", ObservedGeneration: 1, LastTransitionTime: earlier},
	}
}

func TestTimesOfTransitions(t *testing.T) {
	set := New(2, before(), later)
	set.True("Accepted", "Accepted", "still fine")
	set.True("Ready", "Ready", "done")
	set.Unknown("Connected", "NotReported", "")
	want := []metav1.Condition{
		{Type: "Accepted", Status: metav1.ConditionTrue, Reason: "Accepted", Message: "still fine", ObservedGeneration: 2, LastTransitionTime: earlier},
		{Type: "Ready", Status: metav1.ConditionTrue, Reason: "Ready", Message: "done", ObservedGeneration: 2, LastTransitionTime: metav1.NewTime(later.Truncate(time.Second))},
		{Type: "Connected", Status: metav1.ConditionUnknown, Reason: "NotReported", ObservedGeneration: 2, LastTransitionTime: metav1.NewTime(later.Truncate(time.Second))},
	}
	if diff := cmp.Diff(want, set.List()); diff != "" {
		t.Error(diff)
	}
	var types []string
	for _, c := range set.Transitions() {
		types = append(types, c.Type)
	}
	if diff := cmp.Diff([]string{"Ready", "Connected"}, types); diff != "" {
		t.Errorf("transitions: %s", diff)
	}
}

func TestTheLastWordOfAPassCounts(t *testing.T) {
	set := New(1, nil, later)
	set.False("Ready", "NotAccepted", "")
	set.True("Ready", "Ready", "")
	if got := set.List(); len(got) != 1 || got[0].Status != metav1.ConditionTrue {
		t.Errorf("got %v, want one condition that is True", got)
	}
}

func TestALongMessageIsCutBetweenCharacters(t *testing.T) {
	set := New(1, nil, later)
	set.False("Ready", "Long", strings.Repeat("ä", maxMessage))
	message := set.Get("Ready").Message
	if len(message) > maxMessage || !utf8.ValidString(message) || !strings.HasSuffix(message, "ä…") {
		t.Errorf("%d bytes, valid %v, ends in %q", len(message), utf8.ValidString(message), message[len(message)-5:])
	}
}

func TestSame(t *testing.T) {
	reversed := before()
	reversed[0], reversed[1] = reversed[1], reversed[0]
	if !Same(before(), reversed) {
		t.Error("the order makes a difference")
	}
	inOtherZone := before()
	inOtherZone[0].LastTransitionTime = metav1.NewTime(earlier.In(time.FixedZone("WIB", 7*3600)))
	if !Same(before(), inOtherZone) {
		t.Error("the zone makes a difference")
	}
	for sentence, change := range map[string]func([]metav1.Condition) []metav1.Condition{
		"a message":                 func(c []metav1.Condition) []metav1.Condition { c[1].Message = "2 to go"; return c },
		"a generation":              func(c []metav1.Condition) []metav1.Condition { c[1].ObservedGeneration = 2; return c },
		"a time of transition":      func(c []metav1.Condition) []metav1.Condition { c[1].LastTransitionTime = later; return c },
		"a condition more":          func(c []metav1.Condition) []metav1.Condition { return append(c, metav1.Condition{Type: "Connected"}) },
		"a condition of other type": func(c []metav1.Condition) []metav1.Condition { c[1].Type = "Connected"; return c },
	} {
		if Same(before(), change(before())) {
			t.Errorf("%s makes no difference", sentence)
		}
	}
}
