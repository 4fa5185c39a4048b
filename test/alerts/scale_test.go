package alerts

import (
	"slices"
	"testing"
	"time"
)

func TestScale(t *testing.T) {
	for d, want := range map[time.Duration]time.Duration{
		10 * time.Second: 10 * time.Second, 2 * time.Minute: least, 15 * time.Minute: least, time.Hour: least,
		3 * time.Hour: 90 * time.Second, 6 * time.Hour: 3 * time.Minute, 72 * time.Hour: 36 * time.Minute,
	} {
		if got := Scale(d); got != want {
			t.Errorf("%s becomes %s, not %s", d, got, want)
		}
	}
}

func TestScaleExpressionLeavesDaysOffsetsAndCountsAlone(t *testing.T) {
	for expr, want := range map[string]string{
		`sum(increase(x[6h])) >= 3`:                        `sum(increase(x[3m])) >= 3`,
		`lag > 15 * 60 and up == 1`:                        `lag > 150 and up == 1`,
		`max_over_time(overdue[6h] offset 6h) >= 5`:        `max_over_time(overdue[3m] offset 6h) >= 5`,
		`time() - oldest > 14 * 86400`:                     `time() - oldest > 14 * 86400`,
		`0.02 * window / 3600 and on (a) b offset 1w >= 3`: `0.02 * window / 3600 and on (a) b offset 1w >= 3`,
	} {
		if got := ScaleExpression(expr); got != want {
			t.Errorf("%s becomes %s, not %s", expr, got, want)
		}
	}
}

// TestTheScaledRulesAreTheShippedOnes compares them but for what Scale is said to change.
func TestTheScaledRulesAreTheShippedOnes(t *testing.T) {
	shipped, scaled := readRules(t), scaledRules(t)
	if len(shipped.Groups) == 0 || len(shipped.Groups) != len(scaled.Groups) {
		t.Fatalf("%d groups became %d", len(shipped.Groups), len(scaled.Groups))
	}
	bare := func(expr string) string {
		return minutes.ReplaceAllString(selectorRange.ReplaceAllString(expr, "[]"), "N")
	}
	for g, group := range shipped.Groups {
		for r, rule := range group.Rules {
			other := scaled.Groups[g].Rules[r]
			want, got := bare(rule.Expr), bare(other.Expr)
			if minutes.MatchString(rule.Expr) {
				got = scaledMinutes.ReplaceAllString(got, "N")
			}
			if want != got || rule.Alert != other.Alert || rule.Record != other.Record {
				t.Errorf("%s%s became another rule:\n%s\n%s", rule.Record, rule.Alert, want, got)
			}
		}
	}
	if !slices.ContainsFunc(scaled.Groups[0].Rules, func(r rule) bool { return r.For == "30s" }) {
		t.Error("no rule waits for half a minute")
	}
}
