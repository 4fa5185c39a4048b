package ledger

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/internal/mac"
)

// said is a message of a person on the channel wa, which asks for its case; minute counts from monday.
func said(person, id string, minute int, quoted ...string) complaint.Event {
	e := event("new-"+id, id, complaint.KindReceived, complaint.ActorCitizen, monday.Add(time.Duration(minute)*time.Minute))
	e.Reporter = &complaint.Reporter{Phone: person}
	e.Thread = &complaint.Thread{WindowSeconds: 3600, Quoted: quoted}
	return e
}

// told is a word of the city to a person.
func told(person, id string, minute int, quoted ...string) complaint.Event {
	e := said(person, id, minute, quoted...)
	e.Kind, e.Actor = complaint.KindAnswered, complaint.ActorOfficial
	return e
}

// alone lets a message belong to a case by what it quotes alone.
func alone(e complaint.Event) complaint.Event {
	e.Thread.WindowSeconds = 0
	return e
}

// takenBack is a Redacted of what id was.
func takenBack(person, id string, minute int) complaint.Event {
	e := said(person, "redacted/"+id, minute, id)
	e.Kind = complaint.KindRedacted
	return e
}

const (
	ani  = "+62 812 1000 0001"
	budi = "+62 812 1000 0002"
)

// casesOf are the identifiers of the events of each case, cases in the order of their first event.
func (f *fixture) casesOf(channel string) (cases [][]string) {
	f.t.Helper()
	list, err := f.ledger.Cases(context.Background(), CaseQuery{Channel: channel})
	if err != nil {
		f.t.Fatalf("Listing the cases: %v", err)
	}
	var keys []complaint.CaseKey
	for i := range list.Cases {
		keys = append(keys, list.Cases[i].CaseKey)
	}
	err = f.store.View(context.Background(), func(r store.Reader) error {
		all, err := r.Events(context.Background(), keys)
		for _, events := range all {
			var ids []string
			for i := range events {
				ids = append(ids, events[i].ID)
			}
			slices.Sort(ids)
			cases = append(cases, ids)
		}
		return err
	})
	if err != nil {
		f.t.Fatalf("Reading the events: %v", err)
	}
	slices.SortFunc(cases, slices.Compare)
	return cases
}

func TestMessagesOfAPersonFindTheirCase(t *testing.T) {
	for name, test := range map[string]struct {
		events []complaint.Event
		want   [][]string
	}{
		"within the window of the last one": {
			[]complaint.Event{said(ani, "1", 0), said(ani, "2", 50), said(ani, "3", 110)}, [][]string{{"1", "2", "3"}},
		},
		"after the window": {
			[]complaint.Event{said(ani, "1", 0), said(ani, "2", 61)}, [][]string{{"1"}, {"2"}},
		},
		"of two people": {
			[]complaint.Event{said(ani, "1", 0), said(budi, "2", 1), said("0812-1000-0001", "3", 2)}, [][]string{{"1", "3"}, {"2"}},
		},
		"with a quote of an old case": {
			[]complaint.Event{said(ani, "1", 0), said(ani, "2", 300), said(ani, "3", 301, "1")}, [][]string{{"1", "3"}, {"2"}},
		},
		"without a window by what is quoted alone": {
			[]complaint.Event{alone(said(ani, "1", 0)), alone(said(ani, "2", 0)), alone(said(budi, "3", 5, "0", "1")), alone(told(ani, "4", 6, "2"))},
			[][]string{{"1", "3"}, {"2", "4"}},
		},
		"with a quote that nobody knows": {
			[]complaint.Event{said(ani, "1", 0), said(ani, "2", 5, "0")}, [][]string{{"1", "2"}},
		},
		"answered within the window": {
			[]complaint.Event{said(ani, "1", 0), told(ani, "2", 30), said(ani, "3", 85)}, [][]string{{"1", "2", "3"}},
		},
		"answered days later, as it still waits": {
			[]complaint.Event{said(ani, "1", 0), told(ani, "2", 5000), said(ani, "3", 5030)}, [][]string{{"1", "2", "3"}},
		},
		"the city's own message answers nothing": {
			[]complaint.Event{told(ani, "1", 0), said(ani, "2", 10), said(ani, "3", 11, "1")}, [][]string{{"1"}, {"2", "3"}},
		},
		"an answer that overtakes its message": {
			[]complaint.Event{told(ani, "2", 12), said(ani, "1", 0)}, [][]string{{"1", "2"}},
		},
		"an answer to the second case that overtakes its message": {
			[]complaint.Event{said(ani, "1", 0), told(ani, "2", 10), told(ani, "4", 2000), said(ani, "3", 1990)}, [][]string{{"1", "2"}, {"3", "4"}},
		},
		"an answer that quotes": {
			[]complaint.Event{said(ani, "1", 0), said(ani, "2", 300), told(ani, "3", 310, "1")}, [][]string{{"1", "3"}, {"2"}},
		},
		"taken back": {
			[]complaint.Event{said(ani, "1", 0), said(ani, "2", 300), takenBack(ani, "1", 301)}, [][]string{{"1", "redacted/1"}, {"2"}},
		},
		"taken back before it arrives": {
			[]complaint.Event{said(ani, "2", 300), takenBack(ani, "1", 301), said(ani, "1", 0, "redacted/1")}, [][]string{{"1", "redacted/1"}, {"2"}},
		},
		"delivered again when the window has moved on": {
			[]complaint.Event{said(ani, "1", 0), said(ani, "2", 300), said(ani, "1", 0), said(ani, "2", 300)}, [][]string{{"1"}, {"2"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			one, all := testFixture(t), testFixture(t)
			for _, f := range []*fixture{one, all} {
				f.clock.move(7 * 24 * time.Hour)
			}
			for _, e := range test.events {
				one.append("wa", e)
			}
			all.append("wa", test.events...)
			if diff := cmp.Diff(test.want, one.casesOf("wa")); diff != "" {
				t.Errorf("One by one (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.want, all.casesOf("wa")); diff != "" {
				t.Errorf("In one batch (-want +got):\n%s", diff)
			}
			one.verify()
			all.verify()
		})
	}
}

func TestAPersonsMessagesComeTogetherInAnyOrderAndNumber(t *testing.T) {
	// Messages of a person that are never further apart than the window; those of another lie between.
	var events []complaint.Event
	var of [2][]string
	for i := range 8 {
		events = append(events, said(ani, fmt.Sprintf("a%d", i), 7*i), said(budi, fmt.Sprintf("b%d", i), 7*i+1))
		of[0], of[1] = append(of[0], fmt.Sprintf("a%d", i)), append(of[1], fmt.Sprintf("b%d", i))
	}
	events = append(events, told(ani, "a9", 57))
	of[0] = append(of[0], "a9")
	want := [][]string{of[0], of[1]}
	rapid.Check(t, func(rt *rapid.T) {
		f := newFixture(rt, t.TempDir())
		defer f.close()
		f.policy(samplePolicy())
		f.clock.move(time.Hour)
		left := rapid.Permutation(append(slices.Clone(events), events...)).Draw(rt, "order")
		for len(left) > 0 {
			n := rapid.IntRange(1, len(left)).Draw(rt, "batch")
			f.append("wa", left[:n]...)
			left = left[n:]
		}
		if diff := cmp.Diff(want, f.casesOf("wa")); diff != "" {
			rt.Fatalf("Cases (-want +got):\n%s", diff)
		}
		if got := f.summary().Channels["wa"]; got.Received != 2 || got.Unanswered != 1 {
			rt.Fatalf("%d received, %d unanswered", got.Received, got.Unanswered)
		}
	})
}

func TestMessagesDeliveredSideBySideAreOneCase(t *testing.T) {
	f := testFixture(t)
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			request := ledgerapi.AppendRequest{Events: []complaint.Event{said(ani, fmt.Sprintf("%02d", i), 0)}}
			if _, err := f.ledger.Append(t.Context(), "wa", request); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := f.casesOf("wa"); len(got) != 1 || len(got[0]) != 16 {
		t.Errorf("got %v", got)
	}
}

func TestAPersonIsFoundByAnEarlierKey(t *testing.T) {
	f := testFixture(t)
	f.append("wa", said(ani, "1", 0))
	f.names = &Pseudonyms{keys: []*mac.Key{pseudonymKey("another key of the ledger"), f.names.keys[0]}}
	f.restart()
	f.append("wa", said(ani, "2", 1))
	if diff := cmp.Diff([][]string{{"1", "2"}}, f.casesOf("wa")); diff != "" {
		t.Error(diff)
	}
}
