package expr

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestHostileExpressionsAreBounded runs expressions that are small and want the world. Each must end
// soon, without having allocated much, and either way of ending is right.
func TestHostileExpressionsAreBounded(t *testing.T) {
	list := make([]any, 2000)
	for i := range list {
		list[i] = map[string]any{"id": float64(i), "text": strings.Repeat("a", 100)}
	}
	numbers, negative := make([]any, 30_000), make([]any, 30_000)
	for i := range numbers {
		numbers[i], negative[i] = int64(i), int64(-i-1)
	}
	in := map[string]any{"item": map[string]any{
		"list": list, "numbers": numbers, "negative": negative, "text": strings.Repeat("a", 16<<10), "mb": strings.Repeat("ab", 1<<19), "zone": "Asia/Jakarta",
	}}
	repeat := func(first, step, last string, n int) string { return first + strings.Repeat(step, n) + last }
	tests := map[string]string{
		"doubling a list":              repeat(`[[1]]`, `.map(x, x+x)`, `.map(x, size(x))`, 40),
		"searching a doubled list":     repeat(`[[1]]`, `.map(x, x+x)`, `.map(x, 2 in x)`, 30),
		"a list of shared lists":       repeat(`[[0]]`, `.map(x, [x,x,x,x])`, ``, 16),
		"doubling a text":              repeat(`["aaaaaaaaaa"]`, `.map(x, x+x)`, `.map(x, size(x))`, 40),
		"squaring a text":              repeat(`["aaaaaaaaaa"]`, `.map(x, x.replace("", x))`, ``, 5),
		"joining long texts":           `item.list.map(x, item.mb).join(item.mb).size()`,
		"formatting long texts":        `"%s%s".format([item.list.map(x, item.mb),1]).size()`,
		"replacing by a pattern":       `regex.replace(item.mb, "", item.mb).size()`,
		"replacing by a group":         `regex.replace(item.mb, "(.*)", "\\1\\1\\1\\1\\1\\1\\1\\1").size()`,
		"three loops in one another":   `item.list.all(x, item.list.all(y, item.list.all(z, true)))`,
		"a costly regular expression":  `item.list.all(x, item.mb.matches("(a|b|ab)*(c|d){1,50}$") || true)`,
		"many searches of a long text": `item.list.all(x, item.mb.contains("abababababac") || true)`,
		"comparing long lists":         `item.list.all(x, item.list == item.list)`,
		"converting a long text":       `item.list.map(x, base64.encode(bytes(item.mb))).size()`,
		"reversing a long text":        `item.list.map(x, item.mb.reverse()).size()`,
		"splitting a long text":        `item.list.map(x, item.mb.split("")).size()`,
		"parsing times":                `item.list.all(x, item.list.all(y, parseTime("2026-01-01","2006-01-02",item.zone) != timestamp("2026-01-01T00:00:00Z")))`,
		"the distinct of many":         `item.numbers.distinct().size()`,
		"what many have in common":     `sets.intersects(item.numbers, item.negative)`,
		"whether many are among many":  `sets.contains(item.numbers, item.numbers)`,
		"whether many are the same":    `sets.equivalent(item.numbers, item.numbers)`,
		"the distinct of long lists":   `item.list.map(x, item.numbers).distinct().size()`,
		"a range":                      `lists.range(9000).map(x, lists.range(9000)).size()`,
	}
	env := newEnv(t)
	for name, source := range tests {
		t.Run(name, func(t *testing.T) {
			program := compile(t, env, source, Any)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			_, err := program.Any(in)
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			if took > 10*time.Second {
				t.Errorf("took %v (%v)", took, err)
			}
			if mb := (after.TotalAlloc - before.TotalAlloc) >> 20; mb > 300 {
				t.Errorf("allocated %d MB (%v)", mb, err)
			}
		})
	}
}

func TestGrowthIsRefusedBeforehand(t *testing.T) {
	in := map[string]any{"item": map[string]any{"mb": strings.Repeat("ab", 1<<19), "list": make([]any, 90_000)}}
	env := newEnv(t)
	for source, want := range map[string]string{
		`item.mb.replace("a", item.mb)`:                                               "the expression makes a text that is too long",
		`item.mb.replace("a", item.mb, 5)`:                                            "the expression makes a text that is too long",
		`[item.mb, item.mb, item.mb].join(item.mb)`:                                   "the expression makes a text that is too long",
		`["a", item.mb, item.mb, item.mb, item.mb].join()`:                            "the expression makes a text that is too long",
		`[[item.mb, item.mb, item.mb, item.mb, item.mb]].map(x, "%s".format([x]))[0]`: "the expression makes a text that is too long",
		`item.list + item.list`:                                                       "the expression makes a list that is too long",
	} {
		_, err := compile(t, env, source, Any).Any(in)
		if messageOf(err) != want {
			t.Errorf("%s: got %v", source, err)
		}
	}
}
