package ledger

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// followSome has operators ask the chosen replica for what has changed.
func (m *machine) followSome(rt *rapid.T) {
	whole := m.summary()
	if whole.Since != 0 {
		rt.Errorf("The whole summary is one of changes after %d", whole.Since)
	}
	for i := range m.followers {
		v := &m.followers[i]
		fate := rapid.SampledFrom([]string{"follows", "follows", "is silent", "loses the answer"}).Draw(rt, "operator")
		if fate == "is silent" {
			continue
		}
		answer, err := m.ledger.Summary(context.Background(), v.Position(), 0)
		if err != nil {
			rt.Fatalf("Following: %v", err)
		}
		if fate == "loses the answer" {
			continue
		}
		before := encoded(v.Summary())
		held := v.Summary()
		if err := v.Apply(transmitted(answer)); err != nil {
			rt.Fatalf("Following from %+v to %+v: %v", v.Position(), answer.Position, err)
		}
		if encoded(held) != before {
			rt.Errorf("A summary that was given out has changed")
		}
		if diff := cmp.Diff(shownOf(whole), shownOf(v.Latest())); diff != "" {
			rt.Errorf("What operator %d has after changes from %d (-whole +followed):\n%s", i, answer.Since, diff)
		}
	}
}

// transmitted is a summary as it arrives.
func transmitted(s *ledgerapi.Summary) *ledgerapi.Summary {
	arrived := new(ledgerapi.Summary)
	if err := json.Unmarshal([]byte(encoded(s)), arrived); err != nil {
		panic(err) // it is what was encoded
	}
	return arrived
}

func encoded(s *ledgerapi.Summary) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // a summary is plain data
	}
	return string(text)
}

// shownOf is what a summary shows, by its labels.
func shownOf(s *ledgerapi.Summary) map[string]string {
	shown := map[string]string{"position": fmt.Sprint(s.Position), "policy": fmt.Sprint(s.Policy), "watermark": s.Watermark.String()}
	add := func(what string, row any) {
		text, err := json.Marshal(row)
		if err != nil {
			panic(err) // as above
		}
		if _, twice := shown[what]; twice {
			text = append(text, " twice"...)
		}
		shown[what] = string(text)
	}
	for name, c := range s.Channels {
		add("channel "+name, c)
	}
	for _, r := range s.Series {
		add(fmt.Sprint("series ", r.Channel, r.Dimensions), r)
	}
	for _, r := range s.Clocks {
		add(fmt.Sprint("clock ", r.Channel, r.Dimensions, r.SLA, r.Clock), r)
	}
	for _, r := range s.Histogram {
		add(fmt.Sprint("histogram ", r.Channel, r.Priority, r.Clock, r.Working), r)
	}
	for _, r := range s.Spillover {
		add("spillover "+r.From+" "+r.To, r)
	}
	return shown
}
