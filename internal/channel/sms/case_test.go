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
	r := newRig(t, newSpec(), secrets())
	post := func(form url.Values, after time.Duration) {
		t.Helper()
		if code := r.post(form); code != http.StatusOK {
			t.Fatalf("got %d", code)
		}
		r.clock.Advance(after)
	}
	written := func(person, text string, after time.Duration) {
		post(r.account.Written(sms.Message{Person: person, At: r.clock.Now(), Text: text}), after)
	}
	written(ani, "Banjir", time.Hour)
	written(budi, "Sampah", time.Hour)
	post(r.account.Answered(sms.Message{Person: ani, At: r.clock.Now(), Text: "Petugas ke sana"}), time.Hour)
	written(ani, "Terima kasih", 48*time.Hour)
	written(ani, "Pohon tumbang", 0)
	if err := r.poll(); err != nil {
		t.Fatal(err)
	}

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

// TestDuplicatesAndAnyOrderGiveTheSameCases: what is listed may overtake what is delivered, and the other way
// round, and comes twice.
func TestDuplicatesAndAnyOrderGiveTheSameCases(t *testing.T) {
	r := newRig(t, newSpec(), secrets())
	for n, m := range []sms.Message{{Person: ani, Text: "Banjir"}, {Person: ani, Text: "Makin tinggi"}, {Person: budi, Text: "Sampah"}} {
		m.At = monday.Add(time.Duration(n) * time.Hour)
		r.account.Written(m)
	}
	r.account.Answered(sms.Message{Person: ani, At: monday.Add(3 * time.Hour), Text: "Siap"})
	r.clock.Advance(4 * time.Hour)
	if err := r.poll(); err != nil {
		t.Fatal(err)
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
