package calendar

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tanggap/tanggap/internal/field"
)

// hours are the open intervals of one day in their order, in seconds of local wall time since the
// day's midnight; an end beyond daySeconds lies on the next day.
type hours []interval

type interval struct {
	start, end int64
	// path is where the interval is written, for what a person is told about it.
	path field.Path
}

// String is the interval as it is written.
func (i interval) String() string { return clock(i.start) + "–" + clock(i.end) }

func clock(seconds int64) string {
	if seconds != daySeconds {
		seconds %= daySeconds
	}
	return fmt.Sprintf("%02d:%02d", seconds/3600, seconds/60%60)
}

// week is the hours of each day of the week, by time.Weekday.
type week [7]hours

// faults gathers everything that is wrong with a specification.
type faults []error

func (f *faults) add(p field.Path, format string, args ...any) {
	*f = append(*f, field.Errorf(p, format, args...))
}

func (f *faults) parseWeek(path field.Path, entries []WeeklyHours) week {
	var w week
	var seen [7]field.Path
	for i, entry := range entries {
		at := path.Index(i)
		day := f.parseHours(at.Child("hours"), entry.Hours)
		if len(entry.Hours) == 0 {
			f.add(at.Child("hours"), "must not be empty; a day that no entry names is closed")
		}
		if len(entry.Days) == 0 {
			f.add(at.Child("days"), "must name at least one day")
		}
		for j, name := range entry.Days {
			weekday, ok := parseWeekday(name)
			switch {
			case !ok:
				f.add(at.Child("days").Index(j), "must be one of Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday")
			case seen[weekday] != "":
				f.add(at.Child("days").Index(j), "%s already stands at %s; a day stands in one entry only", name, seen[weekday])
			default:
				seen[weekday] = at.Child("days").Index(j)
				w[weekday] = day
			}
		}
	}
	for weekday := range w {
		next := (weekday + 1) % 7
		if last, first, overlap := overlapAtMidnight(w[weekday], w[next]); overlap {
			f.add(last.path, "%s of %s overlaps %s of %s", last, time.Weekday(weekday), first, time.Weekday(next))
		}
	}
	return w
}

func parseWeekday(name string) (time.Weekday, bool) {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if d.String() == name {
			return d, true
		}
	}
	return 0, false
}

func (f *faults) parseHours(path field.Path, entries []Interval) hours {
	var day hours
	for i, entry := range entries {
		at := path.Index(i)
		start, ok := parseClock(entry.Start)
		if !ok || start == daySeconds {
			f.add(at.Child("start"), "must be a time from 00:00 to 23:59")
			continue
		}
		end, ok := parseClock(entry.End)
		if !ok {
			f.add(at.Child("end"), "must be a time from 00:00 to 24:00")
			continue
		}
		if end <= start {
			end += daySeconds
		}
		day = append(day, interval{start: start, end: end, path: at})
	}
	slices.SortStableFunc(day, func(a, b interval) int { return cmp.Compare(a.start, b.start) })
	for i := 1; i < len(day); i++ {
		if day[i].start < day[i-1].end {
			f.add(day[i].path, "%s overlaps %s at %s", day[i], day[i-1], day[i-1].path)
		}
	}
	return day
}

// parseClock reads "HH:MM" as seconds since midnight.
func parseClock(s string) (int64, bool) {
	if len(s) != 5 || s[2] != ':' || strings.Trim(s[:2]+s[3:], "0123456789") != "" {
		return 0, false
	}
	hour, minute := int64(s[0]-'0')*10+int64(s[1]-'0'), int64(s[3]-'0')*10+int64(s[4]-'0')
	if minute > 59 || hour > 24 || hour == 24 && minute > 0 {
		return 0, false
	}
	return hour*3600 + minute*60, true
}

// overlapAtMidnight reports whether the last interval of a day runs into the first of the next.
func overlapAtMidnight(day, next hours) (last, first interval, overlap bool) {
	if len(day) == 0 || len(next) == 0 {
		return interval{}, interval{}, false
	}
	last, first = day[len(day)-1], next[0]
	return last, first, last.end-daySeconds > first.start
}
