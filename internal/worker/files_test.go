package worker

import (
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/api/v1alpha1"
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

// TestAChannelIsToldWhereItsFilesAre: just one that reads files, and where it may write only if it asks to.
func TestAChannelIsToldWhereItsFilesAre(t *testing.T) {
	source := func(quarantine *v1alpha1.ClaimDirectory) v1alpha1.ChannelSource {
		return v1alpha1.ChannelSource{Type: "files", CSV: &v1alpha1.CSVSource{Files: v1alpha1.CSVFiles{Quarantine: quarantine}}}
	}
	tests := map[string]struct {
		source v1alpha1.ChannelSource
		dir    string
		want   []string
	}{
		"it reads files":                     {source(nil), "/files", []string{"/files/112/files", ""}},
		"it also writes what it cannot read": {source(&v1alpha1.ClaimDirectory{ClaimName: "a"}), "/files", []string{"/files/112/files", "/files/112/quarantine"}},
		"the worker was not told":            {source(nil), "", []string{"", ""}},
		"it reads none":                      {v1alpha1.ChannelSource{Type: "files"}, "/files", []string{"", ""}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			kind := fakeType{"files", func(s channel.Settings) (channel.Source, error) {
				got = []string{s.FilesDir, s.QuarantineDir}
				return nil, errors.New("enough")
			}}
			_, _ = open(map[v1alpha1.SourceType]channel.Type{"files": kind}, ChannelConfig{Name: "112", Source: tt.source}, channel.Settings{FilesDir: tt.dir})
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
