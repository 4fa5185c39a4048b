package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/client"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/test/site"
)

const (
	floodChannel = "dsw"
	// floodSenders are more than a worker serves at once on one channel.
	floodSenders = 320
)

// TestAFloodIsToldToComeAgain: deliveries come in while nothing can be stored, more than may wait. Each sender is
// told to come again, at once where too many wait, and nothing is acknowledged. Once it can be stored again
// everything is, once; and while one channel goes on flooding, 112 is never turned away.
func TestAFloodIsToldToComeAgain(t *testing.T) {
	tanggap := program(t)
	tests := map[string]struct {
		kind func(*testing.T) func(*testing.T) storage
		// hold keeps anything from being stored until release is called.
		hold func(ctx context.Context, w *world) (release func() error, err error)
	}{
		"the ledger is frozen":         {embeddedKind, holdLedger},
		"the database's lock is taken": {postgresKind, holdDatabase},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, tanggap, tt.kind(t)(t), rand.New(rand.NewPCG(*seed, 2)))
			for i := range floodSenders {
				s := newSender(floodChannel, fmt.Sprintf("flood-%d", i), w.random.Uint64())
				s.rest = time.Second
				w.senders = append(w.senders, s)
			}
			release, err := tt.hold(t.Context(), w)
			if err != nil {
				t.Fatal(err)
			}
			err = w.delivering(t.Context(), func() error {
				if err := errors.Join(w.turnedAway(t.Context()), release()); err != nil {
					return err
				}
				return w.takenAgain(t.Context())
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.check(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// holdLedger freezes the ledger.
func holdLedger(_ context.Context, w *world) (func() error, error) {
	return w.site.Ledger.Thaw, w.site.Ledger.Freeze()
}

// holdDatabase locks the row that every transaction of a ledger locks.
func holdDatabase(ctx context.Context, w *world) (func() error, error) {
	s, ok := w.storage.(*database)
	if !ok {
		return nil, errors.New("not on a database")
	}
	c, err := s.server.Connect(ctx, s.schema)
	if err != nil {
		return nil, err
	}
	release := func() error { return c.Close(context.WithoutCancel(ctx)) }
	for _, sql := range []string{"BEGIN", "SELECT 1 FROM ledger FOR UPDATE"} {
		if _, err := c.Exec(ctx, sql); err != nil {
			return nil, errors.Join(err, release())
		}
	}
	return release, nil
}

// turnedAway waits until some are turned away at once, again and again, while others still wait for an answer to
// their first try, and until every sender of 112 was told to come again. Nobody may have been acknowledged
// anything.
func (w *world) turnedAway(ctx context.Context) error {
	const again = 3
	atOnce := false
	return w.until(ctx, "senders were turned away", func() (bool, error) {
		most, waiting, told := 0, 0, true
		for _, s := range w.senders {
			acks, retries := s.counts()
			if acks > 0 {
				return false, fmt.Errorf("%s was acknowledged what cannot be stored", s.channel)
			}
			if most = max(most, retries); retries == 0 {
				waiting++
			}
			told = told && (s.channel != callChannel || retries > 0)
		}
		atOnce = atOnce || most >= again && waiting > 0
		return atOnce && told, nil
	})
}

// takenAgain waits until everybody is heard, and then for further deliveries by 112, of which none may be turned
// away, while the flood goes on and is.
func (w *world) takenAgain(ctx context.Context) error {
	if err := w.heard(ctx, time.Now()); err != nil {
		return err
	}
	const further = 10
	type counts struct{ acks, retries int }
	before := make([]counts, len(w.senders))
	for i, s := range w.senders {
		before[i].acks, before[i].retries = s.counts()
	}
	return w.until(ctx, "112 was acknowledged in a flood", func() (bool, error) {
		served, flooded := true, 0
		for i, s := range w.senders {
			acks, retries := s.counts()
			if s.channel != callChannel {
				flooded += retries - before[i].retries
				continue
			}
			if retries > before[i].retries {
				return false, errors.New("a delivery by 112 was turned away because of another channel's flood")
			}
			served = served && acks >= before[i].acks+further
		}
		return served && flooded > 0, nil
	})
}

// until waits for a condition, and says what did not happen.
func (w *world) until(ctx context.Context, what string, is func() (bool, error)) error {
	for began := time.Now(); ; {
		if done, err := is(); done || err != nil {
			return err
		}
		if time.Since(began) > patience {
			return fmt.Errorf("for %s it did not come about that %s\n%s\n%s", patience, what, w.site.Ledger.Tail(), w.site.Worker.Tail())
		}
		if !site.Pause(ctx, 5*time.Millisecond) {
			return ctx.Err()
		}
	}
}

// TestAChannelThatFillsItsLaneLeavesRoom: as many workers would, somebody sends a ledger that cannot store more
// than one channel may have waiting. What is beyond that is refused, with a time to come again; another channel
// is not, and what was taken is stored, as is what comes again.
func TestAChannelThatFillsItsLaneLeavesRoom(t *testing.T) {
	const requests, events = 8, 250 // of 4 MiB each
	w := newWorld(t, program(t), postgresKind(t)(t), rand.New(rand.NewPCG(*seed, 3)))
	s := newSender(floodChannel, "batches", 0)
	w.senders = []*sender{s}
	release, err := holdDatabase(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	refused := make(chan error, requests+1)
	goOn := make(chan struct{})
	errs := make([]error, requests+1)
	var sending sync.WaitGroup
	send := func(i int, channel string, events int) {
		batch := batchOf(s, fmt.Sprintf("%s-%d", channel, i), events)
		sending.Go(func() { errs[i] = appendUntilTaken(t.Context(), w.site.AsWorker, channel, batch, refused, goOn) })
	}
	for i := range requests {
		send(i, floodChannel, events)
	}
	first := <-refused
	send(requests, callChannel, 1)
	if after := client.RetryAfter(first); after <= 0 {
		t.Errorf("The ledger refused without a time to come again: %v", first)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	close(goOn)
	sending.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if c, err := w.check(t.Context()); err != nil {
		t.Fatal(err)
	} else if want := requests*events + 1; c.events != want {
		t.Errorf("%d events are stored; want %d", c.events, want)
	}
}

// batchOf makes events as the sender's, of which each has as much text as it may.
func batchOf(s *sender, name string, events int) ledgerapi.AppendRequest {
	var batch ledgerapi.AppendRequest
	for i := range events {
		id := fmt.Sprintf("%s-%d", name, i)
		s.attempted[id], s.acknowledged[id+" Received"] = true, true
		batch.Events = append(batch.Events, complaint.Event{
			CaseID: id, ID: id, Kind: complaint.KindReceived, Actor: complaint.ActorCitizen, OccurredAt: s.began,
			Text: strings.Repeat("x", complaint.MaxTextBytes),
		})
	}
	return batch
}

// appendUntilTaken sends a batch until it is stored. What was refused is told, and comes again when goOn says so;
// 112 may not be refused.
func appendUntilTaken(ctx context.Context, c *client.Client, channel string, batch ledgerapi.AppendRequest, refused chan<- error, goOn <-chan struct{}) error {
	for {
		_, err := c.Append(ctx, channel, batch)
		refusal, ok := errors.AsType[*client.Error](err)
		if !ok || refusal.Status != http.StatusServiceUnavailable || channel == callChannel {
			return err
		}
		select {
		case refused <- err:
		default: // it was told before
		}
		<-goOn
		if !site.Pause(ctx, 50*time.Millisecond) {
			return ctx.Err()
		}
	}
}
