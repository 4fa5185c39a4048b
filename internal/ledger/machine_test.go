package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/internal/policy"
	"github.com/tanggap/tanggap/internal/sla"
	"github.com/tanggap/tanggap/internal/taxonomy"
)

// TestEveryHistoryCountsLikeARecount runs random histories: events out of order and repeated, answers
// that come late, time, sources that are observed further, policies that change, channels that go and
// come back, and restarts. After every step the figures must be those of a model that judges every case
// anew, and remembers of each no more than what was counted.
func TestEveryHistoryCountsLikeARecount(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) { runMachine(rt, makeFixture(rt, t.TempDir(), 1)) })
}

// TestEveryHistoryOfReplicasCountsLikeARecount does so with several ledgers on one storage, of which any
// one does each step, one may be killed and another begin in its place, and commits may seem to fail that
// were done. Meanwhile operators follow the summary by changes, from whichever replica answers, and lose
// answers: what each has must be what a whole summary says.
func TestEveryHistoryOfReplicasCountsLikeARecount(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) { runMachine(rt, makeFixture(rt, t.TempDir(), 3)) })
}

func runMachine(rt *rapid.T, f *fixture) {
	f.open()
	m := &machine{
		fixture: f, ids: map[[2]string]bool{}, cases: map[complaint.CaseKey]*modelCase{},
		through: map[string]time.Time{}, counters: tally{}, erased: map[string]time.Time{}, followers: make([]ledgerapi.View, 3),
	}
	defer m.close()
	m.usePolicy(rt, 0)
	for range rapid.IntRange(1, 25).Draw(rt, "steps") {
		m.choose(rt)
		m.step(rt)
		m.choose(rt)
		m.advance()
		m.judgeAfter(rt)
		m.choose(rt)
		m.compare(rt)
		m.followSome(rt)
	}
	m.compareQueries(rt)
	m.verify()
}

// choose chooses the replica that does the next thing.
func (m *machine) choose(rt *rapid.T) {
	if len(m.replicas) > 1 {
		m.ask(rapid.IntRange(0, len(m.replicas)-1).Draw(rt, "replica"))
	}
}

type machine struct {
	*fixture
	ids      map[[2]string]bool
	cases    map[complaint.CaseKey]*modelCase
	through  map[string]time.Time
	counters tally
	rules    *policy.Policy
	serial   int
	stored   int
	// erased are the phones of who was erased, and until when.
	erased map[string]time.Time
	// followers are operators, each with what it has of the summary.
	followers []ledgerapi.View
}

// modelCase is what the model remembers of a case.
type modelCase struct {
	events []store.Event
	fresh  map[string]bool

	dims               complaint.Dimensions
	judged             bool
	digest, sla        string
	derived            sla.Case
	live               bool
	received, answered bool
	counted, last      map[string]verdict // by clock and cycle
	observed           map[string]bool
	from               string
}

func (m *machine) step(rt *rapid.T) {
	steps := []string{"append", "append", "append", "append", "time", "time", "observe", "report", "policy", "restart", "expire", "move", "erase"}
	if len(m.replicas) > 1 {
		steps = append(steps, "kill")
	}
	if m.connect != nil {
		steps = slices.DeleteFunc(steps, func(s string) bool { return s == "move" }) // which is to another file
	}
	switch rapid.SampledFrom(steps).Draw(rt, "step") {
	case "append":
		m.appendSome(rt)
	case "time":
		minutes := rapid.SampledFrom([]int{0, 1, 5, 10, 30, 60, 300, 1500, 3000}).Draw(rt, "minutes")
		m.clock.move(time.Duration(minutes)*time.Minute + time.Duration(rapid.IntRange(0, 30).Draw(rt, "seconds"))*time.Second)
	case "observe":
		channel := m.channel(rt)
		at := m.clock.now().Add(-time.Duration(rapid.IntRange(-10, 90).Draw(rt, "behind")) * time.Minute)
		m.throughAt(channel, at)
		m.fixture.through(channel, at)
	case "report":
		channel := m.channel(rt)
		at := m.clock.now().Add(-time.Duration(rapid.IntRange(0, 60).Draw(rt, "behind")) * time.Minute)
		m.throughAt(channel, at)
		err := m.ledger.Report(context.Background(), channel, ledgerapi.Report{
			Instance: "a", State: ledgerapi.SourceConnected, Reason: ledgerapi.ReasonConnected, ObservedThrough: &at,
		})
		if err != nil {
			rt.Fatalf("Reporting: %v", err)
		}
	case "policy":
		m.usePolicy(rt, rapid.IntRange(0, len(policies())-1).Draw(rt, "policy"))
	case "expire":
		m.expire()
		m.forget(rt)
	case "restart":
		m.restart()
	case "move":
		m.move()
	case "erase":
		m.eraseSomebody(rt)
	case "kill":
		n := rapid.IntRange(0, len(m.replicas)-1).Draw(rt, "killed")
		m.kill(n)
		m.ask(n)
	}
}

// followSome has operators ask the chosen replica for what has changed.
func (m *machine) followSome(rt *rapid.T) {
	whole := m.summary()
	if whole.Since != 0 {
		rt.Errorf("The whole summary is one of changes after %d", whole.Since)
	}
	for i := range m.followers {
		v := &m.followers[i]
		fate := rapid.SampledFrom([]string{"follows", "follows", "is silent", "loses the answer"}).Draw(rt, "operator")
		if fate == "is silent" {
			continue
		}
		answer, err := m.ledger.Summary(context.Background(), v.Position(), 0)
		if err != nil {
			rt.Fatalf("Following: %v", err)
		}
		if fate == "loses the answer" {
			continue
		}
		before := encoded(v.Summary())
		held := v.Summary()
		if err := v.Apply(transmitted(answer)); err != nil {
			rt.Fatalf("Following from %+v to %+v: %v", v.Position(), answer.Position, err)
		}
		if encoded(held) != before {
			rt.Errorf("A summary that was given out has changed")
		}
		if diff := cmp.Diff(shownOf(whole), shownOf(v.Latest())); diff != "" {
			rt.Errorf("What operator %d has after changes from %d (-whole +followed):\n%s", i, answer.Since, diff)
		}
	}
}

// transmitted is a summary as it arrives.
func transmitted(s *ledgerapi.Summary) *ledgerapi.Summary {
	arrived := new(ledgerapi.Summary)
	if err := json.Unmarshal([]byte(encoded(s)), arrived); err != nil {
		panic(err) // it is what was encoded
	}
	return arrived
}

func encoded(s *ledgerapi.Summary) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // a summary is plain data
	}
	return string(text)
}

// shownOf is what a summary shows, by its labels.
func shownOf(s *ledgerapi.Summary) map[string]string {
	shown := map[string]string{"position": fmt.Sprint(s.Position), "policy": fmt.Sprint(s.Policy), "watermark": s.Watermark.String()}
	add := func(what string, row any) {
		text, err := json.Marshal(row)
		if err != nil {
			panic(err) // as above
		}
		if _, twice := shown[what]; twice {
			text = append(text, " twice"...)
		}
		shown[what] = string(text)
	}
	for name, c := range s.Channels {
		add("channel "+name, c)
	}
	for _, r := range s.Series {
		add(fmt.Sprint("series ", r.Channel, r.Dimensions), r)
	}
	for _, r := range s.Clocks {
		add(fmt.Sprint("clock ", r.Channel, r.Dimensions, r.SLA, r.Clock), r)
	}
	for _, r := range s.Histogram {
		add(fmt.Sprint("histogram ", r.Channel, r.Priority, r.Clock, r.Working), r)
	}
	for _, r := range s.Spillover {
		add("spillover "+r.From+" "+r.To, r)
	}
	return shown
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
			for i := range c.events {
				at := slices.IndexFunc(events[0], func(e store.Event) bool { return e.ID == c.events[i].ID })
				change(&c.events[i], &events[0][at])
			}
		}
		return nil
	})
	if err != nil {
		rt.Fatalf("Reading events: %v", err)
	}
}

func (m *machine) channel(rt *rapid.T) string {
	return rapid.SampledFrom(m.rules.Channels()).Draw(rt, "channel")
}

func (m *machine) throughAt(channel string, at time.Time) {
	if now := m.clock.now(); at.After(now) {
		at = now
	}
	if at.After(m.through[channel]) {
		m.through[channel] = at
	}
}

// policies are what the policy changes between.
func policies() []policy.Document {
	without := samplePolicy()
	delete(without.Channels, "sigap")
	renamed := samplePolicy()
	renamed.SLAs["other"] = renamed.SLAs["city"]
	dsw := renamed.Channels["dsw"]
	dsw.SLA = "other"
	renamed.Channels["dsw"] = dsw
	promisesNothing := samplePolicy()
	wa := promisesNothing.Channels["wa"]
	wa.SLA, wa.Calendar = "", ""
	promisesNothing.Channels["wa"] = wa
	otherWords := shorter()
	otherWords.Taxonomies = map[string]taxonomy.Spec{"words": {
		Departments: samplePolicy().Taxonomies["words"].Departments,
		Categories:  []taxonomy.Category{{Name: "flood", Department: "dlhk", Keywords: []string{"genangan"}}},
	}}
	forgets := samplePolicy()
	forgets.Retention = policy.Retention{Content: "1h", Idle: "5h"}
	return []policy.Document{samplePolicy(), shorter(), without, renamed, promisesNothing, otherWords, forgets}
}

func (m *machine) usePolicy(rt *rapid.T, n int) {
	d := policies()[n]
	compiled, err := policy.Compile(d)
	if err != nil {
		rt.Fatalf("Compiling: %v", err)
	}
	m.rules = compiled
	m.policy(d)
}

// appendSome appends a few events, known ones among them, and puts them into the model.
func (m *machine) appendSome(rt *rapid.T) {
	channel := m.channel(rt)
	now := m.clock.now()
	var batch []complaint.Event
	for range rapid.IntRange(1, 6).Draw(rt, "events") {
		batch = append(batch, m.event(rt, now))
	}
	request := ledgerapi.AppendRequest{Events: batch}
	if rapid.Bool().Draw(rt, "observe") {
		at := now.Add(-time.Duration(rapid.IntRange(0, 40).Draw(rt, "behind")) * time.Minute)
		request.ObservedThrough = &at
		m.throughAt(channel, at)
	}
	lost := rapid.IntRange(0, 5).Draw(rt, "lost") == 0
	m.store.silent.Store(lost)
	out, err := m.ledger.Append(context.Background(), channel, request)
	m.store.silent.Store(false)
	if lost {
		if err == nil {
			rt.Errorf("An append whose commit was not confirmed was acknowledged")
		}
		// It was done all the same, which who sends it again is told, by whichever replica.
		m.choose(rt)
		if out, err = m.ledger.Append(context.Background(), channel, request); err == nil && out.Duplicate != len(batch) {
			rt.Errorf("Sent again, the response is %+v; want %d duplicates", out, len(batch))
		}
	}
	if err != nil {
		rt.Fatalf("Appending: %v", err)
	}
	accepted := 0
	for _, e := range batch {
		e.Channel = channel
		e = e.Normalize(now)
		if m.ids[[2]string{channel, e.ID}] {
			continue
		}
		accepted++
		m.ids[[2]string{channel, e.ID}] = true
		c := m.cases[e.Key()]
		if c == nil {
			c = &modelCase{counted: map[string]verdict{}, last: map[string]verdict{}, observed: map[string]bool{}}
			m.cases[e.Key()] = c
		}
		if c.fresh == nil {
			c.fresh = map[string]bool{}
		}
		c.fresh[e.ID] = true
		stored := store.Event{Event: e}
		if e.Reporter != nil {
			stored.Pseudonym, _ = m.names.of(e.Reporter.Identity(channel))
			stored.Reporter = nil
		}
		c.events = append(c.events, stored)
	}
	m.stored += accepted
	if lost && len(out.Rejected) == 0 {
		return
	}
	if out.Accepted != accepted || out.Duplicate != len(batch)-accepted || len(out.Rejected) > 0 {
		rt.Errorf("The response is %+v; want %d of %d accepted", out, accepted, len(batch))
	}
}

func (m *machine) event(rt *rapid.T, now time.Time) complaint.Event {
	m.serial++
	id := fmt.Sprint("E", m.serial)
	if m.serial > 1 && rapid.IntRange(0, 5).Draw(rt, "again") == 0 {
		id = fmt.Sprint("E", rapid.IntRange(1, m.serial-1).Draw(rt, "which"))
	}
	e := complaint.Event{
		CaseID: rapid.SampledFrom([]string{"A", "B", "C", "D"}).Draw(rt, "case"), ID: id,
		Kind: rapid.SampledFrom([]complaint.Kind{
			complaint.KindReceived, complaint.KindReceived, complaint.KindReceived, complaint.KindCitizenMessage, complaint.KindAnswered,
			complaint.KindAnswered, complaint.KindStatusChanged, complaint.KindStatusChanged, complaint.KindAcknowledged, complaint.KindAssigned,
			complaint.KindReplyNotNeeded, complaint.KindMerged, complaint.KindEdited, complaint.KindRedacted,
		}).Draw(rt, "kind"),
		Actor: complaint.ActorOfficial,
		// A microsecond of its own keeps two cases of one reporter from being equally old.
		OccurredAt: now.Add(-time.Duration(rapid.IntRange(-1, 200).Draw(rt, "ago"))*time.Minute + time.Duration(m.serial)*time.Microsecond),
	}
	switch e.Kind {
	case complaint.KindReceived, complaint.KindCitizenMessage:
		e.Actor = complaint.ActorCitizen
		e.Text = rapid.SampledFrom([]string{"", "banjir", "sampah", "genangan"}).Draw(rt, "text")
		if rapid.Bool().Draw(rt, "reporter") {
			e.Reporter = &complaint.Reporter{Phone: rapid.SampledFrom(phones()).Draw(rt, "phone")}
		}
	case complaint.KindAnswered:
		e.Actor = rapid.SampledFrom([]complaint.Actor{complaint.ActorOfficial, complaint.ActorBot}).Draw(rt, "actor")
		e.Text = rapid.SampledFrom([]string{"", "sudah", "terima kasih"}).Draw(rt, "text")
	case complaint.KindStatusChanged:
		e.To = rapid.SampledFrom(complaint.Statuses()).Draw(rt, "to")
	case complaint.KindMerged:
		e.Into = "original"
	case complaint.KindAssigned:
		e.Attributes = map[string]string{complaint.AttributeDepartment: "DLHK"}
	default: // has nothing of its own
	}
	return e
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
		name, _ := m.names.of((&complaint.Reporter{Phone: phone}).Identity(""))
		for k, c := range m.cases {
			for i := range c.events {
				if e := &c.events[i]; string(e.Pseudonym) == string(name) && !e.OccurredAt.After(until) {
					rt.Errorf("Of who was erased until %v the event %s of %v is left, of %v", until, e.ID, k, e.OccurredAt)
				}
			}
		}
	}
}

// eraseSomebody erases one of the reporters there are, or who is both of them.
func (m *machine) eraseSomebody(rt *rapid.T) {
	var request ledgerapi.ErasureRequest
	for _, phone := range rapid.SliceOfNDistinct(rapid.SampledFrom(phones()), 1, 2, rapid.ID).Draw(rt, "erased") {
		request.Reporters = append(request.Reporters, ledgerapi.ErasureReporter{Phone: phone})
		m.erased[phone] = m.clock.now()
	}
	if _, err := m.ledger.Erase(context.Background(), request); err != nil {
		rt.Fatalf("Erasing: %v", err)
	}
	if err := m.ledger.Sweep(context.Background()); err != nil {
		rt.Fatalf("Sweeping: %v", err)
	}
}

func phones() []string { return []string{"0812345678", "0812345679"} }

// judgeAll judges every case of the model anew.
func (m *machine) judgeAll() {
	var opened []complaint.CaseKey
	for _, k := range slices.SortedFunc(maps.Keys(m.cases), compareKeys) {
		c := m.cases[k]
		r := m.rules.Channel(k.Channel)
		if r == nil {
			continue
		}
		if before := c.received; m.judgeOne(k, c, r) && !before && c.received {
			opened = append(opened, k)
		}
		c.fresh = nil
	}
	for _, k := range opened {
		m.spill(k)
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
			if o.from == "" && o.judged && m.rules.Channel(other.Channel) != nil && m.spills(k, other) {
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
	(&caseState{}).redact(r, c.events)
	return true
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
	in := r.Input(facts, now, m.through[k.Channel])
	if cleared && c.judged {
		in.Subject.Dimensions = reclassify(r, in.Subject.Attributes, c.dims)
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
func (m *machine) spill(k complaint.CaseKey) {
	var best complaint.CaseKey
	for other, o := range m.cases {
		if !o.judged || m.rules.Channel(other.Channel) == nil || !m.spills(other, k) {
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

// spills reports whether a case was received while an older one of its reporter waited on another channel.
func (m *machine) spills(older, newer complaint.CaseKey) bool {
	o, n := m.cases[older], m.cases[newer]
	name, since, at := pseudonym(n.events), o.derived.Received, n.derived.Received
	if name == nil || !bytes.Equal(name, pseudonym(o.events)) || older.Channel == newer.Channel || since.IsZero() || at.IsZero() {
		return false
	}
	waited := o.derived.Unanswered || o.derived.AnsweredAt.After(at)
	return waited && since.Before(at) && !since.Before(at.Add(-72*time.Hour))
}

func (m *machine) spilled(older, newer complaint.CaseKey) {
	m.cases[newer].from = older.Channel
	m.counters.add(figureKey{familySpillover, [6]string{older.Channel, newer.Channel}}, spilloverCount, 1)
}

// want are the figures by the model, of the channels that there are.
func (m *machine) want() map[string]values {
	sum := tally{}
	for k, v := range m.counters {
		for column, n := range v {
			sum.add(k, column, n)
		}
	}
	for k, c := range m.cases {
		if !c.judged {
			continue
		}
		d := &c.derived
		open := !d.Received.IsZero() && !d.Closed
		flag := func(key figureKey, column int, is bool) {
			if is {
				sum.add(key, column, 1)
			}
		}
		series := seriesKey(k.Channel, &c.dims)
		flag(series, seriesUnanswered, d.Unanswered)
		flag(series, seriesAwaiting, d.AwaitingReply)
		overdue, soon, late := false, map[string]bool{}, map[string]bool{}
		for i := range d.Clocks {
			s := &d.Clocks[i]
			going := s.StoppedAt.IsZero()
			soon[s.Name] = soon[s.Name] || s.DueSoon
			late[s.Name] = late[s.Name] || s.State == sla.Breached && going
			overdue = overdue || s.State == sla.Breached && going
			flag(channelKey(familyChannel, k.Channel), channelBeyond, s.BeyondCoverage && going && s.State != sla.Pending)
		}
		for name := range soon {
			flag(clockKey(k.Channel, &c.dims, c.sla, name), clockDueSoon, soon[name])
			flag(clockKey(k.Channel, &c.dims, c.sla, name), clockOverdue, late[name])
		}
		flag(channelKey(familyChannel, k.Channel), channelOpen, open)
		flag(channelKey(familyChannel, k.Channel), channelOverdue, overdue)
	}
	return m.shown(sum)
}

// shown are figures by their encoded keys, without zeros, without those of channels that there are
// not, and without the counts of the intake, which are compared by themselves.
func (m *machine) shown(t tally) map[string]values {
	out := map[string]values{}
	for k, v := range t {
		if *v != (values{}) && m.rules.Channel(k.labels[0]) != nil && k.family != familyIngest {
			out[k.encode()] = *v
		}
	}
	return out
}

func (m *machine) compare(rt *rapid.T) {
	m.ledger.mu.RLock()
	figures := m.ledger.figures.tally()
	m.ledger.mu.RUnlock()
	got := m.shown(figures)
	var accepted int64
	for k, v := range figures {
		if k.family == familyIngest {
			accepted += v[ingestAccepted]
		}
	}
	if diff := cmp.Diff(m.want(), got); diff != "" {
		rt.Errorf("At %v the figures differ (-model +ledger):\n%s", m.clock.now(), diff)
	}
	if accepted != int64(m.stored) {
		rt.Errorf("%d events are counted; want %d", accepted, m.stored)
	}
	m.compareCases(rt)
}

// compareCases compares what is listed of every case, and the oldest unanswered of each channel.
func (m *machine) compareCases(rt *rapid.T) {
	want := map[complaint.CaseKey]ledgerapi.Case{}
	oldest := map[string]time.Time{}
	for k, c := range m.cases {
		if m.rules.Channel(k.Channel) == nil || !c.judged {
			continue
		}
		d := &c.derived
		shown := ledgerapi.Case{
			CaseKey: k, Dimensions: c.dims, ReceivedAt: optional(d.Received), AnsweredAt: optional(d.AnsweredAt),
			WaitingSince: optional(d.WaitingSince), Status: string(d.Status), Open: !d.Received.IsZero() && !d.Closed, Unanswered: d.Unanswered,
		}
		for i := range d.Clocks {
			s := &d.Clocks[i]
			overdue := s.State == sla.Breached && s.StoppedAt.IsZero()
			shown.Overdue = shown.Overdue || overdue
			if (overdue || s.State == sla.Running) && !s.DueAt.IsZero() && (shown.DueAt == nil || s.DueAt.Before(*shown.DueAt)) {
				shown.DueAt = &s.DueAt
			}
		}
		want[k] = shown
		if d.Unanswered {
			oldest[k.Channel] = earlier(oldest[k.Channel], d.WaitingSince)
		}
	}
	list, err := m.ledger.Cases(context.Background(), CaseQuery{Limit: MaxPage})
	if err != nil {
		rt.Fatalf("Listing: %v", err)
	}
	got := map[complaint.CaseKey]ledgerapi.Case{}
	for _, c := range list.Cases {
		if m.rules.Channel(c.Channel) != nil {
			got[c.CaseKey] = c
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		rt.Errorf("The cases differ (-model +ledger):\n%s", diff)
	}
	for name, c := range m.summary().Channels {
		if wantOldest := oldest[name]; c.OldestUnansweredAt == nil != wantOldest.IsZero() || c.OldestUnansweredAt != nil && !c.OldestUnansweredAt.Equal(wantOldest) {
			rt.Errorf("The oldest unanswered of %s is %v; want %v", name, c.OldestUnansweredAt, wantOldest)
		}
	}
}
