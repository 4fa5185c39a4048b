package ledger

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

func TestABreachIsShownAtItsInstantAndCountedOnceTheSourceWasObserved(t *testing.T) {
	f := testFixture(t)
	f.append("dsw", received("C1", monday))
	f.wantClock("At first", "dsw", "FirstAnswer", ledgerapi.ClockSeries{})
	f.pass(12 * time.Minute)
	f.wantClock("A fifth of the target before due", "dsw", "FirstAnswer", ledgerapi.ClockSeries{DueSoon: 1})
	f.pass(3 * time.Minute)
	f.wantClock("At the due instant itself", "dsw", "FirstAnswer", ledgerapi.ClockSeries{DueSoon: 1})
	f.pass(time.Microsecond)
	f.wantClock("Past due", "dsw", "FirstAnswer", ledgerapi.ClockSeries{Overdue: 1})
	f.through("dsw", monday.Add(15*time.Minute))
	f.advance()
	f.wantClock("Observed to the due instant", "dsw", "FirstAnswer", ledgerapi.ClockSeries{Overdue: 1})
	f.pass(time.Minute)
	f.through("dsw", monday.Add(16*time.Minute))
	f.advance()
	f.wantClock("Observed past the due instant", "dsw", "FirstAnswer", ledgerapi.ClockSeries{Overdue: 1, Breached: 1})
	f.append("dsw", answered("C1", monday.Add(15*time.Minute+30*time.Second)))
	f.wantClock("After the late answer", "dsw", "FirstAnswer", ledgerapi.ClockSeries{Breached: 1})
	f.verify()
}

func TestAnAnswerInTimeThatIsPolledLateIsMet(t *testing.T) {
	f := testFixture(t)
	f.append("dsw", received("C1", monday))
	f.pass(20 * time.Minute)
	f.wantClock("Past due, not observed", "dsw", "FirstAnswer", ledgerapi.ClockSeries{Overdue: 1})
	f.append("dsw", answered("C1", monday.Add(14*time.Minute)))
	f.through("dsw", monday.Add(20*time.Minute))
	f.advance()
	f.wantClock("After the poll", "dsw", "FirstAnswer", ledgerapi.ClockSeries{Met: 1})
	if c := f.summary().Channels["dsw"].Corrections; c != nil {
		t.Errorf("Corrections are %v; want none, as no verdict was final", c)
	}
	f.verify()
}

func TestEvidenceThatChangesAFinalVerdictIsCountedAsACorrection(t *testing.T) {
	f := testFixture(t)
	f.append("dsw", received("C1", monday))
	f.pass(20 * time.Minute)
	f.through("dsw", monday.Add(20*time.Minute))
	f.advance()
	f.wantClock("Final", "dsw", "FirstAnswer", ledgerapi.ClockSeries{Overdue: 1, Breached: 1})
	f.append("dsw", answered("C1", monday.Add(10*time.Minute)))
	f.wantClock("After older evidence", "dsw", "FirstAnswer", ledgerapi.ClockSeries{Breached: 1})
	if diff := cmp.Diff(map[string]int64{"FirstAnswer": 1}, f.summary().Channels["dsw"].Corrections); diff != "" {
		t.Errorf("Corrections (-want +got):\n%s", diff)
	}
	f.verify()
}

func TestFiguresOfACaseFromReceiptToResolution(t *testing.T) {
	f := testFixture(t)
	series := func() ledgerapi.Series {
		all := f.summary().Series
		if len(all) != 1 {
			t.Fatalf("There are %d series; want 1: %v", len(all), all)
		}
		return all[0]
	}
	want := ledgerapi.Series{
		Channel: "dsw", Dimensions: complaint.Dimensions{Category: "flood", Department: "dpupr", Priority: "high"},
		Unanswered: 1, AwaitingReply: 1, Received: 1,
	}
	check := func(when string) {
		t.Helper()
		if diff := cmp.Diff(want, series()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	f.append("dsw", received("C1", monday))
	check("Received")
	thanks := answered("C1", monday)
	thanks.ID, thanks.Text = "thanks", "terima kasih atas laporannya"
	f.append("dsw", thanks)
	check("Only thanked")
	f.append("dsw", answered("C1", monday.Add(time.Minute)))
	want.Unanswered, want.AwaitingReply, want.Answered = 0, 0, 1
	f.pass(time.Minute)
	check("Answered")
	f.pass(time.Minute)
	f.append("dsw", event("C1", "again", complaint.KindCitizenMessage, complaint.ActorCitizen, monday.Add(2*time.Minute)))
	want.AwaitingReply = 1
	check("The citizen wrote again")
	f.append("dsw", status("C1", complaint.StatusResolved, monday.Add(2*time.Minute)))
	want.AwaitingReply = 0
	check("Resolved")
	f.wantClock("Resolved", "dsw", "Done", ledgerapi.ClockSeries{Met: 1})
	channel := f.summary().Channels["dsw"]
	if channel.OldestUnansweredAt != nil || channel.Received != 1 || channel.Answered != 1 || channel.Accepted != 5 {
		t.Errorf("The channel is %+v", channel)
	}
	f.verify()
}

func TestHistogramsHoldTheTimeToTheStop(t *testing.T) {
	f := testFixture(t)
	// 16:00 in Depok is closing time: an hour of wall time later no working time has passed.
	closing := monday.Add(6 * time.Hour)
	f.clock.set(closing.Add(2 * time.Hour))
	f.append("dsw", received("C1", closing), answered("C1", closing.Add(time.Hour)))
	got := map[string]ledgerapi.HistogramSeries{}
	for _, h := range f.summary().Histogram {
		name := "wall"
		if h.Working {
			name = "working"
		}
		got[name] = h
	}
	bounds := ledgerapi.BucketBounds()
	for name, want := range map[string]float64{"wall": 3600, "working": 0} {
		h := got[name]
		if h.Clock != "FirstAnswer" || h.Priority != "high" || h.Count != 1 || h.Sum != want {
			t.Errorf("The histogram in %s time is %+v; want one time of %v s", name, h, want)
		}
		for i, bound := range bounds {
			if wantCount := int64(0); h.Buckets[i] != func() int64 {
				if want <= bound {
					wantCount = 1
				}
				return wantCount
			}() {
				t.Errorf("The bucket up to %v s in %s time holds %d", bound, name, h.Buckets[i])
			}
		}
	}
	f.verify()
}

func TestTheLedgersTimeNeverGoesBack(t *testing.T) {
	f := testFixture(t)
	f.append("dsw", received("C1", monday))
	f.pass(20 * time.Minute)
	f.append("dsw", received("C2", monday))
	f.clock.move(-time.Hour)
	f.restart()
	f.append("dsw", event("C1", "more", complaint.KindCitizenMessage, complaint.ActorCitizen, monday))
	f.wantClock("With the system's clock set back", "dsw", "FirstAnswer", ledgerapi.ClockSeries{Overdue: 2})
}

func TestSummaryWaitsForGrowth(t *testing.T) {
	f := testFixture(t)
	now := f.summary().Position
	if s, err := f.ledger.Summary(t.Context(), now, time.Millisecond); err != nil || s.Since != now.Sequence || len(s.Series)+len(s.Channels) > 0 {
		t.Errorf("Without growth the summary is %+v, error %v; want one without changes", s, err)
	}
	for name, position := range map[string]ledgerapi.Position{
		"later than anything": {Sequence: now.Sequence + 1000, Epoch: now.Epoch}, "of another history": {Sequence: now.Sequence, Epoch: "other"},
		"of no history": {Sequence: now.Sequence}, "before the policy": {Sequence: now.Sequence - 1, Epoch: now.Epoch},
		"before everything": {Sequence: -1, Epoch: now.Epoch},
	} {
		if s, err := f.ledger.Summary(t.Context(), position, time.Hour); err != nil || s.Since != 0 || len(s.Channels) != 3 {
			t.Errorf("With a position %s the summary is %+v, error %v; want all of it at once", name, s, err)
		}
	}
	got := make(chan int64, 1)
	go func() {
		s, err := f.ledger.Summary(context.WithoutCancel(t.Context()), now, time.Minute)
		if err != nil || s == nil {
			got <- -1
			return
		}
		got <- s.Sequence
		if s.Since != now.Sequence || len(s.Channels) != 1 || len(s.Series) != 1 {
			t.Errorf("The changes are %+v; want those of one channel", s)
		}
	}()
	f.append("dsw", received("C1", monday))
	if grown := <-got; grown <= now.Sequence {
		t.Errorf("The sequence went from %d to %d", now.Sequence, grown)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.ledger.Summary(ended, f.summary().Position, time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("With an ended context the error is %v", err)
	}
}

func TestAHistogramThatChangedIsSentAsAWhole(t *testing.T) {
	f := testFixture(t)
	f.append("dsw", received("C1", monday.Add(-time.Hour)), answered("C1", monday))
	var view ledgerapi.View
	follow := func() {
		t.Helper()
		s, err := f.ledger.Summary(t.Context(), view.Position(), 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := view.Apply(s); err != nil {
			t.Fatal(err)
		}
	}
	follow()
	f.append("dsw", received("C2", monday.Add(-time.Minute)), answered("C2", monday))
	follow()
	for _, h := range view.Summary().Histogram {
		if h.Count != 2 || h.Sum != 3660 || len(h.Native) != 2 {
			t.Errorf("The histogram is %+v; want the times of both answers", h)
		}
	}
	if diff := cmp.Diff(shownOf(f.summary()), shownOf(view.Summary())); diff != "" {
		t.Errorf("After the change (-whole +followed):\n%s", diff)
	}
}

func TestVerifyNamesWhatDiffers(t *testing.T) {
	f := testFixture(t)
	f.append("dsw", received("C1", monday))
	err := f.store.Update(t.Context(), func(tx store.Tx) error {
		k := seriesKey("dsw", &complaint.Dimensions{Category: "flood", Department: "dpupr", Priority: "high"})
		if err := tx.AddFigures(t.Context(), []store.Figures{{Key: k.encode(), Values: values{seriesUnanswered: 4}}}); err != nil {
			return err
		}
		rows, err := tx.Cases(t.Context(), []complaint.CaseKey{{Channel: "dsw", CaseID: "C1"}})
		if err != nil {
			return err
		}
		rows[0].DueAt = time.Time{}
		return tx.PutCases(t.Context(), []store.Case{*rows[0]})
	})
	if err != nil {
		t.Fatal(err)
	}
	differences, err := Verify(t.Context(), f.store, nil)
	if err != nil || len(differences) != 2 {
		t.Fatalf("Verify found %v, error %v; want two differences", differences, err)
	}
	if text := differences[1].String(); !strings.Contains(text, "series/dsw/flood") || !strings.Contains(text, "[5 1 1 0 0]") && !strings.Contains(text, "[5 1 0 0 0]") {
		t.Errorf("The difference reads %q", text)
	}
}
