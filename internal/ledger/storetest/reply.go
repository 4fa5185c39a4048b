package storetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tanggap/tanggap/internal/complaint"
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
	wantOpen("Before there is any", "dsw", instant(99), 10)
	put(reply("dsw", "b", 20, -1), reply("dsw", "a", 10, -1), reply("sigap", "a", 15, -1), reply("dsw", "c", -1, 5))
	wantOpen("All of a channel", "dsw", instant(99), 10, "dsw/a", "dsw/b")
	wantOpen("Up to the instant itself", "dsw", instant(20), 10, "dsw/a", "dsw/b")
	wantOpen("Before the instant", "dsw", instant(19), 10, "dsw/a")
	wantOpen("Up to the limit", "dsw", instant(99), 1, "dsw/a")
	wantOpen("A channel without any", "none", instant(99), 10)

	later := reply("dsw", "a", 30, -1)
	later.State = nil
	put(later, reply("dsw", "b", -1, 40))
	wantOpen("After changes", "dsw", instant(99), 10, "dsw/a")
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
	wantOpen("What is not done stays", "dsw", instant(99), 10, "dsw/a")
	wantOpen("At another channel too", "sigap", instant(99), 10, "sigap/a")
}

func repliesAreFoundByTheirAnswers(h harness) {
	t := h.t
	s := opened(t, h.open)
	answer := store.Reply{Channel: "dsw", ID: "b", CaseID: "C1", DoneAt: instant(1), Event: "platform/7", State: []byte("sent")}
	waits := store.Reply{Channel: "dsw", ID: "a", CaseID: "C1", NextAt: instant(1), EndsAt: instant(2)}
	elsewhere := store.Reply{Channel: "sigap", ID: "b", CaseID: "C1", DoneAt: instant(1), Event: "platform/8", State: []byte("sent")}
	update(t, s, func(tx store.Tx) error { return tx.PutReplies(t.Context(), []store.Reply{answer, waits, elsewhere}) })
	for _, test := range []struct {
		channel string
		events  []string
		want    []*store.Reply
	}{
		{"dsw", []string{"none", "platform/7", ""}, []*store.Reply{nil, &answer, nil}},
		{"dsw", []string{"platform/8"}, []*store.Reply{nil}},
		{"sigap", []string{"platform/7", "platform/8"}, []*store.Reply{nil, &elsewhere}},
		{"none", []string{"platform/7"}, []*store.Reply{nil}},
	} {
		view(t, s, func(r store.Reader) error {
			got, err := r.RepliesOfEvents(t.Context(), test.channel, test.events)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("The replies of %s that became %q (-want +got):\n%s", test.channel, test.events, diff)
			}
			return err
		})
	}
}

// repliesAreFoundByTheirEndsAndCases has replies that wait and one that does not.
func repliesAreFoundByTheirEndsAndCases(h harness) {
	t := h.t
	s := opened(t, h.open)
	reply := func(channel, id, of string, ends int) store.Reply {
		return store.Reply{Channel: channel, ID: id, CaseID: of, NextAt: instant(1), EndsAt: instant(ends), State: []byte(id)}
	}
	first, second, third := reply("dsw", "a", "C1", 30), reply("sigap", "a", "C1", 20), reply("dsw", "b", "C1", 10)
	other := reply("dsw", "c", "C2", 40)
	done := store.Reply{Channel: "dsw", ID: "d", CaseID: "C1", DoneAt: instant(1), Event: "E1", State: []byte("d")}
	update(t, s, func(tx store.Tx) error {
		return tx.PutReplies(t.Context(), []store.Reply{first, second, third, other, done})
	})
	view(t, s, func(r store.Reader) error {
		for _, test := range []struct {
			what  string
			until time.Time
			limit int
			want  []store.Reply
		}{
			{"Before the first", instant(9), 10, nil},
			{"Up to the instant itself", instant(20), 10, []store.Reply{third, second}},
			{"Up to the limit", instant(99), 1, []store.Reply{third}},
			{"All", instant(99), 10, []store.Reply{third, second, first, other}},
		} {
			got, err := r.EndingReplies(t.Context(), test.until, test.limit)
			if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
				t.Errorf("%s: %v (-want +got):\n%s", test.what, err, diff)
			}
		}
		got, err := r.OpenRepliesOf(t.Context(), []complaint.CaseKey{key("dsw", "C1"), key("none", "C1"), key("dsw", "none")})
		slices.SortFunc(got, func(a, b store.Reply) int { return strings.Compare(a.ID, b.ID) })
		if diff := cmp.Diff([]store.Reply{first, third}, got); diff != "" {
			t.Errorf("Those of a case (-want +got):\n%s", diff)
		}
		return err
	})
	ended := store.Reply{Channel: "dsw", ID: "b", CaseID: "C1", DoneAt: instant(50), State: []byte("b")}
	update(t, s, func(tx store.Tx) error { return tx.PutReplies(t.Context(), []store.Reply{ended}) })
	view(t, s, func(r store.Reader) error {
		ending, err := r.EndingReplies(t.Context(), instant(99), 1)
		if diff := cmp.Diff([]store.Reply{second}, ending); err != nil || diff != "" {
			t.Errorf("Once one has ended: %v (-want +got):\n%s", err, diff)
		}
		open, err := r.OpenRepliesOf(t.Context(), []complaint.CaseKey{key("dsw", "C1")})
		if diff := cmp.Diff([]store.Reply{first}, open); diff != "" {
			t.Errorf("Of its case (-want +got):\n%s", diff)
		}
		return err
	})
}

// WantReplies checks all replies of a channel, in the order of their IDs and but for their States, and that they are found
// by their answers.
func WantReplies(t *testing.T, s store.Store, channel string, want ...store.Reply) {
	t.Helper()
	view(t, s, func(r store.Reader) error {
		got, err := r.RepliesAfter(t.Context(), channel, "", len(want)+1)
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(store.Reply{}, "State")); err != nil || diff != "" {
			t.Errorf("The replies: %v (-want +got):\n%s", err, diff)
		}
		for i := range want {
			if want[i].Event == "" {
				continue
			}
			found, err := r.RepliesOfEvents(t.Context(), channel, []string{want[i].Event})
			if err != nil {
				return err
			}
			if found[0] == nil || found[0].ID != want[i].ID {
				t.Errorf("The answer %q finds %+v; want the reply %s", want[i].Event, found[0], want[i].ID)
			}
		}
		return nil
	})
}
