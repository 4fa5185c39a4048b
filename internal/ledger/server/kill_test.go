package server

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger"
	"github.com/tanggap/tanggap/internal/ledger/client"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/internal/ledger/store/sqlite"
	"github.com/tanggap/tanggap/internal/policy"
)

// victimDir names, in the environment of a process of this test, the ledger it has to serve until it is
// killed.
const victimDir = "TANGGAP_TEST_LEDGER_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDir); dir != "" {
		if err := serveUntilKilled(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// killPolicy has some channels, so that transactions mix them.
func killPolicy() policy.Document {
	d := benchPolicy()
	for _, name := range []string{"sigap", "112", "wa"} {
		d.Channels[name] = d.Channels["dsw"]
	}
	return d.Seal()
}

func serveUntilKilled(dir string) error {
	storage, err := sqlite.Open(dir, sqlite.Options{})
	if err != nil {
		return err
	}
	ctx := context.Background()
	l, err := ledger.Open(ctx, ledger.Options{Store: storage})
	if err != nil {
		return err
	}
	go l.Run(ctx)
	go l.Maintain(ctx)
	if _, err := l.PutPolicy(ctx, killPolicy()); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	return http.Serve(listener, New(l, anyToken{}, slog.New(slog.DiscardHandler)))
}

// TestWhatWasAcknowledgedSurvivesAKill kills the ledger at random moments while four workers append
// and time makes clocks due. After each kill every acknowledged event must be there once, the cursor must
// be the one of the last batch that is there, and every figure must equal a recount.
func TestWhatWasAcknowledgedSurvivesAKill(t *testing.T) {
	rounds := 25
	if testing.Short() {
		rounds = 5
	}
	dir := t.TempDir()
	tokens := dir + "/token"
	if err := os.WriteFile(tokens, []byte("t"), 0o600); err != nil {
		t.Fatal(err)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("The seed is %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var workers []*appender
	for _, channel := range []string{"dsw", "sigap", "112", "wa"} {
		workers = append(workers, &appender{t: t, channel: channel, random: rand.New(rand.NewPCG(seed, uint64(len(workers)+1))), acknowledged: map[string]bool{}})
	}
	for range rounds {
		victim, address := startVictim(t, dir)
		c, err := client.New(client.Config{BaseURL: "http://" + address, TokenFile: tokens})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		for _, w := range workers {
			running.Go(func() { w.run(ctx, c) })
		}
		<-time.After(time.Duration(random.IntN(150)) * time.Millisecond) // the random moment itself
		if err := victim.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = victim.Wait()
		stop()
		running.Wait()
		c.CloseIdleConnections()
		checkAfterKill(t, dir, workers)
		if t.Failed() {
			return
		}
	}
	total := 0
	for _, w := range workers {
		total += len(w.acknowledged)
	}
	if total == 0 {
		t.Error("Nothing was acknowledged in any round")
	}
	t.Logf("%d events were acknowledged and are there", total)
}

func startVictim(t *testing.T, dir string) (*exec.Cmd, string) {
	t.Helper()
	victim := exec.Command(os.Args[0], "-test.run=^$")
	victim.Env = append(os.Environ(), victimDir+"="+dir+"/data")
	victim.Stderr = os.Stderr
	out, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = victim.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("The ledger did not start: %v", err)
	}
	return victim, strings.TrimSpace(line)
}

// appender is a worker of one channel: it sends batch after batch with a cursor, and after a failure
// goes on from where the ledger says it is.
type appender struct {
	t            *testing.T
	channel      string
	random       *rand.Rand
	batch        int
	acknowledged map[string]bool
}

func (w *appender) run(ctx context.Context, c *client.Client) {
	t := w.t
	state, err := c.Channel(ctx, w.channel)
	if err != nil {
		return // killed before the first request
	}
	generation := state.CursorGeneration
	if state.Cursor != nil {
		if err := json.Unmarshal(state.Cursor, &w.batch); err != nil {
			t.Errorf("The cursor of %s is %s", w.channel, state.Cursor)
		}
	}
	for ctx.Err() == nil {
		events := w.events(w.batch + 1)
		now := time.Now()
		out, err := c.Append(ctx, w.channel, ledgerapi.AppendRequest{
			Events: events, Cursor: json.RawMessage(fmt.Sprint(w.batch + 1)), PreviousGeneration: generation, ObservedThrough: &now,
		})
		if err != nil {
			if !client.Retryable(err) && !errors.Is(err, context.Canceled) {
				t.Errorf("Appending to %s: %v", w.channel, err)
			}
			return
		}
		w.batch++
		generation = out.CursorGeneration
		for _, e := range events {
			w.acknowledged[e.ID] = true
		}
	}
}

// events are those of a batch: the same whenever it is sent.
func (w *appender) events(batch int) (events []complaint.Event) {
	at := time.Now()
	for i := range 1 + batch%7 {
		id := fmt.Sprintf("%d-%d", batch, i)
		e := complaint.Event{
			CaseID: fmt.Sprint(batch / 3), ID: id, Kind: complaint.KindReceived, Actor: complaint.ActorCitizen,
			OccurredAt: at.Add(-time.Duration(w.random.IntN(40)) * time.Hour), Text: "banjir",
		}
		if i%3 == 1 {
			e.Kind, e.Actor = complaint.KindAnswered, complaint.ActorOfficial
		}
		events = append(events, e)
	}
	return events
}

func checkAfterKill(t *testing.T, dir string, workers []*appender) {
	t.Helper()
	storage, err := sqlite.Open(dir+"/data", sqlite.Options{})
	if err != nil {
		t.Fatalf("Opening after the kill: %v", err)
	}
	defer storage.Close()
	differences, err := ledger.Verify(t.Context(), storage, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range differences {
		t.Errorf("Verify found that %s", d)
	}
	err = storage.View(t.Context(), func(r store.Reader) error {
		channels, err := r.Channels(t.Context(), 0)
		if err != nil {
			return err
		}
		for _, w := range workers {
			there, err := eventsOf(t.Context(), r, w.channel)
			if err != nil {
				return err
			}
			for id := range w.acknowledged {
				if there[id] != 1 {
					t.Errorf("The acknowledged event %s of %s is there %d times", id, w.channel, there[id])
				}
			}
			last := 0
			for i := range channels {
				if channels[i].Name == w.channel && channels[i].Cursor != nil {
					if err := json.Unmarshal(channels[i].Cursor, &last); err != nil {
						return err
					}
				}
			}
			if last < w.batch {
				t.Errorf("The cursor of %s is %d, but batch %d was acknowledged", w.channel, last, w.batch)
			}
			for id := range there {
				var batch, i int
				if _, err := fmt.Sscanf(id, "%d-%d", &batch, &i); err != nil || batch > last {
					t.Errorf("The event %s of %s is there, but the cursor is %d", id, w.channel, last)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func eventsOf(ctx context.Context, r store.Reader, channel string) (map[string]int, error) {
	there := map[string]int{}
	query := store.PageQuery{Channel: channel, Limit: 1000, Scan: 1000}
	for {
		cases, next, err := r.Page(ctx, query)
		if err != nil {
			return nil, err
		}
		keys := make([]complaint.CaseKey, len(cases))
		for i := range cases {
			keys[i] = cases[i].CaseKey
		}
		events, err := r.Events(ctx, keys)
		if err != nil {
			return nil, err
		}
		for _, list := range events {
			for i := range list {
				there[list[i].ID]++
			}
		}
		if query.After = next; next == nil {
			return there, nil
		}
	}
}
