package worker

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// wakingPoller says between polls that there is something to read.
type wakingPoller struct {
	*fakePoller
	woken chan struct{}
}

func (p *wakingPoller) Woken() <-chan struct{} { return p.woken }

// TestASourceThatWakesUpIsPolledAtOnce: but not more often than once in a second, and not while it fails.
func TestASourceThatWakesUpIsPolledAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		beginAtPresent()
		begin := time.Now()
		var mu sync.Mutex
		var starts []time.Duration
		var failure error
		source := &wakingPoller{&fakePoller{interval: time.Minute}, make(chan struct{}, 1)}
		source.poll = func(context.Context, json.RawMessage, channel.Sink) error {
			mu.Lock()
			defer mu.Unlock()
			starts = append(starts, time.Since(begin))
			return failure
		}
		options := optionsOf(newFakeLedger(), opens(pollType, source))
		options.Random = func() float64 { return 0.5 }
		start(t, configOf("dsw:poll"), options)

		after(20 * time.Second)
		source.woken <- struct{}{}
		after(0)
		source.woken <- struct{}{}
		after(62 * time.Second) // too soon at first: it is polled at 21 s, and then at its interval
		mu.Lock()
		failure = &channel.Error{Reason: ledgerapi.ReasonServerError}
		mu.Unlock()
		after(59*time.Second + 100*time.Millisecond)
		source.woken <- struct{}{}
		after(200 * time.Millisecond) // before another attempt is due
		mu.Lock()
		defer mu.Unlock()
		want := []time.Duration{0, 20 * time.Second, 21 * time.Second, 81 * time.Second, 141 * time.Second}
		if diff := cmp.Diff(want, starts); diff != "" {
			t.Errorf("starts (-want +got):\n%s", diff)
		}
	})
}
