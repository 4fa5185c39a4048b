package storetest

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

func headOf(t *testing.T, s store.Store) (head store.Head) {
	t.Helper()
	view(t, s, func(r store.Reader) (err error) {
		head, err = r.Head(t.Context())
		return err
	})
	return head
}

func revisionsCount(h harness) {
	t, open := h.t, h.open
	s := opened(t, open)
	if head := headOf(t, s); head != (store.Head{}) {
		t.Errorf("The head of an empty storage is %+v; want the zero one", head)
	}
	ctx := t.Context()
	want := store.Head{}
	for _, step := range []struct {
		name   string
		write  func(tx store.Tx) error
		writes bool
	}{
		{"events and a case", func(tx store.Tx) error {
			if _, err := tx.InsertEvents(ctx, []store.Event{event("dsw", "C1", "E1", 0)}); err != nil {
				return err
			}
			return tx.PutCases(ctx, []store.Case{openCase("dsw", "C1")})
		}, true},
		{"nothing", func(store.Tx) error { return nil }, false},
		{"no rows", func(tx store.Tx) error {
			if _, err := tx.InsertEvents(ctx, nil); err != nil {
				return err
			}
			if err := tx.ReplaceEvents(ctx, nil); err != nil {
				return err
			}
			if err := tx.PutCases(ctx, nil); err != nil {
				return err
			}
			if err := tx.AddFigures(ctx, nil); err != nil {
				return err
			}
			return tx.PutChannels(ctx, nil)
		}, false},
		{"reading", func(tx store.Tx) error { _, err := tx.Cases(ctx, []complaint.CaseKey{key("dsw", "C1")}); return err }, false},
		{"a replaced event", func(tx store.Tx) error { return tx.ReplaceEvents(ctx, []store.Event{event("dsw", "C1", "E1", 0)}) }, true},
		{"a case", func(tx store.Tx) error { return tx.PutCases(ctx, []store.Case{openCase("dsw", "C1")}) }, true},
		{"figures", func(tx store.Tx) error { return tx.AddFigures(ctx, []store.Figures{{Key: "a"}}) }, true},
		{"a channel", func(tx store.Tx) error { return tx.PutChannels(ctx, []store.Channel{{Name: "dsw"}}) }, true},
		{"a setting", func(tx store.Tx) error { return tx.PutSetting(ctx, "s", []byte("v")) }, true},
	} {
		stamped := instant(int(want.Revision) + 1)
		update(t, s, func(tx store.Tx) error {
			before, err := tx.Head(ctx)
			if err != nil {
				return err
			}
			if before != want {
				t.Errorf("Before writing %s the head is %+v; want %+v", step.name, before, want)
			}
			tx.Stamp(instant(-1))
			tx.Stamp(stamped)
			return step.write(tx)
		})
		if step.writes {
			want = store.Head{Revision: want.Revision + 1, At: stamped}
		}
		if head := headOf(t, s); head != want {
			t.Errorf("After writing %s the head is %+v; want %+v", step.name, head, want)
		}
	}
	update(t, s, func(tx store.Tx) error { return tx.PutSetting(ctx, "s", []byte("w")) })
	want.Revision++
	if head := headOf(t, s); head != want {
		t.Errorf("After an update without an instant the head is %+v; want the instant to stay: %+v", head, want)
	}
}

// changes is what changed since a revision, in words, by what it is.
func changes(ctx context.Context, r store.Reader, since int64) (map[string]string, error) {
	found := map[string]string{}
	err := r.Figures(ctx, since, func(f store.Figures) error {
		found["figures "+f.Key] = fmt.Sprintf("%v by %d", f.Values, f.Revision)
		return nil
	})
	if err != nil {
		return nil, err
	}
	channels, err := r.Channels(ctx, since)
	if err != nil {
		return nil, err
	}
	for _, c := range channels {
		found["channel "+c.Name] = fmt.Sprintf("%d by %d", c.Generation, c.Revision)
	}
	settings, err := r.Settings(ctx, since)
	for _, s := range settings {
		found["setting "+s.Name] = fmt.Sprintf("%s by %d", s.Value, s.Revision)
	}
	return found, err
}

func changesAreFound(h harness) {
	t, open := h.t, h.open
	s := opened(t, open)
	ctx := t.Context()
	type values = [store.FigureColumns]int64
	update(t, s, func(tx store.Tx) error {
		if err := tx.AddFigures(ctx, []store.Figures{{Key: "a", Values: values{1}}, {Key: "b", Values: values{2}, Revision: 77}}); err != nil {
			return err
		}
		if err := tx.PutChannels(ctx, []store.Channel{{Name: "dsw", Generation: 1}, {Name: "sigap", Generation: 1}}); err != nil {
			return err
		}
		return tx.PutSetting(ctx, "p", []byte("one"))
	})
	put(t, s, openCase("dsw", "C1")) // changes none of these
	update(t, s, func(tx store.Tx) error {
		if err := tx.AddFigures(ctx, []store.Figures{{Key: "b", Values: values{-2}}}); err != nil {
			return err
		}
		if err := tx.PutSetting(ctx, "q", []byte("two")); err != nil {
			return err
		}
		// What the update itself has written is seen with the revision that it will have.
		found, err := changes(ctx, tx, 2)
		if diff := cmp.Diff(map[string]string{"figures b": "[0 0 0 0 0] by 3", "setting q": "two by 3"}, found); err == nil && diff != "" {
			t.Errorf("Within the third update (-want +got):\n%s", diff)
		}
		return err
	})
	update(t, s, func(tx store.Tx) error { return tx.PutChannels(ctx, []store.Channel{{Name: "sigap", Generation: 2}}) })
	for since, want := range map[int64]map[string]string{
		0: {
			"figures a": "[1 0 0 0 0] by 1", "figures b": "[0 0 0 0 0] by 3", "channel dsw": "1 by 1", "channel sigap": "2 by 4",
			"setting p": "one by 1", "setting q": "two by 3",
		},
		1: {"figures b": "[0 0 0 0 0] by 3", "channel sigap": "2 by 4", "setting q": "two by 3"},
		2: {"figures b": "[0 0 0 0 0] by 3", "channel sigap": "2 by 4", "setting q": "two by 3"},
		3: {"channel sigap": "2 by 4"},
		4: {}, 5: {},
	} {
		view(t, s, func(r store.Reader) error {
			found, err := changes(ctx, r, since)
			if diff := cmp.Diff(want, found); err == nil && diff != "" {
				t.Errorf("Since revision %d (-want +got):\n%s", since, diff)
			}
			return err
		})
	}
}
