package ledger

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/tanggap/tanggap/internal/ledger/store/sqlite"
)

// TestAStorageThatIsPutBackUnderALedgerIsToldFromTheOneBefore restores a backup while the ledger runs that had begun
// before the backup, and has it write past what was lost before anybody asks.
func TestAStorageThatIsPutBackUnderALedgerIsToldFromTheOneBefore(t *testing.T) {
	f := testFixture(t)
	f.append("dsw", received("C1", monday))
	kept := f.summary().Position
	backup := t.TempDir()
	for _, name := range []string{"ledger.db", "ledger.db-wal"} { // nothing writes now
		if _, err := os.Stat(filepath.Join(f.dir, name)); err == nil {
			copyFile(t, filepath.Join(f.dir, name), filepath.Join(backup, name))
		}
	}
	f.append("sigap", received("L1", monday))
	f.append("dsw", received("L2", monday))
	lost := f.summary().Position

	restored, err := sqlite.Open(backup, sqlite.Options{})
	if err != nil {
		t.Fatalf("Opening the backup: %v", err)
	}
	if err := f.store.Close(); err != nil {
		t.Fatalf("Closing the store: %v", err)
	}
	f.store.Store = restored
	for _, id := range []string{"N1", "N2", "N3", "N4", "N5"} {
		f.append("dsw", received(id, monday))
	}
	if now := f.summary().Sequence; now <= lost.Sequence {
		t.Fatalf("The sequence is %d, not yet past the lost %d", now, lost.Sequence)
	}
	s, err := f.ledger.Summary(t.Context(), lost, 0)
	if err != nil || s.Since != 0 {
		t.Errorf("The summary for a position that is lost has changes from %d, error %v; want all", s.Since, err)
	}
	s, err = f.ledger.Summary(t.Context(), kept, 0)
	if err != nil || s.Since != kept.Sequence || s.Channels["dsw"].Received != 6 {
		t.Errorf("For a position before the backup the summary is %+v, error %v; want what has changed", s, err)
	}
	f.verify()
}
