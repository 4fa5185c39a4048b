package calendar

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/tanggap/tanggap/internal/field"
)

// Compile checks a specification and makes a Calendar of it. All faults are reported at once, as
// field.Error with paths such as `weekly[0].hours[1].end`. The zone is looked up in the time zone
// database of the program or the system.
func Compile(spec Spec) (*Calendar, error) {
	var f faults
	p := plan{
		location: f.parseZone(spec.TimeZone),
		weekly:   f.parseWeek("weekly", spec.Weekly),
		seasons:  f.parseSeasons(spec.Seasons),
		holidays: make(map[Date]string, len(spec.Holidays)),
		special:  make(map[Date]specialDay, len(spec.SpecialDays)),
	}
	for i, h := range spec.Holidays {
		path := field.Path("holidays").Index(i).Child("date")
		if d, ok := f.parseDate(path, h.Date); ok {
			if _, again := p.holidays[d]; again {
				f.add(path, "%s stands twice in this list", d)
			}
			p.holidays[d] = h.Name
		}
	}
	for i, s := range spec.SpecialDays {
		path := field.Path("specialDays").Index(i)
		day := specialDay{name: s.Name, hours: f.parseHours(path.Child("hours"), s.Hours)}
		if d, ok := f.parseDate(path.Child("date"), s.Date); ok {
			if _, again := p.special[d]; again {
				f.add(path.Child("date"), "%s stands twice in this list", d)
			}
			p.special[d] = day
		}
	}
	coversUntil, covers := Date(0), false
	if spec.CoversUntil != "" {
		coversUntil, covers = f.parseDate("coversUntil", spec.CoversUntil)
	}
	if len(f) == 0 {
		f.checkEverOpen(&p)
		f.checkBorders(&p)
	}
	if len(f) > 0 {
		return nil, errors.Join(f...)
	}
	c := newCalendar(p)
	if covers {
		c.coversUntil, c.covers = coversUntil, true
		c.coveredTo = c.EndOfDate(coversUntil)
	}
	return c, nil
}

// plan is a specification that was read: which hours each local date has.
type plan struct {
	location *time.Location
	weekly   week
	seasons  []season
	holidays map[Date]string
	special  map[Date]specialDay
}

type season struct {
	name     string
	from, to Date
	weekly   week
	path     field.Path
}

type specialDay struct {
	name  string
	hours hours
}

// on is the hours of a date.
func (p *plan) on(d Date) hours {
	if s, ok := p.special[d]; ok {
		return s.hours
	}
	if _, ok := p.holidays[d]; ok {
		return nil
	}
	return p.week(d)[d.Weekday()]
}

// week is the one that a date has its hours from unless it is a holiday or a special day.
func (p *plan) week(d Date) *week {
	if s := seasonOf(p.seasons, d); s != nil {
		return &s.weekly
	}
	return &p.weekly
}

// seasonOf is the season that a date lies in, or nil.
func seasonOf(seasons []season, d Date) *season {
	i, _ := slices.BinarySearchFunc(seasons, d, func(s season, d Date) int { return cmp.Compare(s.to, d) })
	if i < len(seasons) && seasons[i].from <= d {
		return &seasons[i]
	}
	return nil
}

func (f *faults) parseZone(name string) *time.Location {
	// These names of the database are offsets too, and their sign is the opposite of what people read.
	fixed := strings.HasPrefix(name, "Etc/GMT+") || strings.HasPrefix(name, "Etc/GMT-")
	if name == "" || name == "Local" || fixed {
		f.add("timeZone", "must be the IANA name of a zone, such as Asia/Jakarta; an offset is none")
		return nil
	}
	location, err := time.LoadLocation(name)
	if err != nil {
		f.add("timeZone", "is not in the time zone database; it must be an IANA name such as Asia/Jakarta")
		return nil
	}
	return location
}

func (f *faults) parseDate(path field.Path, s string) (Date, bool) {
	d, err := ParseDate(s)
	if err != nil {
		f.add(path, "%v", err)
	}
	return d, err == nil
}

func (f *faults) parseSeasons(entries []Season) []season {
	seasons := make([]season, 0, len(entries))
	for i, entry := range entries {
		path := field.Path("seasons").Index(i)
		s := season{name: entry.Name, weekly: f.parseWeek(path.Child("weekly"), entry.Weekly), path: path}
		from, ok := f.parseDate(path.Child("from"), entry.From)
		to, ok2 := f.parseDate(path.Child("to"), entry.To)
		if !ok || !ok2 {
			continue
		}
		if to < from {
			f.add(path.Child("to"), "must not be before from")
			continue
		}
		s.from, s.to = from, to
		seasons = append(seasons, s)
	}
	slices.SortStableFunc(seasons, func(a, b season) int { return cmp.Compare(a.from, b.from) })
	for i := 1; i < len(seasons); i++ {
		if seasons[i].from <= seasons[i-1].to {
			f.add(seasons[i].path, "overlaps %s, which lasts until %s", seasons[i-1].path, seasons[i-1].to)
		}
	}
	return seasons
}

func (f *faults) checkEverOpen(p *plan) {
	open := func(h hours) bool { return len(h) > 0 }
	if slices.ContainsFunc(p.weekly[:], open) {
		return
	}
	for i := range p.seasons {
		if slices.ContainsFunc(p.seasons[i].weekly[:], open) {
			return
		}
	}
	for _, s := range p.special {
		if open(s.hours) {
			return
		}
	}
	f.add("weekly", "no day has hours: a calendar must be open at some time")
}

// checkBorders finds intervals that run past midnight into a day whose hours come from elsewhere.
// Overlaps within one week are found where the week is read.
func (f *faults) checkBorders(p *plan) {
	var borders []Date
	for d := range p.special {
		borders = append(borders, d, d+1)
	}
	for _, s := range p.seasons {
		borders = append(borders, s.from, s.to+1)
	}
	slices.Sort(borders)
	for _, d := range slices.Compact(borders) {
		last, first, overlap := overlapAtMidnight(p.on(d-1), p.on(d))
		if !overlap {
			continue
		}
		path := first.path
		if _, ok := p.special[d]; !ok {
			if _, ok := p.special[d-1]; ok {
				path = last.path
			}
		}
		f.add(path, "%s of %s overlaps %s of %s; a special day on %s with an earlier closing would mend it",
			last, d-1, first, d, d-1)
	}
}
