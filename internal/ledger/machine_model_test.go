package ledger

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/internal/policy"
	"github.com/tanggap/tanggap/internal/sla"
)

// modelCase is what the model remembers of a case.
type modelCase struct {
	events []store.Event
	fresh  map[string]bool

	dims               complaint.Dimensions
	kept               *sla.Kept
	judged             bool
	digest, sla        string
	derived            sla.Case
	live               bool
	received, answered bool
	counted, last      map[string]verdict // by clock and cycle
	observed           map[string]bool
	from               string
}

// forget takes over which content is gone: judged anew without it, every case must count as before.
func (m *machine) forget(rt *rapid.T) {
	m.recall(rt, func(known, stored *store.Event) { *known = *stored })
}

// recall has each event of the model changed by what is stored of it.
func (m *machine) recall(rt *rapid.T, change func(known, stored *store.Event)) {
	err := m.store.View(context.Background(), func(r store.Reader) error {
		for k, c := range m.cases {
			events, err := r.Events(context.Background(), []complaint.CaseKey{k})
			if err != nil {
				return err
			}
			m.keep(k, c, func() {
				for i := range c.events {
					at := slices.IndexFunc(events[0], func(e store.Event) bool { return e.ID == c.events[i].ID })
					change(&c.events[i], &events[0][at])
				}
			})
		}
		return nil
	})
	if err != nil {
		rt.Fatalf("Reading events: %v", err)
	}
}

// judgeAfter judges every case of the model. Who was erased is nobody from then on, also where it comes late;
// what was said is judged before it goes.
func (m *machine) judgeAfter(rt *rapid.T) {
	if len(m.erased) > 0 {
		m.recall(rt, func(known, stored *store.Event) { known.Pseudonym = stored.Pseudonym })
	}
	m.judgeAll()
	if len(m.erased) == 0 {
		return
	}
	m.forget(rt)
	for phone, until := range m.erased {
		for k, c := range m.cases {
			for i := range c.events {
				if e := &c.events[i]; m.is(phone, e.Pseudonym) && !e.OccurredAt.After(until) {
					rt.Errorf("Of who was erased until %v the event %s of %v is left, of %v", until, e.ID, k, e.OccurredAt)
				}
			}
		}
	}
}

// judgeAll judges every case of the model anew.
func (m *machine) judgeAll() {
	var opened []complaint.CaseKey
	names := map[complaint.CaseKey][][]byte{}
	for _, k := range slices.SortedFunc(maps.Keys(m.cases), compareKeys) {
		c := m.cases[k]
		r := m.rules.Channel(k.Channel)
		if r == nil {
			continue
		}
		if before := c.received; m.judgeOne(k, c, r) && !before && c.received {
			opened = append(opened, k)
			names[k] = m.related(c)
		}
		c.fresh = nil
	}
	for _, k := range opened {
		m.spill(k, names[k])
	}
	// What comes late may be what others, which came before, have spilled over from: the latest of them is.
	slices.SortFunc(opened, func(a, b complaint.CaseKey) int {
		return m.cases[b].derived.Received.Compare(m.cases[a].derived.Received)
	})
	for _, k := range opened {
		if m.clock.now().Sub(m.cases[k].derived.Received) <= overtaken {
			continue
		}
		for other, o := range m.cases {
			if o.from == "" && o.judged && m.rules.Channel(other.Channel) != nil && m.known(names[k], other) && m.spills(k, other) {
				m.spilled(k, other)
			}
		}
	}
}

func (m *machine) judgeOne(k complaint.CaseKey, c *modelCase, r *policy.Rules) bool {
	if c.judged && c.digest != r.Digest {
		if !c.live && c.fresh == nil {
			return false // it keeps the result it closed with
		}
		why := byPolicy
		if !c.live {
			why = byPolicyClosed
		}
		m.judgeAs(k, c, r, slices.DeleteFunc(slices.Clone(c.events), func(e store.Event) bool { return c.fresh[e.ID] }), why)
	}
	m.judgeAs(k, c, r, c.events, byEvidence)
	m.keep(k, c, func() { (&caseState{}).redact(r, c.events) })
	return true
}

// keep changes the events of a case, which goes on by the rule that it had if attributes are gone that told it.
func (m *machine) keep(k complaint.CaseKey, c *modelCase, change func()) {
	had := m.rule(k, c, c.kept)
	change()
	if m.rule(k, c, c.kept) != had {
		c.kept = &sla.Kept{Rule: had, Without: m.rule(k, c, nil)}
	}
}

// rule is the name of the rule that a case has, by the rules that its channel had last.
func (m *machine) rule(k complaint.CaseKey, c *modelCase, kept *sla.Kept) string {
	r := m.last[k.Channel]
	if !c.judged {
		return ""
	}
	facts := factsOf(c.events)
	in := r.Input(facts, m.clock.now(), m.readThrough[k.Channel])
	in.Subject.Dimensions, in.Subject.Kept = c.dims, kept
	return r.SLA.RuleOf(in.Subject)
}

func (m *machine) judgeAs(k complaint.CaseKey, c *modelCase, r *policy.Rules, events []store.Event, why cause) {
	now := m.clock.now()
	facts := make([]complaint.Event, len(events))
	future, cleared := false, false
	for i := range events {
		facts[i] = events[i].Event
		future = future || facts[i].OccurredAt.After(now)
		cleared = cleared || facts[i].Cleared
	}
	in := r.Input(facts, now, m.readThrough[k.Channel])
	if cleared && c.judged {
		in.Subject.Dimensions, in.Subject.Kept = reclassify(r, in.Subject.Attributes, c.dims), c.kept
	}
	d := r.SLA.Evaluate(in)
	c.dims, c.derived, c.digest, c.sla, c.judged = in.Subject.Dimensions, d, r.Digest, r.Channel.SLA, true
	overdue := slices.ContainsFunc(d.Clocks, func(s sla.ClockState) bool { return s.State == sla.Breached && s.StoppedAt.IsZero() })
	c.live = !d.Received.IsZero() && !d.Settled() || future || !d.NextChange.IsZero() || d.Unanswered || overdue
	series := seriesKey(k.Channel, &c.dims)
	if !d.Received.IsZero() && !c.received {
		c.received = true
		m.counters.add(series, seriesReceived, 1)
	}
	if d.Answered() && !c.answered {
		c.answered = true
		m.counters.add(series, seriesAnswered, 1)
	}
	decided, cycles := map[string]verdict{}, map[string]int{}
	for i := range d.Clocks {
		s := &d.Clocks[i]
		id := fmt.Sprintf("%s/%d", s.Name, cycles[s.Name])
		cycles[s.Name]++
		decided[id] = verdictOf(s)
		if v := decided[id]; v != undecided && c.counted[id] == undecided {
			if why == byPolicyClosed {
				c.counted[id] = suppressed
			} else {
				c.counted[id] = v
				m.counters.add(clockKey(k.Channel, &c.dims, c.sla, s.Name), columnOf(v), 1)
			}
		}
		if stoppedBySomebody(s, &d) && !c.observed[id] {
			c.observed[id] = true
			if c.counted[id] != suppressed {
				m.counters.observe(k.Channel, c.dims.Priority, s.Name, wallTime, s.Elapsed)
				if r.Calendar != nil {
					m.counters.observe(k.Channel, c.dims.Priority, s.Name, workingTime, s.WorkingElapsed)
				}
			}
		}
	}
	for id, before := range c.last {
		if before != undecided && decided[id] != before && why == byEvidence && c.counted[id] != suppressed {
			key := channelKey(familyCorrection, k.Channel)
			key.labels[1] = clockOf(id)
			m.counters.add(key, correctionCount, 1)
		}
	}
	c.last = decided
}

// clockOf is the clock of a cycle's name.
func clockOf(id string) string { return id[:strings.LastIndexByte(id, '/')] }

// spill finds where a case came from by looking at all others.
func (m *machine) spill(k complaint.CaseKey, names [][]byte) {
	var best complaint.CaseKey
	for other, o := range m.cases {
		if !o.judged || m.rules.Channel(other.Channel) == nil || !m.known(names, other) || !m.spills(other, k) {
			continue
		}
		if best.Channel == "" || o.derived.Received.After(m.cases[best].derived.Received) {
			best = other
		}
	}
	if best.Channel != "" {
		m.spilled(best, k)
	}
}

// related are the pseudonyms by which cases of the reporter of a case are known. Those by other keys are told where
// what has just arrived says who it is; nobody can tell them later.
func (m *machine) related(c *modelCase) [][]byte {
	name := pseudonym(c.events)
	if name == nil {
		return nil
	}
	for _, phone := range phones() {
		if m.is(phone, name) && c.fresh != nil && m.heard[phone] {
			return m.namesOf(phone)
		}
	}
	return [][]byte{name}
}

// known reports whether a case is known by one of the pseudonyms.
func (m *machine) known(names [][]byte, k complaint.CaseKey) bool {
	name := pseudonym(m.cases[k].events)
	return slices.ContainsFunc(names, func(other []byte) bool { return bytes.Equal(name, other) })
}

// spills reports whether a case was received while an older one of its reporter waited on another channel.
func (m *machine) spills(older, newer complaint.CaseKey) bool {
	o, n := m.cases[older], m.cases[newer]
	since, at := o.derived.Received, n.derived.Received
	if older.Channel == newer.Channel || since.IsZero() || at.IsZero() {
		return false
	}
	waited := o.derived.Unanswered || o.derived.AnsweredAt.After(at)
	return waited && since.Before(at) && !since.Before(at.Add(-72*time.Hour))
}

func (m *machine) spilled(older, newer complaint.CaseKey) {
	m.cases[newer].from = older.Channel
	m.counters.add(figureKey{familySpillover, [6]string{older.Channel, newer.Channel}}, spilloverCount, 1)
}
