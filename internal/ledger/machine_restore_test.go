package ledger

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/store/sqlite"
	"github.com/tanggap/tanggap/internal/policy"
)

// modelState is what the model knows of what is stored.
type modelState struct {
	ids         map[[2]string]bool
	cases       map[complaint.CaseKey]*modelCase
	readThrough map[string]time.Time
	counters    tally
	rules       *policy.Policy
	// last are the rules that a channel had last, by which what goes while it is not there had decided.
	last     map[string]*policy.Rules
	accepted int
	// erased are the phones of who was erased, and until when; together says that somebody was erased by both, who
	// is one reporter from then on.
	erased   map[string]time.Time
	together bool
	// replies are those that are kept; early is when what came back that is no known reply, by channel and event.
	replies []*askedReply
	early   map[[2]string]time.Time
}

func newModelState() modelState {
	return modelState{
		ids: map[[2]string]bool{}, cases: map[complaint.CaseKey]*modelCase{}, readThrough: map[string]time.Time{}, counters: tally{},
		last: map[string]*policy.Rules{}, erased: map[string]time.Time{}, early: map[[2]string]time.Time{},
	}
}

// copied shares nothing that changes with what it was made of.
func (s *modelState) copied() modelState {
	c := *s
	c.ids, c.readThrough, c.last, c.erased, c.early = maps.Clone(s.ids), maps.Clone(s.readThrough), maps.Clone(s.last), maps.Clone(s.erased), maps.Clone(s.early)
	c.cases = map[complaint.CaseKey]*modelCase{}
	for k, one := range s.cases {
		of := *one
		of.events = slices.Clone(one.events)
		of.counted, of.last, of.observed = maps.Clone(one.counted), maps.Clone(one.last), maps.Clone(one.observed)
		c.cases[k] = &of
	}
	c.counters = tally{}
	for k, v := range s.counters {
		row := *v
		c.counters[k] = &row
	}
	c.replies = make([]*askedReply, len(s.replies))
	for i, r := range s.replies {
		of := *r
		c.replies[i] = &of
	}
	return c
}

// backUpStopped stops the ledger and copies its storage.
func (m *machine) backUpStopped(rt *rapid.T) {
	m.close()
	m.backup = filepath.Join(m.root, "backup")
	m.copyStorage(rt, m.dir, m.backup)
	m.backedUp, m.elsewhere = m.copied(), false
	m.open()
}

// restore puts the storage back to what the last backup has, if there is one: under a ledger that has it alone, or
// while every ledger is stopped, as it is to be before it is given another storage.
func (m *machine) restore(rt *rapid.T) {
	if m.backup == "" {
		return
	}
	m.restored++
	to := filepath.Join(m.root, "restored", fmt.Sprint(m.restored))
	m.copyStorage(rt, m.backup, to)
	elsewhere := m.elsewhere
	m.modelState, m.elsewhere = m.backedUp.copied(), false
	if len(m.replicas) > 1 || elsewhere || rapid.Bool().Draw(rt, "restart") {
		m.close()
		m.dir = to
		m.open()
		return
	}
	if err := m.store.Close(); err != nil {
		rt.Fatalf("Closing the store: %v", err)
	}
	opened, err := sqlite.Open(to, sqlite.Options{})
	if err != nil {
		rt.Fatalf("Opening the backup: %v", err)
	}
	m.dir, m.store.Store = to, opened
}

func (m *machine) copyStorage(rt *rapid.T, from, to string) {
	err := os.RemoveAll(to)
	if err == nil {
		err = os.MkdirAll(to, 0o700)
	}
	for _, name := range []string{"ledger.db", "ledger.db-wal"} {
		content, readErr := fs.ReadFile(os.DirFS(from), name)
		if readErr != nil {
			continue // there need not be a log
		}
		if writeErr := os.WriteFile(filepath.Join(to, name), content, 0o600); writeErr != nil {
			err = writeErr
		}
	}
	if err != nil {
		rt.Fatalf("Copying the storage: %v", err)
	}
}
