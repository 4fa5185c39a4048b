package x

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	simulator "github.com/tanggap/tanggap/internal/simulator/x"
	"github.com/tanggap/tanggap/test/cases"
)

// TestConversationsAreCasesOfTheLedger has a real ledger make cases of what is read, in the order in which it
// is read, in the other one, and twice.
func TestConversationsAreCasesOfTheLedger(t *testing.T) {
	c := newCity(t, simulator.Options{}, nil)
	post := c.server.Add(simulator.Post{Author: account, Text: "pengumuman", At: c.clock.Now().Add(-time.Hour)})
	flood := c.mention(siti, "banjir")
	c.reply(budi, flood, "di sini juga")
	lamp := c.reply(siti, post, "lampu mati")
	c.reply(budi, post, "sampah")
	c.mustPoll() // the answers are read before what they answer elsewhere, and after it here
	answer := c.reply(account, flood, "petugas menuju lokasi")
	c.reply(siti, answer, "belum datang")
	c.reply(account, lamp, "kami perbaiki")
	c.server.Edit(flood, "banjir di Margonda")
	late := c.mention(budi, "pohon tumbang")
	c.reply(bureau, late, "sudah dipotong")
	c.mustPoll()

	want := []string{
		fmt.Sprintf("%d answered, waiting", flood), fmt.Sprintf("%d answered", late),
		fmt.Sprintf("%d/%s answered", post, siti), fmt.Sprintf("%d/%s, waiting", post, budi),
	}
	slices.Sort(want)
	events := c.ledger.Events()
	backwards := slices.Clone(events)
	slices.Reverse(backwards)
	for name, batches := range map[string][][]complaint.Event{
		"as read": {events}, "backwards": {backwards}, "twice": {events[:3], backwards, events},
	} {
		t.Run(name, func(t *testing.T) {
			got := states(cases.Of(t, c.clock.Now(), batches...))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("cases (-want +got):\n%s", diff)
			}
		})
	}
}

// states are the cases with what becomes of them, sorted.
func states(found []ledgerapi.Case) []string {
	states := make([]string, len(found))
	for i := range found {
		states[i] = found[i].CaseID
		if found[i].AnsweredAt != nil {
			states[i] += " answered"
		}
		if found[i].WaitingSince != nil {
			states[i] += ", waiting"
		}
	}
	slices.Sort(states)
	return states
}
