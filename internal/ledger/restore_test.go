package ledger

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/internal/ledger/store/sqlite"
)

// TestAStorageThatIsPutBackUnderALedgerIsToldFromTheOneBefore restores a backup while the ledger runs that had begun
// before the backup, and has it write past what was lost before anybody asks.
func TestAStorageThatIsPutBackUnderALedgerIsToldFromTheOneBefore(t *testing.T) {
	f := testFixture(t)
	f.append("dsw", received("C1", monday))
	kept := f.summary().Position
	backup := f.backUp(t)
	f.append("sigap", received("L1", monday))
	f.append("dsw", received("L2", monday))
	lost := f.summary().Position

	restored := openBackup(t, backup)
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

// backUp copies the files of the storage while nothing writes.
func (f *fixture) backUp(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range []string{"ledger.db", "ledger.db-wal"} {
		if _, err := os.Stat(filepath.Join(f.dir, name)); err == nil {
			copyFile(t, filepath.Join(f.dir, name), filepath.Join(dir, name))
		}
	}
	return dir
}

func openBackup(t *testing.T, dir string) store.Store {
	t.Helper()
	s, err := sqlite.Open(dir, sqlite.Options{})
	if err != nil {
		t.Fatalf("Opening the backup: %v", err)
	}
	return s
}

// TestAReplicaThatSeesAStorageAfterOthersHaveGoneOnFromAnEarlierStateReadsItAnew fails a database over to a server that lacks
// the last transactions. One replica is there first and writes past what was lost before the other looks.
func TestAReplicaThatSeesAStorageAfterOthersHaveGoneOnFromAnEarlierStateReadsItAnew(t *testing.T) {
	f := testReplicas(t, 2)
	f.append("dsw", received("C1", monday))
	f.ask(1)
	f.append("dsw", received("C2", monday))
	backup := f.backUp(t)
	f.append("sigap", received("L1", monday))
	f.append("dsw", received("L2", monday))
	f.ask(0)
	lost := f.summary().Position

	restored := openBackup(t, backup)
	for _, r := range f.replicas {
		r.store.cut.Store(true)
		if r.sync(t.Context()) == nil {
			t.Fatal("A replica reaches the server that is gone")
		}
	}
	if err := f.store.Close(); err != nil {
		t.Fatalf("Closing the store: %v", err)
	}
	for _, r := range f.replicas {
		r.store.Store = restored
	}
	f.replicas[1].store.cut.Store(false)
	f.ask(1)
	for _, id := range []string{"N1", "N2", "N3", "N4", "N5"} {
		f.append("dsw", received(id, monday))
	}
	if now := f.summary().Sequence; now <= lost.Sequence {
		t.Fatalf("The sequence is %d, not yet past the lost %d", now, lost.Sequence)
	}

	f.replicas[0].store.cut.Store(false)
	f.wantReplicasToAgree()
	if s, err := f.ledger.Summary(t.Context(), lost, 0); err != nil || s.Since != 0 {
		t.Errorf("For a position that is lost it has changes from %d, error %v; want all", s.Since, err)
	}
	f.append("dsw", received("N6", monday))
	if diff := cmp.Diff(map[string]int64{"dsw": 8, "sigap": 0}, map[string]int64{
		"dsw": f.summary().Channels["dsw"].Received, "sigap": f.summary().Channels["sigap"].Received,
	}); diff != "" {
		t.Errorf("Received (-want +got):\n%s", diff)
	}
	f.verify()
}

// wantReplicasToAgree compares what two replicas show, each once it has heard of the other's work, and leaves the first asked.
func (f *fixture) wantReplicasToAgree() {
	f.t.Helper()
	f.ask(0)
	f.ask(1)
	want := f.summary()
	f.ask(0)
	if diff := cmp.Diff(shownOf(want), shownOf(f.summary())); diff != "" {
		f.t.Errorf("What the replicas show differs (-first +second):\n%s", diff)
	}
}

// TestAReplicaReadsEverythingAnewWhenTheStorageHasLostWhatItCommitted has the other one, which never heard of what is lost,
// write first to the server that took over.
func TestAReplicaReadsEverythingAnewWhenTheStorageHasLostWhatItCommitted(t *testing.T) {
	server := startPostgres(t)
	f := makeFixture(t, t.TempDir(), 2)
	name := onPostgres(f, server)
	f.open()
	t.Cleanup(f.close)
	admin := func(statements ...string) {
		t.Helper()
		if err := server.Execute(t.Context(), "postgres", statements...); err != nil {
			t.Fatalf("Failing over: %v", err)
		}
	}
	shut := []string{
		fmt.Sprintf("ALTER DATABASE %s ALLOW_CONNECTIONS false", name),
		fmt.Sprintf("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '%s'", name),
	}
	f.policy(samplePolicy())
	f.append("dsw", received("C1", monday))
	f.ask(1)
	f.append("dsw", received("C2", monday))
	f.ask(0)
	admin(append(shut, fmt.Sprintf("CREATE DATABASE standby TEMPLATE %s OWNER %s", name, name), fmt.Sprintf("ALTER DATABASE %s ALLOW_CONNECTIONS true", name))...)
	f.replicas[1].store.cut.Store(true)
	f.append("sigap", received("L1", monday))
	f.append("dsw", received("L2", monday))
	lost := f.summary().Position
	f.replicas[0].store.cut.Store(true)

	admin(append(shut, fmt.Sprintf("ALTER DATABASE %s RENAME TO lost", name), fmt.Sprintf("ALTER DATABASE standby RENAME TO %s", name))...)
	f.replicas[1].store.cut.Store(false)
	f.ask(1)
	for _, id := range []string{"N1", "N2", "N3", "N4", "N5"} {
		f.append("dsw", received(id, monday))
	}
	f.replicas[0].store.cut.Store(false)
	f.wantReplicasToAgree()
	for n := range f.replicas {
		f.ask(n)
		if s, err := f.ledger.Summary(t.Context(), lost, 0); err != nil || s.Since != 0 {
			t.Errorf("For a position that is lost replica %d tells changes from %d, error %v; want all", n, s.Since, err)
		}
	}
	f.append("dsw", received("N6", monday))
	if got := f.summary().Channels["dsw"].Received; got != 8 {
		t.Errorf("%d were received; want 8", got)
	}
	f.verify()
}

// TestASearchBeginsAnewOnAStorageThatWasPutBack restores a backup from before the search for traces of who was erased had
// come to where it stands.
func TestASearchBeginsAnewOnAStorageThatWasPutBack(t *testing.T) {
	f := testFixture(t)
	var cases []complaint.Event
	for i := range sweepCases + 1 {
		cases = append(cases, by(received(fmt.Sprintf("C%04d", i), monday), "0813-1111-111", "x"))
	}
	f.append("dsw", cases...)
	word := event("C0000", "word", complaint.KindCitizenMessage, complaint.ActorCitizen, monday) // in a case of somebody else
	f.append("dsw", by(word, erasedPhone, "RAHASIA"))
	status, err := f.ledger.Erase(t.Context(), ledgerapi.ErasureRequest{Reporters: []ledgerapi.ErasureReporter{{Phone: erasedPhone}}})
	if err != nil {
		t.Fatalf("Erasing: %v", err)
	}
	f.dir = f.backUp(t)
	if more, err := f.ledger.sweepSome(t.Context(), 1); err != nil || !more {
		t.Fatalf("After one step there is more: %v, error %v", more, err)
	}
	restored := openBackup(t, f.dir)
	if err := f.store.Close(); err != nil {
		t.Fatalf("Closing the store: %v", err)
	}
	f.store.Store = restored
	if err := f.ledger.Sweep(t.Context()); err != nil {
		t.Fatalf("Sweeping: %v", err)
	}
	if status, err = f.ledger.Erasure(t.Context(), status.ID); err != nil || !status.Done {
		t.Errorf("The erasure is %+v, error %v; want it done", status, err)
	}
	if found := f.stored("RAHASIA"); len(found) > 0 {
		t.Errorf("Left is %q", found)
	}
}
