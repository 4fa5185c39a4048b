package ledger

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// compareQueries compares what queries of every kind list, by pages of every size, with the cases that
// are such by what all of them show.
func (m *machine) compareQueries(rt *rapid.T) {
	all, err := m.ledger.Cases(context.Background(), CaseQuery{Limit: MaxPage})
	if err != nil {
		rt.Fatalf("Listing: %v", err)
	}
	some := func(name string, values ...string) string {
		return rapid.SampledFrom(append(values, "", "", "none")).Draw(rt, name)
	}
	for range 8 {
		q := CaseQuery{
			Channel:    some("of channel", "dsw", "sigap", "wa"),
			Dimensions: complaint.Dimensions{Category: some("category", "flood", "garbage"), Department: some("department", "dpupr", "dlhk"), Priority: some("priority", "high", "normal")},
			State:      rapid.SampledFrom(append(ledgerapi.CaseStates(), "")).Draw(rt, "state"),
			Limit:      rapid.IntRange(1, 5).Draw(rt, "limit"),
		}
		if rapid.IntRange(0, 2).Draw(rt, "due") == 0 {
			q.DueBefore = m.clock.now().Add(time.Duration(rapid.IntRange(-300, 3000).Draw(rt, "before")) * time.Minute)
		}
		want := slices.DeleteFunc(slices.Clone(all.Cases), func(c ledgerapi.Case) bool { return !listedBy(&q, &c) })
		if diff := cmp.Diff(want, m.pages(rt, q)); len(want) > 0 && diff != "" {
			rt.Errorf("The pages of %+v differ (-of all +listed):\n%s", q, diff)
		}
	}
}

// listedBy says by what is shown of a case whether a query asks for it.
func listedBy(q *CaseQuery, c *ledgerapi.Case) bool {
	same := func(want, got string) bool { return want == "" || want == got }
	return same(q.Channel, c.Channel) && same(q.Dimensions.Category, c.Category) && same(q.Dimensions.Department, c.Department) &&
		same(q.Dimensions.Priority, c.Priority) && (q.DueBefore.IsZero() || c.DueAt != nil && c.DueAt.Before(q.DueBefore)) &&
		map[string]bool{
			"": true, ledgerapi.CasesOpen: c.Open, ledgerapi.CasesClosed: !c.Open, ledgerapi.CasesUnanswered: c.Unanswered,
			ledgerapi.CasesAwaitingReply: c.WaitingSince != nil, ledgerapi.CasesOverdue: c.Overdue,
		}[q.State]
}

// pages are the cases of all pages of a query.
func (m *machine) pages(rt *rapid.T, q CaseQuery) (cases []ledgerapi.Case) {
	for {
		page, err := m.ledger.Cases(context.Background(), q)
		if err != nil {
			rt.Fatalf("Listing %+v: %v", q, err)
		}
		if len(page.Cases) > q.Limit {
			rt.Errorf("A page of %+v has %d cases", q, len(page.Cases))
		}
		cases = append(cases, page.Cases...)
		if q.After = page.Next; page.Next == "" {
			return cases
		}
	}
}

// A complaint that the system of a portal closes, or its reporter, is still one that nobody has
// answered: the gauges count it, and so the lists that are asked for have to show it.
func TestAClosedCaseThatNobodyAnsweredIsListedAsTheGaugesCountIt(t *testing.T) {
	f := testFixture(t)
	f.append("dsw", received("1", monday))
	f.clock.move(time.Hour)
	closing := status("1", complaint.StatusResolved, monday.Add(time.Hour))
	closing.Actor = complaint.ActorSystem
	f.append("dsw", closing)
	f.clock.move(time.Hour)
	f.append("dsw", event("1", "again", complaint.KindCitizenMessage, complaint.ActorCitizen, monday.Add(2*time.Hour)))
	f.through("dsw", f.clock.now())
	f.advance()
	c := f.summary().Channels["dsw"]
	for state, want := range map[string]int64{
		ledgerapi.CasesUnanswered: c.Unanswered, ledgerapi.CasesOverdue: c.Overdue, ledgerapi.CasesClosed: 1, ledgerapi.CasesAwaitingReply: 1,
	} {
		list, err := f.ledger.Cases(t.Context(), CaseQuery{State: state})
		if err != nil || want != 1 || int64(len(list.Cases)) != want {
			t.Errorf("%s lists %d cases, error %v; the gauge says %d, want 1 of both", state, len(list.Cases), err, want)
		}
	}
	f.verify()
}
