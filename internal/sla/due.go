package sla

import (
	"time"

	"github.com/tanggap/tanggap/internal/calendar"
)

// run is one run of a clock: from its start until it stopped, was cancelled, or is looked at.
type run struct {
	calendar *calendar.Calendar
	start    instant
	end      instant
	// stands are the stretches of the run in which the clock stood still, in their order. They neither
	// overlap nor reach beyond the end.
	stands []stand
	// still says that the clock stands still at the end, and until something happens: the last stand has
	// no end of its own.
	still bool
}

// stand is a stretch in which a clock stood still, from an instant to before another.
type stand struct{ from, to instant }

// newRun finds the stretches in which a clock stood still. going says that the run goes on at its end:
// one that does not has come out of a standstill by ending.
func newRun(c *calendar.Calendar, k *clock, phases []phase, start, end instant, going bool, buffer []stand) run {
	r := run{calendar: c, start: start, end: end, stands: buffer}
	for i, p := range phases {
		if p.kind&k.standstill == 0 {
			continue
		}
		s := stand{from: max(p.from, start), to: end}
		last := i+1 == len(phases)
		if !last {
			s.to = min(phases[i+1].from, end)
		}
		r.still = last && going
		if n := len(r.stands); n > 0 && r.stands[n-1].to >= s.from {
			r.stands[n-1].to = s.to // one phase after another
		} else if s.from < s.to || r.still {
			r.stands = append(r.stands, s)
		}
	}
	return r
}

// due is when a clock has used up its target.
type due struct {
	// at is the instant; none when it is open because the clock stands still, or when the calendar has too
	// little open time left to say.
	at instant
	// place is that of the date among all working dates, for a target in working dates.
	place int
	// rest and restDays are what is left of the target while it stands still.
	rest     time.Duration
	restDays int
}

// due finds the instant at which the run, if nothing more happened to it, has used up a target.
func (r *run) due(t target) due {
	if t.measure == workingDates {
		return r.dueDate(t)
	}
	cursor, rest := r.start, t.amount
	for i := range r.stands {
		s := &r.stands[i]
		used := r.amount(t.measure, cursor, s.from)
		if rest <= used {
			return r.after(t.measure, cursor, rest)
		}
		rest -= used
		cursor = s.to
	}
	if r.still {
		return due{rest: rest}
	}
	return r.after(t.measure, cursor, rest)
}

// amount is what a running clock uses up between two instants.
func (r *run) amount(m targetMeasure, from, to instant) time.Duration {
	if m == openTime {
		return r.calendar.Between(from.time(), to.time())
	}
	return time.Duration(to - from)
}

// after is when a running clock has used up an amount.
func (r *run) after(m targetMeasure, from instant, amount time.Duration) due {
	if m == openTime {
		return due{at: answer(r.calendar.Add(from.time(), amount))}
	}
	return due{at: from + instant(amount)}
}

// dueDate counts working dates by their place among all, so that a standstill of any length is one
// subtraction. A date does not count if the clock stands still at its last closing.
func (r *run) dueDate(t target) due {
	place, rest := r.dayOne(t), t.days
	for i := range r.stands {
		s := &r.stands[i]
		from := max(r.calendar.ClosedBefore(s.from.time()), place)
		if rest <= from-place {
			return r.closing(t, place+rest-1)
		}
		if t.endOfDay {
			// Hours past midnight close after the date has ended, when the clock was due.
			if d := r.closing(t, place+rest-1); d.at != none && d.at <= s.from {
				return d
			}
		}
		rest -= from - place
		place = max(r.calendar.ClosedBefore(s.to.time()), from)
	}
	if r.still {
		return due{restDays: rest}
	}
	return r.closing(t, place+rest-1)
}

// dayOne is the place of the first date that may count.
func (r *run) dayOne(t target) int {
	start := r.start.time()
	date := r.calendar.Date(start)
	place := r.calendar.WorkingDatesBefore(date)
	closing, working := r.calendar.LastClosing(date)
	if working && !(t.sameDay && start.Before(closing)) {
		place++
	}
	return place
}

// closing is the due instant on the working date of a place.
func (r *run) closing(t target, place int) due {
	date, ok := r.calendar.WorkingDateAt(place)
	if !ok {
		return due{}
	}
	if t.endOfDay {
		return due{at: instantOf(r.calendar.EndOfDate(date)), place: place}
	}
	return due{at: answer(r.calendar.LastClosing(date)), place: place}
}

// datesLeft counts the working dates that are still to close until the run is due.
func (r *run) datesLeft(t target, d due) int {
	return max(d.place+1-max(r.calendar.ClosedBefore(r.end.time()), r.dayOne(t)), 0)
}

// warn is the instant from which the run is due soon.
func (r *run) warn(k *clock, d due) instant {
	if k.target.measure == workingDates {
		// Working dates have no fixed length: a share is one of the open time that the run has in all.
		return max(answer(r.calendar.Back(d.at.time(), k.warning.of(r.used(openTime, d.at)))), r.start)
	}
	t := k.target
	t.amount -= k.warning.of(t.amount)
	at := r.due(t).at
	if t.measure == openTime {
		// Not at a closing, when nobody is there to be warned.
		if opening, ok := r.calendar.NextOpen(at.time()); ok {
			return instantOf(opening)
		}
	}
	return at
}

// used is the wall or open time from the start of the run to an instant, without standstills.
func (r *run) used(m targetMeasure, until instant) time.Duration {
	return r.since(m, r.start, until)
}

// since is the wall or open time between two instants of the run, without standstills.
func (r *run) since(m targetMeasure, from, until instant) time.Duration {
	total := r.amount(m, from, until)
	for i := range r.stands {
		if s := (stand{max(r.stands[i].from, from), min(r.stands[i].to, until)}); s.from < s.to {
			total -= r.amount(m, s.from, s.to)
		}
	}
	return total
}
