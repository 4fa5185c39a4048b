package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/internal/ledger/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) func() store.Store {
		t.Helper()
		dir := t.TempDir()
		return func() store.Store {
			s, err := Open(dir, Options{})
			if err != nil {
				t.Fatalf("Opening: %v", err)
			}
			return s
		}
	})
}

// TestConformanceWithinAProcess has several users of one Store, as the tests of replicas do.
func TestConformanceWithinAProcess(t *testing.T) {
	storetest.RunShared(t, func(t *testing.T) func() store.Store {
		t.Helper()
		s, err := Open(t.TempDir(), Options{})
		if err != nil {
			t.Fatalf("Opening: %v", err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Errorf("Closing: %v", err)
			}
		})
		return func() store.Store { return user{s} }
	})
}

// user is one of several users of a Store, which outlives it.
type user struct{ store.Store }

func (user) Close() error { return nil }

func TestOneLedgerAtATime(t *testing.T) {
	dir := t.TempDir()
	first, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{}); !errors.Is(err, store.ErrInUse) {
		t.Errorf("A second ledger on the directory gives %v; want %v", err, store.ErrInUse)
	}
	shared, err := Open(dir, Options{Shared: true})
	if err != nil {
		t.Fatalf("Opening to read beside the ledger: %v", err)
	}
	if err := shared.Update(t.Context(), func(store.Tx) error { return nil }); !errors.Is(err, store.ErrInUse) {
		t.Errorf("An update of a shared store gives %v; want %v", err, store.ErrInUse)
	}
	// As a child has it between fork and exec.
	inherited, err := syscall.Dup(int(first.lock.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Close(inherited) }()
	if err := errors.Join(shared.Close(), first.Close()); err != nil {
		t.Fatal(err)
	}
	again, err := Open(dir, Options{})
	if err != nil {
		t.Fatalf("Opening after closing: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestFilesAreForTheOwnerAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ledger")
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Update(t.Context(), func(tx store.Tx) error { return tx.PutSetting(t.Context(), "s", []byte("v")) }); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) < 4 {
		t.Errorf("There are %d files; want the database, its log, its index and the lock", len(entries))
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v; want 0600", entry.Name(), info.Mode())
		}
	}
}

func TestOpenRefusesWhatIsNoLedger(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(path string)
		want  error
	}{
		"a file that is no database": {func(path string) {
			write(t, path, []byte("this is not a database, but it is longer than a header of one hundred bytes, which SQLite reads first of all"))
		}, store.ErrDamaged},
		"a damaged page": {func(path string) {
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for i := 100; i < 4096; i++ {
				content[i] = 0xff
			}
			write(t, path, content)
		}, store.ErrDamaged},
		"another program's database": {func(path string) { execute(t, path, "PRAGMA application_id = 7") }, store.ErrDamaged},
		"a newer schema":             {func(path string) { execute(t, path, "PRAGMA user_version = 1000") }, store.ErrNewer},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, err := Open(dir, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			test.spoil(filepath.Join(dir, fileName))
			if s, err = Open(dir, Options{}); !errors.Is(err, test.want) {
				t.Errorf("Opening gives %v; want %v", err, test.want)
			}
			if err == nil {
				_ = s.Close()
			}
		})
	}
}

// TestAnEarlierSchemaIsBroughtUp opens a ledger as the first version of the program has left it.
func TestAnEarlierSchemaIsBroughtUp(t *testing.T) {
	for name, test := range map[string]struct {
		content string
		want    store.Head
		oldest  time.Time
	}{
		"that was never used": {"", store.Head{}, time.Time{}},
		"with complaints": {`
			INSERT INTO channels (name, generation) VALUES ('dsw', 7);
			INSERT INTO cases (channel, case_id, events, status, category, department, priority, open, overdue, live, holds, unanswered_since, pseudonym, received_at)
				VALUES (1, 'C1', 0, 'Open', '', '', '', 1, 0, 1, 0, 1761966000000002, x'00ff80c3286162636465666768696a6b', 1761966000000002),
					(1, 'C2', 0, 'Open', '', '', '', 1, 0, 1, 0, 1761966000000001, x'00ff80c3286162636465666768696a6b', NULL),
					(1, 'C3', 0, 'Open', '', '', '', 1, 0, 1, 0, 1761966000000003, x'80', 1761966000000003),
					(1, 'C4', 0, 'Open', '', '', '', 1, 0, 1, 0, 1761966000000004, NULL, 1761966000000004);
			INSERT INTO figures VALUES ('k', 1, 2, 3, 4, 5);
			INSERT INTO settings VALUES ('policy', x'7b7d'), ('latest', CAST('1761966000000003' AS BLOB));
		`, store.Head{Revision: 1, At: time.UnixMicro(1761966000000003).UTC()}, time.UnixMicro(1761966000000001).UTC()},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, fileName)
			first, err := migrations.ReadFile("migrations/0001_ledger.sql")
			if err != nil {
				t.Fatal(err)
			}
			write(t, path, nil)
			execute(t, path, fmt.Sprintf("%s; %s; PRAGMA application_id = %d; PRAGMA user_version = 1", first, test.content, applicationID))
			s, err := Open(dir, Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			err = s.View(t.Context(), func(r store.Reader) error {
				head, err := r.Head(t.Context())
				if err != nil || head != test.want {
					t.Errorf("The head is %+v, error %v; want %+v", head, err, test.want)
				}
				channels, err := r.Channels(t.Context(), 0)
				if err != nil {
					return err
				}
				for _, c := range channels {
					if !c.OldestUnansweredAt.Equal(test.oldest) || c.Revision != 1 || c.Generation != 7 {
						t.Errorf("The channel is %+v; want the oldest unanswered at %v", c, test.oldest)
					}
				}
				settings, err := r.Settings(t.Context(), 0)
				if err != nil {
					return err
				}
				figures := 0
				err = r.Figures(t.Context(), 0, func(f store.Figures) error { figures++; return nil })
				if wanted := int(test.want.Revision); len(channels) != wanted || len(settings) != wanted || figures != wanted {
					t.Errorf("There are %d channels, %d settings and %d rows of figures; want %d of each", len(channels), len(settings), figures, wanted)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if test.content != "" {
				wantReporters(t, s)
			}
		})
	}
}

// TestEarlierRepliesAreFound opens a ledger of the schema before replies had columns for what they are found by.
func TestEarlierRepliesAreFound(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, fileName)
	write(t, path, nil)
	for n, name := range []string{"0001_ledger", "0002_revisions", "0003_replies", "0004_overdue", "0005_reporters"} {
		script, err := migrations.ReadFile("migrations/" + name + ".sql")
		if err != nil {
			t.Fatal(err)
		}
		execute(t, path, fmt.Sprintf("%s; PRAGMA application_id = %d; PRAGMA user_version = %d", script, applicationID, n+1))
	}
	execute(t, path, `INSERT INTO channels (name) VALUES ('dsw');
		INSERT INTO replies (channel, id, next_at, done_at, state) VALUES (1, 'a', NULL, 9, NULL),
			(1, 'sent', NULL, 9, CAST('{"case":"C\"é","state":"Sent","event":"platform/\"\u00e9é\""}' AS BLOB)),
			(1, 'sending', 7, NULL, CAST('{"case":"C1","state":"Sending","text":"baik"}' AS BLOB)),
			(1, 'waits', 8, NULL, CAST('{"case":"C1","state":"Pending","text":"baik"}' AS BLOB))`)
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	storetest.WantReplies(t, s, "dsw",
		store.Reply{Channel: "dsw", ID: "a", DoneAt: time.UnixMicro(9).UTC()},
		store.Reply{Channel: "dsw", ID: "sending", CaseID: "C1", NextAt: time.UnixMicro(7).UTC(), EndsAt: time.UnixMicro(7).UTC()},
		store.Reply{Channel: "dsw", ID: "sent", CaseID: `C"é`, DoneAt: time.UnixMicro(9).UTC(), Event: `platform/"éé"`},
		store.Reply{Channel: "dsw", ID: "waits", CaseID: "C1", NextAt: time.UnixMicro(8).UTC(), EndsAt: time.UnixMicro(8).UTC().Add(24 * time.Hour)})
}

// wantReporters asks a ledger that was brought up for the cases of its reporters, and for one that came after.
func wantReporters(t *testing.T, s *Store) {
	t.Helper()
	long := []byte("\x00\xff\x80\xc3(abcdefghijk")
	at := time.UnixMicro(1761966000000009).UTC()
	err := s.Update(t.Context(), func(tx store.Tx) error {
		return tx.PutCases(t.Context(), []store.Case{{CaseKey: complaint.CaseKey{Channel: "dsw", CaseID: "C5"}, Pseudonym: long, ReceivedAt: at}})
	})
	if err != nil {
		t.Fatal(err)
	}
	find := func(r store.Reader) error {
		found, err := r.ByReporter(t.Context(), []store.ReporterQuery{
			{Pseudonym: long, To: at.Add(1), Limit: 10}, {Pseudonym: long, To: at.Add(time.Microsecond), Limit: 10},
			{Pseudonym: long, Unreceived: true, Limit: 10}, {Pseudonym: []byte{0x80}, To: at, Limit: 10},
		})
		var ids [][]string
		for _, cases := range found {
			var of []string
			for i := range cases {
				of = append(of, cases[i].CaseID)
			}
			ids = append(ids, of)
		}
		if diff := cmp.Diff([][]string{{"C1"}, {"C5", "C1"}, {"C2"}, {"C3"}}, ids); diff != "" {
			t.Errorf("The reporters' cases (-want +got):\n%s", diff)
		}
		return err
	}
	if err := errors.Join(s.View(t.Context(), find), s.Update(t.Context(), func(tx store.Tx) error { return find(tx) })); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func execute(t *testing.T, path, sql string) {
	t.Helper()
	s := &Store{uri: uri(path, Options{})}
	c, err := s.connect(readerCache)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.db.Exec(sql), c.close()); err != nil {
		t.Fatal(err)
	}
}
