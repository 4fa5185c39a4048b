package calendar

import (
	"testing"
	"time"
	_ "time/tzdata" // the tests need every zone, whatever the machine has

	"github.com/google/go-cmp/cmp"
)

var (
	weekdays = []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday"}
	everyDay = append(weekdays[:5:5], "Saturday", "Sunday")
)

// office is the working week of an Indonesian city in 2026: Ramadan hours, Idul Fitri and joint leave.
func office() Spec {
	week := func(start, end, friday string) []WeeklyHours {
		return []WeeklyHours{
			{Days: weekdays[:4], Hours: []Interval{{start, end}}},
			{Days: weekdays[4:], Hours: []Interval{{start, friday}}},
		}
	}
	return Spec{
		TimeZone:    "Asia/Jakarta",
		Weekly:      week("07:30", "16:00", "16:30"),
		Seasons:     []Season{{Name: "Ramadan 1447", From: "2026-02-18", To: "2026-03-17", Weekly: week("08:00", "15:00", "15:30")}},
		CoversUntil: "2026-12-31",
		Holidays: []Holiday{
			{"2026-02-16", "joint leave"}, {"2026-02-17", "Imlek"},
			{"2026-03-18", "joint leave"}, {"2026-03-19", "Nyepi"}, {"2026-03-20", "joint leave"},
			{"2026-03-21", "Idul Fitri"}, {"2026-03-22", "Idul Fitri"}, {"2026-03-23", "joint leave"}, {"2026-03-24", "joint leave"},
			{"2026-04-03", "Good Friday"}, {"2026-12-24", "joint leave"}, {"2026-12-25", "Christmas"},
		},
	}
}

// daily is a calendar that has the same hours each day.
func daily(zone string, hours ...Interval) Spec {
	return Spec{TimeZone: zone, Weekly: []WeeklyHours{{Days: everyDay, Hours: hours}}}
}

func mustCompile(t testing.TB, spec Spec) *Calendar {
	t.Helper()
	c, err := Compile(spec)
	if err != nil {
		t.Fatalf("Compile: %v", err)
	}
	return c
}

// local is a time of the calendar's zone in the form "2026-03-17 10:00".
func local(t testing.TB, c *Calendar, s string) time.Time {
	t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04", s, c.Location())
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func show(c *Calendar, t time.Time, ok bool) string {
	if !ok {
		return "none"
	}
	return t.In(c.Location()).Format("Mon 2006-01-02 15:04:05 -0700")
}

func TestAdd(t *testing.T) {
	night := daily("Asia/Jakarta", Interval{"22:00", "06:00"})
	broken := daily("Asia/Jakarta", Interval{"08:00", "12:00"}, Interval{"13:00", "17:00"})
	tests := map[string]struct {
		spec  Spec
		start string
		open  time.Duration
		want  string
	}{
		"an amount that ends at closing ends at the closing, not at the next opening": {
			office(), "2026-11-02 14:00", 2 * time.Hour, "Mon 2026-11-02 16:00:00 +0700"},
		"the rest of an amount goes on at the next opening": {
			office(), "2026-11-02 14:00", 4 * time.Hour, "Tue 2026-11-03 09:30:00 +0700"},
		"nothing at all ends where it starts, also when closed": {
			office(), "2026-11-01 03:00", 0, "Sun 2026-11-01 03:00:00 +0700"},
		"a start outside the hours counts from the next opening": {
			office(), "2026-11-06 17:30", time.Hour, "Mon 2026-11-09 08:30:00 +0700"},
		"a season has hours of its own": {
			office(), "2026-02-25 08:00", 7 * time.Hour, "Wed 2026-02-25 15:00:00 +0700"},
		"holidays and joint leave are skipped with the weekend between": {
			office(), "2026-03-17 15:00", time.Nanosecond, "Wed 2026-03-25 07:30:00 +0700"},
		"a second interval of the day follows the break": {
			broken, "2026-11-02 11:00", 2 * time.Hour, "Mon 2026-11-02 14:00:00 +0700"},
		"the end of the first interval is not the beginning of the second": {
			broken, "2026-11-02 11:00", time.Hour, "Mon 2026-11-02 12:00:00 +0700"},
		"an interval past midnight goes on after it": {
			night, "2026-11-02 23:00", 3 * time.Hour, "Tue 2026-11-03 02:00:00 +0700"},
		"a start after midnight is in the interval of the evening before": {
			night, "2026-11-03 05:00", 2 * time.Hour, "Tue 2026-11-03 23:00:00 +0700"},
		"an amount that ends with the last closing before a holiday ends there": {
			office(), "2026-03-16 15:00", 7 * time.Hour, "Tue 2026-03-17 15:00:00 +0700"},
		"years ahead": {
			office(), "2026-11-02 07:30", 8784 * time.Hour, "Thu 2030-10-03 11:30:00 +0700"},
		"more than the calendar's years have left": {
			office(), "2190-11-02 07:30", 100_000 * time.Hour, "none"},
		"a negative amount": {
			office(), "2026-11-02 07:30", -time.Hour, "none"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := mustCompile(t, test.spec)
			end, ok := c.Add(local(t, c, test.start), test.open)
			got := show(c, end, ok)
			if test.open == 0 || test.open == time.Nanosecond {
				got = show(c, end.Truncate(time.Second), ok)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBackAndNextOpen(t *testing.T) {
	c := mustCompile(t, office())
	end := local(t, c, "2026-11-03 16:00")
	back := func(d time.Duration) string {
		start, ok := c.Back(end, d)
		return show(c, start, ok)
	}
	next := func(s string) string {
		opening, ok := c.NextOpen(local(t, c, s))
		return show(c, opening, ok)
	}
	got := map[string]string{
		"within the day": back(2 * time.Hour),
		"to an opening, not to the closing before": back(8*time.Hour + 30*time.Minute),
		"over the night":        back(9 * time.Hour),
		"nothing":               back(0),
		"more than there is":    back(2_000_000 * time.Hour),
		"open already":          next("2026-11-03 10:00"),
		"at closing":            next("2026-11-03 16:00"),
		"over Idul Fitri":       next("2026-03-17 15:00"),
		"after the last year":   next("2200-03-17 15:00"),
		"before the first year": next("1980-03-17 15:00"),
	}
	want := map[string]string{
		"within the day": "Tue 2026-11-03 14:00:00 +0700",
		"to an opening, not to the closing before": "Tue 2026-11-03 07:30:00 +0700",
		"over the night":        "Mon 2026-11-02 15:30:00 +0700",
		"nothing":               "Tue 2026-11-03 16:00:00 +0700",
		"more than there is":    "none",
		"open already":          "Tue 2026-11-03 10:00:00 +0700",
		"at closing":            "Wed 2026-11-04 07:30:00 +0700",
		"over Idul Fitri":       "Wed 2026-03-25 07:30:00 +0700",
		"after the last year":   "none",
		"before the first year": "Mon 1990-01-01 07:30:00 +0700",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSpecialDaysWinOverHolidaysSeasonsAndWeeks(t *testing.T) {
	spec := office()
	spec.SpecialDays = []SpecialDay{
		{Date: "2026-03-19", Name: "disaster duty", Hours: []Interval{{"09:00", "11:00"}}}, // a holiday
		{Date: "2026-03-02", Hours: []Interval{{"06:00", "07:00"}}},                        // in Ramadan
		{Date: "2026-11-08", Name: "open Sunday", Hours: []Interval{{"10:00", "24:00"}}},
		{Date: "2026-11-09", Name: "fire drill"}, // closed
	}
	c := mustCompile(t, spec)
	open := func(date string) time.Duration {
		return c.Between(local(t, c, date+" 00:00"), local(t, c, date+" 00:00").AddDate(0, 0, 1))
	}
	got := map[string]time.Duration{}
	for _, date := range []string{"2026-03-19", "2026-03-02", "2026-11-08", "2026-11-09", "2026-11-10"} {
		got[date] = open(date)
	}
	want := map[string]time.Duration{
		"2026-03-19": 2 * time.Hour, "2026-03-02": time.Hour, "2026-11-08": 14 * time.Hour, "2026-11-09": 0, "2026-11-10": 8*time.Hour + 30*time.Minute,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	wantDays := []Day{
		{Date: DateOf(2026, 3, 19), Working: true, Name: "disaster duty"},
		{Date: DateOf(2026, 3, 2), Working: true, Season: "Ramadan 1447"},
		{Date: DateOf(2026, 3, 20), Name: "joint leave"},
		{Date: DateOf(2026, 11, 9), Name: "fire drill"},
	}
	var days []Day
	for _, d := range wantDays {
		days = append(days, c.Describe(d.Date))
	}
	if diff := cmp.Diff(wantDays, days); diff != "" {
		t.Error(diff)
	}
}

func TestWorkingDates(t *testing.T) {
	c := mustCompile(t, office())
	date := func(d Date, ok bool) string {
		if !ok {
			return "none"
		}
		return d.String()
	}
	closing := func(d Date) string {
		at, ok := c.LastClosing(d)
		return show(c, at, ok)
	}
	night := mustCompile(t, daily("Asia/Jakarta", Interval{"08:00", "12:00"}, Interval{"22:00", "06:00"}))
	lastNight, ok := night.LastClosing(DateOf(2026, 11, 2))
	tuesday := DateOf(2026, 3, 17)
	got := []string{
		date(c.NextWorkingDate(tuesday)),
		date(c.AddWorkingDays(tuesday, 3)),
		date(c.AddWorkingDays(tuesday, 14)),
		date(c.AddWorkingDays(tuesday, 0)),
		date(c.AddWorkingDays(tuesday, 100_000)),
		date(c.AddWorkingDays(DateOf(2300, 1, 1), 1)),
		date(c.AddWorkingDays(DateOf(1900, 1, 1), 1)),
		closing(DateOf(2026, 3, 27)),
		closing(DateOf(2026, 3, 28)),
		closing(DateOf(2026, 3, 19)),
		show(night, lastNight, ok),
	}
	want := []string{
		"2026-03-25", "2026-03-27", "2026-04-14", "none", "none", "none", "1990-01-01",
		"Fri 2026-03-27 16:30:00 +0700", "none", "none",
		"Tue 2026-11-03 06:00:00 +0700",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestClosedBefore(t *testing.T) {
	c := mustCompile(t, office())
	base := c.WorkingDatesBefore(DateOf(2026, 3, 26)) // Thursday
	got := map[string]int{}
	for _, at := range []string{"2026-03-26 15:59", "2026-03-26 16:00", "2026-03-26 16:01", "2026-03-27 10:00", "2026-03-28 10:00", "2026-03-30 00:00"} {
		got[at] = c.ClosedBefore(local(t, c, at)) - base
	}
	want := map[string]int{
		"2026-03-26 15:59": 0, "2026-03-26 16:00": 0, "2026-03-26 16:01": 1,
		"2026-03-27 10:00": 1, "2026-03-28 10:00": 2, "2026-03-30 00:00": 2,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestCoverage(t *testing.T) {
	c := mustCompile(t, office())
	got := map[string]bool{}
	for _, at := range []string{"2026-12-31 23:59", "2027-01-01 00:00", "2027-01-01 00:01"} {
		got[at] = c.BeyondCoverage(local(t, c, at))
	}
	want := map[string]bool{"2026-12-31 23:59": false, "2027-01-01 00:00": false, "2027-01-01 00:01": true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if d, ok := c.CoversUntil(); !ok || d != DateOf(2026, 12, 31) {
		t.Errorf("CoversUntil: got %s, %v", d, ok)
	}
	spec := office()
	spec.CoversUntil = ""
	c = mustCompile(t, spec)
	if _, ok := c.CoversUntil(); ok || c.BeyondCoverage(local(t, c, "2190-01-01 00:00")) {
		t.Error("a calendar without coversUntil covers for ever")
	}
}

func TestDaylightSaving(t *testing.T) {
	tests := map[string]struct {
		spec  Spec
		date  string // whose interval is looked at
		want  []string
		total time.Duration
	}{
		"a night on which the clocks go forward is an hour shorter": {
			daily("Europe/Berlin", Interval{"22:00", "06:00"}), "2026-03-28",
			[]string{"Sat 2026-03-28 22:00:00 +0100", "Sun 2026-03-29 06:00:00 +0200"}, 7 * time.Hour},
		"a night on which the clocks go back is an hour longer": {
			daily("Europe/Berlin", Interval{"22:00", "06:00"}), "2026-10-24",
			[]string{"Sat 2026-10-24 22:00:00 +0200", "Sun 2026-10-25 06:00:00 +0100"}, 9 * time.Hour},
		"office hours after the clocks went forward are as long as ever": {
			daily("America/New_York", Interval{"09:00", "17:00"}), "2026-03-08",
			[]string{"Sun 2026-03-08 09:00:00 -0400", "Sun 2026-03-08 17:00:00 -0400"}, 8 * time.Hour},
		"an opening that the clocks skip is the moment they go forward": {
			daily("Europe/Berlin", Interval{"02:30", "04:00"}), "2026-03-29",
			[]string{"Sun 2026-03-29 03:00:00 +0200", "Sun 2026-03-29 04:00:00 +0200"}, time.Hour},
		"an opening that occurs twice is the first": {
			daily("Europe/Berlin", Interval{"02:30", "04:00"}), "2026-10-25",
			[]string{"Sun 2026-10-25 02:30:00 +0200", "Sun 2026-10-25 04:00:00 +0100"}, 2*time.Hour + 30*time.Minute},
		"a closing that occurs twice is the first": {
			daily("Europe/Berlin", Interval{"01:00", "02:30"}), "2026-10-25",
			[]string{"Sun 2026-10-25 01:00:00 +0200", "Sun 2026-10-25 02:30:00 +0200"}, 90 * time.Minute},
		"an interval that the clocks skip whole is none, and the date no working date": {
			daily("Europe/Berlin", Interval{"02:00", "03:00"}), "2026-03-29", nil, 0},
		"half an hour at Lord Howe": {
			daily("Australia/Lord_Howe", Interval{"00:00", "24:00"}), "2026-04-05",
			[]string{"Sun 2026-04-05 00:00:00 +1100", "Mon 2026-04-06 00:00:00 +1030"}, 24*time.Hour + 30*time.Minute},
		"midnight that the clocks skip ends the day when they go forward": {
			daily("Africa/Cairo", Interval{"20:00", "24:00"}), "2026-04-23",
			[]string{"Thu 2026-04-23 20:00:00 +0200", "Fri 2026-04-24 01:00:00 +0300"}, 4 * time.Hour},
		"the clocks go back at midnight into the same day": {
			daily("Africa/Cairo", Interval{"20:00", "24:00"}), "2026-10-29",
			[]string{"Thu 2026-10-29 20:00:00 +0300", "Fri 2026-10-30 00:00:00 +0200"}, 5 * time.Hour},
		"a date that a country skipped": {
			daily("Pacific/Apia", Interval{"08:00", "17:00"}), "2011-12-30", nil, 0},
		"Ramadan in Morocco": {
			daily("Africa/Casablanca", Interval{"00:00", "24:00"}), "2026-02-15",
			[]string{"Sun 2026-02-15 00:00:00 +0100", "Mon 2026-02-16 00:00:00 +0000"}, 25 * time.Hour},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := mustCompile(t, test.spec)
			d, err := ParseDate(test.date)
			if err != nil {
				t.Fatal(err)
			}
			on, _ := c.timeline.on(d)
			var got []string
			for _, s := range on.spans {
				for _, instant := range []int64{on.base + s.start, on.base + s.end} {
					at, _ := asTime(instant, true)
					got = append(got, show(c, at, true))
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			if total := c.Between(c.EndOfDate(d-2), c.EndOfDate(d+2)) - c.Between(c.EndOfDate(d-2), start(c, on)) - c.Between(end(c, on), c.EndOfDate(d+2)); len(test.want) > 0 && total != test.total {
				t.Errorf("open time: want %v, got %v", test.total, total)
			}
			if c.IsWorkingDate(d) != (len(test.want) > 0) {
				t.Errorf("IsWorkingDate: got %v", c.IsWorkingDate(d))
			}
		})
	}
}

func start(c *Calendar, d day) time.Time {
	if len(d.spans) == 0 {
		return c.EndOfDate(d.date - 1)
	}
	t, _ := asTime(d.base+d.spans[0].start, true)
	return t
}

func end(c *Calendar, d day) time.Time {
	if len(d.spans) == 0 {
		return c.EndOfDate(d.date)
	}
	t, _ := asTime(d.last(), true)
	return t
}

func TestEndOfDateIsALocalMidnight(t *testing.T) {
	got := map[string]string{}
	for _, zone := range []string{"Asia/Jakarta", "America/Santiago", "Asia/Beirut", "Pacific/Apia"} {
		c := mustCompile(t, daily(zone, Interval{"08:00", "17:00"}))
		for _, d := range []Date{DateOf(2026, 9, 5), DateOf(2026, 3, 28), DateOf(2011, 12, 29)} {
			got[zone+" "+d.String()] = show(c, c.EndOfDate(d), true)
		}
	}
	want := map[string]string{
		"Asia/Jakarta 2026-09-05":     "Sun 2026-09-06 00:00:00 +0700",
		"Asia/Jakarta 2026-03-28":     "Sun 2026-03-29 00:00:00 +0700",
		"Asia/Jakarta 2011-12-29":     "Fri 2011-12-30 00:00:00 +0700",
		"America/Santiago 2026-09-05": "Sun 2026-09-06 01:00:00 -0300", // midnight is skipped
		"America/Santiago 2026-03-28": "Sun 2026-03-29 00:00:00 -0300",
		"America/Santiago 2011-12-29": "Fri 2011-12-30 00:00:00 -0300",
		"Asia/Beirut 2026-09-05":      "Sun 2026-09-06 00:00:00 +0300",
		"Asia/Beirut 2026-03-28":      "Sun 2026-03-29 01:00:00 +0300", // midnight is skipped
		"Asia/Beirut 2011-12-29":      "Fri 2011-12-30 00:00:00 +0200",
		"Pacific/Apia 2026-09-05":     "Sun 2026-09-06 00:00:00 +1300",
		"Pacific/Apia 2026-03-28":     "Sun 2026-03-29 00:00:00 +1300",
		"Pacific/Apia 2011-12-29":     "Sat 2011-12-31 00:00:00 +1400", // 30 December did not exist
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDatesBeyondTheYearsOfACalendarChangeNothing(t *testing.T) {
	spec := office()
	plain := mustCompile(t, spec)
	spec.Holidays = append(spec.Holidays, Holiday{Date: "0026-03-18"}, Holiday{Date: "1989-12-31"}, Holiday{Date: "2200-01-01"})
	spec.SpecialDays = []SpecialDay{{Date: "1980-01-01", Hours: []Interval{{"08:00", "20:00"}}}, {Date: "2300-01-01"}}
	c := mustCompile(t, spec)
	for _, when := range []string{"1970-01-01 00:00", "1990-01-02 10:00", "2026-11-02 10:00", "2199-12-30 10:00"} {
		at := local(t, c, when)
		wantEnd, wantOK := plain.Add(at, time.Hour)
		end, ok := c.Add(at, time.Hour)
		if show(c, end, ok) != show(plain, wantEnd, wantOK) || c.WorkingDatesBefore(c.Date(at)) != plain.WorkingDatesBefore(c.Date(at)) {
			t.Errorf("%s: got %s, want %s", when, show(c, end, ok), show(plain, wantEnd, wantOK))
		}
	}
}

func TestACalendarOfASingleDay(t *testing.T) {
	c := mustCompile(t, Spec{TimeZone: "Asia/Jakarta", SpecialDays: []SpecialDay{{Date: "2026-11-02", Hours: []Interval{{"08:00", "16:00"}}}}})
	monday := DateOf(2026, 11, 2)
	if d, ok := c.NextWorkingDate(monday - 10); !ok || d != monday {
		t.Errorf("got %s, %v", d, ok)
	}
	if d, ok := c.NextWorkingDate(monday); ok {
		t.Errorf("got %s after the last one", d)
	}
}

func TestHoursAreOpenFromTheOpeningToBeforeTheClosing(t *testing.T) {
	c := mustCompile(t, office())
	got := map[string]bool{}
	for _, at := range []string{"2026-11-03 07:29", "2026-11-03 07:30", "2026-11-03 15:59", "2026-11-03 16:00"} {
		got[at] = c.Open(local(t, c, at))
	}
	want := map[string]bool{"2026-11-03 07:29": false, "2026-11-03 07:30": true, "2026-11-03 15:59": true, "2026-11-03 16:00": false}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDates(t *testing.T) {
	for d := DateOf(1899, 12, 25); d < DateOf(1900, 1, 10); d++ {
		parsed, err := ParseDate(d.String())
		if err != nil || parsed != d || d.Midnight().Weekday() != d.Weekday() {
			t.Errorf("%d: %s parses as %d (%v), weekday %s", d, d, parsed, err, d.Weekday())
		}
	}
	for _, s := range []string{"", "2026-02-30", "2026-2-03", "0000-01-01", "2026-01-01T00:00:00Z"} {
		if _, err := ParseDate(s); err == nil {
			t.Errorf("%q was accepted", s)
		}
	}
}
