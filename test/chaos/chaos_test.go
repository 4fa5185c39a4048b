package chaos

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tanggap/tanggap/test/site"
)

// worldRounds is how many rounds one world lasts.
const worldRounds = 10

// TestWhatWasAcknowledgedIsThereOnce is the promise itself.
func TestWhatWasAcknowledgedIsThereOnce(t *testing.T) {
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("go test ./test/chaos -args -rounds %d -seed %d repeats the choices of this run", *rounds, *seed)
	random := rand.New(rand.NewPCG(*seed, 0))
	tanggap := program(t)
	kinds := []func(*testing.T) func(*testing.T) storage{embeddedKind, postgresKind, replicatedKind}
	results := &results{}
	for i, kind := range kinds {
		share := *rounds / len(kinds)
		if i < *rounds%len(kinds) {
			share++
		}
		newStorage := kind(t)
		for done := 0; done < share; done += worldRounds {
			name := fmt.Sprintf("%d-%d", i, done)
			t.Run(name, func(t *testing.T) {
				w := newWorld(t, tanggap, newStorage(t), random)
				w.rounds(t, done, min(worldRounds, share-done), results)
			})
			if t.Failed() {
				return
			}
		}
	}
	table := results.table()
	t.Log("\n" + table)
	if *output != "" {
		page := "# Chaos\n\nWritten by `make chaos`; do not edit. [README.md](README.md) says what is done in a round.\n\n" +
			fmt.Sprintf("%d rounds, seed %d.\n\n", *rounds, *seed) + table
		if err := os.WriteFile(*output, []byte(page), 0o644); err != nil {
			t.Error(err)
		}
	}
}

// program builds tanggap and is where it is.
func program(t *testing.T) string {
	t.Helper()
	tanggap, err := site.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return tanggap
}

// embeddedKind makes embedded storages on one small disk.
func embeddedKind(t *testing.T) func(*testing.T) storage {
	t.Helper()
	d := newDisk(t, "embedded", 96)
	return func(t *testing.T) storage { t.Helper(); return newEmbedded(t, d) }
}

// rounds carries out n rounds, counted on from first, so that every fault has its turn.
func (w *world) rounds(t *testing.T, first, n int, all *results) {
	t.Helper()
	faults := slices.DeleteFunc(w.storage.faults(), func(f fault) bool { return !strings.Contains(f.name, *only) })
	if len(faults) == 0 {
		return
	}
	for i := range n {
		f := faults[(first+i)%len(faults)]
		acks, retries := w.totals()
		if err := w.round(t.Context(), f); err != nil {
			t.Fatalf("round %d: %v", first+i, err)
		}
		c, err := w.check(t.Context())
		if err != nil {
			t.Fatalf("round %d, after %s: %v", first+i, f.name, err)
		}
		nowAcks, nowRetries := w.totals()
		all.add(w.storage.name(), f.name, result{
			acknowledged: nowAcks - acks, retries: nowRetries - retries, outages: []time.Duration{w.outage}, count: c,
		})
		t.Logf("%s: %d deliveries acknowledged, %d tries in vain, %d ms until all were heard again, %d events",
			f.name, nowAcks-acks, nowRetries-retries, w.outage.Milliseconds(), c.events)
	}
}

func (w *world) totals() (acks, retries int) {
	for _, s := range w.senders {
		acks += s.acks
		retries += s.retries
	}
	return acks, retries
}

// results are the sums of rounds by storage and fault, in the order in which they came.
type results struct {
	names []string
	sums  []result
}

type result struct {
	acknowledged, retries int
	outages               []time.Duration
	count                 count
}

func (r *results) add(storage, fault string, one result) {
	name := storage + " | " + fault
	i := slices.Index(r.names, name)
	if i < 0 {
		i = len(r.names)
		r.names, r.sums = append(r.names, name), append(r.sums, result{})
	}
	sum := &r.sums[i]
	sum.acknowledged += one.acknowledged
	sum.retries += one.retries
	sum.outages = append(sum.outages, one.outages...)
	sum.count.lost += one.count.lost
	sum.count.doubled += one.count.doubled
	sum.count.differences += one.count.differences
}

func (r *results) table() string {
	var b strings.Builder
	b.WriteString("| storage | what fails | rounds | acknowledged | tries in vain | until heard again, median (most) | lost | doubled | figures that differ |\n")
	b.WriteString("| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for i, name := range r.names {
		s := &r.sums[i]
		slices.Sort(s.outages)
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d ms (%d ms) | %d | %d | %d |\n", name, len(s.outages), s.acknowledged, s.retries,
			s.outages[len(s.outages)/2].Milliseconds(), s.outages[len(s.outages)-1].Milliseconds(), s.count.lost, s.count.doubled, s.count.differences)
	}
	return b.String()
}
