package ledger

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
)

// TestTimeThatStandsStillIsTold has the clock of the only ledger go an hour ahead, and back after something was judged.
func TestTimeThatStandsStillIsTold(t *testing.T) {
	f := testFixture(t)
	var log bytes.Buffer
	f.ledger.log = slog.New(slog.NewTextHandler(&log, nil))
	said := func(what string, still, on int) {
		t.Helper()
		f.advance()
		if got := [2]int{strings.Count(log.String(), "Time stands still"), strings.Count(log.String(), "Time goes on")}; got != [2]int{still, on} {
			t.Errorf("%s, the log says %d times that time stands still and %d times that it goes on; want %d and %d:\n%s", what, got[0], got[1], still, on, log.String())
		}
	}
	f.append("dsw", received("C1", monday))
	f.clock.move(-complaint.MaxClockDifference)
	said("A little behind", 0, 0)
	f.clock.set(monday.Add(time.Hour))
	f.append("dsw", received("C2", monday.Add(time.Hour)))
	f.clock.set(monday.Add(time.Minute))
	said("With the clock an hour behind", 1, 0)
	f.append("dsw", received("C3", monday.Add(time.Minute)))
	said("After an event that was taken", 1, 0)
	if s := f.summary(); s.Watermark.Sub(s.At) != 59*time.Minute {
		t.Errorf("The summary of %v speaks of what was due at %v; want an hour after %v", s.At, s.Watermark, monday)
	}
	f.clock.set(monday.Add(time.Hour - complaint.MaxClockDifference))
	said("Once the clock has all but come there", 1, 1)
	f.pass(20 * time.Minute)
	f.verify()
}

// TestALedgerSaysAtItsStartThatTimeStandsStill on a storage that was judged a year ahead.
func TestALedgerSaysAtItsStartThatTimeStandsStill(t *testing.T) {
	f := testFixture(t)
	f.clock.move(365 * 24 * time.Hour)
	f.append("dsw", received("C1", monday))
	f.clock.set(monday)
	f.stop()
	f.stop = func() {}
	var log bytes.Buffer
	if _, err := Open(t.Context(), Options{Store: f.store, Now: f.clock.now, Log: slog.New(slog.NewTextHandler(&log, nil))}); err != nil {
		t.Fatal(err)
	}
	if said := log.String(); !strings.Contains(said, "Time stands still") || !strings.Contains(said, "ahead=8760h0m0s") {
		t.Errorf("The log of the start says:\n%s", said)
	}
}
