package ledger

import (
	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/internal/sla"
)

// count brings the record's clocks to the derived state and adds to the counters what they have not
// counted yet. Counters never go down: a final verdict that evidence changes stays counted, and the
// change is counted as a correction.
// working says that there is a calendar, and so working time to speak of.
func count(s *caseState, h *hearing, derived *sla.Case, working bool, figures tally) {
	row, rec := &s.row, &s.record
	series := seriesKey(row.Channel, &row.Dimensions)
	if !rec.Received && !derived.Received.IsZero() {
		rec.Received = true
		figures.add(series, seriesReceived, 1)
	}
	if !rec.Answered && derived.Answered() {
		rec.Answered = true
		figures.add(series, seriesAnswered, 1)
	}
	rec.BeyondCoverage = 0
	for i := range rec.Clocks {
		rec.Clocks[i].DueSoon, rec.Clocks[i].Overdue = false, false
	}
	seen := make([]int, len(rec.Clocks), len(rec.Clocks)+len(derived.Clocks))
	for i := range derived.Clocks {
		c := &derived.Clocks[i]
		place := rec.clock(c.Name)
		if place == len(seen) {
			seen = append(seen, 0)
		}
		clock := &rec.Clocks[place]
		going := c.StoppedAt.IsZero()
		clock.DueSoon = clock.DueSoon || c.DueSoon
		clock.Overdue = clock.Overdue || c.State == sla.Breached && going
		if c.BeyondCoverage && going && c.State != sla.Pending {
			rec.BeyondCoverage++
		}
		n := seen[place]
		seen[place]++
		y := clock.Cycles.at(n)
		clock.decide(&y, verdictOf(c), h.cause, func(v verdict) {
			figures.add(clockKey(row.Channel, &row.Dimensions, rec.SLA, c.Name), columnOf(v), 1)
		}, figures, row.Channel)
		if stoppedBySomebody(c, derived) && !y.observed {
			y.observed = true
			if y.counted != suppressed {
				observe(row, c, working, figures)
			}
		}
		clock.Cycles = clock.Cycles.with(n, y)
	}
	// Cycles, and whole clocks, that there no longer are.
	for place := range rec.Clocks {
		clock := &rec.Clocks[place]
		for n := seen[place]; n < clock.Cycles.len(); n++ {
			y := clock.Cycles.at(n)
			clock.decide(&y, undecided, h.cause, nil, figures, row.Channel)
			clock.Cycles = clock.Cycles.with(n, y)
		}
	}
}

// clock is the place of the clock of a name, which is added when it is not there.
func (r *record) clock(name string) int {
	for i := range r.Clocks {
		if r.Clocks[i].Name == name {
			return i
		}
	}
	r.Clocks = append(r.Clocks, clockRecord{Name: name})
	return len(r.Clocks) - 1
}

// decide takes over the verdict of a judgement for one cycle: it counts the first final one, and a
// correction when evidence changes a final one.
func (c *clockRecord) decide(y *cycle, now verdict, why cause, counted func(verdict), figures tally, channel string) {
	switch {
	case y.last != undecided && now != y.last && why == byEvidence && y.counted != suppressed:
		c.Corrections++
		k := channelKey(familyCorrection, channel)
		k.labels[1] = c.Name
		figures.add(k, correctionCount, 1)
	case now != undecided && y.counted == undecided && why == byPolicyClosed:
		y.counted = suppressed
	}
	if now != undecided && y.counted == undecided {
		y.counted = now
		counted(now)
	}
	y.last = now
}

// stoppedBySomebody is false for a clock that goes on, and for one that was past due when the case
// was taken out of the city's hands.
func stoppedBySomebody(c *sla.ClockState, derived *sla.Case) bool {
	if c.StoppedAt.IsZero() || derived.Cancelled && c.StoppedAt.Equal(derived.CancelledAt) {
		return false
	}
	return c.State == sla.Met || c.State == sla.Breached
}

// observe adds the time to the stop of a clock to the histograms.
func observe(row *store.Case, c *sla.ClockState, working bool, figures tally) {
	figures.observe(row.Channel, row.Priority, c.Name, wallTime, c.Elapsed)
	if working {
		figures.observe(row.Channel, row.Priority, c.Name, workingTime, c.WorkingElapsed)
	}
}

func columnOf(v verdict) int {
	switch v {
	case met:
		return clockMet
	case breached:
		return clockBreached
	default:
		return clockCancelled
	}
}

// with is c with cycle n replaced, or added at the end.
func (c cycles) with(n int, y cycle) cycles {
	letter := y.letter()
	if n < len(c) && c[n] == letter {
		return c
	}
	b := []byte(c)
	for len(b) <= n {
		b = append(b, cycle{}.letter())
	}
	b[n] = letter
	return cycles(b)
}
