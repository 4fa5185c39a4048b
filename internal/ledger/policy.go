package ledger

import (
	"context"
	"maps"
	"slices"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/internal/policy"
)

// rederivation is how far the open cases have been judged by the latest policy; it is kept as a
// setting, so that it goes on after a restart.
type rederivation struct {
	// Channels are those whose rules changed.
	Channels map[string]rederived `json:"channels,omitempty"`
}

// rederived is one channel's part.
type rederived struct {
	// SLA is the name under which progress is shown.
	SLA string `json:"sla,omitempty"`
	// After is the case up to which all have been judged.
	After string `json:"after,omitempty"`
	Done  int64  `json:"done"`
	ToGo  int64  `json:"toGo"`
	// Finished parts are kept for their figures until the next policy.
	Finished bool `json:"finished,omitempty"`
}

// next is a channel with something to do; false when there is none.
func (r *rederivation) next() (channel string, more bool) {
	for _, name := range slices.Sorted(maps.Keys(r.Channels)) {
		if !r.Channels[name].Finished {
			return name, true
		}
	}
	return "", false
}

// progress is the progress by SLA.
func (r *rederivation) progress() map[string]ledgerapi.Progress {
	if len(r.Channels) == 0 {
		return nil
	}
	bySLA := map[string]ledgerapi.Progress{}
	for _, c := range r.Channels {
		p := bySLA[c.SLA]
		p.Done += c.Done
		p.ToGo += c.ToGo
		bySLA[c.SLA] = p
	}
	return bySLA
}

// PutPolicy replaces the policy, once it is compiled, and begins to judge the open cases of the
// channels whose rules changed. A document with a fault is refused as a whole with every fault named.
func (l *Ledger) PutPolicy(ctx context.Context, document policy.Document) (ledgerapi.PolicyStatus, error) {
	compiled, err := policy.Compile(document)
	if err != nil {
		return ledgerapi.PolicyStatus{}, refuse(Invalid, "%s", err.Error())
	}
	document.Revision = compiled.Revision
	r := &request{job: func(ctx context.Context, t *transaction) error { return t.replacePolicy(ctx, document, compiled) }}
	if err := l.do(ctx, r); err != nil {
		return ledgerapi.PolicyStatus{}, err
	}
	return l.PolicyStatus(), nil
}

// PolicyStatus says how far the policy has been applied.
func (l *Ledger) PolicyStatus() ledgerapi.PolicyStatus {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.policyStatus()
}

func (t *transaction) replacePolicy(ctx context.Context, document policy.Document, compiled *policy.Policy) error {
	old := t.compiled()
	if old != nil && old.Revision == compiled.Revision {
		return nil
	}
	t.depart(t.document(), compiled)
	t.policy = &newPolicy{document: document, compiled: compiled}
	affected := policy.Affects(old, compiled)
	for _, name := range compiled.Channels() {
		// The name of the SLA is a label of the gauges, though it changes no judgement.
		if before := old.Channel(name); before != nil && before.Channel.SLA != compiled.Channel(name).Channel.SLA && !slices.Contains(affected, name) {
			affected = append(affected, name)
		}
	}
	if old == nil || old.Retention.Idle != compiled.Retention.Idle || old.Retention.StoreHandles != compiled.Retention.StoreHandles {
		// Retention reaches the cases of channels that are gone, too.
		for name := range t.before.channels {
			if compiled.Channel(name) == nil {
				affected = append(affected, name)
			}
		}
	}
	// What an earlier policy left to do is done by this one, from where it stands.
	work := rederivation{Channels: map[string]rederived{}}
	for name, part := range t.rederivation().Channels {
		if !part.Finished {
			work.Channels[name] = part
		}
	}
	for _, name := range affected {
		part := rederived{}
		if rules := compiled.Channel(name); rules != nil {
			part.SLA = rules.Channel.SLA
		}
		if open := t.before.figures.byKey[channelKey(familyChannel, name)]; open != nil {
			part.ToGo = open.values[channelOpen]
		}
		if t.before.channels[name] == nil && t.channels[name] == nil {
			continue // a channel that never had an event
		}
		work.Channels[name] = part
	}
	t.rederive = &work
	return putSetting(ctx, t.tx, settingPolicy, document)
}

func (t *transaction) rederivation() *rederivation {
	if t.rederive != nil {
		return t.rederive
	}
	return &t.before.rederive
}

// rederiveSome judges up to limit cases by the rules in force.
func (t *transaction) rederiveSome(ctx context.Context, limit int) error {
	channel, more := t.rederivation().next()
	if !more {
		return nil
	}
	work := rederivation{Channels: maps.Clone(t.rederivation().Channels)}
	t.rederive = &work
	part := work.Channels[channel]
	query := store.PageQuery{Channel: channel, Live: true, Limit: limit, Scan: limit}
	if part.After != "" {
		query.After = &complaint.CaseKey{Channel: channel, CaseID: part.After}
	}
	cases, next, err := t.tx.Page(ctx, query)
	if err != nil {
		return err
	}
	if err := t.rejudge(ctx, cases); err != nil {
		return err
	}
	part.Done += int64(len(cases))
	part.ToGo = max(part.ToGo-int64(len(cases)), 0)
	if next == nil {
		part.ToGo, part.Finished = 0, true
	} else {
		part.After = next.CaseID
	}
	work.Channels[channel] = part
	return nil
}
