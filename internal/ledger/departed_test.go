package ledger

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/policy"
)

// keepsTenDays is a policy by which what attributes and words decide goes ten days after its case was closed.
func keepsTenDays() policy.Document {
	d := byPlace()
	d.Retention.Idle = "720h"
	return d
}

// withoutChannel is a document that does not name a channel.
func withoutChannel(d policy.Document, channel string) policy.Document {
	delete(d.Channels, channel)
	return d
}

// departedFixture has cases whose words, attributes and answers have decided something, with final verdicts.
func departedFixture(t *testing.T) *fixture {
	t.Helper()
	f := testFixture(t)
	f.policy(keepsTenDays())
	thanks := answered("thanked", monday)
	thanks.Text = "terima kasih atas laporannya"
	f.append("dsw", by(received("thanked", monday), erasedPhone, "x"), thanks,
		at("Beji", by(received("placed", monday), erasedPhone, "x")), at("Beji", received("closed", monday)), private("worded", monday))
	f.clock.move(10 * time.Minute)
	f.append("dsw", status("closed", complaint.StatusResolved, f.clock.now()))
	f.pass(100 * time.Hour)
	f.through("dsw", f.clock.now())
	f.advance()
	return f
}

// anyOrder compares slices as sets.
func anyOrder[T any]() cmp.Option {
	return cmpopts.SortSlices(func(a, b T) bool { return fmt.Sprintf("%+v", a) < fmt.Sprintf("%+v", b) })
}

// wantRemembered has the channel named by a policy, and a late word said in each case of departedFixture.
func (f *fixture) wantRemembered(want any, back policy.Document) {
	f.t.Helper()
	f.policy(back)
	f.advance()
	f.verify()
	for _, id := range []string{"thanked", "placed", "closed", "worded"} {
		f.append("dsw", event(id, id+"/late", complaint.KindCitizenMessage, complaint.ActorCitizen, monday.Add(time.Minute)))
	}
	f.advance()
	f.verify()
	if diff := cmp.Diff(want, counters(f.summary()), anyOrder[ledgerapi.ClockSeries](), anyOrder[ledgerapi.HistogramSeries]()); diff != "" {
		f.t.Errorf("The channel came back with other figures than one that never left (-never left +came back):\n%s", diff)
	}
}

// What texts and attributes had decided stays when they go, also while the policy does not name the channel.
func TestAChannelThatComesBackIsJudgedByWhatWentMeanwhile(t *testing.T) {
	goes := map[string]func(f *fixture){
		"by retention": func(f *fixture) {
			f.pass(45 * day)
			f.advance()
			f.expire()
		},
		"by an erasure": func(f *fixture) { f.erase(t, ledgerapi.ErasureReporter{Phone: erasedPhone}) },
	}
	away := map[string]func(f *fixture){
		"as it was":               func(*fixture) {},
		"and the ledger restarts": func(f *fixture) { f.restart() },
		"and other channels change": func(f *fixture) {
			f.policy(withoutChannel(withoutChannel(keepsTenDays(), "dsw"), "wa"))
			f.policy(withoutChannel(withoutChannel(keepsTenDays(), "dsw"), "sigap"))
			f.restart()
		},
		"once more": func(f *fixture) {
			f.policy(keepsTenDays())
			f.advance()
			f.policy(withoutChannel(keepsTenDays(), "dsw"))
		},
	}
	for how, clearing := range goes {
		control := departedFixture(t)
		clearing(control)
		for _, id := range []string{"thanked", "placed", "closed", "worded"} {
			control.append("dsw", event(id, id+"/late", complaint.KindCitizenMessage, complaint.ActorCitizen, monday.Add(time.Minute)))
		}
		control.advance()
		want := counters(control.summary())
		for name, change := range away {
			t.Run("goes "+how+" while it is away, "+name, func(t *testing.T) {
				f := departedFixture(t)
				f.policy(withoutChannel(keepsTenDays(), "dsw"))
				f.advance()
				change(f)
				clearing(f)
				if found := f.stored("terima kasih atas"); how == "by retention" && len(found) > 0 {
					t.Errorf("Of the content %v is left", found)
				}
				f.restart()
				f.wantRemembered(want, keepsTenDays())
			})
		}
	}
}

// wantDeparted checks which channels are remembered, with each policy that left some out.
func (f *fixture) wantDeparted(when string, want ...[]string) {
	f.t.Helper()
	var got [][]string
	f.ledger.mu.RLock()
	for _, d := range f.ledger.departed {
		got = append(got, d.compiled.Channels())
	}
	f.ledger.mu.RUnlock()
	if diff := cmp.Diff(want, got); diff != "" {
		f.t.Errorf("%s the channels that are gone (-want +got):\n%s", when, diff)
	}
}

func TestAChannelThatIsGoneIsRememberedAsLongAsItsContent(t *testing.T) {
	f := testFixture(t)
	f.policy(keepsTenDays())
	f.append("dsw", received("1", monday))
	f.append("wa", received("2", monday))
	f.policy(withoutChannel(withoutChannel(keepsTenDays(), "dsw"), "sigap"))
	f.wantDeparted("With one that never had an event", []string{"dsw"})
	f.pass(time.Hour)
	f.policy(withoutChannel(withoutChannel(keepsTenDays(), "dsw"), "wa"))
	f.wantDeparted("Without another", []string{"dsw"}, []string{"wa"})
	f.restart()
	f.wantDeparted("After a restart", []string{"dsw"}, []string{"wa"})
	f.policy(withoutChannel(keepsTenDays(), "dsw"))
	f.wantDeparted("With the other again", []string{"dsw"})
	f.pass(40*day + departedKept)
	f.policy(withoutChannel(withoutChannel(keepsTenDays(), "dsw"), "sigap"))
	f.wantDeparted("After its content's time and longer")
}

func TestOfChannelsThatAreGoneTheLatestAreRememberedWithinABound(t *testing.T) {
	large := keepsTenDays()
	words := large.Taxonomies["words"]
	words.Categories[0].Keywords = []string{strings.Repeat("banjir ", maxDepartedBytes/16)}
	document := func(channel string) policy.Document {
		return large.Only(func(name string) bool { return name == channel })
	}
	all := departed{{Document: document("dsw")}, {Document: document("sigap")}, {Document: document("wa")}}
	if got := all.bounded(); len(got) != 2 || got[0].Document.Channels["sigap"].Type == "" {
		t.Errorf("%d are remembered; want the latest two", len(got))
	}
}
