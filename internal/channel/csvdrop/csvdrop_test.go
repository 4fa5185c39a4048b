package csvdrop

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

var monday = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

// rig is a directory, a source that reads it, and what it has read.
type rig struct {
	t          *testing.T
	dir        string
	quarantine string
	files      v1alpha1.CSVFiles
	clock      *channeltest.Clock
	ledger     channeltest.Ledger
	source     *Source
}

func newRig(t *testing.T, files v1alpha1.CSVFiles) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir(), files: files, clock: channeltest.NewClock(monday)}
	r.restart()
	return r
}

// restart makes a new source, as a new worker does.
func (r *rig) restart() {
	r.t.Helper()
	source, err := New(Config{
		Files: &r.files, Dir: r.dir, Quarantine: r.quarantine, Understand: understand, Fingerprint: "1",
		Now: r.clock.Now, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.source = source
	r.t.Cleanup(func() { _ = source.Close() })
}

// understand takes a row of id, at and text. A text of "call" is skipped, one of "bad" is refused.
func understand(header []string) (func([]string) Row, error) {
	for _, name := range []string{"id", "at", "text"} {
		if !slices.Contains(header, name) {
			return nil, fmt.Errorf("there is no column %q", name)
		}
	}
	id, at, text := slices.Index(header, "id"), slices.Index(header, "at"), slices.Index(header, "text")
	return func(fields []string) Row {
		instant, err := time.Parse(time.RFC3339, fields[at])
		switch {
		case err != nil:
			return Row{Problem: &channel.Error{Reason: ledgerapi.ReasonInvalidEvent, Message: "at is no time"}}
		case fields[text] == "bad":
			return Row{At: instant, Problem: &channel.Error{Reason: ledgerapi.ReasonMappingFailed, Message: "text is bad"}}
		case fields[text] == "call":
			return Row{At: instant, Skipped: true}
		}
		e := complaint.Event{
			Channel: "dsw", CaseID: fields[id], ID: fields[id], Kind: complaint.KindReceived, Actor: complaint.ActorCitizen, OccurredAt: instant, Text: fields[text],
		}
		if err := e.Validate(); err != nil {
			return Row{Problem: &channel.Error{Reason: ledgerapi.ReasonInvalidEvent, Message: "is no event"}}
		}
		return Row{At: instant, Events: []complaint.Event{e}}
	}, nil
}

// write makes a file as a well-behaved system does.
func (r *rig) write(name, content string) {
	r.t.Helper()
	temporary := filepath.Join(r.dir, "."+name+".part")
	if err := os.WriteFile(temporary, []byte(content), 0o600); err != nil {
		r.t.Fatal(err)
	}
	r.touch(temporary)
	if err := os.Rename(temporary, filepath.Join(r.dir, name)); err != nil {
		r.t.Fatal(err)
	}
}

// touch sets the time of change to that of the clock.
func (r *rig) touch(path string) {
	r.t.Helper()
	if err := os.Chtimes(path, r.clock.Now(), r.clock.Now()); err != nil {
		r.t.Fatal(err)
	}
}

// poll looks at the directory, and again when what it saw has settled.
func (r *rig) poll() error {
	if err := r.once(); err != nil {
		return err
	}
	r.clock.Advance(10 * time.Second)
	return r.once()
}

func (r *rig) once() error { return r.source.Poll(r.t.Context(), r.ledger.Cursor(), &r.ledger) }

// texts are the texts of the events by their cases.
func (r *rig) texts() map[string]string {
	texts := map[string]string{}
	for _, e := range r.ledger.Events() {
		texts[e.CaseID] = e.Text
	}
	return texts
}

const at = "2026-11-02T08:00:00Z"

func TestRows(t *testing.T) {
	tests := map[string]struct {
		files    v1alpha1.CSVFiles
		content  string
		want     map[string]string
		problems map[ledgerapi.Reason]int
		said     []string
	}{
		"a file": {content: "id,at,text\n1," + at + ",Banjir\n2," + at + ",Sampah\n", want: map[string]string{"1": "Banjir", "2": "Sampah"}},
		"as Windows writes it, with a byte order mark and without a line break at the end": {
			content: "\xef\xbb\xbfid,at,text\r\n1," + at + ",Banjir", want: map[string]string{"1": "Banjir"}},
		"columns in another order, and more of them": {
			content: "x, text ,at,id\n9,Banjir," + at + ",1\n", want: map[string]string{"1": "Banjir"}},
		"quotes, delimiters and line breaks within a value": {
			content: "id,at,text\n1," + at + ",\"Jl. Juanda 1, \"\"depan\"\"\nruko\"\n2," + at + ",Sampah\n",
			want:    map[string]string{"1": "Jl. Juanda 1, \"depan\"\nruko", "2": "Sampah"}},
		"semicolons": {files: v1alpha1.CSVFiles{Delimiter: v1alpha1.CSVSemicolon},
			content: "id;at;text\n1;" + at + ";a,b\n", want: map[string]string{"1": "a,b"}},
		"tabs": {files: v1alpha1.CSVFiles{Delimiter: v1alpha1.CSVTab},
			content: "id\tat\ttext\n1\t" + at + "\ta\n", want: map[string]string{"1": "a"}},
		"pipes": {files: v1alpha1.CSVFiles{Delimiter: v1alpha1.CSVPipe},
			content: "id|at|text\n1|" + at + "|a\n", want: map[string]string{"1": "a"}},
		"Windows-1252": {files: v1alpha1.CSVFiles{Encoding: v1alpha1.CSVWindows1252},
			content: "id,at,text\n1," + at + ",caf\xe9 \x93x\x94\n", want: map[string]string{"1": "café “x”"}},
		"a header that the file does not have": {files: v1alpha1.CSVFiles{Header: []string{"id", "at", "text"}},
			content: "1," + at + ",Banjir\n", want: map[string]string{"1": "Banjir"}},
		"an empty file":     {content: "", want: map[string]string{}},
		"nothing but names": {content: "id,at,text\n", want: map[string]string{}},
		"empty lines":       {content: "\n\nid,at,text\n\n1," + at + ",Banjir\n  \n\n", want: map[string]string{"1": "Banjir"}},
		"a row that is refused stops no other": {
			content: "id,at,text\n1," + at + ",bad\n2," + at + ",Sampah\n3,yesterday,x\n4,,x\n", want: map[string]string{"2": "Sampah"},
			problems: map[ledgerapi.Reason]int{"MappingFailed": 1, "InvalidEvent": 2},
			said:     []string{"the file cad.csv, line 2: text is bad", "the file cad.csv, line 4 and 1 others: at is no time"}},
		"a row with too few columns, and one with too many": {
			content: "id,at,text\n1," + at + "\n2," + at + ",Sampah\n3," + at + ",a,b\n", want: map[string]string{"2": "Sampah"},
			problems: map[ledgerapi.Reason]int{"InvalidResponse": 2},
			said:     []string{"the file cad.csv, line 2: has 2 columns where the header has 3", "the file cad.csv, line 4: has 4 columns where the header has 3"}},
		"a stray quote takes no other row along": {
			content: "id,at,text\n1," + at + ",\"Banjir\n\n2," + at + ",Sampah\n3," + at + ",x \" y\n4," + at + ",\"z\"\n", want: map[string]string{"2": "Sampah", "4": "z"},
			problems: map[ledgerapi.Reason]int{"InvalidResponse": 2},
			said:     []string{"the file cad.csv, line 2 and 1 others: is no CSV: a quote is not closed or stands where none may"}},
		"another encoding than it says": {
			content: "id,at,text\n1," + at + ",caf\xe9\n2," + at + ",Sampah\n", want: map[string]string{"2": "Sampah"},
			problems: map[ledgerapi.Reason]int{"InvalidResponse": 1}, said: []string{"the file cad.csv, line 2: is not in UTF-8; check files.encoding"}},
		"UTF-16": {
			content: "\xff\xfei\x00d\x00", want: map[string]string{}, problems: map[ledgerapi.Reason]int{"InvalidResponse": 1},
			said: []string{"the file cad.csv: is in UTF-16; let it be written in UTF-8"}},
		"another header": {
			content: "nomor,waktu\n1,2\n", want: map[string]string{}, problems: map[ledgerapi.Reason]int{"InvalidResponse": 1},
			said: []string{`the file cad.csv: has a header that lacks something: there is no column "id"`}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, tt.files)
			r.write("cad.csv", tt.content)
			if err := r.poll(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, r.texts()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tt.problems, r.ledger.Problems()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tt.said, r.ledger.Messages()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestManyStrayQuotesTakeNoOtherRowAlong, however many.
func TestManyStrayQuotesTakeNoOtherRowAlong(t *testing.T) {
	var content strings.Builder
	content.WriteString("id,at,text\n")
	const pairs = 3000
	for i := range pairs {
		fmt.Fprintf(&content, "bad-%d,%s,\"Banjir\n%d,%s,Sampah\n", i, at, i, at)
	}
	r := newRig(t, v1alpha1.CSVFiles{})
	r.write("cad.csv", content.String())
	if err := r.poll(); err != nil {
		t.Fatal(err)
	}
	if n, bad := len(r.ledger.Events()), r.ledger.Problems()[ledgerapi.ReasonInvalidResponse]; n != pairs || bad != pairs {
		t.Errorf("got %d events and %d that are no CSV, want %d of each", n, bad, pairs)
	}
}

func TestFileIsReadOnceItIsComplete(t *testing.T) {
	content := "id,at,text\n1," + at + ",Banjir\n"
	t.Run("it has not changed for the settle time", func(t *testing.T) {
		r := newRig(t, v1alpha1.CSVFiles{})
		r.write("cad.csv", content)
		for range 2 {
			if err := r.once(); err != nil || len(r.ledger.Events()) > 0 {
				t.Fatalf("got %d events (%v)", len(r.ledger.Events()), err)
			}
			r.clock.Advance(9 * time.Second)
			r.write("cad.csv", content+"\n") // it changes, and waits again
		}
		if err := r.poll(); err != nil || len(r.ledger.Events()) != 1 {
			t.Fatalf("got %d events (%v)", len(r.ledger.Events()), err)
		}
	})
	t.Run("it changed hours ago", func(t *testing.T) {
		r := newRig(t, v1alpha1.CSVFiles{})
		r.write("cad.csv", content)
		r.clock.Advance(2 * time.Hour)
		if err := r.once(); err != nil || len(r.ledger.Events()) != 1 {
			t.Fatalf("got %d events (%v)", len(r.ledger.Events()), err)
		}
	})
	t.Run("its marker is there", func(t *testing.T) {
		r := newRig(t, v1alpha1.CSVFiles{Completion: v1alpha1.CSVMarker, MarkerSuffix: ".ok", Pattern: "cad*"})
		r.write("cad.csv", content)
		r.clock.Advance(2 * time.Hour)
		if err := r.once(); err != nil || len(r.ledger.Events()) > 0 {
			t.Fatalf("got %d events (%v)", len(r.ledger.Events()), err)
		}
		r.write("cad.csv.ok", "")
		if err := r.once(); err != nil || len(r.ledger.Events()) != 1 || len(r.ledger.Messages()) > 0 {
			t.Fatalf("got %d events and %q (%v)", len(r.ledger.Events()), r.ledger.Messages(), err)
		}
	})
	t.Run("it is one of the pattern, no directory, and not hidden", func(t *testing.T) {
		r := newRig(t, v1alpha1.CSVFiles{Pattern: "cad-*.csv"})
		r.write("other.csv", content)
		r.write(".cad-1.csv", content)
		if err := os.Mkdir(filepath.Join(r.dir, "cad-2.csv"), 0o700); err != nil {
			t.Fatal(err)
		}
		secret := filepath.Join(t.TempDir(), "outside")
		if err := errors.Join(os.WriteFile(secret, []byte(content), 0o600), os.Symlink(secret, filepath.Join(r.dir, "cad-3.csv"))); err != nil {
			t.Fatal(err)
		}
		if err := r.poll(); err != nil || len(r.ledger.Events()) > 0 {
			t.Fatalf("got %d events (%v)", len(r.ledger.Events()), err)
		}
	})
}

func TestContentIsReadOnce(t *testing.T) {
	r := newRig(t, v1alpha1.CSVFiles{})
	r.write("a.csv", "id,at,text\n1,"+at+",call\n2,"+at+",Banjir\n")
	if err := r.poll(); err != nil {
		t.Fatal(err)
	}
	appends := r.ledger.Appends()
	r.write("b.csv", "id,at,text\n1,"+at+",call\n2,"+at+",Banjir\n") // the same again
	r.restart()
	if err := r.poll(); err != nil || r.ledger.Appends() != appends {
		t.Errorf("%d appends, then %d (%v)", appends, r.ledger.Appends(), err)
	}
	if got := r.ledger.Skipped(); got != 1 {
		t.Errorf("skipped %d calls, want 1", got)
	}
	r.write("a.csv", "id,at,text\n1,"+at+",call\n2,"+at+",Banjir\n3,"+at+",Sampah\n") // grown
	if err := r.poll(); err != nil || len(r.ledger.Events()) != 2 {
		t.Errorf("got %d events (%v)", len(r.ledger.Events()), err)
	}
	// One that was restored from a backup has forgotten what came after it.
	backup := r.ledger.Cursor()
	r.write("c.csv", "id,at,text\n4,"+at+",Pohon\n")
	if err := r.poll(); err != nil || len(r.ledger.Events()) != 3 {
		t.Errorf("got %d events (%v)", len(r.ledger.Events()), err)
	}
	restored := &channeltest.Ledger{}
	if err := r.source.Poll(t.Context(), backup, restored); err != nil || len(restored.Events()) != 1 || restored.Events()[0].CaseID != "4" {
		t.Errorf("got %d events (%v)", len(restored.Events()), err)
	}
	// Another ledger knows nothing, whatever this worker remembers.
	r.ledger = channeltest.Ledger{}
	if err := r.poll(); err != nil || len(r.ledger.Events()) != 3 {
		t.Errorf("got %d events (%v)", len(r.ledger.Events()), err)
	}
}

// TestKilledAnywhere kills the worker at every append of a long file, before and after the ledger has it.
func TestKilledAnywhere(t *testing.T) {
	var content strings.Builder
	content.WriteString("id,at,text\n")
	for i := range 2*batchRows + 7 {
		text := "Banjir"
		if i%100 == 50 {
			text = "call"
		}
		fmt.Fprintf(&content, "%d,%s,%s\n", i, at, text)
	}
	for kill := 1; kill <= 3; kill++ {
		for _, stored := range []bool{false, true} {
			r := newRig(t, v1alpha1.CSVFiles{})
			r.write("cad.csv", content.String())
			killed := false
			r.ledger.Fault = func(n int) (before, after error) {
				if n != kill || killed {
					return nil, nil
				}
				killed = true
				if stored {
					return nil, channeltest.Away()
				}
				return channeltest.Away(), nil
			}
			if err := r.poll(); err == nil {
				t.Fatal("the poll went on without the ledger")
			}
			r.restart()
			if err := r.poll(); err != nil {
				t.Fatal(err)
			}
			if got := len(r.ledger.Events()); got != 2*batchRows+7-10 {
				t.Errorf("killed at %d (stored: %t): %d events", kill, stored, got)
			}
			var c cursor
			if err := json.Unmarshal(r.ledger.Cursor(), &c); err != nil || len(c.Read) != 1 || c.Reading != nil {
				t.Errorf("the cursor is %s (%v)", r.ledger.Cursor(), err)
			}
		}
	}
}

func TestDirectoriesThatCannotBeRead(t *testing.T) {
	r := newRig(t, v1alpha1.CSVFiles{})
	r.dir = filepath.Join(r.dir, "gone")
	r.restart()
	var failure *channel.Error
	if err := r.once(); !errors.As(err, &failure) || failure.Reason != ledgerapi.ReasonNotFound || strings.Contains(failure.Message, r.dir) {
		t.Errorf("got %v", err)
	}
	r.dir = ""
	r.restart()
	if err := r.once(); !errors.As(err, &failure) || failure.Reason != ledgerapi.ReasonInternal {
		t.Errorf("got %v", err)
	}
}

func TestFileThatIsTooLarge(t *testing.T) {
	limit := int32(1024)
	r := newRig(t, v1alpha1.CSVFiles{MaxFileBytes: &limit})
	r.write("large.csv", "id,at,text\n1,"+at+","+strings.Repeat("x", 1024)+"\n")
	r.write("small.csv", "id,at,text\n2,"+at+",Sampah\n")
	for range 2 {
		if err := r.poll(); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"the file large.csv has more than files.maxFileBytes, 1024 bytes"}, r.ledger.Messages()); diff != "" || len(r.ledger.Events()) != 1 {
		t.Errorf("got %d events, %s", len(r.ledger.Events()), diff)
	}
}

func TestObservedThroughTheNewestInstantThatWasRead(t *testing.T) {
	r := newRig(t, v1alpha1.CSVFiles{})
	r.write("cad.csv", "id,at,text\n1,2026-11-02T08:00:00Z,Banjir\n2,2026-11-02T08:30:00Z,call\n3,2031-01-01T00:00:00Z,Sampah\n")
	if err := r.poll(); err != nil {
		t.Fatal(err)
	}
	want := monday.Add(-30 * time.Minute)
	if !r.ledger.Through().Equal(want) || !r.source.ObservedThrough().Equal(want) {
		t.Errorf("got %s and %s, want %s", r.ledger.Through(), r.source.ObservedThrough(), want)
	}
}

// TestCursorIsBounded: what has no room is read again by the next worker, and changes nothing.
func TestCursorIsBounded(t *testing.T) {
	settle := metav1.Duration{}
	r := newRig(t, v1alpha1.CSVFiles{SettleTime: &settle})
	for i := range maxRemembered + 20 {
		r.write(fmt.Sprintf("%04d.csv", i), fmt.Sprintf("id,at,text\n%d,%s,Banjir\n", i, at))
	}
	if err := r.once(); err != nil {
		t.Fatal(err)
	}
	if n := len(r.ledger.Cursor()); n > ledgerapi.MaxCursorBytes {
		t.Fatalf("the cursor has %d bytes", n)
	}
	appends := r.ledger.Appends()
	if err := r.once(); err != nil || r.ledger.Appends() != appends {
		t.Errorf("files were read again (%v)", err)
	}
	r.restart()
	if err := r.once(); err != nil || len(r.ledger.Events()) != maxRemembered+20 || r.ledger.Appends() > appends+40 {
		t.Errorf("%d events in %d appends (%v)", len(r.ledger.Events()), r.ledger.Appends()-appends, err)
	}
}
