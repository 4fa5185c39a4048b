package ledger

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

// maxRelated bounds how many cases of one reporter are looked at on either side.
const maxRelated = 50

// overtaken is how much later than it was received a case comes that others may have overtaken. In less nobody gives
// up waiting and turns to another channel, and nobody searches for that in vain while deliveries flood in.
const overtaken = time.Minute

// link looks, for cases that were just opened, for an older case of the same reporter on another
// channel that was still unanswered then: the case has spilled over from there. Sources are read at different
// paces, so that the older one may also be the one that was just opened. It is counted once a case, from the
// latest such case.
func (t *transaction) link(ctx context.Context, opened []*caseState) error {
	var queries []store.ReporterQuery
	var asker []*caseState
	for _, s := range opened {
		for _, q := range t.related(s.row.Pseudonym, t.earlier, s.row.ReceivedAt) {
			queries, asker = append(queries, q), append(asker, s)
		}
	}
	if len(queries) == 0 {
		return nil
	}
	found, err := t.tx.ByReporter(ctx, queries)
	if err != nil {
		return err
	}
	if judged, err := t.judgeStale(ctx, found); err != nil {
		return err
	} else if judged {
		if found, err = t.tx.ByReporter(ctx, queries); err != nil {
			return err
		}
	}
	linked, err := t.spilled(opened, asker, found)
	if err != nil {
		return err
	}
	return t.put(ctx, linked)
}

// spilled are the cases that have spilled over, among those opened and those found for each that asked, counted and
// with where they came from.
func (t *transaction) spilled(opened, asker []*caseState, found [][]store.Case) (linked []*caseState, err error) {
	states := map[complaint.CaseKey]*caseState{}
	for _, s := range opened {
		states[s.row.CaseKey] = s
	}
	origin := map[*caseState]*caseState{}
	for i, cases := range found {
		for j := range cases {
			other := states[cases[j].CaseKey]
			if other == nil {
				if other, err = load(&cases[j]); err != nil {
					return nil, err
				}
				states[cases[j].CaseKey] = other
			}
			older, newer := other, asker[i]
			if older.row.ReceivedAt.After(newer.row.ReceivedAt) {
				older, newer = newer, older
			}
			if !t.spills(older, newer) {
				continue
			}
			if origin[newer] == nil {
				linked = append(linked, newer)
			}
			if o := origin[newer]; o == nil || older.row.ReceivedAt.After(o.row.ReceivedAt) {
				origin[newer] = older
			}
		}
	}
	for _, s := range linked {
		s.record.From, s.record.Linked = origin[s].row.Channel, origin[s].row.CaseID
		t.figures.add(figureKey{familySpillover, [6]string{s.record.From, s.row.Channel}}, spilloverCount, 1)
	}
	return linked, nil
}

// spills reports whether a case has spilled over from an older one of its reporter, and was not counted yet.
func (t *transaction) spills(older, newer *caseState) bool {
	from, to := older.row.Channel, newer.row.Channel
	waited := older.row.Unanswered() || older.row.AnsweredAt.After(newer.row.ReceivedAt)
	return from != to && waited && newer.record.From == "" && t.rules(from) != nil && t.rules(to) != nil
}

// related asks for the cases of a reporter that a case received at the instant may have spilled over from and, if it
// comes late, for those that may have spilled over from it; earlier are pseudonyms by earlier keys.
func (t *transaction) related(pseudonym []byte, earlier map[string][][]byte, received time.Time) (queries []store.ReporterQuery) {
	window := t.compiled().LinkingWindow
	if window <= 0 {
		return nil
	}
	for _, name := range namesOf(pseudonym, earlier) {
		queries = append(queries, store.ReporterQuery{Pseudonym: name, From: received.Add(-window), To: received, Limit: maxRelated})
		if t.at.Sub(received) > overtaken {
			next := received.Add(time.Microsecond)
			queries = append(queries, store.ReporterQuery{Pseudonym: name, From: next, To: next.Add(window), Limit: maxRelated})
		}
	}
	return queries
}

// namesOf are the pseudonyms of a reporter, as far as those by earlier keys are told. A case that began before the key was
// changed has the pseudonym by an earlier one, and other cases may have that by the current one.
func namesOf(pseudonym []byte, earlier map[string][][]byte) [][]byte {
	if others, current := earlier[string(pseudonym)]; current {
		return append([][]byte{pseudonym}, others...)
	}
	for current, others := range earlier {
		if slices.ContainsFunc(others, func(other []byte) bool { return bytes.Equal(other, pseudonym) }) {
			return append([][]byte{[]byte(current)}, others...)
		}
	}
	return [][]byte{pseudonym}
}

// judgeStale judges those of the cases that a change of the policy has not come to yet: whether they are answered is
// to be told by the rules in force, however far the change has come.
func (t *transaction) judgeStale(ctx context.Context, found [][]store.Case) (judged bool, err error) {
	if _, going := t.rederivation().next(); !going {
		return false, nil
	}
	var stale []store.Case
	seen := map[complaint.CaseKey]bool{}
	for _, cases := range found {
		for i := range cases {
			c := &cases[i]
			rules := t.rules(c.Channel)
			if rules == nil || !c.Live || seen[c.CaseKey] {
				continue
			}
			seen[c.CaseKey] = true
			state, err := load(c)
			if err != nil {
				return false, err
			}
			if state.record.Rules != rules.Digest {
				stale = append(stale, *c)
			}
		}
	}
	return len(stale) > 0, t.rejudge(ctx, stale)
}
