package transfer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/internal/ledger/store/sqlite"
	"github.com/tanggap/tanggap/internal/ledger/transfer"
)

var now = time.Date(2026, 11, 2, 3, 0, 0, 0, time.UTC)

// failer is what testing.T and rapid.T share.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

func open(t failer, dir string) store.Store {
	t.Helper()
	s, err := sqlite.Open(dir, sqlite.Options{})
	if err != nil {
		t.Fatalf("Opening: %v", err)
	}
	return s
}

func exported(t failer, s store.Store) []byte {
	t.Helper()
	var out bytes.Buffer
	if _, err := transfer.Export(context.Background(), s, &out, now, nil); err != nil {
		t.Fatalf("Exporting: %v", err)
	}
	return out.Bytes()
}

// content are the lines of an export without those that no two exports have in common.
func content(export []byte) []string {
	lines := strings.SplitAfter(string(export), "\n")
	return lines[1 : len(lines)-2]
}

// at is an instant in whole microseconds, or none.
func at(rt *rapid.T, name string) time.Time {
	n := rapid.Int64Range(-5, 1_000_000_000_000).Draw(rt, name)
	if n < 0 {
		return time.Time{}
	}
	return now.Add(time.Duration(n) * time.Microsecond)
}

func text(rt *rapid.T, name string) string {
	return rapid.StringOfN(rapid.RuneFrom([]rune("abc \"<>&\\\n\u2028ß🙏\x01")), 0, 6, -1).Draw(rt, name)
}

func document(rt *rapid.T, name string) []byte {
	return rapid.SampledFrom([][]byte{
		nil, []byte(`{"page":2,"x":"<&>\u2028"}`), []byte(`{"page": 2}`), []byte("null"), []byte(`"text"`), []byte("7"), {0, 255, '"'}, []byte(`[`),
	}).Draw(rt, name)
}

// fill stores something of everything, with every field that there is.
func fill(rt *rapid.T, s store.Store, channels int) {
	ctx := context.Background()
	err := s.Update(ctx, func(tx store.Tx) error {
		tx.Stamp(now)
		var figures []store.Figures
		for i := range rapid.IntRange(0, 3).Draw(rt, "figures") {
			f := store.Figures{Key: fmt.Sprintf("f%d\x1f%s", i, text(rt, "key"))}
			for c := range f.Values {
				f.Values[c] = rapid.Int64().Draw(rt, "value")
			}
			figures = append(figures, f)
		}
		if err := tx.AddFigures(ctx, figures); err != nil {
			return err
		}
		for i := range rapid.IntRange(0, 2).Draw(rt, "settings") {
			value := document(rt, "setting")
			if value == nil {
				value = []byte{}
			}
			if err := tx.PutSetting(ctx, fmt.Sprint("s", i), value); err != nil {
				return err
			}
		}
		for i := range channels {
			channel := fmt.Sprint("channel", i)
			err := tx.PutChannels(ctx, []store.Channel{{
				Name: channel, Cursor: document(rt, "cursor"), Generation: rapid.Int64().Draw(rt, "generation"), ObservedThrough: at(rt, "through"),
				LastEventAt: at(rt, "last"), OldestUnansweredAt: at(rt, "oldest"), Report: document(rt, "report"),
			}})
			if err != nil {
				return err
			}
			var replies []store.Reply
			for n := range rapid.IntRange(0, 3).Draw(rt, "replies") {
				replies = append(replies, store.Reply{
					Channel: channel, ID: fmt.Sprint("r", n), CaseID: text(rt, "case"), NextAt: at(rt, "next"), EndsAt: at(rt, "ends"),
					DoneAt: at(rt, "done"), Event: text(rt, "answer"), State: document(rt, "reply"),
				})
			}
			if err := tx.PutReplies(ctx, replies); err != nil {
				return err
			}
			if err := fillCases(rt, tx, channel); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		rt.Fatalf("Filling: %v", err)
	}
}

func fillCases(rt *rapid.T, tx store.Tx, channel string) error {
	ctx := context.Background()
	flag := func(name string) bool { return rapid.Bool().Draw(rt, name) }
	for i := range rapid.IntRange(0, 4).Draw(rt, "cases") {
		c := store.Case{
			CaseKey:    complaint.CaseKey{Channel: channel, CaseID: fmt.Sprintf("%s%d", text(rt, "case"), i)},
			Dimensions: complaint.Dimensions{Category: text(rt, "category"), Department: "d", Priority: "p"},
			Status:     text(rt, "status"), ReceivedAt: at(rt, "received"), AnsweredAt: at(rt, "answered"), WaitingSince: at(rt, "waiting"),
			UnansweredSince: at(rt, "unanswered"), ClosedAt: at(rt, "closed"), DueAt: at(rt, "due"), NextAt: at(rt, "next"), UnfinalAt: at(rt, "unfinal"),
			Open: flag("open"), Overdue: flag("overdue"), Live: flag("live"), Holds: store.Content(rapid.IntRange(0, 3).Draw(rt, "holds")),
			State: document(rt, "state"),
		}
		if flag("pseudonym") {
			c.Pseudonym = []byte{0, 255, byte(i)}
		}
		var events []store.Event
		for n := range rapid.IntRange(1, 4).Draw(rt, "events") {
			e := store.Event{Event: complaint.Event{
				Channel: channel, CaseID: c.CaseID, ID: fmt.Sprintf("%d/%d%s", i, n, text(rt, "id")), Kind: rapid.SampledFrom(complaint.Kinds()).Draw(rt, "kind"),
				Actor: rapid.SampledFrom(complaint.Actors()).Draw(rt, "actor"), OccurredAt: now.Add(time.Duration(n) * time.Minute), Text: text(rt, "text"),
				Clamped: flag("clamped"), Cleared: flag("cleared"), To: complaint.Status(text(rt, "to")), Into: text(rt, "into"),
			}, ReceivedAt: now}
			if flag("more") {
				e.Reporter = &complaint.Reporter{Phone: "0812", Email: text(rt, "email"), Handle: "@x"}
				e.Location = &complaint.Location{Latitude: rapid.Float64Range(-90, 90).Draw(rt, "lat"), Longitude: -0.1}
				e.Attributes = map[string]string{"a": text(rt, "attribute"), "b": ""}
				e.Pseudonym = []byte{1, 2, byte(n)}
			}
			events = append(events, e)
		}
		if _, err := tx.InsertEvents(ctx, events); err != nil {
			return err
		}
		if err := tx.PutCases(ctx, []store.Case{c}); err != nil {
			return err
		}
	}
	return nil
}

// TestWhatIsImportedIsWhatWasExported goes from a random storage to another and back: everything that
// there is comes back as it was, wherever an import is cut off and begun again.
func TestWhatIsImportedIsWhatWasExported(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		source := open(rt, t.TempDir())
		defer source.Close()
		fill(rt, source, rapid.IntRange(0, 3).Draw(rt, "channels"))
		export := exported(rt, source)
		target := open(rt, t.TempDir())
		defer target.Close()
		for range rapid.IntRange(0, 2).Draw(rt, "cuts") {
			cut := rapid.IntRange(0, len(export)-1).Draw(rt, "cut")
			in := io.MultiReader(bytes.NewReader(export[:cut]), iotest.ErrReader(errors.New("the connection was cut")))
			if _, err := transfer.Import(context.Background(), target, in, nil); err == nil {
				rt.Fatalf("An export that was cut at byte %d of %d was taken for a whole one", cut, len(export))
			}
		}
		if _, err := transfer.Import(context.Background(), target, bytes.NewReader(export), nil); err != nil {
			rt.Fatalf("Importing: %v", err)
		}
		if diff := cmp.Diff(content(export), content(exported(rt, target))); diff != "" {
			rt.Errorf("What is exported again differs (-first +second):\n%s", diff)
		}
		same(rt, source, target)
	})
}

// same compares the instants up to which ledgers had judged, and what a reader sees of channels.
func same(rt *rapid.T, source, target store.Store) {
	rt.Helper()
	var heads [2]store.Head
	var channels [2][]store.Channel
	for i, s := range []store.Store{source, target} {
		err := s.View(context.Background(), func(r store.Reader) (err error) {
			if heads[i], err = r.Head(context.Background()); err != nil {
				return err
			}
			channels[i], err = r.Channels(context.Background(), 0)
			return err
		})
		if err != nil {
			rt.Fatalf("Reading: %v", err)
		}
		for n := range channels[i] {
			channels[i][n].Revision = 0
		}
	}
	if !heads[0].At.Equal(heads[1].At) {
		rt.Errorf("The ledger had judged up to %v, the imported one says %v", heads[0].At, heads[1].At)
	}
	if diff := cmp.Diff(channels[0], channels[1]); diff != "" {
		rt.Errorf("Channels (-source +target):\n%s", diff)
	}
}

// sample is an export of a few thousand events, more than one transaction holds.
func sample(t *testing.T, cases int) []byte {
	t.Helper()
	s := open(t, t.TempDir())
	defer s.Close()
	err := s.Update(t.Context(), func(tx store.Tx) error {
		var events []store.Event
		var rows []store.Case
		for i := range cases {
			k := complaint.CaseKey{Channel: "dsw", CaseID: fmt.Sprintf("C%05d", i)}
			rows = append(rows, store.Case{CaseKey: k, Live: true, State: []byte("{}")})
			for n := range 3 {
				events = append(events, store.Event{Event: complaint.Event{
					Channel: k.Channel, CaseID: k.CaseID, ID: fmt.Sprintf("%s/%d", k.CaseID, n), Kind: complaint.KindReceived, Actor: complaint.ActorCitizen,
					OccurredAt: now, Text: "RAHASIA",
				}, ReceivedAt: now})
			}
		}
		if _, err := tx.InsertEvents(t.Context(), events); err != nil {
			return err
		}
		return tx.PutCases(t.Context(), rows)
	})
	if err != nil {
		t.Fatal(err)
	}
	return exported(t, s)
}

func TestAnImportGoesOnWhereItEndedAndNothingElseIsImportedThere(t *testing.T) {
	export := sample(t, 4000)
	s := open(t, t.TempDir())
	defer s.Close()
	if _, err := transfer.Import(t.Context(), s, bytes.NewReader(export[:len(export)*3/4]), nil); !errors.Is(err, transfer.ErrInvalid) || !strings.Contains(err.Error(), "ends early") {
		t.Fatalf("The error is %v; want that the export ends early", err)
	}
	view := func(f func(r store.Reader) error) error { return s.View(t.Context(), f) }
	if err := view(func(r store.Reader) error { return transfer.Check(t.Context(), r) }); !errors.Is(err, transfer.ErrUnfinished) {
		t.Errorf("Checking gives %v; want that the import is unfinished", err)
	}
	if _, err := transfer.Export(t.Context(), s, io.Discard, now, nil); !errors.Is(err, transfer.ErrUnfinished) {
		t.Errorf("Exporting half an import gives %v", err)
	}
	if _, err := transfer.Import(t.Context(), s, bytes.NewReader(sample(t, 1)), nil); !errors.Is(err, transfer.ErrNotEmpty) {
		t.Errorf("Importing another export gives %v", err)
	}
	var told []int
	totals, err := transfer.Import(t.Context(), s, bytes.NewReader(export), func(n int) { told = append(told, n) })
	if err != nil || totals.Cases != 4000 || totals.Events != 12000 {
		t.Fatalf("The totals are %v, error %v", totals, err)
	}
	if len(told) == 0 || told[0] <= 1000 || told[len(told)-1] != 4000 {
		t.Errorf("The progress is %v; want it to go on after the cases that were stored, up to 4000", told)
	}
	if err := view(func(r store.Reader) error { return transfer.Check(t.Context(), r) }); err != nil {
		t.Errorf("Checking gives %v", err)
	}
	if diff := cmp.Diff(content(export), content(exported(t, s))); diff != "" {
		t.Errorf("What was imported differs:\n%s", diff)
	}
	if _, err := transfer.Import(t.Context(), s, bytes.NewReader(export), nil); !errors.Is(err, transfer.ErrNotEmpty) || !strings.Contains(err.Error(), "already") {
		t.Errorf("Importing twice gives %v", err)
	}
}

func TestWhatIsNotAWholeExportIsRefusedAndToldWithoutWhatStandsInIt(t *testing.T) {
	export := string(sample(t, 3))
	for name, test := range map[string]struct {
		export string
		err    error
	}{
		"nothing":              {"", transfer.ErrInvalid},
		"something else":       {"RAHASIA\n", transfer.ErrInvalid},
		"another document":     {`{"header":{"format":"RAHASIA","version":1,"id":"x","exportedAt":"2026-11-02T03:00:00Z"}}` + "\n", transfer.ErrInvalid},
		"a newer version":      {strings.Replace(export, `"version":1`, `"version":2`, 1), transfer.ErrNewer},
		"no end":               {export[:strings.LastIndex(export, `{"end"`)], transfer.ErrInvalid},
		"half a line":          {export[:len(export)-10], transfer.ErrInvalid},
		"something after it":   {export + "RAHASIA\n", transfer.ErrInvalid},
		"a changed text":       {strings.Replace(export, "RAHASIA", "rahasia", 1), transfer.ErrInvalid},
		"a line less":          {strings.Replace(export, strings.SplitAfter(export, "\n")[3], "", 1), transfer.ErrInvalid},
		"a line of a newer":    {strings.Replace(export, `{"case"`, `{"RAHASIA"`, 1), transfer.ErrNewer},
		"a member of a newer":  {strings.Replace(export, `"kind"`, `"RAHASIA":1,"kind"`, 1), transfer.ErrNewer},
		"a kind of a newer":    {strings.Replace(export, `"kind":"Received"`, `"kind":"RAHASIA"`, 1), transfer.ErrNewer},
		"a header of a newer":  {strings.Replace(export, `"version":1`, `"version":2,"RAHASIA":1`, 1), transfer.ErrNewer},
		"no kind":              {strings.Replace(export, `"kind":"Received"`, `"kind":""`, 1), transfer.ErrInvalid},
		"another program's":    {`{"RAHASIA":1}` + "\n", transfer.ErrInvalid},
		"a number for a name":  {strings.Replace(export, `"kind":"Received"`, `"kind":1`, 1), transfer.ErrInvalid},
		"an event out of case": {strings.Replace(export, `"events":3`, `"events":2`, 1), transfer.ErrInvalid},
		"an event too few":     {strings.Replace(export, `"events":3`, `"events":4`, 1), transfer.ErrInvalid},
		"an event twice":       {strings.Replace(export, "C00001/0", "C00000/0", 1), transfer.ErrInvalid},
		"a reply after a case": {strings.Replace(export, `{"end"`, `{"reply":{"channel":"dsw","id":"RAHASIA"}}`+"\n"+`{"end"`, 1), transfer.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, t.TempDir())
			defer s.Close()
			_, err := transfer.Import(t.Context(), s, strings.NewReader(test.export), nil)
			if !errors.Is(err, test.err) {
				t.Errorf("The error is %v; want %v", err, test.err)
			}
			if err != nil && strings.Contains(strings.ToUpper(err.Error()), "RAHASIA") {
				t.Errorf("The error tells what stands in the export: %v", err)
			}
		})
	}
}

func TestNothingIsImportedIntoALedgerThatIsThere(t *testing.T) {
	s := open(t, t.TempDir())
	defer s.Close()
	if err := s.Update(t.Context(), func(tx store.Tx) error { return tx.PutSetting(t.Context(), "policy", []byte("{}")) }); err != nil {
		t.Fatal(err)
	}
	if _, err := transfer.Import(t.Context(), s, bytes.NewReader(sample(t, 1)), nil); !errors.Is(err, transfer.ErrNotEmpty) {
		t.Errorf("The error is %v; want that the storage is not empty", err)
	}
}

// TestRepliesOfAnEarlierVersionAreFoundByWhatTheirStatesSay imports an export of before replies had their cases, their ends
// and their answers beside their states.
func TestRepliesOfAnEarlierVersionAreFoundByWhatTheirStatesSay(t *testing.T) {
	source := open(t, t.TempDir())
	defer source.Close()
	replies := []store.Reply{
		{ID: "done", DoneAt: now, State: []byte(`{"id":"done","case":"C1","state":"Sent","event":"E1"}`)},
		{ID: "odd", NextAt: now, State: []byte(`[`)},
		{ID: "sending", NextAt: now, State: []byte(`{"id":"sending","case":"C1","state":"Sending"}`)},
		{ID: "waits", NextAt: now, State: []byte(`{"id":"waits","case":"C2","state":"Pending"}`)},
	}
	for i := range replies {
		replies[i].Channel = "dsw"
	}
	if err := source.Update(t.Context(), func(tx store.Tx) error { return tx.PutReplies(t.Context(), replies) }); err != nil {
		t.Fatal(err)
	}
	target := open(t, t.TempDir())
	defer target.Close()
	if _, err := transfer.Import(t.Context(), target, bytes.NewReader(exported(t, source)), nil); err != nil {
		t.Fatalf("Importing: %v", err)
	}
	want := slices.Clone(replies)
	want[0].CaseID, want[0].Event = "C1", "E1"
	want[2].CaseID, want[2].EndsAt = "C1", now
	want[3].CaseID, want[3].EndsAt = "C2", now.Add(24*time.Hour)
	var got []store.Reply
	err := target.View(t.Context(), func(r store.Reader) (err error) {
		got, err = r.RepliesAfter(t.Context(), "dsw", "", 10)
		return err
	})
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Error %v; the replies (-want +got):\n%s", err, diff)
	}
}
