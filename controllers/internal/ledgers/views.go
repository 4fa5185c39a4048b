package ledgers

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/metrics"
)

const (
	// figuresEvery is how often the figures in a status may move without anything else having happened.
	figuresEvery = 30 * time.Second
	// patience is how long a ledger may be silent before its channels' statuses say so, which is one
	// write for each channel: a ledger that is restarted is back sooner.
	patience = 30 * time.Second
)

// LedgerView is what a ledger's status shows.
type LedgerView struct {
	// Connected is whether the ledger answers; Problem is why it does not, a sentence without details of
	// the other side.
	Connected bool
	Problem   string
	// Revision is the policy that the ledger runs.
	Revision string
	// FiguresKnown says that Unanswered and Overdue can be relied on for every channel that runs.
	FiguresKnown        bool
	Unanswered, Overdue int64
	// StandsAt is the instant, in whole seconds, that the ledger has judged and its clock is far from having reached: time
	// stands still until it has. It is zero while time goes on.
	StandsAt time.Time
}

// ChannelView is what a channel's status shows.
type ChannelView struct {
	// LedgerSilent says that the ledger has not answered for a while, and then nothing else is known.
	LedgerSilent bool
	// Reported says that the worker reports; State, Reason and Message are what it says.
	Reported bool
	State    ledgerapi.SourceState
	Reason   ledgerapi.Reason
	Message  string
	// FiguresKnown says that the figures can be relied on.
	FiguresKnown        bool
	Unanswered, Overdue int64
	// OldestUnansweredAt and LastEventAt are zero where there is none.
	OldestUnansweredAt, LastEventAt time.Time
}

// PolicyView is how far the policy that an SLA, a calendar or a taxonomy is part of has got.
type PolicyView struct {
	// Revision of the policy that the ledger runs.
	Revision string
	// Rederiving says that the ledger has judged cases again under the policy, or is about to; Done and
	// ToGo count them.
	Rederiving bool
	Done, ToGo int64
}

// sameState compares what a status shows at once; the rest may wait.
func (v LedgerView) sameState(o LedgerView) bool {
	v.Unanswered, v.Overdue = o.Unanswered, o.Overdue
	return v == o
}

func (v ChannelView) sameState(o ChannelView) bool {
	v.Message, v.Unanswered, v.Overdue = o.Message, o.Unanswered, o.Overdue
	v.OldestUnansweredAt, v.LastEventAt = o.OldestUnansweredAt, o.LastEventAt
	return v == o
}

func (v PolicyView) sameState(o PolicyView) bool {
	return v.Revision == o.Revision && v.Rederiving == o.Rederiving && (v.ToGo == 0) == (o.ToGo == 0)
}

// published is a view as the statuses show it, and since when.
type published[V any] struct {
	view V
	at   time.Time
}

type view[V any] interface {
	comparable
	sameState(other V) bool
}

// publish replaces what is shown of each key by what is now, unless only figures have moved and that
// lately, and returns the keys whose reconcilers have to know.
func publish[V view[V]](shown map[types.NamespacedName]published[V], now map[types.NamespacedName]V, at time.Time) []types.NamespacedName {
	var changed []types.NamespacedName
	for key, current := range now {
		before, ok := shown[key]
		switch {
		case ok && before.view == current:
		case ok && before.view.sameState(current) && at.Sub(before.at) < figuresEvery:
		default:
			shown[key] = published[V]{view: current, at: at}
			changed = append(changed, key)
		}
	}
	for key := range shown {
		if _, ok := now[key]; !ok {
			delete(shown, key)
			changed = append(changed, key)
		}
	}
	return changed
}

// channelViews are the views of a ledger's channels at an instant.
func (l *ledger) channelViews(now time.Time) map[types.NamespacedName]ChannelView {
	if l.policy == nil {
		return nil
	}
	views := make(map[types.NamespacedName]ChannelView, len(l.policy.Channels))
	silent := l.summary == nil || now.Sub(l.answeredAt) > patience
	for name, channel := range l.policy.Channels {
		key := types.NamespacedName{Namespace: l.key.Namespace, Name: name}
		if silent {
			views[key] = ChannelView{LedgerSilent: true}
			continue
		}
		views[key] = channelView(l.summary.Channels[name], channel.Suspended, metrics.LedgerTime(l.summary, l.answeredAt, now))
	}
	return views
}

func channelView(c ledgerapi.ChannelSummary, suspended bool, at time.Time) ChannelView {
	view := ChannelView{Reported: metrics.Reported(c, at), FiguresKnown: metrics.FiguresKnown(c, suspended, at)}
	if view.Reported {
		view.State, view.Reason, view.Message = c.State, c.Reason, c.Message
	}
	if view.FiguresKnown {
		view.Unanswered, view.Overdue = c.Unanswered, c.Overdue
		view.OldestUnansweredAt, view.LastEventAt = instant(c.OldestUnansweredAt), instant(c.LastEventAt)
	}
	return view
}

// instant is comparable: without a monotonic reading, in one zone, in the seconds that a status has.
func instant(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Second)
}

// revision is that of the policy that the ledger runs; "" is not known.
func (l *ledger) revision() string {
	switch {
	case l.applied != nil:
		return l.applied.Revision
	case l.summary != nil:
		return l.summary.Policy.Revision
	}
	return ""
}

func (l *ledger) ledgerView(now time.Time) LedgerView {
	view := LedgerView{Connected: l.up(now), Problem: l.problem}
	if !view.Connected {
		return view
	}
	view.Problem = ""
	view.Revision = l.revision()
	if s := l.summary; s.Watermark.Sub(s.At) > complaint.MaxClockDifference {
		view.StandsAt = instant(&s.Watermark)
	}
	view.FiguresKnown = true
	at := metrics.LedgerTime(l.summary, l.answeredAt, now)
	if l.policy == nil {
		view.FiguresKnown = false
		return view
	}
	for name, channel := range l.policy.Channels {
		c := l.summary.Channels[name]
		if !metrics.FiguresKnown(c, channel.Suspended, at) {
			view.FiguresKnown, view.Unanswered, view.Overdue = false, 0, 0
			return view
		}
		view.Unanswered += c.Unanswered
		view.Overdue += c.Overdue
	}
	return view
}

// policyViews are the views of what the policy names, by name: SLAs, calendars and taxonomies have the
// progress of the SLAs that they matter to.
func (l *ledger) policyViews() (slas, calendars, taxonomies map[types.NamespacedName]PolicyView) {
	slas, calendars, taxonomies = map[types.NamespacedName]PolicyView{}, map[types.NamespacedName]PolicyView{}, map[types.NamespacedName]PolicyView{}
	if l.policy == nil {
		return slas, calendars, taxonomies
	}
	var status ledgerapi.PolicyStatus
	if l.summary != nil {
		status = l.summary.Policy
	}
	status.Revision = l.revision()
	key := func(name string) types.NamespacedName {
		return types.NamespacedName{Namespace: l.key.Namespace, Name: name}
	}
	for name := range l.policy.SLAs {
		slas[key(name)] = sum(status, map[string]bool{name: true})
	}
	users := l.policyUsers()
	for name := range l.policy.Calendars {
		calendars[key(name)] = sum(status, users.calendars[name])
	}
	for name := range l.policy.Taxonomies {
		taxonomies[key(name)] = sum(status, users.taxonomies[name])
	}
	return slas, calendars, taxonomies
}

// users are the SLAs whose cases a calendar or a taxonomy decides on.
type users struct{ calendars, taxonomies map[string]map[string]bool }

func (l *ledger) policyUsers() users {
	u := users{calendars: map[string]map[string]bool{}, taxonomies: map[string]map[string]bool{}}
	add := func(to map[string]map[string]bool, name, sla string) {
		if name == "" || sla == "" {
			return
		}
		if to[name] == nil {
			to[name] = map[string]bool{}
		}
		to[name][sla] = true
	}
	for _, channel := range l.policy.Channels {
		add(u.calendars, channel.Calendar, channel.SLA)
		add(u.taxonomies, channel.Taxonomy, channel.SLA)
	}
	for name, sla := range l.policy.SLAs {
		if sla.CalendarRef != nil {
			add(u.calendars, sla.CalendarRef.Name, name)
		}
	}
	return u
}

// sum adds up the progress of SLAs.
func sum(status ledgerapi.PolicyStatus, slas map[string]bool) PolicyView {
	view := PolicyView{Revision: status.Revision}
	for name := range slas {
		if progress, ok := status.Rederive[name]; ok {
			view.Rederiving = true
			view.Done += progress.Done
			view.ToGo += progress.ToGo
		}
	}
	return view
}
