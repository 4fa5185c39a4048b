package sms

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/simulator/sms"
	"github.com/tanggap/tanggap/test/cases"
)

// TestTheMessagesOfAPersonAreOneCase: the first opens it, the answer ends its wait, and a later one within the
// window goes on with it; another person has another case.
func TestTheMessagesOfAPersonAreOneCase(t *testing.T) {
	r, city := newRig(t, newSpec(), secrets()), twilio()
	post := func(form url.Values, after time.Duration) {
		t.Helper()
		if code := r.post(form); code != http.StatusOK {
			t.Fatalf("got %d", code)
		}
		r.clock.Advance(after)
	}
	post(city.Written(sms.Message{Person: ani, Text: "Banjir"}), time.Hour)
	post(city.Written(sms.Message{Person: budi, Text: "Sampah"}), time.Hour)
	answer := city.Answered(sms.Message{Person: ani, Text: "Petugas ke sana"})
	post(answer, 0)
	answer.Set("MessageStatus", "delivered") // tells of the same message
	post(answer, time.Hour)
	post(city.Written(sms.Message{Person: ani, Text: "Terima kasih"}), 48*time.Hour)
	post(city.Written(sms.Message{Person: ani, Text: "Pohon tumbang"}), 0)

	var answered, open int
	for _, c := range cases.Of(t, r.clock.Now(), r.ledger.Events()) {
		if c.AnsweredAt != nil && c.ReceivedAt.Equal(monday) && c.AnsweredAt.Equal(monday.Add(2*time.Hour)) {
			answered++
		} else {
			open++
		}
	}
	if answered != 1 || open != 2 {
		t.Errorf("%d answered, %d open", answered, open)
	}
}

// TestDuplicatesAndAnyOrderGiveTheSameCases: deliveries of Twilio have no time of their own, so that the order in
// which the ledger gets the events is what may vary.
func TestDuplicatesAndAnyOrderGiveTheSameCases(t *testing.T) {
	r, city := newRig(t, newSpec(), secrets()), twilio()
	for _, form := range []url.Values{
		city.Written(sms.Message{Person: ani, Text: "Banjir"}), city.Written(sms.Message{Person: ani, Text: "Makin tinggi"}),
		city.Written(sms.Message{Person: budi, Text: "Sampah"}), city.Answered(sms.Message{Person: ani, Text: "Siap"}),
	} {
		if code := r.post(form); code != http.StatusOK {
			t.Fatalf("got %d", code)
		}
		r.clock.Advance(time.Hour)
	}
	events := r.ledger.Events()
	rapid.Check(t, func(rt *rapid.T) {
		batches := make([][]complaint.Event, 0, len(events)+2)
		for _, i := range rapid.Permutation([]int{0, 1, 2, 3}).Draw(rt, "order") {
			batches = append(batches, []complaint.Event{events[i]})
		}
		for range 2 {
			batches = append(batches, []complaint.Event{events[rapid.IntRange(0, len(events)-1).Draw(rt, "again")]})
		}
		waiting := 0
		got := cases.Of(t, r.clock.Now(), batches...)
		for _, c := range got {
			if c.AnsweredAt == nil {
				waiting++
			}
		}
		if len(got) != 2 || waiting != 1 {
			rt.Fatalf("%d cases, %d of them unanswered", len(got), waiting)
		}
	})
}
