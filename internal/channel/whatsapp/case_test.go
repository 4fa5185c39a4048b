package whatsapp

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
	"github.com/tanggap/tanggap/internal/ledger"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/store/sqlite"
	"github.com/tanggap/tanggap/internal/policy"
	"github.com/tanggap/tanggap/internal/simulator/whatsapp"
)

// realSink hands events to a real ledger, as the worker does.
type realSink struct {
	channeltest.Ledger
	ledger *ledger.Ledger
}

func (s *realSink) Append(ctx context.Context, batch channel.Batch) error {
	response, err := s.ledger.Append(ctx, "dsw", ledgerapi.AppendRequest{Events: batch.Events})
	if err == nil && len(response.Rejected) > 0 {
		err = fmt.Errorf("rejected: %v", response.Rejected)
	}
	return err
}

func newRealSink(t *testing.T) *realSink {
	t.Helper()
	store, err := sqlite.Open(t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(key, []byte("0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	names, err := ledger.ReadPseudonymKeys(key)
	if err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return monday.Add(7 * 24 * time.Hour) }
	opened, err := ledger.Open(t.Context(), ledger.Options{Store: store, Pseudonyms: names, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); opened.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	document := policy.Document{Channels: map[string]policy.Channel{"dsw": {Type: "whatsapp", Writer: "system:serviceaccount:depok:worker"}}}
	if _, err := opened.PutPolicy(t.Context(), document.Seal()); err != nil {
		t.Fatal(err)
	}
	return &realSink{ledger: opened}
}

// TestAnyOrderOfDeliveriesGivesTheSameCases delivers two people's conversations in many orders, some
// deliveries twice, to endpoints that know nothing of each other.
func TestAnyOrderOfDeliveriesGivesTheSameCases(t *testing.T) {
	const budi = "6281210000002"
	city, hour := meta(), func(h int) time.Time { return monday.Add(time.Duration(h) * time.Hour) }
	first := whatsapp.NewID(ani)
	deliveries := [][]byte{
		city.Written(whatsapp.Message{ID: first, Person: ani, At: hour(0), Text: "Banjir"}),
		city.Written(whatsapp.Message{Person: ani, At: hour(1), Text: "Fotonya menyusul"}),
		city.Answered(whatsapp.Message{Person: ani, At: hour(3), Text: "Petugas ke sana"}),
		city.Written(whatsapp.Message{Person: ani, At: hour(20), Text: "Terima kasih"}),
		city.Written(whatsapp.Message{Person: budi, At: hour(2), Text: "Sampah"}),
		city.Written(whatsapp.Message{Person: budi, At: hour(4), Text: "Sampah lagi"}),
		// Days later, with a quote of what was written first.
		city.Written(whatsapp.Message{Person: ani, At: hour(90), Text: "Banjir lagi", Quotes: first}),
	}
	order := rand.New(rand.NewPCG(4, 2))
	for round := range 20 {
		sink := newRealSink(t)
		left := []int{0, 1, 2, 3, 4, 5, 1, 2}
		for round > 0 {
			order.Shuffle(len(left), func(i, j int) { left[i], left[j] = left[j], left[i] })
			// An answer may overtake all it answers, but not together with what was written after it: then
			// nobody can tell yet that the answer was one.
			if asked := min(slices.Index(left, 0), slices.Index(left, 1)); asked < slices.Index(left, 2) || asked < slices.Index(left, 3) {
				break
			}
		}
		for _, i := range append(left, 6) {
			body := deliveries[i]
			// Each to another worker.
			r := newRig(t, newSpec())
			source, err := open(t, newSpec(), r.clock)
			if err != nil {
				t.Fatal(err)
			}
			r.handler = source.(channel.Pusher).Handler(sink)
			if code := r.post(body); code != http.StatusOK {
				t.Fatalf("answered with %d", code)
			}
		}
		list, err := sink.ledger.Cases(t.Context(), ledger.CaseQuery{Channel: "dsw"})
		if err != nil {
			t.Fatal(err)
		}
		answered := 0
		for i := range list.Cases {
			if list.Cases[i].AnsweredAt != nil && list.Cases[i].AnsweredAt.Equal(hour(3)) && list.Cases[i].ReceivedAt.Equal(hour(0)) {
				answered++
			}
		}
		if len(list.Cases) != 2 || answered != 1 {
			t.Fatalf("round %d: %d cases, %d answered as they were", round, len(list.Cases), answered)
		}
	}
}

func TestTheManifestInTheDocumentationOpens(t *testing.T) {
	spec, credentials := channeltest.Manifest(t, "whatsapp.md")
	source, err := Type{}.Open(channeltest.Settings(spec, channeltest.NewClock(time.Now()), nil, credentials))
	if err != nil {
		t.Fatal(err)
	}
	if got := source.(channel.Pusher).UsualDelay(); got != time.Minute {
		t.Errorf("the usual delay is %s", got)
	}
}
