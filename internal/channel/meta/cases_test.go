package meta

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/test/cases"
)

func states(list []ledgerapi.Case) []string {
	var got []string
	for _, found := range list {
		state := found.CaseID
		if found.ReceivedAt == nil {
			continue // what the city said of its own accord is no complaint
		}
		if found.AnsweredAt != nil {
			state += " answered"
		}
		if found.WaitingSince != nil {
			state += ", waiting"
		}
		got = append(got, state)
	}
	slices.Sort(got)
	return got
}

// TestThreadsAreCasesOfTheLedger has a real ledger make cases of comments, of posts of visitors and of messages.
func TestThreadsAreCasesOfTheLedger(t *testing.T) {
	c := newCity(t, nil)
	deliver := func(id string, delivery []byte) string {
		c.later()
		c.deliver(delivery)
		return id
	}
	announcement := deliver(c.server.Post(pageID, "Pengumuman"))
	deliver(c.server.Comment(pageID, announcement, "", "Silakan bertanya"))
	flood := deliver(c.server.Comment(siti, announcement, "", "banjir"))
	deliver(c.server.Comment(pageID, announcement, flood, "petugas menuju lokasi"))
	deeper := deliver(c.server.Comment(siti, announcement, flood, "belum datang"))
	deliver(c.server.Comment(budi, announcement, deeper, "betul")) // below a reply: the same thread
	rubbish := deliver(c.server.Comment(budi, announcement, "", "sampah"))
	lamp := deliver(c.server.Post(budi, "lampu mati"))
	deliver(c.server.Comment(siti, lamp, "", "di sini juga")) // below a visitor's post all is one case
	deliver(c.server.Comment(pageID, lamp, "", "segera kami perbaiki"))
	deliver("", c.server.Change(rubbish, "edited", "sampah menumpuk"))
	deliver("", c.server.Change(rubbish, "hide", ""))
	want := []string{
		"comment/" + flood + " answered, waiting", "comment/" + rubbish + ", waiting", "post/" + lamp + " answered",
	}
	slices.Sort(want)
	events := c.ledger.Events()
	for name, batches := range map[string][][]complaint.Event{"as delivered": {events}, "one by one": each(events), "twice": {events[:5], events, events[3:]}} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(want, states(cases.Of(t, c.clock.Now(), batches...))); diff != "" {
				t.Errorf("cases (-want +got):\n%s", diff)
			}
		})
	}
}

func each(events []complaint.Event) [][]complaint.Event {
	var batches [][]complaint.Event
	for i := range events {
		batches = append(batches, events[i:i+1])
	}
	return batches
}

// TestAnyOrderAndNumberOfDeliveriesGivesTheSameThreads shuffles deliveries about threads, some of them twice,
// before and after the same was read of the Graph API.
func TestAnyOrderAndNumberOfDeliveriesGivesTheSameThreads(t *testing.T) {
	c := newCity(t, nil)
	deliveries := [][]byte{}
	add := func(id string, delivery []byte) string {
		c.later()
		deliveries = append(deliveries, delivery)
		return id
	}
	post, _ := c.server.Post(pageID, "Pengumuman")
	for i := range 3 {
		top := add(c.server.Comment(siti, post, "", fmt.Sprint("keluhan ", i)))
		add(c.server.Comment(budi, post, top, "di sini juga"))
		if i < 2 {
			add(c.server.Comment(pageID, post, top, "kami periksa"))
		}
		add("", c.server.Change(top, "edited", "keluhan lain"))
	}
	for _, delivery := range deliveries {
		c.deliver(delivery)
	}
	want := states(cases.Of(t, c.clock.Now(), c.ledger.Events()))
	if len(want) != 3 {
		t.Fatalf("%d cases", len(want))
	}
	rounds := 0
	rapid.Check(t, func(rt *rapid.T) {
		if rounds++; rounds > 25 { // each opens a ledger
			return
		}
		order := rapid.SliceOfN(rapid.IntRange(0, len(deliveries)-1), 0, 8).Draw(rt, "twice")
		order = append(order, rapid.Permutation(indices(len(deliveries))).Draw(rt, "order")...)
		var batches [][]complaint.Event
		for _, i := range order {
			one := newCity(t, nil) // each to another worker
			one.deliver(deliveries[i])
			batches = append(batches, one.ledger.Events())
		}
		if diff := cmp.Diff(want, states(cases.Of(t, c.clock.Now(), batches...))); diff != "" {
			rt.Errorf("cases (-want +got):\n%s", diff)
		}
	})
}

func indices(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

func TestTheManifestInTheDocumentationOpens(t *testing.T) {
	spec, credentials := channeltest.Manifest(t, "meta.md")
	source, err := Type{}.Open(channeltest.Settings(spec, channeltest.NewClock(time.Now()), nil, credentials))
	if err != nil {
		t.Fatal(err)
	}
	if got := source.(channel.Poller).Interval(); got != 10*time.Minute {
		t.Errorf("interval %s", got)
	}
}
