package worker

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/complaint"
)

func TestItemsThatAreNoComplaintsAreCountedOnceTheBatchIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		beginAtPresent()
		ledger := newFakeLedger()
		ledger.fate = func(int, string) fate { return unavailable }
		batches := batchPoller(
			channel.Batch{Events: []complaint.Event{received(0, present())}, Cursor: json.RawMessage(`1`), Skipped: 3},
			channel.Batch{Skipped: 2}, // nothing else to store
		)
		start(t, configOf("dsw:poll"), optionsOf(ledger, opens(pollType, batches)))
		after(15 * time.Second)
		if got := ledger.lastReport("dsw"); got.Skipped != 0 {
			t.Errorf("%d were counted while the ledger was away", got.Skipped)
		}
		ledger.setFate(nil)
		after(5 * time.Minute)
		if got := ledger.lastReport("dsw"); got.Skipped != 5 || got.Rejected != 0 {
			t.Errorf("report: %+v, want 5 skipped", got)
		}
	})
}

// TestAChannelIsToldWhereItsFilesAre, and not where those of another are.
func TestAChannelIsToldWhereItsFilesAre(t *testing.T) {
	options := Options{Files: map[string]string{"112": "/files"}, Quarantines: map[string]string{"112": "/quarantine"}}
	for name, want := range map[string][]string{"112": {"/files", "/quarantine"}, "dsw": {"", ""}} {
		got := options.settings(name, nil)
		if diff := cmp.Diff(want, []string{got.FilesDir, got.QuarantineDir}); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
