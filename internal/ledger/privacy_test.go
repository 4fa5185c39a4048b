package ledger

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/policy"
	"github.com/tanggap/tanggap/internal/sla"
)

// private is a complaint whose every private part is a word of its own.
func private(caseID string, at time.Time) complaint.Event {
	e := received(caseID, at)
	e.Text = "Banjir RAHASIATEKS " + caseID
	e.Reporter = &complaint.Reporter{Phone: "0812-7777-" + caseID, Handle: "@RAHASIANAMA" + caseID}
	e.Location = &complaint.Location{Latitude: -6.4, Longitude: 106.8}
	e.Attributes = map[string]string{"address": "RAHASIAALAMAT " + caseID}
	return e
}

// stored reports which of the words stand anywhere in the ledger's files.
func (f *fixture) stored(words ...string) (found []string) {
	f.t.Helper()
	files, err := filepath.Glob(filepath.Join(f.dir, "*"))
	if err != nil {
		f.t.Fatalf("Listing the files: %v", err)
	}
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			f.t.Fatalf("Reading a file: %v", err)
		}
		for _, word := range words {
			if bytes.Contains(content, []byte(word)) {
				found = append(found, word+" in "+filepath.Base(name))
			}
		}
	}
	return found
}

func TestHandlesAreNeverStoredUnlessThePolicySaysSo(t *testing.T) {
	f := testFixture(t)
	f.append("dsw", private("1001", monday))
	if found := f.stored("7777-1001", "77771001", "RAHASIANAMA"); len(found) > 0 {
		t.Errorf("Found %v", found)
	}
	keeps := samplePolicy()
	keeps.Retention.StoreHandles = true
	f.policy(keeps)
	f.append("dsw", private("1002", monday))
	if found := f.stored("0812-7777-1002", "RAHASIANAMA1002"); len(found) == 0 {
		t.Error("The handles were not stored although the policy says so")
	}
}

func TestContentGoesAtTheEndOfItsRetention(t *testing.T) {
	f := testFixture(t)
	d := samplePolicy()
	d.Retention = policy.Retention{Content: "240h", Handles: "480h", StoreHandles: true}
	f.policy(d)
	const cases = 300 // more than one step
	var batch []complaint.Event
	for i := range cases {
		batch = append(batch, private(fmt.Sprintf("2%03d", i), monday))
	}
	f.append("dsw", batch...)
	thanks := answered("2000", monday)
	thanks.Text = "terima kasih RAHASIATEKS"
	f.append("dsw", thanks)
	f.clock.move(time.Hour)
	for i := range cases - 1 { // the last one stays open
		f.append("dsw", status(fmt.Sprintf("2%03d", i), complaint.StatusResolved, monday.Add(time.Hour)))
	}
	f.advance()
	before := f.summary()
	expire := func() {
		t.Helper()
		if err := f.ledger.Expire(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	f.pass(240*time.Hour - time.Microsecond)
	expire()
	if found := f.stored("RAHASIATEKS 2000"); len(found) == 0 {
		t.Error("The text went before its time")
	}
	f.pass(time.Microsecond)
	expire()
	if found := f.stored("RAHASIATEKS 20", "RAHASIATEKS 21", "RAHASIAALAMAT 21", "kasih RAHASIATEKS"); len(found) > 0 {
		t.Errorf("After the retention of content: found %v", found)
	}
	if found := f.stored("RAHASIATEKS 2299"); len(found) == 0 {
		t.Error("The text of an open case went")
	}
	if found := f.stored("RAHASIANAMA2000"); len(found) == 0 {
		t.Error("The handle went with the content")
	}
	f.pass(240 * time.Hour)
	expire()
	if found := f.stored("RAHASIANAMA20", "0812-7777-20"); len(found) > 0 {
		t.Errorf("After the retention of handles: found %v", found)
	}
	f.verify()
	// The cases count as before, also when they are judged again.
	f.append("dsw", event("2000", "a late word", complaint.KindCitizenMessage, complaint.ActorCitizen, monday.Add(time.Minute)))
	after := f.summary()
	if before.Channels["dsw"].Answered != after.Channels["dsw"].Answered || len(after.Series) != len(before.Series) {
		t.Errorf("The figures changed with the content: %+v to %+v", before.Series, after.Series)
	}
	f.verify()
}

func TestRedactedTakesTheContentAtOnce(t *testing.T) {
	f := testFixture(t)
	d := samplePolicy()
	d.Retention.StoreHandles = true
	f.policy(d)
	f.append("dsw", private("3001", monday), private("3002", monday))
	redacted := event("3001", "redacted", complaint.KindRedacted, complaint.ActorCitizen, monday.Add(time.Minute))
	f.clock.move(time.Minute)
	f.append("dsw", redacted)
	secret := []string{"RAHASIATEKS 3001", "RAHASIANAMA3001", "RAHASIAALAMAT 3001", "7777-3001"}
	if found := f.stored(secret...); len(found) > 0 {
		t.Errorf("After the redaction: found %v", found)
	}
	// What comes late from before the redaction is not stored either; what comes after it is.
	late := event("3001", "late", complaint.KindCitizenMessage, complaint.ActorCitizen, monday.Add(time.Second))
	late.Text = "RAHASIATEKS 3001 lagi"
	f.clock.move(time.Minute)
	after := event("3001", "after", complaint.KindCitizenMessage, complaint.ActorCitizen, monday.Add(2*time.Minute))
	after.Text = "KATABARU"
	f.append("dsw", late, after)
	if found := f.stored(secret...); len(found) > 0 {
		t.Errorf("After a late event: found %v", found)
	}
	if found := f.stored("KATABARU"); len(found) == 0 {
		t.Error("A word after the redaction was not stored")
	}
	for _, s := range f.summary().Series {
		if s.Category != "flood" || s.Unanswered != 2 {
			t.Errorf("The series is %+v; want both cases to stay what their words said", s)
		}
	}
	f.verify()
}

func TestClearedWordsLeaveTheDimensionsToLaterAttributes(t *testing.T) {
	f := testFixture(t)
	f.append("dsw", private("4001", monday))
	f.append("dsw", event("4001", "redacted", complaint.KindRedacted, complaint.ActorCitizen, monday))
	assigned := event("4001", "assigned", complaint.KindAssigned, complaint.ActorOfficial, monday)
	assigned.Attributes = map[string]string{complaint.AttributeDepartment: "DLHK", complaint.AttributeCategory: "unknown to the taxonomy"}
	f.clock.move(time.Minute)
	assigned.OccurredAt = f.clock.now()
	f.append("dsw", assigned)
	want := complaint.Dimensions{Category: "flood", Department: "dlhk", Priority: "high"}
	for _, s := range f.summary().Series {
		if s.Unanswered == 1 && s.Dimensions != want {
			t.Errorf("The case counts as %+v; want %+v", s.Dimensions, want)
		}
	}
	f.verify()
}

func TestARecognisedAcknowledgementStaysOneWithoutItsText(t *testing.T) {
	f := testFixture(t)
	thanks := answered("5001", monday)
	thanks.Text = "terima kasih"
	f.append("dsw", private("5001", monday), thanks)
	f.append("dsw", private("5002", monday), answered("5002", monday))
	for _, id := range []string{"5001", "5002"} {
		f.append("dsw", event(id, id+"redacted", complaint.KindRedacted, complaint.ActorCitizen, monday))
	}
	if c := f.summary().Channels["dsw"]; c.Unanswered != 1 || c.Answered != 1 {
		t.Errorf("%d unanswered, %d answered; want one each", c.Unanswered, c.Answered)
	}
	f.wantClock("After the redaction", "dsw", "FirstAnswer", ledgerapi.ClockSeries{Met: 1})
	f.verify()
}

func TestNoErrorTellsWhatSomebodyWrote(t *testing.T) {
	f := testFixture(t)
	e := private("6001", monday)
	e.Into = "RAHASIALAIN"
	e.Location.Latitude = 200
	e.Attributes[strings.Repeat("RAHASIA", 100)] = "x"
	out := f.append("dsw", e)
	if len(out.Rejected) != 1 {
		t.Fatalf("The response is %+v; want a rejection", out)
	}
	if strings.Contains(out.Rejected[0].Message, "RAHASIA") || strings.Contains(out.Rejected[0].Message, "7777") {
		t.Errorf("The rejection tells content: %s", out.Rejected[0].Message)
	}
}

// byPlace promises more where the attributes of a complaint name a place.
func byPlace() policy.Document {
	d := samplePolicy()
	d.Retention.Content = "240h"
	city := d.SLAs["city"]
	city.Rules = append([]sla.Rule{{Name: "beji", Match: `complaint.attributes.place == "Beji"`, Clocks: []sla.Clock{
		{Name: "FirstAnswer", Measures: "FirstAnswer", Target: sla.Target{Within: "30m"}},
		{Name: "Visit", Measures: "FirstResolution", Target: sla.Target{Within: "1h"}},
	}}}, city.Rules...)
	d.SLAs["city"] = city
	return d
}

func at(place string, e complaint.Event) complaint.Event {
	e.Attributes = map[string]string{"place": place}
	return e
}

// What attributes had decided stays as what words had: a case keeps its rule, its clocks and its verdicts.
func TestARuleThatAttributesToldStaysWhenTheyGo(t *testing.T) {
	f := testFixture(t)
	f.policy(byPlace())
	f.append("dsw", at("Beji", received("closed", monday)), at("Beji", received("redacted", monday)), at("Beji", by(received("erased", monday), erasedPhone, "x")))
	f.clock.move(10 * time.Minute)
	f.append("dsw", status("closed", complaint.StatusResolved, f.clock.now()),
		event("redacted", "r", complaint.KindRedacted, complaint.ActorCitizen, f.clock.now()))
	f.erase(t, ledgerapi.ErasureReporter{Phone: erasedPhone})
	f.verify()
	f.pass(time.Hour)
	f.through("dsw", f.clock.now())
	f.advance()
	f.wantClock("Past due by the rule of the place", "dsw", "Visit", ledgerapi.ClockSeries{Met: 1, Breached: 2, Overdue: 2})
	f.wantClock("By that of the flood", "dsw", "Done", ledgerapi.ClockSeries{})
	if corrections := f.summary().Channels["dsw"].Corrections; corrections != nil {
		t.Errorf("Corrections are %v; want none, as nothing happened", corrections)
	}
	f.verify()

	f.pass(241 * time.Hour)
	f.expire()
	f.verify()
	f.append("dsw", event("closed", "late", complaint.KindCitizenMessage, complaint.ActorCitizen, monday.Add(time.Minute)))
	f.wantClock("After a late word", "dsw", "Visit", ledgerapi.ClockSeries{Met: 1, Breached: 2, Overdue: 2})
	f.verify()

	// An attribute that comes later says otherwise.
	moved := at("Beji", event("erased", "moved", complaint.KindAssigned, complaint.ActorOfficial, f.clock.now()))
	moved.Attributes[complaint.AttributeCategory] = "Sampah"
	elsewhere := at("Cinere", event("redacted", "elsewhere", complaint.KindAssigned, complaint.ActorOfficial, f.clock.now()))
	elsewhere.Attributes[complaint.AttributeCategory] = "Sampah"
	f.append("dsw", moved, elsewhere)
	if got := f.figures("dsw", "Visit").Overdue; got != 1 {
		t.Errorf("By the rule of the place %d are overdue; want the one that is still there", got)
	}
	f.verify()
}
