package sla

import (
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/calendar"
	"github.com/tanggap/tanggap/internal/complaint"
)

// eightEvents is an ordinary case: assigned, asked back, answered, written to again, resolved, reopened.
func eightEvents(t testing.TB) Input {
	t.Helper()
	return Input{
		Events: script(t,
			"02 10:00 Received citizen Pohon tumbang menutup jalan", "02 10:05 Acknowledged bot", "02 13:00 Assigned official",
			"03 09:00 StatusChanged official AwaitingCitizen", "04 11:00 CitizenMessage citizen", "04 11:00 StatusChanged official Open",
			"05 10:00 Answered official Regu berangkat", "09 10:00 CitizenMessage citizen"),
		At: at(t, "10 09:00"), ObservedThrough: at(t, "10 08:59"),
	}
}

func fourteenDays(t testing.TB, match string) (*Policy, *calendar.Calendar) {
	t.Helper()
	c := office(t, holiday("06", "cuti bersama"), holiday("12", "libur"))
	return compile(t, c, Spec{Rules: []Rule{{Name: "all", Match: match, Clocks: []Clock{
		clockOf(MeasureFirstResolution, workingDays(14), paused, warnBefore("25%"))}}}}), c
}

// BenchmarkEvaluate judges a case of eight events by one clock of 14 working days, and reports how much
// faster that is than to live through every minute of it.
func BenchmarkEvaluate(b *testing.B) {
	p, c := fourteenDays(b, "")
	in := eightEvents(b)
	o := &oracle{calendar: c, at: in.At, events: in.Events, clock: Clock{
		Measures: "FirstResolution", Target: workingDays(14), PauseWhile: []string{"AwaitingCitizen", "AwaitingThirdParty"}}}
	due := p.Evaluate(in).Clocks[0].DueAt
	if brute := minutes(o, in, 14); !brute.Equal(due) {
		b.Fatalf("brute force says %s, the policy %s", brute, due)
	}
	const rounds = 20
	began := time.Now()
	for range rounds {
		minutes(o, in, 14)
	}
	brute := float64(time.Since(began).Nanoseconds()) / rounds
	b.ReportAllocs()
	for b.Loop() {
		p.Evaluate(in)
	}
	b.ReportMetric(brute/(float64(b.Elapsed().Nanoseconds())/float64(b.N)), "times-faster-than-brute-force")
}

// minutes finds the due instant of working days by looking at each minute: whether it closes a date
// that counts.
func minutes(o *oracle, in Input, days int) time.Time {
	start := in.Events[0].OccurredAt
	first := o.calendar.Date(start) + 1
	var closing time.Time
	for now := start; ; now = now.Add(time.Minute) {
		if o.calendar.Open(now) {
			closing = now.Add(time.Minute)
			continue
		}
		if now.Equal(closing) && o.calendar.Date(now) >= first && !o.still(now) {
			if days--; days == 0 {
				return now
			}
		}
	}
}

func BenchmarkEvaluateVariants(b *testing.B) {
	plain, c := fourteenDays(b, "")
	matched, _ := fourteenDays(b, `complaint.channel == "dsw" && complaint.official`)
	thanked := compile(b, c, Spec{
		Acknowledgement: &Acknowledgement{Match: `size(event.text) < 80 && event.text.contains("terima kasih")`},
		Rules:           []Rule{{Name: "all", Clocks: []Clock{clockOf(MeasureFirstResolution, workingDays(14), paused)}}}})
	five := compile(b, c, Spec{Rules: []Rule{{Name: "all", Clocks: []Clock{
		clockOf(MeasureAcknowledgement, within("1h"), warnBefore("25%")),
		clockOf(MeasureFirstAnswer, workingTime("8h"), paused, warnBefore("25%")),
		clockOf(MeasureNextReply, workingTime("16h"), paused, warnBefore("25%")),
		clockOf(MeasureFirstResolution, workingDays(14), paused, warnBefore("25%")),
		clockOf(MeasureTotalResolution, workingDays(14), paused, warnBefore("25%"))}}}})
	in := eightEvents(b)
	in.Subject = Subject{Channel: "dsw", Official: true}
	shuffled := in
	shuffled.Events = append([]complaint.Event{}, in.Events[4:]...)
	shuffled.Events = append(append(shuffled.Events, in.Events...), in.Events[:4]...)
	for name, variant := range map[string]struct {
		policy *Policy
		in     Input
	}{
		"five clocks":            {five, in},
		"a rule in CEL":          {matched, in},
		"acknowledgement in CEL": {thanked, in},
		"out of order and twice": {plain, shuffled},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				variant.policy.Evaluate(variant.in)
			}
		})
	}
}
