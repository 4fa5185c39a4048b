package ledger

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

// Difference is a figure that is not what a recount gives, or a case that is not what its events give.
type Difference struct {
	// What names the figure or the case.
	What string
	// Have is what is stored and Want what was recounted.
	Have, Want string
}

// String is the difference as a person reads it.
func (d Difference) String() string {
	return fmt.Sprintf("%s is %s, a recount gives %s", d.What, d.Have, d.Want)
}

// maxDifferences bounds a report: what is wrong everywhere need not be named everywhere.
const maxDifferences = 1000

// Verify recounts every figure that can be recounted from the events and the cases, and judges every
// case anew that was judged by the rules in force. It reads a snapshot and changes nothing. progress,
// which may be nil, is told how many cases have been looked at.
func Verify(ctx context.Context, s store.Store, progress func(cases int)) (differences []Difference, err error) {
	err = s.View(ctx, func(r store.Reader) error {
		v := &verification{reader: r, have: newMirror(), want: tally{}, oldest: map[string]time.Time{}}
		stored, err := readChanges(ctx, r, 0)
		if err != nil {
			return err
		}
		if stored.policyErr != nil {
			return stored.policyErr
		}
		v.have.take(stored)
		v.revisions(stored)
		if err := v.cases(ctx, progress); err != nil {
			return err
		}
		if err := v.replies(ctx); err != nil {
			return err
		}
		v.figures()
		differences = v.differences
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("verifying the ledger: %w", err)
	}
	return differences, nil
}

// revisions compares those of the rows with that of the storage: what is beyond it would be missed by
// whoever follows.
func (v *verification) revisions(stored *changes) {
	check := func(what string, revision int64) {
		if revision < 1 || revision > stored.head.Revision {
			v.differ("the revision of "+what, revision, fmt.Sprintf("1 to %d", stored.head.Revision))
		}
	}
	for i := range stored.figures {
		check(strings.ReplaceAll(stored.figures[i].Key, separator, "/"), stored.figures[i].Revision)
	}
	for _, c := range stored.channels {
		check("channel "+c.row.Name, c.row.Revision)
	}
	for i, one := range v.have.lives {
		if check("a replica's beginning", one.Since); i > 0 && one.Since <= v.have.lives[i-1].Since {
			v.differ("the order of the replicas' beginnings", one.Since, fmt.Sprintf("above %d", v.have.lives[i-1].Since))
		}
	}
}

type verification struct {
	reader      store.Reader
	have        mirror
	want        tally
	oldest      map[string]time.Time
	differences []Difference
}

func (v *verification) differ(what string, have, want any) {
	if len(v.differences) < maxDifferences {
		v.differences = append(v.differences, Difference{What: what, Have: fmt.Sprint(have), Want: fmt.Sprint(want)})
	}
}

// cases goes through all cases and adds up what they should contribute.
func (v *verification) cases(ctx context.Context, progress func(int)) error {
	query := store.PageQuery{Limit: 500, Scan: 500}
	for seen := 0; ; {
		rows, next, err := v.reader.Page(ctx, query)
		if err != nil {
			return err
		}
		err = store.EachPortion(ctx, v.reader, rows, func(some []store.Case, events [][]store.Event) error {
			for i := range some {
				if err := v.one(&some[i], events[i]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if seen += len(rows); progress != nil {
			progress(seen)
		}
		if next == nil {
			return nil
		}
		query.After = next
	}
}

func (v *verification) one(row *store.Case, events []store.Event) error {
	name := fmt.Sprintf("case %s/%s", row.Channel, complaint.Shown(row.CaseID))
	state := v.readable(row, name)
	if state == nil {
		return nil
	}
	if row.Events != len(events) {
		v.differ("the number of events of "+name, row.Events, len(events))
	}
	v.want.add(channelKey(familyIngest, row.Channel), ingestAccepted, int64(len(events)))
	if row.Unanswered() {
		v.oldest[row.Channel] = earlier(v.oldest[row.Channel], row.UnansweredSince)
	}
	v.want.gauges(state, 1)
	state.counted(v.want)
	rules := v.have.policy.Channel(row.Channel)
	if rules == nil || state.record.Rules != rules.Digest {
		return nil // judged by rules that are gone: it keeps that result, or is about to be judged again
	}
	again := judge(rules, hearing{
		key: row.CaseKey, events: events, at: fromMicros(state.record.JudgedAt), through: fromMicros(state.record.ObservedThrough), before: state,
		idle: idle(v.have.policy),
	}, tally{})
	if err := again.save(); err != nil {
		return err
	}
	again.row.Events = row.Events
	if have, want := describe(row), describe(&again.row); have != want {
		v.differ(name, have, want)
	}
	return nil
}

// readable is the state of a case; nil, which is a difference, when it cannot be read.
func (v *verification) readable(row *store.Case, name string) *caseState {
	state, err := load(row)
	if err != nil {
		v.differ("the state of "+name, "unreadable", "readable")
		return nil
	}
	return state
}

// describe is a row in words, for telling two apart; it holds no content.
func describe(c *store.Case) string {
	var b strings.Builder
	for _, at := range []time.Time{
		c.ReceivedAt, c.AnsweredAt, c.WaitingSince, c.UnansweredSince, c.ClosedAt, c.DueAt, c.NextAt, c.UnfinalAt,
	} {
		fmt.Fprintf(&b, "%d ", micros(at))
	}
	fmt.Fprintf(&b, "%s %s/%s/%s open=%v overdue=%v live=%v holds=%d %s", c.Status, c.Category, c.Department, c.Priority,
		c.Open, c.Overdue, c.Live, c.Holds, bytes.TrimSpace(c.State))
	return b.String()
}

// counted adds what the counters have counted of the case, without the labels that depend on when.
func (s *caseState) counted(t tally) {
	count := func(f family, column int, n int64, labels ...string) {
		k := figureKey{family: f}
		copy(k.labels[:], labels)
		t.add(k, column, n)
	}
	r := &s.record
	channel := s.row.Channel
	if r.Received {
		count(totals, seriesReceived, 1, channel)
	}
	if r.Answered {
		count(totals, seriesAnswered, 1, channel)
	}
	if r.From != "" {
		count(familySpillover, spilloverCount, 1, r.From, channel)
	}
	for i := range r.Clocks {
		c := &r.Clocks[i]
		count(familyCorrection, correctionCount, c.Corrections, channel, c.Name)
		for n := range c.Cycles.len() {
			y := c.Cycles.at(n)
			if y.counted == undecided || y.counted == suppressed {
				continue
			}
			count(clockTotals, columnOf(y.counted), 1, channel, c.Name)
			if y.observed {
				count(observedTotals, histogramCount, 1, channel, c.Name)
			}
		}
	}
}

// Families of a recount: counters without the labels that depend on when they were counted.
const (
	totals         family = "received and answered in total"
	clockTotals    family = "outcomes in total"
	observedTotals family = "times in total"
)

// recountable brings stored figures into the form of a recount.
func recountable(figures tally) tally {
	out := tally{}
	add := func(f family, column int, n int64, labels ...string) {
		k := figureKey{family: f}
		copy(k.labels[:], labels)
		out.add(k, column, n)
	}
	for k, v := range figures {
		l := k.labels
		switch k.family {
		case familySeries:
			out.add(k, seriesUnanswered, v[seriesUnanswered])
			out.add(k, seriesAwaiting, v[seriesAwaiting])
			add(totals, seriesReceived, v[seriesReceived], l[0])
			add(totals, seriesAnswered, v[seriesAnswered], l[0])
		case familyClock:
			out.add(k, clockDueSoon, v[clockDueSoon])
			out.add(k, clockOverdue, v[clockOverdue])
			for _, column := range []int{clockMet, clockBreached, clockCancelled} {
				add(clockTotals, column, v[column], l[0], l[5])
			}
		case familyHistogram:
			if l[3] == wallTime {
				add(observedTotals, histogramCount, v[histogramCount], l[0], l[2])
			}
		case familyReply:
			out.add(k, replyWaiting, v[replyWaiting])
			out.add(k, replyOldest, v[replyOldest])
		case familyIngest:
			add(familyIngest, ingestAccepted, v[ingestAccepted], l[0])
		case familyChannel, familyCorrection, familySpillover:
			for column, n := range v {
				out.add(k, column, n)
			}
		default: // errors are known to workers alone
		}
	}
	return out
}

// figures compares what is stored with the recount.
func (v *verification) figures() {
	have := recountable(v.have.figures.tally())
	keys := map[figureKey]bool{}
	for _, t := range []tally{have, v.want} {
		for k := range t {
			keys[k] = true
		}
	}
	ordered := make([]figureKey, 0, len(keys))
	for k := range keys {
		ordered = append(ordered, k)
	}
	slices.SortFunc(ordered, func(a, b figureKey) int { return compareText(a.encode(), b.encode()) })
	for _, k := range ordered {
		var h, w values
		if have[k] != nil {
			h = *have[k]
		}
		if v.want[k] != nil {
			w = *v.want[k]
		}
		if h != w {
			v.differ(strings.ReplaceAll(k.encode(), separator, "/"), h, w)
		}
	}
	for name, c := range v.have.channels {
		if have, want := c.row.OldestUnansweredAt, v.oldest[name]; !have.Equal(want) {
			v.differ("the oldest unanswered of "+name, have.Format(time.RFC3339Nano), want.Format(time.RFC3339Nano))
		}
	}
}
