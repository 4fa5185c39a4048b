package ledger

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/mac"
)

// TestALedgerSaysThatItLacksAKey changes the keys between restarts, as a Secret is changed, and erases somebody each time.
func TestALedgerSaysThatItLacksAKey(t *testing.T) {
	f := testFixture(t)
	first, second, third := f.names.keys[0], pseudonymKey("the second of the city"), pseudonymKey("the third of the city")
	for i, step := range []struct {
		keys    []*mac.Key
		reports bool
		missing int
		why     string
	}{
		{[]*mac.Key{first}, true, 0, "there is one"},
		{[]*mac.Key{second}, false, 1, "the first was replaced"},
		{[]*mac.Key{first}, false, 0, "it was put back, and nothing was stored by the second"},
		{[]*mac.Key{second, first}, true, 0, "the second was put before the first"},
		{[]*mac.Key{second}, true, 1, "the first was removed"},
		{[]*mac.Key{third}, true, 2, "both were replaced"},
		{[]*mac.Key{third, first, second}, true, 0, "all are there"},
	} {
		f.names = &Pseudonyms{keys: step.keys}
		f.restart()
		if step.reports {
			e := received(string(rune('A'+i)), monday)
			f.append("dsw", by(e, "0813-1111-1111", "x"))
		}
		status := f.erase(t, ledgerapi.ErasureReporter{Phone: erasedPhone})
		if status.MissingKeys != step.missing {
			t.Errorf("Step %d (%s): the erasure is %+v; want %d keys missing", i+1, step.why, status, step.missing)
		}
	}
	f.verify()
}

// What an earlier version of the program stored was made by one of the keys that there are.
func TestKeysThatNobodyNotedAreAllNoted(t *testing.T) {
	f := testFixture(t)
	first := f.names.keys[0]
	f.names = &Pseudonyms{keys: []*mac.Key{pseudonymKey("the second of the city"), first}}
	f.restart()
	f.append("dsw", by(received("A", monday), erasedPhone, "x"))
	f.names = &Pseudonyms{keys: f.names.keys[:1]}
	var log bytes.Buffer
	f.log = slog.New(slog.NewTextHandler(&log, nil))
	f.restart()
	if !strings.Contains(log.String(), "pseudonyms by keys that this ledger does not have") || !strings.Contains(log.String(), "missing=1") {
		t.Errorf("At its start the ledger says %q; want that a key is missing", log.String())
	}
	if status := f.erase(t, ledgerapi.ErasureReporter{Phone: erasedPhone}); status.MissingKeys != 1 {
		t.Errorf("The erasure is %+v; want the first key missing", status)
	}
}

// A replica that was started with the keys of before learns that another one has stored by a new one.
func TestAReplicaLearnsOfAKeyThatItLacks(t *testing.T) {
	f := makeFixture(t, t.TempDir(), 2)
	f.open()
	t.Cleanup(f.close)
	f.policy(samplePolicy())
	before := f.names
	f.append("dsw", by(received("A", monday), erasedPhone, "x"))
	f.names = &Pseudonyms{keys: append([]*mac.Key{pseudonymKey("the second of the city")}, before.keys...)}
	f.kill(1)
	f.ask(1)
	f.append("dsw", by(received("B", monday), erasedPhone, "x"))
	f.ask(0)
	if status := f.erase(t, ledgerapi.ErasureReporter{Phone: erasedPhone}); status.MissingKeys != 1 {
		t.Errorf("The erasure is %+v; want the new key missing", status)
	}
}
