package ledger

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/internal/policy"
)

const day = 24 * time.Hour

func (f *fixture) expire() {
	f.t.Helper()
	if err := f.ledger.Expire(context.Background()); err != nil {
		f.t.Fatalf("Expiring: %v", err)
	}
}

// counters are what a summary says without what only the time of asking changes.
func counters(s *ledgerapi.Summary) any {
	return []any{s.Series, s.Clocks, s.Spillover, s.Histogram}
}

// keepsHandles is a policy by which texts go ten days after a case is closed, handles twenty, and a case
// counts as closed after thirty days of silence.
func keepsHandles() policy.Document {
	d := samplePolicy()
	d.Retention = policy.Retention{Content: "240h", Handles: "480h", Idle: "720h", StoreHandles: true}
	return d
}

// Nobody closes a conversation on WhatsApp. Its words go all the same, and nothing else with them: who
// waits still waits, and what is overdue stays overdue.
func TestRetentionReachesConversationsThatNobodyCloses(t *testing.T) {
	f := testFixture(t)
	f.policy(keepsHandles())
	f.append("wa", private("7001", monday), answered("7001", monday))                                    // answered, and silent since
	f.append("wa", private("7002", monday), answered("7002", monday))                                    // the citizen has the last word
	f.append("wa", private("7003", monday))                                                              // never answered
	f.append("wa", event("7004", "7004/hello", complaint.KindAnswered, complaint.ActorOfficial, monday)) // never a complaint
	f.clock.move(time.Hour)
	word := event("7002", "7002/word", complaint.KindCitizenMessage, complaint.ActorCitizen, monday.Add(time.Hour))
	word.Text = "terima kasih RAHASIATEKS 7002"
	f.append("wa", word)
	f.through("wa", f.clock.now())
	f.pass(40*day - time.Hour - time.Microsecond)
	f.through("wa", f.clock.now())
	f.advance()
	f.expire()
	before := f.summary()
	if found := f.stored("RAHASIATEKS 7001", "RAHASIATEKS 7003"); len(found) < 2 {
		t.Errorf("Before their time only %v is left", found)
	}
	f.pass(time.Microsecond)
	f.expire()
	if found := f.stored("RAHASIATEKS 7001", "RAHASIATEKS 7003", "RAHASIAALAMAT 7001"); len(found) > 0 {
		t.Errorf("After thirty days of silence and ten of retention: found %v", found)
	}
	if found := f.stored("RAHASIATEKS 7002"); len(found) == 0 {
		t.Error("The word that was said last went with those before it")
	}
	f.pass(time.Hour)
	f.expire()
	if found := f.stored("RAHASIATEKS"); len(found) > 0 {
		t.Errorf("An hour later: found %v", found)
	}
	if found := f.stored("RAHASIANAMA7001"); len(found) == 0 {
		t.Error("The handle went with the content")
	}
	f.pass(10 * day)
	f.expire()
	if found := f.stored("RAHASIANAMA", "0812-7777"); len(found) > 0 {
		t.Errorf("After the retention of handles: found %v", found)
	}
	if diff := cmp.Diff(counters(before), counters(f.summary())); diff != "" {
		t.Errorf("Retention changed figures (-before +after):\n%s", diff)
	}
	if c := f.summary().Channels["wa"]; c.Unanswered != 1 || c.Overdue == 0 {
		t.Errorf("%d are unanswered and %d overdue; want 1 and some, as before", c.Unanswered, c.Overdue)
	}
	f.verify()

	// The conversation goes on: what is new is kept for its own time.
	again := event("7001", "7001/again", complaint.KindCitizenMessage, complaint.ActorCitizen, f.clock.now())
	again.Text = "KATABARU"
	f.append("wa", again)
	f.expire()
	if found := f.stored("KATABARU"); len(found) == 0 {
		t.Error("A new word in an old conversation went at once")
	}
	f.pass(40 * day)
	f.expire()
	if found := f.stored("KATABARU"); len(found) > 0 {
		t.Errorf("After its own time: found %v", found)
	}
	f.verify()
}

// A shorter silence is asked for: what has been silent for longer already goes, on channels that are gone too.
func TestAShorterSilenceReachesWhatThereIs(t *testing.T) {
	f := testFixture(t)
	for _, channel := range []string{"wa", "sigap"} {
		f.append(channel, private("71"+channel, monday))
	}
	f.pass(100 * day)
	f.expire()
	if found := f.stored("RAHASIATEKS 71wa", "RAHASIATEKS 71sigap"); len(found) < 2 {
		t.Errorf("Without retention only %v is left", found)
	}
	d := keepsHandles()
	delete(d.Channels, "sigap")
	f.policy(d)
	f.advance()
	f.expire()
	if found := f.stored("RAHASIATEKS 71wa", "RAHASIATEKS 71sigap"); len(found) > 0 {
		t.Errorf("By the new policy: found %v", found)
	}
	f.verify()
}

func TestHandlesGoWhenTheLedgerNoLongerStoresThem(t *testing.T) {
	f := testFixture(t)
	f.policy(keepsHandles())
	f.append("dsw", private("7201", monday), private("7202", monday))
	f.append("dsw", status("7202", complaint.StatusResolved, monday))
	f.append("sigap", private("7203", monday))
	if found := f.stored("RAHASIANAMA7201", "RAHASIANAMA7202", "RAHASIANAMA7203"); len(found) < 3 {
		t.Errorf("Only %v is stored although the policy says so", found)
	}
	d := keepsHandles()
	d.Retention.StoreHandles = false
	delete(d.Channels, "sigap")
	f.policy(d)
	f.advance()
	f.expire()
	if found := f.stored("RAHASIANAMA", "0812-7777"); len(found) > 0 {
		t.Errorf("Found %v", found)
	}
	if found := f.stored("RAHASIATEKS 7201"); len(found) == 0 {
		t.Error("The text went with the handle")
	}
	f.verify()
}

// Intake has its turn between the steps: none holds more cases than a step may.
func TestRetentionGoesInSmallSteps(t *testing.T) {
	f := testFixture(t)
	f.policy(keepsHandles())
	const cases = 3*maintenanceCases + 1
	for i := 0; i < cases; i += 300 {
		var batch []complaint.Event
		for n := i; n < min(i+300, cases); n++ {
			batch = append(batch, private(fmt.Sprintf("73%03d", n), monday))
		}
		f.append("wa", batch...)
	}
	f.pass(41 * day)
	before := f.ledger.Stats().Commits
	f.expire()
	if steps := f.ledger.Stats().Commits - before; steps < 4 {
		t.Errorf("%d cases went in %d transactions; want steps of at most %d", cases, steps, maintenanceCases)
	}
	if found := f.stored("RAHASIATEKS 73", "RAHASIAALAMAT 73"); len(found) > 0 {
		t.Errorf("Found %v", found)
	}
}

// A backlog whose time has come at once, as after a shorter retention or the import of old years, delays no tick: what becomes
// due meanwhile is seen. What is left goes at the next ticks, and not a minute later each time.
func TestABacklogThatExpiresDelaysNoTick(t *testing.T) {
	f := testFixture(t)
	f.policy(keepsHandles())
	const cases = expireSteps*maintenanceCases + 1
	for i := 0; i < cases; i += 1000 {
		var batch []complaint.Event
		for n := i; n < min(i+1000, cases); n++ {
			batch = append(batch, private(fmt.Sprintf("75%04d", n), monday))
		}
		f.append("wa", batch...)
	}
	f.pass(41 * day)
	var expired time.Time
	f.ledger.maintain(t.Context(), &expired)
	if left := f.holding(t, store.ContentText); left != 1 {
		t.Errorf("After one tick %d cases have their texts; want 1", left)
	}
	f.ledger.maintain(t.Context(), &expired)
	if left := f.holding(t, store.ContentText); left != 0 {
		t.Errorf("After another %d cases have their texts", left)
	}
}

// holding is how many cases hold something.
func (f *fixture) holding(t *testing.T, content store.Content) (cases int) {
	t.Helper()
	err := f.store.View(t.Context(), func(r store.Reader) error {
		rows, _, err := r.Page(t.Context(), store.PageQuery{Limit: 10_000, Scan: 10_000})
		for i := range rows {
			if rows[i].Holds.Has(content) {
				cases++
			}
		}
		return err
	})
	if err != nil {
		t.Fatalf("Looking at the cases: %v", err)
	}
	return cases
}

// Whatever is asked, refused or fails: what somebody wrote, and who, is in the answers to nobody and in no log.
func TestNothingThatIsLoggedOrShownIsPersonal(t *testing.T) {
	f := testFixture(t)
	var log bytes.Buffer
	f.ledger.log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	f.policy(keepsHandles())
	f.append("wa", private("7401", monday), answered("7401", monday))
	bad := private("7402", monday)
	bad.Into = "RAHASIALAIN"
	out := f.append("wa", bad)
	bad.Kind = "RAHASIAJENIS"
	_, unknown := f.ledger.Append(t.Context(), "wa", ledgerapi.AppendRequest{Events: []complaint.Event{bad}})
	list, err := f.ledger.Cases(t.Context(), CaseQuery{})
	if err != nil {
		t.Fatal(err)
	}
	f.pass(41 * day)
	f.expire()
	if err := f.store.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = f.ledger.Append(t.Context(), "wa", ledgerapi.AppendRequest{Events: []complaint.Event{private("7403", monday)}})
	if err == nil || !strings.Contains(log.String(), "Could not store") {
		t.Fatalf("The storage was to fail and to be logged; error %v, log %s", err, log.String())
	}
	shown := fmt.Sprintf("%s %v %v %+v %+v %+v", log.String(), err, unknown, out, list, f.summary())
	for _, word := range []string{"RAHASIA", "7777", "0812", "62812"} {
		if strings.Contains(shown, word) {
			t.Errorf("%q is shown in %s", word, shown)
		}
	}
}
