package ledger

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/calendar"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/internal/ledger/store/sqlite"
	"github.com/tanggap/tanggap/internal/ledger/transfer"
	"github.com/tanggap/tanggap/internal/mac"
	"github.com/tanggap/tanggap/internal/policy"
	"github.com/tanggap/tanggap/internal/sla"
	"github.com/tanggap/tanggap/internal/taxonomy"
)

// Monday, 2 November 2026, 10:00 in Depok.
var monday = time.Date(2026, 11, 2, 3, 0, 0, 0, time.UTC)

// fakeClock stands still until it is moved.
type fakeClock struct {
	mu sync.Mutex
	at time.Time
}

func (c *fakeClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *fakeClock) set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = at
}

func (c *fakeClock) move(d time.Duration) { c.set(c.now().Add(d)) }

// failer is what testing.T and rapid.T share.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// fixture is a ledger in a directory with a clock that is moved by hand and no maintenance but what the
// test asks for.
type fixture struct {
	t      failer
	dir    string
	clock  *fakeClock
	names  *Pseudonyms
	log    *slog.Logger // nil discards
	store  *faultyStore
	ledger *Ledger
	stop   func()
	// replicas are all ledgers on the storage, of which ledger is the one that is asked, and store its own.
	replicas []*replica
	// connect opens another store on the storage, which all of them share; nil is one SQLite store in dir.
	connect func() (store.Store, error)
}

// replica is one of several ledgers on a store.
type replica struct {
	*Ledger
	store *faultyStore
	stop  func()
}

// faultyStore is a store that several ledgers may use, each as if in a process of its own, and that can
// be cut off from them.
type faultyStore struct {
	store.Store
	shared bool
	// silent loses the answer to the next commits that are done; cut has nothing be done.
	silent, cut atomic.Bool
}

var errCut = errors.New("the connection was cut")

func (s *faultyStore) Exclusive() bool { return !s.shared && s.Store.Exclusive() }

func (s *faultyStore) Update(ctx context.Context, f func(store.Tx) error) error {
	if s.cut.Load() {
		return errCut
	}
	err := s.Store.Update(ctx, f)
	if err == nil && s.silent.Load() {
		return errCut
	}
	return err
}

func (s *faultyStore) View(ctx context.Context, f func(store.Reader) error) error {
	if s.cut.Load() {
		return errCut
	}
	return s.Store.View(ctx, f)
}

func newFixture(t failer, dir string) *fixture { return newReplicas(t, dir, 1) }

// newReplicas is a fixture with several ledgers on one store.
func newReplicas(t failer, dir string, n int) *fixture {
	f := makeFixture(t, dir, n)
	f.open()
	return f
}

func pseudonymKey(key string) *mac.Key { return mac.New(sha256.New, []byte(key)) }

func makeFixture(t failer, dir string, n int) *fixture {
	return &fixture{
		t: t, dir: dir, clock: &fakeClock{at: monday}, names: &Pseudonyms{keys: []*mac.Key{pseudonymKey("0123456789abcdef")}}, replicas: make([]*replica, n),
	}
}

// testFixture is a ledger with the sample policy that ends with the test.
func testFixture(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t, t.TempDir())
	t.Cleanup(f.close)
	f.policy(samplePolicy())
	return f
}

func (f *fixture) open() {
	f.t.Helper()
	connect := f.connect
	if connect == nil {
		opened, err := sqlite.Open(f.dir, sqlite.Options{})
		if err != nil {
			f.t.Fatalf("Opening the store: %v", err)
		}
		connect = func() (store.Store, error) { return opened, nil }
	}
	for i := range f.replicas {
		f.replicas[i] = f.run(connect)
	}
	f.ledger, f.store = f.replicas[0].Ledger, f.replicas[0].store
	f.stop = func() {
		for _, r := range f.replicas {
			r.stop()
		}
	}
}

// run begins a ledger on a store.
func (f *fixture) run(connect func() (store.Store, error)) *replica {
	f.t.Helper()
	opened, err := connect()
	if err != nil {
		f.t.Fatalf("Opening the store: %v", err)
	}
	s := &faultyStore{Store: opened, shared: len(f.replicas) > 1}
	l, err := Open(context.Background(), Options{Store: s, Pseudonyms: f.names, Now: f.clock.now, Log: f.log})
	if err != nil {
		f.t.Fatalf("Opening the ledger: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.Run(ctx)
	}()
	return &replica{l, s, func() { cancel(); <-done }}
}

// kill ends replica n without a word and begins another in its place.
func (f *fixture) kill(n int) {
	f.t.Helper()
	old := f.replicas[n]
	old.stop()
	connect := f.connect
	if connect == nil {
		connect = func() (store.Store, error) { return old.store.Store, nil }
	} else if err := old.store.Close(); err != nil {
		f.t.Errorf("Closing the store: %v", err)
	}
	f.replicas[n] = f.run(connect)
}

// ask has replica n asked from now on, which first catches up if several are on the store.
func (f *fixture) ask(n int) {
	f.t.Helper()
	f.ledger, f.store = f.replicas[n].Ledger, f.replicas[n].store
	if f.ledger.shared {
		if err := f.ledger.sync(context.Background()); err != nil {
			f.t.Fatalf("Catching up: %v", err)
		}
	}
}

func (f *fixture) close() {
	f.t.Helper()
	f.stop()
	for _, r := range f.replicas {
		if err := r.store.Close(); err != nil {
			f.t.Errorf("Closing the store: %v", err)
		}
	}
}

// restart ends the ledger and begins it anew on what is stored.
func (f *fixture) restart() {
	f.t.Helper()
	f.close()
	f.open()
}

// move ends the ledger and begins it anew on a storage to which everything was moved.
func (f *fixture) move() {
	f.t.Helper()
	f.stop()
	to := filepath.Join(f.dir, "moved")
	target, err := sqlite.Open(to, sqlite.Options{})
	if err != nil {
		f.t.Fatalf("Opening the new storage: %v", err)
	}
	out, in := io.Pipe()
	go func() {
		_, err := transfer.Export(context.Background(), f.store, in, f.clock.now(), nil)
		in.CloseWithError(err)
	}()
	if _, err := transfer.Import(context.Background(), target, out, nil); err != nil {
		f.t.Fatalf("Moving: %v", err)
	}
	if err := errors.Join(f.store.Close(), target.Close()); err != nil {
		f.t.Errorf("Closing the stores: %v", err)
	}
	f.dir = to
	f.open()
}

func (f *fixture) policy(d policy.Document) {
	f.t.Helper()
	if _, err := f.ledger.PutPolicy(context.Background(), d.Seal()); err != nil {
		f.t.Fatalf("Putting the policy: %v", err)
	}
}

func (f *fixture) append(channel string, events ...complaint.Event) ledgerapi.AppendResponse {
	f.t.Helper()
	out, err := f.ledger.Append(context.Background(), channel, ledgerapi.AppendRequest{Events: events})
	if err != nil {
		f.t.Fatalf("Appending: %v", err)
	}
	return out
}

// through moves a channel's observedThrough.
func (f *fixture) through(channel string, at time.Time) {
	f.t.Helper()
	if _, err := f.ledger.Append(context.Background(), channel, ledgerapi.AppendRequest{ObservedThrough: &at}); err != nil {
		f.t.Fatalf("Moving observedThrough: %v", err)
	}
}

// pass lets time pass, as the ticks of a ledger see it.
func (f *fixture) pass(d time.Duration) {
	f.t.Helper()
	f.clock.move(d)
	f.advance()
}

func (f *fixture) advance() {
	f.t.Helper()
	if err := f.ledger.Advance(context.Background()); err != nil {
		f.t.Fatalf("Advancing: %v", err)
	}
}

func (f *fixture) summary() *ledgerapi.Summary {
	f.t.Helper()
	s, err := f.ledger.Summary(context.Background(), ledgerapi.Position{}, 0)
	if err != nil {
		f.t.Fatalf("Reading the summary: %v", err)
	}
	return s
}

// verify checks the stored figures against a recount.
func (f *fixture) verify() {
	f.t.Helper()
	differences, err := Verify(context.Background(), f.store, nil)
	if err != nil {
		f.t.Fatalf("Verifying: %v", err)
	}
	for _, d := range differences {
		f.t.Errorf("Verify found that %s", d)
	}
}

// clock is the figures of a clock, summed over everything else.
func (f *fixture) figures(channel, clock string) (sum ledgerapi.ClockSeries) {
	f.t.Helper()
	for _, c := range f.summary().Clocks {
		if c.Channel == channel && c.Clock == clock {
			sum.DueSoon += c.DueSoon
			sum.Overdue += c.Overdue
			sum.Met += c.Met
			sum.Breached += c.Breached
			sum.Cancelled += c.Cancelled
		}
	}
	return sum
}

// wantClock compares the figures of a clock.
func (f *fixture) wantClock(when, channel, clock string, want ledgerapi.ClockSeries) {
	f.t.Helper()
	if diff := cmp.Diff(want, f.figures(channel, clock)); diff != "" {
		f.t.Errorf("%s, %s of %s (-want +got):\n%s", when, clock, channel, diff)
	}
}

// received, answered ... make events of a case at a time.
func event(caseID, id string, kind complaint.Kind, actor complaint.Actor, at time.Time) complaint.Event {
	return complaint.Event{CaseID: caseID, ID: id, Kind: kind, Actor: actor, OccurredAt: at}
}

func received(caseID string, at time.Time) complaint.Event {
	e := event(caseID, caseID+"/received", complaint.KindReceived, complaint.ActorCitizen, at)
	e.Text = "Banjir di jalan"
	return e
}

func answered(caseID string, at time.Time) complaint.Event {
	e := event(caseID, fmt.Sprintf("%s/answered/%d", caseID, at.UnixMicro()), complaint.KindAnswered, complaint.ActorOfficial, at)
	e.Text = "Petugas sudah membersihkan saluran air"
	return e
}

func status(caseID string, to complaint.Status, at time.Time) complaint.Event {
	e := event(caseID, fmt.Sprintf("%s/%s/%d", caseID, to, at.UnixMicro()), complaint.KindStatusChanged, complaint.ActorOfficial, at)
	e.To = to
	return e
}

// samplePolicy has two official channels, and one that complaints spill over to.
func samplePolicy() policy.Document {
	official := policy.Channel{
		Type: "rest", Official: true, Writer: "system:serviceaccount:depok:worker", SLA: "city", Calendar: "office", Taxonomy: "words",
	}
	wa := official
	wa.Official = false
	return policy.Document{
		Channels: map[string]policy.Channel{"dsw": official, "sigap": official, "wa": wa},
		SLAs: map[string]sla.Spec{"city": {
			Acknowledgement: &sla.Acknowledgement{Match: `event.text.contains("terima kasih")`},
			Rules: []sla.Rule{
				{Name: "flood", Match: `complaint.category == "flood"`, Clocks: []sla.Clock{
					{Name: "FirstAnswer", Measures: "FirstAnswer", Target: sla.Target{Within: "15m"}, WarnBefore: "20%"},
					{Name: "NextReply", Measures: "NextReply", Target: sla.Target{Within: "1h"}},
					{Name: "Done", Measures: "TotalResolution", Target: sla.Target{WorkingTime: "4h"}, PauseWhile: []string{"AwaitingCitizen"}},
				}},
				{Name: "rest", Clocks: []sla.Clock{
					{Name: "FirstAnswer", Measures: "FirstAnswer", Target: sla.Target{WorkingDays: 1}},
					{Name: "Done", Measures: "TotalResolution", Target: sla.Target{Within: "48h"}, WarnBefore: "24h"},
				}},
			},
		}},
		Calendars: map[string]calendar.Spec{"office": {
			TimeZone: "Asia/Jakarta",
			Weekly: []calendar.WeeklyHours{{
				Days: []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday"}, Hours: []calendar.Interval{{Start: "07:30", End: "16:00"}},
			}},
			CoversUntil: "2026-12-31",
		}},
		Taxonomies: map[string]taxonomy.Spec{"words": {
			Departments: []taxonomy.Department{{Name: "dpupr"}, {Name: "dlhk", SourceValues: []string{"DLHK"}}},
			Categories: []taxonomy.Category{
				{Name: "flood", Department: "dpupr", Priority: "high", Keywords: []string{"banjir"}},
				{Name: "garbage", Department: "dlhk", Keywords: []string{"sampah"}, SourceValues: []string{"Sampah"}},
			},
		}},
		Linking: policy.Linking{Window: "72h"},
	}
}
