package calendar

import (
	"fmt"
	"slices"
	"sort"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// oracle answers by brute force what a Calendar does by arithmetic: it looks at every minute of a
// window by the wall clock of the time package. Nothing but the Spec is shared with the Calendar.
type oracle struct {
	spec  Spec
	zone  *time.Location
	first time.Time // a whole minute
	// wall is the local time of each minute, as seconds since 1970-01-01 00:00 on the wall; passed is the
	// latest local time that the clocks have shown so far.
	wall, passed []int64
	open         []bool
}

func newOracle(spec Spec, first time.Time, days int) *oracle {
	zone, err := time.LoadLocation(spec.TimeZone)
	if err != nil {
		panic(err)
	}
	o := &oracle{spec: spec, zone: zone, first: first.Truncate(time.Minute)}
	n := days * 24 * 60
	o.wall, o.passed, o.open = make([]int64, n), make([]int64, n), make([]bool, n)
	for i := range n {
		at := o.time(i)
		_, offset := at.In(zone).Zone()
		o.wall[i] = at.Unix() + int64(offset)
		o.passed[i] = o.wall[i]
		if i > 0 {
			o.passed[i] = max(o.passed[i-1], o.wall[i])
		}
	}
	for _, day := range o.dates() {
		for _, span := range o.spans(day) {
			for i := span[0]; i < span[1]; i++ {
				o.open[i] = true
			}
		}
	}
	return o
}

func (o *oracle) time(minute int) time.Time { return o.first.Add(time.Duration(minute) * time.Minute) }

// dates are those that lie wholly within the window, as local midnights written in UTC.
func (o *oracle) dates() []time.Time {
	var dates []time.Time
	day := time.Unix(o.wall[0], 0).UTC().Truncate(24*time.Hour).AddDate(0, 0, 1)
	for ; day.AddDate(0, 0, 3).Unix() < o.wall[len(o.wall)-1]; day = day.AddDate(0, 0, 1) {
		dates = append(dates, day)
	}
	return dates
}

// spans are the open minutes of the intervals that start on a date, from the first to before the second.
func (o *oracle) spans(day time.Time) [][2]int {
	var spans [][2]int
	for _, interval := range o.hours(day) {
		start, end := o.when(day, interval.Start), o.when(day, interval.End)
		if interval.End <= interval.Start {
			end = o.when(day.AddDate(0, 0, 1), interval.End)
		}
		if start < end {
			spans = append(spans, [2]int{start, end})
		}
	}
	slices.SortFunc(spans, func(a, b [2]int) int { return a[0] - b[0] })
	return spans
}

// when is the first minute at which the clocks show the time on the date, or have passed it.
func (o *oracle) when(day time.Time, clock string) int {
	var hour, minute int
	if _, err := fmt.Sscanf(clock, "%d:%d", &hour, &minute); err != nil {
		panic(err)
	}
	wanted := day.Unix() + int64(hour*3600+minute*60)
	return sort.Search(len(o.passed), func(i int) bool { return o.passed[i] >= wanted })
}

func (o *oracle) hours(day time.Time) []Interval {
	date := day.Format(time.DateOnly)
	for _, s := range o.spec.SpecialDays {
		if s.Date == date {
			return s.Hours
		}
	}
	for _, h := range o.spec.Holidays {
		if h.Date == date {
			return nil
		}
	}
	weekly := o.spec.Weekly
	for _, s := range o.spec.Seasons {
		if s.From <= date && date <= s.To {
			weekly = s.Weekly
		}
	}
	for _, w := range weekly {
		if slices.Contains(w.Days, day.Weekday().String()) {
			return w.Hours
		}
	}
	return nil
}

func (o *oracle) between(a, b int) time.Duration {
	var open time.Duration
	for i := a; i < b; i++ {
		if o.open[i] {
			open += time.Minute
		}
	}
	return open
}

// add is the first minute from a on before which d has been open since a; -1 when the window ends first.
func (o *oracle) add(a int, d time.Duration) int {
	for i := a; i < len(o.open); i++ {
		if d <= 0 {
			return i
		}
		if o.open[i] {
			d -= time.Minute
		}
	}
	return -1
}

// back is the last minute up to b from which d is open until b; -1 when the window begins after it.
func (o *oracle) back(b int, d time.Duration) int {
	for i := b; i > 0; i-- {
		if d <= 0 {
			return i
		}
		if o.open[i-1] {
			d -= time.Minute
		}
	}
	return -1
}

var zones = []string{
	"Asia/Jakarta", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca",
	"America/Santiago", "Africa/Cairo", "Asia/Kathmandu", "Pacific/Chatham", "Pacific/Apia", "Asia/Beirut",
	"America/St_Johns", "Europe/Dublin", "UTC",
}

// genSpec draws a calendar with something happening around a date.
func genSpec(t *rapid.T, around Date) Spec {
	spec := Spec{TimeZone: rapid.SampledFrom(zones).Draw(t, "zone")}
	night := rapid.Bool().Draw(t, "night")
	spec.Weekly = genWeek(t, night)
	dates := rapid.SliceOfNDistinct(rapid.Int32Range(-15, 15), 0, 8, rapid.ID).Draw(t, "dates")
	for i, d := range dates {
		date := (around + Date(d)).String()
		if i%2 == 0 {
			spec.Holidays = append(spec.Holidays, Holiday{Date: date})
		} else {
			spec.SpecialDays = append(spec.SpecialDays, SpecialDay{Date: date, Hours: genHours(t, night)})
		}
	}
	if rapid.Bool().Draw(t, "season") {
		from := around + Date(rapid.Int32Range(-15, 5).Draw(t, "from"))
		to := from + Date(rapid.Int32Range(0, 20).Draw(t, "length"))
		spec.Seasons = []Season{{From: from.String(), To: to.String(), Weekly: genWeek(t, night)}}
	}
	return spec
}

func genWeek(t *rapid.T, night bool) []WeeklyHours {
	var week []WeeklyHours
	for i, days := range [][]string{weekdays[:2], weekdays[2:], everyDay[5:6], everyDay[6:]} {
		hours := genHours(t, night)
		if len(hours) == 0 && i == 0 {
			hours = []Interval{{"08:00", "17:00"}}
		}
		if len(hours) > 0 {
			week = append(week, WeeklyHours{Days: days, Hours: hours})
		}
	}
	return week
}

// genHours draws intervals that do not overlap. At night they start from 04:00 on and may last until
// 04:00 of the next day.
func genHours(t *rapid.T, night bool) []Interval {
	low, high := 0, 24*60
	if night {
		low, high = 4*60, 28*60
	}
	count := rapid.IntRange(0, 3).Draw(t, "intervals")
	bounds := rapid.SliceOfNDistinct(rapid.IntRange(low, high), 2*count, 2*count, rapid.ID).Draw(t, "bounds")
	slices.Sort(bounds)
	var hours []Interval
	for i := 0; i < len(bounds); i += 2 {
		start, end := bounds[i], bounds[i+1]
		if start >= 24*60 {
			break
		}
		text := func(minutes int) string { return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60) }
		if end > 24*60 {
			end -= 24 * 60
		}
		hours = append(hours, Interval{text(start), text(end)})
	}
	return hours
}

// genDate draws a date, mostly one near which the clocks change somewhere.
func genDate(t *rapid.T) Date {
	year := rapid.IntRange(2001, 2190).Draw(t, "year")
	month := rapid.SampledFrom([]time.Month{time.March, time.October, time.April, time.September, time.November, time.December, time.June}).Draw(t, "month")
	return DateOf(year, month, rapid.IntRange(1, 31).Draw(t, "day"))
}

func TestCalendarAgreesWithBruteForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		around := genDate(t)
		spec := genSpec(t, around)
		c, err := Compile(spec)
		if err != nil {
			t.Fatalf("Compile: %v", err)
		}
		const days = 40
		o := newOracle(spec, (around - 20).Midnight(), days)
		// The dates at the margins are not whole.
		minute := rapid.IntRange(3*24*60, (days-5)*24*60)
		a, b := minute.Draw(t, "a"), minute.Draw(t, "b")
		a, b = min(a, b), max(a, b)

		if got, want := c.Open(o.time(a)), o.open[a]; got != want {
			t.Errorf("Open(%s): want %v, got %v", o.time(a).In(o.zone), want, got)
		}
		if got, want := c.Between(o.time(a), o.time(b)), o.between(a, b); got != want {
			t.Errorf("Between(%s, %s): want %v, got %v", o.time(a).In(o.zone), o.time(b).In(o.zone), want, got)
		}
		if got, want := c.Between(o.time(b), o.time(a)), -o.between(a, b); got != want {
			t.Errorf("Between backwards: want %v, got %v", want, got)
		}
		d := o.between(a, b) // often ends with a closing
		if rapid.Bool().Draw(t, "anyAmount") {
			d = time.Duration(rapid.IntRange(0, 60*60).Draw(t, "minutes")) * time.Minute
		}
		if want := o.add(a, d); want >= 0 && want < (days-5)*24*60 {
			if got, ok := c.Add(o.time(a), d); !ok || !got.Equal(o.time(want)) {
				t.Errorf("Add(%s, %v): want %s, got %s", o.time(a).In(o.zone), d, o.time(want).In(o.zone), got.In(o.zone))
			}
		}
		if want := o.back(b, d); want > 3*24*60 {
			if got, ok := c.Back(o.time(b), d); !ok || !got.Equal(o.time(want)) {
				t.Errorf("Back(%s, %v): want %s, got %s", o.time(b).In(o.zone), d, o.time(want).In(o.zone), got.In(o.zone))
			}
		}
		checkDates(t, c, o)
	})
}

func checkDates(t *rapid.T, c *Calendar, o *oracle) {
	working := 0
	var base int
	for i, day := range o.dates()[2:] {
		d := DateOf(day.Date())
		if i == 0 {
			base = c.WorkingDatesBefore(d)
		}
		spans := o.spans(day)
		if got, want := c.WorkingDatesBefore(d)-base, working; got != want {
			t.Fatalf("WorkingDatesBefore(%s): want %d, got %d", d, want, got)
		}
		if got, want := c.IsWorkingDate(d), len(spans) > 0; got != want {
			t.Fatalf("IsWorkingDate(%s): want %v, got %v", d, want, got)
		}
		if end := o.when(day.AddDate(0, 0, 1), "00:00"); !c.EndOfDate(d).Equal(o.time(end)) {
			t.Fatalf("EndOfDate(%s): want %s, got %s", d, o.time(end), c.EndOfDate(d))
		}
		closing, ok := c.LastClosing(d)
		if ok != (len(spans) > 0) {
			t.Fatalf("LastClosing(%s): got %v", d, ok)
		}
		if !ok {
			continue
		}
		if want := o.time(spans[len(spans)-1][1]); !closing.Equal(want) {
			t.Fatalf("LastClosing(%s): want %s, got %s", d, want, closing)
		}
		if got, ok := c.WorkingDateAt(base + working); !ok || got != d {
			t.Fatalf("WorkingDateAt: want %s, got %s", d, got)
		}
		if got := c.ClosedBefore(closing) - base; got != working {
			t.Fatalf("ClosedBefore(the closing of %s): want %d, got %d", d, working, got)
		}
		if got := c.ClosedBefore(closing.Add(1)) - base; got != working+1 {
			t.Fatalf("ClosedBefore(just after the closing of %s): want %d, got %d", d, working+1, got)
		}
		working++
	}
}

func TestZoneAgreesWithTheTimePackage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		location, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		z := newZone(location)
		for range 200 {
			at := time.Unix(rapid.Int64Range(horizonFirst.Midnight().Unix(), horizonLast.Midnight().Unix()).Draw(t, "at"), 0)
			if got, want := z.date(at.Unix()), DateOf(at.In(location).Date()); got != want {
				t.Fatalf("%s: want %s, got %s", at.In(location), want, got)
			}
			_, offset := at.In(location).Zone()
			wall := at.Unix() + int64(offset)
			if got := z.instant(wall); got > at.Unix() || got < at.Unix()-24*3600 {
				t.Fatalf("%s: the wall time is taken for %s", at.In(location), time.Unix(got, 0).In(location))
			}
			if wall2 := wall + 1; z.instant(wall2) < z.instant(wall) {
				t.Fatalf("%s: a later local time is an earlier instant", at.In(location))
			}
		}
	})
}

func TestWorkingTimeIsAdditive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		around := genDate(t)
		c, err := Compile(genSpec(t, around))
		if err != nil {
			t.Fatalf("Compile: %v", err)
		}
		instant := func(name string) time.Time {
			span := int64(100 * 365 * 24 * time.Hour)
			return around.Midnight().Add(time.Duration(rapid.Int64Range(-span, span).Draw(t, name)))
		}
		a, b, d := instant("a"), instant("b"), instant("d")
		if whole, parts := c.Between(a, d), c.Between(a, b)+c.Between(b, d); whole != parts {
			t.Errorf("Between(a, d) = %v, but by way of b %v", whole, parts)
		}
		amount := c.Between(a, b)
		if amount <= 0 {
			return
		}
		end, ok := c.Add(a, amount)
		if !ok || end.After(b) || c.Between(a, end) != amount || c.Between(a, end.Add(-1)) != amount-1 {
			t.Errorf("Add(%s, %v) = %s is not the earliest instant", a, amount, end)
		}
		start, ok := c.Back(b, amount)
		if !ok || start.Before(a) || c.Between(start, b) != amount || c.Between(start.Add(1), b) != amount-1 {
			t.Errorf("Back(%s, %v) = %s is not the latest instant", b, amount, start)
		}
	})
}

// Benchmarks of the questions a clock asks, beside the brute force that they replace.
func BenchmarkAdd(b *testing.B) {
	c := mustCompile(b, office())
	start := local(b, c, "2026-03-02 10:00")
	const fourteenDays = 14 * 7 * time.Hour
	o := newOracle(office(), start.AddDate(0, 0, -7), 60)
	minute := int(start.Sub(o.first) / time.Minute)
	want, _ := c.Add(start, fourteenDays)
	if got := o.time(o.add(minute, fourteenDays)); !got.Equal(want) {
		b.Fatalf("brute force says %s, the calendar %s", got, want)
	}
	const rounds = 200
	began := time.Now()
	for range rounds {
		o.add(minute, fourteenDays)
	}
	brute := float64(time.Since(began).Nanoseconds()) / rounds
	b.ReportAllocs()
	for b.Loop() {
		c.Add(start, fourteenDays)
	}
	b.ReportMetric(brute/(float64(b.Elapsed().Nanoseconds())/float64(b.N)), "times-faster-than-brute-force")
}

func BenchmarkCalendar(b *testing.B) {
	for _, zone := range []string{"Asia/Jakarta", "Europe/Berlin"} {
		spec := office()
		spec.TimeZone = zone
		c := mustCompile(b, spec)
		start := local(b, c, "2026-03-02 10:00")
		later := start.AddDate(20, 0, 0)
		run := func(name string, f func()) {
			b.Run(name+"/"+zone, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					f()
				}
			})
		}
		run("Compile", func() { mustCompile(b, spec) })
		run("BetweenTwentyYears", func() { c.Between(start, later) })
		run("AddTenYears", func() { c.Add(start, 20_000*time.Hour) })
		run("AddFourteenWorkingDays", func() { c.AddWorkingDays(c.Date(start), 14) })
	}
}
