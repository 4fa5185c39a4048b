package ledger

import (
	"bytes"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/mac"
)

const erasedPhone = "0812-7777-9001"

func (f *fixture) erase(t *testing.T, reporters ...ledgerapi.ErasureReporter) ledgerapi.ErasureStatus {
	t.Helper()
	status, err := f.ledger.Erase(t.Context(), ledgerapi.ErasureRequest{Reporters: reporters})
	if err != nil {
		t.Fatalf("Erasing: %v", err)
	}
	if err := f.ledger.Sweep(t.Context()); err != nil {
		t.Fatalf("Sweeping: %v", err)
	}
	if status, err = f.ledger.Erasure(t.Context(), status.ID); err != nil || !status.Done {
		t.Fatalf("The erasure is %+v, error %v; want it done", status, err)
	}
	return status
}

// by is an event with a text of its own by somebody with a phone.
func by(e complaint.Event, phone, word string) complaint.Event {
	e.Text, e.Reporter = "banjir "+word, &complaint.Reporter{Phone: phone, Handle: "@" + word}
	return e
}

// pseudonymsOf are the pseudonyms of an identity, as they would stand in a file.
func (f *fixture) pseudonymsOf(identity string) (words []string) {
	current, earlier := f.names.of(identity)
	for _, p := range append(earlier, current) {
		words = append(words, string(p))
	}
	return words
}

func TestNothingOfAReporterIsLeftAfterAnErasure(t *testing.T) {
	f := testFixture(t)
	f.policy(keepsHandles())
	mine := by(private("9001", monday), erasedPhone, "RAHASIASATU")
	replied := answered("9001", monday)
	replied.Text = "Kepada RAHASIANAMAWARGA"
	f.append("dsw", mine, replied)
	spilled := by(received("S1", monday), "+62 812 7777 9001", "RAHASIADUA")
	f.append("wa", spilled)
	// Somebody else's case, in which the reporter had a word; and somebody else altogether.
	f.append("sigap", by(received("O1", monday), "0813-1111-1111", "ORANGLAIN"))
	word := event("O1", "word", complaint.KindCitizenMessage, complaint.ActorCitizen, monday)
	f.append("sigap", by(word, erasedPhone, "RAHASIATIGA"))
	f.through("dsw", f.clock.now())
	f.pass(time.Hour)
	before := f.summary()
	secret := append(f.pseudonymsOf("phone:6281277779001"), "RAHASIA", "0812-7777-9001", "812 7777 9001")
	if found := f.stored(secret...); len(found) < 4 {
		t.Fatalf("Only %v is stored; the test shows nothing", found)
	}

	status := f.erase(t, ledgerapi.ErasureReporter{Phone: "62812 7777 9001"})
	if status.Cases != 3 || status.Events != 4 {
		t.Errorf("The erasure is %+v; want 4 events of 3 cases", status)
	}
	if found := f.stored(secret...); len(found) > 0 {
		t.Errorf("Left is %q", found)
	}
	if found := f.stored("ORANGLAIN", "0813-1111-1111"); len(found) < 2 {
		t.Errorf("Of somebody else only %v is left", found)
	}
	if diff := cmp.Diff(counters(before), counters(f.summary())); diff != "" {
		t.Errorf("The erasure changed figures (-before +after):\n%s", diff)
	}
	f.verify()

	// What comes late from before it is not kept either, in known cases and new ones; what is new is.
	late := []complaint.Event{
		by(event("9001", "late", complaint.KindCitizenMessage, complaint.ActorCitizen, monday.Add(time.Minute)), erasedPhone, "RAHASIATERLAMBAT"),
		by(received("9002", monday.Add(time.Minute)), erasedPhone, "RAHASIATERLAMBAT"),
	}
	reply := answered("9001", monday.Add(2*time.Minute))
	reply.Text = "Untuk RAHASIANAMAWARGA"
	f.clock.move(time.Minute)
	f.append("dsw", append(late, reply, by(received("9003", f.clock.now()), erasedPhone, "KELUHANBARU"))...)
	if found := f.stored("RAHASIA"); len(found) > 0 {
		t.Errorf("Of what came late is left %q", found)
	}
	if found := f.stored("KELUHANBARU"); len(found) == 0 {
		t.Error("A complaint from after the erasure was erased")
	}
	for _, s := range f.summary().Series {
		if s.Channel == "dsw" && s.Category != "flood" {
			t.Errorf("A series is %+v; want what came late counted by what it said", s)
		}
	}
	if n := len(f.summary().Spillover); n != len(before.Spillover) {
		t.Errorf("There are %d spill-overs after, %d before", n, len(before.Spillover))
	}
	f.verify()

	// Once more, after a restart: the same erasure, up to now.
	f.restart()
	f.clock.move(time.Minute)
	again := f.erase(t, ledgerapi.ErasureReporter{Phone: erasedPhone})
	if again.ID != status.ID || !again.At.After(status.At) {
		t.Errorf("Erasing again gives %+v after %+v; want the same one, up to now", again, status)
	}
	if found := f.stored(append(secret, "KELUHANBARU")...); len(found) > 0 {
		t.Errorf("After erasing again, left is %q", found)
	}
	third := f.erase(t, ledgerapi.ErasureReporter{Phone: erasedPhone})
	if third.Cases != again.Cases || third.Events != again.Events {
		t.Errorf("Erasing what is erased gives %+v after %+v", third, again)
	}
	f.verify()
}

// Of an event with a phone and an address, only the phone has a pseudonym; and a person may have written
// under a key that is no longer the first.
func TestEveryIdentityAndEveryKeyIsLookedFor(t *testing.T) {
	f := testFixture(t)
	f.policy(keepsHandles())
	both := by(received("E1", monday), "0812-5555-555", "RAHASIASATU")
	both.Reporter.Email = "Warga@Example.org"
	f.append("dsw", both)
	handled := received("E2", monday)
	handled.Text, handled.Reporter = "RAHASIADUA", &complaint.Reporter{Handle: "2244994945"}
	f.append("wa", handled)
	elsewhere := handled
	elsewhere.CaseID, elsewhere.ID, elsewhere.Text = "E3", "E3", "ORANGLAIN"
	f.append("sigap", elsewhere)
	f.names = &Pseudonyms{keys: []*mac.Key{pseudonymKey("a new key of the city"), f.names.keys[0]}}
	f.restart()
	f.erase(t, ledgerapi.ErasureReporter{Email: "warga@example.ORG"}, ledgerapi.ErasureReporter{Channel: "wa", Handle: "2244994945"})
	if found := f.stored("RAHASIASATU", "RAHASIADUA", "Warga@", "0812-5555-555"); len(found) > 0 {
		t.Errorf("Left is %q", found)
	}
	if found := f.stored("ORANGLAIN"); len(found) == 0 {
		t.Error("The same handle on another channel was taken for the same person")
	}
	f.verify()

	// And what was erased under one key is recognised under the next.
	f.names = &Pseudonyms{keys: append([]*mac.Key{pseudonymKey("yet another key of it")}, f.names.keys...)}
	f.restart()
	late := handled
	late.CaseID, late.ID, late.Text = "E4", "E4", "RAHASIATERLAMBAT"
	f.append("wa", late)
	if found := f.stored("RAHASIATERLAMBAT"); len(found) > 0 {
		t.Errorf("After a rotation: %q", found)
	}
	f.verify()
}

// Somebody was erased by a phone number and, another time, by an address. Both together are later erased until then, too.
func TestWhoWasErasedByOneIdentityAndThenByAnotherIsErasedByBoth(t *testing.T) {
	f := testFixture(t)
	phone, address := ledgerapi.ErasureReporter{Phone: erasedPhone}, ledgerapi.ErasureReporter{Email: "warga@example.org"}
	f.erase(t, phone)
	f.clock.move(time.Minute)
	f.erase(t, address)
	f.clock.move(time.Minute)
	f.append("dsw", by(received("F1", f.clock.now()), erasedPhone, "RAHASIASATU"))
	mail := received("F2", f.clock.now())
	mail.Text, mail.Reporter = "RAHASIADUA", &complaint.Reporter{Email: address.Email}
	f.append("wa", mail)
	f.clock.move(time.Minute)
	f.erase(t, phone, address)
	if found := f.stored("RAHASIASATU", "RAHASIADUA"); len(found) > 0 {
		t.Errorf("Left is %q", found)
	}
	f.append("dsw", by(received("F3", monday.Add(2*time.Minute)), erasedPhone, "RAHASIATERLAMBAT"))
	if found := f.stored("RAHASIATERLAMBAT"); len(found) > 0 {
		t.Errorf("Of what came late is left %q", found)
	}
	f.verify()
}

// Both identities are one reporter's, also of what was stored by a new key since, by which an erasure of one names nothing of the other.
func TestWhoWasErasedByTwoIdentitiesIsErasedByBothAfterANewKey(t *testing.T) {
	f := testFixture(t)
	phone, address := ledgerapi.ErasureReporter{Phone: erasedPhone}, ledgerapi.ErasureReporter{Email: "warga@example.org"}
	f.erase(t, phone, address)
	f.names = &Pseudonyms{keys: append([]*mac.Key{pseudonymKey("a new key of the city")}, f.names.keys...)}
	f.restart()
	f.clock.move(time.Minute)
	f.append("dsw", by(received("K1", f.clock.now()), erasedPhone, "RAHASIASATU"), by(received("K2", f.clock.now()), "0813-1111-1111", "ORANGLAIN"))
	if found := f.stored("RAHASIASATU"); len(found) == 0 {
		t.Error("A complaint from after the erasure was erased")
	}
	f.clock.move(time.Minute)
	f.erase(t, address)
	if found := f.stored("RAHASIASATU"); len(found) > 0 {
		t.Errorf("Left is %q", found)
	}
	if found := f.stored("ORANGLAIN"); len(found) == 0 {
		t.Error("What somebody else said was erased")
	}
	f.verify()
}

func TestAReplyOnItsWayEndsWithTheErasure(t *testing.T) {
	f := testFixture(t)
	d := samplePolicy()
	dsw := d.Channels["dsw"]
	dsw.Replies = true
	d.Channels["dsw"] = dsw
	f.policy(d)
	f.append("dsw", by(received("R1", monday), erasedPhone, "x"), by(received("R2", monday), "0813-1111-1111", "y"))
	for _, id := range []string{"R1", "R2"} {
		if _, err := f.ledger.Reply(t.Context(), "dsw", ledgerapi.ReplyRequest{ID: id, Case: id, Text: "Kepada RAHASIA" + id}); err != nil {
			t.Fatal(err)
		}
	}
	f.erase(t, ledgerapi.ErasureReporter{Phone: erasedPhone})
	if found := f.stored("RAHASIAR1"); len(found) > 0 {
		t.Errorf("Left is %q", found)
	}
	if found := f.stored("RAHASIAR2"); len(found) == 0 {
		t.Error("The reply to somebody else is gone")
	}
	if status, err := f.ledger.ReplyStatus(t.Context(), "dsw", "R1"); err != nil || status.State != ledgerapi.ReplyFailed {
		t.Errorf("The reply is %+v, error %v; want it to have failed", status, err)
	}
}

func TestAnErasureIsToldWithoutWhoItIs(t *testing.T) {
	f := testFixture(t)
	var log bytes.Buffer
	f.ledger.log = slog.New(slog.NewTextHandler(&log, nil))
	f.append("dsw", by(received("A1", monday), erasedPhone, "RAHASIA"))
	status := f.erase(t, ledgerapi.ErasureReporter{Phone: erasedPhone})
	if !strings.Contains(log.String(), "Erased a reporter") || !strings.Contains(log.String(), status.ID) || !strings.Contains(log.String(), "cases=1") {
		t.Errorf("The log says %q; want what was erased, and how much", log.String())
	}
	for name, in := range map[string]ledgerapi.ErasureReporter{
		"exactly one of":           {Phone: "0812-RAHASIA", Email: "RAHASIA@x"},
		"a handle needs":           {Handle: "RAHASIA"},
		"only a handle":            {Phone: "0812345678", Channel: "RAHASIA"},
		"at least six digits":      {Phone: "08RAHASIA"},
		"must have exactly one of": {},
	} {
		_, err := f.ledger.Erase(t.Context(), ledgerapi.ErasureRequest{Reporters: []ledgerapi.ErasureReporter{in}})
		if err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "RAHASIA") {
			t.Errorf("The error is %v; want %q and nobody's name", err, name)
		}
	}
	for _, word := range []string{"RAHASIA", "7777", "0812", "62812"} {
		if strings.Contains(log.String(), word) {
			t.Errorf("%q is in the log: %s", word, log.String())
		}
	}
}

// TestAReplyThatIsBeingSentWhileItsReporterIsErasedStillAnswers has a worker send a reply although it was erased here.
func TestAReplyThatIsBeingSentWhileItsReporterIsErasedStillAnswers(t *testing.T) {
	f := replying(t)
	f.take("r1", false)
	f.outbox()
	f.take("waits", false)
	_, err := f.ledger.Erase(t.Context(), ledgerapi.ErasureRequest{Reporters: []ledgerapi.ErasureReporter{{Phone: "+6281277770001"}}})
	if err != nil {
		t.Fatalf("Erasing: %v", err)
	}
	f.wantReply("r1", ledgerapi.ReplyUnconfirmed)
	f.wantReply("waits", ledgerapi.ReplyFailed)
	for _, id := range []string{"r1", "waits"} {
		f.done(id, ledgerapi.ReplyResult{State: ledgerapi.ReplySent, Event: "platform/" + id, At: f.clock.now()})
	}
	f.wantReply("r1", ledgerapi.ReplySent)
	f.wantReply("waits", ledgerapi.ReplyFailed)
	f.wantClock("Once it was sent", "dsw", "FirstAnswer", ledgerapi.ClockSeries{Met: 1})
	f.verify()
}

// TestACaseThatWasErasedIsHeardAgainInOneReading has one with many events go on. To find out its rule takes all of
// them, and not once for each: whoever filled a case, and was erased, could hold up everybody's deliveries.
func TestACaseThatWasErasedIsHeardAgainInOneReading(t *testing.T) {
	f := testFixture(t)
	f.policy(samplePolicy())
	mine := []complaint.Event{by(private("9001", monday), erasedPhone, "satu")}
	for i := range 900 {
		word := event("9001", fmt.Sprint("word/", i), complaint.KindCitizenMessage, complaint.ActorCitizen, monday)
		mine = append(mine, by(word, erasedPhone, "lagi"))
	}
	f.append("dsw", mine...)
	f.erase(t, ledgerapi.ErasureReporter{Phone: erasedPhone})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f.append("dsw", answered("9001", monday.Add(time.Minute)))
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / uint64(len(mine)); each > 20<<10 {
		t.Errorf("Hearing an answer took %d bytes for each event of the case", each)
	}
}
