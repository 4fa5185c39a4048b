package ledger

import (
	"bytes"
	"context"
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
	"github.com/tanggap/tanggap/internal/mac"
	"github.com/tanggap/tanggap/internal/policy"
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
	m := &machine{fixture: f, root: f.dir, modelState: newModelState(), heard: map[string]bool{}, followers: make([]ledgerapi.View, 3)}
	defer m.close()
	m.usePolicy(rt)
	for range rapid.IntRange(1, 25).Draw(rt, "steps") {
		m.choose(rt)
		clear(m.heard)
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
	modelState
	serial int
	// root is where backups are: backup is the last, backedUp what the model knew then, and restored how often one was.
	root     string
	backup   string
	backedUp modelState
	restored int
	// elsewhere says that the backup is of another storage than the one that is in use.
	elsewhere bool
	// heard are the phones that the step has told of.
	heard map[string]bool
	// followers are operators, each with what it has of the summary.
	followers []ledgerapi.View
}

func (m *machine) step(rt *rapid.T) {
	steps := []string{"append", "append", "append", "append", "time", "time", "observe", "report", "policy", "restart", "expire", "move", "erase", "rotate", "rotate",
		"replies", "replies", "replies", "back up", "restore"}
	if len(m.replicas) > 1 {
		steps = append(steps, "kill")
	}
	if m.connect != nil {
		steps = slices.DeleteFunc(steps, func(s string) bool { return s == "move" || s == "back up" }) // which are of files
	}
	switch rapid.SampledFrom(steps).Draw(rt, "step") {
	case "append":
		m.appendSome(rt)
	case "time":
		minutes := rapid.SampledFrom([]int{0, 1, 5, 10, 30, 60, 300, 1500, 3000, 45000}).Draw(rt, "minutes")
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
		m.usePolicy(rt)
	case "expire":
		m.clock.move(time.Duration(rapid.SampledFrom([]int{0, 6, 300}).Draw(rt, "hours"))*time.Hour + time.Microsecond)
		m.taking(rt, m.expire)
		m.tidyReplies()
		m.forget(rt)
	case "restart":
		m.restart()
	case "back up":
		m.backUpStopped(rt)
	case "restore":
		m.restore(rt)
	case "rotate":
		m.rotate()
	case "move":
		m.move()
		m.elsewhere = true
	case "erase":
		m.eraseSomebody(rt)
	case "replies":
		for range rapid.IntRange(1, 6).Draw(rt, "steps") {
			m.choose(rt)
			rapid.SampledFrom([]func(*rapid.T){
				m.askForReply, m.askForReply, m.fetchReplies, m.finishReply, m.finishReply, m.returnReplies, m.changePolicy,
			}).Draw(rt, "step of replies")(rt)
		}
	case "kill":
		n := rapid.IntRange(0, len(m.replicas)-1).Draw(rt, "killed")
		m.kill(n)
		m.ask(n)
	}
}

// channel is one that is read.
func (m *machine) channel(rt *rapid.T) string {
	read := slices.DeleteFunc(m.rules.Channels(), func(name string) bool { return !m.isRead(name) })
	return rapid.SampledFrom(read).Draw(rt, "channel")
}

// isRead reports whether there is a channel that is not suspended.
func (m *machine) isRead(channel string) bool {
	rules := m.rules.Channel(channel)
	return rules != nil && !rules.Channel.Suspended
}

func (m *machine) throughAt(channel string, at time.Time) {
	if now := m.clock.now(); at.After(now) {
		at = now
	}
	if at.After(m.readThrough[channel]) {
		m.readThrough[channel] = at
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
	suspended := samplePolicy()
	dsw = suspended.Channels["dsw"]
	dsw.Suspended = true
	suspended.Channels["dsw"] = dsw
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
	places := byPlace()
	words := places.Taxonomies["words"]
	words.Categories = append(words.Categories, taxonomy.Category{Name: "lake", Department: "dlhk", Match: `complaint.attributes.?place.orValue("") == "Cinere"`})
	places.Taxonomies["words"] = words
	forgetsPlaces := byPlace()
	forgetsPlaces.Retention = forgets.Retention
	documents := []policy.Document{
		samplePolicy(), shorter(), without, renamed, promisesNothing, otherWords, forgets, places, places, forgetsPlaces, forgetsPlaces, suspended,
	}
	for i, d := range documents {
		for name, c := range d.Channels {
			c.Replies = name == "dsw" || name == "wa" && i != 1 // which takes back that replies are allowed
			d.Channels[name] = c
		}
	}
	return documents
}

// changePolicy changes the policy once all that was said before is judged.
func (m *machine) changePolicy(rt *rapid.T) {
	m.advance()
	m.judgeAfter(rt)
	m.usePolicy(rt)
	m.advance()
	m.judgeAfter(rt)
}

// usePolicy changes the policy.
func (m *machine) usePolicy(rt *rapid.T) {
	d := rapid.SampledFrom(policies()).Draw(rt, "policy")
	compiled, err := policy.Compile(d)
	if err != nil {
		rt.Fatalf("Compiling: %v", err)
	}
	m.rules = compiled
	for _, name := range compiled.Channels() {
		m.last[name] = compiled.Channel(name)
	}
	m.policy(d)
}

// eraseSomebody erases one of the reporters there are, or who is both of them.
func (m *machine) eraseSomebody(rt *rapid.T) {
	var request ledgerapi.ErasureRequest
	for _, phone := range rapid.SliceOfNDistinct(rapid.SampledFrom(phones()), 1, 2, rapid.ID).Draw(rt, "erased") {
		request.Reporters = append(request.Reporters, ledgerapi.ErasureReporter{Phone: phone})
	}
	m.clock.move(time.Microsecond) // so that what changes is told from what does not
	named := map[string]time.Time{}
	m.together = m.together || len(request.Reporters) > 1
	for _, phone := range phones() {
		if m.together || phone == request.Reporters[0].Phone {
			named[phone] = m.clock.now()
		}
	}
	maps.Copy(m.erased, named)
	begun, _ := m.repliesTo(named)
	_, traces := m.repliesTo(m.erased)
	m.taking(rt, func() {
		if status, err := m.ledger.Erase(context.Background(), request); err != nil || status.MissingKeys > 0 {
			rt.Fatalf("Erasing gives %+v, error %v; want no key missing", status, err)
		}
		if err := m.ledger.Sweep(context.Background()); err != nil {
			rt.Fatalf("Sweeping: %v", err)
		}
	})
	m.eraseReplies(rt, begun, traces)
}

// taking takes content, once all that was said by now is judged. It is to change no figure but those of replies, and no
// case that is judged anew.
func (m *machine) taking(rt *rapid.T, take func()) {
	figures := func() map[string]values {
		m.ledger.mu.RLock()
		defer m.ledger.mu.RUnlock()
		shown := m.shown(m.ledger.figures.tally())
		maps.DeleteFunc(shown, func(key string, _ values) bool { return strings.HasPrefix(key, string(familyReply)) })
		return shown
	}
	m.advance()
	m.judgeAll()
	before := figures()
	take()
	m.advance()
	if diff := cmp.Diff(before, figures()); diff != "" {
		rt.Errorf("At %v content was taken, and with it (-before +after):\n%s", m.clock.now(), diff)
	}
	m.verify()
}

// rotate restarts the ledger with a new key of the pseudonyms before the one so far.
func (m *machine) rotate() {
	key := pseudonymKey(fmt.Sprintf("key %016d", len(m.names.keys)))
	m.names = &Pseudonyms{keys: append([]*mac.Key{key}, m.names.keys...)}
	m.restart()
}

// namesOf are the pseudonyms of who has a phone, by every key.
func (m *machine) namesOf(phone string) [][]byte {
	name, earlier := m.names.of((&complaint.Reporter{Phone: phone}).Identity(""))
	return append(earlier, name)
}

// is reports whether a pseudonym is of who has a phone.
func (m *machine) is(phone string, pseudonym []byte) bool {
	return slices.ContainsFunc(m.namesOf(phone), func(name []byte) bool { return bytes.Equal(name, pseudonym) })
}

func phones() []string { return []string{"0812345678", "0812345679"} }
