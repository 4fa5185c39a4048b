package metrics

import (
	"strings"
	"testing"
	"time"

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
