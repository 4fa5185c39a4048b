package ledger

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/internal/policy"
)

// transaction is what one transaction of the store does and, until it is committed, what it will
// change in the mirror.
type transaction struct {
	tx *recorder
	// before is the mirror, which only the holder of the transaction changes, and so may read.
	before *mirror
	// at is the instant at which everything in the transaction is judged.
	at time.Time

	figures  tally
	channels map[string]*channelState
	changed  map[string]bool // channels whose row has to be written
	advanced map[string]bool // channels whose observedThrough has moved
	oldest   map[string]bool // channels whose oldest unanswered case has to be looked for
	earlier  map[string][][]byte
	// policy and rederive are set when the transaction changes them.
	policy   *newPolicy
	rederive *rederivation
	// life, lost and shared are the ledger's.
	life   string
	lost   int64
	shared bool
	// lives and watch are set when the transaction changes them.
	lives *lives
	watch *watch
	// erasures are set when the transaction changes them; names makes pseudonyms.
	erasures *erasures
	names    *Pseudonyms
	// departed is set when the transaction changes it, and keys are; own are of the ledger's own keys.
	departed *departed
	keys     *keyMarks
	own      keyMarks
	// looked says that no case is due any more by the transaction's instant.
	looked bool
	// settled are the channels of which no verdict up to observedThrough is open.
	settled []store.Observed
}

type newPolicy struct {
	document policy.Document
	compiled *policy.Policy
}

func newTransaction(tx store.Tx, before *mirror, at time.Time) *transaction {
	return &transaction{
		tx: &recorder{Tx: tx}, before: before, at: at, figures: tally{}, channels: map[string]*channelState{},
		changed: map[string]bool{}, advanced: map[string]bool{}, oldest: map[string]bool{}, earlier: map[string][][]byte{},
	}
}

// rules are those of a channel; nil when the policy does not name it.
func (t *transaction) rules(channel string) *policy.Rules {
	if t.policy != nil {
		return t.policy.compiled.Channel(channel)
	}
	return t.before.policy.Channel(channel)
}

// compiled is the policy in force.
func (t *transaction) compiled() *policy.Policy {
	if t.policy != nil {
		return t.policy.compiled
	}
	return t.before.policy
}

// document is what it was compiled from; an empty one where there is none that can be used.
func (t *transaction) document() policy.Document {
	switch {
	case t.policy != nil:
		return t.policy.document
	case t.before.policy == nil:
		return policy.Document{}
	}
	return t.before.document
}

// run does the requests. A request that is refused for itself has its err set; the error returned is
// one of the whole transaction.
func (t *transaction) run(ctx context.Context, group []*request) error {
	t.tx.Stamp(t.at)
	if err := t.submissions(ctx, group); err != nil {
		return err
	}
	for _, r := range group {
		if r.report == nil {
			continue
		}
		c := t.channel(r.channel)
		if err := c.report(r.report, t.at, t.figures); err != nil {
			return err
		}
		if r.report.ObservedThrough != nil && c.observe(r.report.ObservedThrough.UTC().Truncate(time.Microsecond), t.at) {
			t.advanced[r.channel] = true
		}
		t.changed[r.channel] = true
	}
	for _, r := range group {
		// The job of a submission that was refused has nothing to go with.
		if r.job != nil && r.err == nil {
			if err := r.job(ctx, t); err != nil {
				return err
			}
		}
	}
	return t.flush(ctx)
}

// channel is a channel for changing it.
func (t *transaction) channel(name string) *channelState {
	c := t.channels[name]
	if c == nil {
		c = &channelState{row: store.Channel{Name: name}}
		if before := t.before.channels[name]; before != nil {
			*c = *before
		}
		t.channels[name] = c
	}
	return c
}

// observedThrough is that of a channel, which may have moved in this transaction.
func (t *transaction) observedThrough(channel string) time.Time {
	if c := t.channels[channel]; c != nil {
		return c.row.ObservedThrough
	}
	if c := t.before.channels[channel]; c != nil {
		return c.row.ObservedThrough
	}
	return time.Time{}
}

// revision is the one that the transaction has if it writes anything.
func (t *transaction) revision() int64 { return t.before.revision + 1 }

// noteOldest keeps the oldest unanswered case of a channel as one of its cases has changed. It is looked for
// only when the one that was the oldest has: a flood of new cases asks for nothing.
func (t *transaction) noteOldest(channel string, was, is time.Time) {
	if was.Equal(is) {
		return
	}
	c := t.channel(channel)
	oldest := c.row.OldestUnansweredAt
	switch {
	case !was.IsZero() && (oldest.IsZero() || !was.After(oldest)):
		t.oldest[channel] = true
	case !is.IsZero() && (oldest.IsZero() || is.Before(oldest)):
		c.row.OldestUnansweredAt = is
		t.changed[channel] = true
	}
}

// findOldest reads the oldest unanswered cases of the channels where they may have changed.
func (t *transaction) findOldest(ctx context.Context) error {
	if len(t.oldest) == 0 {
		return nil
	}
	names := sortedNames(t.oldest)
	oldest, err := t.tx.OldestUnanswered(ctx, names)
	if err != nil {
		return err
	}
	for i, name := range names {
		if c := t.channel(name); !c.row.OldestUnansweredAt.Equal(oldest[i]) {
			c.row.OldestUnansweredAt = oldest[i]
			t.changed[name] = true
		}
	}
	return nil
}

// flush writes what was gathered.
func (t *transaction) flush(ctx context.Context) error {
	if err := t.findOldest(ctx); err != nil {
		return err
	}
	rows := make([]store.Channel, 0, len(t.changed))
	for _, name := range sortedNames(t.changed) {
		rows = append(rows, t.channels[name].row)
	}
	if len(rows) > 0 {
		if err := t.tx.PutChannels(ctx, rows); err != nil {
			return err
		}
	}
	if figures := t.figures.rows(); len(figures) > 0 {
		slices.SortFunc(figures, func(a, b store.Figures) int { return compareText(a.Key, b.Key) })
		if err := t.tx.AddFigures(ctx, figures); err != nil {
			return err
		}
	}
	return t.flushSettings(ctx)
}

func (t *transaction) flushSettings(ctx context.Context) error {
	if t.rederive != nil {
		if err := putSetting(ctx, t.tx, settingRederive, t.rederive); err != nil {
			return err
		}
	}
	if t.erasures != nil {
		if err := putSetting(ctx, t.tx, settingErasures, t.erasures); err != nil {
			return err
		}
	}
	if t.departed != nil {
		if err := putSetting(ctx, t.tx, settingDeparted, t.departed); err != nil {
			return err
		}
	}
	if t.keys != nil {
		if err := putSetting(ctx, t.tx, settingKeys, t.keys); err != nil {
			return err
		}
	}
	if t.looked && t.shared && (t.tx.wrote || t.before.watch.Holder != t.life || t.at.Sub(fromMicros(t.before.watch.Watermark)) >= watchEvery) {
		t.watch = &watch{Holder: t.life, Watermark: micros(t.at)}
	}
	if t.watch != nil {
		t.watch.revision = t.revision()
		if err := putSetting(ctx, t.tx, settingWatch, t.watch); err != nil {
			return err
		}
	}
	begun := slices.ContainsFunc(t.before.lives, func(one life) bool { return one.ID == t.life })
	if begun || !t.tx.wrote && t.lost == 0 {
		return nil
	}
	now := t.before.lives.with(t.life, t.revision(), t.lost)
	t.lives = &now
	return putSetting(ctx, t.tx, settingLives, t.lives)
}

// touched is a case that has to be judged.
type touched struct {
	key complaint.CaseKey
	row *store.Case // nil for a new case
	// events are all of the case, read when it is judged unless it is new; fresh are the ones that are new, which
	// stand in events too.
	events []store.Event
	fresh  map[string]bool
}

// stored is how many events the case has that are to be read.
func (c *touched) stored() int {
	if c.row == nil {
		return 0
	}
	return c.row.Events + len(c.fresh)
}

// judge judges the cases and writes them.
func (t *transaction) judge(ctx context.Context, cases []*touched) error {
	var opened []*caseState
	for some := range store.Portions(cases, func(c **touched) int { return (*c).stored() }) {
		found, err := t.judgeSome(ctx, some)
		if err != nil {
			return err
		}
		opened = append(opened, found...)
	}
	return t.link(ctx, opened)
}

// judgeSome does so with cases whose events are held together, and returns those that somebody known has opened.
func (t *transaction) judgeSome(ctx context.Context, cases []*touched) (opened []*caseState, err error) {
	if err := t.hear(ctx, cases); err != nil {
		return nil, err
	}
	states := make([]*caseState, 0, len(cases))
	var cleared []store.Event
	for _, c := range cases {
		before, err := load(c.row)
		if err != nil {
			return nil, err
		}
		state, removed := t.decide(c, before)
		c.events = nil // they would stay until the transaction ends
		cleared = append(cleared, removed...)
		if state.record.Received && (before == nil || !before.record.Received) && state.row.Pseudonym != nil {
			opened = append(opened, state)
		}
		var was time.Time
		if before != nil {
			was = before.row.UnansweredSince
		}
		t.noteOldest(c.key.Channel, was, state.row.UnansweredSince)
		states = append(states, state)
	}
	if len(cleared) > 0 {
		if err := t.tx.ReplaceEvents(ctx, cleared); err != nil {
			return nil, err
		}
	}
	return opened, t.put(ctx, states)
}

// hear reads the events of the cases that are stored.
func (t *transaction) hear(ctx context.Context, cases []*touched) error {
	var keys []complaint.CaseKey
	var stored []*touched
	for _, c := range cases {
		if c.row != nil {
			keys, stored = append(keys, c.key), append(stored, c)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	events, err := t.tx.Events(ctx, keys)
	if err != nil {
		return err
	}
	for i, c := range stored {
		c.events = events[i]
	}
	return nil
}

// decide judges one case, and takes from its events what is erased, and the content that a Redacted covers.
func (t *transaction) decide(c *touched, before *caseState) (state *caseState, cleared []store.Event) {
	rules := t.rules(c.key.Channel)
	h := hearing{key: c.key, events: c.events, at: t.at, through: t.observedThrough(c.key.Channel), before: before, idle: idle(t.compiled())}
	if before != nil && rules != nil && before.record.Rules != rules.Digest {
		// What the new rules alone change is told from what the evidence changes.
		base := h
		base.cause = byPolicy
		if !before.row.Live {
			base.cause = byPolicyClosed
		}
		if len(c.fresh) > 0 {
			base.events = slices.DeleteFunc(slices.Clone(c.events), func(e store.Event) bool { return c.fresh[e.ID] })
		}
		h.before = judge(rules, base, t.figures)
	}
	state = judge(rules, h, t.figures)
	last := t.lastRules(c.key.Channel)
	cleared = append(t.erase(last, state, c.events), state.redact(last, c.events)...)
	if p := t.compiled(); p != nil && !p.Retention.StoreHandles {
		// They were stored while an earlier policy said so.
		cleared = append(cleared, dropHandles(c.events)...)
	}
	if len(cleared) > 0 {
		state.row.Holds = holds(c.events)
	}
	return state, cleared
}

// idle is how long after its last event an open case counts as closed for retention; negative is never.
func idle(p *policy.Policy) time.Duration {
	if p == nil {
		return -1
	}
	return p.Retention.Idle
}

func (t *transaction) put(ctx context.Context, states []*caseState) error {
	rows := make([]store.Case, len(states))
	for i, s := range states {
		if err := s.save(); err != nil {
			return err
		}
		rows[i] = s.row
	}
	if len(rows) == 0 {
		return nil
	}
	return t.tx.PutCases(ctx, rows)
}

// rejudge judges cases that were found by a scan.
func (t *transaction) rejudge(ctx context.Context, rows []store.Case) error {
	if len(rows) == 0 {
		return nil
	}
	keys := make([]complaint.CaseKey, len(rows))
	for i := range rows {
		keys[i] = rows[i].CaseKey
	}
	// Read for changing: the transaction may have changed a case since the scan.
	current, err := t.tx.Cases(ctx, keys)
	if err != nil {
		return err
	}
	cases := make([]*touched, len(rows))
	for i := range rows {
		if current[i] == nil {
			return fmt.Errorf("%w: a case was found and then was not there", store.ErrDamaged)
		}
		cases[i] = &touched{key: keys[i], row: current[i]}
	}
	return t.judge(ctx, cases)
}
