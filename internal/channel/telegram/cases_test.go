package telegram

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/channel/channeltest"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/test/cases"
)

// TestOnePersonsMessagesAreOneCase has a real ledger make cases of the documented updates: in pages of any
// size, and again. Telegram gives updates in their order, and an offset does not let one pass the other.
func TestOnePersonsMessagesAreOneCase(t *testing.T) {
	c := newCity(t, nil)
	c.open(channeltest.Direct{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "testdata/updates.json") })})
	c.mustPoll()
	events := c.ledger.Events()
	// When received, and when answered by whoever: Siti, Budi and Tono.
	want := []string{"02:20:10 02:21:30", "02:20:20 never", "02:20:50 02:21:00"}

	singly := func(order []int) (batches [][]complaint.Event) {
		for _, i := range order {
			batches = append(batches, []complaint.Event{events[i]})
		}
		return batches
	}
	inOrder := make([]int, len(events))
	for i := range inOrder {
		inOrder[i] = i
	}
	twice := append(slices.Clone(inOrder), inOrder...)
	for name, batches := range map[string][][]complaint.Event{
		"at once": {events}, "one by one": singly(inOrder), "all of them twice": singly(twice), "with a page read again": {events[:4], events[2:], events},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, found := range cases.Of(t, c.clock.Now(), batches...) {
				if found.ReceivedAt == nil {
					continue // a word of the city that nobody had asked for
				}
				answered := "never"
				if found.AnsweredAt != nil {
					answered = found.AnsweredAt.Format(time.TimeOnly)
				}
				got = append(got, found.ReceivedAt.Format(time.TimeOnly)+" "+answered)
			}
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("cases (-want +got):\n%s", diff)
			}
		})
	}
}
