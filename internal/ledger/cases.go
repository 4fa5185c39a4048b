package ledger

import (
	"context"
	"encoding/base64"
	"strings"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

// Bounds of a page. A page that looked at scanCases without filling ends early, so that a query that
// takes few of many cases cannot run for long.
const (
	DefaultPage = 100
	MaxPage     = 1000
	scanCases   = 10_000
	pageTimeout = 10 * time.Second
)

// CaseQuery asks for cases; empty members ask for nothing.
type CaseQuery struct {
	Channel    string
	Dimensions complaint.Dimensions
	// State is one of ledgerapi.CaseStates; "" is any.
	State     string
	DueBefore time.Time
	// After is the Next of the page before.
	After string
	// Limit is 1 to MaxPage; 0 is DefaultPage.
	Limit int
}

// Cases is a page of cases. A *RefusalError says what is wrong with the query.
func (l *Ledger) Cases(ctx context.Context, q CaseQuery) (ledgerapi.CaseList, error) {
	query, err := q.page()
	if err != nil {
		return ledgerapi.CaseList{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	list := ledgerapi.CaseList{Cases: []ledgerapi.Case{}}
	err = l.store.View(ctx, func(r store.Reader) error {
		rows, next, err := r.Page(ctx, query)
		if err != nil {
			return err
		}
		for i := range rows {
			list.Cases = append(list.Cases, listed(&rows[i]))
		}
		if next != nil {
			list.Next = encodePosition(*next)
		}
		return nil
	})
	if err != nil {
		return ledgerapi.CaseList{}, unavailable(err)
	}
	return list, nil
}

func (q *CaseQuery) page() (store.PageQuery, error) {
	p := store.PageQuery{
		Channel: q.Channel, Dimensions: q.Dimensions, DueBefore: q.DueBefore, Limit: q.Limit, Scan: scanCases,
	}
	switch {
	case q.Limit == 0:
		p.Limit = DefaultPage
	case q.Limit < 0 || q.Limit > MaxPage:
		return p, refuse(Invalid, "limit: must be 1 to %d", MaxPage)
	}
	for _, asked := range []struct{ name, value string }{
		{"channel", q.Channel}, {"category", q.Dimensions.Category}, {"department", q.Dimensions.Department}, {"priority", q.Dimensions.Priority},
	} {
		if !findable(asked.value) {
			return p, refuse(Invalid, "%s: must be UTF-8 without NUL characters", asked.name)
		}
	}
	if err := narrow(&p, q.State); err != nil {
		return p, err
	}
	// Only what something has still to be done about has a due instant.
	p.Live = p.Live || !q.DueBefore.IsZero()
	if q.After != "" {
		after, ok := decodePosition(q.After)
		if !ok || q.Channel != "" && after.Channel != q.Channel {
			return p, refuse(Invalid, "after: must be the next of a page of the same query")
		}
		p.After = &after
	}
	return p, nil
}

// narrow takes the cases of a state only.
func narrow(p *store.PageQuery, state string) error {
	yes, no := true, false
	switch state {
	case "":
	case ledgerapi.CasesOpen:
		p.Open, p.Live = &yes, true
	case ledgerapi.CasesClosed:
		p.Open = &no
	case ledgerapi.CasesUnanswered:
		p.Unanswered, p.Live = &yes, true
	case ledgerapi.CasesAwaitingReply:
		p.Waiting = &yes
	case ledgerapi.CasesOverdue:
		p.Overdue, p.Live = &yes, true
	default:
		return refuse(Invalid, "state: must be one of %s", strings.Join(ledgerapi.CaseStates(), ", "))
	}
	return nil
}

// encodePosition hides the key, so that nobody builds one.
func encodePosition(k complaint.CaseKey) string {
	return base64.RawURLEncoding.EncodeToString([]byte(k.Channel + "\x00" + k.CaseID))
}

func decodePosition(s string) (k complaint.CaseKey, ok bool) {
	decoded, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return k, false
	}
	k.Channel, k.CaseID, ok = strings.Cut(string(decoded), "\x00")
	return k, ok && k.Channel != "" && findable(k.Channel) && findable(k.CaseID)
}

func listed(c *store.Case) ledgerapi.Case {
	return ledgerapi.Case{
		CaseKey: c.CaseKey, Dimensions: c.Dimensions,
		ReceivedAt: optional(c.ReceivedAt), AnsweredAt: optional(c.AnsweredAt), WaitingSince: optional(c.WaitingSince),
		Status: c.Status, Open: c.Open, Unanswered: c.Unanswered(), DueAt: optional(c.DueAt), Overdue: c.Overdue,
	}
}
