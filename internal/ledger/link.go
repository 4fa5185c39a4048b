package ledger

import (
	"context"

	"github.com/tanggap/tanggap/internal/ledger/store"
)

// maxRelated bounds how many earlier cases of one reporter are looked at.
const maxRelated = 50

// link looks, for cases that were just opened, for an older case of the same reporter on another
// channel that was still unanswered then: the case has spilled over from there. It is counted once a
// case, from the latest such case.
func (t *transaction) link(ctx context.Context, opened []*caseState) error {
	window := t.compiled().Linking.Window
	if window <= 0 || len(opened) == 0 {
		return nil
	}
	var queries []store.ReporterQuery
	var asker []*caseState
	for _, s := range opened {
		names := append([][]byte{s.row.Pseudonym}, t.earlier[string(s.row.Pseudonym)]...)
		for _, name := range names {
			queries = append(queries, store.ReporterQuery{
				Pseudonym: name, From: s.row.ReceivedAt.Add(-window), To: s.row.ReceivedAt, Limit: maxRelated,
			})
			asker = append(asker, s)
		}
	}
	found, err := t.tx.ByReporter(ctx, queries)
	if err != nil {
		return err
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
