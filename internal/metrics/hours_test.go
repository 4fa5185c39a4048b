package metrics

import (
	"strings"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/policy"
	"github.com/tanggap/tanggap/internal/sla"
)

func TestAChannelIsOpenWhenItsCalendarIs(t *testing.T) {
	jakarta := time.FixedZone("WIB", 7*60*60)
	for sentence, c := range map[string]struct {
		at   time.Time
		want string
	}{
		"on a Monday within the hours":   {time.Date(2026, 11, 23, 15, 59, 59, 0, jakarta), " 1\n"},
		"on a Monday after closing":      {time.Date(2026, 11, 23, 16, 0, 0, 0, jakarta), " 0\n"},
		"on a day that is not worked on": {time.Date(2026, 11, 24, 10, 0, 0, 0, jakarta), " 0\n"},
	} {
		t.Run(sentence, func(t *testing.T) {
			ledger := city()
			text := gather(t, New(func() []Ledger { return []Ledger{ledger} }, leads, func() time.Time { return c.at }))
			if !strings.Contains(text, "\n"+channelOpen+`{channel="refused",namespace="depok"}`+c.want) {
				t.Errorf("it is not %s", c.want)
			}
			if strings.Contains(text, channelOpen+`{channel="dsw"`) {
				t.Error("a channel without a calendar has hours")
			}
		})
	}
	ledger := city()
	city := ledger.Policy.SLAs["city"]
	city.CalendarRef = &sla.Reference{Name: "office"}
	ledger.Policy.SLAs["city"] = city
	if text := gather(t, collector(ledger)); !strings.Contains(text, channelOpen+`{channel="dsw",namespace="depok"}`) {
		t.Error("the calendar of a channel's SLA is not its own")
	}
}

func TestTheFirstSpilloverToAnUnofficialChannelIsAnIncrease(t *testing.T) {
	ledger := city()
	ledger.Policy.Linking.Window = "672h"
	for name, source := range map[string]string{"deputy": "whatsapp", "account": "x"} {
		ledger.Policy.Channels[name] = policy.Channel{Type: source}
		ledger.Summary.Channels[name] = ledgerapi.ChannelSummary{}
	}
	text := gather(t, collector(ledger))
	for pair, want := range map[string]string{
		`{from="dsw",namespace="depok",to="mayor"}`:    "2",
		`{from="silent",namespace="depok",to="mayor"}`: "0",
		`{from="dsw",namespace="depok",to="deputy"}`:   "0",
	} {
		if !strings.Contains(text, "\n"+spillovers+pair+" "+want+"\n") {
			t.Errorf("%s is not %s", pair, want)
		}
	}
	if strings.Contains(text, `to="silent"`) || strings.Contains(text, `from="mayor"`) {
		t.Error("spill-overs that nobody looks for begin")
	}
	if strings.Contains(text, `to="account"`) {
		t.Error("there are no spill-overs to where nobody could see one")
	}
	if text := gather(t, collector(city())); strings.Contains(text, `from="silent"`) {
		t.Error("spill-overs begin where complaints are not linked")
	}
}

func TestTheFirstBreachIsAnIncrease(t *testing.T) {
	text := gather(t, collector(city()))
	// The mayor's first complaint has no verdict yet, and increase() needs the zero before it.
	for _, outcome := range []string{"met", "breached", "cancelled"} {
		want := slaClocks + `{category="garbage",channel="mayor",clock="FirstAnswer",department="dlhk",namespace="depok",outcome="` + outcome + `",priority="normal",sla="city"} 0`
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing", want)
		}
	}
}
