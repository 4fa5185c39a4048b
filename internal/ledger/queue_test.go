package ledger

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

func channelsOf(group []*request) (names []string) {
	for _, r := range group {
		names = append(names, r.channel)
	}
	return names
}

// taken is what the queue gives; nil once it is closed and empty.
func taken(q *queue) []*request {
	group, _ := q.take(0)
	return group
}

func TestTheQueueTakesTurnsBetweenChannels(t *testing.T) {
	q := newQueue()
	put := func(channel string, n, events int) {
		t.Helper()
		for range n {
			if err := q.put(&request{channel: channel, events: events}); err != nil {
				t.Fatal(err)
			}
		}
	}
	put("flooding", 10, 1000)
	put("112", 1, 1)
	put("dsw", 2, 1)
	put("", 1, 0)
	if diff := cmp.Diff([]string{"", "flooding", "112", "dsw", "flooding", "dsw", "flooding"}, channelsOf(taken(q))); diff != "" {
		t.Errorf("The first transaction (-want +got):\n%s", diff)
	}
	put("112", 1, 1)
	if diff := cmp.Diff([]string{"flooding", "112", "flooding", "flooding"}, channelsOf(taken(q))); diff != "" {
		t.Errorf("The second transaction (-want +got):\n%s", diff)
	}
}

func TestTheQueueIsBoundedAsAWholeAndForEachChannel(t *testing.T) {
	q := newQueue()
	fill := func(channel string, bytes int) (taken int) {
		t.Helper()
		for {
			err := q.put(&request{channel: channel, bytes: bytes})
			if refusal, ok := errors.AsType[*RefusalError](err); ok {
				if refusal.Reason != Unavailable || refusal.RetryAfter == 0 {
					t.Errorf("The refusal is %v; want one to retry", refusal)
				}
				return taken
			}
			taken++
		}
	}
	if n := fill("flooding", 1<<20); n != maxLaneBytes>>20 {
		t.Errorf("One channel took %d MiB; want %d", n, maxLaneBytes>>20)
	}
	if err := q.put(&request{channel: "112", bytes: 1 << 10}); err != nil {
		t.Errorf("Another channel was refused: %v", err)
	}
	if err := q.put(&request{bytes: 1 << 30}); err != nil {
		t.Errorf("The ledger's own work was refused: %v", err)
	}
	for _, channel := range []string{"a", "b", "c", "d"} {
		fill(channel, 1<<20)
	}
	fill("e", 1<<10)
	if q.bytes > maxQueueBytes {
		t.Errorf("%d bytes wait; want at most %d", q.bytes, maxQueueBytes)
	}
	if err := q.put(&request{channel: "portal", bytes: 1 << 10}); err != nil {
		t.Errorf("A channel that asks for little was refused because others flood: %v", err)
	}
	if err := q.put(&request{channel: "portal", bytes: 1 << 10}); err == nil {
		t.Error("A channel has more wait in a full queue")
	}
	for len(q.turn) > 0 {
		taken(q)
	}
	if q.bytes != 0 || len(q.lanes) != 0 {
		t.Errorf("An empty queue says that %d bytes in %d lanes wait", q.bytes, len(q.lanes))
	}
	if err := q.put(&request{channel: "large", bytes: maxQueueBytes * 2}); err != nil {
		t.Errorf("A large request alone was refused: %v", err)
	}
}

func TestAClosedQueueGivesOutWhatWaitsAndTakesNothing(t *testing.T) {
	q := newQueue()
	if err := q.put(&request{channel: "dsw"}); err != nil {
		t.Fatal(err)
	}
	q.close()
	var refusal *RefusalError
	if err := q.put(&request{channel: "dsw"}); !errors.As(err, &refusal) || refusal.Reason != Unavailable {
		t.Errorf("A closed queue gives %v", err)
	}
	if n := len(taken(q)); n != 1 {
		t.Errorf("%d requests were given out; want 1", n)
	}
	if group := taken(q); group != nil {
		t.Errorf("An empty closed queue gave %v", group)
	}
}

func TestTheQueueLosesNothingBetweenManyGoroutines(t *testing.T) {
	q := newQueue()
	const goroutines, each = 8, 500
	var putters sync.WaitGroup
	for range goroutines {
		putters.Go(func() {
			for i := range each {
				if err := q.put(&request{channel: string(rune('a' + i%5)), bytes: 1}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	go func() { putters.Wait(); q.close() }()
	total := 0
	for group := taken(q); group != nil; group = taken(q) {
		total += len(group)
	}
	if total != goroutines*each {
		t.Errorf("%d of %d were taken", total, goroutines*each)
	}
}

// TestWhatABatchHoldsIsWeighed has a batch wait whose bytes are in anything but texts: what weighs nothing could
// wait without end.
func TestWhatABatchHoldsIsWeighed(t *testing.T) {
	f := testFixture(t)
	l, err := Open(t.Context(), Options{Store: f.store, Now: f.clock.now}) // it does not run, so that what comes waits
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	long := strings.Repeat("x", 200)
	quoting := received("1", monday)
	quoting.Thread = &complaint.Thread{Quoted: []string{long, long + "2", long + "3"}}
	for what, test := range map[string]struct {
		in ledgerapi.AppendRequest
		// least is what it must weigh at least.
		least int
	}{
		"replies that came back": {ledgerapi.AppendRequest{Returned: []ledgerapi.ReturnedReply{{Event: long, Message: strings.Repeat(long, 5)}}}, 6 * len(long)},
		"quoted events":          {ledgerapi.AppendRequest{Events: []complaint.Event{quoting}}, 3 * len(long)},
	} {
		before := l.queue.bytes
		if _, err := l.Append(gone, "dsw", test.in); !errors.Is(err, context.Canceled) {
			t.Fatalf("Appending with nobody waiting: %v", err)
		}
		if got := l.queue.bytes - before - requestBytes*(1+len(test.in.Events)); got < test.least {
			t.Errorf("A batch with %s weighs %d besides itself, want %d at least", what, got, test.least)
		}
	}
}
