package whatsapp

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/simulator/whatsapp"
	"github.com/tanggap/tanggap/test/cases"
)

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
		left := []int{0, 1, 2, 3, 4, 5, 1, 2}
		for round > 0 {
			order.Shuffle(len(left), func(i, j int) { left[i], left[j] = left[j], left[i] })
			// An answer may overtake all it answers, but not together with what was written after it: then
			// nobody can tell yet that the answer was one.
			if asked := min(slices.Index(left, 0), slices.Index(left, 1)); asked < slices.Index(left, 2) || asked < slices.Index(left, 3) {
				break
			}
		}
		var batches [][]complaint.Event
		for _, i := range append(left, 6) {
			// Each to another worker.
			r := newRig(t, newSpec())
			if code := r.post(deliveries[i]); code != http.StatusOK {
				t.Fatalf("answered with %d", code)
			}
			batches = append(batches, r.ledger.Events())
		}
		found, answered := cases.Of(t, monday.Add(7*24*time.Hour), batches...), 0
		for i := range found {
			if found[i].AnsweredAt != nil && found[i].AnsweredAt.Equal(hour(3)) && found[i].ReceivedAt.Equal(hour(0)) {
				answered++
			}
		}
		if len(found) != 2 || answered != 1 {
			t.Fatalf("round %d: %d cases, %d answered as they were", round, len(found), answered)
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
