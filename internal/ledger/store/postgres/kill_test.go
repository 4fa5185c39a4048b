package postgres

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/test/postgres"
)

// TestWhatWasAcknowledgedSurvivesACrash ends the server at random moments, in every way there is, while two
// stores write to one database. After each restart everything acknowledged is there once, and the figures
// equal a recount.
func TestWhatWasAcknowledgedSurvivesACrash(t *testing.T) {
	t.Parallel()
	rounds := 9
	if testing.Short() {
		rounds = 3
	}
	own, err := postgres.Start(t.Context(), postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	name := database(t, own)
	seed := uint64(time.Now().UnixNano())
	t.Logf("The seed is %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	stores := []*Store{open(t, Options{URL: own.URLAs(name, name)}), open(t, Options{URL: own.URLAs(name, name)})}
	for _, s := range stores {
		s.outcomeLimit = 50 * time.Millisecond // a server that was ended is not awaited
	}
	var mu sync.Mutex
	acknowledged := map[string]bool{}
	for round := range rounds {
		stop := make(chan struct{})
		var running sync.WaitGroup
		for g := range 4 {
			running.Go(func() {
				for n := 0; ; n++ {
					select {
					case <-stop:
						return
					default:
					}
					id := fmt.Sprintf("%d-%d-%d", round, g, n)
					err := stores[g%len(stores)].Update(t.Context(), func(tx store.Tx) error { return count(t.Context(), tx, id) })
					if err == nil {
						mu.Lock()
						acknowledged[id] = true
						mu.Unlock()
					}
				}
			})
		}
		<-time.After(time.Duration(50+random.IntN(250)) * time.Millisecond) // the random moment itself
		end := []func() error{own.Crash, own.Kill, own.Shutdown}[round%3]
		if err := end(); err != nil {
			t.Fatal(err)
		}
		close(stop)
		running.Wait()
		if err := own.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		figure, cases, head := counted(t, stores[0])
		events := 0
		for _, n := range cases {
			events += n
		}
		if int(figure) != len(cases) || events != len(cases) || head.Revision != figure {
			t.Fatalf("Round %d: the figure is %d, there are %d cases with %d events at revision %d; want one number", round, figure, len(cases), events, head.Revision)
		}
		for id := range acknowledged {
			if cases[id] != 1 {
				t.Fatalf("Round %d: %s was acknowledged and is there %d times", round, id, cases[id])
			}
		}
	}
	if len(acknowledged) == 0 {
		t.Error("Nothing was acknowledged")
	}
	t.Logf("%d updates were acknowledged", len(acknowledged))
}

// TestStoresTakeTurns: updates of several stores on one database run one after the other, in the order of
// their revisions, and each sees those before it.
func TestStoresTakeTurns(t *testing.T) {
	t.Parallel()
	name := database(t, server)
	const stores, rounds = 4, 25
	var mu sync.Mutex
	seen := map[int64]int{}
	var running sync.WaitGroup
	for range stores {
		s := open(t, Options{URL: server.URLAs(name, name)})
		running.Go(func() {
			for range rounds {
				err := s.Update(t.Context(), func(tx store.Tx) error {
					head, err := tx.Head(t.Context())
					if err != nil {
						return err
					}
					value, err := tx.Setting(t.Context(), "n")
					if err != nil {
						return err
					}
					if int64(len(value)) != head.Revision {
						return fmt.Errorf("after %d revisions %d updates are seen", head.Revision, len(value))
					}
					mu.Lock()
					seen[head.Revision]++
					mu.Unlock()
					return tx.PutSetting(t.Context(), "n", append(value, 'x'))
				})
				if err != nil {
					t.Errorf("Updating: %v", err)
				}
			}
		})
	}
	running.Wait()
	if len(seen) != stores*rounds {
		t.Errorf("There were %d revisions; want %d", len(seen), stores*rounds)
	}
}

// TestNothingIsCommittedOnAGuess: a store that was alone for long, and takes the database for what it has left,
// writes after another one has.
func TestNothingIsCommittedOnAGuess(t *testing.T) {
	t.Parallel()
	name := database(t, server)
	one, other := open(t, Options{URL: server.URLAs(name, name)}), open(t, Options{URL: server.URLAs(name, name)})
	runs := 0
	add := func(s *Store) {
		t.Helper()
		err := s.Update(t.Context(), func(tx store.Tx) error {
			runs++
			if _, err := tx.Head(t.Context()); err != nil {
				return err
			}
			return tx.AddFigures(t.Context(), []store.Figures{{Key: "n", Values: [store.FigureColumns]int64{1}}})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	add(one)
	add(one)
	if runs != 2 || one.left == nil || one.left.Revision != 2 {
		t.Fatalf("After %d runs the store has left %+v; want the second revision", runs, one.left)
	}
	add(other)
	add(one)
	if runs != 5 {
		t.Errorf("The transactions ran %d times; want the last one twice", runs)
	}
	err := one.View(t.Context(), func(r store.Reader) error {
		return r.Figures(t.Context(), 0, func(f store.Figures) error {
			if f.Values[0] != 4 || f.Revision != 4 {
				t.Errorf("The figure is %+v; want 4 at the fourth revision", f)
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}
