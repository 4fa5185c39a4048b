package calendar

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/field"
)

func TestCompileRefuses(t *testing.T) {
	weekly := func(days []string, hours ...Interval) []WeeklyHours { return []WeeklyHours{{Days: days, Hours: hours}} }
	nights := weekly(everyDay, Interval{"22:00", "06:00"})
	tests := map[string]struct {
		spec Spec
		want []string
	}{
		"everything that is wrong, at once": {
			Spec{
				TimeZone: "Asia/Depok",
				Weekly: []WeeklyHours{
					{Days: []string{"Monday", "Senin"}, Hours: []Interval{{"08:00", "12:00"}, {"13:00", "25:00"}, {"7:00", "08:00"}}},
					{Days: []string{"Monday"}},
					{Hours: []Interval{{"24:00", "24:00"}, {"08:60", "09:00"}}},
				},
				Seasons:     []Season{{From: "2026-03-17", To: "2026-02-18"}, {From: "Ramadan", To: "2026-02-30"}},
				Holidays:    []Holiday{{Date: "2026-12-25"}, {Date: "25/12/2026"}, {Date: "2026-12-25"}},
				SpecialDays: []SpecialDay{{Date: "2026-01-01"}, {Date: "2026-01-01", Hours: []Interval{{"08:00", "12:00"}, {"11:59", "13:00"}}}},
				CoversUntil: "never",
			},
			[]string{
				"timeZone: is not in the time zone database; it must be an IANA name such as Asia/Jakarta",
				"weekly[0].hours[1].end: must be a time from 00:00 to 24:00",
				"weekly[0].hours[2].start: must be a time from 00:00 to 23:59",
				"weekly[0].days[1]: must be one of Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday",
				"weekly[1].hours: must not be empty; a day that no entry names is closed",
				"weekly[1].days[0]: Monday already stands at weekly[0].days[0]; a day stands in one entry only",
				"weekly[2].hours[0].start: must be a time from 00:00 to 23:59",
				"weekly[2].hours[1].start: must be a time from 00:00 to 23:59",
				"weekly[2].days: must name at least one day",
				"seasons[0].to: must not be before from",
				"seasons[1].from: must be a date of the form 2026-12-31 that exists",
				"seasons[1].to: must be a date of the form 2026-12-31 that exists",
				"holidays[1].date: must be a date of the form 2026-12-31 that exists",
				"holidays[2].date: 2026-12-25 stands twice in this list",
				"specialDays[1].hours[1]: 11:59–13:00 overlaps 08:00–12:00 at specialDays[1].hours[0]",
				"specialDays[1].date: 2026-01-01 stands twice in this list",
				"coversUntil: must be a date of the form 2026-12-31 that exists",
			},
		},
		"a fixed offset": {
			Spec{TimeZone: "Etc/GMT-7", Weekly: nights},
			[]string{"timeZone: must be the IANA name of a zone, such as Asia/Jakarta; an offset is none"}},
		"the zone of the machine": {
			Spec{TimeZone: "Local", Weekly: nights},
			[]string{"timeZone: must be the IANA name of a zone, such as Asia/Jakarta; an offset is none"}},
		"a path in place of a zone": {
			Spec{TimeZone: "../../etc/passwd", Weekly: nights},
			[]string{"timeZone: is not in the time zone database; it must be an IANA name such as Asia/Jakarta"}},
		"hours that run past midnight into the next day's": {
			Spec{TimeZone: "UTC", Weekly: []WeeklyHours{
				{Days: []string{"Monday"}, Hours: []Interval{{"20:00", "06:00"}}},
				{Days: []string{"Tuesday"}, Hours: []Interval{{"05:59", "12:00"}}},
			}},
			[]string{"weekly[0].hours[0]: 20:00–06:00 of Monday overlaps 05:59–12:00 of Tuesday"}},
		"hours of Saturday that run into Sunday": {
			Spec{TimeZone: "UTC", Weekly: weekly(everyDay[5:], Interval{"12:00", "11:00"}, Interval{"10:00", "12:00"})},
			[]string{"weekly[0].hours[0]: 12:00–11:00 of Saturday overlaps 10:00–12:00 of Sunday"}},
		"a special day into which the night before runs": {
			Spec{TimeZone: "UTC", Weekly: nights, SpecialDays: []SpecialDay{{Date: "2026-05-05", Hours: []Interval{{"05:00", "12:00"}}}}},
			[]string{"specialDays[0].hours[0]: 22:00–06:00 of 2026-05-04 overlaps 05:00–12:00 of 2026-05-05; a special day on 2026-05-04 with an earlier closing would mend it"}},
		"a special day that runs into the morning after": {
			Spec{TimeZone: "UTC", Weekly: weekly(everyDay, Interval{"08:00", "12:00"}), SpecialDays: []SpecialDay{{Date: "2026-05-05", Hours: []Interval{{"09:00", "09:00"}}}}},
			[]string{"specialDays[0].hours[0]: 09:00–09:00 of 2026-05-05 overlaps 08:00–12:00 of 2026-05-06; a special day on 2026-05-05 with an earlier closing would mend it"}},
		"a season into which the night before runs": {
			Spec{TimeZone: "UTC", Weekly: nights, Seasons: []Season{{From: "2026-05-05", To: "2026-05-06", Weekly: weekly(everyDay, Interval{"04:00", "08:00"})}}},
			[]string{"seasons[0].weekly[0].hours[0]: 22:00–06:00 of 2026-05-04 overlaps 04:00–08:00 of 2026-05-05; a special day on 2026-05-04 with an earlier closing would mend it"}},
		"seasons that overlap by a day": {
			Spec{TimeZone: "UTC", Weekly: nights, Seasons: []Season{{From: "2026-05-05", To: "2026-05-06"}, {From: "2026-04-05", To: "2026-05-05"}}},
			[]string{"seasons[0]: overlaps seasons[1], which lasts until 2026-05-05"}},
		"a calendar that is never open": {
			Spec{TimeZone: "UTC", SpecialDays: []SpecialDay{{Date: "2026-05-05"}}},
			[]string{"weekly: no day has hours: a calendar must be open at some time"}},
		"one whose seasons are not open either": {
			Spec{TimeZone: "UTC", Seasons: []Season{{From: "2026-05-05", To: "2026-05-06"}}},
			[]string{"weekly: no day has hours: a calendar must be open at some time"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Compile(test.spec)
			var got []string
			for _, fault := range field.All(err) {
				got = append(got, fault.Error())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTimesAreWrittenInOneWay(t *testing.T) {
	for _, end := range []string{"16.00", "1600", "16:0", "16:000", "4:00", " 16:00", "16:00:00", "16:60", "24:01", "-1:00", "４:00"} {
		_, err := Compile(daily("UTC", Interval{"08:00", end}))
		if want := "weekly[0].hours[0].end: must be a time from 00:00 to 24:00"; err == nil || err.Error() != want {
			t.Errorf("%q: got %v", end, err)
		}
	}
}

func TestCompileAccepts(t *testing.T) {
	tests := map[string]Spec{
		"a season alone":     {TimeZone: "UTC", Seasons: []Season{{From: "2026-05-05", To: "2026-05-06", Weekly: daily("", Interval{"08:00", "12:00"}).Weekly}}},
		"special days alone": {TimeZone: "Asia/Jakarta", SpecialDays: []SpecialDay{{Date: "2026-05-05", Hours: []Interval{{"08:00", "12:00"}}}}},
		"intervals that touch, also at midnight": daily("Asia/Jakarta",
			Interval{"18:00", "06:00"}, Interval{"06:00", "12:00"}, Interval{"12:00", "18:00"}),
		"round the clock":          daily("Asia/Jakarta", Interval{"00:00", "24:00"}),
		"round the clock from 08":  daily("Asia/Jakarta", Interval{"08:00", "08:00"}),
		"a season that is a pause": {TimeZone: "UTC", Weekly: daily("", Interval{"08:00", "12:00"}).Weekly, Seasons: []Season{{From: "2026-05-05", To: "2026-05-05"}}},
		"dates before and after the years a calendar knows": {TimeZone: "UTC", Weekly: daily("", Interval{"08:00", "12:00"}).Weekly,
			Holidays: []Holiday{{Date: "1901-01-01"}, {Date: "9999-12-31"}}, Seasons: []Season{{From: "1901-01-01", To: "1995-01-01"}, {From: "2199-12-01", To: "2300-01-01"}}},
		"a night into a holiday": {TimeZone: "UTC", Weekly: daily("", Interval{"20:00", "08:00"}).Weekly, Holidays: []Holiday{{Date: "2026-05-05"}}},
	}
	for name, spec := range tests {
		t.Run(name, func(t *testing.T) { mustCompile(t, spec) })
	}
}

func TestRoundTheClockIsWallTime(t *testing.T) {
	for _, c := range []*Calendar{
		mustCompile(t, daily("Europe/Berlin", Interval{"00:00", "24:00"})),
		mustCompile(t, daily("Europe/Berlin", Interval{"08:00", "08:00"})),
		mustCompile(t, daily("Australia/Lord_Howe", Interval{"18:00", "06:00"}, Interval{"06:00", "18:00"})),
	} {
		start := time.Date(2026, 1, 1, 10, 0, 0, 0, time.UTC)
		for _, d := range []time.Duration{time.Minute, 24 * time.Hour, 300 * 24 * time.Hour, 10 * 8766 * time.Hour} {
			if end, ok := c.Add(start, d); !ok || !end.Equal(start.Add(d)) {
				t.Errorf("Add(%v): got %s", d, end)
			}
		}
	}
}

// A calendar's specification is JSON that people write: whatever it is, it compiles or is refused with
// a path, and what compiled answers every question.
func FuzzCompile(f *testing.F) {
	for _, spec := range []Spec{office(), daily("Europe/Berlin", Interval{"22:00", "06:00"}), {TimeZone: "Local"}} {
		text, err := json.Marshal(spec)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, int64(1_772_000_000), int64(time.Hour))
	}
	f.Fuzz(func(t *testing.T, text []byte, unix, amount int64) {
		var spec Spec
		if json.Unmarshal(text, &spec) != nil {
			return
		}
		c, err := Compile(spec)
		if err != nil {
			if len(field.All(err)) == 0 {
				t.Errorf("an error without a path: %v", err)
			}
			return
		}
		at := time.Unix(unix, 0)
		d := c.Date(at)
		c.Open(at)
		c.Describe(d)
		c.LastClosing(d)
		c.ClosedBefore(at)
		c.BeyondCoverage(at)
		c.NextWorkingDate(d)
		c.NextOpen(at)
		c.EndOfDate(d)
		if end, ok := c.Add(at, time.Duration(amount)); ok && c.Between(at, end) != time.Duration(amount) {
			t.Errorf("Add(%s, %v) = %s", at, time.Duration(amount), end)
		}
		c.Back(at, time.Duration(amount))
		c.AddWorkingDays(d, int(amount%1000))
	})
}
