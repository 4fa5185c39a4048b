package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/ledger/store"
)

func repliesAreKept(h harness) {
	t := h.t
	s := opened(t, h.open)
	reply := func(channel, id string, next, done int) store.Reply {
		r := store.Reply{Channel: channel, ID: id, State: []byte("of " + channel + "/" + id)}
		if next >= 0 {
			r.NextAt = instant(next)
		}
		if done >= 0 {
			r.DoneAt = instant(done)
		}
		return r
	}
	put := func(replies ...store.Reply) {
		t.Helper()
		update(t, s, func(tx store.Tx) error { return tx.PutReplies(t.Context(), replies) })
	}
	// wantOpen compares the ids in the order of their instants.
	wantOpen := func(what, channel string, until time.Time, limit int, want ...string) {
		t.Helper()
		view(t, s, func(r store.Reader) error {
			open, err := r.OpenReplies(t.Context(), channel, until, limit)
			var got []string
			for _, o := range open {
				got = append(got, o.Channel+"/"+o.ID)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
			return err
		})
	}
	wantOpen("Before there is any", "", instant(99), 10)
	put(reply("dsw", "b", 20, -1), reply("dsw", "a", 10, -1), reply("sigap", "a", 15, -1), reply("dsw", "c", -1, 5))
	wantOpen("All channels", "", instant(99), 10, "dsw/a", "sigap/a", "dsw/b")
	wantOpen("Up to the instant itself", "", instant(15), 10, "dsw/a", "sigap/a")
	wantOpen("Up to the limit", "", instant(99), 1, "dsw/a")
	wantOpen("One channel", "dsw", instant(99), 10, "dsw/a", "dsw/b")
	wantOpen("A channel without any", "none", instant(99), 10)

	later := reply("dsw", "a", 30, -1)
	later.State = nil
	put(later, reply("dsw", "b", -1, 40))
	wantOpen("After changes", "", instant(99), 10, "sigap/a", "dsw/a")
	view(t, s, func(r store.Reader) error {
		got, err := r.Replies(t.Context(), "dsw", []string{"b", "none", "a"})
		b := reply("dsw", "b", -1, 40)
		if diff := cmp.Diff([]*store.Reply{&b, nil, &later}, got); diff != "" {
			t.Errorf("Replies by their keys (-want +got):\n%s", diff)
		}
		return err
	})
	// wantAfter compares the ids of a channel in their order.
	wantAfter := func(what, channel, after string, limit int, want ...store.Reply) {
		t.Helper()
		view(t, s, func(r store.Reader) error {
			got, err := r.RepliesAfter(t.Context(), channel, after, limit)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
			return err
		})
	}
	b, c := reply("dsw", "b", -1, 40), reply("dsw", "c", -1, 5)
	wantAfter("All of a channel", "dsw", "", 10, later, b, c)
	wantAfter("Up to the limit", "dsw", "a", 1, b)
	wantAfter("After the last", "dsw", "c", 10)
	wantAfter("Of no channel", "none", "", 10)
	answer := reply("dsw", "c", -1, 5)
	answer.Event = "platform/7"
	put(answer)
	// wantOf compares the replies that became the events.
	wantOf := func(what, channel string, events []string, want ...*store.Reply) {
		t.Helper()
		view(t, s, func(r store.Reader) error {
			got, err := r.RepliesOfEvents(t.Context(), channel, events)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
			return err
		})
	}
	wantOf("By their answers", "dsw", []string{"none", "platform/7", ""}, nil, &answer, nil)
	wantOf("At another channel", "sigap", []string{"platform/7"}, nil)
	wantOf("At no channel", "none", []string{"platform/7"}, nil)
	wantAfter("With its answer", "dsw", "b", 10, answer)
	drop := func(before time.Time, limit int) (n int) {
		t.Helper()
		update(t, s, func(tx store.Tx) (err error) {
			n, err = tx.DropReplies(t.Context(), before, limit)
			return err
		})
		return n
	}
	if got := []int{drop(instant(5), 10), drop(instant(99), 1), drop(instant(99), 10), drop(instant(99), 10)}; !slices.Equal(got, []int{0, 1, 1, 0}) {
		t.Errorf("Dropped %v, want none before the first, one by one, and none at the end", got)
	}
	wantOpen("What is not done stays", "", instant(99), 10, "sigap/a", "dsw/a")
}

// WantAnswers checks the Events of all replies of a channel, by their IDs, and that they are found by them.
func WantAnswers(t *testing.T, s store.Store, channel string, want map[string]string) {
	t.Helper()
	view(t, s, func(r store.Reader) error {
		all, err := r.RepliesAfter(t.Context(), channel, "", len(want)+1)
		got := map[string]string{}
		for i := range all {
			got[all[i].ID] = all[i].Event
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("The answers (-want +got):\n%s", diff)
		}
		for id, event := range want {
			if event == "" {
				continue
			}
			found, err := r.RepliesOfEvents(t.Context(), channel, []string{event})
			if err != nil {
				return err
			}
			if found[0] == nil || found[0].ID != id {
				t.Errorf("The answer %q finds %+v; want the reply %s", event, found[0], id)
			}
		}
		return err
	})
}
