package csvdrop

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

func TestQuarantine(t *testing.T) {
	r := newRig(t, v1alpha1.CSVFiles{})
	r.quarantine = t.TempDir()
	r.restart()
	r.write("cad.csv", "id,at,text\n1,"+at+",bad\n2,"+at+",Sampah\n3,yesterday,\"a,b\"\n4,\"\n")
	if err := r.poll(); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(r.quarantine, "*"))
	if err != nil || len(names) != 1 || !strings.HasPrefix(filepath.Base(names[0]), "cad.csv.") || !strings.HasSuffix(names[0], ".rejected.csv") {
		t.Fatalf("the quarantine has %q (%v)", names, err)
	}
	if info, err := os.Stat(names[0]); err != nil || info.Mode().Perm()&0o027 != 0 {
		t.Errorf("others may do with it what %v lets them (%v)", info.Mode(), err)
	}
	raw, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	want := "rejected_line,rejected_reason,id,at,text\n2,text is bad,1," + at + ",bad\n4,at is no time,3,yesterday,\"a,b\"\n" +
		"5,is no CSV: a quote is not closed or stands where none may,\"4,\"\"\"\n"
	if diff := cmp.Diff(want, string(raw)); diff != "" {
		t.Error(diff)
	}

	// Complaints do not wait for a quarantine that cannot be written to.
	r.quarantine = filepath.Join(r.quarantine, "gone")
	r.ledger = channeltest.Ledger{}
	r.restart()
	if err := r.poll(); err != nil || len(r.ledger.Events()) != 1 || r.ledger.Problems()[ledgerapi.ReasonInternal] != 0 {
		t.Errorf("got %d events and %v (%v)", len(r.ledger.Events()), r.ledger.Problems(), err)
	}
	if messages := r.ledger.Messages(); !slices.Contains(messages, "the file cad.csv: the rows that were not understood could not be written to files.quarantine") {
		t.Errorf("said %q", messages)
	}
}
