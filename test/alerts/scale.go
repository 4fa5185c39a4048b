package alerts

import (
	"regexp"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
)

// The shipped rules wait for minutes and look back over hours; a test that waits as long would not be run.
// Scale makes a minute of half a second, yet nothing that is longer than half a minute shorter than that:
// workers report every ten seconds, and figures that old are no fault. A threshold stays longer than the two
// minutes after which a worker that does not report counts as down, as it is in the shipped rules.
//
// What is scaled: the interval of a group that has its own, and in a rule `for`, the range of a selector, and a
// threshold that is written in minutes (15 * 60). What is not: days, since the script can file a complaint of two weeks ago and end a calendar
// tomorrow; offsets, since the Prometheus of the test is given a past; ratios and counts.
const (
	pace           = 120
	least          = 30 * time.Second
	leastThreshold = 150 * time.Second
)

// Scale is a duration of the rules as the test has it.
func Scale(d time.Duration) time.Duration {
	if d <= least {
		return d
	}
	return max(least, d/pace)
}

var (
	selectorRange = regexp.MustCompile(`\[([0-9a-z]+)\]`)
	minutes       = regexp.MustCompile(`\b([0-9]+) \* 60\b`)
)

// ScaleExpression scales the ranges and the thresholds in minutes of an expression.
func ScaleExpression(expr string) string {
	expr = selectorRange.ReplaceAllStringFunc(expr, func(s string) string { return "[" + scaleText(s[1:len(s)-1]) + "]" })
	return minutes.ReplaceAllStringFunc(expr, func(s string) string {
		n, err := strconv.Atoi(minutes.FindStringSubmatch(s)[1])
		if err != nil {
			return s
		}
		return strconv.Itoa(int(max(leastThreshold, Scale(time.Duration(n)*time.Minute)).Seconds()))
	})
}

// scaleText scales a duration as Prometheus writes it; what is none stays.
func scaleText(text string) string {
	d, err := model.ParseDuration(text)
	if err != nil {
		return text
	}
	return model.Duration(Scale(time.Duration(d))).String()
}
