package ledger

import (
	"context"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

// maxRelated bounds how many earlier cases of one reporter are looked at.
const maxRelated = 50

// link looks, for cases that were just opened, for an older case of the same reporter on another
// channel that was still unanswered then: the case has spilled over from there. It is counted once a
// case, from the latest such case.
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
	var linked []*caseState
	for i, cases := range found {
		s := asker[i]
		for j := range cases {
			older := &cases[j]
			waited := older.Unanswered() || older.AnsweredAt.After(s.row.ReceivedAt)
			if older.Channel == s.row.Channel || !waited || s.record.From != "" || t.rules(older.Channel) == nil {
				continue
			}
			s.record.From, s.record.Linked = older.Channel, older.CaseID
			t.figures.add(figureKey{familySpillover, [6]string{older.Channel, s.row.Channel}}, spilloverCount, 1)
			linked = append(linked, s)
		}
	}
	return t.put(ctx, linked)
}

// related asks for the cases of a reporter that a case received at the instant may have spilled over from;
// earlier are pseudonyms by earlier keys.
func (t *transaction) related(pseudonym []byte, earlier map[string][][]byte, received time.Time) []store.ReporterQuery {
	window := t.compiled().Linking.Window
	if window <= 0 {
		return nil
	}
	names := append([][]byte{pseudonym}, earlier[string(pseudonym)]...)
	queries := make([]store.ReporterQuery, len(names))
	for i, name := range names {
		queries[i] = store.ReporterQuery{Pseudonym: name, From: received.Add(-window), To: received, Limit: maxRelated}
	}
	return queries
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
