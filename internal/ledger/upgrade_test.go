package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

// newerPolicy is the sample policy as a newer version of the program stores it.
func newerPolicy(t *testing.T) []byte {
	t.Helper()
	encoded, err := json.Marshal(samplePolicy().Seal())
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(encoded, &members); err != nil {
		t.Fatal(err)
	}
	members["forgiveness"] = json.RawMessage(`{"afterMidnight":true}`)
	if encoded, err = json.Marshal(members); err != nil {
		t.Fatal(err)
	}
	return encoded
}

// storedByNewer puts what a replica of a newer version puts.
func (f *fixture) storedByNewer(settings map[string][]byte) {
	f.t.Helper()
	put := func(tx store.Tx) error {
		for name, value := range settings {
			if err := tx.PutSetting(context.Background(), name, value); err != nil {
				return err
			}
		}
		return nil
	}
	if err := f.store.Store.Update(context.Background(), put); err != nil {
		f.t.Fatalf("Storing as a newer version: %v", err)
	}
}

func wantRefusal(t *testing.T, what string, err error, reason Reason) {
	t.Helper()
	var refusal *RefusalError
	if !errors.As(err, &refusal) || refusal.Reason != reason {
		t.Errorf("%s gives %v; want a refusal of reason %d", what, err, reason)
	}
}

// TestAReplicaLeavesRequestsToANewerOne: it must neither judge cases without what it does not know of the policy,
// nor say that it knows no channel, as long as somebody is there who does.
func TestAReplicaLeavesRequestsToANewerOne(t *testing.T) {
	f := testReplicas(t, 2)
	f.append("dsw", received("C1", monday))
	f.advance() // and so watches
	watching := func(revision int64) []byte {
		encoded, err := json.Marshal(watch{Holder: "NEWER", Watermark: revision})
		if err != nil {
			t.Fatal(err)
		}
		return encoded
	}
	f.storedByNewer(map[string][]byte{settingPolicy: newerPolicy(t)})
	f.ask(0)
	wantRefusal(t, "The one that watched", f.ledger.Superseded(), Unavailable)
	wantRefusal(t, "Its summary", summaryError(f), Unavailable)
	f.ledger.mu.RLock()
	leads := f.ledger.leads()
	f.ledger.mu.RUnlock()
	if leads {
		t.Error("It goes on watching what it cannot judge")
	}
	for n := range int64(3) {
		f.clock.move(takeOver - time.Second)
		f.storedByNewer(map[string][]byte{settingWatch: watching(n)})
		for i := range f.replicas {
			f.ask(i)
			wantRefusal(t, "A replica beside a newer one", f.ledger.Current(), Unavailable)
		}
	}

	// The newer version is taken back: who is left asks the operator for a policy.
	f.clock.move(takeOver + time.Second)
	f.ask(1)
	if err := f.ledger.Current(); err != nil || f.ledger.PolicyStatus().Revision != "" {
		t.Errorf("Alone, it is current: %v, and has policy %q; want it to ask for one", err, f.ledger.PolicyStatus().Revision)
	}
	f.policy(samplePolicy())
	f.append("dsw", received("C2", monday))
	f.ask(0)
	if got := f.summary().Channels["dsw"].Unanswered; got != 2 {
		t.Errorf("%d are unanswered; want 2", got)
	}
}

func summaryError(f *fixture) error {
	_, err := f.ledger.Summary(context.Background(), ledgerapi.Position{}, 0)
	return err
}

// TestALedgerAloneAsksForAPolicyThatItCanUse: an earlier version was put back.
func TestALedgerAloneAsksForAPolicyThatItCanUse(t *testing.T) {
	f := testFixture(t)
	f.append("dsw", received("C1", monday))
	f.storedByNewer(map[string][]byte{settingPolicy: newerPolicy(t)})
	f.restart()
	if revision := f.ledger.PolicyStatus().Revision; revision != "" {
		t.Errorf("It runs policy %q, of which it does not know all", revision)
	}
	_, err := f.ledger.Append(t.Context(), "dsw", ledgerapi.AppendRequest{Events: []complaint.Event{received("C2", monday)}})
	wantRefusal(t, "An append", err, NotFound) // which workers wait on
	f.policy(samplePolicy())
	f.append("dsw", received("C2", monday))
	if got := f.summary().Channels["dsw"].Unanswered; got != 2 {
		t.Errorf("%d are unanswered; want 2", got)
	}
}

// TestNothingOfANewerWorkerIsLost: a word that this version does not know keeps the batch waiting, instead of
// being rejected for ever.
func TestNothingOfANewerWorkerIsLost(t *testing.T) {
	f := testFixture(t)
	for name, change := range map[string]func(*complaint.Event){
		"a kind":   func(e *complaint.Event) { e.Kind = "Forwarded" },
		"an actor": func(e *complaint.Event) { e.Actor = "contractor" },
		"a status": func(e *complaint.Event) { e.Kind, e.To = complaint.KindStatusChanged, "OnHold" },
	} {
		newer := received("C1", monday)
		change(&newer)
		in := ledgerapi.AppendRequest{Events: []complaint.Event{received("C0", monday), newer}, Cursor: json.RawMessage("1")}
		_, err := f.ledger.Append(t.Context(), "dsw", in)
		wantRefusal(t, name, err, Unavailable)
	}
	if state, err := f.ledger.State(t.Context(), "dsw"); err != nil || state.Cursor != nil {
		t.Errorf("The position is %s, error %v; want that it has not moved", state.Cursor, err)
	}
	if c := f.summary().Channels["dsw"]; c.Rejected != 0 || c.Accepted != 0 {
		t.Errorf("%d are rejected and %d accepted; want that nothing is decided", c.Rejected, c.Accepted)
	}
	report := ledgerapi.Report{
		Instance: "a", State: ledgerapi.SourceDisconnected, Reason: "Quarantined", Message: "The platform holds deliveries back.",
		Errors: map[ledgerapi.Reason]int64{"Quarantined": 2},
	}
	if err := f.ledger.Report(t.Context(), "dsw", report); err != nil {
		t.Fatalf("A report with a reason of a newer version: %v", err)
	}
	c := f.summary().Channels["dsw"]
	if c.Reason != ledgerapi.ReasonInternal || c.Message != report.Message || !maps.Equal(c.Errors, map[ledgerapi.Reason]int64{ledgerapi.ReasonInternal: 2}) {
		t.Errorf("The channel is shown as %+v; want the message, and the reasons as InternalError", c)
	}
}

// TestWhatIsStoredIsThatOfTheVersionBefore: the documents that a ledger keeps within columns are read as they were
// written, and written so that the version before, of which a replica may be running, reads them.
func TestWhatIsStoredIsThatOfTheVersionBefore(t *testing.T) {
	for name, kept := range map[string]struct {
		into any
		text string
	}{
		"the state of a case": {&record{}, `{"t":1793588400000000,"o":1793588400000000,"r":"digest","s":"city","w":true,"b":1,"rc":true,"ac":true,` +
			`"c":[{"n":"FirstAnswer","d":true,"o":true,"c":"0;H","x":1}],"sf":"dsw","sc":"C1","e":1793588400000000}`},
		"the report of a channel": {&reported{}, `{"at":"2026-11-02T03:00:00Z","state":"Connected","reason":"Connected","message":"Well.","lastSuccessAt":"2026-11-02T03:00:00Z",` +
			`"instances":{"a":{"at":"2026-11-02T03:00:00Z","rejected":1,"skipped":2,"errors":{"Timeout":3}}}}`},
		"who watches":     {&watch{}, `{"holder":"LIFE","watermark":1793588400000000}`},
		"the lives":       {&lives{}, `[{"id":"LIFE","since":7}]`},
		"a re-derivation": {&rederivation{}, `{"channels":{"dsw":{"sla":"city","after":"C1","done":1,"toGo":2,"finished":true}}}`},
		"a reply": {&replyState{}, `{"id":"r1","case":"C1","state":"Failed","reason":"Timeout","message":"It came back.","event":"E1",` +
			`"createdAt":"2026-11-02T03:00:00Z","changedAt":"2026-11-02T03:00:00Z","attempts":1,"dryRun":true,"text":"Halo","digest":"AQ==","waits":true,"returned":true}`},
		"the erasures": {&erasures{}, `[{"id":"E1","at":1793588400000000,"marks":["AQ=="],"cases":1,"events":2,"done":true}]`},
	} {
		decoder := json.NewDecoder(strings.NewReader(kept.text))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(kept.into); err != nil {
			t.Errorf("%s is not read: %v", name, err)
			continue
		}
		written, err := json.Marshal(kept.into)
		if err != nil || string(written) != kept.text {
			t.Errorf("%s is written as\n%s, error %v; want\n%s", name, written, err, kept.text)
		}
	}
	// A letter stands for the verdict that is counted, the latest one, and whether the histograms have its time.
	for letter, want := range map[cycles]cycle{"0": {}, ";": {counted: met, last: undecided, observed: true}, "H": {counted: breached, last: breached}} {
		if got := letter.at(0); got != want || string(want.letter()) != string(letter) {
			t.Errorf("%q is %+v; want %+v, which is %q", letter, got, want, string(want.letter()))
		}
	}
}
